"""Transfers through the API: each state refuses what it cannot do, and no unit is lost or sold on the way."""

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from functools import cache
from typing import Any

import pytest

from functions.api import handler as api_function
from oms.inventory.model import Block
from oms.inventory.transfers import ALLOWED, TransferCommand, TransferState
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.orders.model import Stage
from oms.problems import Code, Problem
from oms.store import keys, process
from oms.store.meter import Meter
from oms.store.stock import read_stock, read_supplies
from oms.store.table import Table
from oms.store.transfers import find_transfer
from oms.store.writes import Write
from oms.usecases.cancel_order import Cancelled, cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from tests.builders import MADRID, NOW, command, line, network
from tests.conflicts import Crash, deaths
from tests.rest import Reply, Rest
from tests.shelves import COUNTED_AT, fill, order_of, position

AT = keys.iso(NOW)
LATER = NOW + timedelta(hours=2)
EARLY = keys.iso(COUNTED_AT - timedelta(minutes=1))
ID = order_id("shop-es", "5001")
PLAN: dict[str, Any] = {
    "source": "wh-madrid",
    "target": "st-gracia",
    "due": "2026-11-25T08:00:00Z",
    "lines": [{"sku": "A", "units": 4}, {"sku": "B", "units": 2}],
}
BOUND = {"order_id": ID, "line_id": "1"}


class Clock(datetime):
    """A clock that stands two hours after NOW."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(LATER.timestamp(), tz)


class Desk:
    """Somebody who works on one transfer through the API; every command has a key of its own."""

    def __init__(self, table: Table, monkeypatch: pytest.MonkeyPatch, name: str = "t-1") -> None:
        self.table = table
        self.path = f"/transfers/{name}"
        self.rest = Rest()
        self._patch = monkeypatch
        self._keys = 0
        self.use(table)

    def use(self, table: Table) -> None:
        """Let the function find this table."""
        self._patch.setattr(process, "table", cache(lambda: table))

    def plan(self, *lines: dict[str, Any], **fields: object) -> Reply:
        return self.rest.put(self.path, PLAN | ({"lines": lines} if lines else {}) | fields)

    def do(self, verb: str, body: object = None, key: str | None = None) -> Reply:
        self._keys += 1
        return self.rest.post(f"{self.path}/{verb}", body, key=key or f"{self.path}-{self._keys}")

    def send(self, **fields: object) -> Reply:
        return self.do("dispatch", {"occurred_at": AT} | fields)

    def receive(self, *units: tuple[str, int, int], at: str = AT) -> Reply:
        lines = [{"line_id": name, "units": came, "damaged": damaged} for name, came, damaged in units]
        return self.do("receipts", {"occurred_at": at, "lines": lines})

    def reach(self, state: TransferState) -> None:
        """Bring a new transfer into a state."""
        self.plan()
        steps: dict[TransferState, tuple[Callable[[], object], ...]] = {
            TransferState.DRAFT: (),
            TransferState.READY: (self.ready,),
            TransferState.IN_TRANSIT: (self.ready, self.send),
            TransferState.PARTIALLY_RECEIVED: (self.ready, self.send, lambda: self.receive(("1", 1, 0))),
            TransferState.RECEIVED: (
                self.ready,
                self.send,
                lambda: self.receive(("1", 4, 0), ("2", 2, 0)),
            ),
            TransferState.CLOSED_SHORT: (self.ready, self.send, lambda: self.do("close")),
            TransferState.CANCELLED: (lambda: self.do("cancel", {"units": "put_back"}),),
        }
        for step in steps[state]:
            step()
        assert self.rest.get(self.path).document["state"] == state

    def ready(self) -> Reply:
        return self.do("ready")

    def shelf(self, sku: str, location: str) -> tuple[int, int, int]:
        """On hand, allocated, uncommitted."""
        held = position(self.table, sku, location)
        return held.on_hand, held.allocated, held.uncommitted

    def proved(self) -> None:
        """Every counter is what orders and transfers make it."""
        checked = check_ledger(self.table, segments=1)
        assert (checked.findings, checked.unsettled) == ((), ())


@pytest.fixture
def desk(table: Table, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Of A and B there are ten each in Madrid, and nothing in the store."""
    monkeypatch.setattr(api_function, "datetime", Clock)
    for sku in "AB":
        fill(table, sku, wh_madrid=10)
    return Desk(table, monkeypatch)


