"""Placing from many threads at once, on DynamoDB Local: never one unit twice, no trace of a loss."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.store.errors import Busy
from oms.store.table import Table
from oms.store.writes import limit
from oms.usecases.place_order import Result, place_order
from tests.builders import NOW, command, line, network
from tests.concurrency.conftest import Store
from tests.conflicts import Conflicts
from tests.shelves import assert_balanced, fill, order_of, shelves

WORKERS = 16


@pytest.fixture
def table(dynamodb: Store) -> Table:
    return Table(dynamodb.client, dynamodb.table)


def all_at_once(table: Table, commands: Iterable[PlaceOrder]) -> list[Result]:
    def deliver(placed: PlaceOrder) -> Result:
        """As the queue does: again after giving up."""
        for _ in range(50):
            try:
                return place_order(table, network(), placed, NOW)
            except Busy:
                continue
        raise AssertionError("never placed")

    with ThreadPoolExecutor(WORKERS) as workers:
        return list(workers.map(deliver, commands))


def orders(many: int, *skus: tuple[str, int]) -> list[PlaceOrder]:
    """Orders of the same lines; every other one names them in the opposite order."""
    lines = [line(sku, units, number=number) for number, (sku, units) in enumerate(skus, 1)]
    return [
        command(*(lines if number % 2 else reversed(lines)), channel_order_id=str(number))
        for number in range(many)
    ]


def ids(commands: Iterable[PlaceOrder]) -> list[str]:
    return [order_id(placed.channel, placed.channel_order_id) for placed in commands]


def test_one_unit_goes_to_one_of_many_shoppers(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    rush = orders(32, ("A", 1))
    results = all_at_once(table, rush)
    assert sum(result.order.lines[0].allocated for result in results) == 1
    assert sum(result.order.lines[0].open for result in results) == 31
    assert shelves(table, "A") == {"wh-madrid": (1, 1, 0)}
    assert_balanced(table, ids(rush), ["A"])


def test_one_order_delivered_many_times_at_once_is_placed_once(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    fill(table, "B", wh_madrid=9)
    results = all_at_once(table, orders(1, ("A", 2), ("B", 1)) * 32)
    verdicts = [result.verdict for result in results]
    assert (verdicts.count(Verdict.PLACED), verdicts.count(Verdict.DUPLICATE)) == (1, 31)
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}


def test_orders_that_name_their_skus_in_opposite_order_neither_block_nor_lose_units(table: Table) -> None:
    fill(table, "A", wh_madrid=100, wh_lyon=50)
    fill(table, "B", wh_madrid=100, st_gracia=30)
    for sku in "AB":
        table.commit(limit(sku, "iberia", None))
    rush = orders(10, ("A", 60), ("B", 60))
    results = all_at_once(table, rush)
    for sku, held in (("A", 150), ("B", 130)):
        lines = [one for result in results for one in result.order.lines if one.sku == sku]
        assert sum(one.allocated for one in lines) == held
        assert sum(one.backordered for one in lines) == 600 - held
    assert_balanced(table, ids(rush), "AB")


def test_no_unit_is_sold_twice_or_refused_under_conflicts_and_throttling(dynamodb: Store) -> None:
    plain = Table(dynamodb.client, dynamodb.table)
    fill(plain, "A", wh_madrid=20, wh_lyon=20)
    contended = Conflicts(dynamodb.client, hold_ms=(12, 20), seed=1)
    rush = orders(48, ("A", 1))
    all_at_once(Table(contended.client, dynamodb.table), rush)
    stored = [order_of(plain, name) for name in ids(rush)]
    assert sum(order.lines[0].allocated for order in stored) == 40
    assert sum(order.lines[0].open for order in stored) == 8
    assert_balanced(plain, ids(rush), ["A"])
