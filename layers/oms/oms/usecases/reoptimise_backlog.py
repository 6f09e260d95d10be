"""Plan the backlog again: orders in their grace get better sources together, before their work is released.

What the search finds (`oms.sourcing.backlog`) is carried out move by move, each in one transaction of the
orders and positions concerned. One that loses a race is given up, and its orders stay as they are: to try
again is for the next run. So a run may be repeated, cut short, or run beside another one.
"""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from oms.inventory.network import Network
from oms.orders.identity import SHARDS
from oms.orders.model import Order, OrderBody
from oms.orders.placing import left_by
from oms.orders.replanning import Replanned, carry_out, unreleased
from oms.orders.work import WorkStage
from oms.sourcing.backlog import Planning, reoptimise
from oms.store import keys
from oms.store.errors import Busy, Cancelled
from oms.store.orders import decode_body, decode_order, encode_order
from oms.store.placements import stock_writes
from oms.store.stock import read_stock
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, replace
from oms.values import frozen

PAGE = 16
"""Orders of each shard that are planned together: so few that a run ends within its function's timeout."""

SECONDS = 6.0
"""How long a run may look for better plans and carry them out."""

AHEAD = timedelta(minutes=1)
"""Orders due sooner are left: their release may be on its way."""

_TICK = timedelta(milliseconds=1)
"""What times in keys are apart."""

_END = "9999"
"""Later than any time in keys."""


@frozen
class Run:
    """What a run has done.

    Attributes:
        deliveries: how many were planned again together.
        cost_before: of their plans, minor units.
        cost_after: of those that they have now.
        moves: how many have been carried out.
        lost: how many were not, as somebody else wrote first.
        since: orders due from then on (UTC) are for the next run; None when there are none.
    """

    deliveries: int = 0
    cost_before: int = 0
    cost_after: int = 0
    moves: int = 0
    lost: int = 0
    since: datetime | None = None


def reoptimise_backlog(
    table: Table,
    network: Network,
    now: datetime,
    *,
    since: datetime | None = None,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """Plan a page of the orders that wait for their release again, if the profile says so.

    Those that are due first come first; orders of all pools are planned together, as pools share stock.

    Args:
        table: the store.
        network: pools, locations and the profile.
        now: UTC.
        since: where the page before ended, UTC; None for the first.
        seconds: how long to search.
        clock: seconds, to measure that with.

    Returns:
        What was done. It is not more after a repeated call: what is best already is left.
    """
    if not network.profile.reoptimise:
        return Run()
    found, rest = _page(table, max(since or now, now + AHEAD))
    orders = {order.order_id: order for order, _ in found}
    stocks = read_stock(table, (line.sku for order in orders.values() for line in order.lines if line.sku))
    those = unreleased(found, network, stocks, now)
    planning = Planning(those.backlog, those.plans)
    before = planning.cost
    moves = lost = 0
    for move in reoptimise(those.backlog, planning, seconds, clock):
        change = carry_out(move, those, orders, stocks, network, now)
        if _write(table, change, orders, now):
            orders |= {order.order_id: order for order in change.orders}
            stocks = left_by(change.stock, stocks)
            moves += 1
        else:
            planning.undo(move)
            lost += 1
    return Run(len(those.backlog.orders), before, planning.cost, moves, lost, rest)


def _write(table: Table, change: Replanned, before: Mapping[str, Order], now: datetime) -> bool:
    """Carry a move out; False when it is lost."""
    names = [order.order_id for order in change.orders]
    writes = [
        *(
            replace(keys.header(order.order_id), encode_order(order), before[order.order_id].v)
            for order in change.orders
        ),
        *stock_writes([change.stock], Why("backlog_replanned", " ".join(names), "sourcing", now)),
    ]
    if len(writes) > MOST_WRITES:
        return False
    try:
        table.commit(*writes)
    except (Cancelled, Busy):
        return False
    return True


def _page(table: Table, since: datetime) -> tuple[list[tuple[Order, OrderBody]], datetime | None]:
    """The first orders of every shard due for release from a time on, and from when on there are more."""
    due: list[str] = []
    ends: list[datetime] = []
    for shard in range(SHARDS):
        queue = keys.work(WorkStage.RELEASE, f"{shard:02d}")
        page, last = table.keys_in_index("GSI1", queue, since=keys.iso(since), until=_END, limit=PAGE)
        due += [key.pk.removeprefix(keys.ORDER) for key in page]
        if last:
            ends.append(datetime.fromisoformat(str(last["GSI1SK"])))
    end = min(ends, default=None)
    orders = [decode_order(item) for item in table.get_many(map(keys.header, due))]
    chosen = [order for order in orders if order.due_at and (end is None or order.due_at <= end)]
    bodies = {
        str(item["PK"]): decode_body(item)
        for item in table.get_many(keys.body(order.order_id) for order in chosen)
    }
    found = [
        (order, bodies[keys.order(order.order_id)])
        for order in chosen
        if keys.order(order.order_id) in bodies
    ]
    return found, end + _TICK if end else None
