"""Stock in a table for tests: putting it there, and what must hold of it at any time."""

from collections.abc import Iterable
from datetime import timedelta

from oms.inventory.model import Position, Sku
from oms.orders.model import Order
from oms.store import keys
from oms.store.fulfillment import decode_shipment
from oms.store.orders import decode_order
from oms.store.stock import decode_position, encode_sku, read_stock
from oms.store.table import Table
from oms.store.writes import Why, count, put
from tests.builders import NOW

COUNTED_AT = NOW - timedelta(days=1)
"""When `fill` counts: before everything that the tests do."""


def fill(table: Table, sku: str, **units: int) -> None:
    """Put a sku into the catalogue and units of it on shelves: `fill(table, "A", wh_madrid=3)`."""
    table.commit(put(keys.sku_meta(sku), encode_sku(Sku(sku))))
    for name, on_hand in units.items():
        location = name.replace("_", "-")
        seen = position(table, sku, location)
        table.commit(count(seen, on_hand, COUNTED_AT, Why("count", "test", "test", COUNTED_AT)))


def position(table: Table, sku: str, location: str) -> Position:
    """A position as stored; an empty one when there is none."""
    item = table.get(keys.position(sku, location))
    return decode_position(item) if item else Position(sku, location)


def order_of(table: Table, order_id: str) -> Order:
    """The header as stored."""
    item = table.get(keys.header(order_id))
    assert item is not None, f"order {order_id} is not there"
    return decode_order(item)


def shelves(table: Table, sku: str) -> dict[str, tuple[int, int, int]]:
    """On hand, allocated and uncommitted units of a sku by location."""
    stock = read_stock(table, [sku], consistent=True)[sku]
    return {held.location: (held.on_hand, held.allocated, held.uncommitted) for held in stock.positions}


def assert_balanced(table: Table, orders: Iterable[str], skus: Iterable[str]) -> None:
    """Every position's counters add up, and what it has allocated is the sum of the orders' entries there."""
    promised: dict[tuple[str, str], int] = {}
    for order_id in orders:
        if table.get(keys.header(order_id)) is None:
            continue
        for line in order_of(table, order_id).lines:
            for entry in line.entries:
                place = (line.sku or "", entry.location)
                promised[place] = promised.get(place, 0) + entry.units
    for sku in skus:
        for held in read_stock(table, [sku], consistent=True)[sku].positions:
            place = (sku, held.location)
            assert held.allocated == promised.get(place, 0), place
            assert (
                held.uncommitted == held.on_hand - sum(held.blocked.values()) - held.allocated - held.reserved
            )
            assert held.uncommitted >= 0, place


def shipments_of(table: Table, order_id: str) -> list[str]:
    """Ids of an order's shipments."""
    return [decode_shipment(item).id for item in table.query(keys.order(order_id), keys.SHIPMENT)]
