"""Shortages: what gives way when a count finds less than was promised, in what order, and only as much."""

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.sourcing.handler import handler
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder
from oms.inventory.model import Delta
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.work import WorkStage, work_stage
from oms.store import queries
from oms.store.meter import Meter
from oms.store.table import Table
from oms.store.writes import Why, Write, move
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import Recorded, record_fulfillment
from oms.usecases.record_rejection import record_fact, record_rejection
from oms.usecases.release_order import release_order
from oms.usecases.resolve_shortage import Resolved, resolve_shortage
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import MADRID, NOW, command, line, network
from tests.conflicts import Crash, deaths
from tests.shelves import fill, order_of, position

LATER = NOW + timedelta(hours=1)
SECOND = timedelta(seconds=1)


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


def works(table: Table) -> list[FulfillmentOrder | None]:
    """The work of each order that is released."""
    names = [order_id("shop-es", str(number)) for number in (1, 2, 3)]
    return [next(iter(queries.fulfillment_orders(table, name)), None) for name in names]


def asked(table: Table) -> list[int]:
    """Units of each order that its location is asked to give back."""
    return [work.recalled("1") if work else 0 for work in works(table)]


def say(
    table: Table, number: int, kind: FactKind, units: int = 0, name: str = "m-1", **more: Any
) -> Recorded:
    """What a location says of an order's work, of some of its units or all."""
    work = works(table)[number - 1]
    assert work is not None
    lines = (PackedUnits("1", units),) if units else ()
    if kind is FactKind.SHIPPED:
        more["packages"] = (Package(name, "correos", f"PQ-{name}", 300, lines),)
    fact = FulfillmentFact(name, kind, LATER, work.order_id, work.id, **{"lines": lines} | more)
    return record_fact(table, network, fact, LATER)


def exceptions(table: Table) -> list[list[str]]:
    return [[one.code for one in order(table, number).exceptions] for number in (1, 2, 3)]


