"""From `intake` through the queue to `hot_lane`: who goes there, what arrives, and what is put aside."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.hot_lane import handler as hot_lane
from functions.intake import handler as intake
from oms.channels.envelope import seal, unseal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.events import messages
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.runtime import clients
from oms.store import keys, process
from oms.store.configuration import encode_document
from oms.store.stock import decode_sku
from oms.store.table import Table
from oms.store.writes import heat, put
from oms.usecases.describe_sku import describe_sku
from oms.usecases.heat import HOT_FOR
from tests.outlets import Receiver
from tests.shelves import assert_balanced, fill, order_of, shelves

SAMPLE = json.loads((Path(__file__).parents[2] / "events" / "intake.json").read_text())
LANE = "https://sqs/hot-lane.fifo"
DEAD = "https://sqs/hot-lane-dead.fifo"


@pytest.fixture
def queues(table: Table, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The queues that both functions send to, and what they have taken."""
    receiver = Receiver()
    monkeypatch.setenv("HOT_LANE_QUEUE_URL", LANE)
    monkeypatch.setenv("HOT_LANE_DEAD_LETTERS_URL", DEAD)
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return receiver


def record(number: int, *skus: str) -> dict[str, Any]:
    """A delivery of an order of one unit of each sku, as `webhooks` queues it."""
    sample = unseal(SAMPLE["Records"][0]["body"])
    payload = json.loads(sample.body)
    kept = payload["line_items"][0]
    payload["id"] = number
    payload["line_items"] = [
        kept | {"id": number * 10 + n, "sku": sku, "quantity": 1, "current_quantity": 1}
        for n, sku in enumerate(skus)
    ]
    headers = Headers(sample.headers.starting("x-").items())
    body = seal("shop-es", adapter("shopify"), headers, json.dumps(payload).encode(), sample.received_at)
    return SAMPLE["Records"][0] | {"messageId": f"m{number}", "body": body}  # type: ignore[no-any-return]


def deliver(*records: dict[str, Any]) -> list[str]:
    answer = intake.handler({"Records": list(records)}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def sent(queues: Receiver, url: str = LANE) -> list[dict[str, Any]]:
    return [dict(entry) for entry in queues.taken if entry["QueueUrl"] == url]


def lane(*entries: dict[str, Any]) -> list[str]:
    """Let `hot_lane` have messages; the ids of those that failed."""
    records = [
        {
            "messageId": f"h{number}",
            "body": entry["MessageBody"],
            "attributes": {"MessageGroupId": entry["MessageGroupId"]},
            "messageAttributes": {},
        }
        for number, entry in enumerate(entries)
    ]
    answer = hot_lane.handler({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def name_of(number: int) -> str:
    return order_id("shop-es", str(number))


def stored(table: Table, number: int) -> bool:
    return table.get(keys.header(name_of(number))) is not None


def heated(table: Table, *skus: str) -> None:
    for sku in skus:
        fill(table, sku, wh_madrid=9)
        table.commit(heat(sku, datetime.now(UTC) + timedelta(minutes=1)))


def test_orders_of_a_hot_sku_go_on_together_and_the_others_are_placed(table: Table, queues: Receiver) -> None:
    heated(table, "A")
    fill(table, "B", wh_madrid=9)
    assert deliver(record(1, "A"), record(2, "B"), record(3, "B", "A")) == []
    assert [stored(table, number) for number in (1, 2, 3)] == [False, True, False]
    (message,) = sent(queues)
    assert len(json.loads(message["MessageBody"])["deliveries"]) == 2
    assert lane(message) == []
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}
    assert_balanced(table, map(name_of, (1, 2, 3)), "AB")


def know_no_channel_yet(table: Table) -> None:
    """What the process knows of the network is from before its channels were configured."""
    channels = table.get(keys.snapshot("channel"))
    assert channels is not None
    table.commit(put(keys.snapshot("channel"), encode_document({}, 1)))
    process.reset()
    assert process.network().channels == {}
    table.commit(put(keys.snapshot("channel"), channels))


def test_orders_of_a_channel_that_was_just_configured_are_placed_in_both_lanes(
    table: Table, queues: Receiver
) -> None:
    heated(table, "A")
    fill(table, "B", wh_madrid=9)
    assert deliver(record(1, "A")) == []
    (message,) = sent(queues)
    know_no_channel_yet(table)
    assert lane(message) == []
    know_no_channel_yet(table)
    assert deliver(record(2, "B")) == []
    assert [stored(table, number) for number in (1, 2)] == [True, True]


def test_an_order_of_several_hot_skus_goes_to_the_smallest(table: Table, queues: Receiver) -> None:
    heated(table, "A", "B")
    deliver(record(1, "B"), record(2, "B", "A"), record(3, "A"))
    first, second = sent(queues)
    assert first["MessageGroupId"] != second["MessageGroupId"]
    assert [len(json.loads(entry["MessageBody"])["deliveries"]) for entry in (first, second)] == [1, 2]
    assert lane(first, second) == []
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}
    assert shelves(table, "B") == {"wh-madrid": (9, 2, 7)}


def test_a_sku_that_was_hot_is_placed_at_once_again(table: Table, queues: Receiver) -> None:
    fill(table, "A", wh_madrid=9)
    table.commit(heat("A", datetime.now(UTC) - timedelta(seconds=1)))
    assert deliver(record(1, "A")) == []
    assert stored(table, 1)
    assert sent(queues) == []


def test_the_same_batch_again_makes_the_same_message_and_the_orders_once(
    table: Table, queues: Receiver
) -> None:
    heated(table, "A")
    for _ in range(2):
        deliver(record(1, "A"), record(2, "A"))
    first, second = sent(queues)
    assert first["MessageDeduplicationId"] == second["MessageDeduplicationId"]
    assert lane(first, second) == []
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}


