"""Resolve a shortage: what a position has promised beyond what is there is found elsewhere, or decided on."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

from oms.fulfillment.model import FulfillmentOrder, FulfillmentState
from oms.fulfillment.recall import recall
from oms.inventory.shortage import (
    ADVANCED,
    asked_back,
    asked_for,
    latest_first,
    least_advanced_first,
    missing,
    movable,
    recallable,
)
from oms.orders.identity import SHARDS
from oms.orders.model import POSITION_SHORT, Order
from oms.orders.resourcing import reopen
from oms.orders.work import WorkStage
from oms.store import keys, queries
from oms.store.attributes import Item
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.keys import Key
from oms.store.orders import decode_order, encode_order
from oms.store.placements import waiting_writes
from oms.store.queries import Span
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, move, replace, wait
from oms.usecases.races import settle
from oms.values import frozen

_PAGE = 500
_STAGES = (WorkStage.RELEASE, WorkStage.OPEN, WorkStage.UNPAID, WorkStage.REPLACE, WorkStage.HELD)


@frozen
class Resolved:
    """Units that wait for another source, those that the location is asked to give back, orders with an
    exception opened, and units that nobody gives up.

    `settled` are orders whose exception is resolved, as the position is not short any more.
    """

    reopened: int = 0
    asked: int = 0
    exceptions: int = 0
    left: int = 0
    settled: int = 0


def resolve_shortage(table: Table, sku: str, location: str, now: datetime) -> Resolved:
    """Make the promises of a position no more than what is there, by the rule of `oms.inventory.shortage`.

    Unreleased orders are found in the work queue, released ones in the location's pick lists. To resolve
    twice changes nothing more: what the location has been asked for is as good as found until it answers.
    When it refuses, the shortage is resolved again. Of a position that is not short any more the exceptions
    are resolved. Write units: 11 or 12 for an order of one line that is sourced again, 3 or 4 of them of
    indexes; 3 for work whose location is asked, 2 of them of an index; 1 for an order with an exception.

    Args:
        table: the store.
        sku: of which there is too little.
        location: where.
        now: UTC.

    Raises:
        Busy: somebody else kept writing; hand the message back to its queue.
    """
    short, ref = missing(read_position(table, sku, location)), f"{sku}@{location}"
    if not short:
        names = dict.fromkeys(w.order_id for w in _released(table, location) if asked_for(w, sku))
        settled = (settle(partial(_settle, table, name, ref, now), f"order {name}") for name in names)
        return Resolved(settled=sum(settled))
    what, reopened = f"shortage of {sku} at {location}", 0
    for order in latest_first(_unreleased(table, sku, location)):
        taken, short = settle(partial(_reopen, table, order.order_id, sku, location, now), what)
        reopened += taken
        if not short:
            return Resolved(reopened)
    works = least_advanced_first(_released(table, location), sku)
    back = {work.public_id: asked_back(work, sku) for work in works}
    asked, left = 0, short - sum(back.values())
    for work in works if left > 0 else ():
        elsewhere = sum(back.values()) - back[work.public_id]
        known, left = settle(partial(_ask, table, work, sku, elsewhere, now), what)
        asked += max(0, known - back[work.public_id])
        back[work.public_id] = known
        if left <= 0:
            break
    exceptions = 0
    for work in works:
        kept = asked_for(work, sku) - back[work.public_id]
        if left > 0 and kept > 0:
            exceptions += settle(partial(_note, table, work.order_id, ref, now), what)
            left -= kept
    return Resolved(reopened, asked, exceptions, max(0, left))


def _reopen(table: Table, order_id: str, sku: str, location: str, now: datetime) -> tuple[int, int]:
    """Units taken back from an order, and those still missing."""
    position = read_position(table, sku, location)
    order = queries.known_order(table, order_id)
    short = missing(position)
    units = movable(order, sku, location, short)
    if not units:
        return 0, short
    change = reopen(order, units, now, POSITION_SHORT)
    delta = change.deltas[sku, location]
    why = Why(POSITION_SHORT, order_id, "sourcing", now)
    table.commit(
        replace(keys.header(order_id), encode_order(change.order), order.v),
        *waiting_writes(order, change.order),
        move(sku, location, delta, why, seen=position, exact=True),
        *(wait(demand) for demand in change.demands),
    )
    return -delta.allocated, short + delta.allocated


def _ask(table: Table, listed: FulfillmentOrder, sku: str, elsewhere: int, now: datetime) -> tuple[int, int]:
    """Units that a location is asked to give back of some work, before or now, and those still missing.

    `elsewhere` are those that it is asked for of other work.
    """
    work = queries.fulfillment_order(table, listed.order_id, listed.id)
    assert work is not None, "fulfillment orders are never deleted"
    known = asked_back(work, sku)
    left = missing(read_position(table, sku, work.location)) - elsewhere - known
    units = recallable(work, sku, left)
    if units:
        asked = recall(work, units, POSITION_SHORT, now)
        table.commit(
            replace(keys.fulfillment_order(work.order_id, work.id), encode_fulfillment_order(asked), work.v)
        )
    return known + sum(units.values()), left - sum(units.values())


def _note(table: Table, order_id: str, ref: str, now: datetime) -> bool:
    """Open the exception on an order; False when it is open already."""
    order = queries.known_order(table, order_id)
    noted = order.with_exception(POSITION_SHORT, ref, now)
    if noted is order:
        return False
    told = noted.written(now, POSITION_SHORT, data={"position": ref})
    table.commit(replace(keys.header(order_id), encode_order(told), order.v))
    return True


def _settle(table: Table, order_id: str, ref: str, now: datetime) -> bool:
    """Resolve the exception of an order; False when it has none."""
    order = queries.known_order(table, order_id)
    settled = order.without_exception(POSITION_SHORT, ref)
    if settled is order:
        return False
    told = settled.written(now, "position_found", data={"position": ref})
    table.commit(replace(keys.header(order_id), encode_order(told), order.v))
    return True


def _unreleased(table: Table, sku: str, location: str) -> Iterator[Order]:
    """The orders of the work queue that give up units of a position."""
    for stage in _STAGES:
        for shard in range(SHARDS):
            for page in _pages(table, keys.work(stage, f"{shard:02d}")):
                headers = (key for key in page if key.sk == keys.HEADER_SK)
                for order in map(decode_order, table.get_many(headers)):
                    if movable(order, sku, location, 1):
                        yield order


def _released(table: Table, location: str) -> Iterator[FulfillmentOrder]:
    """What a location has to ship, some of which it may have been asked not to."""
    for state in (*ADVANCED, FulfillmentState.CANCEL_REQUESTED):
        span = Span(_PAGE)
        while True:
            page = queries.pick_list(table, location, state, span)
            yield from page.items
            if page.after is None:
                break
            span = Span(_PAGE, page.after)


def _pages(table: Table, partition: str) -> Iterator[list[Key]]:
    after: Item | None = None
    while True:
        page, after = table.keys_in_index("GSI1", partition, after=after, limit=_PAGE)
        yield page
        if after is None:
            return
