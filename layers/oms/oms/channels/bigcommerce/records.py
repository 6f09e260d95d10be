"""BigCommerce's other resources as canonical records: money moved, parcels, refunds, listings, stock."""

from collections.abc import Iterator
from decimal import Decimal

from oms.channels.amounts import exact, pieces, rounded, whole
from oms.channels.bigcommerce.fields import linked, resources, time
from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.references import refund_named
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import (
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    Outcome,
    Parcel,
    PaymentKind,
    PaymentRecorded,
    RefundLine,
    RefundRecorded,
    Restock,
    StockRecorded,
    UnitsOfLine,
)

EVENTS = {
    "purchase": PaymentKind.SALE,
    "pending": PaymentKind.SALE,
    "authorization": PaymentKind.AUTHORIZATION,
    "capture": PaymentKind.CAPTURE,
    "settled": PaymentKind.CAPTURE,
    "refund": PaymentKind.REFUND,
    "void": PaymentKind.VOID,
}
FEES = ("HANDLING", "GIFT_WRAPPING", "FEE")
STORE = "default"
"""The location of stock that a notification does not name."""


def fulfillments(message: Inbound, body: Node) -> Iterator[Command]:
    """Shipments of orders; one without an id was only asked for."""
    for node in resources(body):
        if node.has("id"):
            yield fulfillment(message, node, node.need(Node.identifier, "order_id"))


def fulfillment(message: Inbound, node: Node, order_id: str) -> FulfillmentRecorded:
    """A shipment; its time of creation is all that it has for a version."""
    created = time(node, "date_created") or message.received_at
    carrier = node.text("tracking_carrier") or node.text("shipping_provider")
    link = node.text("tracking_link") or node.text("generated_tracking_link")
    number = node.text("tracking_number")
    return FulfillmentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        fulfillment_id=node.need(Node.identifier, "id"),
        channel_version=stamp(created),
        status=FulfillmentOutcome.SHIPPED,
        location=None,
        lines=tuple(
            UnitsOfLine(item.need(Node.identifier, "order_product_id"), pieces(item.quantity("quantity")))
            for item in linked(node, "items") or ()
        ),
        parcels=(Parcel(carrier, number, link),) if number or link else (),
        occurred_at=created,
    )


def payments(message: Inbound, body: Node) -> Iterator[Command]:
    """Transactions (V3). One that does not name its currency is read with its order."""
    for node in resources(body):
        order_id = node.need(Node.identifier, "order_id")
        if not node.has("currency"):
            yield Fetch(message.channel, message.adapter, "order", order_id)
            continue
        currency = require_currency(node.need(Node.text, "currency"), node.at("currency"))
        yield payment(message, node, order_id, currency)


def payment(message: Inbound, node: Node, order_id: str, otherwise: str) -> Command:
    """A transaction; `otherwise` is its currency when it names none."""
    event = (node.text("event") or "").lower()
    kind = EVENTS.get(event)
    if kind is None:
        return Ignore(f"a transaction with the event {event} moves no money of order {order_id}")
    code = node.text("currency")
    currency = require_currency(code, node.at("currency")) if code else otherwise
    failed = (node.text("status") or "ok").lower() != "ok"
    pending = Outcome.PENDING if event == "pending" else Outcome.SUCCESS
    return PaymentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        payment_id=node.need(Node.identifier, "id"),
        parent_id=node.identifier("reference_transaction_id"),
        kind=kind,
        outcome=Outcome.FAILURE if failed else pending,
        amount=whole(node, currency, "amount"),
        currency=currency,
        method=node.text("gateway") or node.text("method"),
        test=node.flag("test"),
        occurred_at=time(node, "date_created") or message.received_at,
    )


def refund(message: Inbound, node: Node, order_id: str, currency: str) -> RefundRecorded:
    """A refund (V3) as its order holds it when both have been read: amounts are with tax."""
    items = linked(node, "items") or ()
    by_type: dict[str, Decimal] = {}
    for item in items:
        kind = (item.text("item_type") or "").upper()
        amount = exact(item, currency, "requested_amount") or Decimal(0)
        by_type[kind] = by_type.get(kind, Decimal(0)) + amount
    lines = tuple(
        RefundLine(
            channel_line_id=item.need(Node.identifier, "item_id"),
            quantity=pieces(item.quantity("quantity")),
            amount=whole(item, currency, "requested_amount"),
            tax=0,
            restock=Restock.UNKNOWN,
        )
        for item in items
        if (item.text("item_type") or "").upper() == "PRODUCT"
    )
    shipping = rounded(by_type.get("SHIPPING", Decimal(0)))
    fees = rounded(sum((by_type.get(kind, Decimal(0)) for kind in FEES), Decimal(0)))
    amount_given = whole(node, currency, "total_amount")
    return RefundRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        refund_id=node.need(Node.identifier, "id"),
        currency=currency,
        amount=amount_given,
        lines=lines,
        shipping=shipping,
        shipping_tax=0,
        duties=0,
        fees=fees,
        adjustment=amount_given - sum(line.amount for line in lines) - shipping - fees,
        notes=node.text("reason"),
        occurred_at=time(node, "created") or message.received_at,
        settles=refund_named(*(item.text("reason") for item in items)),
    )


def products(message: Inbound, body: Node) -> Iterator[Command]:
    """Products of the catalogue (V3) with their variants; each variant is what is sold."""
    for node in resources(body):
        product_id = node.need(Node.identifier, "id")
        variants = linked(node, "variants") or ()
        for variant in variants or (node,):
            yield ListingRecorded(
                channel=message.channel,
                adapter=message.adapter,
                listing_id=variant.need(Node.identifier, "id"),
                product_id=product_id,
                item_id=_item(product_id, variant.identifier("id") if variants else None),
                sku=variant.text("sku"),
                title=node.text("name"),
                barcode=variant.text("gtin") or variant.text("upc"),
                tracked=None
                if not node.has("inventory_tracking")
                else node.text("inventory_tracking") != "none",
                requires_shipping=node.text("type") != "digital" if node.has("type") else None,
                as_of=time(node, "date_modified") or message.received_at,
            )


def stock(message: Inbound, data: Node, at: Node) -> Iterator[Command]:
    """What is left of a product or variant; a change without the level makes it read again."""
    inventory = data.child("inventory") or Node(None)
    product_id = inventory.identifier("product_id") or data.need(Node.identifier, "id")
    level = inventory.integer("value") if inventory.text("method") == "absolute" else None
    if level is None:
        yield Fetch(message.channel, message.adapter, "product", product_id)
        return
    yield StockRecorded(
        channel=message.channel,
        adapter=message.adapter,
        location=STORE,
        item_id=_item(product_id, inventory.identifier("variant_id")),
        available=level,
        as_of=at.unix_time("created_at") or message.received_at,
    )


def _item(product_id: str, variant_id: str | None) -> str:
    """What stock is counted under: ids of products and of variants are numbered apart."""
    return f"{product_id}/{variant_id}" if variant_id else product_id
