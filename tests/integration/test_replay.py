"""`oms events replay` and `oms tail` on moto: events derived once more, and followed as they come."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from infra.cli import tail
from infra.cli.main import main
from infra.cli.target import Target
from oms.fulfillment.events import FactKind, FulfillmentFact
from oms.orders.identity import order_id
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.deployed import NAME, deployed
from tests.outlets import Receiver
from tests.shelves import fill

WAITING, ACCEPTED = (order_id("shop-es", number) for number in ("1", "2"))
"""An order whose work its location has not accepted, placed one day, and one whose work it has, the next."""

DAY = "2026-11-22"
NEXT_DAY = "2026-11-23"
_LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def shop() -> Iterator[Target]:
    with deployed() as target:
        table = target.table
        fill(table, "A", wh_madrid=9)
        for number, now in (("1", NOW), ("2", _LATER)):
            place_order(table, network(), command(line("A"), channel_order_id=number, placed_at=now), now)
            release_order(table, network(), order_id("shop-es", number), now + timedelta(minutes=1))
        accepted = FulfillmentFact("m-1", FactKind.ACCEPTED, _LATER, ACCEPTED, "2-1")
        record_fulfillment(table, accepted, _LATER + timedelta(minutes=2))
        yield target


@pytest.fixture
def receiver(shop: Target, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The bus and the queues of the stack."""
    made = Receiver()
    monkeypatch.setattr(Target, "events", made)
    monkeypatch.setattr(Target, "sqs", made)
    return made


def replay(*arguments: str) -> int:
    return main(["events", "--stack", NAME, "replay", *arguments])


def published(receiver: Receiver) -> list[tuple[str, str]]:
    """Order and type of the events on the bus, in their order."""
    events = [json.loads(entry["Detail"]) for entry in receiver.taken if "Detail" in entry]
    return [(event["correlationid"], event["type"]) for event in events]


def requested(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(entry["MessageBody"]) for entry in receiver.taken if "MessageBody" in entry]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--order", "X", "--day", DAY],
        ["--day", "yesterday"],
        ["--day", f"{NEXT_DAY}..{DAY}"],
        ["--order", "X", "--since", "noon"],
    ],
)
def test_wrong_usage_is_exit_2(shop: Target, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        replay(*arguments)
    assert left.value.code == 2


def test_an_order_that_is_not_there_is_refused(
    shop: Target, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay("--order", WAITING, "--order", "X" * 26) == 1
    refused = json.loads(capsys.readouterr().err)
    assert (refused["code"], refused["field"], receiver.taken) == ("not_found", "order", [])


def test_a_bus_that_takes_nothing_is_a_problem(
    shop: Target, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.down = True
    assert replay("--order", ACCEPTED) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "unavailable"


def test_the_events_of_an_order_go_out_in_the_order_of_time(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay("--order", ACCEPTED) == 0
    assert [type_ for _, type_ in published(receiver)] == [
        "order.placed",
        "order.released",
        "fulfillment_order.released",
        "fulfillment_order.accepted",
    ]
    assert json.loads(capsys.readouterr().out) == {"orders": 1, "events": 4, "requests": 0}


def test_a_replay_sends_what_the_first_time_had_sent(receiver: Receiver) -> None:
    for _ in range(2):
        assert replay("--order", WAITING) == 0
    half = len(receiver.taken) // 2
    assert receiver.taken[:half] == receiver.taken[half:] != []


def test_only_work_that_its_location_has_not_accepted_is_requested_again(receiver: Receiver) -> None:
    assert replay("--day", f"{DAY}..{NEXT_DAY}") == 0
    (request,) = requested(receiver)
    assert (request["fulfillment_order"], request["type"]) == (f"{WAITING}-2-1", "fulfillment_requested")


@pytest.mark.parametrize(
    ("days", "orders"),
    [
        (DAY, [WAITING]),
        (NEXT_DAY, [ACCEPTED]),
        (f"{DAY}..{NEXT_DAY}", [WAITING, ACCEPTED]),
        ("2026-11-21", []),
    ],
)
def test_a_day_means_the_orders_placed_on_it(receiver: Receiver, days: str, orders: list[str]) -> None:
    assert replay("--day", days) == 0
    assert list(dict.fromkeys(order for order, _ in published(receiver))) == orders


@pytest.mark.parametrize(
    ("span", "types"),
    [
        (["--since", "2026-11-23T09:31:30"], ["fulfillment_order.accepted"]),
        (["--until", "2026-11-23T10:30:30+01:00"], ["order.placed"]),
        (
            ["--since", "2026-11-23T09:32:00Z", "--until", "2026-11-23T09:32:00Z"],
            ["fulfillment_order.accepted"],
        ),
        (["--since", "2026-11-24"], []),
    ],
)
def test_only_events_of_the_span_go_out(receiver: Receiver, span: list[str], types: list[str]) -> None:
    assert replay("--order", ACCEPTED, *span) == 0
    assert [type_ for _, type_ in published(receiver)] == types


def test_a_dry_run_prints_the_events_and_sends_nothing(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay("--order", WAITING, "--dry-run") == 0
    events = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [event["type"] for event in events] == [
        "order.placed",
        "order.released",
        "fulfillment_order.released",
    ]
    assert receiver.taken == []


def test_the_tail_has_every_event_once_and_begins_where_it_is_told(
    shop: Target, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tail, "opened", lambda: nullcontext(shop))
    follow = tail.follow
    monkeypatch.setattr(tail, "follow", lambda stack, start: islice(follow(stack, start), 7))
    assert main(["tail", "--all"]) == 0
    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    seen = [(told["subject"], told["v"], told["type"]) for told in lines]
    assert len(set(seen)) == len(seen) == 7
    assert (lines[0]["type"], lines[0]["order_number"]) == ("order.placed", "#1001")
    assert lines[-1]["type"] == "fulfillment_order.accepted"


def test_the_tail_follows_what_happens_from_now_on(shop: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def happen(seconds: float) -> None:
        packed = FulfillmentFact("m-2", FactKind.PACKED, _LATER, ACCEPTED, "2-1")
        record_fulfillment(shop.table, packed, _LATER + timedelta(minutes=3))

    monkeypatch.setattr("infra.cli.tail.time.sleep", happen)
    (event,) = islice(tail.follow(shop, "LATEST"), 1)
    assert (event.type, event.subject) == ("fulfillment_order.packed", f"{ACCEPTED}-2-1")
