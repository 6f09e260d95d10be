"""WooCommerce's other resources as canonical records: refunds, parcels, listings, stock."""

from collections.abc import Iterator
from decimal import Decimal

from oms.channels.amounts import exact, pieces, rounded, whole
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.references import refund_named
from oms.channels.woocommerce.fields import listed, meta, plain, resources, time
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import (
    ListingRecorded,
    RefundLine,
    RefundRecorded,
    Restock,
    StockRecorded,
    TrackingRecorded,
)

OUR_REFUND = "_oms_refund"
"""Name of a refund's own field that says which of ours it is."""

SHOP = "default"
"""The location of stock that the shop counts: it knows only one."""


def refunds(message: Inbound, body: Node) -> Iterator[Command]:
    """Refunds on their own: they do not tell their currency, so their order is read."""
    orders = [_order_of(node) for node in resources(body, "refund")]
    for order_id in dict.fromkeys(orders):
        if order_id is None:
            yield Ignore("a refund that names no order: it is read with its order")
        else:
            yield Fetch(message.channel, message.adapter, "order", order_id)


def _order_of(node: Node) -> str | None:
    """The order of a part of it: newer versions name it, older ones only link to it."""
    named = node.identifier("parent_id") or node.identifier("order_id")
    links = Node(node.get("_links"))
    above = [link.text("href") or "" for link in listed(links, "up")]
    linked = next((href.rstrip("/").rpartition("/")[2] for href in above), "")
    return named or linked or None


def refund(message: Inbound, node: Node, order_id: str, currency: str) -> RefundRecorded:
    """A refund as its order holds it when both have been read; its quantities and totals are negative."""
    amount = abs(whole(node, currency, "amount"))
    lines = tuple(
        RefundLine(
            channel_line_id=line_id,
            quantity=pieces(abs(item.decimal("quantity") or Decimal(0))),
            amount=abs(whole(item, currency, "total")),
            tax=abs(whole(item, currency, "total_tax")),
            restock=Restock.UNKNOWN,
        )
        for item in listed(node, "line_items")
        if (line_id := meta(item).get("_refunded_item_id"))
    )
    shipping, shipping_tax = (_given(node, "shipping_lines", key, currency) for key in ("total", "total_tax"))
    fees = sum(_given(node, "fee_lines", key, currency) for key in ("total", "total_tax"))
    told = sum(line.amount + line.tax for line in lines) + shipping + shipping_tax + fees
    return RefundRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        refund_id=node.need(Node.identifier, "id"),
        currency=currency,
        amount=amount,
        lines=lines,
        shipping=shipping,
        shipping_tax=shipping_tax,
        duties=0,
        fees=fees,
        adjustment=amount - told,
        notes=plain(node, "reason"),
        occurred_at=time(node, ("date_created_gmt", "date_created"), message.received_at),
        settles=refund_named(meta(node).get(OUR_REFUND)),
    )


def _given(node: Node, lines: str, key: str, currency: str) -> int:
    amounts = (exact(line, currency, key) or Decimal(0) for line in listed(node, lines))
    return -rounded(sum(amounts, Decimal(0)))


def parcels(message: Inbound, body: Node) -> Iterator[Command]:
    """Parcels of the shipment tracking extension: handed over on the day they name."""
    for node in resources(body, "tracking"):
        if not (node.has("tracking_id") or node.has("tracking_number")):
            yield Ignore("an answer about parcels that names none")
            continue
        shipped = node.has("date_shipped")
        yield TrackingRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=_order_of(node),
            fulfillment_id=node.identifier("tracking_id"),
            carrier=plain(node, "tracking_provider", "custom_tracking_provider"),
            tracking_number=node.text("tracking_number"),
            status=ShipmentState.HANDED_OVER if shipped else ShipmentState.LABELLED,
            message=None,
            expected_at=None,
            occurred_at=time(node, ("date_shipped",), message.received_at),
        )


def products(message: Inbound, body: Node) -> Iterator[Command]:
    """Products and variations; and their stock, where the shop counts it for them."""
    for node in resources(body, "product"):
        listing_id = node.need(Node.identifier, "id")
        as_of = time(node, ("date_modified_gmt", "date_modified"), message.received_at)
        counted = node.get("manage_stock") in (True, "yes", "true")
        parent = node.identifier("parent_id")
        yield ListingRecorded(
            channel=message.channel,
            adapter=message.adapter,
            listing_id=listing_id,
            product_id=listing_id if parent in (None, "0") else parent,
            item_id=listing_id,
            sku=node.text("sku"),
            title=plain(node, "name"),
            barcode=node.text("global_unique_id"),
            tracked=counted if node.has("manage_stock") else None,
            requires_shipping=_requires_shipping(node),
            as_of=as_of,
        )
        quantity = node.decimal("stock_quantity")
        if counted and quantity is not None:
            yield StockRecorded(message.channel, message.adapter, SHOP, listing_id, int(quantity // 1), as_of)


def _requires_shipping(node: Node) -> bool | None:
    if node.has("shipping_required"):
        return node.flag("shipping_required")
    return not node.flag("virtual") if node.has("virtual") else None
