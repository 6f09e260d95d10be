"""Record what carriers say of parcels: the latest by their own time, and what has arrived on the order."""

from datetime import datetime
from functools import partial

from oms.fulfillment.model import Shipment, ShipmentState
from oms.fulfillment.progress import record_deliveries
from oms.fulfillment.tracking import concerned, track
from oms.orders.identity import order_id
from oms.orders.records import TrackingRecorded
from oms.problems import Code, Problem
from oms.store import keys, queries
from oms.store.fulfillment import encode_shipment
from oms.store.orders import encode_order
from oms.store.table import Table
from oms.store.writes import replace
from oms.usecases.races import settle

_MOST = 25
"""Shipments of one number that are looked at: orders that share a parcel, and parcels of former years."""


def record_tracking(table: Table, record: TrackingRecorded, now: datetime) -> tuple[str, ...]:
    """Record a carrier's word of a parcel, once, in whatever order words arrive.

    The parcel is found by its tracking number; word without one is of the only parcel of the order that it
    names. Several orders may share a parcel.

    Write units: 1 for each shipment; 1 more for each order of which something has arrived.

    Args:
        table: the store.
        record: what was said.
        now: UTC.

    Returns:
        Public ids of the shipments that it is about; none when it only tells of a label that nobody has used.

    Raises:
        Problem: `not_found`, nobody knows the parcel (it may come: worth another try).
        Busy: the shipment or its order kept changing; hand the record back to its queue.
    """
    found = _found(table, record)
    if not found and record.status is not ShipmentState.LABELLED:
        raise Problem(Code.NOT_FOUND, "no shipment has this tracking number", "tracking_number")
    for shipment in found:
        settle(partial(_track, table, shipment, record, now), f"parcel {shipment.public_id}")
    return tuple(shipment.public_id for shipment in found)


def _found(table: Table, record: TrackingRecorded) -> list[Shipment]:
    if record.tracking_number:
        page = queries.shipments_tracked(table, record.tracking_number, queries.Span(_MOST))
        return [shipment for shipment in page.items if concerned(shipment, record.occurred_at)]
    if not record.channel_order_id:
        raise Problem(Code.UNSUPPORTED, "neither a tracking number nor an order is named", "tracking_number")
    of_order = queries.shipments(table, order_id(record.channel, record.channel_order_id))
    if len(of_order) > 1:
        raise Problem(Code.UNSUPPORTED, "the order has several parcels, and no number is named")
    return list(of_order)


def _track(table: Table, known: Shipment, record: TrackingRecorded, now: datetime) -> None:
    """Mark the parcel first, then count it on the order: the repetition mends a crash in between.

    The header is read before the parcels: of two marks at a time that have not seen each other, one then
    loses the race for it, and counts both.
    """
    order = queries.known_order(table, known.order_id)
    shipments = {shipment.id: shipment for shipment in queries.shipments(table, known.order_id)}
    before = shipments[known.id]
    after = track(before, record.status, record.occurred_at, now)
    if after is not before:
        table.commit(replace(keys.shipment(after.order_id, after.id), encode_shipment(after), before.v))
        shipments[after.id] = after
    counted = record_deliveries(order, shipments, now)
    if counted is not order:
        table.commit(replace(keys.header(order.order_id), encode_order(counted), order.v))
