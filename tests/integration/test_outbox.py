"""`outbox` on records of the stream: what is not confirmed is not acknowledged, and nothing else waits."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from functions.outbox import handler as outbox
from oms.events.derive import Event, events
from oms.runtime import clients
from oms.runtime.batch import RecordFailedError
from oms.store.attributes import decode
from tests.builders import NOW, line
from tests.builders import command as order
from tests.outlets import Receiver, Refuse, nothing
from tests.recorder import STEPS, recorded
from tests.stories import Story
from tests.stream import Record, record, records

SAMPLES = sorted((Path(__file__).parents[2] / "events").glob("outbox_*.json"))
QUEUES = {"sourcing": "sourcing", "wms": "requests-wms.fifo"}

STORY = Story().tell("release", "accept", "ship", "deliver", "request_return", "receive", "restock")
"""Of an order with two fulfillment orders: one at a warehouse with a connector, one at a store without."""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's environment, as on AWS: failures are reported."""
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-south-2",
        "BUS_NAME": "events",
        "SOURCING_QUEUE_URL": "https://sqs/sourcing",
        "REQUESTS_QUEUE_URLS": '{"wms": "https://sqs/requests-wms.fifo"}',
        "STREAM_FAILURES": "report",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


class Outlets:
    """A bus and queues of which each refuses what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bus = Receiver()
        self.queues = Receiver()
        monkeypatch.setattr(clients, "events", lambda: self.bus.bus)
        monkeypatch.setattr(clients, "sqs", lambda: self.queues.queue)
        monkeypatch.setattr("time.sleep", lambda seconds: None)

    @property
    def ids(self) -> list[str]:
        """Of the events on the bus."""
        return [json.loads(entry["Detail"])["id"] for entry in self.bus.taken]

    def sent(self, queue: str) -> list[dict[str, Any]]:
        """Bodies of the messages in a queue."""
        url = f"https://sqs/{QUEUES[queue]}"
        return [json.loads(entry["MessageBody"]) for entry in self.queues.taken if entry["QueueUrl"] == url]


@pytest.fixture
def outlets(environment: None, monkeypatch: pytest.MonkeyPatch) -> Outlets:
    return Outlets(monkeypatch)


def run(batch: Sequence[Record]) -> list[str]:
    """Sequence numbers of the records that failed."""
    answer = outbox.handler({"Records": list(batch)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def derived(batch: Sequence[Record]) -> list[Event]:
    """The events of records, one after the other."""
    made: list[Event] = []
    for one in batch:
        images = one["dynamodb"]
        old = decode(images["OldImage"]) if "OldImage" in images else None
        made += events(old, decode(images["NewImage"]))
    return made


def public(batch: Sequence[Record]) -> list[str]:
    return [event.id for event in derived(batch) if event.public]


def position(batch: Sequence[Record], type_: str) -> int:
    """Where the first record with an event of a type stands."""
    return next(n for n, one in enumerate(batch) if type_ in [event.type for event in derived([one])])


def of_type(*types: str) -> Refuse:
    return lambda entry: entry["DetailType"] in types


def poisoned(one: Record, **changes: Any) -> Record:
    spoiled = copy.deepcopy(one)
    spoiled["dynamodb"]["NewImage"].update(changes)
    return spoiled


BATCH = records(STORY.changes)
RELEASE = position(BATCH, "fulfillment_order.released")

POISON: Mapping[str, Record] = {
    "no image": {"eventID": "x", "dynamodb": {"NewImage": None}},
    "an unknown kind": poisoned(
        BATCH[0], j={"L": [{"L": [{"N": "1"}, {"N": "0"}, {"S": "evaporated"}, {"M": {}}]}]}
    ),
    "an unknown entity": poisoned(BATCH[0], t={"S": "carrier_pigeon"}),
    "a journal of another shape": poisoned(BATCH[0], j={"S": "placed"}),
    "data that is missing": poisoned(
        BATCH[0], j={"L": [{"L": [{"N": "1"}, {"N": "0"}, {"S": "placed"}, {"M": {}}]}]}
    ),
    "a connector without a queue": poisoned(BATCH[RELEASE], con={"S": "edi"}),
}


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("mode", ["report", "raise"])
def test_a_record_that_cannot_be_read_stops_the_batch_there(
    poison: str, mode: str, outlets: Outlets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_FAILURES", mode)
    bad = copy.deepcopy(POISON[poison])
    bad["dynamodb"]["SequenceNumber"] = "666"
    batch = [*BATCH[:2], bad, *BATCH[2:]]
    if mode == "report":
        assert run(batch) == ["666"]
    else:
        with pytest.raises(RecordFailedError, match="666"):
            run(batch)
    assert outlets.ids == public(BATCH[:2])
    assert len(outlets.sent("sourcing")) == 1


def test_a_record_that_fails_is_logged_by_its_id_and_counted(
    outlets: Outlets, capsys: pytest.CaptureFixture[str]
) -> None:
    run([POISON["an unknown kind"]])
    written = capsys.readouterr().out
    assert "order.evaporated is not in the catalogue" in written
    assert '"RecordsFailed":1' in written


@pytest.mark.parametrize("type_", ["order.placed", "order.released", "shipment.delivered", "refund.due"])
def test_an_event_that_the_bus_refuses_for_good_fails_its_record(type_: str, outlets: Outlets) -> None:
    outlets.bus.refuse = of_type(type_)
    failing = position(BATCH, type_)
    assert run(BATCH) == [number(BATCH[failing])]
    assert set(outlets.ids) >= set(public(BATCH[:failing]))
    assert not any(entry["DetailType"] == type_ for entry in outlets.bus.taken)


def test_an_event_that_the_bus_refuses_once_is_put_there_again(outlets: Outlets) -> None:
    refused = {"order.placed", "order.shipped"}

    def once(entry: Mapping[str, Any]) -> bool:
        if entry["DetailType"] in refused:
            refused.remove(entry["DetailType"])
            return True
        return False

    outlets.bus.refuse = once
    assert run(BATCH) == []
    assert sorted(outlets.ids) == sorted(public(BATCH))


def test_a_bus_that_is_down_delays_no_work(outlets: Outlets) -> None:
    outlets.bus.down = True
    assert run(BATCH) == [number(BATCH[0])]
    assert len(outlets.sent("sourcing")) == len(outlets.sent("wms")) == 1


def test_a_bus_that_is_down_holds_up_no_record_without_news(outlets: Outlets) -> None:
    outlets.bus.down = True
    silent = [one for one in BATCH if not public([one])]
    assert silent
    assert run(silent) == []


@pytest.mark.parametrize(
    ("queue", "type_"), [("sourcing", "order.placed"), ("wms", "fulfillment_order.released")]
)
def test_a_message_that_a_queue_refuses_fails_its_record_and_holds_back_later_news(
    queue: str, type_: str, outlets: Outlets
) -> None:
    outlets.queues.refuse = lambda entry: entry["QueueUrl"].endswith(QUEUES[queue])
    failing = position(BATCH, type_)
    assert run(BATCH) == [number(BATCH[failing])]
    assert outlets.ids == public(BATCH[:failing])


def test_the_first_of_several_failures_counts(outlets: Outlets) -> None:
    outlets.queues.refuse = lambda entry: entry["QueueUrl"].endswith(QUEUES["wms"])
    outlets.bus.refuse = of_type("order.placed")
    poison = poisoned(BATCH[0], t={"S": "carrier_pigeon"})
    assert run([*BATCH, poison]) == [number(BATCH[0])]


def test_after_an_outage_the_rest_of_the_batch_completes_it(outlets: Outlets) -> None:
    outlets.bus.refuse = of_type("order.shipped")
    (stopped,) = run(BATCH)
    outlets.bus.refuse = nothing
    rest = BATCH[[number(one) for one in BATCH].index(stopped) :]
    assert run(rest) == []
    assert set(outlets.ids) == set(public(BATCH))


def test_a_batch_delivered_twice_has_the_same_ids_both_times(outlets: Outlets) -> None:
    run(BATCH)
    run(BATCH)
    assert outlets.ids == public(BATCH) * 2
    first, second = (entry for entry in outlets.queues.taken if "MessageDeduplicationId" in entry)
    assert first["MessageDeduplicationId"] == second["MessageDeduplicationId"]


def test_all_that_is_public_reaches_the_bus_in_its_order(outlets: Outlets) -> None:
    story = Story("ABC").tell("repeat_other", "newer", "newer_other", "release", "ship")
    batch = records(story.changes)
    assert run(batch) == []
    assert outlets.ids == public(batch)
    assert "order.refreshed" in [event.type for event in derived(batch)]
    assert not any("order.refreshed" in name for name in outlets.ids)


def test_only_locations_with_a_connector_are_asked(outlets: Outlets) -> None:
    run(BATCH)
    (request,) = outlets.sent("wms")
    assert request["location"] == "wh-madrid"
    assert request["ship_to"] == {"country": "ES", "postal_code": "28013"}


@pytest.mark.parametrize("ends", ["refuse_to", "ship"])
def test_a_location_that_gives_nothing_back_leaves_its_shortage_to_others(
    outlets: Outlets, ends: str
) -> None:
    story = Story().tell("release", "ask_back", ends)
    assert run(records(story.changes)) == []
    shortage = {"type": "shortage", "sku": "A", "location": "wh-madrid"}
    assert [one for one in outlets.sent("sourcing") if one["type"] == "shortage"] == [shortage]
    asked = [one for one in outlets.sent("wms") if one["type"] == "fulfillment_cancel_requested"]
    assert [(one["reason"], one["units"]) for each in asked for one in each["lines"]] == [
        ("position_short", 2)
    ]


def test_a_location_that_gives_units_back_leaves_no_shortage(outlets: Outlets) -> None:
    run(records(Story().tell("release", "ask_back", "give_up").changes))
    assert [one["type"] for one in outlets.sent("sourcing")] == ["release", "expect"]


@pytest.mark.parametrize(
    ("steps", "skus"),
    [
        (("reopen",), ["A", "B"]),
        (("reopen", "serve"), ["A", "B"]),
        (("reopen", "cancel"), ["A", "B", "A", "B"]),
        (("release", "cancel", "give_up"), []),
        (("cancel",), []),
    ],
)
def test_who_stands_behind_an_order_that_waits_for_more_or_less_is_told(
    outlets: Outlets, steps: Sequence[str], skus: list[str]
) -> None:
    assert run(records(Story("AB").tell(*steps).changes)) == []
    told = [one for one in outlets.sent("sourcing") if one["type"] == "expect"]
    assert told == [{"type": "expect", "sku": sku} for sku in skus]


def test_a_write_of_a_held_order_asks_for_no_release(outlets: Outlets) -> None:
    unpaid = replace(order(line("A", 1)), payments=())
    assert run(records(Story(sent=unpaid).changes)) == []
    assert outlets.sent("sourcing") == []


def test_what_is_deleted_or_keeps_no_journal_gives_nothing(outlets: Outlets) -> None:
    body = next(one for one in BATCH if one["dynamodb"]["Keys"]["SK"]["S"] == "B")
    cart = {"PK": {"S": "H#cart-1"}, "SK": {"S": "H"}, "t": {"S": "reservation"}}
    deleted = record(1, None, BATCH[0]["dynamodb"]["NewImage"])
    assert run([body, record(2, cart), deleted]) == []
    assert outlets.bus.calls == outlets.queues.calls == []


def test_a_full_batch_takes_as_few_calls_as_can_be(outlets: Outlets) -> None:
    batch = [
        one
        for n in range(50)
        for one in records(Story(sent=order(line("A", 1), channel_order_id=str(n))).changes)
    ]
    assert len(batch) == 100
    assert run(batch) == []
    assert [len(call) for call in outlets.bus.calls] == [10] * 5
    assert [len(call) for call in outlets.queues.calls] == [10] * 5


def test_the_log_of_a_batch_tells_how_much_and_nothing_of_the_customer(
    outlets: Outlets, capsys: pytest.CaptureFixture[str]
) -> None:
    run(BATCH)
    written = capsys.readouterr().out
    assert f'"EventsPublished":{len(public(BATCH))}' in written
    assert '"messages":2' in written
    assert "28013" not in written


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_relayed_in_full(path: Path, outlets: Outlets) -> None:
    batch = json.loads(path.read_text())["Records"]
    assert run(batch) == []
    assert outlets.ids == public(batch) != []


def test_the_samples_are_what_the_use_cases_write_today() -> None:
    assert {path.stem for path in SAMPLES} == set(STEPS)
    now = recorded(STEPS)
    for path in SAMPLES:
        batch = json.loads(path.read_text())["Records"]
        assert batch == now[path.stem], "run `python -m tests.recorder`"


@pytest.fixture
def services(environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """The bus and the queues on moto, with a queue that hears everything on the bus; URLs by name."""
    clients.reset()
    with mock_aws():
        sqs = boto3.client("sqs")
        urls = {"bus": sqs.create_queue(QueueName="bus")["QueueUrl"]}
        for name, queue in QUEUES.items():
            fifo: Any = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
            urls[name] = sqs.create_queue(QueueName=queue, Attributes=fifo)["QueueUrl"]
        monkeypatch.setenv("SOURCING_QUEUE_URL", urls["sourcing"])
        monkeypatch.setenv("REQUESTS_QUEUE_URLS", json.dumps({"wms": urls["wms"]}))
        bus = boto3.client("events")
        bus.create_event_bus(Name="events")
        bus.put_rule(Name="all", EventBusName="events", EventPattern='{"source": ["oms"]}')
        arn = sqs.get_queue_attributes(QueueUrl=urls["bus"], AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        bus.put_targets(Rule="all", EventBusName="events", Targets=[{"Id": "all", "Arn": arn}])
        yield urls
    clients.reset()


def received(url: str) -> list[dict[str, Any]]:
    """Bodies of everything in a queue."""
    sqs = boto3.client("sqs")
    bodies = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def test_the_services_take_a_batch_and_know_repeated_requests(services: Mapping[str, str]) -> None:
    assert run(BATCH) == []
    assert run(BATCH) == []
    heard = received(services["bus"])
    assert sorted(one["detail"]["id"] for one in heard) == sorted(public(BATCH) * 2)
    assert {one["detail-type"] for one in heard} == {one["detail"]["type"] for one in heard}
    assert [one["type"] for one in received(services["wms"])] == ["fulfillment_requested"]
    release = {"type": "release", "order_id": STORY.order.order_id}
    assert received(services["sourcing"]) == [release, release]
    assert NOW.isoformat()[:10] in heard[0]["time"]
