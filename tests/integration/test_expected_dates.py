"""When waiting units are expected: told from announced supply, to each order behind those before it."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.sourcing import handler as sourcing
from oms.events.derive import events_of_journal
from oms.inventory.model import Block, Delta, Sku, Supply, SupplyKind
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Delivery, Line, Method
from oms.orders.model import Order
from oms.orders.resourcing import reopen
from oms.runtime import clients
from oms.store import keys
from oms.store.meter import Meter
from oms.store.stock import encode_sku, encode_supply
from oms.store.table import Table
from oms.store.writes import Why, Write, create, limit, move, put
from oms.usecases import expect_waiting as usecase
from oms.usecases.announce_supply import announce_supply, close_supply
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.expect_waiting import Expected, expect_waiting
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import Refused, place_orders
from oms.usecases.receive_stock import Receipt, ReceivedUnits, receive_stock
from oms.usecases.resolve_shortage import resolve_shortage
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import MADRID, NOW, command, line, network
from tests.conflicts import Crash, deaths
from tests.outlets import Receiver
from tests.rest import Rest
from tests.shelves import fill, order_of

DAY = timedelta(days=1)
PAGE_END = ("PK", "SK", "GSI1PK", "GSI1SK")
WHY = Why("receipt", "r1", "test", NOW)


def announce(table: Table, day: int, units: int, location: str = "wh-madrid", sku: str = "A") -> None:
    name = f"po-{day}-{location}"
    coming = Supply(sku, name, SupplyKind.PURCHASE_ORDER, location, NOW + day * DAY, expected=units, v=1)
    table.commit(create(keys.supply(sku, name), encode_supply(coming)))


def place(table: Table, name: str, *lines: Line, **fields: object) -> Order:
    sent = command(*lines, channel_order_id=name, **fields)
    order = place_order(table, network(), sent, NOW).order
    assert order_of(table, order.order_id) == order
    return order


def days(order: Order) -> list[int | None]:
    """In how many days the waiting units of each line are expected."""
    return [(line.expected_at - NOW).days if line.expected_at else None for line in order.lines]


def test_without_supply_nobody_knows_when_units_come(table: Table) -> None:
    fill(table, "A")
    assert days(place(table, "1", line("A", 2))) == [None]


def test_an_order_that_has_its_units_expects_none(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    announce(table, 3, 9)
    assert days(place(table, "1", line("A", 2))) == [None]


def test_each_order_expects_what_those_before_it_leave_of_the_supply(table: Table) -> None:
    fill(table, "A")
    announce(table, 3, 3)
    announce(table, 9, 2)
    table.commit(limit("A", "iberia", 1))
    found = [days(place(table, name, line("A", 2))) for name in "abc"]
    assert found == [[3], [9], [None]]
    assert check_ledger(table, segments=1).findings == ()


def test_orders_of_one_group_expect_what_those_before_them_leave(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 3)
    announce(table, 9, 2)
    sent = [command(line("A", 2), channel_order_id=name) for name in "abc"]
    found = dict(place_orders(table, network(), sent, NOW))
    orders = [one.order for one in (found[number] for number in range(3)) if not isinstance(one, Refused)]
    assert [days(order) for order in orders] == [[3], [3], [9]]
    assert [order_of(table, order.order_id) for order in orders] == orders


def test_what_the_order_takes_itself_covers_nothing_of_what_it_waits_for(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    announce(table, 3, 2)
    announce(table, 9, 1)
    both = place(table, "1", line("A", 3), line("A", 2, number=2))
    assert sum(one.allocated for one in both.lines) == 2
    assert days(both) == [3, 9]


def test_what_is_picked_up_comes_to_the_store(table: Table) -> None:
    fill(table, "A")
    announce(table, 3, 9)
    announce(table, 9, 9, "st-gracia")
    pickup = Delivery("d1", Method.PICKUP, location="st-gracia")
    assert days(place(table, "1", line("A"), deliveries=(pickup,))) == [9]
    assert days(place(table, "2", line("A"))) == [3]


def test_what_is_sold_ahead_is_expected_at_its_first_release(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", first_release_at=NOW + 30 * DAY))))
    table.commit(limit("A", "iberia", 0, 9))
    announce(table, 3, 1)
    announce(table, 40, 1)
    assert [days(place(table, name, line("A", 2))) for name in "abc"] == [[30], [40], [None]]


def test_a_repeated_message_keeps_what_was_told(table: Table) -> None:
    fill(table, "A")
    announce(table, 9, 9)
    place(table, "1", line("A"))
    announce(table, 3, 9)
    assert days(place(table, "1", line("A"))) == [9]


def test_a_sku_that_becomes_known_is_expected_from_then_on(table: Table) -> None:
    order = place(table, "1", line("G", 2))
    assert days(order) == [None]
    fill(table, "G")
    announce(table, 3, 2, sku="G")
    serve_waiting(table, network(), "G", NOW, described=True)
    assert days(order_of(table, order.order_id)) == [3]


def test_units_that_lose_their_source_are_expected_at_no_time_that_was_told_before(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 9)
    order = place(table, "1", line("A", 2))
    assert days(order) == [3]
    entry = order.lines[0].entries[0]
    assert days(reopen(order, {entry.alloc_id: 1}, NOW, "counted").order) == [None]


def test_the_api_tells_the_date_for_as_long_as_units_wait(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "dynamodb", lambda: table.client)
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 9)
    order = place(table, "1", line("A", 2))

    def told() -> tuple[int, str | None]:
        shown = Rest().get(f"/orders/{order.order_id}").document["lines"][0]
        return shown["open"] + shown["backordered"], shown["expected_at"]

    assert told() == (1, "2026-11-25T09:30:00.000Z")
    table.commit(move("A", "wh-madrid", Delta(on_hand=1), WHY))
    serve_waiting(table, network(), "A", NOW)
    assert told() == (0, None)


# ---- What is told when supply changes ----------------------------------------------------------------------


def queue(table: Table, *units: int, sku: str = "A", **fields: object) -> list[str]:
    """Orders of so many units that wait, the oldest first; their ids."""
    names = []
    for number, count in enumerate(units):
        at = NOW - timedelta(hours=1) + timedelta(minutes=number)
        sent = command(line(sku, count), channel_order_id=f"q{number}", placed_at=at, **fields)
        names.append(place_order(table, network(), sent, NOW).order.order_id)
    return names


def told(table: Table, names: list[str]) -> list[int | None]:
    return [days(order_of(table, name))[0] for name in names]


def change(table: Table, units: int, day: int = 3, location: str = "wh-madrid", name: str = "po") -> None:
    """A vendor says what it delivers, when and where."""
    due = NOW + day * DAY
    announce_supply(table, network(), Supply("A", name, SupplyKind.PURCHASE_ORDER, location, due, units))


def tell(table: Table, now: datetime = NOW) -> int:
    return expect_waiting(table, network(), "A", now).orders


def test_supply_that_is_announced_later_is_told_along_the_queue(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2, 2, 2)
    change(table, 3)
    change(table, 2, 9, name="late")
    assert told(table, names) == [None, None, None]
    assert tell(table) == 2
    assert told(table, names) == [3, 9, None]
    before = [order_of(table, name) for name in names]
    assert [order.journal[-1].kinds for order in before] == [("expected",), ("expected",), ("placed",)]
    assert tell(table) == 0
    assert [order_of(table, name) for name in names] == before
    assert check_ledger(table, segments=1).findings == ()


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"units": 4, "day": 5}, [5, 5]),
        ({"units": 3}, [3, None]),
        ({"units": 1}, [None, None]),
        ({"units": 9}, [3, 3]),
        ({"units": 4, "location": "nowhere-sold"}, [None, None]),
        (None, [None, None]),
    ],
)
def test_supply_that_is_moved_reduced_or_closed_moves_the_dates(
    table: Table, changed: dict[str, Any] | None, wanted: list[int | None]
) -> None:
    elsewhere = replace(MADRID, id="nowhere-sold")
    fill(table, "A")
    names = queue(table, 2, 2)
    change(table, 4)
    tell(table)
    assert told(table, names) == [3, 3]
    if changed is None:
        close_supply(table, "A", "po")
    else:
        due = NOW + changed.get("day", 3) * DAY
        kind = SupplyKind.PURCHASE_ORDER
        moved = Supply("A", "po", kind, changed.get("location", "wh-madrid"), due, changed["units"])
        announce_supply(table, network(MADRID, elsewhere), moved)
    assert tell(table) == sum(day != 3 for day in wanted)
    assert told(table, names) == wanted


def test_the_event_says_when_and_what_was_told_before(table: Table) -> None:
    fill(table, "A")
    (name,) = queue(table, 2)
    for day in (3, 5):
        change(table, 2, day)
        tell(table)
    close_supply(table, "A", "po")
    tell(table)
    item = table.get(keys.header(name))
    assert item is not None
    lines = [event.data["lines"] for event in events_of_journal(item) if event.type == "order.expected"]
    third, fifth = "2026-11-25T09:30:00.000Z", "2026-11-27T09:30:00.000Z"
    wanted = [(third, None), (fifth, third), (None, fifth)]
    assert lines == [[{"line_id": "1", "expected_at": now, "told_before": before}] for now, before in wanted]


def test_what_is_picked_up_follows_the_supply_of_its_store(table: Table) -> None:
    fill(table, "A")
    pickup = Delivery("d1", Method.PICKUP, location="st-gracia")
    names = queue(table, 2, deliveries=(pickup,))
    change(table, 9)
    assert tell(table) == 0
    change(table, 9, 5, "st-gracia")
    assert tell(table) == 1
    assert told(table, names) == [5]


def test_each_line_of_an_order_stands_behind_those_before_it(table: Table) -> None:
    fill(table, "A")
    first = command(line("A", 2), line("A", 2, number=2), channel_order_id="q")
    name = place_order(table, network(), first, NOW).order.order_id
    change(table, 2)
    change(table, 2, 9, name="late")
    assert tell(table) == 1
    assert days(order_of(table, name)) == [3, 9]


def test_another_first_release_moves_the_dates_of_what_was_sold_ahead(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    meta = Sku("A", first_release_at=NOW + 30 * DAY)
    table.commit(put(keys.sku_meta("A"), encode_sku(meta)))
    table.commit(limit("A", "iberia", 0, 9))
    names = queue(table, 2, 2)
    assert told(table, names) == [30, None]
    table.commit(put(keys.sku_meta("A"), encode_sku(replace(meta, first_release_at=NOW + 40 * DAY))))
    assert tell(table) == 1
    assert told(table, names) == [40, None]


def test_units_that_lost_their_source_are_told_a_date_and_so_is_who_stands_behind_them(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    (first,) = queue(table, 1)
    behind = place(table, "behind", line("A", 1)).order_id
    change(table, 1)
    change(table, 1, 9, name="late")
    tell(table)
    assert told(table, [first, behind]) == [None, 3]
    found = Count("A", "wh-madrid", 0, NOW + timedelta(hours=1), "count", "test")
    count_stock(table, network(), found, NOW + timedelta(hours=1))
    assert resolve_shortage(table, "A", "wh-madrid", NOW).reopened == 1
    assert tell(table) == 2
    assert told(table, [first, behind]) == [3, 9]


def test_who_is_about_to_be_served_is_told_nothing_else_meanwhile(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2, 2)
    change(table, 4)
    tell(table)
    came = Receipt("wh-madrid", (ReceivedUnits("A", 3),), NOW, "note", "test", "po")
    receive_stock(table, network(), came, NOW)
    assert tell(table) == 0
    assert told(table, names) == [3, 3]
    serve_waiting(table, network(), "A", NOW)
    assert [order_of(table, name).lines[0].allocated for name in names] == [2, 1]
    assert tell(table) == 0
    assert told(table, names) == [3, 3]


def test_units_that_came_damaged_are_no_longer_expected(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2)
    change(table, 2)
    tell(table)
    broken = (ReceivedUnits("A", 2, Block.DAMAGED),)
    receive_stock(table, network(), Receipt("wh-madrid", broken, NOW, "note", "test", "po"), NOW)
    assert tell(table) == 1
    assert told(table, names) == [None]


def test_of_supply_that_is_late_nobody_knows_when_it_comes(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2)
    change(table, 2)
    tell(table)
    assert tell(table, NOW + 4 * DAY) == 1
    assert told(table, names) == [None]


def test_a_long_queue_is_told_page_by_page(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "PAGE", 2)
    fill(table, "A")
    names = queue(table, 2, 1, 3, 1, 1)
    change(table, 3)
    change(table, 4, 9, name="late")
    found, seen = Expected(0), list[tuple[int, int]]()
    while not seen or found.after:
        found = expect_waiting(table, network(), "A", NOW, after=found.after, before=found.before)
        seen.append((found.orders, found.before))
    assert seen[:3] == [(2, 3), (2, 7), (0, 8)]
    assert told(table, names) == [3, 3, 9, 9, None]


class Racing(Table):
    """A table on which somebody else does something just before each of our first writes."""

    def __init__(self, table: Table, *races: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = list(races)

    def commit(self, *writes: Write) -> None:
        if self._races:
            self._races.pop(0)()
        super().commit(*writes)


def test_supply_that_changes_while_orders_are_told_is_what_they_are_told_last(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2, 2)
    change(table, 4)

    def meanwhile() -> None:
        change(table, 4, 7)
        assert tell(table) == 2

    expect_waiting(Racing(table, meanwhile), network(), "A", NOW)
    assert told(table, names) == [7, 7]
    assert tell(table) == 0


def test_an_order_that_changes_while_it_is_told_is_told_as_it_is(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2, 2)
    change(table, 2)
    wish = CancelRequest(CancelReason.CUSTOMER, {"1": 1})
    rival = Racing(table, lambda: cancel_order(table, network(), names[0], wish, NOW))
    assert expect_waiting(rival, network(), "A", NOW).orders == 1
    assert told(table, names) == [3, None]
    assert tell(table) == 0, "one unit is left for the second, which needs two"


def test_what_is_cancelled_lets_others_come_earlier(table: Table) -> None:
    fill(table, "A")
    names = queue(table, 2, 2)
    change(table, 2)
    tell(table)
    cancel_order(table, network(), names[0], CancelRequest(CancelReason.CUSTOMER), NOW)
    assert tell(table) == 1
    assert told(table, names[1:]) == [3]


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_telling_that_dies_at_any_call_is_completed_by_the_next(table: Table, when: str) -> None:
    fill(table, "A")
    names = queue(table, 2, 2)
    for number, faulty in deaths(when, at_least=6):
        change(table, 4, number)
        with contextlib.suppress(Crash, Exception):
            expect_waiting(faulty(table), network(), "A", NOW)
        tell(table)
        assert told(table, names) == [number, number]


def test_a_sku_that_nobody_knows_or_waits_for_has_nobody_to_tell(table: Table) -> None:
    assert expect_waiting(table, network(), "GHOST", NOW) == Expected(0)
    fill(table, "A")
    assert expect_waiting(table, network(), "A", NOW) == Expected(0)


@pytest.mark.parametrize("page", [1, 100])
def test_the_message_tells_all_who_wait(table: Table, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(usecase, "PAGE", page)
    monkeypatch.setenv("SOURCING_QUEUE_URL", "https://sqs/sourcing")
    receiver = Receiver()
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    fill(table, "A")
    names = queue(table, 2, 2)
    due = datetime.now(UTC) + 3 * DAY
    announce_supply(table, network(), Supply("A", "po", SupplyKind.PURCHASE_ORDER, "wh-madrid", due, 4))
    messages: list[str] = [json.dumps({"type": "expect", "sku": "A"})]
    while messages:
        record = {"messageId": "m-1", "body": messages.pop(), "attributes": {}, "messageAttributes": {}}
        assert sourcing.handler({"Records": [record]}, None) == {"batchItemFailures": []}
        messages += [entry["MessageBody"] for entry in receiver.taken]
        receiver.taken.clear()
    assert [(order_of(table, name).lines[0].expected_at or NOW).date() for name in names] == [due.date()] * 2


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"type": "expect"}, "sku"),
        ({"type": "expect", "sku": "A", "after": {"PK": "O#1"}}, "after.SK"),
        (
            {"type": "expect", "sku": "A", "after": dict.fromkeys(("PK", "SK", "GSI1PK", "GSI1SK"), "x")},
            "before",
        ),
    ],
)
def test_a_message_that_tells_too_little_fails(
    table: Table, message: object, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"messageId": "m-1", "body": json.dumps(message), "attributes": {}, "messageAttributes": {}}
    failed = sourcing.handler({"Records": [record]}, None)["batchItemFailures"]
    assert failed == [{"itemIdentifier": "m-1"}]
    assert f'"field":"{field}"' in capsys.readouterr().out


# ---- Cost --------------------------------------------------------------------------------------------------


def test_to_tell_another_date_costs_its_header_and_the_same_date_nothing(table: Table) -> None:
    fill(table, "A")
    queue(table, 2, 2)
    change(table, 4)
    meter = Meter(table.client)
    measured = Table(meter.client(), table.name)
    expect_waiting(measured, network(), "A", NOW)
    assert meter.bill.writes == 2
    expect_waiting(measured, network(), "A", NOW)
    assert meter.bill.writes == 2


@pytest.mark.parametrize("supplies", [0, 1])
def test_the_date_costs_no_write_and_no_read(table: Table, supplies: int) -> None:
    fill(table, "A")
    for day in range(supplies):
        announce(table, day + 3, 9)
    meter = Meter(table.client)
    order = place_order(Table(meter.client("place"), table.name), network(), command(line("A")), NOW).order
    assert days(order) == [3 if supplies else None]
    spent = meter.bill.only(part="table")
    by_type = {kind: spent.only(type=kind).writes for kind in ("order", "body", "demand", "backorder")}
    assert by_type == {"order": 2, "body": 2, "demand": 2, "backorder": 2}
    assert spent.only(type="supply").writes == 0
