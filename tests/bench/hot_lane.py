"""One hot sku: a transaction for each order against the hot lane, in a store with conflicts.

The store is the table in memory, in a process of its own, as a service is: what it takes of the processor is
not the hot lane's. Beside it DynamoDB Local, with all that botocore does: it takes some milliseconds of this
machine's processors for each order, and so measures itself.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import batched
from multiprocessing.managers import BaseManager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from infra.lab.memory_table import MemoryTable
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
BATCH = 500
"""Orders that a call of the hot lane gets: ten messages, each with the batch of a call of intake."""

METERED = 600

type Row = dict[str, str | int | float]


def measure() -> Iterator[Row]:
    """Orders of one hot sku a second, units oversold or leaked (must be 0), and write units an order.

    `cpu_us` is what an order takes of this process's processor: the most that one hot lane could do, with a
    store that costs no time, is a second divided by it.
    """
    with _elsewhere() as memory, running() as endpoint:
        local = connect(endpoint, as_deployed=True)
        stores: dict[str, Callable[[str], Contended]] = {
            "memory": memory,
            "dynamodb_local": lambda name: _created(local, name),
        }
        for store, made in stores.items():
            single = _rate(made, "single", _one_by_one, SINGLE)
            together = _rate(made, "hot-lane", _together, TOGETHER)
            for row in (single, together):
                yield {"store": store, **row}
            times = round(_figure(together) / _figure(single), 1)
            yield {"store": store, "way": "hot_lane/single", "times": times}
        yield {"way": "hot_lane", **_units(local)}


class Contended(Conflicts):
    """A store of one table that holds an item for as long as a transaction takes."""

    def __init__(self, store: "DynamoDBClient") -> None:
        super().__init__(store, hold_ms=(HOLD_MS, HOLD_MS))

    def conflicts(self) -> int:
        """How many actions met another transaction."""
        return self.refusals["TransactionConflict"]


class OneAtATime:
    """The table in memory for many threads: its calls, one after the other."""

    exceptions = SimpleNamespace(from_code=lambda code: ClientError)

    def __init__(self, name: str) -> None:
        self._table = MemoryTable(name)
        self._lock = threading.Lock()

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            with self._lock:
                return getattr(self._table, operation)(**request)

        return call


class Elsewhere(BaseManager):
    """Stores in another process."""


Elsewhere.register(
    "store",
    lambda name: Contended(cast("DynamoDBClient", OneAtATime(name))),
    exposed=(
        "query",
        "get_item",
        "put_item",
        "update_item",
        "delete_item",
        "transact_write_items",
        "conflicts",
    ),
)


@contextmanager
def _elsewhere() -> Iterator[Callable[[str], Contended]]:
    """Run a process for stores; yields what makes one there, empty, and connects to it."""
    with Elsewhere() as process:
        yield cast(Any, process).store


def _created(client: "DynamoDBClient", name: str) -> Contended:
    create_table(client, name, stream=False)
    return Contended(client)


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
    made: Callable[[str], Contended],
    way: str,
    place: Callable[[Table, Sequence[PlaceOrder]], None],
    many: int,
) -> Row:
    """Place as many orders as there are units: each gets one, so that what is refused was there."""
    store = made(f"bench-{way}")
    table = Table(cast("DynamoDBClient", store), f"bench-{way}")
    fill(table, "HOT", wh_madrid=many)
    orders = _orders(many)
    begin, spent = time.perf_counter(), time.process_time()
    place(table, orders)
    seconds, spent = time.perf_counter() - begin, time.process_time() - spent
    held = position(table, "HOT", "wh-madrid")
    promised = _promised(table, orders)
    return {
        "way": way.replace("-", "_"),
        "orders": many,
        "orders_per_s": round(many / seconds, 1),
        "cpu_us": round(spent / many * 1e6),
        "conflicts": store.conflicts(),
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
