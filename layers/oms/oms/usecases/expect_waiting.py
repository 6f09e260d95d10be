"""Expect what waits: tell the orders that wait for a sku when their units come, as it is announced now."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from oms.inventory.model import Stock
from oms.inventory.network import Network
from oms.orders.claims import awaited
from oms.orders.expecting import expect
from oms.orders.model import Order
from oms.store import keys, queries
from oms.store.attributes import Item
from oms.store.errors import Busy
from oms.store.keys import Key
from oms.store.orders import decode_order, encode_order
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import replace
from oms.usecases.races import TRIES, settle
from oms.values import frozen

PAGE = 100
"""Orders looked at in one go: a call ends within its function's timeout, however many wait."""


@frozen
class Expected:
    """Orders that were told another date.

    `after` is where to go on, None at the end of the queue; `before` the units that wait up to there.
    """

    orders: int
    after: Item | None = None
    before: int = 0


def expect_waiting(
    table: Table,
    network: Network,
    sku: str,
    now: datetime,
    *,
    after: Item | None = None,
    before: int = 0,
) -> Expected:
    """Tell a page of the orders that wait for a sku when their units are expected, where that has changed.

    To tell twice changes nothing more. The stock is read again after the last write: whoever has changed it
    meanwhile may have told the same orders already, and what they were told last must be what holds. Write
    units: those of the header, for each order that is told another date; none otherwise.

    Args:
        table: the store.
        network: channels, pools and locations.
        sku: which.
        now: UTC.
        after: where the page before this one ended; None for the oldest promise.
        before: units that wait up to there.

    Raises:
        Busy: the stock or an order kept changing; hand the message back to its queue.
    """
    stock = _read(table, sku)
    if stock.sku is None:
        return Expected(0)
    found, end = table.keys_in_index("GSI1", keys.backorders(sku), after=after, limit=PAGE)
    told: set[str] = set()
    for _ in range(TRIES):
        ahead, more = before, set[str]()
        for order in _headers(table, found):
            attempt = partial(_tell, table, network, order.order_id, sku, stock, ahead, now)
            if expect(order, sku, network, stock, ahead, now) is not order and settle(
                attempt, f"telling order {order.order_id}"
            ):
                more.add(order.order_id)
            ahead += sum(units for (name, _), units in awaited(order).items() if name == sku)
        told |= more
        seen, stock = stock, _read(table, sku) if more else stock
        if _announced(seen) == _announced(stock):
            return Expected(len(told), end, ahead)
    raise Busy(f"the supply of {sku} kept changing")


def _tell(
    table: Table, network: Network, name: str, sku: str, stock: Stock, before: int, now: datetime
) -> bool:
    """Tell one order; False when it knows already."""
    order = queries.known_order(table, name)
    told = expect(order, sku, network, stock, before, now)
    if told is order:
        return False
    table.commit(replace(keys.header(name), encode_order(told), order.v))
    return True


def _headers(table: Table, rows: Iterable[Key]) -> list[Order]:
    headers = (keys.header(row.pk.removeprefix(keys.ORDER)) for row in rows)
    return list(map(decode_order, table.get_many(headers, consistent=True)))


def _read(table: Table, sku: str) -> Stock:
    return read_stock(table, [sku], consistent=True)[sku]


def _announced(stock: Stock) -> tuple[object, ...]:
    """What of a stock decides when units come."""
    return stock.sku, stock.supplies
