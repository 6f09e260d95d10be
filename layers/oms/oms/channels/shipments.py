"""ShipStation's V1 shipments and fulfillments, which its notifications only point to."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from oms.channels.canonical import stamp
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.orders.records import FulfillmentOutcome, FulfillmentRecorded, Parcel, UnitsOfLine

PACIFIC = ZoneInfo("America/Los_Angeles")
"""ShipStation's times name no zone and are of this one."""

KINDS = {"shipments": "shipmentId", "fulfillments": "fulfillmentId"}
"""Lists in an answer, with the field that holds the id."""


def shipments(message: Inbound, body: Node) -> Iterator[Command]:
    """What left, or was voided after it was labelled, one record for each shipment."""
    for key, identifier in KINDS.items():
        for node in body.children(key):
            yield _shipment(message, node, identifier)


def _shipment(message: Inbound, node: Node, identifier: str) -> FulfillmentRecorded:
    voided = _time(node, "voidDate")
    cancelled = node.flag("voided") or voided is not None
    occurred_at = voided or _time(node, "shipDate") or _time(node, "createDate") or message.received_at
    return FulfillmentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=node.need(Node.identifier, "orderKey", "orderNumber", "orderId"),
        fulfillment_id=node.need(Node.identifier, identifier),
        channel_version=stamp(voided or _time(node, "createDate") or message.received_at),
        status=FulfillmentOutcome.CANCELLED if cancelled else FulfillmentOutcome.SHIPPED,
        location=node.identifier("warehouseId"),
        lines=tuple(
            UnitsOfLine(
                item.need(Node.identifier, "lineItemKey", "orderItemId"), item.need(Node.integer, "quantity")
            )
            for item in node.children("shipmentItems")
        ),
        parcels=(Parcel(node.text("carrierCode"), node.text("trackingNumber"), None),),
        occurred_at=occurred_at,
    )


def _time(node: Node, key: str) -> datetime | None:
    time = node.time(key)
    return None if time is None else time.replace(tzinfo=PACIFIC).astimezone(UTC)
