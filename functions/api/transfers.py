"""Transfers: stock that moves between locations, from the plan to what has come in."""

from collections.abc import Callable
from typing import Annotated, TypedDict

from annotated_types import Ge, Le, MaxLen, MinLen

from functions.api import cursors
from functions.api.fields import (
    Closed,
    Cursor,
    Doc,
    Moment,
    Page,
    PageSize,
    SomeUnits,
    Text,
    Time,
    Units,
    utc,
)
from functions.api.routing import Answer, Call, Route
from oms.inventory.transfers import (
    ENDED,
    Arrived,
    Change,
    Fate,
    Known,
    OrderLineName,
    Transfer,
    TransferLine,
    TransferState,
    cancel,
    close,
    dispatch,
    make_ready,
    receive,
)
from oms.orders.limits import MOST_UNITS
from oms.problems import Code, Problem
from oms.store import process
from oms.store.keys import iso
from oms.store.tokens import Scope
from oms.store.transfers import find_transfer, list_transfers
from oms.usecases.preconditions import check_past
from oms.usecases.transfer_stock import change_transfer, plan_transfer
from oms.values import frozen

_MOST_LINES = 32
"""Lines that one transaction can move; half as many if they belong to orders."""


@frozen
class OrderLineOf(Closed):
    """The order line that units belong to."""

    order_id: Text
    line_id: Text


class TransferLineDocument(TypedDict):
    """Units of a sku in a transfer."""

    line_id: str
    sku: str
    units: Annotated[int, Doc("Planned.")]
    order: Annotated[OrderLineOf | None, Doc("The order line that they belong to.")]
    sent: int
    received: Annotated[int, Doc("More than sent when more came in.")]
    damaged: Annotated[int, Doc("Of those received.")]
    given_up: Annotated[int, Doc("Sent, and not expected any more.")]
    outstanding: Annotated[int, Doc("On the way.")]


class TransferDocument(TypedDict):
    """A transfer."""

    transfer: str
    source: str
    target: str
    due: Time
    state: TransferState
    lines: list[TransferLineDocument]
    v: int


@frozen
class PlannedLine(Closed):
    """Units of a sku that are to be moved."""

    sku: Text
    units: SomeUnits
    order: Annotated[
        OrderLineOf | None, Doc("The order line that they are allocated to, when they are moved for it.")
    ] = None


@frozen
class TransferBody(Closed):
    """A plan."""

    source: Text
    target: Text
    due: Annotated[Moment, Doc("When it arrives, ISO 8601; UTC without an offset.")]
    lines: Annotated[tuple[PlannedLine, ...], MinLen(1), MaxLen(_MOST_LINES)]


@frozen
class SentLine(Closed):
    """Units of a line that leave."""

    line_id: Text
    units: Units


@frozen
class DispatchBody(Closed):
    """What leaves, and when."""

    occurred_at: Annotated[Moment, Doc("When; a count of the source since has missed the units already.")]
    lines: Annotated[
        tuple[SentLine, ...] | None,
        MinLen(1),
        MaxLen(_MOST_LINES),
        Doc(
            "Units that leave; those left out stay on their shelf. Everything leaves when there are no lines."
        ),
    ] = None


@frozen
class ArrivedLine(Closed):
    """Units of a line that have come in."""

    line_id: Text
    units: SomeUnits
    damaged: Annotated[int, Ge(0), Le(MOST_UNITS), Doc("Of these; they are blocked.")] = 0


@frozen
class ArrivalBody(Closed):
    """What has come in, and when."""

    occurred_at: Annotated[Moment, Doc("When; a count of the target since has found the units already.")]
    lines: Annotated[tuple[ArrivedLine, ...], MinLen(1), MaxLen(_MOST_LINES)]


@frozen
class CancelBody(Closed):
    """What becomes of the units."""

    units: Annotated[Fate, Doc("put_back: they are on their shelf at the source again; write_off: gone.")]


@frozen
class TransfersQuery(Closed):
    """Which transfers."""

    location: Annotated[Text, Doc("The one that has to act: the source of those not sent, else the target.")]
    state: TransferState
    limit: PageSize = 25
    cursor: Cursor = None


def _document(transfer: Transfer) -> TransferDocument:
    return {
        "transfer": transfer.id,
        "source": transfer.source,
        "target": transfer.target,
        "due": iso(transfer.due),
        "state": transfer.state,
        "lines": [
            {
                "line_id": line.line_id,
                "sku": line.sku,
                "units": line.units,
                "order": OrderLineOf(line.order.order_id, line.order.line_id) if line.order else None,
                "sent": line.sent,
                "received": line.received,
                "damaged": line.damaged,
                "given_up": line.given_up,
                "outstanding": line.outstanding,
            }
            for line in transfer.lines
        ],
        "v": transfer.v,
    }


def _shown(transfer: Transfer) -> Answer[TransferDocument]:
    return Answer(_document(transfer), transfer.v)


