"""A location says no: its units find another source, its stock is put right, and nothing is done twice."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from types import SimpleNamespace

import pytest

from functions.fulfillment.handler import handler
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentState
from oms.inventory.model import Block
from oms.inventory.network import Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.problems import Code, Problem
from oms.sourcing.profile import USUAL
from oms.store import queries
from oms.store.configuration import read_network
from oms.store.errors import Busy
from oms.store.keys import iso
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.store.writes import Write
from oms.usecases.cancel_order import cancel_order
from oms.usecases.configure import configure
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import Recorded, record_fulfillment
from oms.usecases.record_rejection import record_fact, record_rejection
from oms.usecases.release_order import release_order
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import MADRID, NOW, command, line, network
from tests.rest import Rest
from tests.shelves import assert_balanced, fill, order_of, position, shelves

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(minutes=5)


def placed(table: Table, *lines: tuple[str, int], configured: Network | None = None) -> str:
    """Place and release an order of units by sku; the id of its one fulfillment order."""
    made = [line(sku, units, number=number) for number, (sku, units) in enumerate(lines, 1)]
    place_order(table, configured or network(), command(*made), NOW)
    (work,) = release_order(table, configured or network(), ID, NOW)
    return work.id


def no(
    work: str,
    reason: str | None = "short_pick",
    message: str = "m-1",
    lines: Mapping[str, int] | None = None,
) -> FulfillmentFact:
    """A rejection of units by line; of all that remains without any."""
    packed = tuple(PackedUnits(line_id, count) for line_id, count in (lines or {}).items())
    return FulfillmentFact(message, FactKind.REJECTED, LATER, ID, work, lines=packed, reason=reason)


def reject(table: Table, fact: FulfillmentFact, configured: Network | None = None) -> Recorded:
    return record_rejection(table, configured or network(), fact, LATER)


def entries(table: Table) -> list[tuple[str, str, int, str]]:
    """Where the order's units are: line, location, units, stage."""
    return [
        (one.line_id, entry.location, entry.units, str(entry.stage))
        for one in order_of(table, ID).lines
        for entry in one.entries
    ]


class Crash(Exception):
    """The process ends here."""


class Crashing(Table):
    """A table whose process ends at a commit."""

    def __init__(self, table: Table, at: int) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._left = at

    def commit(self, *writes: Write) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash
        super().commit(*writes)


class Racing(Table):
    """A table on which something else happens just before a commit."""

    def __init__(self, table: Table, race: Callable[[], object], times: int = 1) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race] * times

    def commit(self, *writes: Write) -> None:
        if self._races:
            self._races.pop()()
        super().commit(*writes)


# ---- What can go wrong -------------------------------------------------------------------------------------


