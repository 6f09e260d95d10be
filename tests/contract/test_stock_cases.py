"""What other systems' tests assert of stock (areas A, B and G of the shared cases): our answers, by case.

Where the design differs from a case, our answer is asserted and a comment says why. One difference runs
through all: an order that a channel has taken is durable, so what cannot be had is not refused but left open,
under the exception `stock_short`. Decimals are scaled to the sku's smallest unit.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from oms.inventory.availability import Availability, availability, free, seen_at
from oms.inventory.ledger import audit_position
from oms.inventory.model import Delta, Demand, DemandChange, Position, Reserved, Sku, Stock
from oms.inventory.network import Network
from oms.orders.commands import PlaceOrder
from oms.orders.judgement import Judgement, Verdict, judge
from oms.orders.model import Order
from oms.orders.moving import MoveRequest, move
from oms.orders.placing import Placement, place
from oms.orders.resourcing import serve
from oms.problems import Code, Problem
from tests.builders import CHANNEL, MADRID, NOW, command, line, network

CASES = Path(__file__).parents[3] / "shared" / "cases" / "cases.json"

ON_THE_TABLE = {
    "B01": "tests/concurrency/test_rush.py",
    "B08": "tests/concurrency/test_rush.py",
    "B09": "tests/concurrency/test_rush.py",
}
"""Cases that only the table can answer, and where it does."""

OURS: dict[str, Callable[[], None]] = {}


def case(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(answer: Callable[[], None]) -> Callable[[], None]:
        assert name not in OURS
        OURS[name] = answer
        return answer

    return keep


def kept(
    *held: int, allocated: int = 0, waiting: int = 0, limit: int | None = 0, tracked: bool = True
) -> Stock:
    """One sku at locations n0, n1, .. with so much on hand; what is allocated is so at the first ones."""
    positions = []
    for number, on_hand in enumerate(held):
        promised = min(allocated, max(0, on_hand))
        allocated -= promised
        free_there = on_hand - promised
        positions.append(
            Position("A", f"n{number}", on_hand=on_hand, allocated=promised, uncommitted=free_there, v=1)
        )
    return Stock(Sku("A", tracked=tracked), tuple(positions), (Demand("A", CHANNEL.pool, waiting, limit),))


def sellable(stock: Stock, safety: int | Mapping[str, int] = 0, buffer: int = 0) -> Availability:
    names = [position.location for position in stock.positions]
    by_location = dict.fromkeys(names, safety) if isinstance(safety, int) else safety
    return availability(stock, CHANNEL.pool, names, by_location, buffer)


def ask(stock: Stock, *units: int, safety: int = 0) -> tuple[int, int, int]:
    """An order of one line of the sku for each of `units`: how many are allocated, backordered and open."""
    lines = ordered(stock, *units, safety=safety).order.lines
    sums = Counter[str]()
    for one in lines:
        sums.update(allocated=one.allocated, backordered=one.backordered, open=one.open)
    return sums["allocated"], sums["backordered"], sums["open"]


def ordered(stock: Stock, *units: int, safety: int = 0) -> Placement:
    return place(sent(*units), CHANNEL, places(stock, safety), {"A": stock}, NOW)


def places(stock: Stock, safety: int = 0) -> Network:
    return network(*(replace(MADRID, id=held.location, safety_stock=safety) for held in stock.positions))


def sent(*units: int) -> PlaceOrder:
    return command(*(line("A", each, number=number) for number, each in enumerate(units, 1)))


@case("A02")
def _an_order_and_a_part_of_it_given_back() -> None:
    assert sellable(kept(55, 30, allocated=50 - 15)).ats == 50


@case("A05")
def _all_is_promised() -> None:
    assert sellable(kept(55, 30, allocated=85)).ats == 0
    assert ask(kept(55, 30, allocated=85), 10) == (0, 0, 10)


@case("A06")
def _the_last_hundredths_of_a_backorder_limit() -> None:
    owed = kept(850, allocated=850, waiting=83, limit=100)
    assert sellable(owed).ats == 17
    assert ask(owed, 17) == (0, 17, 0)


@case("A07")
def _a_limit_counts_only_when_backorders_are_on() -> None:
    off, on = kept(85), kept(85, limit=45)
    assert (sellable(off).ats, sellable(on).ats) == (85, 130)
    assert ask(off, 130) == (85, 0, 45)
    assert ask(on, 130) == (85, 45, 0)
    assert ask(on, 140) == (85, 45, 10)


@case("A08")
def _an_order_to_the_limit_and_its_cancellation() -> None:
    assert ask(kept(85, limit=45), 130) == (85, 45, 0)
    assert ask(kept(85, allocated=85, waiting=45, limit=45), 10) == (0, 0, 10)
    assert ask(kept(85, limit=0), 10) == (10, 0, 0)
    # A floor above 0 is theirs for unlimited; we are unlimited when it is said, never by a number.
    assert ask(kept(85, limit=None), 1000) == (85, 915, 0)
    assert ask(kept(85, limit=100), 1000) == (85, 100, 815)


@case("A09")
def _exactly_nothing_left_is_not_sold() -> None:
    assert sellable(kept(85, allocated=85, waiting=915, limit=1000)).ats == 85
    assert sellable(kept(85, allocated=85, waiting=915, limit=915)).ats == 0
    # A floor of 0 is theirs for unlimited; ours is a limit of 0.
    assert sellable(kept(85, allocated=85, waiting=915, limit=0)).ats == 0
    assert sellable(kept(85, allocated=85, waiting=915, limit=None)).ats is None


@case("A14")
def _more_than_there_is() -> None:
    assert ask(kept(50), 62) == (50, 0, 12)
    assert ask(kept(50, limit=None), 65) == (50, 15, 0)
    uncounted = ordered(kept(50, tracked=False), 65)
    assert uncounted.order.lines[0].allocated == 65
    assert uncounted.deltas == {}


@case("A17")
def _counters_that_orders_do_not_explain() -> None:
    left_over = audit_position(Position("A", "n0", 9, allocated=2, uncommitted=7), claimed=0)
    missing = audit_position(Position("A", "n0", 9, uncommitted=9), claimed=1)
    assert left_over is not None
    assert missing is not None
    assert left_over.right["allocated"] - left_over.found["allocated"] == -2
    assert missing.right["allocated"] - missing.found["allocated"] == 1
    assert audit_position(Position("A", "n0", 9, uncommitted=9), claimed=0) is None
    for finding in (left_over, missing):
        right = finding.right
        mended = Position("A", "n0", 9, allocated=right["allocated"], uncommitted=right["uncommitted"])
        assert audit_position(mended, claimed=right["allocated"]) is None


@case("A18")
def _what_orders_hold_is_not_sold_again() -> None:
    assert sellable(kept(4, 3, allocated=3 + 1)).ats == 3
    assert ask(kept(4, 3, allocated=3 + 1), 3) == (3, 0, 0)
    assert ask(kept(4, 3, allocated=3), 5) == (4, 0, 1)


def carts(stock: Stock, **units: tuple[int, ...]) -> Stock:
    """A stock of which carts hold units at n0, n1, ..: `carts(kept(4, 3), x=(2, 1))`."""
    until = NOW + timedelta(minutes=15)
    rows = tuple(
        Reserved("A", f"n{number}", name, held, until)
        for name, places in units.items()
        for number, held in enumerate(places)
    )
    for row in rows:
        place = next(one for one in stock.positions if one.location == row.location)
        stock = stock.with_position(place.moved(Delta(reserved=row.units)))
    return replace(stock, reserved=rows)


@case("A19")
def _what_carts_hold_but_the_buyers_own() -> None:
    held = carts(kept(4, 3), x=(2, 1), y=(0, 2))
    assert sellable(seen_at(held, NOW)).ats == 2
    assert sellable(seen_at(held, NOW, "x")).ats == 5
    assert sellable(seen_at(held, NOW + timedelta(minutes=15))).ats == 7


@case("B14")
def _other_carts_hold_what_an_order_wants() -> None:
    # Theirs is refused. Ours is durable: the unit that is not to be had is left open.
    assert ask(carts(kept(4, 3), x=(2, 1)), 5) == (4, 0, 1)


@case("A25")
def _a_negative_shelf() -> None:
    assert free(Position("A", "n0", on_hand=-1, uncommitted=-1)) == 0
    assert sellable(kept(-1)).ats == 0
    assert sellable(kept(-1, tracked=False)).ats is None
    assert sellable(kept(-1, limit=None)).ats is None


@case("A26")
def _thresholds() -> None:
    # What a cart may hold is the channel's to say. A threshold above 0 is safety stock, one below it a limit.
    assert ask(kept(3), 5) == (3, 0, 2)
    assert ask(kept(3, tracked=False), 5) == (5, 0, 0)
    assert ask(kept(3), 2, safety=2) == (1, 0, 1)
    assert ask(kept(3, limit=5), 8) == (3, 5, 0)
    assert ask(kept(0), 1) == (0, 0, 1)


@case("A27")
def _a_limit_that_is_lowered_below_what_waits() -> None:
    assert ask(kept(5, limit=20), 25) == (5, 20, 0)
    full, lowered = (kept(5, allocated=5, waiting=20, limit=limit) for limit in (20, 10))
    assert sellable(full).ats == 0
    assert ask(full, 1) == (0, 0, 1)
    # Theirs is -10 then. Ours is never below 0: `net` and `waiting` show what is owed.
    assert sellable(lowered) == Availability(ats=0, net=-20, waiting=20)
    assert ask(lowered, 1) == (0, 0, 1)


@case("A28")
def _safety_stock_that_is_not_there_in_full() -> None:
    stock = kept(4, allocated=3)
    (position,) = stock.positions
    assert sellable(stock, safety=2) == Availability(ats=0, net=0, waiting=0)
    assert position.uncommitted - free(position, 2) == 1


@case("A33")
def _safety_of_each_location_or_one_for_all() -> None:
    assert sellable(kept(5, 6), safety={"n0": 1, "n1": 2}).ats == 8
    # A pool has no safety stock of its own; what is kept back from a channel is its buffer.
    assert sellable(kept(5, 6), buffer=5).ats == 6


@case("A34")
def _safety_and_buffer() -> None:
    four = {f"n{number}" for number in range(4)}
    stock = kept(15, 15, 10, 10, 50)
    assert availability(stock, CHANNEL.pool, four, dict.fromkeys(four, 5), 10).ats == 20
    assert sellable(stock, safety=dict.fromkeys(four, 2), buffer=5).ats == 87


@case("B02")
def _a_cart_holds_nothing() -> None:
    assert ask(kept(20), 20) == (20, 0, 0)
    assert ask(kept(20, allocated=20), 5) == (0, 0, 5)


@case("B03")
def _two_lines_are_one_demand() -> None:
    placement = ordered(kept(5), 3, 3)
    assert ask(kept(5), 3, 3) == (5, 0, 1)
    assert placement.deltas == {("A", "n0"): Delta(allocated=5)}


@case("B06")
def _the_same_sku_with_other_options() -> None:
    assert ask(kept(1), 1, 1) == (1, 0, 1)


@case("B10")
def _the_same_order_twice() -> None:
    order = ordered(kept(10), 3).order
    assert judge(order, None, sent(3), {}, NOW) == Judgement(Verdict.DUPLICATE, order)
    assert order.lines[0].allocated == 3


@case("B12")
def _what_takes_nothing_from_a_shelf() -> None:
    assert ordered(kept(0, limit=None), 3).deltas == {}
    assert ordered(kept(0, tracked=False), 3).deltas == {}
    # Theirs never holds what may be backordered; we promise what is there first. Holds cannot be disabled.
    assert ordered(kept(9, limit=None), 3).deltas == {("A", "n0"): Delta(allocated=3)}


def ahead(cap: int | None, waiting: int = 0, on_hand: int = 0) -> Stock:
    """A sku that is released tomorrow, of which so much may be sold before."""
    stock = kept(on_hand)
    sku = Sku("A", first_release_at=NOW + timedelta(days=1))
    demand = Demand("A", CHANNEL.pool, waiting, backorder_limit=0, preorder_limit=cap)
    return replace(stock, sku=sku, demands=(demand,))


@case("B16")
def _another_location_must_have_what_is_moved_to_it() -> None:
    order, everywhere = ordered(kept(10), 5).order, kept(10, 2, allocated=5)
    (left,) = order.lines[0].entries
    assert (left.location, left.units) == ("n0", 5)
    with pytest.raises(Problem) as refused:
        move(order, MoveRequest("1", "n0", "n1"), places(everywhere), {"A": everywhere}, NOW)
    assert refused.value.code is Code.STOCK_SHORT
    made = move(order, MoveRequest("1", "n0", "n1", 2), places(everywhere), {"A": everywhere}, NOW)
    assert [(entry.location, entry.units) for entry in made.order.lines[0].entries] == [("n0", 3), ("n1", 2)]
    assert made.deltas == {("A", "n0"): Delta(allocated=-2), ("A", "n1"): Delta(allocated=2)}


@case("G01")
def _a_cap_of_what_is_sold_before_the_release() -> None:
    assert ask(ahead(10), 10) == (0, 10, 0)
    assert ask(ahead(10), 11) == (0, 10, 1)
    assert ask(ahead(100), 50) == (0, 50, 0)
    # A cap belongs to a pool; what is kept back from one of its channels is that channel's buffer.
    assert ask(ahead(10, waiting=10), 1) == (0, 0, 1)
    assert ordered(ahead(100), 50).demands == (DemandChange("A", CHANNEL.pool, 50, 50, 100, preorder=True),)


@case("G02")
def _a_cart_before_the_release() -> None:
    # Theirs counts what carts hold against the cap. A cart holds stock alone, and a pre-order has none.
    stock = ahead(5, on_hand=9)
    (held,) = stock.positions
    row = Reserved("A", held.location, "cart", 3, NOW + timedelta(hours=1))
    other = replace(stock, positions=(replace(held, reserved=3, uncommitted=6),), reserved=(row,))
    assert seen_at(other, NOW, "cart").own == {}
    assert ask(other, 5) == (0, 5, 0)


@case("G03")
def _the_release() -> None:
    order = ordered(ahead(9, on_hand=9), 7).order
    assert order.lines[0].backordered == 7
    body = ordered(ahead(9), 7).body
    at = NOW + timedelta(days=1)
    late = serve(order, body, "A", places(ahead(9)), ahead(9, waiting=7), at)
    assert late.order is order
    change = serve(order, body, "A", places(ahead(9)), ahead(9, waiting=7, on_hand=7), at)
    assert change.order.lines[0].allocated == 7
    assert change.deltas == {("A", "n0"): Delta(allocated=7)}
    assert change.demands == (DemandChange("A", CHANNEL.pool, -7),)
    # Theirs makes the position and clears the cap; here stock comes by a receipt, and the cap counts no more.
    released = ahead(9, waiting=7, on_hand=7)
    assert sellable(seen_at(released, at)).ats == 0


@case("G04")
def _units_owed_count_against_the_limit() -> None:
    # Theirs is a negative shelf. A shelf owes nothing here: what is owed waits in the pool.
    owed = kept(0, waiting=3, limit=5)
    assert ask(owed, 2) == (0, 2, 0)
    assert ask(owed, 3) == (0, 2, 1)
    assert ask(kept(0, waiting=3, limit=None), 1000) == (0, 1000, 0)
    assert ask(kept(0, waiting=3, limit=0), 1) == (0, 0, 1)


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_answer(name: str) -> None:
    OURS[name]()


def test_what_cannot_be_had_is_left_open_under_an_exception() -> None:
    order: Order = ordered(kept(5), 6).order
    assert [exception.code for exception in order.exceptions] == ["stock_short"]


def test_every_shared_case_is_answered_or_listed() -> None:
    if not CASES.exists():
        pytest.skip("the shared cases are not here")
    shared = {one["id"] for one in json.loads(CASES.read_text()) if one["area"][0] in "ABG"}
    listed = [*OURS, *ON_THE_TABLE]
    assert sorted(listed) == sorted(shared)
