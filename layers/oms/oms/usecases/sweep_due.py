"""Sweep what is due in the work queue: one page of a stage and shard, and a message for the pages after."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from oms.channels.payload import Json, Node
from oms.events.messages import Message, expire, release
from oms.events.publish import Queue
from oms.orders.identity import SHARDS
from oms.orders.work import WorkStage
from oms.store import keys
from oms.store.attributes import Item
from oms.store.table import Table
from oms.usecases.messages import choice

PAGE = 250
"""Orders swept at once: a tick that finds full pages everywhere still ends within its function's timeout."""

_ASKED: Mapping[WorkStage, Callable[[str], Message]] = {
    WorkStage.RELEASE: release,
    WorkStage.EXPIRE: expire,
}
"""What is asked of `sourcing` for what is due in a stage, by its id."""

_SHARDS = tuple(f"{number:02d}" for number in range(SHARDS))
_AFTER = ("PK", "SK", "GSI1PK", "GSI1SK")


@dataclass(frozen=True, slots=True)
class Sweep:
    """A page to sweep; `after` is where the page before it ended, None for the first."""

    stage: WorkStage
    shard: str
    after: Item | None = None


def parse_tick(message: Json) -> tuple[Sweep, ...]:
    """What a message of the clock queue wants swept: `{"tick": true}` everything, else one page.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    node = Node(message)
    if node.flag("tick"):
        return tuple(Sweep(stage, shard) for stage in WorkStage for shard in _SHARDS)
    stage = choice(node, "stage", WorkStage)
    shard = node.need(Node.text, "shard")
    if shard not in _SHARDS:
        raise node.invalid("shard", f"one of {_SHARDS[0]} to {_SHARDS[-1]}")
    after = node.need(Node.child, "after")
    return (Sweep(stage, shard, {name: after.need(Node.text, name) for name in _AFTER}),)


def sweep_due(table: Table, sourcing: Queue, clock: Queue, sweep: Sweep, now: datetime) -> int:
    """Ask `sourcing` for the releases and expiries that are due; units without a source are only counted.

    To sweep twice is harmless: what has been done already finds nothing left to do.

    Args:
        table: the store.
        sourcing: takes releases and expiries.
        clock: takes the page after this one.
        sweep: which page.
        now: UTC.

    Returns:
        How many orders or reservations of the page are due.

    Raises:
        NotTakenError: a queue did not take everything.
    """
    queue = keys.work(sweep.stage, sweep.shard)
    due, last = table.keys_in_index("GSI1", queue, until=keys.iso(now), after=sweep.after, limit=PAGE)
    if sweep.stage in _ASKED:
        names = (key.pk.partition("#")[2] for key in due)
        sourcing.send([_ASKED[sweep.stage](name) for name in names])
    if last:
        rest: dict[str, object] = {"stage": str(sweep.stage), "shard": sweep.shard, "after": last}
        clock.send([Message(rest, f"{sweep.stage}-{sweep.shard}")])
    return len(due)