class Racing(Table):
    """A table on which somebody else does something just before each of our first writes."""

    def __init__(self, table: Table, *races: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = list(races)

    def commit(self, *writes: Write) -> None:
        if self._races:
            self._races.pop(0)()
        super().commit(*writes)


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


def test_what_was_released_gives_way_last_and_its_location_is_asked(shop: Table) -> None:
    release(shop, 3)
    release(shop, 2, FactKind.ACCEPTED)
    count(shop, 1)
    assert resolve(shop) == Resolved(reopened=2, asked=3)
    assert (opened(shop), asked(shop)) == ([2, 0, 0], [0, 1, 2])
    assert exceptions(shop) == [["stock_short"], [], []]
    proved(shop)
    assert resolve(shop) == Resolved()
    assert asked(shop) == [0, 1, 2]


@pytest.mark.parametrize(
    ("states", "found", "wanted"),
    [
        ([(), (FactKind.ACCEPTED,), (FactKind.PICKING,)], 5, [1, 0, 0]),
        ([(), (FactKind.ACCEPTED,), (FactKind.PICKING,)], 3, [2, 1, 0]),
        ([(), (FactKind.ACCEPTED,), (FactKind.PICKING,)], 0, [2, 2, 2]),
        ([(FactKind.PACKED,), (), (FactKind.ACCEPTED,)], 5, [0, 1, 0]),
        ([(FactKind.PACKED,), (FactKind.ACCEPTED,), (FactKind.ACCEPTED,)], 3, [0, 1, 2]),
        ([(), (), ()], 5, [0, 0, 1]),
        ([(), (), ()], 3, [0, 1, 2]),
    ],
)
def test_the_least_advanced_work_is_asked_first_and_of_such_the_latest(
    shop: Table, states: list[tuple[FactKind, ...]], found: int, wanted: list[int]
) -> None:
    for number, kinds in enumerate(states, 1):
        release(shop, number, *kinds)
    count(shop, found)
    assert resolve(shop) == Resolved(asked=6 - found)
    assert (asked(shop), exceptions(shop)) == (wanted, [[], [], []])


@pytest.mark.parametrize("kind", [FactKind.PACKED, FactKind.READY_FOR_PICKUP])
def test_what_is_packed_is_not_asked_for_but_decided_by_a_person(shop: Table, kind: FactKind) -> None:
    for number in (1, 2, 3):
        release(shop, number, kind)
    count(shop, 3)
    assert resolve(shop) == Resolved(exceptions=2)
    assert (asked(shop), exceptions(shop)) == ([0, 0, 0], [[], ["position_short"], ["position_short"]])
    assert resolve(shop) == Resolved()


def test_what_a_location_gives_back_is_sourced_again_and_not_cancelled(shop: Table) -> None:
    release(shop, 2)
    release(shop, 1)
    count(shop, 2)
    resolve(shop)
    assert asked(shop) == [0, 2, 0]
    fill(shop, "A", wh_lyon=5)
    done = say(shop, 2, FactKind.CANCELLED)
    assert (done.cancelled, done.reopened, done.refund, done.exceptions) == (0, 2, None, ("stock_short",))
    assert opened(shop) == [0, 2, 2]
    line = order(shop, 2).lines[0]
    assert (line.open, line.cancelled, line.entries) == (2, 0, ())
    work = works(shop)[1]
    assert work is not None
    assert (work.state, work.lines[0].withdrawn, work.recalls) == ("cancelled", 2, ())
    assert order(shop, 2).journal[-1].kinds == ("reopened",)
    assert position(shop, "A", "wh-madrid").uncommitted == 0
    proved(shop)
    assert say(shop, 2, FactKind.CANCELLED) == Recorded()
    serve_waiting(shop, network(), "A", LATER)
    assert [entry.location for entry in order(shop, 2).lines[0].entries] == ["wh-lyon"]
    proved(shop)


def test_a_part_that_is_given_back_leaves_the_rest_with_its_location(shop: Table) -> None:
    for number in (1, 2, 3):
        release(shop, number)
    count(shop, 3)
    resolve(shop)
    assert asked(shop) == [0, 1, 2]
    assert say(shop, 2, FactKind.CANCELLED).reopened == 1
    assert say(shop, 3, FactKind.CANCELLED, 1).reopened == 1
    assert resolve(shop) == Resolved(asked=1)
    assert asked(shop) == [0, 1, 0], "the third has refused"
    assert position(shop, "A", "wh-madrid").uncommitted == -1
    proved(shop)


def test_when_a_location_refuses_the_next_is_asked_and_at_last_a_person(shop: Table) -> None:
    release(shop, 1, FactKind.ACCEPTED)
    release(shop, 2)
    count(shop, 3)
    assert resolve(shop) == Resolved(reopened=2, asked=1)
    assert asked(shop) == [0, 1, 0]
    assert say(shop, 2, FactKind.CANCEL_REFUSED).exceptions == ()
    assert resolve(shop) == Resolved(asked=1)
    assert asked(shop) == [1, 0, 0]
    assert say(shop, 1, FactKind.CANCEL_REFUSED, name="m-2").exceptions == ()
    assert resolve(shop) == Resolved(exceptions=1)
    assert exceptions(shop)[:2] == [[], ["position_short"]]


def test_a_refusal_is_remembered(shop: Table) -> None:
    release(shop, 2)
    count(shop, 1)
    resolve(shop)
    before = order(shop, 2)
    assert say(shop, 2, FactKind.CANCEL_REFUSED) == Recorded()
    assert order(shop, 2) == before
    work = works(shop)[1]
    assert work is not None
    assert (work.state, work.refuses("1")) == ("released", True)
    assert resolve(shop) == Resolved(exceptions=1)
    assert exceptions(shop)[1] == ["position_short"]
    assert resolve(shop) == Resolved()
    assert asked(shop) == [0, 0, 0]


def test_what_leaves_all_the_same_is_no_longer_asked_for(shop: Table) -> None:
    release(shop, 2)
    release(shop, 3)
    count(shop, 2)
    resolve(shop)
    assert asked(shop) == [0, 0, 2]
    done = say(shop, 3, FactKind.SHIPPED)
    assert (done.shipped, done.exceptions) == (1, ())
    work = works(shop)[2]
    assert work is not None
    assert (work.state, work.journal[-1].kinds) == ("closed", ("shipped", "cancel_refused"))
    assert resolve(shop) == Resolved(asked=2)
    assert asked(shop) == [0, 2, 0]
    assert say(shop, 3, FactKind.CANCELLED, name="m-late") == Recorded()


def test_a_part_that_leaves_before_the_answer_is_asked_for_elsewhere(shop: Table) -> None:
    release(shop, 3)
    release(shop, 2)
    count(shop, 2)
    resolve(shop)
    done = say(shop, 3, FactKind.SHIPPED, 1, "p-1")
    assert (done.shipped, asked(shop)[1]) == (1, 0)
    work = works(shop)[2]
    assert work is not None
    assert work.journal[-1].data["refused"] == {"1": 1}
    assert resolve(shop) == Resolved(asked=1)
    assert say(shop, 3, FactKind.CANCELLED, name="m-2").reopened == 1
    assert say(shop, 2, FactKind.CANCELLED, name="m-3").reopened == 1
    assert resolve(shop) == Resolved()
    proved(shop)


def asked_twice(shop: Table) -> tuple[FulfillmentOrder, FulfillmentOrder]:
    """The work of the third order, of which a unit is asked back, and then another, after each request."""
    for number in (1, 2, 3):
        release(shop, number)
    count(shop, 5)
    resolve(shop)
    first = works(shop)[2]
    later = LATER + SECOND
    count_stock(shop, network(), Count("A", "wh-madrid", 4, later, "count", "test"), later)
    resolve(shop)
    second = works(shop)[2]
    assert first and second
    assert (asked(shop), first.v < second.v) == ([0, 0, 2], True)
    return first, second


def test_answers_may_come_twice_and_out_of_order(shop: Table) -> None:
    first, second = asked_twice(shop)
    assert say(shop, 3, FactKind.CANCELLED, name="to the second", v=second.v).reopened == 2
    assert say(shop, 3, FactKind.CANCELLED, name="to the first", v=first.v) == Recorded()
    assert say(shop, 3, FactKind.CANCELLED, name="to the second", v=second.v) == Recorded()
    assert opened(shop) == [0, 0, 2]
    proved(shop)


@pytest.mark.parametrize("kind", [FactKind.CANCELLED, FactKind.CANCEL_REFUSED])
def test_an_answer_that_overtakes_another_leaves_that_its_own_request(shop: Table, kind: FactKind) -> None:
    first, second = asked_twice(shop)
    given = kind is FactKind.CANCELLED
    assert say(shop, 3, kind, given, name="to the second", v=second.v).reopened == given
    assert asked(shop) == [0, 0, 1]
    assert say(shop, 3, FactKind.CANCELLED, 1, name="to the first", v=first.v).reopened == 1
    assert (asked(shop), opened(shop)) == ([0, 0, 0], [0, 0, 1 + given])
    proved(shop)


def test_a_count_that_corrects_itself_leaves_the_answer_what_it_is(shop: Table) -> None:
    release(shop, 3)
    count(shop, 5)
    resolve(shop)
    assert asked(shop) == [0, 0, 0]
    release(shop, 1)
    release(shop, 2)
    later = LATER + SECOND
    count_stock(shop, network(), Count("A", "wh-madrid", 3, later, "count", "test"), later)
    resolve(shop)
    assert asked(shop) == [0, 0, 2]
    found = later + SECOND
    count_stock(shop, network(), Count("A", "wh-madrid", 10, found, "count", "test"), found)
    assert resolve(shop) == Resolved()
    assert say(shop, 3, FactKind.CANCELLED).reopened == 2
    assert serve_waiting(shop, network(MADRID), "A", found).units == 3
    assert [line.location for line in order(shop, 3).lines[0].entries] == ["wh-madrid"]
    proved(shop)


def test_two_shortages_of_one_order_are_asked_for_and_answered_at_once(table: Table) -> None:
    for sku in "AB":
        fill(table, sku, wh_madrid=2)
    sent = command(line("A", 2), line("B", 2, number=2), channel_order_id="1")
    place_order(table, network(MADRID), sent, NOW)
    release(table, 1)
    for sku, left in (("A", 1), ("B", 0)):
        count_stock(table, network(), Count(sku, "wh-madrid", left, LATER, "count", "test"), LATER)
    assert [resolve_shortage(table, sku, "wh-madrid", LATER).asked for sku in "AB"] == [1, 2]
    work = works(table)[0]
    assert work is not None
    assert [work.recalled(name) for name in "12"] == [1, 2]
    assert say(table, 1, FactKind.CANCELLED, name="first", v=work.v - 1).reopened == 1
    assert say(table, 1, FactKind.CANCELLED, name="second", v=work.v).reopened == 2
    assert [one.open for one in order(table, 1).lines] == [1, 2]
    proved(table)


def test_two_who_ask_at_once_ask_for_each_unit_once(shop: Table) -> None:
    for number in (1, 2, 3):
        release(shop, number)
    count(shop, 3)
    resolve(Racing(shop, lambda: resolve(shop)))
    assert asked(shop) == [0, 1, 2]


def test_a_parcel_that_leaves_while_its_location_is_being_asked_is_not_asked_for(shop: Table) -> None:
    release(shop, 2)
    release(shop, 3)
    count(shop, 2)
    found = resolve(Racing(shop, lambda: None, lambda: say(shop, 3, FactKind.SHIPPED)))
    assert (found.asked, asked(shop)) == (2, [0, 2, 0])


def test_a_customer_who_cancels_what_was_asked_for_is_heard(shop: Table) -> None:
    release(shop, 3)
    release(shop, 2)
    count(shop, 3)
    assert resolve(shop) == Resolved(reopened=2, asked=1)
    wish = CancelRequest(CancelReason.CUSTOMER)
    done = cancel_order(shop, network(), order_id("shop-es", "3"), wish, LATER)
    assert (done.asked, done.cancelled) == (2, 0)
    work = works(shop)[2]
    assert work is not None
    assert {(one.v, one.reason): one.units for one in work.recalls} == {
        (work.v - 1, "customer"): {"1": 1},
        (work.v, "customer"): {"1": 1},
    }
    assert work.journal[-1].data["units"] == {"1": 1}
    assert cancel_order(shop, network(), order_id("shop-es", "3"), wish, LATER).asked == 0
    gone = say(shop, 3, FactKind.CANCELLED)
    assert (gone.cancelled, gone.reopened) == (2, 0)
    assert order(shop, 3).lines[0].cancelled == 2
    assert resolve(shop) == Resolved()
    proved(shop)


def test_of_what_is_given_up_the_cancelled_units_come_first(shop: Table) -> None:
    release(shop, 2)
    release(shop, 3)
    one = CancelRequest(CancelReason.CUSTOMER, {"1": 1})
    cancel_order(shop, network(), order_id("shop-es", "3"), one, LATER)
    count(shop, 2)
    assert (resolve(shop).asked, asked(shop)) == (1, [0, 0, 2])
    done = say(shop, 3, FactKind.CANCELLED, 1)
    assert (done.cancelled, done.reopened, done.exceptions) == (1, 0, ())
    line = order(shop, 3).lines[0]
    assert (line.cancelled, line.open, line.in_fulfillment) == (1, 0, 1)
    proved(shop)


def test_both_are_done_when_all_is_given_up(shop: Table) -> None:
    release(shop, 2)
    release(shop, 3)
    one = CancelRequest(CancelReason.CUSTOMER, {"1": 1})
    cancel_order(shop, network(), order_id("shop-es", "3"), one, LATER)
    count(shop, 2)
    resolve(shop)
    done = say(shop, 3, FactKind.CANCELLED)
    assert (done.cancelled, done.reopened) == (1, 1)
    assert [entry.kinds for entry in order(shop, 3).journal[-2:]] == [("cancelled",), ("reopened",)]
    proved(shop)


@pytest.mark.parametrize("first", [0, 1])
def test_what_is_given_up_for_a_shortage_is_first_what_nobody_wants(shop: Table, first: int) -> None:
    release(shop, 2)
    work = release(shop, 3)
    one = CancelRequest(CancelReason.CUSTOMER, {"1": 1})
    cancel_order(shop, network(), work.order_id, one, LATER)
    count(shop, 2)
    assert (resolve(shop).asked, asked(shop)) == (1, [0, 0, 2])
    say(shop, 3, FactKind.REJECTED, 1, "m-1", v=work.v)
    answers = [
        lambda: say(shop, 3, FactKind.CANCELLED, 1, "m-2", v=work.v + 2),
        lambda: say(shop, 3, FactKind.CANCEL_REFUSED, 0, "m-3", v=work.v + 1),
    ]
    done = [answers[first](), answers[1 - first]()]
    assert (sum(one.cancelled for one in done), sum(one.reopened for one in done)) == (1, 0)
    line = order(shop, 3).lines[0]
    assert (line.cancelled, line.open, line.in_fulfillment) == (1, 1, 0)
    assert "cancel_refused" not in exceptions(shop)[2]
    proved(shop)


def test_what_is_not_there_is_not_written_off_twice(shop: Table) -> None:
    """The count has found it missing already, whoever says so once more."""
    for number in (1, 2, 3):
        release(shop, number, FactKind.PACKED)
    count(shop, 3)
    resolve(shop)
    fact: dict[str, Any] = {"reason": "short_pick"}
    assert say(shop, 3, FactKind.REJECTED, name="m-3", **fact).rejected == 2
    assert position(shop, "A", "wh-madrid").on_hand == 3
    assert say(shop, 2, FactKind.REJECTED, name="m-2", **fact).rejected == 2
    held = position(shop, "A", "wh-madrid")
    assert (held.on_hand, held.allocated, held.uncommitted) == (2, 2, 0)
    proved(shop)


def test_a_count_between_reading_and_writing_a_rejection_is_seen_by_it(shop: Table) -> None:
    release(shop, 3)
    found = Count("A", "wh-madrid", 4, LATER + SECOND, "count", "test")
    rival = Racing(shop, lambda: count_stock(shop, network(), found, LATER + SECOND))
    work = works(shop)[2]
    assert work is not None
    fact = FulfillmentFact("m-1", FactKind.REJECTED, LATER, work.order_id, work.id, reason="short_pick")
    record_rejection(rival, network(MADRID), fact, LATER)
    assert position(shop, "A", "wh-madrid").on_hand == 4
    proved(shop)


def test_what_a_held_order_has_gives_way_too(shop: Table) -> None:
    held = place(shop, 4, payments=())
    assert order_of(shop, held).holds == ("payment",)
    count(shop, 6)
    assert resolve(shop) == Resolved(reopened=2)
    assert (opened(shop), order_of(shop, held).lines[0].open) == ([0, 0, 0], 2)
    assert work_stage(order_of(shop, held)) == (WorkStage.OPEN, LATER)
    proved(shop)


def test_the_exception_is_resolved_by_units_that_are_found(shop: Table) -> None:
    release(shop, 3, FactKind.PACKED)
    release(shop, 2, FactKind.PACKED)
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
    work = release(shop, 2, FactKind.PACKED)
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
    found = Count("A", "wh-madrid", 9, LATER + SECOND, "count", "test")
    assert resolve(Racing(shop, lambda: count_stock(shop, network(), found, LATER + SECOND))) == Resolved()
    assert opened(shop) == [0, 0, 0]


def test_two_who_resolve_at_once_take_no_more_than_one(shop: Table) -> None:
    count(shop, 4)
    resolve(Racing(shop, lambda: resolve(shop)))
    assert opened(shop) == [0, 0, 2]
    proved(shop)


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_a_resolution_that_dies_at_any_call_is_completed_by_the_next(shop: Table, when: str) -> None:
    release(shop, 2)
    count(shop, 1)
    for _, faulty in deaths(when, at_least=10):
        with contextlib.suppress(Crash, Exception):
            resolve(faulty(shop))
        proved(shop)
    resolve(shop)
    assert (opened(shop), asked(shop)) == ([2, 0, 2], [0, 1, 0])


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