def order_for_store(desk: Desk, units: int = 3) -> None:
    """An order of A is allocated in Madrid, and two of its units are to be moved to the store."""
    placed = command(line("A", units), channel_order_id="5001")
    place_order(desk.table, network(MADRID), placed, NOW)


# ---- What is refused ---------------------------------------------------------------------------------------

COMMANDS: dict[TransferCommand, Callable[[Desk], Reply]] = {
    TransferCommand.CHANGE: lambda desk: desk.plan({"sku": "A", "units": 1}),
    TransferCommand.READY: lambda desk: desk.ready(),
    TransferCommand.DISPATCH: lambda desk: desk.send(),
    TransferCommand.RECEIVE: lambda desk: desk.receive(("1", 1, 0)),
    TransferCommand.CLOSE: lambda desk: desk.do("close"),
    TransferCommand.CANCEL: lambda desk: desk.do("cancel", {"units": "write_off"}),
}


@pytest.mark.parametrize("state", TransferState)
@pytest.mark.parametrize("wish", TransferCommand)
def test_each_state_refuses_what_it_does_not_allow_by_its_name(
    desk: Desk, state: TransferState, wish: TransferCommand
) -> None:
    desk.reach(state)
    before = find_transfer(desk.table, "t-1")
    answer = COMMANDS[wish](desk)
    if state in ALLOWED[wish]:
        assert answer.status == 200
        desk.proved()
        return
    assert (answer.problem[:2], answer.document["state"]) == ((409, "state_refused"), str(state))
    assert find_transfer(desk.table, "t-1") == before


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"source": "nowhere"}, "not_found", "source"),
        ({"target": "nowhere"}, "not_found", "target"),
        ({"target": "wh-madrid"}, "field_invalid", "target"),
        ({"lines": []}, "field_invalid", "lines"),
        ({"lines": [{"sku": "A", "units": 0}]}, "field_invalid", "lines[0].units"),
        ({"lines": [{"sku": "A", "units": 1}] * 33}, "field_invalid", "lines"),
        ({"lines": [{"sku": "A", "units": 1, "order": BOUND}] * 17}, "field_invalid", "lines"),
        ({"lines": [{"sku": "A", "units": 1, "order": {}}]}, "field_missing", "lines[0].order.order_id"),
        ({"lines": [{"sku": "A", "units": 1}, {"sku": "A\n", "units": 1}]}, "field_invalid", "lines[1].sku"),
        ({"lines": [{"sku": " ", "units": 1}]}, "field_invalid", "lines[0].sku"),
        ({"due": "soon"}, "field_invalid", "due"),
        ({"state": "ready"}, "field_invalid", "state"),
    ],
)
def test_a_bad_plan_is_refused_by_the_name_of_the_field(
    desk: Desk, fields: dict[str, Any], code: str, field: str
) -> None:
    assert desk.plan(**fields).problem[1:] == (code, field)
    assert find_transfer(desk.table, "t-1") is None


@pytest.mark.parametrize(
    ("verb", "body", "code", "field"),
    [
        ("dispatch", {}, "field_missing", "occurred_at"),
        ("dispatch", {"occurred_at": "2026-11-22T11:31:01Z"}, "field_invalid", "occurred_at"),
        ("dispatch", {"lines": [{"line_id": "9", "units": 1}]}, "field_invalid", "lines[0].line_id"),
        ("dispatch", {"lines": [{"line_id": "1", "units": 5}]}, "field_invalid", "lines[0].units"),
        ("dispatch", {"lines": [{"line_id": "1", "units": 0}]}, "field_invalid", "lines"),
        ("receipts", {"lines": [{"line_id": "9", "units": 1}]}, "field_invalid", "lines[0].line_id"),
        (
            "receipts",
            {"lines": [{"line_id": "1", "units": 1, "damaged": 2}]},
            "field_invalid",
            "lines[0].damaged",
        ),
        ("cancel", {}, "field_missing", "units"),
        ("cancel", {"units": "keep"}, "field_invalid", "units"),
    ],
)
def test_a_bad_command_is_refused_by_the_name_of_the_field(
    desk: Desk, verb: str, body: dict[str, Any], code: str, field: str
) -> None:
    desk.reach(TransferState.READY)
    before = find_transfer(desk.table, "t-1")
    given = {"occurred_at": AT} | body if "lines" in body else body
    assert desk.do(verb, given).problem == (422, code, field)
    assert find_transfer(desk.table, "t-1") == before


