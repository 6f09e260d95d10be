"""History: where an order's units came from and come from, step by step, as its journal has it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from oms.orders.journal import JournalEntry
from oms.orders.model import Order
from oms.values import frozen

type Place = tuple[str, str]
"""A line and a location, by their ids."""


class StepKind(StrEnum):
    """What happened; as the order's journal has it."""

    PLACED = "placed"
    SOURCED = "sourced"
    REOPENED = "reopened"
    MOVED = "moved"
    REPLANNED = "replanned"


_FOUND = {
    StepKind.PLACED: "allocated",
    StepKind.SOURCED: "allocated",
    StepKind.MOVED: "moved",
    StepKind.REPLANNED: "moved",
}
"""Where an entry names the units that were given a source, by its kind."""

_LEFT = {StepKind.REOPENED: "taken", StepKind.MOVED: "from", StepKind.REPLANNED: "from"}
"""Where it names those that were taken from one."""

type _Moved = Iterable[tuple[str, str, int]]


@frozen
class Step:
    """A write that gave units of an order a source, or took it from them.

    Attributes:
        v: version of the order that it made.
        at: when, UTC.
        kind: what happened.
        reason: why units lost their source, as their location has said it; None of other kinds.
        found: units that were given a source, by line and location.
        left: units that it was taken from.
        kept: those of `found` that no later step has taken away; they may have been shipped since.
        cost: of the order's plan before and after, where plans were compared.
    """

    v: int
    at: datetime
    kind: StepKind
    reason: str | None
    found: Mapping[Place, int]
    left: Mapping[Place, int]
    kept: Mapping[Place, int]
    cost: tuple[int, int] | None = None


def history(order: Order) -> list[Step]:
    """The steps by which an order's units came to where they come from, the latest first."""
    steps: list[Step] = []
    gone: Counter[Place] = Counter()
    for entry in reversed(order.journal):
        for kind in StepKind:
            if kind in entry.kinds:
                step = _step(entry, kind, gone)
                steps.append(step)
                gone.update(step.left)
                gone.subtract({place: units - step.kept[place] for place, units in step.found.items()})
    return steps


def _step(entry: JournalEntry, kind: StepKind, gone: Counter[Place]) -> Step:
    data = cast(Mapping[str, Any], entry.data)
    found = _units(data.get(_FOUND.get(kind, ""), ()))
    left = data.get(_LEFT.get(kind, ""), ())
    if isinstance(left, str):  # a person moves all from one location
        left = [[line_id, left, units] for (line_id, _), units in found.items()]
    before_after = data.get("cost")
    return Step(
        entry.v,
        entry.at,
        kind,
        data.get("reason"),
        found,
        _units(left),
        {place: max(0, units - gone[place]) for place, units in found.items()},
        tuple(before_after) if before_after else None,
    )


def _units(moved: _Moved) -> Counter[Place]:
    units: Counter[Place] = Counter()
    for line_id, location, count in moved:
        units[line_id, location] += count
    return units
