"""Reserving stock: many workers place orders at once on DynamoDB Local, as it is and with conflicts.

Skus are asked for evenly, by Zipf's law (exponent 0.99, as YCSB has it) or with one hot sku in every order;
a tenth of the units is missing. The environment's BENCH_ORDERS says how many orders are placed in all,
as many as the proof wants by default.
"""

import math
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, product
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from oms.inventory.ledger import Book
from oms.orders.commands import PlaceOrder
from oms.orders.judgement import Verdict
from oms.orders.model import Order
from oms.store.errors import Busy
from oms.store.meter import Meter
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Conflicts
from tests.dynamodb_local import connect, running
from tests.shelves import fill
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORDERS = 40_000
METERED = 10
WORKERS = 16
REPEATED = 20
"""Every so many orders, one is delivered twice, at the same time."""

LINES = (1, 3, 5, 10)
SKUS = [f"SKU-{number:02d}" for number in range(30)]
ZIPF = 0.99

SUMMED = ("orders", "refused_with_stock_left", "oversold", "leaked", "placed_twice", "missing")
"""Figures of the last row: how many orders prove it, and what must be 0 over all."""

type Demand = Callable[[random.Random, int], list[str]]
"""Draws so many distinct skus."""


def _weighted(weights: Sequence[float]) -> Demand:
    sums = list(accumulate(weights))

    def draw(drawn: random.Random, lines: int) -> list[str]:
        skus: dict[str, None] = {}
        while len(skus) < lines:
            skus[drawn.choices(SKUS, cum_weights=sums)[0]] = None
        return list(skus)

    return draw


def _hot(drawn: random.Random, lines: int) -> list[str]:
    return [SKUS[0], *drawn.sample(SKUS[1:], lines - 1)]


DEMANDS: dict[str, Demand] = {
    "uniform": _weighted([1] * len(SKUS)),
    "zipf": _weighted([1 / rank**ZIPF for rank in range(1, len(SKUS) + 1)]),
    "one_hot": _hot,
}
STORES: dict[str, Callable[["DynamoDBClient"], Conflicts | None]] = {
    "raw": lambda client: None,
    "conflicts": lambda client: Conflicts(client, hold_ms=(12, 20)),
}


def measure() -> Iterator[dict[str, str | int | float]]:
    """Orders placed a second by 16 workers, and what must be 0: oversold, leaked, refused without need."""
    many = int(os.environ.get("BENCH_ORDERS", ORDERS))
    total = Counter[str]()
    with running() as endpoint:
        client = connect(endpoint, as_deployed=True)
        for (demand, draw), lines in product(DEMANDS.items(), LINES):
            orders = _orders(draw, lines, _share(lines, many))
            units = _write_units(client, orders[:METERED])
            for store, contended in STORES.items():
                row = _place_all(client, contended(client), orders)
                total.update({name: int(row[name]) for name in SUMMED})
                yield {
                    "demand": demand,
                    "lines": lines,
                    "store": store,
                    **row,
                    "write_units_per_order": units,
                }
    yield {"demand": "all", **total}


def _share(lines: int, many: int) -> int:
    """Orders of so many lines in a figure: the more lines the fewer, so that all figures take as long."""
    calls = many / (len(DEMANDS) * len(STORES) * sum(1 / (each + 1) for each in LINES))
    return math.ceil(calls / (lines + 1))


def _orders(draw: Demand, lines: int, many: int) -> list[PlaceOrder]:
    drawn = random.Random(lines)
    return [
        command(
            *(line(sku, number=number) for number, sku in enumerate(draw(drawn, lines), 1)),
            channel_order_id=str(order),
        )
        for order in range(many)
    ]


def _write_units(client: "DynamoDBClient", orders: Sequence[PlaceOrder]) -> float:
    """Write units that an order costs when all is in stock, the indexes included."""
    table = Table(client, create_table(client, "bench-metered", stream=False))
    for sku in SKUS:
        fill(table, sku, wh_madrid=len(orders))
    meter = Meter(client)
    for order in orders:
        place_order(Table(meter.client("place"), table.name), network(), order, NOW)
    client.delete_table(TableName=table.name)
    return round(meter.bill.writes / len(orders), 1)


def _place_all(
    client: "DynamoDBClient", contended: Conflicts | None, orders: Sequence[PlaceOrder]
) -> dict[str, int | float]:
    plain = Table(client, create_table(client, "bench-reserve", stream=False))
    wanted = Counter(line.sku for order in orders for line in order.lines)
    for sku in SKUS:
        there = wanted[sku] - wanted[sku] // 10
        fill(plain, sku, wh_madrid=there - there // 3, wh_lyon=there // 3)
    table = Table(contended.client, plain.name) if contended else plain
    latencies: list[float] = []
    placed: list[Order] = []
    lost = Counter[str]()

    def deliver(order: PlaceOrder) -> None:
        begin = time.perf_counter()
        while True:
            try:
                result = place_order(table, network(), order, NOW)
            except Busy:
                lost.update(busy=1)
                continue
            except ClientError as error:  # DynamoDB Local, on a busy machine: the message comes again
                if error.response["Error"]["Code"] != "InternalServerError":
                    raise
                continue
            break
        latencies.append(time.perf_counter() - begin)
        lost.update(races=result.refused)
        if result.verdict is Verdict.PLACED:
            placed.append(result.order)

    deliveries = [order for number, order in enumerate(orders) for _ in range(1 + (number % REPEATED == 0))]
    begin = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(deliver, deliveries))
    seconds = time.perf_counter() - begin
    centiles = statistics.quantiles(latencies, n=100)
    refusals = contended.refusals if contended else Counter[str]()
    row: dict[str, int | float] = {
        "orders": len(orders),
        "orders_per_s": round(len(orders) / seconds, 1),
        "p50_ms": round(centiles[49] * 1000),
        "p99_ms": round(centiles[98] * 1000),
        "conflicts": refusals["TransactionConflict"],
        "throttled": refusals["ThrottlingError"],
        "lost_races": lost["races"],
        "given_back": lost["busy"],
        "placed_twice": len(placed) - len({order.order_id for order in placed}),
        "missing": len(orders) - len({order.order_id for order in placed}),
        **audited(plain, placed),
    }
    client.delete_table(TableName=plain.name)
    return row


def audited(table: Table, placed: Sequence[Order]) -> dict[str, int]:
    """What must be 0: units promised beyond what is there, lost, or refused while there were some."""
    left, oversold = Counter[str](), 0
    for sku, stock in read_stock(table, SKUS, consistent=True).items():
        for held in stock.positions:
            left[sku] += max(0, held.uncommitted)
            oversold += max(0, held.allocated - held.on_hand)
    refused = Counter(line.sku for order in placed for line in order.lines if line.open)
    findings = check_ledger(table).findings
    allocated = {Book.POSITION: "allocated", Book.DEMAND: "waiting"}
    return {
        "refused": refused.total(),
        "refused_with_stock_left": sum(min(units, left[sku or ""]) for sku, units in refused.items()),
        "oversold": oversold,
        "leaked": sum(
            abs(finding.found[name] - finding.right[name])
            for finding in findings
            for name in [allocated[finding.account.book]]
        ),
    }