def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    assert desk.ready().problem == (404, "not_found", "transfer")
    assert desk.rest.get("/transfers/t-1").problem == (404, "not_found", "transfer")
    listed = desk.rest.get("/transfers", location="wh-madrid", state="received")
    assert listed.problem == (422, "field_invalid", "state")


def test_an_id_that_cannot_be_one_is_refused(desk: Desk) -> None:
    assert desk.rest.put("/transfers/a%23b", PLAN).problem == (422, "field_invalid", "transfer")


def test_units_that_are_promised_or_missing_cannot_be_claimed(desk: Desk) -> None:
    desk.plan({"sku": "A", "units": 6}, {"sku": "A", "units": 5})
    before = position(desk.table, "A", "wh-madrid")
    refused = desk.ready()
    assert (refused.problem, refused.document["state"]) == ((409, "state_refused", "lines"), "draft")
    desk.plan({"sku": "NONE", "units": 1})
    assert desk.ready().problem == (409, "state_refused", "lines")
    assert position(desk.table, "A", "wh-madrid") == before


def test_units_sold_while_they_are_claimed_are_not_claimed(desk: Desk, table: Table) -> None:
    class Racing(Table):
        raced = False

        def commit(self, *writes: Write) -> None:
            if not self.raced:
                self.raced = True
                place_order(table, network(MADRID), command(line("A", 8)), NOW)
            super().commit(*writes)

    desk.plan()
    desk.use(Racing(table.client, table.name))
    assert desk.ready().problem == (409, "state_refused", "lines")
    assert desk.shelf("A", "wh-madrid") == (10, 8, 2)
    desk.proved()


@pytest.mark.parametrize(
    "bound",
    [
        {"order_id": "NOPE", "line_id": "1"},
        {"order_id": ID, "line_id": "9"},
        BOUND,
    ],
)
def test_only_what_is_allocated_to_an_order_line_at_the_source_is_moved_for_it(
    desk: Desk, bound: dict[str, str]
) -> None:
    order_for_store(desk, 3)
    before = order_of(desk.table, ID)
    desk.plan({"sku": "A", "units": 4, "order": bound})
    assert desk.ready().problem[1] in {"state_refused", "not_found"}
    desk.plan({"sku": "B", "units": 1, "order": BOUND})
    assert desk.ready().problem[1] == "state_refused"
    assert order_of(desk.table, ID) == before


# ---- The way of the units ----------------------------------------------------------------------------------


def test_a_plan_is_written_once_and_may_be_changed(desk: Desk) -> None:
    assert desk.plan().headers["ETag"] == '"1"'
    assert desk.plan().headers["ETag"] == '"1"'
    assert desk.rest.put("/transfers/t-1", PLAN | {"target": "wh-lyon"}, if_match='"9"').status == 412
    changed = desk.plan(target="wh-lyon")
    assert (changed.document["target"], changed.headers["ETag"]) == ("wh-lyon", '"2"')
    assert desk.shelf("A", "wh-madrid") == (10, 0, 10)


