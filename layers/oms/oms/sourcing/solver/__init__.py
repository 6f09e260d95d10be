"""The sourcing solver: a cheapest plan with proof, or the best one within a time budget. Pure Python.

The problem is capacitated facility location with limited stock, which branch and bound with Lagrangian bounds
solves well (Christofides, Beasley, Extensions to a Lagrangean relaxation approach for the capacitated
warehouse location problem, 1983). In the order in which they work:

    alone       one location that is the cheapest in everything: no search
    model       the instance by numbers, without dominated locations
    incumbent   the best plan so far; greedy start, local search
    assignment  the exact plan for a given set of locations
    bound       Lagrangian bound, subgradient ascent, fixing by reduced costs
    knapsack    a sharper bound for orders of few units
    search      branch and bound
    clock       the time budget
"""

import time
from collections.abc import Callable
from contextlib import suppress

from oms.sourcing.instance import Instance, Pick, Solution
from oms.sourcing.solver.alone import alone
from oms.sourcing.solver.clock import Deadline, OutOfTime
from oms.sourcing.solver.model import BACKORDER, compile_model
from oms.sourcing.solver.search import Search


def solve(
    instance: Instance, seconds: float | None = None, clock: Callable[[], float] = time.perf_counter
) -> Solution:
    """Find a cheapest plan.

    Args:
        instance: the question.
        seconds: time budget; None to search until the answer is proven. Reading the instance and a first plan
            are not cut short by it: together some 10 ms for 20 lines and 2000 locations.
        clock: seconds, to measure the budget with. Wall time by default, because that is what a caller waits
            for; a batch on a shared machine passes `time.thread_time`.

    Returns:
        The best plan found, its cost, a lower bound, and whether the plan is proven to be a cheapest one. The
        same instance without a budget always gets the same plan.
    """
    settled = alone(instance)
    if settled is not None:
        return settled
    deadline = Deadline(seconds, clock)
    model = compile_model(instance)
    search = Search(model, deadline)
    with suppress(OutOfTime):
        search.run()
    incumbent = search.incumbent
    plan = sorted(
        (model.names[n], line, units)
        for line, taken in enumerate(incumbent.supplies)
        for _, units, n in taken
        if n != BACKORDER
    )
    return Solution(
        tuple(Pick(instance.locations[n].id, instance.lines[line].sku, units) for n, line, units in plan),
        incumbent.cost,
        search.bound,
        search.bound == incumbent.cost,
    )
