"""Shortages: more units are promised at a position than are there. Whose promise gives way, in what order.

First units that are not with the location yet, the latest promise first: they are sourced again. Then what
the location was asked for, the work that is least advanced first: the location is asked to give units back.
What it has packed, or has refused to give back, is for a person to decide.
"""

from collections.abc import Iterable

from oms.fulfillment.model import FulfillmentOrder, FulfillmentState
from oms.inventory.model import Position
from oms.orders.model import Order, Stage

ADVANCED: tuple[FulfillmentState, ...] = (
    FulfillmentState.RELEASED,
    FulfillmentState.ON_HOLD,
    FulfillmentState.ACCEPTED,
    FulfillmentState.PICKING,
    FulfillmentState.PACKED,
    FulfillmentState.READY_FOR_PICKUP,
)
"""Where work stands that may have to give way, the least advanced first."""

_ASKED = ADVANCED[: ADVANCED.index(FulfillmentState.PACKED)]
"""Where it stands when its location is asked: what is packed is as good as gone."""


def missing(position: Position) -> int:
    """Units that are promised at a position and are not there."""
    return max(0, -position.uncommitted)


def movable(order: Order, sku: str, location: str, units: int) -> dict[str, int]:
    """Units of an order, `units` at most, that are promised at a position and not released; by entry."""
    taken: dict[str, int] = {}
    for line in order.lines:
        for entry in line.entries if line.sku == sku and line.touches_stock else ():
            there = entry.location == location and entry.supply is None
            if there and entry.stage is Stage.ALLOCATED and units:
                taken[entry.alloc_id] = min(entry.units, units)
                units -= taken[entry.alloc_id]
    return taken


def latest_first(orders: Iterable[Order]) -> list[Order]:
    """Orders by their promise, which is as old as they are; those that give way first, first."""
    return sorted(orders, key=lambda order: (order.placed_at, order.order_id), reverse=True)


def asked_for(work: FulfillmentOrder, sku: str) -> int:
    """Units of a sku that a location still has to ship."""
    return sum(line.remaining for line in work.lines if line.sku == sku)


def asked_back(work: FulfillmentOrder, sku: str) -> int:
    """Those of them that the location has been asked to give up, for whatever reason."""
    return sum(min(line.remaining, work.recalled(line.line_id)) for line in work.lines if line.sku == sku)


def recallable(work: FulfillmentOrder, sku: str, units: int) -> dict[str, int]:
    """Units of a sku, `units` at most, that a location can be asked to give back; by line.

    It is asked once: of a line of which it has refused to give units up no more are asked for.
    """
    taken: dict[str, int] = {}
    for line in work.lines if work.stage in _ASKED else ():
        given = min(line.remaining - work.recalled(line.line_id), units)
        if given > 0 and line.sku == sku and not work.refuses(line.line_id):
            taken[line.line_id] = given
            units -= given
    return taken


def least_advanced_first(works: Iterable[FulfillmentOrder], sku: str) -> list[FulfillmentOrder]:
    """The work that has to give way for a sku, as it has to: then the latest promise first."""
    return sorted(
        (work for work in works if work.stage in ADVANCED and asked_for(work, sku)),
        key=lambda work: (-ADVANCED.index(work.stage), work.due_at, work.public_id),
        reverse=True,
    )