def test_a_transfer_is_claimed_sent_and_received_and_nothing_is_sold_on_the_way(desk: Desk) -> None:
    desk.plan()
    assert desk.ready().document["state"] == "ready"
    assert desk.shelf("A", "wh-madrid") == (10, 4, 6)
    desk.proved()
    assert desk.send().document["state"] == "in_transit"
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("A", "st-gracia")) == ((6, 0, 6), (0, 0, 0))
    (supply,) = read_stock(desk.table, "A")["A"].supplies
    assert (supply.location, supply.expected, supply.promisable) == ("st-gracia", 4, 4)
    desk.proved()
    received = desk.receive(("1", 4, 0), ("2", 2, 0))
    assert received.document["state"] == "received"
    assert (desk.shelf("A", "st-gracia"), desk.shelf("B", "st-gracia")) == ((4, 0, 4), (2, 0, 2))
    (supply,) = read_stock(desk.table, "A")["A"].supplies
    assert (supply.received, supply.closed) == (4, True)
    desk.proved()


def test_units_that_stay_behind_at_dispatch_are_sold_again(desk: Desk) -> None:
    desk.reach(TransferState.READY)
    sent = desk.send(lines=[{"line_id": "1", "units": 3}])
    assert [one["sent"] for one in sent.document["lines"]] == [3, 0]
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("B", "wh-madrid")) == ((7, 0, 7), (10, 0, 10))
    assert read_supplies(desk.table, "AB", "transfer:t-1").keys() == {"A"}
    assert desk.receive(("1", 3, 0)).document["state"] == "received"
    desk.proved()


def test_short_damaged_and_surplus_units_are_booked_as_they_come(desk: Desk) -> None:
    desk.reach(TransferState.IN_TRANSIT)
    part = desk.receive(("1", 3, 1), ("2", 3, 0))
    assert part.document["state"] == "partially_received"
    lines = part.document["lines"]
    assert [(one["received"], one["damaged"], one["outstanding"]) for one in lines] == [(3, 1, 1), (3, 0, 0)]
    held = position(desk.table, "A", "st-gracia")
    assert (held.on_hand, held.blocked, held.uncommitted) == (3, {Block.DAMAGED: 1}, 2)
    assert desk.shelf("B", "st-gracia") == (3, 0, 3)
    closed = desk.do("close")
    assert (closed.document["state"], closed.document["lines"][0]["given_up"]) == ("closed_short", 1)
    late = desk.receive(("1", 1, 0))
    assert (late.document["state"], late.document["lines"][0]["received"]) == ("closed_short", 4)
    assert desk.shelf("A", "st-gracia") == (4, 0, 3)
    desk.proved()


def test_a_receipt_of_what_nobody_has_sent_off_sends_it_off(desk: Desk) -> None:
    desk.reach(TransferState.READY)
    assert desk.receive(("1", 4, 0)).document["state"] == "partially_received"
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("A", "st-gracia")) == ((6, 0, 6), (4, 0, 4))
    assert read_supplies(desk.table, "AB", "transfer:t-1")["B"].outstanding == 2
    desk.proved()


def test_a_dispatch_told_after_the_receipt_says_what_has_stayed_behind(desk: Desk) -> None:
    desk.reach(TransferState.READY)
    desk.receive(("1", 3, 0))
    told = desk.send(lines=[{"line_id": "1", "units": 3}])
    assert (told.document["state"], [one["sent"] for one in told.document["lines"]]) == ("received", [3, 0])
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("B", "wh-madrid")) == ((7, 0, 7), (10, 0, 10))
    assert all(supply.closed for supply in read_supplies(desk.table, "AB", "transfer:t-1").values())
    desk.proved()
    assert desk.send().problem == (409, "state_refused", None), "it is said once"


