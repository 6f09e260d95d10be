"""Carts from many threads at once, on DynamoDB Local: held, extended, expired, confirmed, taken from."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from oms.inventory.reservations import Cart, CartLine
from oms.problems import Problem
from oms.store.errors import Busy
from oms.store.reservations import read_reservation
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.usecases.check_ledger import check_ledger
from oms.usecases.end_reservations import expire_reservation, release_cart
from oms.usecases.place_order import place_order
from oms.usecases.reserve_cart import Wish, reserve_cart
from tests.builders import CHANNEL, NOW, command, line, network
from tests.concurrency.conftest import Store
from tests.conflicts import Faults
from tests.shelves import fill, order_of

WORKERS = 64
STEPS = 320
CARTS = 24
UNITS = 40
END = NOW + timedelta(hours=12)


def step(table: Table, number: int) -> Callable[[], object]:
    """What somebody does a second after the one before him: to one of a few carts, or around them all."""
    chance = random.Random(number)
    now = NOW + timedelta(seconds=number)
    name = f"cart-{chance.randrange(CARTS)}"
    units = chance.randint(1, 3)
    cart = Cart(CHANNEL.id, (CartLine("A", units),))
    until = now + timedelta(seconds=chance.randint(1, 60))

    def order(reservation: str | None) -> object:
        sent = command(line("A", units), channel_order_id=str(number), reservation=reservation)
        return place_order(table, network(), sent, now)

    def hold() -> object:
        return reserve_cart(table, network(), name, Wish(cart, until), now)

    acts: list[Callable[[], object]] = [
        hold,
        hold,
        lambda: order(name),
        lambda: order(None) if number % 5 == 0 else hold(),
        lambda: release_cart(table, network(), name, now),
        lambda: expire_reservation(table, network(), name, now),
    ]
    return chance.choice(acts)


def again(act: Callable[[], object]) -> None:
    """As callers and queues do: once more after a lost answer or a store that was busy."""
    for _ in range(60):
        try:
            act()
            return
        except (Busy, ReadTimeoutError):
            continue
        except Problem:
            return
    raise AssertionError("never done")


@pytest.mark.parametrize("loss_rate", [0, 0.05])
def test_no_unit_is_held_sold_or_given_back_twice(dynamodb: Store, loss_rate: float) -> None:
    table = Table(dynamodb.client, dynamodb.table)
    fill(table, "A", wh_madrid=UNITS)
    lossy = Table(Faults(loss_rate=loss_rate, seed=1).wrap(dynamodb.client), dynamodb.table)
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(again, (step(lossy, number) for number in range(STEPS))))
    assert_proved(table)
    for number in range(CARTS):
        expire_reservation(table, network(), f"cart-{number}", END)
    assert_proved(table)
    stock = read_stock(table, ["A"], consistent=True)["A"]
    assert (stock.reserved, sum(held.reserved for held in stock.positions)) == ((), 0)


def assert_proved(table: Table) -> None:
    """Every counter is what is claimed, there is nothing below 0, and no two carts became one order."""
    assert check_ledger(table, segments=1).findings == ()
    (held,) = read_stock(table, ["A"], consistent=True)["A"].positions
    assert held.uncommitted >= 0
    carts = (read_reservation(table, f"cart-{number}") for number in range(CARTS))
    became = [cart.order_id for cart in carts if cart is not None and cart.order_id is not None]
    assert len(set(became)) == len(became)
    for name in became:
        assert order_of(table, name).journal[0].kinds == ("placed",)
