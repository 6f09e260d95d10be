"""Sourcing again: units that lose their source, units that wait for one, lines whose turn has come."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from oms.inventory.availability import seen_at
from oms.inventory.model import Deltas, Stock
from oms.inventory.network import Channel, Network
from oms.orders.claims import Reclaimed, reclaimed
from oms.orders.model import Entry, Order, OrderBody, OrderLine, Stage
from oms.orders.placing import ROOM, source, take
from oms.orders.work import releasable
from oms.sourcing.choose import Assignment
from oms.sourcing.deliveries import assignments_of, decide
from oms.values import replace


def reopen(order: Order, units: Mapping[str, int], now: datetime, reason: str) -> Reclaimed:
    """Take units back from where they are allocated: they are open again and wait for another source.

    Only what is not with its location yet is taken back: entries that have gone on, or are not there any
    more, are left as they are, and so is the order when nothing is left to take.

    Args:
        order: whose.
        units: how many at most, by the id of their allocation entry.
        now: UTC.
        reason: why, in a word; for the event.
    """
    changed: dict[str, OrderLine] = {}
    taken: list[list[object]] = []
    for line in order.lines:
        entries: list[Entry] = []
        back = 0
        for entry in line.entries:
            fewer = min(units.get(entry.alloc_id, 0), entry.units) if entry.stage is Stage.ALLOCATED else 0
            if fewer:
                back += fewer
                taken.append([line.line_id, entry.location, fewer])
            if fewer < entry.units:
                entries.append(replace(entry, units=entry.units - fewer))
        if back:
            changed[line.line_id] = replace(
                line, open=line.open + back, entries=tuple(entries), expected_at=None
            )
    if not changed:
        return Reclaimed(order, {}, ())
    reopened = order.with_lines(changed)
    for line_id in changed:
        reopened = reopened.with_exception("stock_short", line_id, now)
    if not releasable(reopened):
        reopened = replace(reopened, due_at=now)
    data = {"reason": reason, "taken": taken}
    return reclaimed(order, reopened.written(now, "reopened", data=data))


def take_back(
    order: Order, work: str, location: str, units: Mapping[str, int], now: datetime, **told: object
) -> Order:
    """Take units back from a fulfillment order: they are open again and wait for another source.

    Args:
        order: whose.
        work: the fulfillment order, by its id.
        location: whose work it is.
        units: how many, by line id.
        now: UTC.
        told: what else the event needs, the `reason` at least.
    """
    changed: dict[str, OrderLine] = {}
    for line_id, count in units.items():
        line = order.line(line_id)
        assert line is not None, "lines are never deleted"
        entries, fewer = line.entries_without(work, count)
        changed[line_id] = replace(line, open=line.open + fewer, entries=entries, expected_at=None)
    reopened = order.with_lines(changed)
    reopened = reopened if releasable(reopened) else replace(reopened, due_at=now)
    taken = [[line_id, location, count] for line_id, count in units.items()]
    return reopened.written(now, "reopened", data={"taken": taken} | told)


def serve(
    order: Order, body: OrderBody, sku: str, network: Network, stock: Stock, now: datetime
) -> Reclaimed:
    """Give the units of a sku that wait in an order whatever is free where they may come from.

    Args:
        order: whose.
        body: has the addresses.
        sku: which.
        network: pools and locations.
        stock: of the sku, as stored.
        now: UTC.

    Returns:
        The order with what was found, and the changes that belong to it; the same order if nothing was.
    """
    assert stock.sku is not None, "units of an unknown sku do not wait"
    tracked = stock.sku.tracked
    lines = {
        line.line_id: replace(line, tracked=tracked)
        for line in order.lines
        if line.sku == sku and not line.pending and (line.tracked == tracked or not line.entries)
    }
    units = {name: line.open + line.backordered for name, line in lines.items()}
    seen = {sku: seen_at(stock, now)}
    decisions = decide(order, body, units, network, seen, now, served=True)
    found = assignments_of(decisions)
    share = ROOM
    while found:
        some = found[:share]
        change = give(order.with_lines({each.line_id: lines[each.line_id] for each in some}), some, now)
        deltas: Deltas = {}
        taken = {place: delta.allocated for place, delta in change.deltas.items()}
        ended = take(deltas, taken, change.order, {sku: stock}, network, now)
        if len(deltas) + len(ended) < ROOM or share == 1:
            return replace(change, deltas=deltas, ended=ended, decisions=decisions)
        share //= 2
    return Reclaimed(order, {}, ())


def resume(
    order: Order,
    body: OrderBody,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> Reclaimed:
    """Ask for the stock of lines that are still pending, as many as there is room for (see `source`).

    Returns:
        The order at its next version, and the changes that belong to it; the same order if nothing changes.
    """
    sourced = source(order, body, channel, network, stocks, now)
    if sourced.order == order:
        return Reclaimed(order, {}, ())
    before = {entry.alloc_id for line in order.lines for entry in line.entries}
    found = [
        [line.line_id, entry.location, entry.units]
        for line in sourced.order.lines
        for entry in line.entries
        if entry.alloc_id not in before
    ]
    return replace(sourced, order=sourced.order.written(now, "sourced", data={"allocated": found}))


def give(order: Order, assignments: Iterable[Assignment], now: datetime) -> Reclaimed:
    """Give units that wait the sources that were chosen for them; of a line the open ones first.

    A line of which no unit is open any more has its exception `stock_short` resolved.

    Args:
        order: whose.
        assignments: of waiting units of its lines to locations that have them; none leave the order as it is.
        now: UTC.
    """
    changed: dict[str, OrderLine] = {}
    found: list[list[object]] = []
    given = order
    for number, assignment in enumerate(assignments, 1):
        line = changed.get(assignment.line_id) or order.line(assignment.line_id)
        assert line is not None, "assignments name lines of this order"
        entry = Entry(f"{order.v + 1}.{number}", assignment.location, assignment.units)
        opened = min(line.open, assignment.units)
        line = replace(
            line,
            open=line.open - opened,
            backordered=line.backordered - (assignment.units - opened),
            entries=(*line.entries, entry),
        )
        changed[line.line_id] = line
        found.append([line.line_id, assignment.location, assignment.units])
        if not line.open:
            given = given.without_exception("stock_short", line.line_id)
    if not changed:
        return Reclaimed(order, {}, ())
    given = given.with_lines(changed)
    return reclaimed(order, given.written(now, "sourced", data={"allocated": found}))
