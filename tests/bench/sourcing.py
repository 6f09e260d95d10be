"""Sourcing: the solver beside the rules of other systems, and backlogs planned again.

On the shared instances where they are, else on made-up ones. Times are the processor's: those of the clock on
the wall would be of other work too.
"""

import gzip
import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any

from infra.cli.instances import read_backlog, read_instance
from oms.sourcing.backlog import plan_in_turn, reoptimise
from oms.sourcing.instance import Instance, Location, Pick, price
from oms.sourcing.solver import solve
from oms.sourcing.solver.incumbent import greedy
from oms.sourcing.solver.model import BACKORDER, compile_model
from tests.retailers import instance as made_up

SHARED = Path(__file__).parents[3] / "shared" / "sourcing"
SIZES = {
    "1 line": (1, 10),
    "3 lines": (3, 200),
    "5 lines": (5, 50),
    "10 lines": (10, 100),
    "50 lines": (50, 500),
}
EACH = 10
BUDGET_SECONDS = 0.05
BACKLOG_SECONDS = 30

type Row = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Case:
    """An instance with what the rules go by.

    Attributes:
        kind: class of instances that it belongs to.
        instance: the question.
        distance: kilometres, by location.
        priority: the retailer's own order of its locations.
        cost: of a cheapest plan.
    """

    kind: str
    instance: Instance
    distance: dict[str, int]
    priority: dict[str, int]
    cost: int


class Basket:
    """What is still wanted, filled location by location."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.wanted = [line.units for line in instance.lines]
        self.left = {
            location.id: {line: units for line, units, _ in location.offers}
            for location in instance.locations
        }
        self.room = {location.id: location.capacity for location in instance.locations}
        self.plan: list[Pick] = []

    def may_use(self, location: Location) -> bool:
        """Whether the limit on locations leaves room for this one."""
        used = {pick.location for pick in self.plan}
        limit = self.instance.max_locations
        return limit is None or location.id in used or len(used) < limit

    def could_take(self, location: Location) -> int:
        """Units that the location could ship of what is still wanted."""
        there = sum(min(units, self.wanted[line]) for line, units in self.left[location.id].items())
        return min(there, self.room[location.id])

    def take(self, location: Location, lines: Iterable[int]) -> None:
        """Take all that the location can ship of some lines."""
        left = self.left[location.id]
        for line in lines:
            amount = min(left.get(line, 0), self.wanted[line], self.room[location.id])
            if amount and self.may_use(location):
                left[line] -= amount
                self.wanted[line] -= amount
                self.room[location.id] -= amount
                self.plan.append(Pick(location.id, self.instance.lines[line].sku, amount))


def walk(case: Case, rank: dict[str, int]) -> list[Pick]:
    """Take everything there is from one location after the other."""
    return walk_through(case.instance, sorted(case.instance.locations, key=lambda there: rank[there.id]))


def walk_through(instance: Instance, locations: Sequence[Location]) -> list[Pick]:
    """Take everything there is from these locations in turn."""
    basket = Basket(instance)
    for location in locations:
        basket.take(location, range(len(basket.wanted)))
    return basket.plan


def cheapest_per_line(case: Case) -> list[Pick]:
    """Each line as if it were the only one."""
    basket = Basket(case.instance)
    for line, wanted in enumerate(case.instance.lines):
        costs = [
            (location.fixed_cost / min(units, wanted.units) + cost, number)
            for number, location in enumerate(case.instance.locations)
            for offered, units, cost in location.offers
            if offered == line and units
        ]
        for _, number in sorted(costs):
            basket.take(case.instance.locations[number], [line])
    return basket.plan


def one_location_else_most(case: Case) -> list[Pick]:
    """The cheapest location that has everything; else the one that has the most, and so on for the rest."""
    instance = case.instance
    whole = sum(line.units for line in instance.lines)
    basket = Basket(instance)
    plans = [
        walk_through(instance, [location])
        for location in instance.locations
        if basket.could_take(location) == whole
    ]
    if plans:
        return min(plans, key=lambda plan: price(instance, plan).total)
    return most_units(case, case.priority)


def most_units(case: Case, rank: dict[str, int]) -> list[Pick]:
    """The location that has the most of what is wanted, of several the first; and so on for the rest."""
    basket = Basket(case.instance)
    locations = sorted(case.instance.locations, key=lambda location: rank[location.id])
    while True:
        best = max(filter(basket.may_use, locations), key=basket.could_take, default=None)
        if best is None or not basket.could_take(best):
            return basket.plan
        basket.take(best, range(len(basket.wanted)))


def fewest_splits(case: Case) -> list[Pick]:
    """Most units first, of several locations the one with the cheapest parcel."""
    return most_units(case, {location.id: location.fixed_cost for location in case.instance.locations})


def add_greedy(case: Case) -> list[Pick]:
    """Add the location that lowers the cost most, while one does."""
    model = compile_model(case.instance)
    _, supplies = greedy(model, range(len(model.fixed)))
    return [
        Pick(case.instance.locations[model.names[n]].id, line.sku, units)
        for line, taken in zip(case.instance.lines, supplies, strict=True)
        for _, units, n in taken
        if n != BACKORDER
    ]


WAYS: dict[str, Callable[[Case], Sequence[Pick]]] = {
    "solver": lambda case: solve(case.instance).plan,
    "solver, 50 ms": lambda case: solve(case.instance, BUDGET_SECONDS, time.thread_time).plan,
    "priority walk": lambda case: walk(case, case.priority),
    "nearest walk": lambda case: walk(case, case.distance),
    "cheapest per line": cheapest_per_line,
    "one location, else most": one_location_else_most,
    "fewest splits": fewest_splits,
    "add-greedy": add_greedy,
}
"""The solver, and what other order management systems go by."""


def measure() -> Iterator[Row]:
    """Cost above the optimum and time of the solver and of other systems' rules; what backlogs save."""
    cases = list(_cases())
    for way, plan in WAYS.items():
        timed = [_timed(case, plan) for case in cases]
        above = [percent for percent, _ in timed]
        yield {"way": way, "instances": len(cases), **_costs(above), **_times(timed)}
    for kind, group in groupby(cases, key=lambda case: case.kind):
        same = list(group)
        timed = [_timed(case, WAYS["solver"]) for case in same]
        proven = sum(solve(case.instance).proven for case in same)
        yield {"kind": kind, "instances": len(same), "proven": proven, **_times(timed)}
    yield from _backlogs()


