"""Serving what waits: who comes first, who is passed over, and what races and crashes leave behind."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.sourcing import handler as sourcing
from oms.inventory.model import Delta, Sku
from oms.inventory.network import Channel, Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.claims import sought
from oms.orders.commands import Delivery, Line, Method
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.work import WorkStage, work_stage
from oms.runtime import clients
from oms.store import keys
from oms.store.meter import Meter
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.writes import Why, limit, move, put
from oms.usecases import serve_waiting as usecase
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.release_order import release_order
from oms.usecases.serve_waiting import Served, serve_waiting
from oms.usecases.source_order import source_order
from tests.builders import CHANNEL, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import fill, order_of, shelves

WHY = Why("receipt", "r1", "test", NOW)
LATER = NOW + timedelta(hours=1)
OTHER = Channel("shop-fr", "shopify", "iberia")


def shops() -> Network:
    """Two channels that sell from one pool."""
    configured = network()
    return replace(configured, channels={**configured.channels, OTHER.id: OTHER})


def send(table: Table, name: str, *lines: Line, **fields: object) -> str:
    """Place an order; its id."""
    order = command(*(lines or [line("A")]), channel_order_id=name, **fields)
    return place_order(table, shops(), order, NOW).order.order_id


def receive(table: Table, units: int, location: str = "wh-madrid", sku: str = "A") -> None:
    table.commit(move(sku, location, Delta(on_hand=units), WHY))


def allocated(table: Table, *names: str) -> list[int]:
    return [sum(one.allocated for one in order_of(table, name).lines) for name in names]


def rows(table: Table, *names: str) -> dict[tuple[str, str], object]:
    """What stands of the orders under the skus that they wait for: units by order and sku."""
    items = (item for name in names for item in table.query(keys.order(name), keys.BACKORDER))
    return {
        (str(item["PK"]).removeprefix(keys.ORDER), str(item["SK"]).removeprefix(keys.BACKORDER)): item[
            "units"
        ]
        for item in items
    }


def assert_agreed(table: Table, *names: str) -> None:
    """Positions, demands and rows say what the orders say."""
    checked = check_ledger(table, segments=1)
    assert (checked.findings, checked.unsettled) == ((), ())
    wanted = {(name, sku): units for name in names for sku, units in sought(order_of(table, name)).items()}
    assert rows(table, *names) == wanted


class Between:
    """A client that lets others act before some of its transactions."""

    def __init__(self, client: Any, acts: dict[int, Callable[[], object]]) -> None:
        self._client = client
        self._acts = acts
        self._transactions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self._transactions += 1
        self._acts.get(self._transactions, lambda: None)()
        return self._client.transact_write_items(**request)


def between(table: Table, **acts: Callable[[], object]) -> Table:
    by_number = {int(name.removeprefix("before_")): act for name, act in acts.items()}
    return Table(Between(table.client, by_number), table.name, pause=lambda seconds: None)  # type: ignore[arg-type]


def test_the_oldest_promise_comes_first_whatever_its_channel_or_size(table: Table) -> None:
    fill(table, "A")
    young = send(table, "young", placed_at=NOW)
    old = send(table, "old", line("A", 3), placed_at=NOW - timedelta(days=2), channel="shop-fr")
    middle = send(table, "middle", line("A", 2), placed_at=NOW - timedelta(days=1))
    receive(table, 4)
    assert serve_waiting(table, shops(), "A", LATER) == Served(2, 4)
    assert allocated(table, old, middle, young) == [3, 1, 0]
    assert rows(table, old, middle, young) == {(middle, "A"): 1, (young, "A"): 1}
    assert_agreed(table, old, middle, young)


def test_backordered_and_open_units_of_an_order_stand_in_one_queue(table: Table) -> None:
    fill(table, "A")
    table.commit(limit("A", "iberia", 2))
    first = send(table, "1", line("A", 2), placed_at=NOW - timedelta(days=1))
    second = send(table, "2", line("A", 2))
    assert [known.code for known in order_of(table, second).exceptions] == ["stock_short"]
    receive(table, 3)
    serve_waiting(table, shops(), "A", LATER)
    assert allocated(table, first, second) == [2, 1]
    assert order_of(table, second).exceptions != ()
    receive(table, 1)
    serve_waiting(table, shops(), "A", LATER)
    assert order_of(table, second).exceptions == ()
    assert rows(table, first, second) == {}
    assert_agreed(table, first, second)


def test_an_order_that_cannot_use_what_is_there_is_passed_over_and_keeps_its_place(table: Table) -> None:
    fill(table, "A")
    pickup = (Delivery("d1", Method.PICKUP, location="905684977"),)
    at_store = send(table, "1", placed_at=NOW - timedelta(days=1), deliveries=pickup)
    shipped = send(table, "2")
    receive(table, 1)
    assert serve_waiting(table, shops(), "A", LATER) == Served(1, 1)
    assert allocated(table, at_store, shipped) == [0, 1]
    receive(table, 1, "st-gracia")
    serve_waiting(table, shops(), "A", LATER)
    assert allocated(table, at_store, shipped) == [1, 1]


@pytest.mark.parametrize("together", [False, True])
def test_new_orders_leave_stock_to_those_who_wait(table: Table, together: bool) -> None:
    fill(table, "A")
    waiting = send(table, "waiting", line("A", 2), placed_at=NOW - timedelta(days=1))
    receive(table, 3)
    new = [command(line("A"), channel_order_id=name) for name in "ab"]
    if together:
        assert len(list(place_orders(table, shops(), new, NOW))) == 2
    else:
        for each in new:
            place_order(table, shops(), each, NOW)
    names = [order_id("shop-es", each) for each in "ab"]
    assert allocated(table, *names) == [1, 0]
    serve_waiting(table, shops(), "A", LATER)
    assert allocated(table, waiting, *names) == [2, 1, 0]
    assert_agreed(table, waiting, *names)


def test_nobody_is_looked_at_when_there_is_nothing_to_give(table: Table) -> None:
    fill(table, "A")
    send(table, "1")
    faults = Faults()
    served = serve_waiting(Table(faults.wrap(table.client), table.name), shops(), "A", LATER)
    assert served == Served(0, 0)
    assert faults.calls == ["query"]


def test_what_was_served_is_released_and_the_rest_waits_on(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    name = send(table, "1", line("A", 3))
    assert len(release_order(table, shops(), name, NOW)) == 1
    assert work_stage(order_of(table, name)) == (WorkStage.OPEN, NOW)
    receive(table, 1)
    serve_waiting(table, shops(), "A", LATER)
    assert work_stage(order_of(table, name)) == (WorkStage.RELEASE, NOW)
    assert len(release_order(table, shops(), name, LATER)) == 1
    assert work_stage(order_of(table, name)) == (WorkStage.OPEN, LATER)
    receive(table, 1)
    serve_waiting(table, shops(), "A", LATER)
    release_order(table, shops(), name, LATER)
    assert work_stage(order_of(table, name)) is None
    assert_agreed(table, name)


def test_a_held_order_gets_its_units_and_stays_held(table: Table) -> None:
    fill(table, "A")
    name = send(table, "1", payments=())
    receive(table, 1)
    serve_waiting(table, shops(), "A", LATER)
    assert allocated(table, name) == [1]
    assert order_of(table, name).holds == ("payment",)
    assert work_stage(order_of(table, name)) == (WorkStage.HELD, order_of(table, name).due_at)


def test_a_lost_race_gives_what_is_left(table: Table) -> None:
    fill(table, "A")
    name = send(table, "1", line("A", 3))
    receive(table, 3)
    steal = move("A", "wh-madrid", Delta(on_hand=-2), WHY)
    served = serve_waiting(between(table, before_1=lambda: table.commit(steal)), shops(), "A", LATER)
    assert served == Served(1, 1)
    assert shelves(table, "A") == {"wh-madrid": (1, 1, 0)}
    assert_agreed(table, name)


def test_two_servers_at_once_give_every_unit_once(table: Table) -> None:
    fill(table, "A")
    names = [send(table, name, line("A", 2)) for name in "abc"]
    receive(table, 5)
    rival = between(table, before_1=lambda: serve_waiting(table, shops(), "A", LATER))
    assert serve_waiting(rival, shops(), "A", LATER) == Served(0, 0)
    assert sorted(allocated(table, *names)) == [1, 2, 2]
    assert_agreed(table, *names)


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(table: Table, when: str) -> None:
    fill(table, "A")
    counted = Faults()
    names = [send(table, name) for name in ("x", "y")]
    receive(table, 2)
    serve_waiting(Table(counted.wrap(table.client), table.name), shops(), "A", LATER)
    for number in range(1, len(counted.calls) + 1):
        new = [send(table, f"{number}-{name}") for name in "ab"]
        names += new
        receive(table, 2)
        crashing = Table(Faults(**{when: number}).wrap(table.client), table.name)  # type: ignore[arg-type]
        with pytest.raises(Crash):
            serve_waiting(crashing, shops(), "A", LATER)
        assert_agreed(table, *names)
        serve_waiting(table, shops(), "A", LATER)
        assert allocated(table, *new) == [1, 1]
        assert_agreed(table, *names)


def test_a_page_that_ends_with_stock_left_says_where_to_go_on(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usecase, "PAGE", 2)
    fill(table, "A")
    names = [send(table, name, placed_at=NOW + timedelta(minutes=n)) for n, name in enumerate("abc")]
    receive(table, 9)
    served = serve_waiting(table, shops(), "A", LATER)
    assert (served.orders, allocated(table, *names)) == (2, [1, 1, 0])
    assert served.after is not None
    assert serve_waiting(table, shops(), "A", LATER, after=served.after).orders == 1
    assert allocated(table, *names) == [1, 1, 1]


def test_a_sku_that_becomes_known_heals_the_orders_that_wait_for_it(table: Table) -> None:
    name = send(table, "1", line("G", 2), line("H", "1.5", number=2), line("A", number=3))
    assert {known.code for known in order_of(table, name).exceptions} >= {"sku_unknown", "quantity_unknown"}
    assert_agreed(table, name)
    assert source_order(table, shops(), name, LATER).v == 1
    fill(table, "G", wh_madrid=1)
    table.commit(put(keys.sku_meta("H"), encode_sku(Sku("H", scale=1000))))
    healed = source_order(table, shops(), name, LATER)
    assert [(known.code, known.ref) for known in healed.exceptions] == [
        ("sku_unknown", "3"),
        ("stock_short", "1"),
        ("stock_short", "2"),
    ]
    assert [(one.open, one.allocated, one.pending) for one in healed.lines] == [
        (1, 1, False),
        (1500, 0, False),
        (1, 0, True),
    ]
    assert source_order(table, shops(), name, LATER) == healed == order_of(table, name)
    assert_agreed(table, name)


def test_orders_ask_for_a_sku_that_becomes_known_the_oldest_first(table: Table) -> None:
    young = send(table, "young", line("G", 2), placed_at=NOW)
    old = send(table, "old", line("G", 2), placed_at=NOW - timedelta(days=1))
    assert rows(table, old, young) == {(old, "G"): 2, (young, "G"): 2}
    fill(table, "G", wh_madrid=3)
    assert serve_waiting(table, shops(), "G", LATER) == Served(0, 0)
    assert serve_waiting(table, shops(), "G", LATER, described=True) == Served(2, 3)
    assert allocated(table, old, young) == [2, 1]
    assert rows(table, old, young) == {(young, "G"): 1}
    assert [known.code for known in order_of(table, old).exceptions] == []
    assert_agreed(table, old, young)
    assert serve_waiting(table, shops(), "G", LATER, described=True) == Served(0, 0)
    assert order_of(table, old).v == 2


def test_a_sku_that_becomes_known_without_stock_is_waited_for_from_then_on(table: Table) -> None:
    name = send(table, "1", line("G", 2))
    fill(table, "G")
    assert serve_waiting(table, shops(), "G", LATER, described=True) == Served(0, 0)
    (waiting,) = order_of(table, name).lines
    assert (waiting.open, waiting.pending) == (2, False)
    assert_agreed(table, name)
    receive(table, 2, sku="G")
    assert serve_waiting(table, shops(), "G", LATER) == Served(1, 2)
    assert_agreed(table, name)


def test_cancelled_units_of_a_sku_that_nobody_knows_are_not_looked_for(table: Table) -> None:
    name = send(table, "1", line("G", 2))
    cancel_order(table, shops(), name, CancelRequest(CancelReason.CUSTOMER), LATER)
    assert rows(table, name) == {}
    assert_agreed(table, name)


def test_a_sku_that_becomes_known_while_an_order_is_placed_is_not_missed(table: Table) -> None:
    known = between(table, before_1=lambda: fill(table, "G", wh_madrid=1))
    order = place_order(known, shops(), command(line("G")), NOW).order
    assert allocated(table, order.order_id) == [1]
    assert_agreed(table, order.order_id)


def test_a_sku_that_becomes_known_while_a_group_is_placed_is_not_missed(table: Table) -> None:
    known = between(table, before_1=lambda: fill(table, "G", wh_madrid=3))
    commands = [command(line("G", 2), channel_order_id=name) for name in "ab"]
    outcomes = [outcome for _, outcome in place_orders(known, shops(), commands, NOW)]
    names = [outcome.order.order_id for outcome in outcomes if isinstance(outcome, Result)]
    assert sorted(allocated(table, *names)) == [1, 2]
    assert_agreed(table, *names)


def test_an_order_of_many_skus_that_nobody_knows_is_found_by_the_first_of_them(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    lines = [line(f"G{number}", number=number) for number in range(100, 220)]
    name = send(table, "1", *lines, line("A", number=99))
    assert rows(table, name) == {(name, f"G{number}"): 1 for number in range(100, 110)}
    assert allocated(table, name) == [1]
    for number in range(100, 112):
        fill(table, f"G{number}", wh_madrid=1)
    assert serve_waiting(table, shops(), "G100", LATER, described=True) == Served(1, 1)
    assert allocated(table, name) == [13]
    assert_agreed(table, name)


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_a_crash_at_any_call_leaves_the_rest_of_what_became_known_to_the_next_delivery(
    table: Table, when: str
) -> None:
    counted, names = Faults(), [send(table, name, line("G", 2)) for name in "xy"]
    fill(table, "G", wh_madrid=3)
    serve_waiting(Table(counted.wrap(table.client), table.name), shops(), "G", LATER, described=True)
    for number in range(1, len(counted.calls) + 1):
        sku = f"G{number}"
        new = [send(table, f"{number}-{name}", line(sku, 2)) for name in "ab"]
        names += new
        fill(table, sku, wh_madrid=3)
        faults = Faults(**{when: number})  # type: ignore[arg-type]
        with suppress(Crash, ReadTimeoutError):
            serve_waiting(Table(faults.wrap(table.client), table.name), shops(), sku, LATER, described=True)
        assert_agreed(table, *new)
        serve_waiting(table, shops(), sku, LATER, described=True)
        assert sorted(allocated(table, *new)) == [1, 2]
    assert_agreed(table, *names)


def test_a_row_for_each_sku_that_nobody_knows_is_all_that_it_costs_to_find_an_order(table: Table) -> None:
    meter = Meter(table.client)
    place_order(Table(meter.client("place"), table.name), shops(), command(line("G", 2)), NOW)
    assert meter.bill.only(type="backorder", part="table").writes == 2
    assert meter.bill.writes <= 7 + 3


def test_the_units_of_serving_an_order_stay_within_their_budget(table: Table) -> None:
    fill(table, "A")
    send(table, "1", line("A", 2))
    receive(table, 2)
    meter = Meter(table.client)
    serve_waiting(Table(meter.client("serve"), table.name), shops(), "A", LATER)
    spent = meter.bill.only(part="table")
    kinds = ("order", "decision", "position", "demand", "backorder")
    by_type = {kind: spent.only(type=kind).writes for kind in kinds}
    assert by_type == {"order": 2, "decision": 2, "position": 2, "demand": 2, "backorder": 2}
    assert meter.bill.writes <= 10 + 4


class Queue:
    """The queue of `sourcing`, and what it has taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.receiver = Receiver()
        monkeypatch.setenv("SOURCING_QUEUE_URL", "https://sqs/sourcing")
        monkeypatch.setattr(clients, "sqs", lambda: self.receiver.queue)

    @property
    def sent(self) -> list[Any]:
        return [json.loads(entry["MessageBody"]) for entry in self.receiver.taken]


