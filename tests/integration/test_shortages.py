"""Shortages: what gives way when a count finds less than was promised, in what order, and only as much."""

import contextlib
import json
from datetime import timedelta

import pytest

from functions.sourcing.handler import handler
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder
from oms.inventory.model import Delta
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.work import WorkStage, work_stage
from oms.store.meter import Meter
from oms.store.table import Table
from oms.store.writes import Why, Write, move
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.resolve_shortage import Resolved, resolve_shortage
from tests.builders import MADRID, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of, position

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def shop(table: Table) -> Table:
    """Ten of A in Madrid, and three orders of two each: 1, 2 and 3, placed a minute after the other."""
    fill(table, "A", wh_madrid=10)
    for number in (1, 2, 3):
        place(table, number)
    return table


def place(table: Table, number: int, **fields: object) -> str:
    at = NOW + timedelta(minutes=number)
    sent = command(line("A", 2), channel_order_id=str(number), placed_at=at, **fields)
    place_order(table, network(MADRID), sent, at)
    return order_id("shop-es", str(number))


def order(table: Table, number: int) -> Order:
    return order_of(table, order_id("shop-es", str(number)))


def release(table: Table, number: int, *kinds: FactKind) -> FulfillmentOrder:
    """Release an order, and let its location report."""
    name = order_id("shop-es", str(number))
    (work,) = release_order(table, network(), name, NOW + timedelta(minutes=number))
    for kind in kinds:
        record_fulfillment(table, FulfillmentFact(f"m-{kind}", kind, NOW, name, work.id), NOW)
    return work


def count(table: Table, units: int) -> None:
    count_stock(table, network(), Count("A", "wh-madrid", units, LATER, "count", "test"), LATER)


def resolve(table: Table) -> Resolved:
    return resolve_shortage(table, "A", "wh-madrid", LATER)


def opened(table: Table) -> list[int]:
    """Units of each order that wait again."""
    return [order(table, number).lines[0].open for number in (1, 2, 3)]


def exceptions(table: Table) -> list[list[str]]:
    return [[one.code for one in order(table, number).exceptions] for number in (1, 2, 3)]


def proved(table: Table) -> None:
    checked = check_ledger(table, segments=1)
    assert (checked.findings, checked.unsettled) == ((), ())


def test_without_a_shortage_nothing_gives_way(shop: Table) -> None:
    count(shop, 6)
    assert resolve(shop) == Resolved()
    assert opened(shop) == [0, 0, 0]
    assert resolve_shortage(shop, "A", "nowhere", LATER) == Resolved()


@pytest.mark.parametrize(
    ("found", "waiting"),
    [(5, [0, 0, 1]), (4, [0, 0, 2]), (3, [0, 1, 2]), (1, [1, 2, 2]), (0, [2, 2, 2])],
)
def test_the_latest_promise_gives_way_first_and_no_more_than_is_missing(
    shop: Table, found: int, waiting: list[int]
) -> None:
    count(shop, found)
    assert resolve(shop) == Resolved(reopened=6 - found)
    assert opened(shop) == waiting
    assert position(shop, "A", "wh-madrid").uncommitted == 0
    proved(shop)
    assert resolve(shop) == Resolved()
    assert opened(shop) == waiting


def test_units_that_gave_way_are_found_elsewhere_before_others_are_sold_them(shop: Table) -> None:
    count(shop, 4)
    resolve(shop)
    reopened = order(shop, 3)
    assert reopened.due_at == LATER
    assert [one.code for one in reopened.exceptions] == ["stock_short"]


def test_what_was_released_gives_way_last_and_by_a_persons_decision(shop: Table) -> None:
    release(shop, 3)
    release(shop, 2, FactKind.ACCEPTED)
    count(shop, 1)
    assert resolve(shop) == Resolved(reopened=2, exceptions=2)
    assert opened(shop) == [2, 0, 0]
    assert exceptions(shop) == [["stock_short"], ["position_short"], ["position_short"]]
    proved(shop)
    assert resolve(shop) == Resolved()
    assert exceptions(shop)[1:] == [["position_short"], ["position_short"]]


@pytest.mark.parametrize(
    ("states", "asked"),
    [
        ([(), (FactKind.ACCEPTED,), (FactKind.PICKING,)], 1),
        ([(FactKind.PACKED,), (), (FactKind.ACCEPTED,)], 2),
        ([(), (), ()], 3),
    ],
)
def test_the_least_advanced_work_gives_way_first(
    shop: Table, states: list[tuple[FactKind, ...]], asked: int
) -> None:
    for number, kinds in enumerate(states, 1):
        release(shop, number, *kinds)
    count(shop, 5)
    assert resolve(shop) == Resolved(exceptions=1)
    assert [number for number, codes in enumerate(exceptions(shop), 1) if codes] == [asked]


def test_what_a_held_order_has_gives_way_too(shop: Table) -> None:
    held = place(shop, 4, payments=())
    assert order_of(shop, held).holds == ("payment",)
    count(shop, 6)
    assert resolve(shop) == Resolved(reopened=2)
    assert (opened(shop), order_of(shop, held).lines[0].open) == ([0, 0, 0], 2)
    assert work_stage(order_of(shop, held)) == (WorkStage.OPEN, LATER)
    proved(shop)