def test_work_that_is_not_there_cannot_be_rejected(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        reject(table, no("2-1"))
    assert (refused.value.code, refused.value.field) == ("not_found", "fulfillment_order")


def test_the_same_message_again_changes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    fact = no(placed(table, ("A", 2)), lines={"1": 1})
    assert reject(table, fact).rejected == 1
    before = order_of(table, ID), shelves(table, "A")
    assert reject(table, fact).rejected == 0
    assert (order_of(table, ID), shelves(table, "A")) == before


def test_what_has_left_is_not_rejected_and_a_shipment_after_it_is_booked(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    work = placed(table, ("A", 3))
    shipped = FulfillmentFact(
        "m-0", FactKind.SHIPPED, NOW, ID, work, (Package("p1", lines=(PackedUnits("1", 2),)),)
    )
    record_fulfillment(table, shipped, NOW)
    assert reject(table, no(work, lines={"1": 3})).rejected == 1
    late = replace(shipped, message_id="m-2", packages=(Package("p2", lines=(PackedUnits("1", 1),)),))
    assert record_fulfillment(table, late, LATER).exceptions == ("shipped_beyond_request",)
    found = queries.fulfillment_order(table, ID, work)
    assert found is not None
    assert found.state is FulfillmentState.CLOSED
    assert_balanced(table, [ID], [])


def test_a_line_that_the_work_does_not_have_is_refused_by_its_field(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    with pytest.raises(Problem) as refused:
        reject(table, no(placed(table, ("A", 1)), lines={"1": 1, "9": 1}))
    assert (refused.value.code, refused.value.field) == (Code.FIELD_INVALID, "lines[1].line_id")
    assert entries(table) == [("1", "wh-madrid", 1, "in_fulfillment")]


@pytest.mark.parametrize("at", [1, 2])
def test_a_crash_between_the_calls_is_mended_by_the_repetition(table: Table, at: int) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    fact = no(placed(table, ("A", 2)))
    with pytest.raises(Crash):
        reject(Crashing(table, at), fact)
    reject(table, fact)
    assert entries(table) == [("1", "wh-lyon", 2, "allocated")]
    assert shelves(table, "A") == {"wh-madrid": (0, 0, 0), "wh-lyon": (2, 2, 0)}


def test_a_lost_race_is_decided_again(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    work = placed(table, ("A", 2))
    accepted = FulfillmentFact("m-0", FactKind.ACCEPTED, NOW, ID, work)
    racing = Racing(table, lambda: record_fulfillment(table, accepted, NOW))
    assert reject(racing, no(work)).rejected == 2
    assert_balanced(table, [ID], ["A"])


def test_a_location_that_somebody_keeps_configuring_is_busy(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    work = placed(table, ("A", 2))
    configure(table, MADRID, ("wms",))
    names = iter(range(99))

    def rename() -> None:
        configure(table, replace(MADRID, name=f"Madrid {next(names)}"), ("wms",))

    with pytest.raises(Busy):
        reject(Racing(table, rename), no(work, "closed"), read_network(table))
    assert entries(table) == [("1", "wh-madrid", 2, "in_fulfillment")]


# ---- What it does ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "madrid", "damaged"),
    [
        ("short_pick", (7, 0, 7), 0),
        ("damaged", (9, 0, 7), 2),
        ("no_box", (9, 0, 9), 0),
        (None, (9, 0, 9), 0),
    ],
)
def test_the_first_rule_that_fits_the_reason_acts_on_the_stock(
    table: Table, reason: str | None, madrid: tuple[int, int, int], damaged: int
) -> None:
    fill(table, "A", wh_madrid=9, wh_lyon=9)
    assert reject(table, no(placed(table, ("A", 2)), reason)).rejected == 2
    assert shelves(table, "A") == {"wh-madrid": madrid, "wh-lyon": (9, 2, 7)}
    assert position(table, "A", "wh-madrid").blocked.get(Block.DAMAGED, 0) == damaged
    assert entries(table) == [("1", "wh-lyon", 2, "allocated")]
    assert [known.code for known in order_of(table, ID).exceptions] == []


def test_a_count_after_the_rejection_has_seen_what_is_not_there(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    work = placed(table, ("A", 2))
    count_stock(
        table,
        network(),
        Count("A", "wh-madrid", 7, LATER + timedelta(1), "count", "ops"),
        LATER + timedelta(1),
    )
    reject(table, no(work))
    assert shelves(table, "A")["wh-madrid"] == (7, 0, 7)


def test_other_lines_stay_where_they_are(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    fill(table, "B", wh_madrid=1)
    work = placed(table, ("A", 2), ("B", 1))
    assert reject(table, no(work, lines={"1": 1})).rejected == 1
    assert entries(table) == [
        ("1", "wh-madrid", 1, "in_fulfillment"),
        ("1", "wh-lyon", 1, "allocated"),
        ("2", "wh-madrid", 1, "in_fulfillment"),
    ]
    found = queries.fulfillment_order(table, ID, work)
    assert found is not None
    assert found.state is FulfillmentState.RELEASED
    assert [(one.requested, one.rejected, one.remaining) for one in found.lines] == [(2, 1, 1), (1, 0, 1)]


def test_units_that_nobody_else_has_wait_and_are_not_given_back_to_who_said_no(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    assert reject(table, no(placed(table, ("A", 2)), "no_box")).exceptions == ("stock_short",)
    order = order_of(table, ID)
    assert (order.lines[0].open, entries(table)) == (2, [])
    assert shelves(table, "A") == {"wh-madrid": (9, 0, 9)}
    assert_balanced(table, [ID], ["A"])


def test_after_some_locations_have_said_no_a_person_has_to_look(table: Table) -> None:
    configured = replace(network(), profile=replace(USUAL, attempts=2))
    fill(table, "A", wh_madrid=1, wh_lyon=1, st_gracia=1)
    reject(table, no(placed(table, ("A", 1)), "no_box"), configured)
    (work,) = release_order(table, configured, ID, LATER)
    assert work.location == "wh-lyon"
    last = reject(table, no(work.id, "no_box", "m-2"), configured)
    assert last.exceptions == ("rejected_often",)
    assert (order_of(table, ID).lines[0].open, entries(table)) == (1, [])


def test_a_location_that_closes_is_no_source_until_it_opens_again(table: Table) -> None:
    fill(table, "A", wh_madrid=9, wh_lyon=9)
    configure(table, MADRID, ("wms",))
    assert reject(table, no(placed(table, ("A", 2)), "closed"), read_network(table)).rejected == 2
    assert entries(table) == [("1", "wh-lyon", 2, "allocated")]
    closed = read_network(table, consistent=True)
    assert closed.locations["wh-madrid"].closed_until == (LATER + timedelta(hours=24)).isoformat()
    for number, at, source in (("1", LATER, "wh-lyon"), ("2", LATER + timedelta(days=1), "wh-madrid")):
        result = place_order(table, closed, command(line("A"), channel_order_id=number), at)
        assert [entry.location for entry in result.order.lines[0].entries] == [source]


def test_a_location_that_is_closed_for_longer_stays_so(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    long = "2026-12-24T00:00:00+01:00"
    work = placed(table, ("A", 2))
    configure(table, replace(MADRID, closed_until=long), ("wms",))
    reject(table, no(work, "closed"), read_network(table))
    assert read_network(table, consistent=True).locations["wh-madrid"].closed_until == long


@pytest.mark.parametrize(("units", "sourced"), [({}, 2), ({"1": 3}, 2), ({"1": 1}, 0)])
def test_units_that_were_to_be_given_up_are_cancelled_when_they_are_rejected(
    table: Table, units: dict[str, int], sourced: int
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    cancel_order(table, network(), ID, CancelRequest(next(iter(CancelReason)), {"1": 1}), NOW)
    fact = no(work, "no_box", lines=units)
    if sourced:
        with pytest.raises(Crash):
            reject(Crashing(table, 2), fact)
    reject(table, fact)
    (one,) = order_of(table, ID).lines
    assert one.cancelled == 1
    found = [entry for entry in entries(table) if entry[1] == "wh-lyon"]
    assert found == ([("1", "wh-lyon", 2, "allocated")] if sourced else [])
    assert shelves(table, "A")["wh-madrid"] == (3, 2 - sourced, 1 + sourced)
    assert_balanced(table, [ID], ["A"])


@pytest.mark.parametrize(
    ("reason", "madrid", "damaged"), [("short_pick", (0, 0, 0), 0), ("damaged", (3, 0, 0), 3)]
)
def test_the_stock_of_units_that_were_to_be_given_up_is_acted_on_as_of_all_others(
    table: Table, reason: str, madrid: tuple[int, int, int], damaged: int
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    fact = no(placed(table, ("A", 3)), reason)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
    with pytest.raises(Crash):  # after what is given up, before the rest
        reject(Crashing(table, 2), fact)
    for _ in range(2):
        reject(table, fact)
    assert shelves(table, "A") == {"wh-madrid": madrid, "wh-lyon": (9, 2, 7)}
    assert position(table, "A", "wh-madrid").blocked.get(Block.DAMAGED, 0) == damaged
    assert order_of(table, ID).lines[0].cancelled == 1
    assert_balanced(table, [ID], ["A"])


def test_a_rejection_that_comes_again_gives_up_nothing_that_was_asked_for_since(table: Table) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    fact = no(placed(table, ("A", 3)), "damaged", lines={"1": 1})
    reject(table, fact)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER), LATER)
    before = entries(table)
    assert reject(table, fact) == Recorded()
    assert entries(table) == before
    assert position(table, "A", "wh-madrid").blocked == {Block.DAMAGED: 1}


def test_units_that_a_count_has_missed_are_not_written_off_again_when_they_are_given_up(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    work = placed(table, ("A", 3))
    count_stock(table, network(), Count("A", "wh-madrid", 2, LATER, "count", "ops"), LATER)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), LATER)
    reject(table, no(work, lines={"1": 1}))
    assert shelves(table, "A")["wh-madrid"] == (2, 2, 0)
    assert_balanced(table, [ID], ["A"])


@pytest.mark.parametrize(("units", "again"), [({}, 2), ({"1": 3}, 2), ({"1": 1}, 0)])
def test_units_that_a_location_would_not_give_up_are_cancelled_when_it_rejects_them(
    table: Table, units: dict[str, int], again: int
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
    record_fulfillment(table, FulfillmentFact("m-0", FactKind.CANCEL_REFUSED, NOW, ID, work), NOW)
    assert [known.code for known in order_of(table, ID).exceptions] == ["cancel_refused"]
    fact = no(work, lines=units)
    recorded = reject(table, fact)
    assert (recorded.cancelled, recorded.rejected) == (1, 1 + again)
    assert recorded.refund is not None
    assert reject(table, fact) == Recorded()
    order = order_of(table, ID)
    assert (order.lines[0].cancelled, order.lines[0].open, order.exceptions) == (1, 0, ())
    assert sum(entry.units for entry in order.lines[0].entries) == 2
    assert shelves(table, "A")["wh-madrid"] == (2 - again, 2 - again, 0)
    assert_balanced(table, [ID], ["A"])


def test_units_that_were_refused_and_then_given_up_are_not_cancelled_twice(table: Table) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    for message, kind in (("m-0", FactKind.CANCEL_REFUSED), ("m-2", FactKind.CANCELLED)):
        cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
        record_fulfillment(table, FulfillmentFact(message, kind, NOW, ID, work), NOW)
    assert reject(table, no(work)).cancelled == 0
    assert order_of(table, ID).lines[0].cancelled == 1
    assert entries(table) == [("1", "wh-lyon", 2, "allocated")]


# ---- The location's own answer after a rejection that was taken for it -------------------------------------


def given_up(work: str, message: str, v: int | None, units: int | None = 1) -> FulfillmentFact:
    """A location's answer that gives units of line 1 up; whatever it was asked for without any."""
    packed = (PackedUnits("1", units),) if units else ()
    return FulfillmentFact(message, FactKind.CANCELLED, LATER, ID, work, lines=packed, v=v)


def wish(table: Table, units: int) -> None:
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": units}), NOW)


def say(table: Table, *facts: FulfillmentFact) -> list[Recorded]:
    return [record_fact(table, network, fact, LATER) for fact in facts]


@pytest.mark.parametrize("order", [*permutations(range(2)), (1, 1, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1)])
@pytest.mark.parametrize("v", [2, None])
@pytest.mark.parametrize(
    ("wished", "named", "there"),
    [(1, 1, 1), (1, None, 1), (2, 2, 0), (2, None, 0), (2, 1, 1)],
)
def test_an_answer_and_a_rejection_are_two_things_in_either_order(
    wished: int, named: int | None, there: int, v: int | None, order: tuple[int, ...], table: Table
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    wish(table, wished)
    facts = (given_up(work, "m-1", v, named), no(work, "no_box", "m-2", {"1": 1}))
    say(table, *(facts[at] for at in order))
    serve_waiting(table, network(), "A", LATER, also=[ID])
    (one,) = order_of(table, ID).lines
    assert (one.cancelled, one.open) == (wished, 0)
    gone = 1 if wished == 2 and named == 1 else 0  # refused, then rejected: nobody wants another in its place
    expected = [("1", "wh-madrid", there, "in_fulfillment")] if there else []
    expected += [] if gone else [("1", "wh-lyon", 1, "allocated")]
    assert sorted(entries(table), key=lambda entry: entry[1], reverse=True) == expected
    assert order_of(table, ID).exceptions == ()
    assert_balanced(table, [ID], ["A"])


def test_an_answer_after_the_rejection_that_was_taken_for_it_gives_up_no_more_than_was_asked_for(
    table: Table,
) -> None:
    fill(table, "A", wh_madrid=4, wh_lyon=9)
    work = placed(table, ("A", 4))
    wish(table, 1)
    say(table, no(work, "no_box", "m-1", {"1": 1}))
    with pytest.raises(Problem, match="of line 1 1 units were asked for, not 2") as caught:
        say(table, given_up(work, "m-2", 2, 2))
    assert (caught.value.code, caught.value.field) == (Code.STATE_REFUSED, "lines")
    recorded = say(table, given_up(work, "m-3", 2), given_up(work, "m-3", 2))
    assert [(one.cancelled, one.reopened) for one in recorded] == [(0, 1), (0, 0)]
    assert [(one.ref, one.code) for one in order_of(table, ID).exceptions] == [("1", "stock_short")]
    with pytest.raises(Problem, match="was not asked to give anything up"):
        say(table, given_up(work, "m-4", 2))
    assert entries(table) == [("1", "wh-madrid", 2, "in_fulfillment")]


def test_a_refusal_after_the_rejection_that_was_taken_for_it_changes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    work = placed(table, ("A", 3))
    wish(table, 1)
    refusal = FulfillmentFact("m-2", FactKind.CANCEL_REFUSED, LATER, ID, work, v=2)
    say(table, no(work, "no_box", "m-1", {"1": 1}))
    before = order_of(table, ID)
    assert say(table, refusal, refusal) == [Recorded()] * 2
    assert order_of(table, ID) == before


def test_an_answer_that_comes_when_all_else_has_left_changes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    work = placed(table, ("A", 2))
    wish(table, 1)
    left = FulfillmentFact("m-2", FactKind.SHIPPED, LATER, ID, work, packages=(Package("p"),))
    say(table, no(work, "no_box", "m-1", {"1": 1}), left)
    before = order_of(table, ID)
    assert say(table, given_up(work, "m-3", 2)) == [Recorded()]
    assert order_of(table, ID) == before


def test_units_that_are_asked_for_again_are_not_sourced_again_when_the_first_answer_comes(
    table: Table,
) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=9)
    work = placed(table, ("A", 2))
    wish(table, 1)
    say(table, no(work, "no_box", "m-1", {"1": 1}))
    wish(table, 1)
    (late,) = say(table, given_up(work, "m-2", 2))
    assert (late.cancelled, late.reopened) == (1, 0)
    again = FulfillmentFact("m-3", FactKind.CANCEL_REFUSED, LATER, ID, work, v=4)
    assert say(table, again) == [Recorded()]
    order = order_of(table, ID)
    assert (order.lines[0].cancelled, order.lines[0].entries, order.exceptions) == (2, (), ())
    assert_balanced(table, [ID], ["A"])


def test_a_rejection_from_before_the_location_was_asked_is_not_its_answer(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=9)
    work = placed(table, ("A", 2))
    wish(table, 1)
    said = replace(no(work, "no_box", "m-1", {"1": 1}), v=1)
    (first, _, answered) = say(table, said, said, given_up(work, "m-2", 2))
    assert (first.rejected, first.cancelled, answered.cancelled) == (1, 0, 1)
    assert entries(table) == [("1", "wh-lyon", 1, "allocated")]
    assert_balanced(table, [ID], ["A"])


@pytest.mark.parametrize("order", [*permutations(range(2)), (0, 0, 1, 1), (1, 0, 1, 0)])
@pytest.mark.parametrize("named", [1, None])
@pytest.mark.parametrize(("wished", "rejected"), [(1, 3), (1, None), (2, 2), (2, 3), (3, 2), (3, 1)])
def test_units_that_were_to_be_cancelled_are_whatever_a_location_rejects_that_has_not_seen_that(
    wished: int, rejected: int | None, named: int | None, order: tuple[int, ...], table: Table
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    wish(table, wished)
    said = replace(no(work, "no_box", "m-1", {"1": rejected} if rejected else None), v=1)
    answered = given_up(work, "m-2", 2, wished if named else None)
    say(table, *((said, answered)[at] for at in order))
    serve_waiting(table, network(), "A", LATER, also=[ID])
    (one,) = order_of(table, ID).lines
    assert (one.cancelled, one.open) == (wished, 0)
    assert sum(entry.units for entry in one.entries) == 3 - wished
    assert order_of(table, ID).exceptions == ()
    assert sum(refund.amount for refund in read_refunds(table, ID).values()) == 1000 * wished
    assert_balanced(table, [ID], ["A"])


def test_units_that_a_location_rejects_one_by_one_are_cancelled_once(table: Table) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    wish(table, 2)
    recorded = say(table, *(replace(no(work, "no_box", f"m-{number}", {"1": 1}), v=1) for number in range(3)))
    assert [(one.rejected, one.cancelled) for one in recorded] == [(1, 0), (1, 1), (1, 1)]
    assert entries(table) == [("1", "wh-lyon", 1, "allocated")]


def test_a_rejection_whose_request_is_answered_meanwhile_is_about_other_units(table: Table) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    wish(table, 1)
    racing = Racing(table, lambda: say(table, given_up(work, "m-2", 2)))
    recorded = reject(racing, replace(no(work, "no_box", lines={"1": 1}), v=2))
    assert (recorded.rejected, recorded.cancelled, order_of(table, ID).lines[0].cancelled) == (1, 0, 1)
    assert entries(table) == [("1", "wh-madrid", 1, "in_fulfillment"), ("1", "wh-lyon", 1, "allocated")]
    assert_balanced(table, [ID], ["A"])


@pytest.mark.parametrize("refused", [2, 3])
@pytest.mark.parametrize("first", [0, 1])
def test_units_of_one_request_are_refused_whatever_becomes_of_those_of_another(
    refused: int, first: int, table: Table
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=9)
    work = placed(table, ("A", 3))
    wish(table, 1)
    wish(table, 1)
    answers = (
        FulfillmentFact("m-1", FactKind.CANCEL_REFUSED, LATER, ID, work, v=refused),
        given_up(work, "m-2", 5 - refused),
    )
    say(table, answers[first], answers[1 - first])
    assert [known.code for known in order_of(table, ID).exceptions] == ["cancel_refused"]
    assert order_of(table, ID).lines[0].cancelled == 1
    (rejected,) = say(table, no(work, "no_box", "m-3", {"1": 1}))
    assert (rejected.cancelled, order_of(table, ID).exceptions) == (1, ())
    assert entries(table) == [("1", "wh-madrid", 1, "in_fulfillment")]


# ---- How it comes in ---------------------------------------------------------------------------------------


def message(work: str) -> dict[str, object]:
    """A rejection as a location sends it."""
    lines = [{"line_id": "1", "units": 1}]
    said = {"message_id": "m-1", "type": "rejected", "occurred_at": iso(LATER), "reason": "damaged"}
    return said | {"fulfillment_order": f"{ID}-{work}", "lines": lines}


def test_a_rejection_comes_in_by_the_api(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    sent = message(placed(table, ("A", 2)))
    assert [Rest().post("/fulfillment-events", sent).document["rejected"] for _ in range(2)] == [1, 0]
    shown = Rest().get(f"/orders/{ID}/sourcing").document["items"][-1]["decisions"][0]["locations"]
    assert [source["location"] for source in shown if source["ships"]] == ["wh-madrid"]
    assert entries(table) == [("1", "wh-madrid", 1, "in_fulfillment"), ("1", "wh-lyon", 1, "allocated")]


def test_a_rejection_comes_in_by_the_queue_and_one_that_makes_no_sense_is_handed_back(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    good = message(placed(table, ("A", 2)))
    bad = good | {"message_id": "m-2", "lines": [{"line_id": "1", "units": 0}]}
    records = [
        {"messageId": name, "body": json.dumps(body), "eventSource": "aws:sqs"}
        for name, body in (("good", good), ("bad", bad))
    ]
    answer = handler({"Records": records}, SimpleNamespace(aws_request_id="r"))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert position(table, "A", "wh-madrid").blocked == {Block.DAMAGED: 1}
