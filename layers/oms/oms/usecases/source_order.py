"""Source an order: ask for the stock of its pending lines, transaction by transaction."""

from datetime import datetime

from oms.inventory.network import Channel, Network
from oms.orders.model import Order
from oms.orders.placing import IN_TURN, next_lines
from oms.orders.resourcing import resume
from oms.problems import Code, Problem
from oms.store.placements import reclaim_writes
from oms.store.queries import order_with_body
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why
from oms.usecases.races import settle


def source_order(table: Table, network: Network, order_id: str, now: datetime) -> Order:
    """Ask for the stock of lines that no stock was asked for yet, until there is none left in turn.

    That is the rest of an order that is too large for one transaction, and what nobody knew before. Each
    transaction leaves the order whole, so that whoever comes after a crash goes on from there; a repeated
    call finds nothing left to do.

    Args:
        table: the store.
        network: channels, pools and locations.
        order_id: which order.
        now: UTC.

    Returns:
        The order as it stands.

    Raises:
        Problem: there is no such order, or its channel is not configured any more.
        Busy: the stock stayed contended; hand the message back to its queue.
    """
    while True:
        before, after = settle(
            lambda: _source(table, network, order_id, now), f"sourcing of order {order_id}"
        )
        if after is before or IN_TURN not in after.holds:
            return after


def _source(table: Table, network: Network, order_id: str, now: datetime) -> tuple[Order, Order]:
    found = order_with_body(table, order_id)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order_id")
    order, body = found
    channel = channel_of(order.channel, network)
    lines = next_lines(order)
    if not lines:
        return order, order
    stocks = read_stock(table, (line.sku for line in lines if line.sku), consistent=True)
    change = resume(order, body, channel, network, stocks, now)
    if change.order is not order:
        why = Why("order_sourced", order_id, "sourcing", now)
        table.commit(*reclaim_writes(order, change, why))
    return order, change.order


def channel_of(name: str, network: Network) -> Channel:
    """The configuration of a channel.

    Raises:
        Problem: there is none.
    """
    channel = network.channels.get(name)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {name} is not configured", "channel")
    return channel
