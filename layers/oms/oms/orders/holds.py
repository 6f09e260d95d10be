"""Holds: what keeps an order from its locations, lifted by a person who has looked."""

from dataclasses import replace
from datetime import datetime

from oms.orders.model import Order
from oms.problems import Code, Problem

RESOLVES: dict[str, tuple[str, ...]] = {
    "payment": (),
    "address": ("address_missing",),
    "manual": ("channel_reduced",),
    "edit": ("channel_edit",),
    "replaces": ("replaced_shipped",),
}
"""Holds that a person may lift, with the exceptions that are resolved by it."""


def lift(order: Order, hold: str, now: datetime) -> Order:
    """The order without a hold and what it stood for; the same when it is not held by it.

    Args:
        order: the header.
        hold: which.
        now: time of the write, UTC.

    Raises:
        Problem: `state_refused`, the hold ends by itself; `field_invalid`, there is no such hold.
    """
    if hold not in RESOLVES:
        if hold in order.holds:
            raise Problem(Code.STATE_REFUSED, f"the hold {hold} ends when its work is done", "hold", hold)
        raise Problem(Code.FIELD_INVALID, f"a hold is one of {', '.join(RESOLVES)}", "hold")
    if hold not in order.holds:
        return order
    exceptions = tuple(known for known in order.exceptions if known.code not in RESOLVES[hold])
    lifted = replace(order, holds=tuple(kept for kept in order.holds if kept != hold), exceptions=exceptions)
    return lifted.written(now, "hold_lifted", data={"hold": hold})
