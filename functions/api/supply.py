"""Supply: what vendors will deliver, and what has come in, announced or not."""

from typing import Annotated, TypedDict

from annotated_types import MaxLen, MinLen

from functions.api.fields import Closed, Doc, Moment, SomeUnits, Text, Units, utc
from functions.api.routing import Answer, Call, Route
from functions.api.stock import SupplyDocument, supply_document
from oms.inventory.model import Block, Supply, SupplyKind
from oms.problems import Code
from oms.store import process
from oms.store.tokens import Scope
from oms.usecases.announce_supply import announce_supply, close_supply
from oms.usecases.receive_stock import Receipt, Received, ReceivedUnits, receive_stock
from oms.values import frozen

_MOST_LINES = 40


class ReceivedSupplyDocument(SupplyDocument):
    """Supply of a sku after a receipt of it."""

    sku: str
    over: Annotated[int, Doc("Units of this receipt beyond those expected; they are there all the same.")]


class ReceivedDocument(TypedDict):
    """What a receipt has changed of the supply that it names; nothing without one."""

    supplies: list[ReceivedSupplyDocument]


@frozen
class ReceivedLine(Closed):
    """Units of a sku that have come in."""

    sku: Text
    units: SomeUnits
    blocked: Annotated[Block | None, Doc("Why they cannot be sold as they are.")] = None


@frozen
class ReceiptBody(Closed):
    """What has come in at a location."""

    location: Text
    occurred_at: Annotated[Moment, Doc("When; a count since has found the units there already.")]
    reference: Annotated[Text, Doc("Your delivery note; it stands in the history of the positions.")]
    lines: Annotated[tuple[ReceivedLine, ...], MinLen(1), MaxLen(_MOST_LINES)]
    supply: Annotated[Text | None, Doc("The purchase order that they belong to.")] = None


@frozen
class SupplyBody(Closed):
    """Units that a vendor will deliver."""

    location: Text
    due: Annotated[Moment, Doc("When they arrive, ISO 8601; UTC without an offset.")]
    expected: Annotated[Units, Doc("Units in all, those that have come in included.")]


def _receive(call: Call[None, ReceiptBody]) -> Answer[ReceivedDocument]:
    body = call.body
    receipt = Receipt(
        body.location,
        tuple(ReceivedUnits(line.sku, line.units, line.blocked) for line in body.lines),
        utc(body.occurred_at),
        body.reference,
        call.actor,
        body.supply,
    )
    keep = call.keeping(_received)
    return _received(receive_stock(process.table(), process.network(), receipt, call.now, keep))


def _received(received: Received) -> Answer[ReceivedDocument]:
    return Answer(
        {
            "supplies": [
                {"sku": sku, "over": received.over.get(sku, 0), **supply_document(supply)}
                for sku, supply in received.supplies.items()
            ]
        }
    )


def _announce(call: Call[None, SupplyBody]) -> Answer[SupplyDocument]:
    body = call.body
    wanted = Supply(
        call.path["sku"],
        call.path["supply"],
        SupplyKind.PURCHASE_ORDER,
        body.location,
        utc(body.due),
        body.expected,
    )
    return _shown(announce_supply(process.table(), process.network(), wanted, call.expected))


def _close(call: Call[None, None]) -> Answer[SupplyDocument]:
    return _shown(close_supply(process.table(), call.path["sku"], call.path["supply"], call.expected))


def _shown(supply: Supply) -> Answer[SupplyDocument]:
    return Answer(supply_document(supply), supply.v)


ROUTES = (
    Route(
        "POST",
        "/receipts",
        Scope.STOCK_WRITE,
        "Record units that have come in",
        _receive,
        ReceivedDocument,
        body=ReceiptBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description="A fact: units that nobody expects, or more than expected, are booked too. Those of a "
        "transfer are received by the transfer, those of a return by `/return-events`.",
        keyed=True,
    ),
    Route(
        "PUT",
        "/stock/{sku}/supply/{supply}",
        Scope.STOCK_WRITE,
        "Announce or change incoming supply",
        _announce,
        SupplyDocument,
        body=SupplyBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="The units of a sku in a purchase order, whose number is the supply's id.",
        versioned=True,
    ),
    Route(
        "DELETE",
        "/stock/{sku}/supply/{supply}",
        Scope.STOCK_WRITE,
        "Say that no more of a supply comes",
        _close,
        SupplyDocument,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        description="Cancelled by its vendor, or given up short: what has come in stays.",
        versioned=True,
    ),
)