def _timed(case: Case, plan: Callable[[Case], Sequence[Pick]]) -> tuple[float, float]:
    """Cost above the optimum in percent, and milliseconds."""
    begin = time.thread_time()
    picks = plan(case)
    seconds = time.thread_time() - begin
    cost = price(case.instance, picks).total
    return 100 * (cost - case.cost) / max(1, case.cost), seconds * 1000


def _costs(above: Sequence[float]) -> Row:
    return {
        "above_percent": round(statistics.fmean(above), 2),
        "worst_percent": round(max(above), 2),
        "optimal_percent": round(100 * sum(percent == 0 for percent in above) / len(above), 1),
    }


def _times(timed: Sequence[tuple[float, float]]) -> Row:
    times = sorted(ms for _, ms in timed)
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(times[math.ceil(0.99 * len(times)) - 1], 2),
        "max_ms": round(times[-1], 2),
    }


def _backlogs() -> Iterator[Row]:
    for document in _rows("backlogs.jsonl.gz"):
        backlog = read_backlog(document)
        planning = plan_in_turn(backlog)
        before, splits = planning.cost, planning.splits
        moves = sum(1 for _ in reoptimise(backlog, planning, BACKLOG_SECONDS, time.thread_time))
        yield {
            "backlog": backlog.id,
            "orders": len(backlog.orders),
            "cost_before": before,
            "cost": planning.cost,
            "saved_percent": round(100 * (1 - planning.cost / before), 2),
            "splits_before": splits,
            "splits": planning.splits,
            "moves": moves,
            "seconds": BACKLOG_SECONDS,
        }


def _cases() -> Iterator[Case]:
    """The shared instances, or made-up ones."""
    documents = _rows("instances.jsonl.gz") or [
        made_up(f"{kind} {number}", Random(number), *size) | {"class": kind}
        for kind, size in SIZES.items()
        for number in range(EACH)
    ]
    for document in documents:
        instance = read_instance(document)
        nodes = document["nodes"]
        yield Case(
            document["class"],
            instance,
            {node["id"]: node["distance_km"] for node in nodes},
            {node["id"]: node["priority"] for node in nodes},
            document["optimum"]["cost"] if "optimum" in document else solve(instance).cost,
        )


def _rows(name: str) -> list[dict[str, Any]]:
    """The rows of a shared file; none where it is not there."""
    if not (SHARED / name).exists():
        return []
    with gzip.open(SHARED / name, "rt") as lines:
        return [json.loads(line) for line in lines]
