"""`oms dlq` on moto: messages that were given up on are seen, sent back and dropped."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.cli import dlq
from infra.cli.main import main
from infra.cli.target import Target
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.inventory.model import DemandChange
from oms.store import queries
from oms.store.queries import Span
from oms.store.writes import wait
from oms.usecases.place_order import place_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.deployed import NAME, QUEUES, deployed
from tests.integration.conftest import configure
from tests.outlets import Receiver
from tests.shelves import fill
from tests.stream import Record, record

EVENTS = Path(__file__).parents[2] / "events"


@pytest.fixture(scope="module")
def shop() -> Iterator[Target]:
    with deployed() as target:
        yield target


@pytest.fixture
def stack(shop: Target, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A deployed stack with empty queues; who looks for messages does not wait for any."""
    monkeypatch.setattr("infra.cli.dlq._WAIT_S", 0)
    yield shop
    for name, url in shop.outputs.items():
        if name.removesuffix("Url") in QUEUES:
            shop.sqs.purge_queue(QueueUrl=url)


def oms(*arguments: str) -> int:
    return main(["dlq", "--stack", NAME, *arguments])


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def problem(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    refused: dict[str, str] = json.loads(capsys.readouterr().err)
    return refused


def url(stack: Target, queue: str) -> str:
    (found,) = [url for url in stack.outputs.values() if url.endswith(f"/{NAME}-{queue}")]
    return found


def put(stack: Target, queue: str, *bodies: object, **more: Any) -> list[str]:
    """Send messages as JSON, one after another; returns their ids."""
    return [
        stack.sqs.send_message(QueueUrl=url(stack, queue), MessageBody=json.dumps(body), **more)["MessageId"]
        for body in bodies
    ]


def visible(stack: Target, queue: str) -> list[Any]:
    """The messages that anybody can receive now; they stay so."""
    answer = stack.sqs.receive_message(
        QueueUrl=url(stack, queue),
        MaxNumberOfMessages=10,
        VisibilityTimeout=0,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return answer.get("Messages", [])


def bodies(stack: Target, queue: str) -> list[Any]:
    return [json.loads(message["Body"]) for message in visible(stack, queue)]


def depth(stack: Target, queue: str) -> tuple[int, int]:
    """How many messages can be received, and how many somebody is looking at."""
    answer = stack.sqs.get_queue_attributes(QueueUrl=url(stack, queue), AttributeNames=["All"])
    attributes = answer["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


# ---- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["redrive"],
        ["redrive", "--queue", "inbound-dead", "--limit", "0"],
        ["drop", "--queue", "inbound-dead"],
        ["drop", "--queue", "inbound-dead", "--all", "--id", "1"],
    ],
)
def test_wrong_usage_is_exit_2(stack: Target, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        oms(*arguments)
    assert left.value.code == 2


@pytest.mark.parametrize("queue", ["inbound", "nowhere"])
def test_a_queue_that_holds_no_dead_letters_is_refused(
    stack: Target, capsys: pytest.CaptureFixture[str], queue: str
) -> None:
    assert oms("redrive", "--queue", queue) == 1
    refused = problem(capsys)
    assert (refused["code"], refused["field"]) == ("not_found", "queue")
    assert "inbound-dead, outbox-failures" in refused["detail"]


def test_a_stack_that_is_not_there_is_refused(stack: Target, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", "--stack", "ghost", "list"]) == 1
    assert problem(capsys)["code"] == "unavailable"


@pytest.mark.parametrize("action", ["redrive", "drop"])
def test_an_id_that_is_not_there_is_refused_and_nothing_moves(
    stack: Target, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    put(stack, "sourcing-dead", {"type": "release", "order_id": "X"})
    assert oms(action, "--queue", "sourcing-dead", "--id", "ghost") == 1
    assert (problem(capsys)["field"], bodies(stack, "sourcing")) == ("id", [])
    assert len(bodies(stack, "sourcing-dead")) == 1


# ---- Seeing ------------------------------------------------------------------------------------------------


def test_every_queue_without_a_dead_letter_queue_is_listed_with_its_depth(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "inbound-dead", 1, 2)
    assert oms("list") == 0
    depths = {queue["queue"]: queue["messages"] for queue in printed(capsys)}
    named = [name for name in QUEUES if name.endswith(("DeadLetters", "Failures"))]
    assert (len(depths), depths.pop("inbound-dead"), set(depths.values())) == (len(named), 2, {0})


def test_the_outputs_name_every_queue_of_the_template(stack: Target) -> None:
    urls = {name.removesuffix("Url") for name in stack.outputs if name.endswith("Url")}
    assert urls == {*QUEUES, "Api"}


REQUEST = {
    "message_id": "m-1",
    "type": "fulfillment_requested",
    "fulfillment_order": "X-2-1",
    "location": "wh-madrid",
    "ship_to": {"name": "Ana García"},
}


def test_the_messages_of_a_queue_are_shown_without_personal_data(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = put(stack, "fulfillment-events-dead", REQUEST)
    assert oms("list", "--queue", "fulfillment-events-dead") == 0
    (shown,) = printed(capsys)
    assert shown.pop("sent_at").endswith("Z")
    assert shown == {"id": sent[0], "receives": 1} | {
        name: REQUEST[name] for name in ("type", "message_id", "fulfillment_order", "location")
    }


def test_whole_messages_are_shown_on_demand(stack: Target, capsys: pytest.CaptureFixture[str]) -> None:
    put(stack, "fulfillment-events-dead", REQUEST)
    assert oms("list", "--queue", "fulfillment-events-dead", "--bodies") == 0
    assert json.loads(printed(capsys)[0]["body"]) == REQUEST


def test_a_listed_message_can_be_received_at_once_by_others(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "sourcing-dead", *range(12))
    assert oms("list", "--queue", "sourcing-dead", "--limit", "11") == 0
    assert len(printed(capsys)) == 11
    assert oms("list", "--queue", "sourcing-dead") == 0
    assert len(printed(capsys)) == 12


def sealed(header: str, value: str) -> str:
    return seal("shop-es", adapter("shopify"), Headers({header: value}.items()), b'{"name": "#1"}', NOW)


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (sealed("X-Shopify-Topic", "orders/create"), {"problem": "field_missing", "field": "id"}),
        (sealed("X-Shopify-Shop", "a-shop"), {"problem": "topic_unknown", "field": "x-shopify-topic"}),
    ],
)
def test_a_delivery_that_cannot_be_read_shows_why(
    stack: Target, capsys: pytest.CaptureFixture[str], body: str, seen: dict[str, str | None]
) -> None:
    put(stack, "inbound-dead", json.loads(body))
    assert oms("list", "--queue", "inbound-dead") == 0
    (shown,) = printed(capsys)
    assert {"channel": "shop-es", "kind": "shopify"} | seen == {
        name: shown[name] for name in ("channel", "kind", "problem", "field")
    }


def test_a_delivery_is_shown_by_its_orders(stack: Target, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = json.loads((EVENTS / "intake.json").read_text())["Records"]
    (release,) = json.loads((EVENTS / "sourcing.json").read_text())["Records"]
    put(stack, "inbound-dead", json.loads(record["body"]))
    assert oms("list", "--queue", "inbound-dead") == 0
    (shown,) = printed(capsys)
    assert (shown["topic"], shown["commands"]) == ("orders/create", ["place_order"])
    assert shown["order_ids"] == [json.loads(release["body"])["order_id"]]


@pytest.mark.parametrize(
    "document",
    [
        {"task": "fetch", "channel": "tills-es", "resource": "order", "resource_id": "CAISEM", "attempt": 3},
        {"task": "push_stock", "channel": "shop-es", "item_id": "39072856"},
        {"task": "push_parcel", "order_id": "XI5CSKZB5W7S34XQJERWEU743F", "shipment": "2-1.p1"},
        {"task": "deliver", "subscriber": "erp"},
        {"task": "announce", "sku": "A"},
    ],
)
def test_what_was_to_leave_for_another_server_is_shown_by_its_task(document: dict[str, Any]) -> None:
    assert dlq._ids(json.dumps(document | {"event": {"data": {"total": 1}}})) == document


def test_deliveries_of_the_hot_lane_are_shown_each_by_its_order(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    records = json.loads((EVENTS / "hot_lane.json").read_text())["Records"]
    message = json.loads(records[0]["body"])
    group = {"MessageGroupId": "A", "MessageDeduplicationId": "d-1"}
    put(stack, "hot-lane-dead.fifo", {"deliveries": [*message["deliveries"], "nonsense"]}, **group)
    assert oms("list", "--queue", "hot-lane-dead.fifo") == 0
    (shown,) = printed(capsys)
    *readable, nonsense = shown["deliveries"]
    assert nonsense == {"problem": "message_invalid"}
    assert {delivery["topic"] for delivery in readable} == {"orders/create"}
    assert all(len(delivery["order_ids"]) == 1 for delivery in readable)


def test_what_is_no_message_of_ours_is_shown_as_such(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in ("nonsense", "[1]", "[" * 100_000):
        stack.sqs.send_message(QueueUrl=url(stack, "inbound-dead"), MessageBody=body)
    assert oms("list", "--queue", "inbound-dead") == 0
    assert {shown["problem"] for shown in printed(capsys)} == {"message_invalid"}


# ---- Sending back and dropping -----------------------------------------------------------------------------


def test_a_crash_between_sending_and_deleting_leaves_the_message_twice(
    stack: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, "sourcing-dead", {"type": "release", "order_id": "X"})
    sending = len(QUEUES) + 2  # all queues were looked at, and messages received
    faults = Faults(crash_after=sending)
    monkeypatch.setattr(Target, "sqs", faults.wrap(stack.sqs))
    with pytest.raises(Crash):
        oms("redrive", "--queue", "sourcing-dead")
    monkeypatch.undo()
    assert (faults.calls[sending - 1], "delete_message" in faults.calls) == ("send_message", False)
    assert (depth(stack, "sourcing"), depth(stack, "sourcing-dead")) == ((1, 0), (0, 1))


def test_messages_go_back_whole_and_leave_the_dead_letters(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = {"correlation_id": {"DataType": "String", "StringValue": "c-1"}}
    sent = put(stack, "sourcing-dead", *({"n": n} for n in range(12)), MessageAttributes=attributes)
    assert oms("redrive", "--queue", "sourcing-dead") == 0
    assert sorted(done["redriven"] for done in printed(capsys)) == sorted(sent)
    back = visible(stack, "sourcing")
    assert {message["MessageAttributes"]["correlation_id"]["StringValue"] for message in back} == {"c-1"}
    assert (depth(stack, "sourcing"), depth(stack, "sourcing-dead")) == ((12, 0), (0, 0))


def test_no_more_than_the_limit_go_back_and_the_others_stay_visible(
    stack: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "sourcing-dead", 1, 2, 3)
    assert oms("redrive", "--queue", "sourcing-dead", "--limit", "2") == 0
    assert len(printed(capsys)) == len(bodies(stack, "sourcing")) == 2
    assert len(bodies(stack, "sourcing-dead")) == 1


@pytest.mark.parametrize(("action", "back"), [("redrive", [2]), ("drop", [])])
def test_only_the_messages_named_are_touched(stack: Target, action: str, back: list[int]) -> None:
    sent = put(stack, "sourcing-dead", 1, 2, 3)
    assert oms(action, "--queue", "sourcing-dead", "--id", sent[1]) == 0
    assert (bodies(stack, "sourcing"), sorted(bodies(stack, "sourcing-dead"))) == (back, [1, 3])


def test_everything_can_be_dropped(stack: Target) -> None:
    put(stack, "clock-dead", 1, 2, 3)
    assert oms("drop", "--queue", "clock-dead", "--all") == 0
    assert bodies(stack, "clock-dead") == bodies(stack, "clock") == []


def test_a_fifo_queue_takes_back_what_it_had_minutes_ago_in_its_group(stack: Target) -> None:
    known = {"MessageGroupId": "work-1", "MessageDeduplicationId": "d-1"}
    put(stack, "requests-wms.fifo", REQUEST, **known)
    (first,) = visible(stack, "requests-wms.fifo")
    stack.sqs.delete_message(QueueUrl=url(stack, "requests-wms.fifo"), ReceiptHandle=first["ReceiptHandle"])
    put(stack, "requests-wms-dead.fifo", REQUEST, **known)
    assert oms("redrive", "--queue", "requests-wms-dead.fifo") == 0
    (back,) = visible(stack, "requests-wms.fifo")
    assert (json.loads(back["Body"]), back["Attributes"]["MessageGroupId"]) == (REQUEST, "work-1")


# ---- What the stream's reader gave up on -------------------------------------------------------------------


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The bus of the stack."""
    made = Receiver()
    monkeypatch.setattr(Target, "events", made)
    return made


@pytest.fixture(scope="module")
def left_behind(shop: Target) -> dict[str, Any]:
    """What the reader of the stream leaves when it gives up on the records of an order."""
    fill(shop.table, "A", wh_madrid=9)
    place_order(shop.table, network(), command(line("A", 2)), NOW)
    arn = shop.dynamodb.describe_table(TableName=shop.table.name)["Table"]["LatestStreamArn"]
    (shard,) = shop.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = shop.streams.get_shard_iterator(**start)["ShardIterator"]
    records = shop.streams.get_records(ShardIterator=iterator)["Records"]
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {
            "shardId": shard["ShardId"],
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "approximateArrivalOfFirstRecord": "2026-11-22T09:30:00Z",
            "approximateArrivalOfLastRecord": "2026-11-22T09:30:01Z",
            "batchSize": len(numbers),
            "streamArn": arn,
        },
    }


class Forgetful:
    """A stream that has lost what is asked for."""

    def get_shard_iterator(self, **request: str) -> Any:
        raise ClientError(
            {"Error": {"Code": "TrimmedDataAccessException", "Message": "trimmed"}}, "GetShardIterator"
        )


def test_a_range_of_the_stream_is_shown_by_its_times(
    stack: Target, left_behind: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, "outbox-failures", left_behind)
    assert oms("list", "--queue", "outbox-failures") == 0
    (shown,) = printed(capsys)
    assert shown["condition"] == "RetryAttemptsExhausted"
    for name in ("batchSize", "approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert shown[name] == left_behind["DDBStreamBatchInfo"][name]


@pytest.mark.parametrize(
    "body", ["[]", "nonsense", "{}", '{"DDBStreamBatchInfo": {"streamArn": "x"}}', "[" * 100_000]
)
def test_what_no_stream_leaves_behind_is_refused_and_stays(
    stack: Target, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    stack.sqs.send_message(QueueUrl=url(stack, "outbox-failures"), MessageBody=body)
    assert oms("redrive", "--queue", "outbox-failures") == 1
    assert problem(capsys)["code"] == "message_invalid"
    assert depth(stack, "outbox-failures") == (1, 0)


@pytest.mark.parametrize(
    ("queue", "way_out"),
    [("outbox-failures", "oms events replay"), ("availability-failures", "oms stock history")],
)
def test_a_range_that_the_stream_has_lost_stays_and_is_pointed_to_what_is_left(
    queue: str,
    way_out: str,
    stack: Target,
    left_behind: dict[str, Any],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Target, "streams", Forgetful())
    put(stack, queue, left_behind)
    assert oms("redrive", "--queue", queue) == 1
    refused = problem(capsys)
    assert refused["code"] == "not_found"
    assert way_out in refused["detail"]
    assert (depth(stack, queue), receiver.taken) == ((1, 0), [])


def test_a_range_that_fails_again_stays_and_names_its_record(
    stack: Target, left_behind: dict[str, Any], receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.down = True
    put(stack, "outbox-failures", left_behind)
    assert oms("redrive", "--queue", "outbox-failures") == 1
    refused = problem(capsys)
    assert refused["code"] == "unavailable"
    assert "fails again: NotTakenError" in refused["detail"]
    assert depth(stack, "outbox-failures") == (1, 0)


def test_a_range_of_the_stream_is_relayed_again(
    stack: Target, left_behind: dict[str, Any], receiver: Receiver
) -> None:
    put(stack, "outbox-failures", left_behind)
    assert oms("redrive", "--queue", "outbox-failures") == 0
    assert [entry["DetailType"] for entry in receiver.taken] == ["order.placed"]
    assert [message["type"] for message in bodies(stack, "sourcing")] == ["release"]
    assert depth(stack, "outbox-failures") == (0, 0)


class Remembering:
    """A stream that has some records, and after them others that nobody asked for."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def get_shard_iterator(self, **request: str) -> Any:
        return {"ShardIterator": "first"}

    def get_records(self, **request: str) -> Any:
        return {"Records": self._records, "NextShardIterator": "next"}


def test_the_movements_of_a_range_are_kept_after_all_and_what_waits_is_woken(
    stack: Target, left_behind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(stack.table)
    fill(stack.table, "CAP", wh_madrid=3)
    stack.table.commit(wait(DemandChange("CAP", "iberia", 1)))
    sample = (EVENTS / "availability_counted.json").read_text().replace("SKU#A", "SKU#CAP")
    records = json.loads(sample)["Records"]
    monkeypatch.setattr(
        Target, "streams", Remembering([*records, record(99, records[0]["dynamodb"]["NewImage"])])
    )
    info = left_behind["DDBStreamBatchInfo"] | {
        name: records[at]["dynamodb"]["SequenceNumber"]
        for name, at in (("startSequenceNumber", 0), ("endSequenceNumber", -1))
    }
    for _ in range(2):
        put(stack, "availability-failures", left_behind | {"DDBStreamBatchInfo": info})
        assert oms("redrive", "--queue", "availability-failures") == 0
    kept = queries.movements(stack.table, "CAP", "wh-madrid", Span(9)).items
    assert [movement.reason for movement, _ in kept] == ["count", "order_placed"]
    assert bodies(stack, "sourcing") == [{"type": "serve", "sku": "CAP"}] * 2
    assert depth(stack, "availability-failures") == (0, 0)
