"""Other ways to place an order beside ours: the same orders on the same store, with the same faults.

The ways are those of open serverless samples, each with its usual care: stock is read, checked and written
back; stock is taken line by line, and given back when a line is short; one transaction takes all, behind the
idempotency of Powertools. Their orders have an id that is made while they are placed, and are refused whole
when a line is short; they keep one item of an order, in no index.

The store is DynamoDB Local with the conflicts of AWS. One response in fifty is lost, so that the message
comes again; one message in twenty comes twice at the same time. A tenth of the units is missing.
"""

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import BaseError as IdempotencyError
from botocore.exceptions import ClientError, ReadTimeoutError

from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.store import keys
from oms.store.attributes import Item, decode
from oms.store.errors import Busy, Cancelled
from oms.store.keys import Key
from oms.store.meter import Meter
from oms.store.orders import decode_order
from oms.store.table import Table
from oms.store.writes import Write, create, put
from oms.usecases.place_order import place_order
from tests.bench.reserve import audited
from tests.builders import NOW, command, line, network
from tests.conflicts import Conflicts, Faults
from tests.dynamodb_local import connect, running
from tests.shelves import fill
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ORDERS = 400
METERED = 20
WORKERS = 16
SKUS = [f"SKU-{number}" for number in range(8)]
LINES = (1, 2, 3, 4)
REPEATED = 20
LOST = 0.02
DELIVERIES = 60
VISIBILITY_S = 0.05
RUNNING_MS = 1000
"""How long a call that has not ended counts as running, for Powertools: the timeout of its function."""

AGAIN = (Busy, Cancelled, ClientError, IdempotencyError, ReadTimeoutError)
"""What makes a message come again."""

type Wanted = Mapping[str, int]
"""Units by sku."""

type Row = dict[str, str | int | float]
type Way = Callable[[PlaceOrder], object]
type Stocked = Callable[[Table, Wanted], None]
type Audit = Callable[[Table, Wanted, Sequence[PlaceOrder]], tuple[Counter[str], Row]]
"""How often an order is stored, by the channel's number, and units oversold and leaked."""


class SoldOut(Exception):
    """A line is short: the order is refused."""


def measure() -> Iterator[Row]:
    """Orders a second, calls and write units an order, and what must be 0, by the way of placing.

    `write_units` and `calls` are of an order that meets nobody, its indexes included; `calls_under_load` have
    all that was done again. `leaked` are units by which the stock is not what the orders have left of it, and
    `lost` orders that are neither stored nor refused.
    """
    with running() as endpoint:
        client = connect(endpoint, as_deployed=True)
        for name, (make, stock, audit) in WAYS.items():
            yield {"way": name, **_alone(client, make, stock), **_together(client, make, stock, audit)}


def read_then_write(table: Table) -> Way:
    """Ask whether the order is there and whether the stock suffices, then write both."""

    def way(order: PlaceOrder) -> None:
        marker = Key(f"NUMBER#{order.channel_order_id}", "N")
        if table.get(marker):
            return
        left = {sku: _available(table, sku) - units for sku, units in _wanted(order).items()}
        if min(left.values()) < 0:
            raise SoldOut
        for sku, units in left.items():
            table.commit(
                Write("Update", _stock(sku), update="SET #available = :left", values={"left": units})
            )
        table.commit(put(marker, {}))
        table.commit(_order(order, uuid.uuid4().hex))

    return way


def line_by_line(table: Table) -> Way:
    """Take the stock of each line under a condition; give it back when one is short or the order is there."""

    def way(order: PlaceOrder) -> None:
        taken: list[tuple[str, int]] = []
        try:
            for sku, units in _wanted(order).items():
                table.commit(_take(sku, units))
                taken.append((sku, units))
            table.commit(create(Key(f"NUMBER#{order.channel_order_id}", "N"), {}))
        except Cancelled as cancelled:
            for sku, units in taken:
                table.commit(
                    Write("Update", _stock(sku), update="ADD #available :units", values={"units": units})
                )
            if cancelled.reasons[0].write.action == "Update":
                raise SoldOut from cancelled
            return
        table.commit(_order(order, uuid.uuid4().hex))

    return way


def powertools(table: Table) -> Way:
    """One transaction for stock and order, in a function that Powertools makes idempotent."""
    config = IdempotencyConfig(event_key_jmespath="number")
    config.register_lambda_context(SimpleNamespace(get_remaining_time_in_millis=lambda: RUNNING_MS))  # type: ignore[arg-type]
    kept = DynamoDBPersistenceLayer(
        table.name,
        key_attr="PK",
        sort_key_attr="SK",
        static_pk_value="IDEMPOTENCY",
        boto3_client=table.client,
    )

    def placed(event: dict[str, str], order: PlaceOrder) -> str:
        name = uuid.uuid4().hex
        try:
            table.commit(_order(order, name), *(_take(sku, units) for sku, units in _wanted(order).items()))
        except Cancelled as cancelled:
            raise SoldOut from cancelled
        return name

    once: Callable[..., str] = idempotent_function(
        placed, data_keyword_argument="event", config=config, persistence_store=kept
    )
    return lambda order: once(event={"number": order.channel_order_id}, order=order)


def ours(table: Table) -> Way:
    """This system."""
    return lambda order: place_order(table, network(), order, NOW)


