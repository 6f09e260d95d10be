"""Progress of returns: refused requests, facts in any order, repeated, early, beyond what was announced."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.inventory.model import Block, Deltas, Position
from oms.orders.commands import FulfilledBy, LineKind
from oms.orders.model import Order, OrderLine
from oms.orders.status import line_total, return_status
from oms.payments.money import share
from oms.problems import Code, Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome, Place, Return, ReturnLine, ReturnState, return_id
from oms.returns.progress import Change, Known, record, request, skus_moved
from tests.builders import NOW

STORE, WAREHOUSE = "st-gracia", "wh-madrid"
BEYOND = "returned_beyond_shipped"


def sold(units: int, *, line_id: str = "1", sku: str = "A", shipped: int | None = None) -> OrderLine:
    """A line of `units` at 10.00 each, all shipped unless told otherwise."""
    gone = units if shipped is None else shipped
    physical, us = LineKind.PHYSICAL, FulfilledBy.US
    return OrderLine(line_id, sku, physical, us, "d1", 1000 * units, shipped=gone, open=units - gone)


def order(*lines: OrderLine) -> Order:
    """A paid order of the lines."""
    total = sum(line.amount for line in lines)
    return Order("O1", "shop-es", "1", b"", "#1", "EUR", NOW, True, lines, (), total, captured=total, v=1)


class World:
    """An order, its returns and refunds and the stock, as the store would hold them."""

    def __init__(self, *lines: OrderLine) -> None:
        self.known = Known(order(*lines))
        self.stock: dict[tuple[str, str], Position] = {}

    def hear(self, message: ReturnRequest | ReturnFact) -> Change:
        """Take a message in and keep what it changes."""
        if isinstance(message, ReturnRequest):
            change = request(self.known, message, NOW)
        else:
            skus = skus_moved(self.known.order, message)
            seen = {sku: self.position(sku, message.location) for sku in skus}
            change = record(self.known, message, seen, NOW)
        self._move(change.deltas)
        refunds = {change.refund.id: change.refund} if change.refund else {}
        self.known = Known(
            change.order,
            {**self.known.returns, change.return_.id: change.return_},
            {**self.known.refunds, **refunds},
        )
        return change

    def position(self, sku: str = "A", location: str = STORE) -> Position:
        return self.stock.get((sku, location), Position(sku, location))

    def back(self, reference: str = "r1") -> Return:
        return self.known.returns[return_id("O1", reference)]

    @property
    def due(self) -> int:
        return sum(refund.amount for refund in self.known.refunds.values())

    @property
    def exceptions(self) -> list[tuple[str, str]]:
        return [(known.code, known.ref) for known in self.known.order.exceptions]

    def _move(self, deltas: Deltas) -> None:
        for (sku, location), delta in deltas.items():
            old = self.position(sku, location)
            blocked = {
                reason: old.blocked.get(reason, 0) + delta.blocked.get(reason, 0)
                for reason in {*old.blocked, *delta.blocked}
            }
            self.stock[sku, location] = replace(
                old,
                on_hand=old.on_hand + delta.on_hand,
                blocked={reason: units for reason, units in blocked.items() if units},
                uncommitted=old.uncommitted + delta.uncommitted,
            )


def requested(*lines: tuple[str, int], reference: str = "r1", message: str = "q1") -> ReturnRequest:
    asked = tuple(RequestedUnits(line_id, units) for line_id, units in lines)
    return ReturnRequest(message, NOW, "O1", reference, asked)


def received(
    *lines: tuple[str, int], reference: str = "r1", location: str = STORE, message: str = "in1"
) -> ReturnFact:
    came = tuple(ReturnedUnits(line_id, units) for line_id, units in lines)
    return ReturnFact(message, NOW, "O1", reference, location, came)


def disposed(
    *lines: tuple[str, int, Outcome], reference: str = "r1", location: str = STORE, message: str = "out1"
) -> ReturnFact:
    gone = tuple(ReturnedUnits(line_id, units, outcome) for line_id, units, outcome in lines)
    return ReturnFact(message, NOW, "O1", reference, location, gone)


@pytest.mark.parametrize(
    ("asked", "code", "field", "state"),
    [
        ([("1", 3)], Code.STATE_REFUSED, "lines[0].units", "partial"),
        ([("2", 1), ("1", 3)], Code.STATE_REFUSED, "lines[1].units", "partial"),
        ([("1", 1), ("1", 2)], Code.STATE_REFUSED, "lines[0].units", "partial"),
        ([("3", 1)], Code.STATE_REFUSED, "lines[0].units", "partial"),
        ([("1", 1), ("9", 1)], Code.FIELD_INVALID, "lines[1].line_id", None),
    ],
    ids=["more than shipped", "in any line", "the same line twice", "not shipped yet", "no such line"],
)
def test_a_request_beyond_what_was_shipped_is_refused_as_a_whole(
    asked: list[tuple[str, int]], code: Code, field: str, state: str | None
) -> None:
    world = World(sold(2), sold(1, line_id="2", sku="B"), sold(1, line_id="3", sku="C", shipped=0))
    with pytest.raises(Problem) as refused:
        world.hear(requested(*asked))
    assert (refused.value.code, refused.value.field, refused.value.state) == (code, field, state)
    assert not world.known.returns


def test_units_requested_once_cannot_be_requested_by_another_return() -> None:
    world = World(sold(3))
    world.hear(requested(("1", 2)))
    with pytest.raises(Problem, match="1 units can be returned, not 2"):
        world.hear(requested(("1", 2), reference="r2"))
    assert world.hear(requested(("1", 1), reference="r2")).return_.state is ReturnState.REQUESTED


@pytest.mark.parametrize(
    ("counters", "left"),
    [({}, 0), ({"cancelled": 2}, 2), ({"expired": 1}, 1), ({"lost": 2}, 0), ({"kept": 1}, 0)],
    ids=str,
)
def test_only_units_that_stayed_with_the_customer_can_be_requested_again(
    counters: dict[str, int], left: int
) -> None:
    claim = ReturnLine("1", "A", None, requested=2, approved=2, places=(), **counters)
    world = World(sold(2))
    world.known = replace(world.known, returns={"X": Return("O1", "X", "x", (claim,))})
    if left:
        world.hear(requested(("1", left)))
    with pytest.raises(Problem, match="0 units can be returned"):
        world.hear(requested(("1", 1), reference="r2"))


@pytest.mark.parametrize(
    ("counters", "received", "unannounced"),
    [({}, 3, 0), ({"cancelled": 1}, 2, 1), ({"expired": 2}, 1, 2), ({"lost": 3}, 0, 3), ({"kept": 1}, 2, 1)],
    ids=str,
)
def test_units_that_are_no_longer_expected_come_unannounced(
    counters: dict[str, int], received: int, unannounced: int
) -> None:
    came = (Place(STORE, reported=3),)
    line = ReturnLine("1", "A", None, requested=4, approved=3, rejected=1, places=came, **counters)
    assert (line.received, line.unannounced) == (received, unannounced)


def test_a_request_under_a_known_reference_is_the_same_one_or_a_conflict() -> None:
    world = World(sold(3), sold(1, line_id="2", sku="B"))
    world.hear(requested(("1", 2), ("2", 1)))
    again = world.hear(requested(("2", 1), ("1", 1), ("1", 1), message="q2"))
    assert again.return_.v == 1
    assert again.order.v == 2
    with pytest.raises(Problem) as refused:
        world.hear(requested(("1", 1)))
    assert (refused.value.code, refused.value.field) == (Code.CONFLICT, "lines")


def test_a_repeated_fact_changes_nothing() -> None:
    world = World(sold(2))
    world.hear(requested(("1", 2)))
    for fact in (received(("1", 2)), disposed(("1", 1, Outcome.RESTOCK))):
        world.hear(fact)
        before, stock = world.known, dict(world.stock)
        again = world.hear(fact)
        assert (again.order, again.return_) == (before.order, world.back())
        assert (again.deltas, again.refund, again.received, again.disposed) == ({}, None, 0, {})
        assert (world.known, world.stock) == (before, stock)


def test_a_receipt_blocks_the_units_counts_them_and_makes_their_money_due() -> None:
    world = World(sold(2), sold(1, line_id="2", sku="B"))
    world.hear(requested(("1", 2), ("2", 1)))
    change = world.hear(received(("1", 1)))
    assert world.position() == Position("A", STORE, on_hand=1, blocked={Block.RETURNS: 1})
    assert [line.returned for line in change.order.lines] == [1, 0]
    assert change.refund is not None
    assert (change.refund.amount, change.received, change.return_.state) == (1000, 1, ReturnState.RECEIVED)
    assert return_status(change.order) == "partial"


def test_only_what_arrived_is_paid_back() -> None:
    """Case F16: three and one announced, two and none received."""
    world = World(sold(3), sold(1, line_id="2", sku="B"))
    world.hear(requested(("1", 3), ("2", 1)))
    change = world.hear(received(("1", 2)))
    assert change.refund is not None
    assert [(line.line_id, line.units) for line in change.refund.lines] == [("1", 2)]
    assert world.due == 2000


def test_units_beyond_those_announced_are_blocked_without_money_under_an_exception() -> None:
    """Case F14 for us: six came of one. A fact is not refused; what nobody announced is not paid."""
    world = World(sold(2))
    world.hear(requested(("1", 1)))
    change = world.hear(received(("1", 6)))
    (line,) = change.return_.lines
    assert (line.requested, line.approved, line.received, line.unannounced) == (1, 1, 1, 5)
    assert world.position().blocked == {Block.RETURNS: 6}
    assert (change.order.lines[0].returned, world.due) == (1, 1000)
    assert world.exceptions == [(BEYOND, world.back().id)]
    assert change.exceptions == (BEYOND,)
    assert world.hear(received(("1", 1), message="in2")).exceptions == ()


def test_a_return_that_nobody_announced_waits_for_its_request() -> None:
    world = World(sold(2))
    blind = world.hear(received(("1", 2)))
    assert (blind.return_.state, blind.refund, world.due) == (ReturnState.UNANNOUNCED, None, 0)
    assert world.exceptions == [(BEYOND, blind.return_.id)]
    announced = world.hear(requested(("1", 2)))
    assert (announced.return_.state, announced.deltas, world.due) == (ReturnState.RECEIVED, {}, 2000)
    assert (world.exceptions, announced.order.lines[0].returned) == ([], 2)
    assert announced.order.journal[-1].kinds == ("return_requested", "returned")


def test_units_of_a_line_that_the_order_does_not_have_are_kept_on_the_return_alone() -> None:
    world = World(sold(1))
    change = world.hear(received(("9", 2)))
    assert (change.return_.lines[0].sku, change.return_.lines[0].unannounced) == (None, 2)
    assert (change.deltas, world.exceptions) == ({}, [(BEYOND, change.return_.id)])


@pytest.mark.parametrize(
    "line",
    [
        replace(sold(1), kind=LineKind.DIGITAL),
        replace(sold(1), tracked=False),
        replace(sold(1), fulfilled_by=FulfilledBy.VENDOR),
    ],
    ids=["digital", "untracked", "shipped by a vendor"],
)
def test_goods_that_are_not_on_our_positions_come_back_for_money_alone(line: OrderLine) -> None:
    world = World(line)
    world.hear(requested(("1", 1)))
    world.hear(received(("1", 1)))
    world.hear(disposed(("1", 1, Outcome.SCRAP)))
    assert (world.stock, world.due, world.back().state) == ({}, 1000, ReturnState.DISPOSED)


@pytest.mark.parametrize(
    ("outcome", "on_hand", "blocked", "uncommitted"),
    [
        (Outcome.RESTOCK, 2, {Block.RETURNS: 1}, 1),
        (Outcome.REFURBISH, 2, {Block.RETURNS: 1, Block.DAMAGED: 1}, 0),
        (Outcome.QUARANTINE, 2, {Block.RETURNS: 1, Block.QUALITY_CONTROL: 1}, 0),
        (Outcome.SCRAP, 1, {Block.RETURNS: 1}, 0),
    ],
)
def test_each_outcome_moves_a_unit_once(
    outcome: Outcome, on_hand: int, blocked: dict[Block, int], uncommitted: int
) -> None:
    world = World(sold(2))
    world.hear(requested(("1", 2)))
    world.hear(received(("1", 2)))
    change = world.hear(disposed(("1", 1, outcome)))
    at = world.position()
    assert (at.on_hand, at.blocked, at.uncommitted) == (on_hand, blocked, uncommitted)
    assert (change.disposed, change.received, change.refund) == ({outcome: 1}, 0, None)
    assert change.order is world.known.order
    assert change.return_.state is ReturnState.RECEIVED


def test_a_disposition_before_its_receipt_receives_the_units_and_the_late_report_moves_nothing() -> None:
    world = World(sold(3))
    world.hear(requested(("1", 3)))
    early = world.hear(disposed(("1", 1, Outcome.RESTOCK), ("1", 1, Outcome.SCRAP)))
    assert (early.received, world.due, early.order.lines[0].returned) == (2, 2000, 2)
    assert early.return_.journal[-1].kinds == ("received", "disposed")
    assert (world.position().on_hand, world.position().blocked, world.position().uncommitted) == (1, {}, 1)
    late = world.hear(received(("1", 3)))
    assert (late.received, world.due) == (1, 3000)
    assert (world.position().on_hand, world.position().blocked) == (2, {Block.RETURNS: 1})
    rest = world.hear(disposed(("1", 1, Outcome.RESTOCK), message="out2"))
    assert (rest.received, rest.return_.state) == (0, ReturnState.DISPOSED)


def test_a_report_that_only_explains_a_disposition_is_remembered() -> None:
    world = World(sold(1))
    world.hear(requested(("1", 1)))
    world.hear(disposed(("1", 1, Outcome.QUARANTINE)))
    late = world.hear(received(("1", 1)))
    assert (late.received, late.deltas, late.refund) == (0, {}, None)
    assert late.return_.knows("in1")
    assert late.return_.journal[-1].data["received"] == {}


@pytest.mark.parametrize(
    ("minutes", "on_hand", "uncommitted"), [(-1, 8, 7), (0, 8, 7), (1, 7, 6)], ids=["before", "then", "after"]
)
def test_a_count_after_a_receipt_has_found_the_units_already(
    minutes: int, on_hand: int, uncommitted: int
) -> None:
    world = World(sold(1))
    counted_at = NOW + timedelta(minutes=minutes)
    world.stock["A", STORE] = Position("A", STORE, on_hand=7, uncommitted=7, counted_at=counted_at)
    world.hear(requested(("1", 1)))
    world.hear(received(("1", 1)))
    at = world.position()
    assert (at.on_hand, at.blocked, at.uncommitted) == (on_hand, {Block.RETURNS: 1}, uncommitted)


def test_a_count_after_units_were_scrapped_has_left_them_out_already() -> None:
    world = World(sold(1))
    world.hear(requested(("1", 1)))
    world.hear(received(("1", 1)))
    counted = replace(world.position(), on_hand=0, uncommitted=-1, counted_at=NOW + timedelta(minutes=1))
    world.stock["A", STORE] = counted
    world.hear(disposed(("1", 1, Outcome.SCRAP)))
    at = world.position()
    assert (at.on_hand, at.blocked, at.uncommitted) == (0, {}, 0)


def test_two_lines_of_one_sku_move_their_position_as_one() -> None:
    world = World(sold(2), sold(1, line_id="2"))
    world.hear(requested(("1", 2), ("2", 1)))
    change = world.hear(received(("1", 1), ("2", 1), ("1", 1)))
    assert list(change.deltas) == [("A", STORE)]
    assert (world.position().on_hand, world.due) == (3, 3000)


def test_the_journals_say_what_the_events_need() -> None:
    world = World(sold(2))
    world.hear(requested(("1", 2)))
    world.hear(received(("1", 2)))
    world.hear(disposed(("1", 2, Outcome.QUARANTINE)))
    facts = {"location": STORE, "occurred_at": NOW.isoformat()}
    assert [(entry.v, entry.kinds, entry.data) for entry in world.back().journal] == [
        (1, ("requested",), {"requested": {"1": 2}}),
        (2, ("received",), {"message": "in1", "received": {"1": 2}, **facts}),
        (3, ("disposed",), {"message": "out1", "disposed": [["1", "quarantine", 2]], **facts}),
    ]
    name = world.back().id
    assert [(entry.kinds, entry.data) for entry in world.known.order.journal] == [
        (("return_requested",), {"return": name}),
        (("returned",), {"return": name, "returned": {"1": 2}}),
    ]
    assert list(world.known.refunds) == [f"{name}.2"]


type Drawn = Sequence[tuple[str, int, str, Outcome | None]]

facts = st.lists(
    st.tuples(
        st.sampled_from("12"),
        st.integers(1, 3),
        st.sampled_from([STORE, WAREHOUSE]),
        st.none() | st.sampled_from(Outcome),
    ),
    max_size=6,
)


def facts_of(drawn: Drawn, reference: str) -> list[ReturnFact]:
    """One message for each unit count drawn: received, or disposed of when there is an outcome."""
    return [
        ReturnFact(
            f"{reference}-{number}", NOW, "O1", reference, place, (ReturnedUnits(line_id, units, outcome),)
        )
        for number, (line_id, units, place, outcome) in enumerate(drawn)
    ]


def told(messages: Sequence[ReturnRequest | ReturnFact]) -> World:
    world = World(sold(4), sold(3, line_id="2"))
    for message in messages:
        world.hear(message)
    return world


def picture(world: World) -> object:
    """All that must not depend on the order in which messages came."""
    lines = {
        (one.reference, line.line_id): (
            line.requested,
            line.received,
            line.unannounced,
            dict(line.disposed),
            {place.location: place.arrived for place in line.places},
        )
        for one in world.known.returns.values()
        for line in one.lines
    }
    returned = [line.returned for line in world.known.order.lines]
    stock = {place: at for place, at in world.stock.items() if at != Position(*place)}
    return lines, returned, sorted(world.exceptions), world.due, stock


@given(facts, facts, st.randoms(use_true_random=False))
def test_the_end_is_the_same_in_whatever_order_and_how_often_messages_come(
    first: Drawn, second: Drawn, shuffler: Random
) -> None:
    messages: list[ReturnRequest | ReturnFact] = [
        requested(("1", 2), ("2", 1)),
        *facts_of(first, "r1"),
        requested(("1", 2), ("2", 2), reference="r2"),
        *facts_of(second, "r2"),
    ]
    shuffled = messages + [message for message in messages if shuffler.random() < 0.3]
    shuffler.shuffle(shuffled)
    assert picture(told(shuffled)) == picture(told(messages))


@given(facts, st.lists(st.integers(1, 4), max_size=4), st.randoms(use_true_random=False))
def test_counters_stock_and_money_agree_after_any_messages(
    drawn: Drawn, asked: list[int], shuffler: Random
) -> None:
    requests = [requested(("1", units), reference=f"r{number}") for number, units in enumerate(asked)]
    messages: list[ReturnRequest | ReturnFact] = [*requests, *facts_of(drawn, "r0")]
    shuffler.shuffle(messages)
    world = World(sold(4), sold(3, line_id="2"))
    for message in messages:
        try:
            world.hear(message)
        except Problem as refused:
            assert refused.code is Code.STATE_REFUSED
    agree(world)


def agree(world: World) -> None:
    blocked: defaultdict[str, int] = defaultdict(int)
    on_hand: defaultdict[str, int] = defaultdict(int)
    received: defaultdict[str, int] = defaultdict(int)
    for back in (line for one in world.known.returns.values() for line in one.lines):
        assert back.requested >= back.approved >= back.received
        assert back.arrived >= sum(back.disposed.values())
        received[back.line_id] += back.received
        for place in back.places:
            blocked[place.location] += place.arrived - sum(place.disposed.values())
            on_hand[place.location] += place.arrived - place.disposed.get(Outcome.SCRAP, 0)
    worth = 0
    for line in world.known.order.lines:
        assert line.returned == received[line.line_id] <= line.shipped
        total = line_total(world.known.order, line)
        worth += total - share(total, line.ordered - line.returned, line.ordered)
    assert world.due == worth <= world.known.order.captured
    for location in (STORE, WAREHOUSE):
        at = world.position("A", location)
        assert (at.blocked.get(Block.RETURNS, 0), at.on_hand) == (blocked[location], on_hand[location])
        assert at.uncommitted == at.on_hand - sum(at.blocked.values())
    unexplained = {
        one.id for one in world.known.returns.values() if any(line.unannounced for line in one.lines)
    }
    assert {ref for _, ref in world.exceptions} == unexplained
