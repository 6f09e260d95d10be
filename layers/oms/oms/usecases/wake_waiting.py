"""Wake what waits: ask `sourcing` to serve it when stock has come, to tell it when that will be, and to mend
shortages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from oms.events.messages import Message, expect, serve, shortage
from oms.events.publish import Queue
from oms.inventory.availability import can_serve, waiting
from oms.inventory.model import Sku, Supply
from oms.inventory.network import Network
from oms.store.attributes import Item, decode
from oms.store.stock import decode_demand, decode_position, decode_sku, decode_supply, read_stock
from oms.store.table import Table
from oms.usecases.relay_changes import Change, Failure, deliver
from oms.values import frozen


@frozen
class Woken:
    """Messages sent, positions short of what they have promised, and the failure if any."""

    sent: int
    short: int
    failure: Failure | None


@dataclass(slots=True)
class _Noticed:
    """What changes ask for, each with the position of the first that does: skus to serve because they are
    described anew, skus to serve if that is possible now, skus of which other units are announced or are at
    another time, positions that are short, and that are so no more.
    """

    described: dict[str, int] = field(default_factory=dict)
    perhaps: dict[str, int] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    short: dict[tuple[str, str], int] = field(default_factory=dict)
    found: dict[tuple[str, str], int] = field(default_factory=dict)


def wake_waiting(table: Table, network: Network, sourcing: Queue, changes: Sequence[Change]) -> Woken:
    """Ask for what follows from changes of stock, once for each sku and position of a batch.

    Units wait and stock is there: whichever of the two was written last, its change comes after both, and the
    stock is read then, consistently. So no order waits for stock that came while it was being placed. To ask
    twice is harmless, as whoever serves looks again. What waits on is told when more comes whenever some of
    it is served, and when other units are announced than before.

    Args:
        table: the store.
        network: pools and locations.
        sourcing: takes the messages.
        changes: records of the stream; those of nothing under a sku are passed over.
    """
    noticed, failure = _Noticed(), None
    for position, change in enumerate(changes):
        try:
            _notice(noticed, position, change)
        except Exception as error:  # whatever is wrong with it, those before it are followed
            failure = Failure(position, error)
            break
    perhaps = noticed.perhaps.keys() - noticed.described.keys()
    read = {sku: noticed.perhaps[sku] for sku in perhaps} | noticed.announced
    try:
        stocks = read_stock(table, read, consistent=True)
    except Exception as error:
        stocks = {}
        failure = Failure(min(read.values()), error)
    able = [sku for sku in perhaps & stocks.keys() if can_serve(stocks[sku], network)]
    late = [sku for sku in noticed.announced.keys() & stocks.keys() if waiting(stocks[sku])]
    wanted: list[tuple[int, Message]] = [
        *((position, serve(sku, described=True)) for sku, position in noticed.described.items()),
        *((noticed.perhaps[sku], serve(sku)) for sku in able),
        *((read[sku], expect(sku)) for sku in dict.fromkeys([*able, *late])),
        *((position, shortage(*place)) for place, position in (noticed.found | noticed.short).items()),
    ]
    wanted.sort(key=lambda asked: asked[0])
    sent, _, failure = deliver(wanted, sourcing.send, failure)
    return Woken(sent, len(noticed.short), failure)


def _notice(noticed: _Noticed, position: int, change: Change) -> None:
    images = change["dynamodb"]
    if "NewImage" not in images:
        return
    new = decode(images["NewImage"])
    old = decode(images["OldImage"]) if "OldImage" in images else None
    match new["t"]:
        case "position":
            _notice_position(noticed, position, old, new)
        case "demand":
            after = decode_demand(new)
            if after.waiting > (decode_demand(old).waiting if old else 0):
                noticed.perhaps.setdefault(after.sku, position)
        case "supply":
            coming = decode_supply(new)
            if old is None or _coming(decode_supply(old)) != _coming(coming):
                noticed.announced.setdefault(coming.sku, position)
        case "sku":
            described = decode_sku(new)
            known = decode_sku(old) if old else None
            if known is None or _deciding(known) != _deciding(described):
                noticed.described.setdefault(described.sku, position)
            if known and known.first_release_at != described.first_release_at:
                noticed.announced.setdefault(described.sku, position)


def _notice_position(noticed: _Noticed, position: int, old: Item | None, new: Item) -> None:
    after = decode_position(new)
    uncommitted = decode_position(old).uncommitted if old else 0
    if after.uncommitted > uncommitted:
        noticed.perhaps.setdefault(after.sku, position)
        if uncommitted < 0 <= after.uncommitted:
            noticed.found.setdefault((after.sku, after.location), position)
    elif after.uncommitted < min(0, uncommitted):
        noticed.short.setdefault((after.sku, after.location), position)


def _coming(supply: Supply) -> tuple[object, ...]:
    """What of announced supply decides when units that wait are expected."""
    return supply.location, supply.due, supply.promisable


def _deciding(sku: Sku) -> tuple[object, ...]:
    """What of a catalogue entry decides whether units of it can be given a source."""
    return (
        sku.scale,
        sku.tracked,
        sku.requires,
        sku.ships_with,
        sku.kit,
        sku.first_release_at,
        sku.safety_stock,
    )
