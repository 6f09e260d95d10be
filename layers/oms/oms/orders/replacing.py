"""Replacing: an order that its channel has made in place of another, so that only one of them is shipped.

The one replaced is cancelled first. While a location may still ship it, the other is held. Of two that name
each other the one that was placed later stands, whichever comes first.
"""

from datetime import datetime

from oms.orders.commands import CancelOrder, LineKind, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.values import replace

REPLACES = "replaces"
"""The hold of an order that replaces one which may still be shipped."""

REPLACED_SHIPPED = "replaced_shipped"
"""Code of the exception of an order whose predecessor was shipped."""

_VERSION = "replaced by "
"""Sorts behind every version of a channel: no version of an order that was replaced brings it back."""


def replaced_by(command: PlaceOrder) -> str | None:
    """Our id of the order that another takes the place of; None when that is none but itself."""
    if command.replaces is None or command.replaces == command.channel_order_id or command.test:
        return None
    return order_id(command.channel, command.replaces)


def outlives(name: str, placed_at: datetime, replaced: str | None, cancel: CancelOrder) -> bool:
    """Whether an order stands although it is to be cancelled for the one that it replaces itself.

    Args:
        name: our id of the order.
        placed_at: when its channel took it.
        replaced: our id of the one that it replaces, if any.
        cancel: what cancels it.
    """
    if replaced is None or cancel.channel_version != _VERSION + replaced:
        return False
    return (_stored(placed_at), name) > (_stored(cancel.cancelled_at), replaced)


def cancelled_for(command: PlaceOrder) -> CancelOrder | None:
    """What an order means for the one that it replaces; None when it replaces none but itself."""
    replaced = replaced_by(command)
    if replaced is None or command.replaces is None:
        return None
    return CancelOrder(
        channel=command.channel,
        adapter=command.adapter,
        channel_order_id=command.replaces,
        channel_version=_VERSION + order_id(command.channel, command.channel_order_id),
        reason=None,
        cancelled_at=command.placed_at,
    )


def in_place_of(order: Order, replaced: str, *, may_ship: bool) -> Order:
    """An order that is about to be placed, held while the one that it replaces may still be shipped."""
    needed = any(line.open or line.backordered or line.entries for line in order.lines)
    holds = (*order.holds, REPLACES) if may_ship and needed else order.holds
    return replace(order, replaces=replaced, holds=holds)


def may_still_ship(replaced: Order | None) -> bool:
    """Whether units of an order are with a location, or have left."""
    return replaced is not None and (_with_locations(replaced) or _shipped(replaced))


def after(order: Order, replaced: Order | None, now: datetime) -> Order:
    """An order that is held for the one that it replaces, as that one stands now; the same while it is open.

    It goes to its locations when nothing of the other has left; otherwise a person decides.

    Args:
        order: the header; it has the hold.
        replaced: the header of the other; None when it has not come.
        now: time of the write, UTC.
    """
    if replaced is not None and _with_locations(replaced):
        return order
    if replaced is not None and _shipped(replaced):
        noticed = order.with_exception(REPLACED_SHIPPED, replaced.order_id, now)
        data = {"replaces": replaced.order_id}
        return order if noticed is order else noticed.written(now, "replacement_conflict", data=data)
    freed = replace(order, holds=tuple(hold for hold in order.holds if hold != REPLACES))
    return freed.written(now, "hold_lifted", data={"hold": REPLACES})


def waits_for_other(order: Order) -> bool:
    """Whether the clock has to look at the order that this one replaces."""
    return REPLACES in order.holds and not any(known.code == REPLACED_SHIPPED for known in order.exceptions)


def _stored(at: datetime) -> datetime:
    """A time as it is after it was stored, which keeps milliseconds."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _with_locations(order: Order) -> bool:
    return any(line.entries for line in order.lines)


def _shipped(order: Order) -> bool:
    return any(line.shipped > line.returned for line in order.lines if line.kind is LineKind.PHYSICAL)
