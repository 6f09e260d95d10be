"""`availability` on records of the stream: movements are kept once, and nobody waits for stock that came."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.availability import handler as availability
from oms.inventory.model import Delta, Sku, Supply, SupplyKind
from oms.inventory.movements import Lost, counters
from oms.runtime import clients
from oms.runtime.batch import RecordFailedError
from oms.store import keys, queries
from oms.store.queries import Span
from oms.store.stock import encode_supply
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.store.writes import replace as write
from oms.usecases.announce_supply import announce_supply, close_supply
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.describe_sku import describe_sku
from oms.usecases.limit_backorders import limit_backorders
from oms.usecases.place_order import place_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.recorder import STOCK_STEPS, RecordingTable, recorded
from tests.shelves import fill, position
from tests.stream import Record, record

SERVED = [("serve", "A"), ("expect", "A")]
"""What is asked for when units of A can be given to those who wait."""

SAMPLES = sorted((Path(__file__).parents[2] / "events").glob("availability_*.json"))


class Shop:
    """A table whose changes under skus are kept as records, and the queue of `sourcing`."""

    def __init__(self, table: Table, receiver: Receiver) -> None:
        self.table = RecordingTable(table, "SKU#")
        self.receiver = receiver

    @property
    def asked(self) -> list[tuple[object, ...]]:
        """What `sourcing` was asked for."""
        return [
            tuple(json.loads(entry["MessageBody"]).values())
            for entry in self.receiver.taken
            if entry["QueueUrl"] == "https://sqs/sourcing"
        ]

    def describe(self, sku: str, **what: Any) -> None:
        describe_sku(self.table, Sku(sku, **what))

    def receive(self, sku: str, units: int, location: str = "wh-madrid") -> None:
        why = Why("receipt", "po-7", "wms", NOW)
        self.table.commit(move(sku, location, Delta(on_hand=units), why))

    def count(self, sku: str, units: int, location: str = "wh-madrid", hours: int = 1) -> None:
        moment = NOW + timedelta(hours=hours)
        found = Count(sku, location, units, moment, "count", "wms")
        count_stock(self.table, network(), found, moment)

    def order(self, number: str, *lines: tuple[str, int]) -> None:
        wanted = (line(sku, units, number=n) for n, (sku, units) in enumerate(lines, 1))
        place_order(self.table, network(), command(*wanted, channel_order_id=number), NOW)

    def records(self) -> list[Record]:
        """The records of everything since the last time."""
        made, self.table.records = self.table.records, []
        return made

    def history(
        self, sku: str, location: str = "wh-madrid", limit: int = 99
    ) -> list[tuple[int, Lost | None]]:
        page = queries.movements(self.table, sku, location, Span(limit))
        return [(movement.v, lost) for movement, lost in page.items]


@pytest.fixture
def shop(table: Table, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("SOURCING_QUEUE_URL", "https://sqs/sourcing")
    monkeypatch.setenv("ATS_QUEUE_URL", "https://sqs/ats.fifo")
    monkeypatch.setenv("STREAM_FAILURES", "report")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    receiver = Receiver()
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    return Shop(table, receiver)


@pytest.fixture
def through(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    """Lets the function reach the table through another client."""

    def use(client: Any) -> None:
        table = Table(client, shop.table.name, pause=lambda seconds: None)
        opened = SimpleNamespace(table=lambda: table, network=network)
        monkeypatch.setattr(availability, "process", opened)

    return use


def run(batch: Sequence[Record]) -> list[str]:
    """Sequence numbers of the records that failed."""
    answer = availability.handler({"Records": list(batch)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def lived(shop: Shop) -> list[Record]:
    """A sku that is received, sold, counted, and sold again."""
    fill(shop.table, "A", wh_madrid=0)
    shop.receive("A", 5)
    shop.order("1", ("A", 2))
    shop.count("A", 9)
    shop.order("2", ("A", 1))
    return shop.records()


def kept(shop: Shop) -> dict[str, Any]:
    """Every movement in the table, by its keys."""
    items = shop.table.client.scan(TableName=shop.table.name)["Items"]
    return {f"{i['PK']} {i['SK']}": i for i in items if i["PK"]["S"].startswith("MV#")}


# ---- What fails --------------------------------------------------------------------------------------------


def without_why(one: Record) -> Record:
    del one["dynamodb"]["NewImage"]["why"]
    return one


def without_version(one: Record) -> Record:
    del one["dynamodb"]["NewImage"]["v"]
    return one


def without_image(one: Record) -> Record:
    one["dynamodb"]["NewImage"] = None
    return one


@pytest.mark.parametrize("spoil", [without_why, without_version, without_image])
@pytest.mark.parametrize("mode", ["report", "raise"])
def test_a_record_that_cannot_be_read_stops_the_batch_there(
    spoil: Any, mode: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_FAILURES", mode)
    batch = [one for one in lived(shop) if one["dynamodb"]["Keys"]["SK"]["S"] == "P#wh-madrid"]
    batch[2] = spoil(copy.deepcopy(batch[2]))
    if mode == "report":
        assert run(batch) == [number(batch[2])]
    else:
        with pytest.raises(RecordFailedError, match=number(batch[2])):
            run(batch)
    assert [v for v, _ in shop.history("A")] == [2, 1]


class Instead:
    """A client with another answer to the calls of one name."""

    def __init__(self, client: object, name: str, answer: Callable[..., Any]) -> None:
        self._client = client
        self._name = name
        self._answer = answer

    def __getattr__(self, name: str) -> Any:
        return self._answer if name == self._name else getattr(self._client, name)


def refuse(**request: Any) -> Any:
    raise ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "Call")


@pytest.mark.parametrize("call", ["batch_write_item", "query"])
def test_a_store_that_fails_fails_the_first_record_that_needs_it(
    call: str, shop: Shop, through: Callable[[object], None]
) -> None:
    shop.describe("B", title="Mug")
    shop.receive("A", 5)
    described, received = shop.records()
    through(Instead(shop.table.client, call, refuse))
    assert run([described, received]) == [number(received)]
    assert shop.asked == [("serve", "B", True)]


def test_throttled_movements_are_put_again(shop: Shop, through: Callable[[object], None]) -> None:
    batch, client, calls = lived(shop), shop.table.client, []

    def one_at_a_time(*, RequestItems: Any) -> Any:  # noqa: N803 (boto3's)
        calls.append(RequestItems)
        ((name, puts),) = RequestItems.items()
        client.batch_write_item(RequestItems={name: puts[:1]})
        return {"UnprocessedItems": {name: puts[1:]} if puts[1:] else {}}

    through(Instead(client, "batch_write_item", one_at_a_time))
    assert run(batch) == []
    assert len(calls) == len(shop.history("A")) == 5


def test_throttling_that_does_not_end_fails_the_first_record(
    shop: Shop, through: Callable[[object], None]
) -> None:
    batch = lived(shop)
    through(
        Instead(
            shop.table.client,
            "batch_write_item",
            lambda RequestItems: {"UnprocessedItems": RequestItems},  # noqa: N803 (boto3's)
        )
    )
    described, counted, *_ = batch
    assert run(batch) == [number(counted)]
    assert described["dynamodb"]["Keys"]["SK"]["S"] == "META"


def test_a_queue_that_refuses_fails_the_record_and_the_movements_stay(shop: Shop) -> None:
    batch = lived(shop)
    shop.receiver.down = True
    assert run(batch) == [number(batch[0])]
    assert len(shop.history("A")) == 5
    shop.receiver.down = False
    assert run(batch) == []
    assert shop.asked == [("serve", "A", True)]


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_a_crash_anywhere_is_mended_by_the_next_delivery(
    when: str, shop: Shop, through: Callable[[object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(shop.table, "A", wh_madrid=0)
    limit_backorders(shop.table, network(), "A", "iberia", None)
    shop.order("1", ("A", 2))
    shop.receive("A", 5)
    _, *batch = shop.records()
    assert run(batch) == []
    wanted, asked = kept(shop), shop.asked
    calls = 0
    while True:
        for movement in kept(shop).values():
            key: Any = {name: movement[name] for name in ("PK", "SK")}
            shop.table.client.delete_item(TableName=shop.table.name, Key=key)
        calls += 1
        faults = Faults(**{when: calls})  # type: ignore[arg-type]  # one of its numbers of calls
        through(faults.wrap(shop.table.client))
        monkeypatch.setattr(clients, "sqs", lambda faults=faults: faults.wrap(shop.receiver.queue))
        try:
            run(batch)
            crashed = False
        except Crash:
            crashed = True
        if len(faults.calls) < calls:
            break
        assert crashed == (when != "lose_response")
        shop.receiver.taken.clear()
        through(shop.table.client)
        monkeypatch.setattr(clients, "sqs", lambda: shop.receiver.queue)
        assert run(batch) == []
        assert (kept(shop), shop.asked) == (wanted, asked)
    assert asked == SERVED
    assert calls == 6  # the movements, the stock, a message to each of three queues, and nothing more


# ---- Movements ---------------------------------------------------------------------------------------------


def test_every_write_of_a_position_is_kept_with_who_when_and_why(shop: Shop) -> None:
    assert run(lived(shop)) == []
    page = queries.movements(shop.table, "A", "wh-madrid", Span(9))
    told = [(m.v, m.reason, m.actor, dict(m.change)) for m, _ in page.items]
    assert told == [
        (5, "order_placed", "intake", {"allocated": 1, "uncommitted": -1}),
        (4, "count", "wms", {"on_hand": 4, "uncommitted": 4}),
        (3, "order_placed", "intake", {"allocated": 2, "uncommitted": -2}),
        (2, "receipt", "wms", {"on_hand": 5, "uncommitted": 5}),
        (1, "count", "test", {}),
    ]
    assert page.items[0][0].after == counters(position(shop.table, "A", "wh-madrid"))
    assert all(lost is None for _, lost in page.items)


def test_records_again_in_any_order_and_in_any_batches_keep_the_same(shop: Shop) -> None:
    batch = lived(shop)
    run(batch)
    once = kept(shop)
    for order in list(permutations(batch))[::97]:
        for size in (1, 2, len(order)):
            for begin in range(0, len(order), size):
                assert run(order[begin : begin + size]) == []
    run(batch * 2)
    assert kept(shop) == once


def test_more_movements_than_one_call_takes_are_all_kept(shop: Shop) -> None:
    shop.describe("A")
    for _ in range(60):
        shop.receive("A", 1)
    assert run(shop.records()) == []
    assert [v for v, _ in shop.history("A")] == list(range(60, 0, -1))


def test_what_is_lost_shows_in_sum(shop: Shop) -> None:
    batch = lived(shop)
    run([one for one in batch if one["dynamodb"]["NewImage"].get("v", {}).get("N") not in ("2", "3")])
    assert shop.history("A") == [
        (5, None),
        (4, Lost(2, {"allocated": 2, "on_hand": 5, "uncommitted": 3})),
        (1, None),
    ]


def test_a_position_that_is_deleted_and_what_is_no_stock_give_nothing(shop: Shop) -> None:
    batch = lived(shop)
    gone = record(1, None, batch[-1]["dynamodb"]["NewImage"])
    cart = {"PK": {"S": "SKU#A"}, "SK": {"S": "R#cart#wh"}, "t": {"S": "reservation"}}
    order = {"PK": {"S": "O#1"}, "SK": {"S": "O"}, "t": {"S": "order"}}
    assert run([gone, record(2, cart), record(3, order)]) == []
    assert (kept(shop), shop.asked) == ({}, [])


# ---- What waits --------------------------------------------------------------------------------------------


def test_a_sku_that_becomes_known_is_served_and_a_new_title_is_not(shop: Shop) -> None:
    shop.describe("A", title="Mug")
    shop.describe("A", title="Cup")
    shop.describe("B", scale=1)
    shop.describe("B", scale=1000)
    first, renamed, *rescaled = shop.records()
    assert run([renamed]) == []
    assert shop.asked == []
    assert run([first, *rescaled]) == []
    assert shop.asked == [("serve", "A", True), ("serve", "B", True)]


@pytest.fixture
def waiting(shop: Shop) -> Shop:
    """Two units of A are backordered, and nothing else has happened."""
    fill(shop.table, "A", wh_madrid=0)
    limit_backorders(shop.table, network(), "A", "iberia", None)
    shop.order("1", ("A", 2))
    assert run(shop.records()) == []
    shop.receiver.taken.clear()
    return shop


def test_stock_that_comes_while_units_wait_is_told_once_a_batch(waiting: Shop) -> None:
    waiting.receive("A", 1)
    waiting.receive("A", 1, "wh-lyon")
    assert run(waiting.records()) == []
    assert waiting.asked == SERVED


def test_stock_that_falls_or_goes_where_no_pool_sells_wakes_nobody(waiting: Shop) -> None:
    waiting.receive("A", 1, "wh-elsewhere")
    waiting.count("A", 0)
    assert run(waiting.records()) == []
    assert waiting.asked == []


def test_stock_that_nobody_waits_for_wakes_nobody(shop: Shop) -> None:
    fill(shop.table, "A", wh_madrid=1)
    _, *later = shop.records()
    shop.receive("A", 1)
    assert run([*later, *shop.records()]) == []
    assert shop.asked == []


def test_an_order_that_began_to_wait_while_stock_came_is_served(shop: Shop) -> None:
    fill(shop.table, "A", wh_madrid=0)
    limit_backorders(shop.table, network(), "A", "iberia", None)
    run(shop.records())
    shop.receiver.taken.clear()
    shop.order("1", ("A", 2))
    started_to_wait = shop.records()
    shop.receive("A", 2)
    came = shop.records()
    for first, second in ((came, started_to_wait), (started_to_wait, came)):
        shop.receiver.taken.clear()
        assert run(first) == run(second) == []
        assert shop.asked == SERVED * 2


@pytest.mark.parametrize(
    "changed",
    [
        {"due": NOW + timedelta(days=5)},
        {"expected": 8},
        {"expected": 20},
        {"location": "st-gracia"},
        {"closed": True},
    ],
)
def test_supply_that_is_announced_or_changes_is_told_to_those_who_wait(
    waiting: Shop, changed: dict[str, Any]
) -> None:
    waiting.records()
    coming = Supply("A", "po-1", SupplyKind.PURCHASE_ORDER, "wh-madrid", NOW + timedelta(days=3), 9)
    announce_supply(waiting.table, network(), coming)
    assert run(waiting.records()) == []
    assert waiting.asked == [("expect", "A")]
    assert waiting.receiver.taken[-1]["DelaySeconds"] == 5
    if "closed" in changed:
        close_supply(waiting.table, "A", "po-1")
    else:
        announce_supply(waiting.table, network(), replace(coming, **changed))
    assert run(waiting.records()) == []
    assert waiting.asked == [("expect", "A")] * 2


def test_supply_that_nobody_waits_for_or_that_says_the_same_is_told_to_nobody(shop: Shop) -> None:
    fill(shop.table, "A", wh_madrid=1)
    shop.order("1", ("A", 1))
    shop.records()
    coming = Supply("A", "po-1", SupplyKind.PURCHASE_ORDER, "wh-madrid", NOW + timedelta(days=3), 9)
    announce_supply(shop.table, network(), coming)
    assert run(shop.records()) == []
    assert shop.asked == []
    shop.order("2", ("A", 1))
    shop.records()
    same = encode_supply(replace(coming, v=2))
    shop.table.commit(write(keys.supply("A", "po-1"), same, 1))
    assert run(shop.records()) == []
    assert shop.asked == []


def test_another_first_release_is_told_to_those_who_wait(waiting: Shop) -> None:
    waiting.records()
    waiting.describe("A", first_release_at=NOW + timedelta(days=9))
    assert run(waiting.records()) == []
    assert sorted(map(str, waiting.asked)) == ["('expect', 'A')", "('serve', 'A', True)"]


def test_a_position_short_of_what_it_promised_is_told_and_one_that_recovers_only_in_full(shop: Shop) -> None:
    fill(shop.table, "A", wh_madrid=5)
    shop.order("1", ("A", 4))
    run(shop.records())
    shop.receiver.taken.clear()
    shop.count("A", 2, hours=1)
    shop.count("A", 1, hours=2)
    assert run(shop.records()) == []
    assert shop.asked == [("shortage", "A", "wh-madrid")]
    shop.receiver.taken.clear()
    shop.count("A", 3, hours=3)
    assert run(shop.records()) == []
    assert shop.asked == []
    shop.count("A", 4, hours=4)
    assert run(shop.records()) == []
    assert shop.asked == [("shortage", "A", "wh-madrid")]


def test_a_sku_of_any_letters_can_be_told(shop: Shop) -> None:
    shop.describe("Taza \x0b “ñ” #1")
    assert run(shop.records()) == []
    assert {entry["QueueUrl"] for entry in shop.receiver.taken} == {
        "https://sqs/sourcing",
        "https://sqs/ats.fifo",
    }
    for entry in shop.receiver.taken:
        assert json.loads(entry["MessageBody"])["sku"] == "Taza \x0b “ñ” #1"
        assert entry["MessageAttributes"]["correlation_id"]["StringValue"].isprintable()
        assert entry["MessageAttributes"]["correlation_id"]["StringValue"].isascii()


def test_the_log_and_the_metrics_tell_how_much(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    fill(shop.table, "A", wh_madrid=2)
    shop.order("1", ("A", 2))
    shop.count("A", 1)
    assert run(shop.records()) == []
    written = capsys.readouterr().out
    for told in ('"MovementsRecorded":3', '"PositionsEmptied":1', '"PositionsShort":1', '"messages":4'):
        assert told in written


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_followed_in_full(path: Path, shop: Shop) -> None:
    batch = json.loads(path.read_text())["Records"]
    assert run(batch) == []
    assert len(kept(shop)) == sum(one["dynamodb"]["Keys"]["SK"]["S"].startswith("P#") for one in batch) > 0


def test_the_samples_are_what_the_use_cases_write_today() -> None:
    assert {path.stem for path in SAMPLES} == set(STOCK_STEPS)
    now = recorded(STOCK_STEPS, keys.SKU)
    for path in SAMPLES:
        assert json.loads(path.read_text())["Records"] == now[path.stem], "run `python -m tests.recorder`"


def test_positions_are_what_the_movements_add_up_to(shop: Shop) -> None:
    run(lived(shop))
    page = queries.movements(shop.table, "A", "wh-madrid", Span(99))
    units: dict[str, int] = {}
    for movement, _ in page.items:
        for name, change in movement.change.items():
            units[name] = units.get(name, 0) + change
    assert units == counters(position(shop.table, "A", "wh-madrid"))
