"""Statuses of an order, all of them functions of its counters and amounts."""

from collections.abc import Callable
from enum import StrEnum

from oms.orders.commands import LineKind
from oms.orders.model import Order, OrderLine
from oms.payments.money import share


class OrderStatus(StrEnum):
    """Where an order stands as a whole."""

    PLACED = "placed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class FulfillmentStatus(StrEnum):
    """How much of an order has left."""

    UNFULFILLED = "unfulfilled"
    PARTIAL = "partial"
    FULFILLED = "fulfilled"


class DeliveryStatus(StrEnum):
    """How much of an order has arrived."""

    NONE = "none"
    PARTIAL = "partial"
    DELIVERED = "delivered"


class ReturnStatus(StrEnum):
    """How much of an order has come back."""

    NONE = "none"
    PARTIAL = "partial"
    RETURNED = "returned"


class PaymentStatus(StrEnum):
    """How far an order's money has come."""

    NOT_PAID = "not_paid"
    PARTIALLY_AUTHORIZED = "partially_authorized"
    AUTHORIZED = "authorized"
    PARTIALLY_CAPTURED = "partially_captured"
    CAPTURED = "captured"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


def order_status(order: Order) -> OrderStatus:
    """placed, closed (`closed_at` is set once and for good), or cancelled (every unit cancelled)."""
    if order.closed_at is not None:
        return OrderStatus.CLOSED
    return OrderStatus.CANCELLED if _total(order, _kept) == 0 else OrderStatus.PLACED


def fulfillment_status(order: Order) -> FulfillmentStatus:
    """Compares units shipped with units kept (ordered less cancelled)."""
    none, some, full = FulfillmentStatus
    return _part(_total(order, lambda line: line.shipped), _total(order, _kept), none, some, full)


def delivery_status(order: Order) -> DeliveryStatus:
    """Compares units delivered with units kept."""
    none, some, full = DeliveryStatus
    return _part(_total(order, lambda line: line.delivered), _total(order, _kept), none, some, full)


def return_status(order: Order) -> ReturnStatus:
    """Compares units returned with units shipped."""
    none, some, full = ReturnStatus
    returned = _total(order, lambda line: line.returned)
    return _part(returned, _total(order, lambda line: line.shipped), none, some, full)


def payment_status(order: Order) -> PaymentStatus:
    """The furthest that the order's amounts support: refunded over captured over authorized."""
    if order.refunded:
        return (
            PaymentStatus.REFUNDED if order.refunded >= order.captured else PaymentStatus.PARTIALLY_REFUNDED
        )
    if order.captured:
        return PaymentStatus.CAPTURED if order.captured >= order.total else PaymentStatus.PARTIALLY_CAPTURED
    if order.authorized:
        return (
            PaymentStatus.AUTHORIZED
            if order.authorized >= order.total
            else PaymentStatus.PARTIALLY_AUTHORIZED
        )
    return PaymentStatus.NOT_PAID if order.total else PaymentStatus.CAPTURED


def line_total(order: Order, line: OrderLine) -> int:
    """What the customer pays for a whole line, minor units: gross less discount, plus tax unless included."""
    return line.amount - line.discount + (0 if order.tax_included else line.tax)


def kept_total(order: Order) -> int:
    """What the customer pays for what is not cancelled, minor units; nothing when everything is.

    The total less the cancelled part of each line, and less the shipping of deliveries with nothing left in
    them. Fees, duties and tips are paid while anything is kept.
    """
    if _total(order, _kept) == 0:
        return 0
    cancelled = sum(
        line_total(order, line) - share(line_total(order, line), _kept(line), line.ordered)
        for line in order.lines
        if line.cancelled
    )
    named = {line.delivery_id for line in order.lines}
    used = {line.delivery_id for line in order.lines if _kept(line)}
    unused = sum(delivery.shipping for delivery in order.deliveries if delivery.id in named - used)
    return order.total - cancelled - unused


def is_complete(order: Order) -> bool:
    """Whether the order can be closed: every kept unit is delivered, and the money is even."""
    kept = _total(order, _kept)
    if kept == 0 or _total(order, lambda line: line.delivered) < kept:
        return False
    return order.captured - order.refunded == kept_total(order)


def _kept(line: OrderLine) -> int:
    return line.ordered - line.cancelled


def _total(order: Order, of: Callable[[OrderLine], int]) -> int:
    return sum(of(line) for line in order.lines if line.kind is not LineKind.CONTAINER)


def _part[S: StrEnum](units: int, whole: int, none: S, some: S, full: S) -> S:
    if units == 0:
        return none
    return full if units >= whole else some
