"""Serve what waits: give waiting units of a sku the stock that has come, the oldest promise first.

All orders that wait for a sku stand in one queue, by the time at which they were promised, whatever their
channel, pool or size: none overtakes another because of where it came from. One that cannot use what is
there, as it is picked up elsewhere, is passed over and keeps its place.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial

from oms.inventory.availability import can_serve, seen_at
from oms.inventory.model import Stock
from oms.inventory.network import Network
from oms.orders.claims import unknown
from oms.orders.model import Order, OrderBody
from oms.orders.placing import left_by
from oms.orders.resourcing import serve
from oms.store import keys
from oms.store.attributes import Item
from oms.store.errors import Cancelled
from oms.store.placements import reclaim_writes
from oms.store.queries import order_with_body
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why
from oms.usecases.races import settle
from oms.usecases.source_order import source_order
from oms.values import frozen

PAGE = 100
"""Orders looked at in one go: a call ends within its function's timeout, however many wait."""


@frozen
class Served:
    """Orders and units that got a source; `after` is where to go on while there is stock left, else None."""

    orders: int
    units: int
    after: Item | None = None


def serve_waiting(
    table: Table,
    network: Network,
    sku: str,
    now: datetime,
    *,
    after: Item | None = None,
    also: Iterable[str] = (),
    described: bool = False,
) -> Served:
    """Give units of a sku that wait whatever is free of it; each order in a transaction of its own.

    To serve twice, or from two places at once, is harmless: who comes second finds less to give.

    Args:
        table: the store.
        network: channels, pools and locations.
        sku: which.
        now: UTC.
        after: where the page before this one ended; None for the oldest promise.
        also: ids of orders that wait too and that the index may not show yet, behind all others.
        described: whether the catalogue says something else of the sku than before. Then every order is
            looked at, however little is there: lines that waited for the catalogue ask for their stock.

    Raises:
        Busy: an order or its stock stayed contended; hand the message back to its queue.
    """
    server = _Server(table, network, sku, now)
    orders = units = 0
    if not (described or server.able):
        return Served(0, 0)
    waiting, end = table.keys_in_index("GSI1", keys.backorders(sku), after=after, limit=PAGE)
    names = dict.fromkeys([*(key.pk.removeprefix(keys.ORDER) for key in waiting), *also])
    for order_id in names:
        given = server.source(order_id) if described else 0
        if server.able:
            given += settle(partial(server.serve, order_id), f"serving order {order_id}")
        orders += bool(given)
        units += given
        if not (described or server.able):
            return Served(orders, units)
    return Served(orders, units, end)


def serve_missed(
    table: Table, network: Network, seen: Mapping[str, Stock], orders: Iterable[str], now: datetime
) -> bool:
    """Serve orders that have begun to wait, if what they wait for has come while they were being placed.

    Args:
        table: the store.
        network: channels, pools and locations.
        seen: the stock that they left when they began to wait, by sku.
        orders: their ids.
        now: UTC.

    Returns:
        Whether stock had come, or the catalogue had changed.
    """
    stocks = read_stock(table, seen, consistent=True)
    described = {sku for sku, stock in stocks.items() if stock.sku != seen[sku].sku}
    missed = [sku for sku, stock in stocks.items() if sku in described or _risen(seen[sku], stock)]
    for sku in missed:
        serve_waiting(table, network, sku, now, also=orders, described=sku in described)
    return bool(missed)


class _Server:
    """The stock of a sku as far as this process knows it, and the orders that take from it."""

    def __init__(self, table: Table, network: Network, sku: str, now: datetime) -> None:
        self._table = table
        self._network = network
        self._sku = sku
        self._now = now
        self._stock = self._read()

    @property
    def able(self) -> bool:
        """Whether there is anything to give, and anybody to take it."""
        return can_serve(seen_at(self._stock, self._now), self._network)

    def source(self, order_id: str) -> int:
        """Ask for the stock of an order's lines that nobody knew before; how many units they were given.

        Raises:
            Busy: the stock stayed contended.
        """
        found = self._order(order_id)
        if found is None or self._sku not in unknown(found[0]):
            return 0
        before = found[0]
        after = source_order(self._table, self._network, order_id, self._now)
        if after.v == before.v:
            return 0
        self._stock = self._read()
        return _allocated(after, self._sku) - _allocated(before, self._sku)

    def serve(self, order_id: str) -> int:
        """Serve an order; how many units it was given.

        Raises:
            Cancelled: somebody else wrote the order or took the stock; which is known anew now.
        """
        found = self._order(order_id)
        if found is None:
            return 0
        order, body = found
        change = serve(order, body, self._sku, self._network, self._stock, self._now)
        if change.order is order:
            return 0
        why = Why("order_served", order_id, "sourcing", self._now)
        try:
            self._table.commit(*reclaim_writes(order, change, why))
        except Cancelled:
            self._stock = self._read()
            raise
        self._stock = left_by(change, {self._sku: self._stock})[self._sku]
        return -sum(demand.waiting for demand in change.demands)

    def _order(self, order_id: str) -> tuple[Order, OrderBody] | None:
        """An order that is there and whose channel is still configured."""
        found = order_with_body(self._table, order_id)
        return found if found and found[0].channel in self._network.channels else None

    def _read(self) -> Stock:
        return read_stock(self._table, [self._sku], consistent=True)[self._sku]


def _risen(seen: Stock, stock: Stock) -> bool:
    """Whether there is more at any position than was seen there."""
    before = {position.location: position.uncommitted for position in seen.positions}
    return any(position.uncommitted > before.get(position.location, 0) for position in stock.positions)


def _allocated(order: Order, sku: str) -> int:
    return sum(line.allocated for line in order.lines if line.sku == sku)