@pytest.mark.parametrize("verb", ["receipts", "dispatch"])
def test_a_dispatch_that_dies_after_the_receipt_is_told_once(
    desk: Desk, table: Table, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    for number, faulty in deaths("crash_after", at_least=3):
        one = Desk(table, monkeypatch, f"t-{number}")
        one.plan({"sku": "A", "units": 2})
        assert one.ready().status == 200
        came = {"occurred_at": AT, "lines": [{"line_id": "1", "units": 1}]}
        sent = {"occurred_at": EARLY, "lines": [{"line_id": "1", "units": 1}]}
        steps = {"receipts": came, "dispatch": sent}
        dying = faulty(table)
        for step, body in steps.items():
            one.use(dying if step == verb else table)
            with contextlib.suppress(Crash):
                one.do(step, body, key=f"{step}-{number}")
            one.use(table)
            assert one.do(step, body, key=f"{step}-{number}").status == 200
        assert desk.shelf("A", "wh-madrid") == (10, 0, 10), "a count has seen what left before it"
        one.proved()


def test_units_of_an_order_that_stayed_behind_are_there_for_it_again(desk: Desk) -> None:
    for_order(desk)
    desk.receive(("1", 1, 0), ("2", 1, 0))
    told = desk.send(lines=[{"line_id": "1", "units": 1}, {"line_id": "2", "units": 1}])
    assert told.document["state"] == "received"
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("A", "st-gracia")) == ((8, 2, 6), (2, 1, 1))
    assert entries(desk) == {
        ("wh-madrid", Stage.ALLOCATED, False): 2,
        ("st-gracia", Stage.ALLOCATED, False): 1,
    }
    desk.proved()


def test_units_given_up_that_never_left_are_on_their_shelf_and_their_order_is_sourced_again(
    desk: Desk,
) -> None:
    for_order(desk)
    desk.receive(("2", 1, 0))
    desk.do("close")
    told = desk.send(lines=[{"line_id": "2", "units": 1}])
    assert (told.document["state"], [one["given_up"] for one in told.document["lines"]]) == (
        "closed_short",
        [0, 0],
    )
    assert desk.shelf("A", "wh-madrid") == (9, 1, 8)
    assert order_of(desk.table, ID).lines[0].open == 1
    desk.proved()


