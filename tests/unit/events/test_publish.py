"""What is published is confirmed entry by entry, or known not to be."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from oms.events.derive import Event
from oms.events.messages import Message, release
from oms.events.publish import CALL_BYTES, Bus, NotTakenError, Queue
from tests.builders import NOW
from tests.outlets import Receiver

TRIES = 3
EVENT = Event("order.closed", "O1", 1, NOW, "O1", {})


def numbered(count: int) -> list[Event]:
    return [replace(EVENT, v=n + 1) for n in range(count)]


def v_of(entry: Mapping[str, Any]) -> int:
    return int(json.loads(entry["Detail"])["v"])


def bus(receiver: Receiver, pauses: list[float] | None = None) -> Bus:
    return Bus(receiver.bus, "events", pause=(pauses if pauses is not None else []).append)


def queue(receiver: Receiver) -> Queue:
    return Queue(receiver.queue, "https://sqs/queue", pause=lambda seconds: None)


class Once:
    """Refuses entries of these versions the first time that they come."""

    def __init__(self, *versions: int) -> None:
        self.left = set(versions)

    def __call__(self, entry: Mapping[str, Any]) -> bool:
        v = v_of(entry)
        if v in self.left:
            self.left.remove(v)
            return True
        return False


def test_an_event_that_is_refused_for_good_is_named_with_all_before_it_taken() -> None:
    receiver = Receiver(lambda entry: v_of(entry) == 13)
    with pytest.raises(NotTakenError) as raised:
        bus(receiver).publish(numbered(25))
    assert (raised.value.first, raised.value.left) == (12, 1)
    assert "InternalFailure" in str(raised.value)
    assert {v_of(entry) for entry in receiver.taken} >= set(range(1, 13))


def test_nothing_follows_a_call_that_was_refused() -> None:
    receiver = Receiver(lambda entry: v_of(entry) == 3)
    with pytest.raises(NotTakenError):
        bus(receiver).publish(numbered(25))
    assert max(v_of(entry) for call in receiver.calls for entry in call) == 10


def test_only_what_was_refused_is_tried_again_and_not_for_ever() -> None:
    receiver = Receiver(lambda entry: v_of(entry) == 3)
    pauses: list[float] = []
    with pytest.raises(NotTakenError):
        bus(receiver, pauses).publish(numbered(10))
    assert [[v_of(entry) for entry in call] for call in receiver.calls] == [list(range(1, 11)), [3], [3]]
    assert len(receiver.calls) == TRIES
    assert len(pauses) == TRIES - 1
    assert all(0 < pause < 1 for pause in pauses)


def test_an_event_refused_once_is_taken_in_the_end() -> None:
    receiver = Receiver(Once(2, 11))
    bus(receiver).publish(numbered(12))
    assert sorted(v_of(entry) for entry in receiver.taken) == list(range(1, 13))


def test_of_those_still_refused_the_first_is_named() -> None:
    refused = Once(1)
    receiver = Receiver(lambda entry: refused(entry) or v_of(entry) in (4, 6))
    with pytest.raises(NotTakenError) as raised:
        bus(receiver).publish(numbered(8))
    assert (raised.value.first, raised.value.left) == (3, 2)


@pytest.mark.parametrize("outage", ["answers with an error", "does not answer"])
def test_a_bus_that_is_down_takes_nothing(outage: str) -> None:
    receiver = Receiver(down=True)
    if outage == "does not answer":

        def refuse(**request: object) -> None:
            raise EndpointConnectionError(endpoint_url="https://events")

        receiver.put_events = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(NotTakenError) as raised:
        bus(receiver).publish(numbered(12))
    assert raised.value.first == 0


@pytest.mark.parametrize(("count", "calls"), [(0, []), (1, [1]), (10, [10]), (11, [10, 1]), (30, [10] * 3)])
def test_a_call_takes_ten_entries(count: int, calls: list[int]) -> None:
    receiver = Receiver()
    bus(receiver).publish(numbered(count))
    assert [len(call) for call in receiver.calls] == calls


def test_a_call_stays_below_the_limit_of_bytes() -> None:
    receiver = Receiver()
    big = [replace(EVENT, v=n + 1, data={"text": "é" * 60_000}) for n in range(4)]  # 6 bytes each as \u00e9
    bus(receiver).publish(big)
    assert [len(call) for call in receiver.calls] == [2, 2]
    assert [v_of(entry) for entry in receiver.taken] == [1, 2, 3, 4]
    assert all(sum(len(entry["Detail"].encode()) for entry in call) < CALL_BYTES for call in receiver.calls)


def test_an_entry_on_the_bus_is_found_by_source_and_type() -> None:
    receiver = Receiver()
    bus(receiver).publish([EVENT])
    (entry,) = receiver.taken
    assert {name: value for name, value in entry.items() if name != "Detail"} == {
        "EventBusName": "events",
        "Source": "oms",
        "DetailType": "order.closed",
        "Time": NOW,
    }
    assert json.loads(entry["Detail"]) == EVENT.document()


def test_a_message_does_not_overtake_another_of_its_group_that_is_refused_once() -> None:
    refusals = iter([True])
    receiver = Receiver(lambda entry: "first" in entry["MessageBody"] and next(refusals, False))
    sent = [("first", "A"), ("other", "B"), ("second", "A"), ("third", "A")]
    queue(receiver).send([Message({"text": text}, "", group=group, id=text) for text, group in sent])
    taken = [json.loads(entry["MessageBody"])["text"] for entry in receiver.taken]
    assert [text for text in taken if text != "other"] == ["first", "second", "third"]
    assert sorted(taken) == sorted(text for text, _ in sent)


def test_a_message_that_is_refused_for_good_is_named() -> None:
    receiver = Receiver(lambda entry: "O7" in entry["MessageBody"])
    with pytest.raises(NotTakenError) as raised:
        queue(receiver).send([release(f"O{n}") for n in range(12)])
    assert (raised.value.first, raised.value.left) == (7, 1)
    assert len(receiver.taken) == 9


def test_a_queue_that_is_down_takes_nothing() -> None:
    with pytest.raises(NotTakenError) as raised:
        queue(Receiver(down=True)).send([release("O1")])
    assert raised.value.first == 0


def test_ids_in_a_call_differ_also_among_those_tried_again() -> None:
    receiver = Receiver(lambda entry: entry["Id"] in "3579" and len(receiver.calls) == 1)
    queue(receiver).send([release(f"O{n}") for n in range(10)])
    assert [[entry["Id"] for entry in call] for call in receiver.calls] == [list("0123456789"), list("0123")]
    assert len({entry["MessageBody"] for entry in receiver.taken}) == 10


def test_a_message_to_a_standard_queue_has_its_delay_and_its_order_for_the_logs() -> None:
    receiver = Receiver()
    queue(receiver).send([release("O1", delay_s=42)])
    (entry,) = receiver.taken
    assert json.loads(entry["MessageBody"]) == {"type": "release", "order_id": "O1"}
    assert entry["DelaySeconds"] == 42
    assert entry["MessageAttributes"]["correlation_id"]["StringValue"] == "O1"
    assert "MessageGroupId" not in entry


@pytest.mark.parametrize("name", ["O1-2-1#1#x", "paquete ñ #1", "x" * 400, ""])
def test_a_deduplication_id_is_of_the_allowed_form_whatever_the_id(name: str) -> None:
    receiver = Receiver()
    queue(receiver).send([Message({}, "O1", group="O1-2-1", id=name)] * 2)
    first, second = receiver.taken
    assert first["MessageGroupId"] == "O1-2-1"
    assert re.fullmatch(r"[\w!-/:-@\[-`{-~]{1,128}", first["MessageDeduplicationId"], re.ASCII)
    assert first["MessageDeduplicationId"] == second["MessageDeduplicationId"]


def test_other_ids_have_other_deduplication_ids() -> None:
    receiver = Receiver()
    queue(receiver).send([Message({}, "O1", group="g", id=f"O1-2-1#{v}#x") for v in range(5)])
    assert len({entry["MessageDeduplicationId"] for entry in receiver.taken}) == 5
