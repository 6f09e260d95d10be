"""Fulfillment orders and shipments: pick lists, look-ups, and facts from locations without a queue."""

from typing import Annotated, TypedDict

from annotated_types import Ge, MaxLen

from functions.api import cursors, orders
from functions.api.fields import Closed, Cursor, Doc, Moment, Page, PageSize, SomeUnits, Text, Units
from functions.api.routing import Answer, Call, Route
from oms.channels.payload import loads
from oms.fulfillment.events import FactKind
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, Shipment, ShipmentState
from oms.orders.commands import Address, Method
from oms.problems import Code, Problem
from oms.store import process, queries
from oms.store.fulfillment import ENDED
from oms.store.keys import iso
from oms.store.tokens import Scope
from oms.usecases.figures import count_fulfillment
from oms.usecases.messages import parse_fulfillment_event
from oms.usecases.record_rejection import record_fact
from oms.values import frozen


class RequestLineDocument(TypedDict):
    """A line of work: requested = pending + picked + packed + shipped + rejected + withdrawn."""

    line_id: str
    sku: str
    requested: int
    pending: int
    picked: int
    packed: int
    shipped: int
    rejected: int
    withdrawn: int
    recalled: Annotated[int, Doc("Units that the location is asked not to ship: answer the request.")]


class FulfillmentOrderDocument(TypedDict):
    """Work for one location."""

    fulfillment_order: Annotated[str, Doc("Its id.")]
    order_id: str
    channel: str
    order_number: str
    location: str
    state: FulfillmentState
    due_at: Annotated[str, Doc("When the location should have accepted it, UTC.", format="date-time")]
    method: Method
    service: str | None
    delivery_id: str
    ship_to: Address | None
    consolidation_id: Annotated[
        str | None, Doc("Work of one location with the same id may go in one parcel; null: this work alone.")
    ]
    lines: list[RequestLineDocument]
    v: int


class ShippedLineDocument(TypedDict):
    """Units of an order line in a parcel."""

    line_id: str
    sku: str
    units: int


class ShipmentDocument(TypedDict):
    """A parcel."""

    shipment: Annotated[str, Doc("Its id.")]
    order_id: str
    fulfillment_order: str
    location: str
    carrier: str | None
    tracking_number: str | None
    weight_g: int | None
    state: ShipmentState
    state_at: Annotated[
        str, Doc("When it came into this state, by the carrier's word, UTC.", format="date-time")
    ]
    lines: list[ShippedLineDocument]
    v: int


@frozen
class PickListQuery(Closed):
    """A location's work in one state."""

    location: Text
    state: FulfillmentState
    limit: PageSize = 50
    cursor: Cursor = None


@frozen
class ShipmentsQuery(Closed):
    """A carrier's number."""

    tracking_number: Text
    limit: PageSize = 50
    cursor: Cursor = None


@frozen
class PackedUnits:
    """Units of a line in a package."""

    line_id: Text
    units: SomeUnits


@frozen
class Package:
    """A parcel; without lines it holds everything that remained of the fulfillment order."""

    package_id: Annotated[Text, Doc("Unique within the fulfillment order; a repeated one is recorded once.")]
    carrier: Text | None = None
    tracking_number: Text | None = None
    weight_g: Units | None = None
    lines: Annotated[tuple[PackedUnits, ...], MaxLen(500)] = ()


@frozen
class FulfillmentEvent:
    """A message as on the fulfillment-events queue; `events/fulfillment_event.v1.json` says more of it."""

    message_id: Text
    type: FactKind
    occurred_at: Moment
    fulfillment_order: Text
    lines: Annotated[tuple[PackedUnits, ...], MaxLen(500)] = ()
    packages: Annotated[tuple[Package, ...], MaxLen(50)] = ()
    v: Annotated[int | None, Ge(1), Doc("The version of the fulfillment order that a request named.")] = None
    reason: Annotated[Text | None, Doc("Why units are rejected: short_pick, damaged, closed, ..")] = None


class RecordedDocument(TypedDict):
    """What a message has changed; a repeated one changes nothing."""

    accepted: bool
    shipped: Annotated[int, Doc("Parcels recorded as shipped.")]
    delivered: Annotated[int, Doc("Parcels recorded as delivered.")]
    cancelled: Annotated[int, Doc("Units that the location has given up, and that are cancelled.")]
    reopened: Annotated[int, Doc("Those that it has given up and that are wanted: sourced again.")]
    rejected: Annotated[int, Doc("Units that it does not ship, and that wait for another source.")]
    exceptions: Annotated[list[str], Doc("Codes of the exceptions that it opened.")]


def work_document(work: FulfillmentOrder) -> FulfillmentOrderDocument:
    """A fulfillment order as the API shows it."""
    return {
        "fulfillment_order": work.public_id,
        "order_id": work.order_id,
        "channel": work.channel,
        "order_number": work.order_number,
        "location": work.location,
        "state": work.state,
        "due_at": iso(work.due_at),
        "method": work.method,
        "service": work.service,
        "delivery_id": work.delivery_id,
        "ship_to": work.ship_to,
        "consolidation_id": work.consolidation_id,
        "lines": [
            {
                "line_id": line.line_id,
                "sku": line.sku,
                "requested": line.requested,
                "pending": line.pending,
                "picked": line.picked,
                "packed": line.packed,
                "shipped": line.shipped,
                "rejected": line.rejected,
                "withdrawn": line.withdrawn,
                "recalled": work.recalled(line.line_id),
            }
            for line in work.lines
        ],
        "v": work.v,
    }