def test_units_on_one_way_are_not_put_back_from_another(
    desk: Desk, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_for_store(desk)
    other = Desk(table, monkeypatch, "t-2")
    for one in (desk, other):
        one.plan({"sku": "A", "units": 1, "order": BOUND})
    desk.ready()
    desk.send()
    other.ready()
    desk.do("cancel", {"units": "put_back"})
    assert entries(desk) == {
        ("wh-madrid", Stage.ALLOCATED, False): 2,
        ("wh-madrid", Stage.IN_TRANSFER, False): 1,
    }
    assert other.send().status == 200
    desk.proved()


@pytest.mark.parametrize(
    ("state", "units", "madrid"),
    [
        (TransferState.DRAFT, "write_off", (10, 0, 10)),
        (TransferState.READY, "put_back", (10, 0, 10)),
        (TransferState.READY, "write_off", (6, 0, 6)),
        (TransferState.IN_TRANSIT, "put_back", (10, 0, 10)),
        (TransferState.IN_TRANSIT, "write_off", (6, 0, 6)),
    ],
)
def test_a_cancelled_transfer_puts_its_units_back_or_writes_them_off(
    desk: Desk, state: TransferState, units: str, madrid: tuple[int, int, int]
) -> None:
    desk.reach(state)
    assert desk.do("cancel", {"units": units}).document["state"] == "cancelled"
    assert desk.shelf("A", "wh-madrid") == madrid
    supplies = read_supplies(desk.table, "AB", "transfer:t-1").values()
    assert all(supply.closed for supply in supplies)
    assert desk.shelf("A", "st-gracia") == (0, 0, 0)
    desk.proved()


def test_a_part_that_was_never_sent_is_not_put_back_twice(desk: Desk) -> None:
    desk.reach(TransferState.READY)
    desk.send(lines=[{"line_id": "1", "units": 1}])
    desk.do("cancel", {"units": "put_back"})
    assert (desk.shelf("A", "wh-madrid"), desk.shelf("B", "wh-madrid")) == ((10, 0, 10), (10, 0, 10))


def test_a_count_since_has_seen_what_left_and_what_came(desk: Desk) -> None:
    desk.reach(TransferState.READY)
    fill(desk.table, "A", st_gracia=4)
    desk.send(occurred_at=EARLY)
    assert desk.shelf("A", "wh-madrid") == (10, 0, 10)
    desk.receive(("1", 4, 1), ("2", 2, 0), at=EARLY)
    assert desk.shelf("A", "st-gracia") == (4, 0, 3)
    assert desk.shelf("B", "st-gracia") == (2, 0, 2)
    desk.proved()


def test_a_location_finds_the_transfers_that_it_has_to_act_on(desk: Desk) -> None:
    def listed(location: str, state: str) -> list[str]:
        items = desk.rest.get("/transfers", location=location, state=state).document["items"]
        return [one["transfer"] for one in items]

    desk.reach(TransferState.READY)
    assert (listed("wh-madrid", "ready"), listed("wh-madrid", "draft")) == (["t-1"], [])
    desk.send()
    assert (listed("st-gracia", "in_transit"), listed("wh-madrid", "ready")) == (["t-1"], [])
    desk.receive(("1", 4, 0), ("2", 2, 0))
    assert listed("st-gracia", "in_transit") == []


# ---- Units of orders ---------------------------------------------------------------------------------------


def entries(desk: Desk) -> Counter[tuple[str, Stage, bool]]:
    """Units of the order by location, stage, and whether a supply brings them."""
    units: Counter[tuple[str, Stage, bool]] = Counter()
    for entry in order_of(desk.table, ID).lines[0].entries:
        units[entry.location, entry.stage, entry.supply is not None] += entry.units
    return units


def for_order(desk: Desk) -> None:
    """A transfer of one free unit and two of the order's three is ready."""
    order_for_store(desk)
    desk.plan({"sku": "A", "units": 1}, {"sku": "A", "units": 2, "order": BOUND})
    assert desk.ready().status == 200


def test_units_of_an_order_are_free_at_no_moment_and_end_up_allocated_at_the_target(desk: Desk) -> None:
    for_order(desk)
    assert desk.shelf("A", "wh-madrid") == (10, 4, 6)
    assert entries(desk) == {
        ("wh-madrid", Stage.ALLOCATED, False): 1,
        ("wh-madrid", Stage.IN_TRANSFER, False): 2,
    }
    desk.proved()
    desk.send()
    assert desk.shelf("A", "wh-madrid") == (7, 1, 6)
    assert entries(desk)["st-gracia", Stage.IN_TRANSFER, True] == 2
    (supply,) = read_stock(desk.table, "A")["A"].supplies
    assert (supply.expected, supply.promised, supply.promisable) == (3, 2, 1)
    desk.proved()
    desk.receive(("1", 1, 0), ("2", 2, 0))
    assert desk.shelf("A", "st-gracia") == (3, 2, 1)
    assert entries(desk) == {
        ("wh-madrid", Stage.ALLOCATED, False): 1,
        ("st-gracia", Stage.ALLOCATED, False): 2,
    }
    (supply,) = read_stock(desk.table, "A")["A"].supplies
    assert (supply.received, supply.promised) == (3, 0)
    desk.proved()
    works = release_order(desk.table, network(), ID, NOW)
    assert {work.location for work in works} == {"wh-madrid", "st-gracia"}


def test_units_set_aside_for_a_transfer_are_not_released_at_the_source(desk: Desk) -> None:
    for_order(desk)
    (work,) = release_order(desk.table, network(), ID, NOW)
    assert [one.requested for one in work.lines] == [1]
    desk.send()
    desk.receive(("2", 2, 0))
    desk.proved()


def test_units_of_an_order_stay_allocated_when_they_stay_behind(desk: Desk) -> None:
    for_order(desk)
    desk.send(lines=[{"line_id": "2", "units": 1}])
    assert desk.shelf("A", "wh-madrid") == (9, 2, 7)
    assert entries(desk)["wh-madrid", Stage.ALLOCATED, False] == 2
    desk.proved()


def test_damaged_units_of_an_order_are_open_again(desk: Desk) -> None:
    for_order(desk)
    desk.send()
    desk.receive(("2", 2, 1))
    kept = order_of(desk.table, ID)
    assert (kept.lines[0].open, kept.lines[0].ordered) == (1, 3)
    assert [exception.code for exception in kept.exceptions] == ["stock_short"]
    held = position(desk.table, "A", "st-gracia")
    assert (held.on_hand, held.allocated, held.uncommitted, held.blocked) == (2, 1, 0, {Block.DAMAGED: 1})
    desk.proved()


def test_a_shelf_that_is_short_refuses_no_units_that_come_for_an_order(desk: Desk) -> None:
    for_order(desk)
    desk.send()
    fill(desk.table, "A", st_gracia=0)
    desk.receive(("2", 2, 0), at=EARLY)
    assert desk.shelf("A", "st-gracia") == (0, 2, -2)
    desk.proved()


@pytest.mark.parametrize(
    ("verb", "body"), [("close", None), ("cancel", {"units": "write_off"}), ("cancel", {"units": "put_back"})]
)
def test_units_of_an_order_that_do_not_come_wait_again_or_are_back_on_their_shelf(
    desk: Desk, verb: str, body: object
) -> None:
    for_order(desk)
    desk.send()
    assert desk.do(verb, body).status == 200
    kept = order_of(desk.table, ID).lines[0]
    back = body == {"units": "put_back"}
    assert (kept.open, kept.allocated) == ((0, 3) if back else (2, 1))
    assert desk.shelf("A", "wh-madrid") == ((10, 3, 7) if back else (7, 1, 6))
    desk.proved()


def test_units_of_an_order_that_are_written_off_before_they_are_sent_wait_again(desk: Desk) -> None:
    for_order(desk)
    desk.do("cancel", {"units": "write_off"})
    assert (desk.shelf("A", "wh-madrid"), order_of(desk.table, ID).lines[0].open) == ((7, 1, 6), 2)
    desk.proved()


# ---- Cancelled on the way ---------------------------------------------------------------------------------


def cancel(desk: Desk, units: Mapping[str, int] | None = None, channel: str | None = None) -> Cancelled:
    wish = CancelRequest(CancelReason.CUSTOMER, units, channel)
    return cancel_order(desk.table, network(), ID, wish, NOW)


@pytest.mark.parametrize("sent", [False, True], ids=["set aside", "sent"])
@pytest.mark.parametrize("units", [None, {"1": 2}, {"1": 3}])
def test_units_in_a_transfer_are_not_cancelled_before_it_ends(
    desk: Desk, sent: bool, units: Mapping[str, int] | None
) -> None:
    for_order(desk)
    if sent:
        desk.send()
    before = order_of(desk.table, ID)
    with pytest.raises(Problem) as refused:
        cancel(desk, units)
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, "in_transfer")
    assert "are in a transfer" in refused.value.detail
    assert order_of(desk.table, ID) == before
    assert cancel(desk, {"1": 1}).cancelled == 1, "what is not in it can be"
    desk.proved()


