"""Orders: list them, show one with everything that hangs on it."""

from datetime import date
from typing import Annotated, Any, TypedDict

from annotated_types import MaxLen

from functions.api import cursors
from functions.api.fields import Amount, Closed, Cursor, Doc, Page, PageSize, SomeUnits, Text, Time, time
from functions.api.routing import Answer, Call, Route
from oms.orders import status
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Address, Customer, FulfilledBy, LineKind, Method
from oms.orders.model import EXCEPTIONS, BodyLine, Entry, Order, OrderBody, OrderDelivery, OrderLine, Stage
from oms.orders.moving import MoveRequest
from oms.problems import Code, Problem
from oms.store import process, queries
from oms.store.keys import iso
from oms.store.tokens import Scope
from oms.usecases.cancel_order import Cancelled, cancel_order
from oms.usecases.figures import count_cancellation
from oms.usecases.lift_hold import lift_hold
from oms.usecases.move_allocation import move_allocation
from oms.values import frozen


class StatusesDocument(TypedDict):
    """Where an order stands; all of it follows from the counters of its lines and from its amounts."""

    order: status.OrderStatus
    fulfillment: status.FulfillmentStatus
    delivery: status.DeliveryStatus
    returns: status.ReturnStatus
    payment: status.PaymentStatus


class ExceptionDocument(TypedDict):
    """Something that a person must resolve, by whom and how."""

    code: str
    ref: Annotated[str, Doc("What it concerns: a line, a shipment, a digest.")]
    at: Time
    owner: str
    command: str


class OrderSummary(TypedDict):
    """An order in a list: nothing that tells who the customer is."""

    order_id: str
    channel: str
    order_number: str
    placed_at: Time
    statuses: StatusesDocument
    currency: str
    total: Amount
    test: bool
    holds: list[str]
    exceptions: list[ExceptionDocument]
    v: int


class EntryDocument(TypedDict):
    """Units of a line promised at one location."""

    alloc_id: str
    location: str
    units: int
    stage: Stage
    fulfillment_order: str | None
    supply: str | None


class LineDocument(TypedDict):
    """A line: ordered = open + backordered + allocated + in_fulfillment + shipped + cancelled."""

    line_id: str
    channel_line_id: str
    sku: str | None
    title: str
    kind: LineKind
    fulfilled_by: FulfilledBy
    delivery_id: str | None
    parent_line_id: str | None
    quantity: Annotated[int | str, Doc("As the channel has it; a decimal text when it is not whole.")]
    unit_price: Annotated[int | str, Doc("Minor units; a decimal text when it is not whole.")]
    amount: Amount
    discount: Amount
    tax: Amount
    total: Amount
    ordered: int
    open: int
    backordered: int
    expected_at: Annotated[
        Time | None, Doc("When announced supply covers all units that wait; null when nobody knows.")
    ]
    allocated: int
    in_fulfillment: int
    shipped: int
    cancelled: int
    delivered: int
    returned: int
    entries: list[EntryDocument]
    properties: dict[str, str]


class DeliveryDocument(TypedDict):
    """One way in which a part of the order reaches the customer."""

    id: str
    method: Method
    service: str | None
    location: str | None
    ship_to: Address | None
    shipping: Amount


class OrderDocument(OrderSummary):
    """An order with its lines, deliveries and customer."""

    channel_order_id: str
    channel_version: str
    pool: str | None
    closed_at: Time | None
    tax_included: bool
    presentment_currency: str
    shipping: Amount
    charges: Annotated[int, Doc("Fees with their tax, duties and tip, in minor units.")]
    authorized: Amount
    captured: Amount
    refunded: Amount
    lines: list[LineDocument]
    deliveries: list[DeliveryDocument]
    payments: list[dict[str, object]]
    customer: Customer
    billing: Address | None
    purchase_order: str | None
    notes: str | None


class CancelledDocument(TypedDict):
    """What a request has changed, and where the order stands now."""

    order_id: str
    statuses: StatusesDocument
    cancelled: Annotated[int, Doc("Units cancelled by this request.")]
    asked: Annotated[int, Doc("Units that locations have been asked not to ship: they will answer.")]
    refund_due: Annotated[int, Doc("Minor units of the order's currency that have become due.")]


@frozen
class CancelledUnits:
    """Units of a line."""

    line_id: Text
    units: SomeUnits


@frozen
class CancelBody(Closed):
    """What is not wanted any more; without lines everything that has not left."""

    reason: CancelReason
    lines: Annotated[tuple[CancelledUnits, ...], MaxLen(500)] = ()


@frozen
class MoveBody(Closed):
    """Units that shall come from another location."""

    from_location: Annotated[Text, Doc("Where they are allocated.")]
    to_location: Annotated[Text, Doc("An active location of the order's pool.")]
    units: Annotated[SomeUnits | None, Doc("Without it all that are there and not released.")] = None


