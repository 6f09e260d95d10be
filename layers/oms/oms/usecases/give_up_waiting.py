"""Give up waiting: cancel units that have had no source for as long as their strategy lets them wait."""

from datetime import datetime, timedelta

from oms.inventory.network import Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.model import Order, OrderBody
from oms.problems import Code, Problem
from oms.sourcing.choose import strategy_of
from oms.sourcing.deliveries import questions
from oms.store.queries import order_with_body
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.usecases.cancel_order import Cancelled, cancellation
from oms.usecases.races import settle


def give_up_waiting(table: Table, network: Network, name: str, now: datetime) -> Cancelled | None:
    """Cancel what has waited too long; what was paid for it is owed back.

    Units wait from when their order came, those sold ahead from their sku's first release. A strategy that
    says nothing lets them wait for good, and a line that too many locations have said no to is left to the
    person who looks for its units. To ask again is harmless.

    Args:
        table: the store.
        network: pools, locations, and the profile that rules now.
        name: id of the order.
        now: UTC.

    Returns:
        What has changed; None when nothing has waited too long.

    Raises:
        Problem: there is no such order.
        Busy: the order kept changing; hand the message back to its queue.
    """
    return settle(lambda: _give_up(table, network, name, now), f"giving up units of order {name}")


def _give_up(table: Table, network: Network, name: str, now: datetime) -> Cancelled | None:
    found = order_with_body(table, name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"order {name} is not there", "order_id")
    order, body = found
    units = _overdue(table, network, order, body, now)
    if not units:
        return None
    wish = CancelRequest(CancelReason.INVENTORY, units=units)
    result, writes = cancellation(table, network, order, order, wish, now)
    table.commit(*writes)
    return result


def _overdue(table: Table, network: Network, order: Order, body: OrderBody, now: datetime) -> dict[str, int]:
    """Units that have waited too long, by line."""
    waiting = {
        line.line_id: line.open + line.backordered
        for line in order.lines
        if not line.pending and line.open + line.backordered
    }
    if not waiting:
        return {}
    kept = {line.line_id: line.ordered - line.cancelled for line in order.lines}
    stocks = read_stock(table, (line.sku for line in order.lines if line.sku))
    overdue: dict[str, int] = {}
    for question in questions(order, body, kept, network, stocks, now).values():
        days = strategy_of(question, network.profile).cancel_after_days
        for line in question.lines if days is not None else ():
            sku = stocks[line.sku].sku
            first = sku.first_release_at if sku else None
            began = max(order.journal[0].at, first or order.journal[0].at)
            if line.line_id in waiting and began + timedelta(days=days or 0) <= now:
                overdue[line.line_id] = waiting[line.line_id]
    return overdue
