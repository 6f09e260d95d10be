"""What both versions of Amazon's orders become: statuses, and lines and charges put together as an order."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from oms.channels.amounts import rounded, unit_price
from oms.channels.canonical import stamp
from oms.channels.currencies import scaled
from oms.channels.payload import Node
from oms.channels.protocol import Inbound
from oms.channels.totals import settled, with_tax
from oms.orders.commands import (
    LISTING,
    CancelOrder,
    Fee,
    FulfilledBy,
    Line,
    LineKind,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.values import frozen, replace

MARKETPLACES = {
    "ATVPDKIKX0DER": "USD",
    "A2EUQ1WTGCTBG2": "CAD",
    "A1AM78C64UM0Y8": "MXN",
    "A2Q3Y263D00KWC": "BRL",
    "A28R8C7NBKEWEA": "EUR",
    "A1RKKUPIHCS9HS": "EUR",
    "A1F83G8C2ARO7P": "GBP",
    "A13V1IB3VIYZZH": "EUR",
    "AMEN7PMS3EDWL": "EUR",
    "A1805IZSGTT6HS": "EUR",
    "A1PA6795UKMFR9": "EUR",
    "APJ6JRA9NG5V4": "EUR",
    "A2NODRKZP88ZB9": "SEK",
    "AE08WJ6YKNBMC": "ZAR",
    "A1C3SOZRARQ6R3": "PLN",
    "ARBP9OOSHTCHU": "EGP",
    "A33AVAJ2PDY3EV": "TRY",
    "A17E79C6D8DWNP": "SAR",
    "A2VIGQ35RCS4UG": "AED",
    "A21TJRUUN4KGV": "INR",
    "A19VAU5U5O7RUS": "SGD",
    "A39IBJ37TRP1C6": "AUD",
    "A1VC38T7YXB528": "JPY",
}
"""Currencies of the marketplaces, for orders that state no amount: replacements cost nothing."""

UNPAID = {"pending", "pendingavailability", "invoiceunconfirmed"}
"""Statuses in which nothing may be sent yet: the payment is not verified, or the invoice not confirmed."""

CANCELLED = {"canceled", "cancelled"}


@frozen
class Money:
    """Amounts of an item in exact minor units, of its whole quantity."""

    item: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)
    shipping: Decimal = Decimal(0)
    shipping_discount: Decimal = Decimal(0)
    shipping_tax: Decimal = Decimal(0)
    gift_wrap: Decimal = Decimal(0)
    gift_wrap_tax: Decimal = Decimal(0)
    cash_on_delivery: Decimal = Decimal(0)
    other: Decimal = Decimal(0)


def status(text: str | None) -> str:
    """A status by one name in both versions: lower case, without what joins its words."""
    return (text or "").lower().replace("_", "")


def cancelled(message: Inbound, order_id: str, at: datetime) -> CancelOrder:
    """The cancellation of an order of which no more is told."""
    return CancelOrder(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        channel_version=stamp(at),
        reason=None,
        cancelled_at=at,
    )


def amount(node: Node | None, currency: str) -> Decimal:
    """An amount in exact minor units; 0 when there is none.

    Raises:
        Problem: it is of another currency than the order.
    """
    if node is None:
        return Decimal(0)
    code = node.text("CurrencyCode") or node.text("currencyCode")
    if code not in (None, currency):
        raise node.invalid("CurrencyCode" if node.has("CurrencyCode") else "currencyCode", currency)
    value = node.decimal("Amount")
    value = node.decimal("amount") if value is None else value
    return scaled(value, currency) if value is not None else Decimal(0)


def line(
    *,
    line_id: str,
    sku: str | None,
    asin: str | None,
    title: str | None,
    quantity: int,
    money: Money,
    price: Decimal | None,
    by_amazon: bool,
    delivery_id: str,
    shipped: int | None,
    cancelled: int,
    properties: dict[str, str],
) -> Line:
    """A line of an order; what Amazon ships from its own stock is no business of ours."""
    if price is None:
        price = money.item / quantity if quantity else money.item
    return Line(
        channel_line_id=line_id,
        kind=LineKind.PHYSICAL,
        fulfilled_by=FulfilledBy.CHANNEL if by_amazon else FulfilledBy.US,
        parent_line_id=None,
        delivery_id=delivery_id,
        sku=sku,
        title=title or "",
        quantity=quantity,
        unit_price=unit_price(price),
        amount=rounded(money.item),
        discount=rounded(money.discount),
        tax=rounded(money.tax),
        cancelled=cancelled,
        shipped=shipped,
        properties=({LISTING: asin} if asin else {})
        | {name: text for name, text in properties.items() if text},
    )


def fees(moneys: Iterable[Money]) -> tuple[Fee, ...]:
    """What is charged beside goods and shipping."""
    sums = list(moneys)
    charged = (
        Fee(
            "gift wrap",
            sum(rounded(money.gift_wrap) for money in sums),
            sum(rounded(money.gift_wrap_tax) for money in sums),
        ),
        Fee("cash on delivery", sum(rounded(money.cash_on_delivery) for money in sums)),
        Fee("other", sum(rounded(money.other) for money in sums)),
    )
    return tuple(fee for fee in charged if fee.amount or fee.tax)


def payments(methods: Iterable[str], total: int, order_status: str) -> tuple[Payment, ...]:
    """Amazon takes the money; once an order is no longer pending it has been paid."""
    state = PaymentState.PENDING if order_status in UNPAID else PaymentState.CAPTURED
    return (Payment(", ".join(methods) or "amazon", total, state),) if total else ()


def completed(order: PlaceOrder, tax: int | None, total: int | None) -> PlaceOrder:
    """The order with the tax and the total that Amazon states, or what its lines and charges come to.

    Whether prices include tax, Amazon does not say: in Europe they do.
    """
    carried = (
        sum(line.tax for line in order.lines)
        + sum(delivery.shipping_tax for delivery in order.deliveries)
        + sum(fee.tax for fee in order.fees)
    )
    tax = carried if tax is None else tax
    lines = with_tax(order.lines, tax - carried, [True] * len(order.lines))
    if total is None:
        discounts = sum(delivery.shipping_discount for delivery in order.deliveries)
        charged = sum(fee.amount for fee in order.fees) + order.tip
        total = (
            sum(line.amount - line.discount for line in lines) + order.shipping - discounts + charged + tax
        )
    return settled(replace(order, lines=lines, tax=tax, total=total))
