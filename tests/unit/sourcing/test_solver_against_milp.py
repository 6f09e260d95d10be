"""The solver against a mixed-integer solver, on random instances of every kind.

A few hundred by default; `OMS_SOURCING_INSTANCES=5000` sets how many.
"""

import os
from random import Random
from typing import Any

import pytest

from oms.sourcing.instance import Instance, price
from oms.sourcing.solver import solve
from tests.unit.sourcing.instances import KINDS, draw

highspy = pytest.importorskip("highspy", reason="the reference solver is not installed")

INSTANCES = int(os.environ.get("OMS_SOURCING_INSTANCES", "320"))


def milp_cost(instance: Instance) -> int:
    """The cost of a cheapest plan by the textbook model: binary y per location, integer x per offer."""
    model = highspy.Highs()
    model.silent()
    unfilled = [model.addIntegral(0, line.units, line.backorder_cost) for line in instance.lines]
    filled: list[list[Any]] = [[waiting] for waiting in unfilled]
    used = []
    for location in instance.locations:
        use = model.addBinary(location.fixed_cost + instance.split_penalty)
        used.append(use)
        shipped = []
        for offer in location.offers:
            most = min(offer.units, instance.lines[offer.line].units)
            units = model.addIntegral(0, most, offer.unit_cost)
            model.addConstr(units <= most * use)
            filled[offer.line].append(units)
            shipped.append(units)
        if shipped:
            model.addConstr(sum(shipped) <= location.capacity * use)
    for line, units in zip(instance.lines, filled, strict=True):
        model.addConstr(sum(units) == line.units)
    # The first location is free of the split penalty: `extra` gives it back when any location is used.
    extra = model.addBinary(-instance.split_penalty)
    if used:
        model.addConstr(extra <= sum(used))
        if instance.max_locations is not None:
            model.addConstr(sum(used) <= instance.max_locations)
    else:
        model.addConstr(extra <= 0)
    model.setOptionValue("mip_rel_gap", 0.0)
    model.minimize()
    assert model.getModelStatus() == highspy.HighsModelStatus.kOptimal
    cost: float = model.getInfo().objective_function_value
    return round(cost)


@pytest.mark.parametrize("kind", KINDS)
def test_the_plan_is_legal_proven_and_costs_what_the_reference_costs(kind: str) -> None:
    for seed in range(-(-INSTANCES // len(KINDS))):
        instance = draw(Random(f"{kind} {seed}"), KINDS[kind])
        solution = solve(instance)
        where = f"seed {seed}"
        assert price(instance, solution.plan).total == solution.cost, where
        assert (solution.bound, solution.proven) == (solution.cost, True), where
        assert solution.cost == milp_cost(instance), where