def test_what_does_not_fit_into_one_message_goes_in_several(
    table: Table, queues: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heated(table, "A")
    orders = [record(number, "A") for number in range(4)]
    monkeypatch.setattr(messages, "LANE_BYTES", int(2.5 * len(orders[0]["body"])))
    deliver(*orders)
    assert [len(json.loads(entry["MessageBody"])["deliveries"]) for entry in sent(queues)] == [2, 2]


def test_a_delivery_larger_than_a_message_is_placed_at_once(
    table: Table, queues: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heated(table, "A")
    monkeypatch.setattr(intake, "LANE_BYTES", 100)
    assert deliver(record(1, "A")) == []
    assert stored(table, 1)


def test_a_lane_that_takes_nothing_has_its_orders_delivered_again(table: Table, queues: Receiver) -> None:
    heated(table, "A")
    fill(table, "B", wh_madrid=9)
    queues.refuse = lambda entry: True
    assert deliver(record(1, "A"), record(2, "B"), record(3, "A")) == ["m1", "m3"]
    assert stored(table, 2)


class Contended:
    """A client on which the first transactions over a sku meet others."""

    def __init__(self, client: Any, conflicts: int) -> None:
        self._client = client
        self._left = conflicts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            return self._client.transact_write_items(**request)
        updates = ["Update" in action for action in request["TransactItems"]]
        reasons = [{"Code": "TransactionConflict" if update else "None"} for update in updates]
        answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise ClientError(answer, "TransactWriteItems")


def contended(table: Table, conflicts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Contended(table.client, conflicts)
    monkeypatch.setattr(clients, "dynamodb", lambda: client)
    process.reset()


@pytest.mark.parametrize(("conflicts", "hot"), [(4, False), (5, True)])
def test_five_conflicts_in_a_batch_make_a_sku_hot_for_everybody(
    conflicts: int, hot: bool, table: Table, queues: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(table, "A", wh_madrid=9)
    contended(table, conflicts, monkeypatch)
    now = datetime.now(UTC)
    assert deliver(record(1, "A"), record(2, "A")) == []
    assert [stored(table, number) for number in (1, 2)] == [True, not hot]
    assert len(sent(queues)) == hot
    item = table.get(keys.sku_meta("A"))
    assert item is not None
    sku = decode_sku(item)
    assert (sku.is_hot(now), sku.is_hot(now + HOT_FOR + timedelta(minutes=1))) == (hot, False)


def test_an_order_that_found_no_way_through_goes_to_the_lane(
    table: Table, queues: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(table, "A", wh_madrid=9)
    contended(table, 8, monkeypatch)
    assert deliver(record(1, "A")) == []
    (message,) = sent(queues)
    assert lane(message) == []
    assert stored(table, 1)


def test_to_describe_a_sku_does_not_cool_it(table: Table, queues: Receiver) -> None:
    heated(table, "A")
    item = table.get(keys.sku_meta("A"))
    assert item is not None
    seen = decode_sku(item)
    described = describe_sku(table, type(seen)("A", "Mug"))
    assert (described.title, described.hot_until) == ("Mug", seen.hot_until)
    assert describe_sku(table, type(seen)("A", "Mug")) == described


def test_one_bad_delivery_is_put_aside_alone_and_can_come_again(table: Table, queues: Receiver) -> None:
    heated(table, "A")
    deliver(record(1, "A"), record(2, "A"))
    (message,) = sent(queues)
    one, two = json.loads(message["MessageBody"])["deliveries"]
    mixed = message | {"MessageBody": json.dumps({"deliveries": [one, "{}", two]})}
    assert lane(mixed) == []
    assert stored(table, 1)
    assert stored(table, 2)
    (dead,) = sent(queues, DEAD)
    assert json.loads(dead["MessageBody"]) == {"deliveries": ["{}"]}
    assert dead["MessageGroupId"] == message["MessageGroupId"]


def test_an_order_that_can_never_be_placed_is_put_aside_with_its_whole_delivery(
    table: Table, queues: Receiver
) -> None:
    heated(table, "A")
    deliver(record(1, "A"))
    (message,) = sent(queues)
    (sealed,) = json.loads(message["MessageBody"])["deliveries"]
    ghost = json.dumps(json.loads(sealed) | {"channel": "ghost"})
    assert lane(message | {"MessageBody": json.dumps({"deliveries": [ghost, sealed]})}) == []
    assert stored(table, 1)
    (dead,) = sent(queues, DEAD)
    assert json.loads(dead["MessageBody"])["deliveries"] == [ghost]


@pytest.mark.parametrize("body", ["not json", "[]", '{"deliveries": 1}'])
def test_a_message_that_is_none_is_put_aside_as_it_came(table: Table, queues: Receiver, body: str) -> None:
    heated(table, "A")
    deliver(record(1, "A"))
    (message,) = sent(queues)
    assert lane(message | {"MessageBody": body}, message) == []
    assert stored(table, 1)
    (dead,) = sent(queues, DEAD)
    assert json.loads(dead["MessageBody"])["deliveries"] == [body]


def test_a_lane_without_dead_letters_keeps_its_messages(table: Table, queues: Receiver) -> None:
    heated(table, "A")
    deliver(record(1, "A"))
    (message,) = sent(queues)
    queues.refuse = lambda entry: True
    assert lane(message | {"MessageBody": "not json"}, message) == ["h0", "h1"]


def test_a_group_that_fails_comes_again_and_the_others_are_done(
    table: Table, queues: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    heated(table, "A", "B")
    deliver(record(1, "A"), record(2, "B"))
    a, b = sent(queues)
    contended(table, 8, monkeypatch)
    assert lane(a, b, a) == ["h0", "h2"]
    assert (stored(table, 1), stored(table, 2)) == (False, True)


def test_the_sample_is_what_intake_sends(table: Table, queues: Receiver) -> None:
    sample = json.loads((Path(__file__).parents[2] / "events" / "hot_lane.json").read_text())
    answer = hot_lane.handler(sample, None)
    assert answer == {"batchItemFailures": []}
    bodies = [json.loads(each["body"]) for each in sample["Records"]]
    assert [body.keys() for body in bodies] == [{"deliveries"}]
    orders = [adapter("shopify").parse(unseal(sealed)) for body in bodies for sealed in body["deliveries"]]
    for (order,) in orders:
        assert isinstance(order, PlaceOrder)
        assert order_of(table, order_id(order.channel, order.channel_order_id)).lines
    assert sent(queues, DEAD) == []
