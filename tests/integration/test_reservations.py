"""Reservations of carts on the table: what they hold, until when, and who gets it then."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from oms.inventory.model import Delta
from oms.inventory.network import Channel, Network, Pool
from oms.inventory.reservations import Cart, CartLine, Reservation, ReservationState
from oms.orders.commands import Delivery, Method
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Busy
from oms.store.meter import Bill, Meter
from oms.store.reservations import read_reservation
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why, limit, move
from oms.usecases.check_ledger import Checked, check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.end_reservations import expire_reservation, release_cart
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.reserve_cart import LONGEST, Wish, reserve_cart
from tests.builders import CHANNEL, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of, position
from tests.tables import create_table

SOON = NOW + timedelta(minutes=15)
LATER = SOON + timedelta(minutes=15)
WHY = Why("test", "rival", "test", NOW)


def wish(until: datetime = SOON, partial: bool = False, channel: str = "shop-es", **units: int) -> Wish:
    """A cart with units of skus: `wish(A=2, B=1)`."""
    lines = tuple(CartLine(sku, number) for sku, number in units.items())
    return Wish(Cart(channel, lines), until, partial)


def hold(
    table: Table, name: str = "cart-1", now: datetime = NOW, until: datetime = SOON, **units: int
) -> Reservation:
    return reserve_cart(table, network(), name, wish(until, **units), now)


def order(
    table: Table, now: datetime = NOW, *, number: str = "5001", cart: str | None = "cart-1", **units: int
) -> Result:
    lines = (line(sku, each, number=n) for n, (sku, each) in enumerate(units.items(), 1))
    sent = command(*lines, channel_order_id=number, reservation=cart)
    return place_order(table, network(), sent, now)


def reserved(table: Table, sku: str = "A") -> dict[str, tuple[int, int, int]]:
    """Allocated, reserved and uncommitted units of a sku by location."""
    stock = read_stock(table, [sku], consistent=True)[sku]
    return {held.location: (held.allocated, held.reserved, held.uncommitted) for held in stock.positions}


def rows(table: Table, sku: str = "A") -> dict[tuple[str, str], int]:
    """Units in the rows of a sku, by reservation and location."""
    stock = read_stock(table, [sku], consistent=True)[sku]
    return {(row.reservation, row.location): row.units for row in stock.reserved}


def test_held_units_are_nobody_elses(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    made = hold(table, A=3)
    assert (made.v, made.held, made.state_at(NOW)) == (1, {("A", "wh-madrid"): 3}, "held")
    assert read_reservation(table, "cart-1") == made
    assert (reserved(table), rows(table)) == ({"wh-madrid": (0, 3, 2)}, {("cart-1", "wh-madrid"): 3})
    (one,) = order(table, cart=None, A=5).order.lines
    assert (one.allocated, one.open) == (2, 3)


def test_order(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    made = order(table, A=4).order
    assert made.lines[0].allocated == 4
    assert reserved(table) == {"wh-madrid": (4, 0, 1)}
    assert rows(table) == {}
    gone = read_reservation(table, "cart-1")
    assert gone is not None
    assert (gone.state, gone.order_id) == (ReservationState.CONFIRMED, made.order_id)


def test_expired(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    hold(table, A=3)
    (one,) = order(table, SOON, cart=None, A=5).order.lines
    assert one.allocated == 5
    assert reserved(table) == {"wh-madrid": (5, 0, 0)}
    assert expire_reservation(table, network(), "cart-1", SOON)
    assert reserved(table) == {"wh-madrid": (5, 0, 0)}
