"""`clock` sweeps what is due, asks for it as often as it must, and stops at nothing that it can leave out."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.clock import handler as clock
from functions.sourcing import handler as sourcing
from oms.orders.identity import SHARDS, shard
from oms.orders.model import Order
from oms.orders.work import WorkStage
from oms.runtime import clients
from oms.store import keys
from oms.store.orders import encode_body, encode_order
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases import sweep_due
from oms.usecases.sweep_due import REOPTIMISE_MINUTES
from tests.builders import command as order
from tests.builders import line
from tests.outlets import Receiver, nothing
from tests.stories import Story

EVENTS = Path(__file__).parents[2] / "events"
TICK = '{"tick": true}'
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Queues:
    """The queues of `clock`, and what they have taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.receiver = Receiver()
        monkeypatch.setenv("SOURCING_QUEUE_URL", "https://sqs/sourcing")
        monkeypatch.setenv("CLOCK_QUEUE_URL", "https://sqs/clock")
        monkeypatch.setattr(clients, "sqs", lambda: self.receiver.queue)
        monkeypatch.setattr("time.sleep", lambda seconds: None)

    def sent(self, queue: str) -> list[str]:
        """Bodies of the messages in a queue."""
        url = f"https://sqs/{queue}"
        return [entry["MessageBody"] for entry in self.receiver.taken if entry["QueueUrl"] == url]

    @property
    def released(self) -> list[str]:
        """Ids of the orders that `sourcing` is asked to release."""
        asked = map(json.loads, self.sent("sourcing"))
        return [message["order_id"] for message in asked if message["type"] == "release"]


@pytest.fixture
def queues(table: Table, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """Between two minutes at which the backlog is planned again."""
    set_clock(monkeypatch, lambda now: now - timedelta(minutes=now.minute % REOPTIMISE_MINUTES == 0))
    return Queues(monkeypatch)


def set_clock(monkeypatch: pytest.MonkeyPatch, turned: Callable[[datetime], datetime]) -> None:
    """Let the function's clock show another time than ours."""
    monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: turned(datetime.now(zone))))


def run(*bodies: str) -> list[str]:
    """Ids of the messages that failed."""
    records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
    answer = clock.handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def store(table: Table, *orders: Order) -> list[str]:
    """Ids of orders put into the table."""
    for one in orders:
        table.commit(put(keys.header(one.order_id), encode_order(one)))
    return [one.order_id for one in orders]


def allocated(count: int, due: datetime = LONG_AGO, first: int = 0, sku: str = "A") -> list[Order]:
    """Orders with units allocated (of A) or without a source (of C)."""
    numbers = range(first, first + count)
    stories = (Story(sent=order(line(sku, 2), channel_order_id=str(n))) for n in numbers)
    return [replace(story.order, due_at=due) for story in stories]