def shipment_document(shipment: Shipment) -> ShipmentDocument:
    """A shipment as the API shows it."""
    return {
        "shipment": shipment.public_id,
        "order_id": shipment.order_id,
        "fulfillment_order": f"{shipment.order_id}-{shipment.fulfillment_order}",
        "location": shipment.location,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "weight_g": shipment.weight_g,
        "state": shipment.state,
        "state_at": iso(shipment.state_at),
        "lines": [{"line_id": line.line_id, "sku": line.sku, "units": line.units} for line in shipment.lines],
        "v": shipment.v,
    }


def _of_order(call: Call[None, None]) -> Answer[Page[FulfillmentOrderDocument]]:
    found = queries.fulfillment_orders(process.table(), call.path["order_id"])
    if not found:
        orders.find(call.path["order_id"])
    return Answer({"items": [work_document(work) for work in found], "next": None})


def _shipments_of_order(call: Call[None, None]) -> Answer[Page[ShipmentDocument]]:
    found = queries.shipments(process.table(), call.path["order_id"])
    if not found:
        orders.find(call.path["order_id"])
    return Answer({"items": [shipment_document(shipment) for shipment in found], "next": None})


def _pick_list(call: Call[PickListQuery, None]) -> Answer[Page[FulfillmentOrderDocument]]:
    query = call.query
    if query.state in ENDED:
        raise Problem(Code.FIELD_INVALID, f"{query.state} ones are not listed by location", "state")
    span = cursors.span(query.limit, query.cursor, call.filters)
    page = queries.pick_list(process.table(), query.location, query.state, span)
    items = [work_document(work) for work in page.items]
    return Answer({"items": items, "next": cursors.encode(page.after, call.filters)})


def _show(call: Call[None, None]) -> Answer[FulfillmentOrderDocument]:
    order_id, _, name = call.path["fulfillment_order"].partition("-")
    work = queries.fulfillment_order(process.table(), order_id, name) if name else None
    if work is None:
        detail = f"fulfillment order {call.path['fulfillment_order']} is not there"
        raise Problem(Code.NOT_FOUND, detail, "fulfillment_order")
    return Answer(work_document(work), work.v)


def _tracked(call: Call[ShipmentsQuery, None]) -> Answer[Page[ShipmentDocument]]:
    query = call.query
    span = cursors.span(query.limit, query.cursor, call.filters)
    page = queries.shipments_tracked(process.table(), query.tracking_number, span)
    items = [shipment_document(shipment) for shipment in page.items]
    return Answer({"items": items, "next": cursors.encode(page.after, call.filters)})


def _record(call: Call[None, FulfillmentEvent]) -> Answer[RecordedDocument]:
    fact = parse_fulfillment_event(loads(call.raw))
    recorded = record_fact(process.table(), process.network, fact, call.now)
    count_fulfillment(recorded)
    return Answer(
        {
            "accepted": recorded.accepted,
            "shipped": recorded.shipped,
            "delivered": recorded.delivered,
            "cancelled": recorded.cancelled,
            "reopened": recorded.reopened,
            "rejected": recorded.rejected,
            "exceptions": list(recorded.exceptions),
        }
    )


ROUTES = (
    Route(
        "GET",
        "/orders/{order_id}/fulfillment-orders",
        Scope.ORDERS_READ,
        "List the fulfillment orders of an order",
        _of_order,
        Page[FulfillmentOrderDocument],
        problems=(Code.NOT_FOUND,),
    ),
    Route(
        "GET",
        "/orders/{order_id}/shipments",
        Scope.ORDERS_READ,
        "List the shipments of an order",
        _shipments_of_order,
        Page[ShipmentDocument],
        problems=(Code.NOT_FOUND,),
    ),
    Route(
        "GET",
        "/fulfillment-orders",
        Scope.FULFILLMENT_READ,
        "List a location's work in one state",
        _pick_list,
        Page[FulfillmentOrderDocument],
        query=PickListQuery,
        problems=(Code.CURSOR_INVALID,),
        description="The pick list, the earliest due first; work that has ended is not in it.",
    ),
    Route(
        "GET",
        "/fulfillment-orders/{fulfillment_order}",
        Scope.FULFILLMENT_READ,
        "Show a fulfillment order",
        _show,
        FulfillmentOrderDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "GET",
        "/shipments",
        Scope.ORDERS_READ,
        "Find shipments by tracking number",
        _tracked,
        Page[ShipmentDocument],
        query=ShipmentsQuery,
        problems=(Code.CURSOR_INVALID,),
    ),
    Route(
        "POST",
        "/fulfillment-events",
        Scope.FULFILLMENT_WRITE,
        "Report what has happened to a fulfillment order",
        _record,
        RecordedDocument,
        body=FulfillmentEvent,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description="For stores and small 3PLs without a queue. A fact is never refused for its state, and a "
        "repeated one changes nothing: its own ids are its idempotency key.",
    ),
)