def _wanted(order: PlaceOrder) -> Wanted:
    return Counter({str(line.sku): int(line.quantity) for line in order.lines})


def _stock(sku: str) -> Key:
    return Key(f"STOCK#{sku}", "S")


def _available(table: Table, sku: str) -> int:
    item: Any = table.get(_stock(sku))
    return int(item["available"])


def _take(sku: str, units: int) -> Write:
    return Write(
        "Update",
        _stock(sku),
        update="SET #available = #available - :units",
        condition="#available >= :units",
        values={"units": units},
    )


def _order(order: PlaceOrder, name: str) -> Write:
    lines: Item = dict(_wanted(order))
    return put(Key(f"ORDER#{name}", "O"), {"number": order.channel_order_id, "lines": lines})


def _peer_stock(table: Table, units: Wanted) -> None:
    for sku, there in units.items():
        table.commit(put(_stock(sku), {"available": there}))


def _our_stock(table: Table, units: Wanted) -> None:
    for sku, there in units.items():
        fill(table, sku, wh_madrid=there)


def _peer_audit(table: Table, units: Wanted, orders: Sequence[PlaceOrder]) -> tuple[Counter[str], Row]:
    """What the items of a peer say: each order that it has stored will be shipped."""
    sold, stored = Counter[str](), Counter[str]()
    for item in _items(table):
        if item["SK"]["S"] == "O":
            sold.update({sku: int(value["N"]) for sku, value in item["lines"]["M"].items()})
            stored[item["number"]["S"]] += 1
    return stored, {
        "oversold": sum(max(0, sold[sku] - there) for sku, there in units.items()),
        "leaked": sum(abs(there - _available(table, sku) - sold[sku]) for sku, there in units.items()),
    }


def _our_audit(table: Table, units: Wanted, orders: Sequence[PlaceOrder]) -> tuple[Counter[str], Row]:
    """The same of ours, by its ledger; what is short waits."""
    headers = [decode_order(decode(item)) for item in _items(table) if item["SK"]["S"] == keys.HEADER_SK]
    names = {order_id(order.channel, order.channel_order_id): order.channel_order_id for order in orders}
    found = audited(table, headers)
    stored = Counter(names[header.order_id] for header in headers)
    return stored, {name: found[name] for name in ("oversold", "leaked")}


def _items(table: Table) -> Iterator[dict[str, Any]]:
    for page in table.client.get_paginator("scan").paginate(TableName=table.name):
        yield from page["Items"]


def _orders() -> list[PlaceOrder]:
    drawn = random.Random(0)
    return [
        command(
            *(line(sku, number=number) for number, sku in enumerate(drawn.sample(SKUS, drawn.choice(LINES)))),
            channel_order_id=str(order),
        )
        for order in range(ORDERS)
    ]


def _alone(client: "DynamoDBClient", make: Callable[[Table], Way], stock: Stocked) -> Row:
    """What an order costs whose units are there and that meets nobody."""
    orders = _orders()[:METERED]
    name = create_table(client, "bench-peers-metered", stream=False)
    stock(Table(client, name), dict.fromkeys(SKUS, METERED))
    meter, calls = Meter(client), Faults()
    way = make(Table(calls.wrap(meter.client()), name))
    for order in orders:
        way(order)
    client.delete_table(TableName=name)
    return {
        "write_units": round(meter.bill.writes / METERED, 1),
        "read_units": round(meter.bill.reads / METERED, 1),
        "calls": round(len(calls.calls) / METERED, 1),
    }


def _together(client: "DynamoDBClient", make: Callable[[Table], Way], stock: Stocked, audit: Audit) -> Row:
    """All orders, delivered by many at once until they are taken or refused."""
    orders = _orders()
    plain = Table(client, create_table(client, "bench-peers", stream=False))
    wanted = Counter(str(line.sku) for order in orders for line in order.lines)
    units = {sku: wanted[sku] * 9 // 10 for sku in SKUS}
    stock(plain, units)
    faults = Faults(loss_rate=LOST)
    way = make(Table(faults.wrap(Conflicts(client).client), plain.name))
    refused: set[str] = set()

    def deliver(order: PlaceOrder) -> None:
        for _ in range(DELIVERIES):
            with suppress(*AGAIN):
                try:
                    way(order)
                except SoldOut:
                    refused.add(order.channel_order_id)
                return
            time.sleep(VISIBILITY_S)

    messages = [order for number, order in enumerate(orders) for _ in range(1 + (number % REPEATED == 0))]
    begin = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(deliver, messages))
    seconds = time.perf_counter() - begin
    stored, wrong = audit(plain, units, orders)
    client.delete_table(TableName=plain.name)
    return {
        "orders": len(orders),
        "orders_per_s": round(len(orders) / seconds, 1),
        "calls_under_load": round(len(faults.calls) / len(orders), 1),
        "stored": len(stored),
        **wrong,
        "duplicates": stored.total() - len(stored),
        "lost": len(orders) - len(stored.keys() | refused),
    }


WAYS: Mapping[str, tuple[Callable[[Table], Way], Stocked, Audit]] = {
    "read, then write": (read_then_write, _peer_stock, _peer_audit),
    "line by line, giving back": (line_by_line, _peer_stock, _peer_audit),
    "transaction behind Powertools": (powertools, _peer_stock, _peer_audit),
    "ours": (ours, _our_stock, _our_audit),
}