@pytest.mark.parametrize("stop", [True, False], ids=["stopped", "arrived"])
def test_once_it_has_ended_they_are(desk: Desk, stop: bool) -> None:
    for_order(desk)
    desk.send()
    if stop:
        desk.do("cancel", {"units": "put_back"})
    else:
        desk.receive(("1", 1, 0), ("2", 2, 0))
    assert cancel(desk).cancelled == 3
    assert order_of(desk.table, ID).lines[0].entries == ()
    desk.proved()


def test_what_its_channel_cancels_on_the_way_is_kept_from_its_locations(desk: Desk) -> None:
    for_order(desk)
    desk.send()
    assert cancel(desk, channel="v2").cancelled == 1
    kept = order_of(desk.table, ID)
    assert kept.lines[0].units_in(Stage.IN_TRANSFER) == 2
    assert (kept.holds, [one.code for one in kept.exceptions]) == (("manual",), ["channel_reduced"])
    assert cancel(desk, channel="v2").order == kept
    desk.receive(("1", 1, 0), ("2", 2, 0))
    assert release_order(desk.table, network(), ID, NOW) == ()
    assert cancel(desk).cancelled == 2
    done = order_of(desk.table, ID)
    assert (done.holds, done.exceptions, done.lines[0].cancelled) == ((), (), 3)
    desk.proved()


