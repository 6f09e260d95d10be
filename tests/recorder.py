"""Records the sample trigger events of the stream's readers from what the use cases write.

`python -m tests.recorder` writes them anew.
"""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import boto3
from moto import mock_aws

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.orders.identity import order_id
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import Write
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.limit_backorders import limit_backorders
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.shelves import fill
from tests.stream import Image, Record, lambda_form, record
from tests.tables import create_table

EVENTS = Path(__file__).parent.parent / "events"
ORDER = command(line("A", 2), line("B", 1, number=2))
ORDER_ID = order_id(ORDER.channel, ORDER.channel_order_id)


class RecordingTable(Table):
    """A table that keeps the records which its stream has of keys with a prefix."""

    def __init__(self, table: Table, prefix: str) -> None:
        super().__init__(table.client, table.name)
        self.records: list[Record] = []
        self._prefix = prefix

    def commit(self, *writes: Write) -> None:
        ours = [write.key for write in writes if write.key.pk.startswith(self._prefix)]
        before = {key: self._image(key) for key in ours}
        super().commit(*writes)
        for key in ours:
            self.records.append(record(len(self.records) + 1, self._image(key), before[key]))

    def _image(self, key: Key) -> Image | None:
        answer = self.client.get_item(TableName=self.name, Key={"PK": {"S": key.pk}, "SK": {"S": key.sk}})
        return lambda_form(answer["Item"]) if "Item" in answer else None


def recorded(steps: "Steps", prefix: str = "O#") -> dict[str, list[Record]]:
    """The batches of an order of two lines, one for a warehouse and one for a store, by the sample's name."""
    with mock_aws():
        client = boto3.client(
            "dynamodb", region_name="eu-south-2", aws_access_key_id="test", aws_secret_access_key="test"
        )
        table = RecordingTable(Table(client, create_table(client, "orders", stream=False)), prefix)
        fill(table, "A", wh_madrid=9)
        fill(table, "B", st_gracia=9)
        batches: dict[str, list[Record]] = {}
        for name, step in steps.items():
            begin = len(table.records)
            step(table)
            batches[name] = table.records[begin:]
        return batches


def _place(table: Table) -> None:
    place_order(table, network(), ORDER, NOW)


def _release(table: Table) -> None:
    release_order(table, network(), ORDER_ID, NOW + timedelta(minutes=1))


def _ship(table: Table) -> None:
    for minutes, name in enumerate(("2-1", "2-2"), 5):
        parcel = Package("p1", "correos", f"PQ4F6X07123456701082{minutes}Q", 900)
        moment = NOW + timedelta(minutes=minutes)
        fact = FulfillmentFact(f"shipped-{name}", FactKind.SHIPPED, moment, ORDER_ID, name, (parcel,))
        record_fulfillment(table, fact, moment + timedelta(seconds=30))


def _count(table: Table) -> None:
    limit_backorders(table, network(), "A", "iberia", None)
    place_order(table, network(), command(line("A", 10), channel_order_id="5002"), NOW)
    found = Count("A", "wh-madrid", 12, NOW, "count", "wms")
    count_stock(table, network(), found, NOW + timedelta(hours=1))


type Steps = Mapping[str, Callable[[Table], None]]

STEPS: Steps = {
    "outbox_placed": _place,
    "outbox_released": _release,
    "outbox_shipped": _ship,
}
"""What happens to orders, by the name of the sample that it gives `outbox`."""

STOCK_STEPS: Steps = {"availability_sold": _place, "availability_counted": _count}
"""What happens to stock, by the name of the sample that it gives `availability`."""


if __name__ == "__main__":
    for sample, made in (recorded(STEPS) | recorded(STOCK_STEPS, "SKU#")).items():
        (EVENTS / f"{sample}.json").write_text(json.dumps({"Records": made}, indent=2) + "\n")
