"""Refuse what a channel has sold beyond stock and limits: cancel it, where the channel wants that."""

from datetime import datetime

from oms.inventory.network import Network, ShortOrders
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.model import Order
from oms.orders.placing import IN_TURN
from oms.problems import Code, Problem
from oms.store.queries import known_order
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_order


def refuse_short(table: Table, network: Network, order: Order, now: datetime) -> Order:
    """Cancel the open units of an order that was just placed, or all of it, as its channel is configured.

    What was paid for them is owed back. Units that had a source and lost it are never cancelled so, nor are
    those of a sku that nobody knows.

    Args:
        table: the store.
        network: channels, pools and locations.
        order: as it was just written or read.
        now: UTC.

    Returns:
        The order as it stands.

    Raises:
        Busy: the order kept changing; hand the command back to its queue.
    """
    channel = network.channels.get(order.channel)
    while channel is not None and channel.short_orders is not ShortOrders.BACKORDER:
        short = {line.line_id: line.open for line in order.lines if line.open and not line.pending}
        reopened = any("reopened" in entry.kinds for entry in order.journal)
        if not short or reopened or IN_TURN in order.holds:
            break
        units = short if channel.short_orders is ShortOrders.PARTIAL else None
        wish = CancelRequest(CancelReason.INVENTORY, units=units)
        try:
            return cancel_order(table, network, order.order_id, wish, now, expected=order.v).order
        except Problem as problem:
            if problem.code is not Code.VERSION_MISMATCH:
                raise
            order = known_order(table, order.order_id)  # units may have got a source
    return order