def test_the_exception_is_resolved_by_units_that_are_found(shop: Table) -> None:
    release(shop, 3)
    release(shop, 2)
    count(shop, 1)
    resolve(shop)
    assert exceptions(shop)[1:] == [["position_short"], ["position_short"]]
    found = Count("A", "wh-madrid", 4, LATER + timedelta(minutes=1), "count", "test")
    count_stock(shop, network(), found, LATER + timedelta(minutes=1))
    assert resolve(shop) == Resolved(settled=2)
    assert exceptions(shop)[1:] == [[], []]
    assert order(shop, 2).journal[-1].kinds == ("position_found",)
    assert resolve(shop) == Resolved()


@pytest.mark.parametrize(("units", "left"), [(1, ["position_short"]), (2, [])])
def test_the_exception_is_resolved_when_all_units_have_left(shop: Table, units: int, left: list[str]) -> None:
    work = release(shop, 2)
    count(shop, 1)
    resolve(shop)
    assert exceptions(shop)[1] == ["position_short"]
    name = order_id("shop-es", "2")
    package = Package("p1", "correos", "PQ-1", 300, (PackedUnits("1", units),))
    fact = FulfillmentFact("m-1", FactKind.SHIPPED, LATER, name, work.id, (package,))
    record_fulfillment(shop, fact, LATER)
    assert exceptions(shop)[1] == left


def test_what_nobody_can_give_up_is_told(shop: Table) -> None:
    shop.commit(move("A", "wh-madrid", Delta(allocated=2), Why("transfer", "t-1", "test", NOW)))
    count(shop, 0)
    assert resolve(shop) == Resolved(reopened=6, left=2)
    assert position(shop, "A", "wh-madrid").uncommitted == -2


def test_other_skus_and_locations_are_left_alone(shop: Table) -> None:
    fill(shop, "B", wh_madrid=2)
    fill(shop, "A", wh_lyon=0)
    place_order(shop, network(MADRID), command(line("B", 2), channel_order_id="9"), LATER)
    count(shop, 4)
    assert resolve(shop) == Resolved(reopened=2)
    assert order_of(shop, order_id("shop-es", "9")).lines[0].open == 0


def test_a_shortage_that_ends_meanwhile_takes_nothing(shop: Table) -> None:
    count(shop, 4)

    class Racing(Table):
        raced = False

        def commit(self, *writes: Write) -> None:
            if not self.raced:
                self.raced = True
                later = LATER + timedelta(seconds=1)
                found = Count("A", "wh-madrid", 9, later, "count", "test")
                count_stock(shop, network(), found, LATER)
            super().commit(*writes)

    assert resolve(Racing(shop.client, shop.name)) == Resolved()
    assert opened(shop) == [0, 0, 0]


def test_two_who_resolve_at_once_take_no_more_than_one(shop: Table) -> None:
    count(shop, 4)

    class Racing(Table):
        raced = False

        def commit(self, *writes: Write) -> None:
            if not self.raced:
                self.raced = True
                resolve(shop)
            super().commit(*writes)

    resolve(Racing(shop.client, shop.name))
    assert opened(shop) == [0, 0, 2]
    proved(shop)


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_a_resolution_that_dies_at_any_call_is_completed_by_the_next(shop: Table, when: str) -> None:
    release(shop, 2)
    count(shop, 1)
    number, died = 0, True
    while died:
        number += 1
        plan = Faults(**{when: number}, sleep=lambda seconds: None)  # type: ignore[arg-type]
        with contextlib.suppress(Crash, Exception):
            resolve(Table(plan.wrap(shop.client), shop.name, pause=lambda seconds: None))
        died = len(plan.calls) >= number
        proved(shop)
    resolve(shop)
    assert (opened(shop), exceptions(shop)[1]) == ([2, 0, 2], ["position_short"])
    assert number > 10


def test_what_a_resolution_costs(shop: Table) -> None:
    release(shop, 2)
    count(shop, 2)
    meter = Meter(shop.client)
    resolve(Table(meter.client(), shop.name))
    assert meter.bill.writes == 22
    before = meter.bill
    resolve(Table(meter.client(), shop.name))
    assert (meter.bill - before).writes == 0


# ---- The message -------------------------------------------------------------------------------------------


def deliver(message: object) -> list[str]:
    """Hand a message to the function; the ids of those that failed."""
    body = json.dumps(message)
    record = {"messageId": "m-1", "body": body, "attributes": {}, "messageAttributes": {}}
    answer = handler({"Records": [record]}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_the_function_resolves_the_shortage_that_a_message_names(
    shop: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    release(shop, 3)
    count(shop, 3)
    message = {"type": "shortage", "sku": "A", "location": "wh-madrid"}
    assert deliver(message) == []
    assert opened(shop) == [1, 2, 0]
    assert deliver(message) == []
    assert opened(shop) == [1, 2, 0]


@pytest.mark.parametrize(
    "message",
    [{"type": "shortage", "sku": "A"}, {"type": "shortage", "location": "wh-madrid"}],
)
def test_a_message_that_names_no_position_is_not_taken(shop: Table, message: object) -> None:
    count(shop, 0)
    assert deliver(message) == ["m-1"]
    assert opened(shop) == [0, 0, 0]
