"""What Amazon's notifications and answers hold: notifications of orders only name them."""

from collections.abc import Callable, Iterator
from datetime import datetime

from oms.channels.amazon import orders_2026, orders_v0
from oms.channels.canonical import stamp
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import (
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    Parcel,
    StockRecorded,
    UnitsOfLine,
)

SHIPMENTS = {
    "PENDING": FulfillmentOutcome.PENDING,
    "SHIPPED": FulfillmentOutcome.SHIPPED,
    "PROCESSED": FulfillmentOutcome.SHIPPED,
    "CANCELLED_BY_FULFILLER": FulfillmentOutcome.CANCELLED,
    "CANCELLED_BY_SELLER": FulfillmentOutcome.CANCELLED,
}
"""Statuses of a shipment that Amazon makes for us (multi-channel fulfilment)."""

SKU = ("Sku", "SellerSKU", "sku")
FULFILLED_FROM = ("FulfillmentChannelCode", "fulfillmentChannelCode")

ENDED = {
    "CANCELLED": FulfillmentOutcome.CANCELLED,
    "INVALID": FulfillmentOutcome.FAILED,
    "UNFULFILLABLE": FulfillmentOutcome.FAILED,
}
"""Statuses of a fulfillment order that ended without a shipment."""


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


def _fulfillment_order(message: Inbound, node: Node) -> Iterator[Command]:
    """An order of ours that Amazon ships: one record for each shipment, or for its end without one."""
    order = node.need(Node.child, "fulfillmentOrder")
    reference = order.need(Node.text, "sellerFulfillmentOrderId")
    changed = order.time("statusUpdatedDate") or message.received_at
    shipments = node.children("fulfillmentShipments")
    for shipment in shipments:
        yield _shipment(message, shipment, reference, changed)
    state = (order.text("fulfillmentOrderStatus") or "").upper()
    if not shipments and state in ENDED:
        yield FulfillmentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=reference,
            fulfillment_id=reference,
            channel_version=stamp(changed),
            status=ENDED[state],
            location=None,
            lines=(),
            parcels=(),
            occurred_at=changed,
        )
    elif not shipments:
        yield Ignore(f"{reference}: nothing has been shipped yet")


def _shipment(message: Inbound, node: Node, reference: str, changed: datetime) -> FulfillmentRecorded:
    return FulfillmentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=reference,
        fulfillment_id=node.need(Node.text, "amazonShipmentId"),
        channel_version=stamp(changed),
        status=SHIPMENTS.get(node.text("fulfillmentShipmentStatus") or "", FulfillmentOutcome.PENDING),
        location=node.text("fulfillmentCenterId"),
        lines=tuple(
            UnitsOfLine(
                item.need(Node.text, "sellerFulfillmentOrderItemId"), item.need(Node.integer, "quantity")
            )
            for item in node.children("fulfillmentShipmentItem")
        ),
        parcels=tuple(
            Parcel(parcel.text("carrierCode"), parcel.text("trackingNumber"), None)
            for parcel in node.children("fulfillmentShipmentPackage")
        ),
        occurred_at=node.time("shippingDate") or changed,
    )


def _anything(message: Inbound, body: Node) -> Iterator[Command]:
    for node in body.objects():
        if node.has("NotificationType") or node.has("notificationType"):
            yield from _notification(message, node)
        elif node.has("fulfillmentOrder") and node.has("fulfillmentOrderItems"):
            yield from _fulfillment_order(message, node)
    yield from orders_v0.orders(message, body)
    yield from orders_2026.orders(message, body)


RULES: Rules = (("*", _anything),)
"""Amazon's answers are wrapped in many ways: notifications and orders are found wherever they stand."""
