"""Source an order: ask for the stock of its pending lines, transaction by transaction."""

from datetime import datetime

from oms.inventory.network import Channel, Network
from oms.orders.claims import Reclaimed
from oms.orders.model import Order
from oms.orders.placing import IN_TURN, next_lines
from oms.orders.resourcing import resume
from oms.problems import Code, Problem
from oms.store.listings import read_named
from oms.store.placements import reclaim_writes
from oms.store.queries import order_with_body
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why
from oms.usecases.races import settle
from oms.values import replace


def source_order(table: Table, network: Network, order_id: str, now: datetime) -> Order:
    """Ask for the stock of lines that no stock was asked for yet, until there is none left in turn.

    That is the rest of an order that is too large for one transaction, and what nobody knew before: the sku
    of a listing, or anything of a sku. Each
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
    stored, body = found
    order = _named(table, stored)
    channel = channel_of(order.channel, network)
    lines = next_lines(order)
    if not lines:
        return stored, stored
    stocks = read_stock(table, (line.sku for line in lines if line.sku), consistent=True)
    change = resume(order, body, channel, network, stocks, now)
    if change.order is order is not stored:  # the catalogue does not know what it is named either
        change = Reclaimed(order.written(now), {}, ())
    if change.order is not stored:
        why = Why("order_sourced", order_id, "sourcing", now)
        table.commit(*reclaim_writes(stored, change, why))
    return stored, change.order


def _named(table: Table, order: Order) -> Order:
    """The order with the skus of lines that its channel names by a listing alone, where they are known."""
    listings = {line.listing for line in order.lines if line.pending and line.sku is None and line.listing}
    named = read_named(table, order.channel, listings) if listings else {}
    lines = {
        line.line_id: replace(line, sku=named[line.listing].sku, listing=None)
        for line in order.lines
        if line.pending and line.sku is None and line.listing in named
    }
    return order.with_lines(lines) if lines else order


def channel_of(name: str, network: Network) -> Channel:
    """The configuration of a channel.

    Raises:
        Problem: there is none.
    """
    channel = network.channels.get(name)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {name} is not configured", "channel")
    return channel
