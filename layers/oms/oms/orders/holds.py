"""Holds: what keeps an order from its locations, lifted by a person who has looked, or by what has come."""

from datetime import datetime

from oms.orders.model import Order
from oms.payments.refunds import given_beyond, owed
from oms.problems import Code, Problem
from oms.values import replace

REDUCED = "channel_reduced"
"""Code of the exception of an order that its channel wants less of than it keeps."""

RESOLVES: dict[str, tuple[str, ...]] = {
    "payment": (),
    "address": ("address_missing",),
    "manual": (REDUCED,),
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


def is_paid(order: Order) -> bool:
    """Whether what was paid covers what is owed; what was given back beyond that is another matter."""
    explained = order.refunded - given_beyond(order)
    return order.authorized + order.captured - explained >= owed(order)


def weighed(before: Order | None, after: Order, now: datetime) -> Order:
    """The order held by its money as that stands, whatever was told of first: the money or the units.

    Money given back for units that it keeps is put before a person, once for each time that it becomes more;
    when it belongs to units that are cancelled or sent back, nothing is left to be looked at. The payment
    hold ends when what was paid covers what is owed.

    Args:
        before: as it is stored; None when it is not there yet.
        after: as it is about to be written.
        now: time of the write, UTC.
    """
    dropped = {"payment"} if "payment" in after.holds and is_paid(after) else set()
    beyond = given_beyond(after)
    if beyond > (given_beyond(before) if before else 0) and _unshipped(after):
        after = after.with_exception(REDUCED, after.order_id, now)
        after = replace(after, holds=tuple(dict.fromkeys((*after.holds, "manual"))))
    elif not beyond:
        resolved = after.without_exception(REDUCED, after.order_id)
        if resolved is not after and all(known.code != REDUCED for known in resolved.exceptions):
            dropped.add("manual")
        after = resolved
    return replace(after, holds=tuple(hold for hold in after.holds if hold not in dropped))


def _unshipped(order: Order) -> bool:
    return any(line.open or line.backordered or line.entries for line in order.lines)
