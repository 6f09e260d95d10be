"""Refunds: what returned or cancelled units are worth, to the cent, and what is due.

All amounts are integers in the minor unit of the order's currency.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from oms.orders.journal import Journaled
from oms.orders.model import Order
from oms.orders.status import kept_total, line_total
from oms.payments.money import share
from oms.values import frozen, replace


class RefundState(StrEnum):
    """How far the money has gone back."""

    DUE = "due"
    SUBMITTED = "submitted"
    SETTLED = "settled"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


@frozen
class RefundLine:
    """What units of a line are worth: `amount` is net of discounts and has `tax` in it."""

    line_id: str
    units: int
    amount: int
    tax: int


@frozen
class Refund(Journaled):
    """Money to be given back for a return, or for what was cancelled (`return_id` is None).

    `id` is the return's or `cancel`, a dot, the version of the return or order that made it due. `amount` is
    less than the lines come to when the order has not been paid that far; shipping may be in it besides.
    """

    order_id: str
    id: str
    return_id: str | None
    currency: str
    amount: int
    lines: tuple[RefundLine, ...]
    state: RefundState = RefundState.DUE

    @property
    def public_id(self) -> str:
        """The id that the outside uses: order id, a dash, the id within the order."""
        return f"{self.order_id}-{self.id}"


def refundable(order: Order, refunds: Iterable[Refund]) -> int:
    """What was paid and neither given back nor on its way: captured - refunded - refunds not settled."""
    owed = sum(refund.amount for refund in refunds if refund.state is not RefundState.SETTLED)
    return order.captured - order.refunded - owed


def owed(order: Order) -> int:
    """What the customer pays for what is neither cancelled nor sent back, minor units.

    The shipping of what is sent back is paid.
    """
    returned = {line.line_id: line.returned for line in order.lines}
    unreturned = replace(order, lines=tuple(replace(line, returned=0) for line in order.lines))
    return kept_total(order) - sum(line.amount for line in worth(unreturned, returned))


def given_beyond(order: Order) -> int:
    """Money given back, minor units, that was neither paid too much nor for units cancelled or sent back.

    A minor unit for each line that has such units is rounding.
    """
    if not order.refunded:
        return 0
    beyond = order.refunded - max(order.captured, order.total) + owed(order)
    rounding = sum(1 for line in order.lines if line.cancelled or line.returned)
    return beyond if beyond > rounding else 0


def worth(order: Order, gone: Mapping[str, int]) -> tuple[RefundLine, ...]:
    """What more returned or cancelled units are worth: how the value of the units kept falls, tax included.

    Shipping is not in it.

    Args:
        order: the header, before the units are counted as returned or cancelled.
        gone: units by line id, at most those that are left of each line.
    """
    lines = []
    for line in order.lines:
        units = gone.get(line.line_id, 0)
        if units:
            kept = line.ordered - line.cancelled - line.returned
            amount, tax = (
                share(total, kept, line.ordered) - share(total, kept - units, line.ordered)
                for total in (line_total(order, line), line.tax)
            )
            lines.append(RefundLine(line.line_id, units, amount, tax))
    return tuple(lines)


def refund_due(
    order: Order,
    refunds: Iterable[Refund],
    return_id: str,
    v: int,
    returned: Mapping[str, int],
    now: datetime,
) -> Refund | None:
    """The refund that becomes due for returned units, never above what is left of the money paid.

    Args:
        order: the header, before the units are counted as returned.
        refunds: every refund of the order.
        return_id: the return's id within the order.
        v: the version of the return that counts the units.
        returned: units by line id.
        now: time of the write, UTC.

    Returns:
        The refund, or None when there is nothing to give back.
    """
    lines = worth(order, returned)
    amount = min(sum(line.amount for line in lines), refundable(order, refunds))
    if amount <= 0:
        return None
    refund = Refund(order.order_id, f"{return_id}.{v}", return_id, order.currency, amount, lines)
    return refund.written(now, "due", data={"amount": amount, "currency": order.currency})


def late_refund(
    before: Order, after: Order, refunds: Iterable[Refund], ref: str, now: datetime
) -> Refund | None:
    """The refund that becomes due when money comes for units that were cancelled or sent back before.

    Args:
        before: the header, before the money was counted.
        after: the same with it.
        refunds: every refund of the order.
        ref: what the money came by.
        now: time of the write, UTC.

    Returns:
        The refund, or None when nothing more was paid than is owed, or all that was ordered is kept.
    """
    more = after.captured - before.captured
    gone = any(line.cancelled or line.returned for line in after.lines)
    amount = min(more, refundable(after, refunds) - owed(after)) if more > 0 and gone else 0
    if amount <= 0:
        return None
    refund = Refund(after.order_id, f"late.{ref}", None, after.currency, amount, ())
    return refund.written(now, "due", data={"amount": amount, "currency": after.currency})


def cancellation_refund(
    before: Order, after: Order, refunds: Iterable[Refund], cancelled: Mapping[str, int], now: datetime
) -> Refund | None:
    """The refund that becomes due when units are cancelled: what was paid beyond what is still to be paid.

    Args:
        before: the header, before the units are counted as cancelled.
        after: the header as it will be written.
        refunds: every refund of the order.
        cancelled: units by line id.
        now: time of the write, UTC.

    Returns:
        The refund, or None when nothing was paid beyond it.
    """
    amount = refundable(before, refunds) - owed(after)
    if amount <= 0:
        return None
    lines = worth(before, cancelled)
    refund = Refund(before.order_id, f"cancel.{after.v}", None, before.currency, amount, lines)
    return refund.written(now, "due", data={"amount": amount, "currency": before.currency})
