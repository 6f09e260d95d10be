"""Movements: the history of a position."""

from typing import Annotated, TypedDict

from functions.api import cursors
from functions.api.fields import Closed, Cursor, Doc, PageSize, Time
from functions.api.routing import Answer, Call, Route
from oms.inventory.movements import Lost, Movement
from oms.problems import Code, Problem
from oms.store import process, queries
from oms.store.keys import iso
from oms.store.stock import read_position
from oms.store.tokens import Scope
from oms.values import frozen

type Counters = Annotated[
    dict[str, int],
    Doc("Units by counter: on_hand, blocked_<reason>, allocated, reserved, uncommitted; without those at 0."),
]


class LostDocument(TypedDict):
    """Writes of which no movement is left, and what they have added to each counter together."""

    writes: int
    change: Counters


class MovementDocument(TypedDict):
    """One write of a position: what it changed, and the counters since then."""

    v: Annotated[int, Doc("The position's version since then.")]
    at: Annotated[Time, Doc("When it was written.")]
    occurred_at: Annotated[Time, Doc("When it happened, by the clock of whoever told it.")]
    reason: str
    ref: Annotated[str, Doc("What it belongs to: an order, a fulfillment order, the time of a count.")]
    actor: Annotated[str, Doc("Who did it: a function, or the name of a token.")]
    change: Counters
    after: Counters
    missing_before: Annotated[LostDocument | None, Doc("What is missing right before it.")]


class HistoryDocument(TypedDict):
    """Movements of a position, latest first."""

    v: Annotated[int, Doc("The position's version now; later movements than the first are on their way.")]
    items: list[MovementDocument]
    next: str | None


@frozen
class HistoryQuery(Closed):
    """Which part of the history."""

    limit: PageSize = 50
    cursor: Cursor = None


def movement_document(movement: Movement, lost: Lost | None) -> MovementDocument:
    """A movement as the API and the command line show it."""
    return {
        "v": movement.v,
        "at": iso(movement.at),
        "occurred_at": iso(movement.occurred_at),
        "reason": movement.reason,
        "ref": movement.ref,
        "actor": movement.actor,
        "change": dict(movement.change),
        "after": dict(movement.after),
        "missing_before": {"writes": lost.writes, "change": dict(lost.change)} if lost else None,
    }


def _history(call: Call[HistoryQuery, None]) -> Answer[HistoryDocument]:
    sku, location = call.path["sku"], call.path["location"]
    position = read_position(process.table(), sku, location)
    if not position.v:
        raise Problem(Code.NOT_FOUND, f"sku {sku} has never been at location {location}", "location")
    span = cursors.span(call.query.limit, call.query.cursor, call.filters)
    page = queries.movements(process.table(), sku, location, span)
    return Answer(
        {
            "v": position.v,
            "items": [movement_document(*each) for each in page.items],
            "next": cursors.encode(page.after, call.filters),
        }
    )


ROUTES = (
    Route(
        "GET",
        "/stock/{sku}/{location}/movements",
        Scope.STOCK_READ,
        "Show the history of a position",
        _history,
        HistoryDocument,
        query=HistoryQuery,
        problems=(Code.NOT_FOUND, Code.CURSOR_INVALID),
        description="Every write of the position: what it changed, why, who did it and when, latest first.",
    ),
)