def in_one_shard(count: int) -> list[Order]:
    """Orders that stand in one shard, each due a minute after the one before."""
    made = [one for one in allocated(count * SHARDS * 3) if shard(one.order_id) == "07"][:count]
    assert len(made) == count
    return [replace(one, due_at=LONG_AGO + timedelta(minutes=n)) for n, one in enumerate(made)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{}", "stage"),
        ('{"stage": "evaporate", "shard": "03", "after": {}}', "stage"),
        ('{"stage": "held", "shard": "03", "after": {}}', "stage"),
        ('{"stage": "release", "shard": "16", "after": {}}', "shard"),
        ('{"stage": "release", "shard": "3", "after": {}}', "shard"),
        ('{"stage": "release", "shard": "03"}', "after"),
        ('{"stage": "release", "shard": "03", "after": {"PK": "O#1"}}', "after.SK"),
        ("tick", None),
        ("[]", "stage"),
    ],
)
def test_a_message_that_is_not_one_of_ours_fails_alone(
    body: str, field: str | None, table: Table, queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    due = store(table, *allocated(1))
    assert run(body, TICK) == ["0"]
    assert queues.released == due
    if field:
        assert f'"field":"{field}"' in capsys.readouterr().out


def test_every_five_minutes_the_backlog_is_to_be_planned_again_once_for_all_ticks(
    table: Table, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, lambda now: now.replace(minute=25))
    assert run(TICK, TICK) == []
    assert queues.sent("sourcing") == ['{"type":"reoptimise"}']


def test_what_is_not_due_yet_stays_where_it_is(table: Table, queues: Queues) -> None:
    store(table, *allocated(3, due=datetime.now(UTC) + timedelta(minutes=5)))
    assert run(TICK) == []
    assert queues.receiver.calls == []


def test_a_held_order_is_not_released(table: Table, queues: Queues) -> None:
    store(table, *(replace(one, holds=("payment",)) for one in allocated(2)))
    run(TICK)
    assert queues.receiver.calls == []


def test_what_sourcing_does_not_take_is_asked_for_again(table: Table, queues: Queues) -> None:
    due = store(table, *allocated(5))
    refused = due[2]
    queues.receiver.refuse = lambda entry: refused in entry["MessageBody"]
    assert run(TICK) == ["0"]
    assert refused not in queues.released
    queues.receiver.refuse = nothing
    assert run(TICK) == []
    assert set(queues.released) == set(due)


def test_a_page_is_not_left_behind_when_the_queue_of_the_clock_does_not_take_the_next(
    table: Table, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_due, "PAGE", 2)
    store(table, *in_one_shard(3))
    queues.receiver.refuse = lambda entry: entry["QueueUrl"].endswith("clock")
    assert run(TICK) == ["0"]


def test_every_shard_is_swept(table: Table, queues: Queues) -> None:
    of_each = {shard(one.order_id): one for one in allocated(SHARDS * 10)}
    assert len(of_each) == SHARDS
    due = store(table, *of_each.values())
    assert run(TICK) == []
    assert sorted(queues.released) == sorted(due)
    assert queues.sent("clock") == []


def test_ticks_that_have_piled_up_are_one(table: Table, queues: Queues) -> None:
    due = store(table, *allocated(3))
    assert run(TICK, TICK, TICK) == []
    assert sorted(queues.released) == sorted(due)


def test_a_tick_delivered_again_only_repeats_the_question(table: Table, queues: Queues) -> None:
    due = store(table, *allocated(2))
    run(TICK)
    run(TICK)
    assert sorted(queues.released) == sorted(due * 2)


def test_full_pages_are_continued_by_message_until_all_is_swept(
    table: Table, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_due, "PAGE", 3)
    due = store(table, *in_one_shard(8))
    assert run(TICK) == []
    assert queues.released == due[:3]
    pages = 0
    while pages < len(queues.sent("clock")):
        assert run(queues.sent("clock")[pages]) == []
        pages += 1
    assert queues.released == due
    assert pages == 2
    assert all(json.loads(page)["shard"] == "07" for page in queues.sent("clock"))


def test_sourcing_releases_what_it_is_asked_for_and_the_clock_asks_no_more(
    table: Table, queues: Queues
) -> None:
    story = Story("A")
    story.order = replace(story.order, due_at=LONG_AGO)
    (order_id,) = store(table, story.order)
    table.commit(put(keys.body(order_id), encode_body(story.order, story.body)))
    run(TICK)
    (asked,) = queues.sent("sourcing")
    answer = sourcing.handler({"Records": [{"messageId": "1", "body": asked}]}, None)
    assert answer == {"batchItemFailures": []}
    assert len(table.query(keys.order(order_id), keys.FULFILLMENT_ORDER)) == 1
    run(TICK)
    assert queues.released == [order_id]


def test_what_waits_is_counted_each_minute(
    table: Table, queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    store(table, *allocated(4, sku="C"))
    store(table, *allocated(3, first=50))
    assert run(TICK) == []
    assert backlog(capsys) == {WorkStage.OPEN: 4, WorkStage.RELEASE: 3}


def test_what_waits_is_asked_for_once_in_15_minutes(
    table: Table, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = allocated(20, sku="C")
    unknown = allocated(1, first=50, sku="GHOST")
    store(table, *waiting, *unknown)
    asked: list[list[object]] = []
    for minute in range(30):
        now = datetime.now(UTC).replace(minute=minute)
        monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone, now=now: now))
        before = len(queues.sent("sourcing"))
        assert run(TICK) == []
        asked.append([json.loads(body) for body in queues.sent("sourcing")[before:]])
    assert asked[:15] == asked[15:]
    skus = [one for minute in asked[:15] for one in minute if one == {"type": "serve", "sku": "C"}]
    assert len(skus) == len({shard(one.order_id) for one in waiting})
    orders = [one for minute in asked[:15] for one in minute if one not in (*skus, {"type": "reoptimise"})]
    assert orders == [{"type": "source", "order_id": unknown[0].order_id}]


def test_the_sample_tick_and_the_sample_page_are_understood(table: Table, queues: Queues) -> None:
    due = store(table, *allocated(2))
    for name in ("clock_tick.json", "clock_page.json"):
        answer = clock.handler(json.loads((EVENTS / name).read_text()), None)
        assert answer == {"batchItemFailures": []}
    assert set(queues.released) == set(due)


def backlog(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """The backlog that the invocation reported, by stage."""
    lines: list[dict[str, Any]] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    return {line["stage"]: line["BacklogDue"] for line in lines if "BacklogDue" in line}
