"""Lines that name a listing of their channel alone: they get its sku whichever of the two comes first."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from functions.sourcing.handler import handler as sourcing
from oms.channels.canonical import to_document
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.events.publish import Queue
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id, shard
from oms.orders.judgement import Verdict
from oms.orders.records import ListingRecorded
from oms.orders.status import OrderStatus, order_status
from oms.orders.work import WorkStage
from oms.store import keys
from oms.store.table import Table
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.record_listing import record_listing, source_listed
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(minutes=20)
NEWER = "2026-11-22T09:45:00.000Z"
UNNAMED = line(None, 2, properties={"listing_id": "L-1"})
ORDER = command(UNNAMED)
LISTED = ListingRecorded(
    *("shop-es", "square", "L-1", None, "I-1", "A", "Article A", None, True, True),
    as_of=NOW,
)


def told(table: Table, recorded: ListingRecorded = LISTED) -> None:
    """A channel tells of a listing, through intake's two steps."""
    queue = Queue(Receiver().queue, "https://sqs/publish")
    record_listing(table, network(), queue, recorded)
    source_listed(table, network(), recorded.channel, str(recorded.listing_id), LATER)


def alone(table: Table, sent: PlaceOrder) -> None:
    place_order(table, network(), sent, LATER)


def together(table: Table, sent: PlaceOrder) -> None:
    list(place_orders(table, network(), [sent], LATER))


def assert_sourced(table: Table, units: int = 2) -> None:
    """The line has its sku and its units, and nothing is left of its not having been known."""
    (only,) = order_of(table, ID).lines
    assert (only.sku, only.listing, only.allocated, only.open, only.pending) == ("A", None, units, 0, False)
    assert (order_of(table, ID).exceptions, order_of(table, ID).holds) == ((), ())
    assert shelves(table, "A") == {"wh-madrid": (5, units, 5 - units)}
    assert table.query(keys.order(ID), "W#") == []
    assert not check_ledger(table, segments=1).findings


def test_a_listing_that_nobody_maps_is_an_open_line_under_an_exception(table: Table) -> None:
    alone(table, ORDER)
    order = order_of(table, ID)
    assert order_status(order) is OrderStatus.PLACED
    assert [known.code for known in order.exceptions] == ["sku_unknown"]
    assert (order.lines[0].open, order.lines[0].listing) == (2, "L-1")
    told(table, replace(LISTED, listing_id="L-2", item_id="I-2"))
    told(table, replace(LISTED, sku=None))
    told(table, replace(LISTED, channel="shop-fr"))
    assert order_of(table, ID) == order


@pytest.mark.parametrize("send", [alone, together], ids=["alone", "in the hot lane"])
@pytest.mark.parametrize("steps", list(permutations(("order", "listing", "sku"))), ids=", ".join)
def test_it_gets_its_sku_in_whatever_order_things_are_told(
    table: Table, steps: tuple[str, ...], send: Callable[[Table, PlaceOrder], None]
) -> None:
    def described() -> None:
        fill(table, "A", wh_madrid=5)
        serve = {"type": "serve", "sku": "A", "described": True}
        sourcing({"Records": [{"messageId": "m1", "body": json.dumps(serve)}]}, None)

    step: dict[str, Callable[[], object]] = {
        "order": lambda: send(table, ORDER),
        "listing": lambda: told(table),
        "sku": described,
    }
    for name in steps:
        step[name]()
    assert_sourced(table)
    for name in ("order", "listing"):
        step[name]()
    assert_sourced(table)


def test_a_listing_under_which_no_stock_is_counted_names_its_sku_too(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    alone(table, ORDER)
    told(table, replace(LISTED, item_id=None))
    assert_sourced(table)


def test_what_is_older_than_we_know_names_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    told(table)
    told(table, replace(LISTED, sku="B", as_of=NOW - timedelta(days=1)))
    alone(table, ORDER)
    assert_sourced(table)


def test_a_newer_version_that_names_the_listing_alone_is_applied_in_whole(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    alone(table, ORDER)
    told(table)
    newer = replace(ORDER, notes="ring twice", channel_version=NEWER)
    assert place_order(table, network(), newer, LATER).verdict is Verdict.EDITED
    assert_sourced(table)


def test_a_line_that_a_version_adds_gets_its_sku(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    told(table)
    alone(table, command(line("A", 1)))
    more = command(line("A", 1), replace(UNNAMED, channel_line_id="702"), channel_version=NEWER)
    alone(table, more)
    assert [(one.sku, one.allocated) for one in order_of(table, ID).lines] == [("A", 1), ("A", 2)]


def test_a_line_that_is_cancelled_waits_for_no_sku(table: Table) -> None:
    alone(table, ORDER)
    alone(table, replace(ORDER, cancelled=True, channel_version=NEWER))
    assert table.query(keys.order(ID), "W#") == []
    before = order_of(table, ID)
    fill(table, "A", wh_madrid=5)
    told(table)
    assert order_of(table, ID) == before


def test_whom_the_index_did_not_show_the_clock_finds(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    alone(table, ORDER)
    record_listing(table, network(), Queue(Receiver().queue, "https://sqs/publish"), LISTED)
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://queue.example.test")
    for minute in range(16):
        sweep = Sweep(WorkStage.OPEN, shard(ID))
        sweep_due(table, queue, queue, sweep, LATER + timedelta(minutes=minute))
    bodies = [entry["MessageBody"] for entry in receiver.taken]
    assert {"type": "source", "order_id": ID} in [json.loads(body) for body in bodies]
    assert sourcing({"Records": [{"messageId": "m1", "body": bodies[0]}]}, None) == {"batchItemFailures": []}
    assert_sourced(table)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    fill(table, "A", wh_madrid=5)
    alone(table, ORDER)
    undisturbed = Faults()
    told(Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        fill(fresh, "A", wh_madrid=5)
        alone(fresh, ORDER)
        try:
            told(Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        except (Crash, ReadTimeoutError):
            told(fresh)
        assert_sourced(fresh)
        table.client.delete_table(TableName=fresh.name)


def test_intake_gives_waiting_lines_the_sku_that_a_channel_tells(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(table, "A", wh_madrid=5)
    alone(table, ORDER)
    receiver = Receiver()
    monkeypatch.setattr("functions.intake.handler._publish", lambda: Queue(receiver.queue, "https://sqs"))
    event: dict[str, Any] = json.loads((Path(__file__).parents[2] / "events" / "intake.json").read_text())
    (record,) = event["Records"]
    body = json.dumps(to_document(LISTED)).encode()
    sealed = seal("shop-es", adapter("generic"), Headers(()), body, NOW)
    assert intake({"Records": [record | {"body": sealed}]}, None) == {"batchItemFailures": []}
    assert_sourced(table)
