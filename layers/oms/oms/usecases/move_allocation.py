"""Move an allocation: a person decides that units come from another location than was chosen."""

from datetime import datetime

from oms.inventory.network import Network
from oms.orders.model import Order
from oms.orders.moving import MoveRequest, move
from oms.problems import Code, Problem
from oms.store.inbox import Keep, keep_nothing
from oms.store.placements import reclaim_writes
from oms.store.queries import known_order
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle


def move_allocation(
    table: Table,
    network: Network,
    name: str,
    wish: MoveRequest,
    now: datetime,
    expected: int | None = None,
    keep: Keep[Order] = keep_nothing,
) -> Order:
    """Move units of an order that are not released, in one transaction of the order and both positions.

    Write units: 2 for the header, 4 for the positions, 2 for each row of an expired reservation that ends
    with it; with the answer that is kept for the request's key 2 more.

    Args:
        table: the store.
        network: channels, pools and locations.
        name: id of the order.
        wish: what to move, and where to.
        now: UTC.
        expected: the version of the order that the caller has seen; None when it does not mind.
        keep: what else is written in the same transaction.

    Returns:
        The order as it stands.

    Raises:
        Problem: there is no such order or line, `version_mismatch`, or the request is refused.
        Busy: the order or a position kept changing; try again.
    """

    def attempt() -> Order:
        order = known_order(table, name)
        check_version(expected, order.v)
        line = order.line(wish.line_id)
        if line is None:
            raise Problem(Code.NOT_FOUND, f"order {name} has no line {wish.line_id}", "line_id")
        stocks = read_stock(table, [line.sku] if line.sku else [], consistent=True)
        change = move(order, wish, network, stocks, now)
        why = Why("order_moved", name, "orders", now)
        table.commit(*reclaim_writes(order, change, why), *keep(change.order))
        return change.order

    return settle(attempt, f"moving units of order {name}")
