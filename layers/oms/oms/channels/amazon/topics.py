"""What Amazon's notifications and answers hold: notifications of orders only name them."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

from oms.channels.amazon import multichannel, orders_2026, orders_v0
from oms.channels.payload import Node, loads
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import ListingRecorded, StockRecorded
from oms.problems import Problem

ENVELOPES = ("Message", "body", "Body")
"""Where messages of a topic, and of a queue, have what was sent."""

SKU = ("Sku", "SellerSKU", "sku")
FULFILLED_FROM = ("FulfillmentChannelCode", "fulfillmentChannelCode")


def _notification(message: Inbound, node: Node) -> Iterator[Command]:
    kind = node.need(Node.text, "NotificationType", "notificationType")
    payload = node.child("Payload") or node.child("payload") or Node({})
    at = node.time("EventTime") or node.time("eventTime") or message.received_at
    reading = NOTIFICATIONS.get(kind)
    if reading is None:
        yield Ignore(f"{kind}: changes neither orders nor stock")
    else:
        yield from reading(message, payload, at)


def _order_changed(message: Inbound, payload: Node, at: datetime) -> Iterator[Command]:
    """It says that something changed, without prices or address, and not reliably for new orders."""
    names = ("AmazonOrderId", "amazonOrderId")
    change = next((node for node in payload.objects() if any(map(node.has, names))), payload)
    yield Fetch(message.channel, message.adapter, "order", change.need(Node.text, *names))


def _shipment_changed(message: Inbound, payload: Node, at: datetime) -> Iterator[Command]:
    change = payload.child("FulfillmentOrderStatusNotification") or payload
    order_id = change.need(Node.text, "SellerFulfillmentOrderId", "sellerFulfillmentOrderId")
    yield Fetch(message.channel, message.adapter, "fulfillment_order", order_id)


def _quantity_changed(message: Inbound, payload: Node, at: datetime) -> Iterator[Command]:
    yield StockRecorded(
        channel=message.channel,
        adapter=message.adapter,
        location=next(filter(None, map(payload.text, FULFILLED_FROM)), "DEFAULT"),
        item_id=payload.need(Node.text, *SKU),
        available=payload.integer("Quantity" if payload.has("Quantity") else "quantity"),
        as_of=at,
    )


def _listing_changed(message: Inbound, payload: Node, at: datetime) -> Iterator[Command]:
    sku = payload.need(Node.text, *SKU)
    asin = payload.text("Asin") or payload.text("asin")
    yield ListingRecorded(
        channel=message.channel,
        adapter=message.adapter,
        listing_id=asin,
        product_id=asin,
        item_id=sku,
        sku=sku,
        title=payload.text("ItemName") or payload.text("itemName"),
        barcode=None,
        tracked=None,
        requires_shipping=None,
        as_of=at,
    )


NOTIFICATIONS: dict[str, Callable[[Inbound, Node, datetime], Iterator[Command]]] = {
    "ORDER_CHANGE": _order_changed,
    "ORDER_STATUS_CHANGE": _order_changed,
    "FULFILLMENT_ORDER_STATUS": _shipment_changed,
    "LISTINGS_ITEM_MFN_QUANTITY_CHANGE": _quantity_changed,
    "LISTINGS_ITEM_STATUS_CHANGE": _listing_changed,
}
"""Notifications that concern orders, stock or listings."""


def _anything(message: Inbound, body: Node) -> Iterator[Command]:
    notifications = [
        node for node in body.objects() if node.has("NotificationType") or node.has("notificationType")
    ]
    for node in notifications:
        yield from _notification(message, node)
    if notifications:
        # What they quote of an order is not the order.
        return
    for node in body.objects():
        yield from multichannel.shipped(message, node)
        for letter in _letters(node):
            yield from _anything(message, letter)
    yield from orders_v0.orders(message, body)
    yield from orders_2026.orders(message, body)


def _letters(node: Node) -> Iterator[Node]:
    """JSON that a topic (SNS) or a queue (SQS) carries as a text."""
    for key in ENVELOPES:
        text = node.get(key)
        if isinstance(text, str) and text.startswith("{"):
            with suppress(Problem):
                yield Node(loads(text.encode("utf-8", "replace")), node.at(key))


RULES: Rules = (("*", _anything),)
"""Amazon's answers are wrapped in many ways: notifications and orders are found wherever they stand."""
