"""Square's other resources as canonical records: money moved, goods brought back, stock, listings."""

from collections.abc import Iterator
from decimal import ROUND_FLOOR

from oms.channels.amounts import pieces
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.references import refund_named
from oms.channels.square.fields import currency, money, time
from oms.orders.commands import Ignore
from oms.orders.records import (
    ListingRecorded,
    Outcome,
    PaymentKind,
    PaymentRecorded,
    RefundRecorded,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    StockRecorded,
)

PAYMENTS = {
    "APPROVED": (PaymentKind.AUTHORIZATION, Outcome.SUCCESS),
    "PENDING": (PaymentKind.AUTHORIZATION, Outcome.PENDING),
    "COMPLETED": (PaymentKind.CAPTURE, Outcome.SUCCESS),
    "CANCELED": (PaymentKind.VOID, Outcome.SUCCESS),
    "FAILED": (PaymentKind.AUTHORIZATION, Outcome.FAILURE),
}
"""What the status of a payment says has happened to it; cards are authorized first."""

AT_ONCE = {"CASH", "EXTERNAL", "SQUARE_ACCOUNT", "WALLET", "BUY_NOW_PAY_LATER", "BANK_ACCOUNT"}
"""Sources that are not authorized first: completed, they are sales."""


def payment(message: Inbound, node: Node) -> Iterator[Command]:
    """A payment, in the state that it has reached."""
    status = node.need(Node.text, "status")
    if status not in PAYMENTS:
        yield Ignore(f"a payment that is {status}")
        return
    kind, outcome = PAYMENTS[status]
    source = node.text("source_type")
    if kind is PaymentKind.CAPTURE and source in AT_ONCE:
        kind = PaymentKind.SALE
    payment_id = node.need(Node.text, "id")
    later = kind in (PaymentKind.CAPTURE, PaymentKind.VOID)
    yield PaymentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=node.text("order_id"),
        payment_id=f"{payment_id}:{kind}" if later else payment_id,
        parent_id=payment_id if later else None,
        kind=kind,
        outcome=outcome,
        amount=money(node, "total_money", "amount_money"),
        currency=currency(node, "total_money", "amount_money"),
        method=source.lower() if source else None,
        test=False,
        occurred_at=time(message, node, "updated_at", "created_at"),
    )


def refund(message: Inbound, node: Node) -> Iterator[Command]:
    """A refund; which lines it pays for, only a return tells. One that failed gave nothing back."""
    order_id, status = node.text("order_id"), node.text("status")
    refund_id = node.need(Node.text, "id")
    amount, at = money(node, "amount_money"), currency(node, "amount_money")
    occurred_at = time(message, node, "updated_at", "created_at")
    if order_id is None or status in ("FAILED", "REJECTED"):
        outcomes = {"COMPLETED": Outcome.SUCCESS, "PENDING": Outcome.PENDING}
        yield PaymentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=order_id,
            payment_id=refund_id,
            parent_id=node.text("payment_id"),
            kind=PaymentKind.REFUND,
            outcome=outcomes.get(status or "", Outcome.FAILURE),
            amount=amount,
            currency=at,
            method=None,
            test=False,
            occurred_at=occurred_at,
        )
        return
    yield RefundRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        refund_id=refund_id,
        currency=at,
        amount=amount,
        lines=(),
        shipping=0,
        shipping_tax=0,
        duties=0,
        fees=0,
        adjustment=amount,
        notes=node.text("reason"),
        occurred_at=occurred_at,
        settles=refund_named(node.text("reason")),
    )


def returns(message: Inbound, order: Node) -> Iterator[Command]:
    """Goods that were brought back to a till: an order lists them with the order that they are from."""
    for number, node in enumerate(order.children("returns")):
        source = node.text("source_order_id")
        lines = [item for item in node.children("return_line_items") if item.has("source_line_item_uid")]
        if source is None or not lines:
            yield Ignore("goods brought back without naming the order that they are from")
            continue
        yield ReturnRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=source,
            return_id=node.text("uid") or f"{order.need(Node.text, 'id')}:{number}",
            status=ReturnStatus.CLOSED,
            lines=tuple(
                ReturnedLine(
                    return_line_id=item.need(Node.text, "uid"),
                    channel_line_id=item.need(Node.text, "source_line_item_uid"),
                    quantity=pieces(item.quantity("quantity")),
                    reason=None,
                    notes=item.text("note"),
                )
                for item in lines
            ),
            reason=None,
            occurred_at=time(message, order, "updated_at", "created_at"),
        )


def count(message: Inbound, node: Node) -> Iterator[Command]:
    """What a location has of something; only what is in stock, not what was sold or wasted."""
    if node.text("state") != "IN_STOCK":
        yield Ignore(f"a count of units that are {node.text('state')}")
        return
    yield StockRecorded(
        channel=message.channel,
        adapter=message.adapter,
        location=node.need(Node.text, "location_id"),
        item_id=node.need(Node.text, "catalog_object_id"),
        available=int(node.need(Node.decimal, "quantity").to_integral_value(ROUND_FLOOR)),
        as_of=time(message, node, "calculated_at"),
    )


def listing(message: Inbound, node: Node) -> Iterator[Command]:
    """A variation of the catalogue, which is what lines and counts name."""
    data = node.need(Node.child, "item_variation_data")
    variation_id = node.need(Node.text, "id")
    yield ListingRecorded(
        channel=message.channel,
        adapter=message.adapter,
        listing_id=variation_id,
        product_id=data.text("item_id"),
        item_id=variation_id,
        sku=data.text("sku"),
        title=data.text("name"),
        barcode=data.text("upc"),
        tracked=data.flag("track_inventory") if data.has("track_inventory") else None,
        requires_shipping=None,
        as_of=time(message, node, "updated_at"),
    )