def _list(call: Call[TransfersQuery, None]) -> Answer[Page[TransferDocument]]:
    query = call.query
    if query.state in ENDED:
        raise Problem(Code.FIELD_INVALID, f"{query.state} ones are not listed by location", "state")
    span = cursors.span(query.limit, query.cursor, call.filters)
    page = list_transfers(process.table(), query.location, query.state, span)
    items = [_document(transfer) for transfer in page.items]
    return Answer({"items": items, "next": cursors.encode(page.after, call.filters)})


def _show(call: Call[None, None]) -> Answer[TransferDocument]:
    transfer = find_transfer(process.table(), call.path["transfer"])
    if transfer is None:
        raise Problem(Code.NOT_FOUND, f"transfer {call.path['transfer']} is not there", "transfer")
    return _shown(transfer)


def _plan(call: Call[None, TransferBody]) -> Answer[TransferDocument]:
    body = call.body
    lines = tuple(
        TransferLine(
            str(number),
            line.sku,
            line.units,
            OrderLineName(line.order.order_id, line.order.line_id) if line.order else None,
        )
        for number, line in enumerate(body.lines, 1)
    )
    wanted = Transfer(call.path["transfer"], body.source, body.target, utc(body.due), lines)
    return _shown(plan_transfer(process.table(), process.network(), wanted, call.now, call.expected))


def _make_ready(call: Call[None, None]) -> Answer[TransferDocument]:
    return _changed(call, lambda known: make_ready(known, call.now))


def _dispatch(call: Call[None, DispatchBody]) -> Answer[TransferDocument]:
    at = utc(call.body.occurred_at)
    check_past(at, call.now, "occurred_at")
    lines = call.body.lines
    units = {line.line_id: line.units for line in lines} if lines else None
    return _changed(call, lambda known: dispatch(known, units, at, call.now))


def _receive(call: Call[None, ArrivalBody]) -> Answer[TransferDocument]:
    at = utc(call.body.occurred_at)
    check_past(at, call.now, "occurred_at")
    for index, line in enumerate(call.body.lines):
        if line.damaged > line.units:
            detail = f"of {line.units} units {line.damaged} cannot be damaged"
            raise Problem(Code.FIELD_INVALID, detail, f"lines[{index}].damaged")
    arrived = tuple(Arrived(line.line_id, line.units, line.damaged) for line in call.body.lines)
    return _changed(call, lambda known: receive(known, arrived, at, call.now))


def _close(call: Call[None, None]) -> Answer[TransferDocument]:
    return _changed(call, lambda known: close(known, call.now))


def _cancel(call: Call[None, CancelBody]) -> Answer[TransferDocument]:
    return _changed(call, lambda known: cancel(known, call.body.units, call.now))


def _changed[Body](call: Call[None, Body], decide: Callable[[Known], Change]) -> Answer[TransferDocument]:
    keep = call.keeping(_shown)
    name = call.path["transfer"]
    return _shown(change_transfer(process.table(), name, decide, call.actor, call.now, keep))


def _command[Body](
    verb: str,
    summary: str,
    endpoint: Callable[[Call[None, Body]], Answer[TransferDocument]],
    body: type[Body] | None,
    description: str,
) -> Route[None, Body, TransferDocument]:
    return Route(
        "POST",
        f"/transfers/{{transfer}}/{verb}",
        Scope.STOCK_WRITE,
        summary,
        endpoint,
        TransferDocument,
        body=body,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description=description,
        versioned=True,
        keyed=True,
    )


ROUTES = (
    Route(
        "GET",
        "/transfers",
        Scope.STOCK_READ,
        "List the transfers in one state that a location has to act on",
        _list,
        Page[TransferDocument],
        query=TransfersQuery,
        problems=(Code.CURSOR_INVALID,),
        description="The earliest due first; those that have ended are not in it.",
    ),
    Route(
        "GET",
        "/transfers/{transfer}",
        Scope.STOCK_READ,
        "Show a transfer",
        _show,
        TransferDocument,
        problems=(Code.NOT_FOUND,),
        versioned=True,
    ),
    Route(
        "PUT",
        "/transfers/{transfer}",
        Scope.STOCK_WRITE,
        "Plan a transfer, or change its plan",
        _plan,
        TransferDocument,
        body=TransferBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="A draft claims nothing.",
        versioned=True,
    ),
    _command(
        "ready",
        "Claim the units of a transfer",
        _make_ready,
        None,
        "They cannot be sold from then on. Refused when fewer are uncommitted at the source.",
    ),
    _command(
        "dispatch",
        "Send a transfer off",
        _dispatch,
        DispatchBody,
        "On hand falls at the source; the target shows the units as incoming supply. Told after a receipt "
        "has shown that the units had left, it says once which did, and when.",
    ),
    _command(
        "receipts",
        "Record what has come in of a transfer",
        _receive,
        ArrivalBody,
        "A fact: fewer, more or damaged units, and those that come after the rest was given up, are booked.",
    ),
    _command(
        "close",
        "Give up what has not come in",
        _close,
        None,
        "Units that orders wait for are sourced again.",
    ),
    _command(
        "cancel",
        "Stop a transfer",
        _cancel,
        CancelBody,
        "Of one that has come in in part the rest is closed instead.",
    ),
)
