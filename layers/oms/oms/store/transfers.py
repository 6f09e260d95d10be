"""Codecs of transfers, the reading of them and of all that they touch, and what a change of one writes."""

from collections.abc import Iterable
from typing import Any, cast

from oms.inventory.model import Position
from oms.inventory.transfers import (
    ENDED,
    Change,
    Known,
    OrderLineName,
    Transfer,
    TransferLine,
    TransferState,
)
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item, Value, millis, moment
from oms.store.journal import decode_journal, encode_journal
from oms.store.orders import decode_order, encode_order
from oms.store.placements import waiting_writes
from oms.store.queries import Page, Span
from oms.store.stock import encode_supply, read_positions, read_supplies
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move, replace, wait
from oms.values import replace as changed

_COUNTERS = ("units", "sent", "received", "damaged", "given_up")
_AT_SOURCE = frozenset({TransferState.DRAFT, TransferState.READY})
"""States in which the source has to do something; in the others that have not ended the target has."""


def encode_transfer(transfer: Transfer) -> Item:
    """A transfer's attributes, without its key; in GSI1 under the location that has to act, until it ends."""
    item: Item = {
        "t": "transfer",
        "sv": 1,
        "v": transfer.v,
        "src": transfer.source,
        "dst": transfer.target,
        "due": millis(transfer.due),
        "st": str(transfer.state),
        "ln": [_encode_line(line) for line in transfer.lines],
        "j": encode_journal(transfer.journal),
    }
    if transfer.state not in ENDED:
        place = transfer.source if transfer.state in _AT_SOURCE else transfer.target
        item |= {"GSI1PK": keys.transfers(place, transfer.state), "GSI1SK": keys.iso(transfer.due)}
    return item


def decode_transfer(item: Item) -> Transfer:
    """A transfer from its item, key included."""
    stored = cast(dict[str, Any], item)
    return Transfer(
        id=stored["PK"].removeprefix(keys.TRANSFER),
        source=stored["src"],
        target=stored["dst"],
        due=moment(stored["due"]),
        lines=tuple(_decode_line(number, line) for number, line in enumerate(stored["ln"], 1)),
        state=TransferState(stored["st"]),
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def find_transfer(table: Table, name: str) -> Transfer | None:
    """A transfer as it stands now; None when there is none."""
    item = table.get(keys.transfer(name))
    return decode_transfer(item) if item else None


def list_transfers(table: Table, location: str, state: TransferState, span: Span) -> Page[Transfer]:
    """Transfers in a state that has not ended, about which a location has to act, the earliest due first."""
    found, after = table.keys_in_index(
        "GSI1", keys.transfers(location, state), after=span.after, limit=span.limit
    )
    transfers = map(decode_transfer, table.get_many(found))
    # The index follows a moment later: what has moved on since is another list's.
    return Page(tuple(one for one in transfers if one.state is state), after)


def read_known(table: Table, name: str) -> Known:
    """A transfer with all that it touches, consistently; the transfer first, as what it touches follows it.

    Raises:
        Problem: `not_found`.
    """
    transfer = find_transfer(table, name)
    if transfer is None:
        raise Problem(Code.NOT_FOUND, f"transfer {name} is not there", "transfer")
    orders = table.get_many(map(keys.header, sorted(transfer.order_ids)), consistent=True)
    return Known(
        transfer,
        {order.order_id: order for order in map(decode_order, orders)},
        read_supplies(table, transfer.skus, transfer.supply_id),
        _positions(table, transfer),
    )


def transfer_writes(known: Known, change: Change, why: Why) -> list[Write]:
    """All that a change of a transfer writes: itself, orders, supply, and the positions at both ends.

    Units that come in for an order are promised to it whatever else is short there; all others that are
    promised must be uncommitted.
    """
    after = change.transfer
    writes = [replace(keys.transfer(after.id), encode_transfer(after), known.transfer.v)]
    for name, order in change.orders.items():
        before = known.orders[name]
        writes.append(replace(keys.header(name), encode_order(order), before.v))
        writes += waiting_writes(before, order)
    for sku, supply in change.supplies.items():
        seen = known.supplies.get(sku)
        key, item = keys.supply(sku, supply.id), encode_supply(supply)
        writes.append(replace(key, item, seen.v) if seen else create(key, item))
    claims = after.state is TransferState.READY
    for place, delta in sorted(change.deltas.items()):
        redated = change.redated.get(place)
        dated = changed(why, redated=(redated,)) if redated else why
        writes.append(move(*place, delta, dated, seen=known.positions[place], fact=not claims))
    return [*writes, *(wait(demand) for demand in change.demands)]


def _positions(table: Table, transfer: Transfer) -> dict[tuple[str, str], Position]:
    ends: Iterable[str] = (transfer.source, transfer.target)
    return {
        (sku, place): position
        for place in ends
        for sku, position in read_positions(table, transfer.skus, place).items()
    }


def _encode_line(line: TransferLine) -> Value:
    stored: list[Value] = [line.sku, *(getattr(line, name) for name in _COUNTERS)]
    return [*stored, line.order.order_id, line.order.line_id] if line.order else stored


def _decode_line(number: int, stored: list[Any]) -> TransferLine:
    sku, *rest = stored
    counters = dict(zip(_COUNTERS, rest, strict=False))
    order = OrderLineName(*rest[len(_COUNTERS) :]) if len(rest) > len(_COUNTERS) else None
    return TransferLine(str(number), sku, order=order, **counters)
