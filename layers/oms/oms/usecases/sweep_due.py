"""Sweep what is due in the work queue: one page of a stage and shard, and a message for the pages after."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from oms.channels.payload import Json, Node
from oms.events.messages import (
    Message,
    erase,
    expire,
    expire_unpaid,
    give_up,
    release,
    reoptimise,
    serve,
    settle_replacement,
    source,
)
from oms.events.publish import Queue
from oms.orders.claims import awaited
from oms.orders.identity import SHARDS
from oms.orders.model import Order
from oms.orders.replacing import waits_for_other
from oms.orders.work import OPEN_RETRY, WorkStage, unpaid
from oms.store import keys
from oms.store.attributes import Item
from oms.store.orders import decode_order
from oms.store.table import Table
from oms.usecases.messages import choice, page_end
from oms.values import frozen

PAGE = 250
"""Orders swept at once: a tick that finds full pages everywhere still ends within its function's timeout."""

_ASKED: Mapping[WorkStage, Callable[[str], Message]] = {
    WorkStage.RELEASE: release,
    WorkStage.EXPIRE: expire,
    WorkStage.FIRST_RELEASE: serve,
    WorkStage.UNPAID: expire_unpaid,
    WorkStage.ERASE: erase,
    WorkStage.REPLACE: settle_replacement,
}
"""What is asked of `sourcing` for what is due in a stage, by its id."""

REOPTIMISE_MINUTES = 5
"""How often orders that wait for their release are planned again; in a grace of that length each once."""

_EVERY = OPEN_RETRY // timedelta(minutes=1)
"""Minutes between two looks at what waits in a shard."""

_LOOK = OPEN_RETRY + timedelta(minutes=1)
"""From one look at what waits in a shard until the next has surely begun."""

_SWEPT = tuple(stage for stage in WorkStage if stage is not WorkStage.HELD)
_SHARDS = tuple(f"{number:02d}" for number in range(SHARDS))


@frozen
class Sweep:
    """A page to sweep; `after` is where the page before it ended, None for the first."""

    stage: WorkStage
    shard: str
    after: Item | None = None


_EVERYTHING = tuple(Sweep(stage, shard) for stage in _SWEPT for shard in _SHARDS)
_FIRST = Sweep(WorkStage.RELEASE, _SHARDS[0])


def parse_tick(message: Json) -> tuple[Sweep, ...]:
    """What a message of the clock queue wants swept: `{"tick": true}` everything, else one page.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    node = Node(message)
    if node.flag("tick"):
        return _EVERYTHING
    stage = choice(node, "stage", WorkStage)
    if stage not in _SWEPT:
        raise node.invalid("stage", "one that is swept")
    shard = node.need(Node.text, "shard")
    if shard not in _SHARDS:
        raise node.invalid("shard", f"one of {_SHARDS[0]} to {_SHARDS[-1]}")
    after = node.need(Node.child, "after")
    return (Sweep(stage, shard, page_end(after)),)


def sweep_due(table: Table, sourcing: Queue, clock: Queue, sweep: Sweep, now: datetime) -> int:
    """Ask `sourcing` for what is due; what waits is asked for in turn, each shard every 15 minutes or so.

    Nothing is written for it: so what waits costs no more than the look. To sweep twice is harmless: what has
    been done already finds nothing left to do.

    Args:
        table: the store.
        sourcing: takes what is asked for.
        clock: takes the page after this one.
        sweep: which page.
        now: UTC.

    Returns:
        How many orders or reservations of the page are due.

    Raises:
        NotTakenError: a queue did not take everything.
    """
    queue = keys.work(sweep.stage, sweep.shard)
    # A sku stays in its stage for good: only what has been released just now is new.
    new = sweep.stage is WorkStage.FIRST_RELEASE and not sweep.after
    since = keys.iso(now - OPEN_RETRY) if new else None
    due, last = table.keys_in_index(
        "GSI1", queue, since=since, until=keys.iso(now), after=sweep.after, limit=PAGE
    )
    if sweep.stage in _ASKED:
        names = (key.pk.partition("#")[2] for key in due)
        sourcing.send([_ASKED[sweep.stage](name) for name in names])
    elif int(sweep.shard) % _EVERY == now.minute % _EVERY:
        sourcing.send(_wanted((decode_order(item) for item in table.get_many(due)), now))
    if sweep == _FIRST and now.minute % REOPTIMISE_MINUTES == 0:
        sourcing.send([reoptimise()])
    if last:
        rest: dict[str, object] = {"stage": str(sweep.stage), "shard": sweep.shard, "after": last}
        clock.send([Message(rest, f"{sweep.stage}-{sweep.shard}")])
    return len(due)


def _wanted(orders: Iterable[Order], now: datetime) -> list[Message]:
    """What orders that wait are asked for: each sku once, each order with lines that are pending.

    Those that somebody should have paid by now are asked for that too, and once a day after it came each
    whether its units have waited for long enough.
    """
    skus: dict[str, None] = {}
    pending: list[str] = []
    overdue: list[str] = []
    replacing: list[str] = []
    waiting: list[str] = []
    for order in orders:
        if unpaid(order) and order.pays_until and order.pays_until <= now:
            overdue.append(order.order_id)
        if waits_for_other(order):
            replacing.append(order.order_id)
        days, rest = divmod(now - order.journal[0].at, timedelta(days=1))
        if days and rest < _LOOK:
            waiting.append(order.order_id)
        skus |= dict.fromkeys(sku for sku, _ in awaited(order))
        if any(line.pending and (line.sku or line.listing) for line in order.lines):
            pending.append(order.order_id)
    first = [*map(expire_unpaid, overdue), *map(settle_replacement, replacing), *map(source, pending)]
    return [*first, *map(serve, skus), *map(give_up, waiting)]
