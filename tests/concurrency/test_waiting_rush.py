"""Stock that comes while orders come, all at once, on DynamoDB Local: nobody waits beside a free unit."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from oms.inventory.model import Delta
from oms.orders.identity import order_id
from oms.store.errors import Busy
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import NOW, command, line, network
from tests.concurrency.conftest import Store
from tests.shelves import fill, order_of, shelves

WORKERS = 12
ORDERS = 36
UNITS_EACH = 2
RECEIPTS = 12


@pytest.fixture
def table(dynamodb: Store) -> Table:
    return Table(dynamodb.client, dynamodb.table)


def until_done(act: Callable[[], object]) -> None:
    """As a queue does: again after giving up."""
    for _ in range(50):
        try:
            act()
            return
        except Busy:
            continue
    raise AssertionError("never done")


def placing(table: Table, numbers: range) -> Callable[[], object]:
    sent = [command(line("A", UNITS_EACH), channel_order_id=str(number)) for number in numbers]
    if len(sent) == 1:
        return lambda: place_order(table, network(), sent[0], NOW)
    return lambda: list(place_orders(table, network(), sent, NOW))


def receiving(table: Table, units: int) -> Callable[[], object]:
    """Units come in, and whoever sees the stock rise asks for it to be served."""
    receipt = move("A", "wh-madrid", Delta(on_hand=units), Why("receipt", "r", "test", NOW))
    received: list[bool] = []

    def act() -> None:
        if not received:
            table.commit(receipt)
            received.append(True)
        serve_waiting(table, network(), "A", NOW)

    return act


@pytest.mark.parametrize("units", [4, 9])
def test_stock_that_comes_while_orders_come_is_given_once_and_to_the_last_unit(
    table: Table, units: int
) -> None:
    fill(table, "A", wh_madrid=0)
    acts = [placing(table, range(number, number + 1)) for number in range(ORDERS // 2)]
    acts += [placing(table, range(number, number + 6)) for number in range(ORDERS // 2, ORDERS, 6)]
    acts += [receiving(table, units) for _ in range(RECEIPTS)]
    random.Random(units).shuffle(acts)
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(until_done, acts))
    names = [order_id("shop-es", str(number)) for number in range(ORDERS)]
    (lines,) = zip(*(order_of(table, name).lines for name in names), strict=True)
    given = sum(one.allocated for one in lines)
    assert given == min(units * RECEIPTS, UNITS_EACH * ORDERS)
    assert shelves(table, "A") == {"wh-madrid": (units * RECEIPTS, given, units * RECEIPTS - given)}
    checked = check_ledger(table, segments=1)
    assert (checked.findings, checked.unsettled) == ((), ())