# ---- Repetition, crashes, cost -----------------------------------------------------------------------------

LIFE: tuple[Callable[[Desk, str], Reply], ...] = (
    lambda desk, key: desk.do("ready", key=f"{key}-1"),
    lambda desk, key: desk.do("dispatch", {"occurred_at": AT}, key=f"{key}-2"),
    lambda desk, key: desk.do(
        "receipts",
        {"occurred_at": AT, "lines": [{"line_id": "1", "units": 1}, {"line_id": "2", "units": 1}]},
        key=f"{key}-3",
    ),
    lambda desk, key: desk.do("close", key=f"{key}-4"),
)


def test_a_repeated_command_is_answered_as_before_and_changes_nothing(desk: Desk) -> None:
    order_for_store(desk)
    desk.plan({"sku": "A", "units": 1}, {"sku": "A", "units": 2, "order": BOUND})
    answers = [step(desk, "k") for step in LIFE]
    before = find_transfer(desk.table, "t-1"), read_stock(desk.table, "A")
    again = [step(desk, "k") for step in LIFE]
    assert [one.document for one in again] == [one.document for one in answers]
    assert (find_transfer(desk.table, "t-1"), read_stock(desk.table, "A")) == before


@pytest.mark.parametrize("steps", range(len(LIFE) + 1))
def test_a_plan_that_is_told_again_changes_nothing_however_far_it_has_come(desk: Desk, steps: int) -> None:
    order_for_store(desk)
    lines: list[dict[str, Any]] = [{"sku": "A", "units": 1}, {"sku": "A", "units": 2, "order": BOUND}]
    desk.plan(*lines)
    for step in LIFE[:steps]:
        step(desk, "k")
    before = find_transfer(desk.table, "t-1")
    assert desk.plan(*lines).status == 200
    assert find_transfer(desk.table, "t-1") == before


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
@pytest.mark.parametrize("step", range(len(LIFE)))
def test_a_command_that_dies_at_any_call_is_done_once_when_it_is_sent_again(
    desk: Desk, table: Table, monkeypatch: pytest.MonkeyPatch, when: str, step: int
) -> None:
    for number, faulty in deaths(when, at_least=6):
        name = f"o{number}"
        place_order(table, network(MADRID), command(line("A", 2), channel_order_id=name), NOW)
        bound = {"order_id": order_id("shop-es", name), "line_id": "1"}
        one = Desk(table, monkeypatch, f"t-{number}")
        one.plan({"sku": "B", "units": 1}, {"sku": "A", "units": 2, "order": bound})
        for before in LIFE[:step]:
            assert before(one, name).status == 200
        one.use(faulty(table))
        with contextlib.suppress(Crash):
            LIFE[step](one, name)
        one.use(table)
        assert LIFE[step](one, name).status == 200
        one.proved()
        after = find_transfer(table, f"t-{number}")
        assert after is not None
        assert after.v == step + 2
        if after.state is TransferState.READY:
            one.do("cancel", {"units": "put_back"})
        fill_up(desk)


def fill_up(desk: Desk) -> None:
    """Put ten free units of each sku onto the shelf in Madrid again."""
    for sku in "AB":
        held = position(desk.table, sku, "wh-madrid")
        more = 10 - held.uncommitted
        if more > 0:
            body = {"units": more, "reason": "more"}
            key = f"fill-{sku}-{held.v}"
            assert desk.rest.post(f"/stock/{sku}/wh-madrid/adjustments", body, key=key).status == 200


@pytest.mark.parametrize(("step", "units"), [(0, 8), (1, 10), (2, 11)])
def test_what_a_step_of_a_transfer_of_one_sku_costs(desk: Desk, table: Table, step: int, units: int) -> None:
    desk.plan({"sku": "A", "units": 2}, {"sku": "A", "units": 2})
    meter = Meter(table.client)
    for number in range(step + 1):
        before = meter.bill
        desk.use(Table(meter.client(), table.name))
        assert LIFE[number](desk, "k").status == 200
    assert (meter.bill - before).writes == units
