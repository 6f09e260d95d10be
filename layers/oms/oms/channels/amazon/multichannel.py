"""Orders of ours that Amazon ships (multi-channel fulfilment, versions 1 and 2), and their parcels."""

from collections.abc import Iterator
from datetime import datetime

from oms.channels.canonical import stamp
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Ignore
from oms.orders.records import (
    FulfillmentOutcome,
    FulfillmentRecorded,
    Parcel,
    TrackingRecorded,
    UnitsOfLine,
)
from oms.values import frozen

SHIPMENTS = {
    "PENDING": FulfillmentOutcome.PENDING,
    "SHIPPED": FulfillmentOutcome.SHIPPED,
    "PROCESSED": FulfillmentOutcome.SHIPPED,
    "CANCELLED_BY_FULFILLER": FulfillmentOutcome.CANCELLED,
    "CANCELLED_BY_SELLER": FulfillmentOutcome.CANCELLED,
}
"""Statuses of a shipment."""

ENDED = {
    "CANCELLED": FulfillmentOutcome.CANCELLED,
    "INVALID": FulfillmentOutcome.FAILED,
    "UNFULFILLABLE": FulfillmentOutcome.FAILED,
}
"""Statuses of a fulfillment order that ended without a shipment."""

PARCELS = {
    "IN_TRANSIT": ShipmentState.IN_TRANSIT,
    "DELAYED": ShipmentState.IN_TRANSIT,
    "OUT_FOR_DELIVERY": ShipmentState.OUT_FOR_DELIVERY,
    "DELIVERED": ShipmentState.DELIVERED,
    "DELIVERY_ATTEMPTED": ShipmentState.ATTEMPT_FAILED,
    "CUSTOMER_ACTION": ShipmentState.ATTEMPT_FAILED,
    "AVAILABLE_FOR_PICKUP": ShipmentState.AT_PICKUP_POINT,
    "UNDELIVERABLE": ShipmentState.EXCEPTION,
    "RETURNING": ShipmentState.RETURNING,
    "RETURNED": ShipmentState.RETURNED_TO_SENDER,
}
"""Statuses of a parcel; all others tell nothing of where it is."""


@frozen
class _Form:
    """How a version of the API writes its shipments; names joined by dots are of objects in objects."""

    status: str
    facility: str
    items: str
    line_id: str
    units: str
    parcels: str
    carrier: str
    left: str


V1 = _Form(
    status="fulfillmentShipmentStatus",
    facility="fulfillmentCenterId",
    items="fulfillmentShipmentItem",
    line_id="sellerFulfillmentOrderItemId",
    units="quantity",
    parcels="fulfillmentShipmentPackage",
    carrier="carrierCode",
    left="shippingDate",
)
V2 = _Form(
    status="status",
    facility="amazonFacility.facilityId",
    items="items",
    line_id="lineItemId",
    units="amount.value",
    parcels="packages",
    carrier="tracking.carrier.carrierCode",
    left="shipTime",
)


def shipped(message: Inbound, node: Node) -> Iterator[Command]:
    """A fulfillment order, or a parcel, if the object is one: one record for each shipment, or its end."""
    if node.has("fulfillmentOrder") and node.has("fulfillmentOrderItems"):
        order = node.need(Node.child, "fulfillmentOrder")
        reference = order.need(Node.text, "sellerFulfillmentOrderId")
        changed = order.time("statusUpdatedDate") or message.received_at
        state = order.text("fulfillmentOrderStatus") or ""
        yield from _order(message, reference, state, changed, node.children("fulfillmentShipments"), V1)
    elif node.has("orderId") and node.has("receiveTime"):
        changed = node.time("statusUpdateTime") or message.received_at
        state = node.text("status") or ""
        shipments = node.children("shipments")
        yield from _order(message, node.need(Node.text, "orderId"), state, changed, shipments, V2)
    elif node.has("packageNumber") and node.has("currentStatus"):
        yield _parcel(message, node)


def _order(
    message: Inbound, reference: str, state: str, changed: datetime, shipments: tuple[Node, ...], form: _Form
) -> Iterator[Command]:
    for shipment in shipments:
        yield _shipment(message, shipment, reference, changed, form)
    if not shipments and state.upper() in ENDED:
        yield FulfillmentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=reference,
            fulfillment_id=reference,
            channel_version=stamp(changed),
            status=ENDED[state.upper()],
            location=None,
            lines=(),
            parcels=(),
            occurred_at=changed,
        )
    elif not shipments:
        yield Ignore(f"{reference}: nothing has been shipped yet")


def _shipment(
    message: Inbound, node: Node, reference: str, changed: datetime, form: _Form
) -> FulfillmentRecorded:
    holder, facility = _at(node, form.facility)
    return FulfillmentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=reference,
        fulfillment_id=node.need(Node.text, "amazonShipmentId"),
        channel_version=stamp(changed),
        status=SHIPMENTS.get(node.text(form.status) or "", FulfillmentOutcome.PENDING),
        location=holder.text(facility),
        lines=tuple(_units(item, form) for item in node.children(form.items)),
        parcels=tuple(_package(package, form) for package in node.children(form.parcels)),
        occurred_at=node.time(form.left) or changed,
    )


def _units(item: Node, form: _Form) -> UnitsOfLine:
    holder, units = _at(item, form.units)
    return UnitsOfLine(item.need(Node.text, form.line_id), holder.need(Node.integer, units))


def _package(node: Node, form: _Form) -> Parcel:
    holder, carrier = _at(node, form.carrier)
    return Parcel(holder.text(carrier), holder.text("trackingNumber"), holder.text("trackingUrl"))


def _parcel(message: Inbound, node: Node) -> Command:
    status = node.need(Node.text, "currentStatus")
    if status not in PARCELS:
        return Ignore(f"{status}: says nothing of where the parcel is")
    events = [(at, event) for event in node.children("trackingEvents") if (at := event.time("eventDate"))]
    latest = max(events, key=lambda timed: timed[0], default=None)
    return TrackingRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=None,
        fulfillment_id=None,
        carrier=node.text("carrierCode"),
        tracking_number=node.need(Node.text, "trackingNumber"),
        status=PARCELS[status],
        message=latest[1].text("eventDescription") if latest else None,
        expected_at=node.time("estimatedArrivalDate"),
        occurred_at=latest[0] if latest else node.time("shipDate") or message.received_at,
    )


def _at(node: Node, path: str) -> tuple[Node, str]:
    """The object that holds the last name of a path, and that name."""
    *holders, key = path.split(".")
    for holder in holders:
        node = node.child(holder) or Node({}, node.at(holder))
    return node, key