@frozen
class OrdersQuery(Closed):
    """Either a day, or a channel's customer."""

    day: Annotated[date | None, Doc("Day on which the orders were placed, UTC.")] = None
    channel: Annotated[Text | None, Doc("Channel that knows the customer.")] = None
    customer: Annotated[Text | None, Doc("The channel's own id of the customer.")] = None
    limit: PageSize = 50
    cursor: Cursor = None


def find(order_id: str) -> Order:
    """The header of an order.

    Raises:
        Problem: `not_found`.
    """
    order = queries.order(process.table(), order_id)
    if order is None:
        raise unknown(order_id)
    return order


def unknown(order_id: str) -> Problem:
    """The problem of an order that is not there."""
    return Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order_id")


def _list(call: Call[OrdersQuery, None]) -> Answer[Page[OrderSummary]]:
    query = call.query
    span = cursors.span(query.limit, query.cursor, call.filters)
    if query.day and not (query.channel or query.customer):
        page = queries.orders_of_day(process.table(), query.day, span)
    elif query.channel and query.customer and not query.day:
        page = queries.orders_of_customer(process.table(), f"{query.channel}#{query.customer}", span)
    else:
        raise Problem(Code.FIELD_MISSING, "ask for a day, or for a channel and a customer", "day")
    items = [_summary(order) for order in page.items]
    return Answer({"items": items, "next": cursors.encode(page.after, call.filters)})


def _show(call: Call[None, None]) -> Answer[OrderDocument]:
    found = queries.order_with_body(process.table(), call.path["order_id"])
    if found is None:
        raise unknown(call.path["order_id"])
    order, body = found
    return Answer(_document(order, body), order.v)


def _events(call: Call[None, None]) -> Answer[Page[dict[str, Any]]]:
    # The catalogue is for this route alone: not every cold start has to pay for it.
    from oms.events.derive import events_of_journal  # noqa: PLC0415

    items = queries.everything(process.table(), call.path["order_id"])
    if not items:
        raise unknown(call.path["order_id"])
    events = [event for item in items for event in events_of_journal(item)]
    # Of one write, the order's events come before those of what belongs to it: its id is where theirs begin.
    events.sort(key=lambda event: (event.time, event.subject, event.v))
    return Answer({"items": [dict(event.document()) for event in events], "next": None})


def _cancel(call: Call[None, CancelBody]) -> Answer[CancelledDocument]:
    units: dict[str, int] = {}
    for line in call.body.lines:
        units[line.line_id] = units.get(line.line_id, 0) + line.units
    wish = CancelRequest(call.body.reason, units or None)
    table, network, keep = process.table(), process.network(), call.keeping(_cancelled)
    cancelled = cancel_order(table, network, call.path["order_id"], wish, call.now, call.expected, keep)
    count_cancellation(cancelled)
    return _cancelled(cancelled)


def _lift(call: Call[None, None]) -> Answer[OrderSummary]:
    name, hold = call.path["order_id"], call.path["hold"]
    order = lift_hold(process.table(), name, hold, call.now, call.expected)
    return Answer(_summary(order), order.v)


def _move(call: Call[None, MoveBody]) -> Answer[OrderSummary]:
    said = call.body
    wish = MoveRequest(call.path["line_id"], said.from_location, said.to_location, said.units)
    table, network, keep = process.table(), process.network(), call.keeping(_moved)
    return _moved(move_allocation(table, network, call.path["order_id"], wish, call.now, call.expected, keep))


def _moved(order: Order) -> Answer[OrderSummary]:
    return Answer(_summary(order), order.v)


def _cancelled(cancelled: Cancelled) -> Answer[CancelledDocument]:
    order = cancelled.order
    return Answer(
        {
            "order_id": order.order_id,
            "statuses": _statuses(order),
            "cancelled": cancelled.cancelled,
            "asked": cancelled.asked,
            "refund_due": cancelled.refund.amount if cancelled.refund else 0,
        },
        order.v,
    )


def _statuses(order: Order) -> StatusesDocument:
    return {
        "order": status.order_status(order),
        "fulfillment": status.fulfillment_status(order),
        "delivery": status.delivery_status(order),
        "returns": status.return_status(order),
        "payment": status.payment_status(order),
    }


def _summary(order: Order) -> OrderSummary:
    return {
        "order_id": order.order_id,
        "channel": order.channel,
        "order_number": order.order_number,
        "placed_at": iso(order.placed_at),
        "statuses": _statuses(order),
        "currency": order.currency,
        "total": order.total,
        "test": order.test,
        "holds": list(order.holds),
        "exceptions": [
            {
                "code": known.code,
                "ref": known.ref,
                "at": iso(known.at),
                "owner": EXCEPTIONS[known.code].owner,
                "command": EXCEPTIONS[known.code].command,
            }
            for known in order.exceptions
        ],
        "v": order.v,
    }