def deliver(*messages: object) -> list[str]:
    """Ids of the messages that failed."""
    records = [{"messageId": str(n), "body": json.dumps(body)} for n, body in enumerate(messages)]
    return [
        failure["itemIdentifier"]
        for failure in sourcing.handler({"Records": records}, None)["batchItemFailures"]
    ]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "serve"}, "sku"),
        ({"type": "serve", "sku": "A", "after": {"PK": "O#1"}}, "after.SK"),
        ({"type": "serve", "sku": "A", "after": "O#1"}, "after"),
        ({"type": "serve", "sku": "A", "described": "perhaps"}, "described"),
        ({"type": "source"}, "order_id"),
        ({"type": "source", "order_id": "NOBODY"}, "order_id"),
        ({"type": "polish"}, "type"),
    ],
)
def test_a_message_that_is_not_one_of_ours_fails_alone(
    message: object, field: str, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(table, "A")
    name = send(table, "1")
    receive(table, 1)
    assert deliver(message, {"type": "serve", "sku": "A"}) == ["0"]
    assert f'"field":"{field}"' in capsys.readouterr().out
    assert allocated(table, name) == [1]


def test_a_message_that_does_not_finish_sends_another(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(monkeypatch)
    monkeypatch.setattr(usecase, "PAGE", 1)
    fill(table, "A")
    names = [send(table, name) for name in "ab"]
    receive(table, 9)
    assert deliver({"type": "serve", "sku": "A"}) == []
    assert sorted(allocated(table, *names)) == [0, 1]
    (rest,) = queue.sent
    assert deliver(rest) == []
    assert allocated(table, *names) == [1, 1]


def test_a_message_heals_an_order_once_its_sku_is_known(table: Table) -> None:
    name = send(table, "1", line("G"))
    fill(table, "G", wh_madrid=1)
    assert deliver({"type": "source", "order_id": name}, {"type": "source", "order_id": name}) == []
    assert (order_of(table, name).v, allocated(table, name)) == (2, [1])


def test_the_message_that_a_sku_is_described_may_come_twice(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(monkeypatch)
    monkeypatch.setattr(usecase, "PAGE", 1)
    names = [send(table, name, line("G")) for name in "ab"]
    fill(table, "G", wh_madrid=1)
    described = {"type": "serve", "sku": "G", "described": True}
    assert deliver(described) == []
    (rest,) = queue.sent
    assert rest["described"] is True
    assert deliver(rest, rest, described) == []
    assert sorted(allocated(table, *names)) == [0, 1]
    assert [one.pending for name in names for one in order_of(table, name).lines] == [False, False]
    assert_agreed(table, *names)


def test_an_order_of_a_channel_that_is_gone_does_not_stop_the_others(table: Table) -> None:
    fill(table, "A")
    gone = send(table, "1", channel="shop-fr", placed_at=NOW - timedelta(days=1))
    kept = send(table, "2")
    receive(table, 2)
    assert serve_waiting(table, network(channel=CHANNEL), "A", LATER) == Served(1, 1)
    assert allocated(table, gone, kept) == [0, 1]


def test_orders_are_stored_as_they_were_decided(table: Table) -> None:
    fill(table, "A", wh_lyon=1)
    fill(table, "B")
    name = send(table, "1", line("A", 2), line("B", 2, number=2), line("A", 1, number=3))
    receive(table, 1)
    receive(table, 1, "st-gracia")
    serve_waiting(table, shops(), "A", LATER)
    stored: Order = order_of(table, name)
    assert [one.allocated for one in stored.lines] == [2, 0, 1]
    assert len({entry.alloc_id for one in stored.lines for entry in one.entries}) == 3
    assert [entry.kinds for entry in stored.journal] == [("placed",), ("sourced",)]
    assert_agreed(table, name)
