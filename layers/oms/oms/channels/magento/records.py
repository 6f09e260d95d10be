"""Magento's other resources as canonical records: invoices, credit memos, shipments, products, stock."""

from collections.abc import Iterator

from oms.channels.amounts import pieces, whole
from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.magento.fields import count, extension, order_id, resources, yes
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
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

INVOICES = {1: Outcome.PENDING, 2: Outcome.SUCCESS, 3: Outcome.FAILURE}
"""States of an invoice: open, paid, cancelled."""

CANCELLED_MEMO = 3


def parts(message: Inbound, body: Node) -> Iterator[Command]:
    """Parts of orders that say nothing on their own: the orders that they name are read."""
    for node in resources(body):
        yield from _fetch(message, node)


def _fetch(message: Inbound, node: Node) -> Iterator[Command]:
    named = node.identifier("order_id") or node.identifier("parent_id")
    if named is not None:
        yield Fetch(message.channel, message.adapter, "order", named)


def invoices(message: Inbound, body: Node) -> Iterator[Command]:
    """Invoices: what has been captured for an order."""
    for node in resources(body):
        channel_order_id = order_id(node, "order_id")
        if channel_order_id is None or not node.has("grand_total") or not node.has("order_currency_code"):
            yield from _fetch(message, node)
            continue
        currency = _currency(node)
        yield PaymentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=channel_order_id,
            payment_id=f"invoice-{node.need(Node.identifier, 'entity_id')}",
            parent_id=None,
            kind=PaymentKind.CAPTURE,
            outcome=INVOICES.get(node.integer("state") or 1, Outcome.PENDING),
            amount=whole(node, currency, "grand_total"),
            currency=currency,
            method=None,
            test=False,
            occurred_at=node.time("created_at") or message.received_at,
        )


def refunds(message: Inbound, body: Node) -> Iterator[Command]:
    """Credit memos. The variant of a configurable product has an item without money, which is left out."""
    for node in resources(body):
        channel_order_id = order_id(node, "order_id")
        if channel_order_id is None or not node.has("items") or not node.has("order_currency_code"):
            yield from _fetch(message, node)
        elif node.integer("state") == CANCELLED_MEMO:
            yield Ignore(f"credit memo {node.text('increment_id')} is cancelled")
        else:
            yield _refund(message, node, channel_order_id, _currency(node))


def _refund(message: Inbound, node: Node, channel_order_id: str, currency: str) -> RefundRecorded:
    lines = tuple(
        RefundLine(
            channel_line_id=item.need(Node.identifier, "order_item_id"),
            quantity=pieces(count(item, "qty")),
            amount=whole(item, currency, "row_total") - abs(whole(item, currency, "discount_amount")),
            tax=whole(item, currency, "tax_amount"),
            restock=Restock.UNKNOWN,
        )
        for item in node.children("items")
        if item.has("row_total") and count(item, "qty")
    )
    amount, shipping, shipping_tax = (
        whole(node, currency, key) for key in ("grand_total", "shipping_amount", "shipping_tax_amount")
    )
    told = sum(line.amount + line.tax for line in lines) + shipping + shipping_tax
    comments = [text for comment in node.children("comments") if (text := comment.text("comment"))]
    return RefundRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=channel_order_id,
        refund_id=node.need(Node.identifier, "entity_id"),
        currency=currency,
        amount=amount,
        lines=lines,
        shipping=shipping,
        shipping_tax=shipping_tax,
        duties=0,
        fees=0,
        adjustment=amount - told,
        notes="\n".join(comments) or None,
        occurred_at=node.time("created_at") or message.received_at,
    )


def shipments(message: Inbound, body: Node) -> Iterator[Command]:
    """Shipments with their parcels, each of which has its number."""
    for node in resources(body):
        channel_order_id = order_id(node, "order_id")
        if channel_order_id is None or not node.has("items"):
            yield from _fetch(message, node)
            continue
        created = node.time("created_at") or message.received_at
        source = extension(node, "source_code")
        yield FulfillmentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=channel_order_id,
            fulfillment_id=node.need(Node.identifier, "entity_id"),
            channel_version=stamp(node.time("updated_at") or created),
            status=FulfillmentOutcome.SHIPPED,
            location=source if isinstance(source, str) else None,
            lines=tuple(
                UnitsOfLine(item.need(Node.identifier, "order_item_id"), pieces(count(item, "qty")))
                for item in node.children("items")
                if count(item, "qty")
            ),
            parcels=tuple(
                Parcel(
                    track.text("title") or track.text("carrier_code"),
                    track.text("track_number") or track.text("number"),
                    None,
                )
                for track in node.children("tracks")
            ),
            occurred_at=created,
        )


def products(message: Inbound, body: Node) -> Iterator[Command]:
    """Products: every one has a sku, also the variants of configurable ones."""
    for node in resources(body):
        product_id = node.identifier("id") or node.need(Node.identifier, "entity_id", "sku")
        kind = node.text("type_id")
        yield ListingRecorded(
            channel=message.channel,
            adapter=message.adapter,
            listing_id=product_id,
            product_id=product_id,
            item_id=product_id,
            sku=node.text("sku"),
            title=node.text("name"),
            barcode=None,
            tracked=None,
            requires_shipping=None if kind is None else kind not in ("virtual", "downloadable"),
            as_of=node.time("updated_at") or message.received_at,
        )


def stock(message: Inbound, body: Node) -> Iterator[Command]:
    """Stock items of a stock, by product, and items of a source (inventory management), by sku."""
    for node in resources(body):
        item_id = node.identifier("product_id") or node.text("sku")
        quantity = node.decimal("qty" if node.has("qty") else "quantity")
        if item_id is None:
            continue
        uncounted = node.has("manage_stock") and not yes(node, "manage_stock")
        yield StockRecorded(
            channel=message.channel,
            adapter=message.adapter,
            location=node.text("source_code") or node.text("stock_id") or "default",
            item_id=item_id,
            available=None if uncounted or quantity is None else int(quantity // 1),
            as_of=message.received_at,
        )


def _currency(node: Node) -> str:
    return require_currency(node.need(Node.text, "order_currency_code"), node.at("order_currency_code"))
