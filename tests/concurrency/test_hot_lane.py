"""The hot lane beside all else that wants the same stock, on DynamoDB Local with conflicts of 20 ms."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.store.errors import Busy
from oms.store.table import Table
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from tests.builders import NOW, command, line, network
from tests.concurrency.conftest import Store
from tests.conflicts import Conflicts
from tests.shelves import assert_balanced, fill, order_of, shelves


def contended(dynamodb: Store, hold_ms: float = 20) -> Table:
    return Table(Conflicts(dynamodb.client, hold_ms=(hold_ms, hold_ms)).client, dynamodb.table)


def orders(name: str, many: int, *skus: str) -> list[PlaceOrder]:
    lines = [line(sku, number=number) for number, sku in enumerate(skus, 1)]
    return [command(*lines, channel_order_id=f"{name}-{number}") for number in range(many)]


def ids(*batches: Sequence[PlaceOrder]) -> list[str]:
    return [order_id(sent.channel, sent.channel_order_id) for batch in batches for sent in batch]


def together(table: Table, batch: Sequence[PlaceOrder]) -> list[Result]:
    """As the queue does: the whole batch again after giving up."""
    for _ in range(50):
        try:
            outcomes = [outcome for _, outcome in place_orders(table, network(), batch, NOW)]
        except Busy:
            continue
        assert all(isinstance(outcome, Result) for outcome in outcomes)
        return [outcome for outcome in outcomes if isinstance(outcome, Result)]
    raise AssertionError("never placed")


def one_by_one(table: Table, batch: Sequence[PlaceOrder]) -> None:
    for sent in batch:
        for _ in range(50):
            try:
                place_order(table, network(), sent, NOW)
            except Busy:
                continue
            break


def test_a_rush_beyond_stock_sells_every_unit_once_and_loses_no_order(dynamodb: Store) -> None:
    plain = Table(dynamodb.client, dynamodb.table)
    fill(plain, "HOT", wh_madrid=150, st_gracia=30)
    rush = orders("rush", 250, "HOT")
    for start in range(0, 250, 100):
        together(contended(dynamodb), rush[start : start + 100])
    stored = [order_of(plain, name) for name in ids(rush)]
    assert [order.lines[0].allocated for order in stored] == [1] * 180 + [0] * 70
    assert shelves(plain, "HOT") == {"wh-madrid": (150, 150, 0), "st-gracia": (30, 30, 0)}
    assert_balanced(plain, ids(rush), ["HOT"])


def test_lanes_and_single_orders_share_positions_without_selling_a_unit_twice(dynamodb: Store) -> None:
    plain = Table(dynamodb.client, dynamodb.table)
    for sku in "AB":
        fill(plain, sku, wh_madrid=60)
    table = contended(dynamodb)
    lanes = [orders("a", 40, "A", "B"), orders("b", 40, "B", "A")]
    singles = orders("single", 6, "B")
    with ThreadPoolExecutor(3) as workers:
        running = [workers.submit(together, table, lane) for lane in lanes]
        running.append(workers.submit(one_by_one, table, singles))  # type: ignore[arg-type]
        for each in running:
            each.result()
    everyone = ids(*lanes, singles)
    assert len([order_of(plain, name) for name in everyone]) == 86
    assert {location for sku in "AB" for location in shelves(plain, sku).items()} == {
        ("wh-madrid", (60, 60, 0))
    }
    assert_balanced(plain, everyone, "AB")


def test_a_batch_that_two_functions_have_at_once_is_placed_once(dynamodb: Store) -> None:
    plain = Table(dynamodb.client, dynamodb.table)
    fill(plain, "A", wh_madrid=100)
    table = contended(dynamodb)
    batch = orders("twice", 30, "A")
    with ThreadPoolExecutor(2) as workers:
        first, second = workers.map(lambda sent: together(table, sent), [batch, batch])
    verdicts = [result.verdict for result in (*first, *second)]
    assert (verdicts.count(Verdict.PLACED), verdicts.count(Verdict.DUPLICATE)) == (30, 30)
    assert shelves(plain, "A") == {"wh-madrid": (100, 30, 70)}
