"""Returns: look-ups, and messages from requesters and locations without a queue."""

from collections.abc import Iterable
from typing import Annotated, TypedDict

from annotated_types import MaxLen, MinLen

from functions.api import orders
from functions.api.fields import Amount, Doc, Moment, Page, SomeUnits, Text
from functions.api.routing import Answer, Call, Route
from oms.channels.payload import loads
from oms.payments.refunds import Refund, RefundState
from oms.problems import Code, Problem
from oms.returns.model import Outcome, Place, Return, ReturnLine, ReturnState
from oms.store import process
from oms.store.returns import find_return, read_refunds, read_returns
from oms.store.tokens import Scope
from oms.usecases.figures import count_return
from oms.usecases.messages import ReturnEvent, parse_return_event
from oms.usecases.record_return import record_return
from oms.values import frozen


class PlaceDocument(TypedDict):
    """What came in at one location, and what became of it."""

    location: str
    arrived: int
    disposed: dict[Outcome, int]


class ReturnLineDocument(TypedDict):
    """Units of an order line: expected = approved - cancelled - expired - lost - kept."""

    line_id: str
    sku: str | None
    reason: str | None
    requested: int
    approved: int
    rejected: int
    cancelled: int
    expired: int
    lost: int
    kept: int
    expected: int
    received: Annotated[int, Doc("Announced units that have come in: money is due for these.")]
    unannounced: Annotated[int, Doc("Units that have come in beyond those announced.")]
    disposed: dict[Outcome, int]
    places: list[PlaceDocument]


class RefundLineDocument(TypedDict):
    """What returned units of a line are worth."""

    line_id: str
    units: int
    amount: Annotated[int, Doc("Minor units; net of discounts, with its tax in it.")]
    tax: Amount


class RefundDocument(TypedDict):
    """Money to be given back."""

    refund: Annotated[str, Doc("Its id.")]
    state: RefundState
    currency: str
    amount: Annotated[int, Doc("Minor units; less than the lines come to when less was paid.")]
    lines: list[RefundLineDocument]
    v: int


class ReturnDocument(TypedDict):
    """A return with the refunds that it has made due."""

    return_id: str
    rma: Annotated[str, Doc("The number on the label.")]
    order_id: str
    reference: Annotated[str, Doc("The requester's own id of it.")]
    state: ReturnState
    lines: list[ReturnLineDocument]
    refunds: list[RefundDocument]
    v: int


class ReturnRecordedDocument(TypedDict):
    """What a message has changed; a repeated one changes nothing."""

    rma: str
    state: ReturnState
    received: Annotated[int, Doc("Units that came in with this message.")]
    disposed: Annotated[dict[Outcome, int], Doc("Units disposed of by this message.")]
    refund_due: Annotated[int, Doc("Minor units of the order's currency that have become due.")]
    exceptions: Annotated[list[str], Doc("Codes of the exceptions that it opened.")]


@frozen
class ReturnedUnits:
    """Units of an order line."""

    line_id: Text
    units: SomeUnits
    reason: Annotated[Text | None, Doc("Of a request: why.")] = None
    outcome: Annotated[Outcome | None, Doc("Of a disposition: what becomes of the units.")] = None


@frozen
class ReturnEventBody:
    """A message as on the return-events queue; `events/return_event.v1.json` says more of it."""

    message_id: Text
    type: ReturnEvent
    occurred_at: Moment
    order_id: Text
    lines: Annotated[tuple[ReturnedUnits, ...], MinLen(1), MaxLen(90)]
    reference: Annotated[Text | None, Doc("The requester's own id of the return.")] = None
    location: Annotated[Text | None, Doc("Where units came in or were disposed of.")] = None


def _of_order(call: Call[None, None]) -> Answer[Page[ReturnDocument]]:
    order_id, table = call.path["order_id"], process.table()
    found = read_returns(table, order_id, consistent=True)
    if not found:
        orders.find(order_id)
    refunds = read_refunds(table, order_id, consistent=True) if found else {}
    items = [_document(return_, refunds.values()) for return_ in found.values()]
    return Answer({"items": items, "next": None})


def _show(call: Call[None, None]) -> Answer[ReturnDocument]:
    table = process.table()
    return_ = find_return(table, call.path["rma"])
    if return_ is None:
        raise Problem(Code.NOT_FOUND, f"return {call.path['rma']} is not there", "rma")
    refunds = read_refunds(table, return_.order_id, consistent=True)
    return Answer(_document(return_, refunds.values()), return_.v)


def _record(call: Call[None, ReturnEventBody]) -> Answer[ReturnRecordedDocument]:
    message = parse_return_event(loads(call.raw))
    change = record_return(process.table(), process.network(), message, call.now)
    count_return(change)
    return Answer(
        {
            "rma": change.return_.id,
            "state": change.return_.state,
            "received": change.received,
            "disposed": dict(change.disposed),
            "refund_due": change.refund.amount if change.refund else 0,
            "exceptions": list(change.exceptions),
        }
    )


def _document(return_: Return, refunds: Iterable[Refund]) -> ReturnDocument:
    return {
        "return_id": return_.public_id,
        "rma": return_.id,
        "order_id": return_.order_id,
        "reference": return_.reference,
        "state": return_.state,
        "lines": [_line(line) for line in return_.lines],
        "refunds": [_refund(refund) for refund in refunds if refund.return_id == return_.id],
        "v": return_.v,
    }


def _line(line: ReturnLine) -> ReturnLineDocument:
    return {
        "line_id": line.line_id,
        "sku": line.sku,
        "reason": line.reason,
        "requested": line.requested,
        "approved": line.approved,
        "rejected": line.rejected,
        "cancelled": line.cancelled,
        "expired": line.expired,
        "lost": line.lost,
        "kept": line.kept,
        "expected": line.expected,
        "received": line.received,
        "unannounced": line.unannounced,
        "disposed": dict(line.disposed),
        "places": [_place(place) for place in line.places],
    }


def _place(place: Place) -> PlaceDocument:
    return {"location": place.location, "arrived": place.arrived, "disposed": dict(place.disposed)}


def _refund(refund: Refund) -> RefundDocument:
    return {
        "refund": refund.public_id,
        "state": refund.state,
        "currency": refund.currency,
        "amount": refund.amount,
        "lines": [
            {"line_id": line.line_id, "units": line.units, "amount": line.amount, "tax": line.tax}
            for line in refund.lines
        ],
        "v": refund.v,
    }


ROUTES = (
    Route(
        "GET",
        "/orders/{order_id}/returns",
        Scope.ORDERS_READ,
        "List the returns of an order",
        _of_order,
        Page[ReturnDocument],
        problems=(Code.NOT_FOUND,),
    ),
    Route(
        "GET",
        "/returns/{rma}",
        Scope.RETURNS_READ,
        "Show a return",
        _show,
        ReturnDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "POST",
        "/return-events",
        Scope.RETURNS_WRITE,
        "Request a return, or report what has happened to one",
        _record,
        ReturnRecordedDocument,
        body=ReturnEventBody,
        problems=(Code.NOT_FOUND, Code.CONFLICT, Code.STATE_REFUSED),
        description="For service desks and locations without a queue. A request may be refused; receipts and "
        "dispositions are facts. A repeated message changes nothing: message_id and reference are its "
        "idempotency keys.",
    ),
)