def _document(order: Order, body: OrderBody) -> OrderDocument:
    shown = {line.line_id: line for line in body.lines}
    return {
        **_summary(order),
        "channel_order_id": body.channel_order_id,
        "channel_version": order.channel_version,
        "pool": order.pool,
        "closed_at": time(order.closed_at),
        "tax_included": order.tax_included,
        "presentment_currency": body.presentment_currency,
        "shipping": order.shipping,
        "charges": order.charges,
        "authorized": order.authorized,
        "captured": order.captured,
        "refunded": order.refunded,
        "lines": [_line(order, line, shown[line.line_id]) for line in order.lines],
        "deliveries": [_delivery(delivery, body) for delivery in order.deliveries],
        "payments": [dict(payment) for payment in body.payments],
        "customer": body.customer,
        "billing": body.billing,
        "purchase_order": body.purchase_order,
        "notes": body.notes,
    }


def _line(order: Order, line: OrderLine, shown: BodyLine) -> LineDocument:
    return {
        "line_id": line.line_id,
        "channel_line_id": shown.channel_line_id,
        "sku": line.sku,
        "title": shown.title,
        "kind": line.kind,
        "fulfilled_by": line.fulfilled_by,
        "delivery_id": line.delivery_id,
        "parent_line_id": line.parent_line_id,
        "quantity": shown.quantity,
        "unit_price": shown.unit_price,
        "amount": line.amount,
        "discount": line.discount,
        "tax": line.tax,
        "total": status.line_total(order, line),
        "ordered": line.ordered,
        "open": line.open,
        "backordered": line.backordered,
        "expected_at": iso(line.expected_at) if line.expected_at and line.open + line.backordered else None,
        "allocated": line.allocated,
        "in_fulfillment": line.in_fulfillment,
        "shipped": line.shipped,
        "cancelled": line.cancelled,
        "delivered": line.delivered,
        "returned": line.returned,
        "entries": [_entry(order, entry) for entry in line.entries],
        "properties": dict(shown.properties),
    }


def _entry(order: Order, entry: Entry) -> EntryDocument:
    work = entry.fulfillment_order
    return {
        "alloc_id": entry.alloc_id,
        "location": entry.location,
        "units": entry.units,
        "stage": entry.stage,
        "fulfillment_order": f"{order.order_id}-{work}" if work else None,
        "supply": entry.supply,
    }


def _delivery(delivery: OrderDelivery, body: OrderBody) -> DeliveryDocument:
    address = body.ship_to.get(delivery.id)
    return {
        "id": delivery.id,
        "method": delivery.method,
        "service": body.services.get(delivery.id),
        "location": delivery.location,
        "ship_to": address,
        "shipping": delivery.shipping,
    }


ROUTES = (
    Route(
        "GET",
        "/orders",
        Scope.ORDERS_READ,
        "List orders of a day or of a customer",
        _list,
        Page[OrderSummary],
        query=OrdersQuery,
        problems=(Code.FIELD_MISSING, Code.CURSOR_INVALID),
        description="Latest first.",
    ),
    Route(
        "GET",
        "/orders/{order_id}",
        Scope.ORDERS_READ,
        "Show an order",
        _show,
        OrderDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "GET",
        "/orders/{order_id}/events",
        Scope.ORDERS_READ,
        "List what has happened to an order",
        _events,
        Page[dict[str, Any]],
        problems=(Code.NOT_FOUND,),
        description="CloudEvents as the bus has them (`events/event.v1.json`) of the order and of all that "
        "belongs to it, the earliest first.",
    ),
    Route(
        "POST",
        "/orders/{order_id}/holds/{hold}/release",
        Scope.ORDERS_WRITE,
        "Lift a hold of an order",
        _lift,
        OrderSummary,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="`payment`, `address`, `manual` or `edit`, after a person has looked: with the hold the "
        "exceptions are resolved that it stands for. The order is released when nothing else holds it.",
        versioned=True,
    ),
    Route(
        "POST",
        "/orders/{order_id}/lines/{line_id}/move",
        Scope.ORDERS_WRITE,
        "Let units of a line come from another location",
        _move,
        OrderSummary,
        body=MoveBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.STOCK_SHORT, Code.VERSION_MISMATCH),
        description="A person decides otherwise than sourcing did. Only units that are not released: what is "
        "with its location can be cancelled there or rejected by it. The new location needs the units free, "
        "beyond its safety stock; both positions and the order change together, or nothing does.",
        versioned=True,
        keyed=True,
    ),
    Route(
        "POST",
        "/orders/{order_id}/cancel",
        Scope.ORDERS_WRITE,
        "Cancel an order, or units of it",
        _cancel,
        CancelledDocument,
        body=CancelBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="Units that no location has to ship yet are cancelled at once. For the others their "
        "locations are asked, and decide: the units stay in_fulfillment until they answer. What has left "
        "cannot be cancelled; a request for more units than can be is refused in whole. What was paid beyond "
        "the rest becomes a refund.",
        versioned=True,
        keyed=True,
    ),
)
