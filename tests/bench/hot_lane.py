"""One hot sku: a transaction for each order against the hot lane, on DynamoDB Local with conflicts."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import batched
from typing import TYPE_CHECKING

from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.store.errors import Busy
from oms.store.meter import Meter
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from tests.builders import NOW, command, line, network
from tests.conflicts import Conflicts
from tests.dynamodb_local import connect, running
from tests.shelves import fill, order_of, position
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HOLD_MS = 20
WORKERS = 16
SINGLE = 200
TOGETHER = 2000
BATCH = 100
"""Orders that a call of the hot lane gets: ten messages of ten."""

METERED = 600

type Row = dict[str, str | int | float]


def measure() -> Iterator[Row]:
    """Orders of one hot sku a second, units oversold or leaked (must be 0), and write units an order."""
    with running() as endpoint:
        client = connect(endpoint)
        single = _rate(client, "single", _one_by_one, SINGLE)
        together = _rate(client, "hot-lane", _together, TOGETHER)
        yield from (single, together)
        yield {"way": "hot_lane/single", "times": round(_figure(together) / _figure(single), 1)}
        yield {"way": "hot_lane", **_units(client)}


def _figure(row: Row) -> float:
    return float(row["orders_per_s"])


def _orders(many: int) -> list[PlaceOrder]:
    return [command(line("HOT"), channel_order_id=str(number)) for number in range(many)]


def _one_by_one(table: Table, orders: Sequence[PlaceOrder]) -> None:
    def deliver(order: PlaceOrder) -> None:
        while True:
            try:
                place_order(table, network(), order, NOW)
            except Busy:
                continue
            return

    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(deliver, orders))


def _together(table: Table, orders: Sequence[PlaceOrder]) -> None:
    for batch in batched(orders, BATCH, strict=False):
        list(place_orders(table, network(), batch, NOW))


def _rate(
    client: "DynamoDBClient", way: str, place: Callable[[Table, Sequence[PlaceOrder]], None], many: int
) -> Row:
    """Place as many orders as there are units: each gets one, so that what is refused was there."""
    plain = Table(client, create_table(client, f"bench-{way}", stream=False))
    fill(plain, "HOT", wh_madrid=many)
    contended = Conflicts(client, hold_ms=(HOLD_MS, HOLD_MS))
    orders = _orders(many)
    begin = time.perf_counter()
    place(Table(contended.client, plain.name), orders)
    seconds = time.perf_counter() - begin
    held = position(plain, "HOT", "wh-madrid")
    promised = _promised(plain, orders)
    return {
        "way": way.replace("-", "_"),
        "orders": many,
        "orders_per_s": round(many / seconds, 1),
        "conflicts": contended.refusals["TransactionConflict"],
        "oversold": max(0, promised - held.on_hand),
        "leaked": held.allocated - promised,
        "refused": many - promised,
    }


def _promised(table: Table, orders: Iterable[PlaceOrder]) -> int:
    names = [order_id(order.channel, order.channel_order_id) for order in orders]
    return sum(order_of(table, name).lines[0].allocated for name in names)


def _units(client: "DynamoDBClient") -> dict[str, float]:
    """Write units an order, by what they were spent on."""
    name = create_table(client, "bench-metered", stream=False)
    fill(Table(client, name), "HOT", wh_madrid=METERED)
    meter = Meter(client)
    _together(Table(meter.client(), name), _orders(METERED))
    spent: Counter[str] = Counter(meter.bill.by("part", "type"))
    return {f"units_{what.replace(' ', '_')}": round(units / METERED, 2) for what, units in spent.items()}
