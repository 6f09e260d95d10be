"""Units that lose their source wait; units that wait are given one; claims follow both."""

from datetime import timedelta

import pytest

from oms.inventory.model import Delta, DemandChange
from oms.orders.claims import awaited, promised
from oms.orders.model import Order, Stage
from oms.orders.placing import place
from oms.orders.resourcing import give, reopen
from oms.orders.work import WorkStage, work_stage
from oms.sourcing.choose import Assignment
from tests.builders import CHANNEL, NOW, command, line, network, stock
from tests.stories import Story

LATER = NOW + timedelta(hours=1)


def placed(units: int, *, on_hand: int = 0, limit: int | None = 0) -> Order:
    shelf = stock("A", {"wh-madrid": on_hand}, backorder_limit=limit)
    return place(command(line("A", units)), CHANNEL, network(), {"A": shelf}, NOW).order


def counters(order: Order) -> tuple[int, int, int]:
    (one,) = order.lines
    return one.open, one.backordered, one.allocated


def test_what_is_taken_back_is_open_again_and_waits() -> None:
    order = placed(3, on_hand=3)
    (entry,) = order.lines[0].entries
    change = reopen(order, {entry.alloc_id: 2}, LATER, "shortage")
    assert counters(change.order) == (2, 0, 1)
    assert change.deltas == {("A", "wh-madrid"): Delta(allocated=-2)}
    assert change.demands == (DemandChange("A", "iberia", 2),)
    assert [known.code for known in change.order.exceptions] == ["stock_short"]
    assert change.order.journal[-1].data == {"reason": "shortage", "taken": [["1", "wh-madrid", 2]]}


def test_an_order_that_has_lost_everything_is_due_at_once() -> None:
    order = placed(3, on_hand=3)
    change = reopen(order, {order.lines[0].entries[0].alloc_id: 9}, LATER, "shortage")
    assert counters(change.order) == (3, 0, 0)
    assert change.order.lines[0].entries == ()
    assert work_stage(change.order) == (WorkStage.OPEN, LATER)


@pytest.mark.parametrize("units", [{}, {"9.9": 1}])
def test_entries_that_are_not_there_leave_the_order_as_it_is(units: dict[str, int]) -> None:
    order = placed(3, on_hand=3)
    change = reopen(order, units, LATER, "shortage")
    assert change.order is order
    assert (change.deltas, change.demands) == ({}, ())


def test_units_that_are_with_their_location_are_not_taken_back() -> None:
    order = Story("A").tell("release").order
    (entry,) = order.lines[0].entries
    assert entry.stage is Stage.IN_FULFILLMENT
    assert reopen(order, {entry.alloc_id: 2}, LATER, "shortage").order is order


def test_open_units_are_given_a_source_before_backordered_ones() -> None:
    order = placed(5, limit=3)
    assert counters(order) == (2, 3, 0)
    change = give(order, [Assignment("1", "A", "wh-lyon", 3)], LATER)
    assert counters(change.order) == (0, 2, 3)
    assert change.deltas == {("A", "wh-lyon"): Delta(allocated=3)}
    assert change.demands == (DemandChange("A", "iberia", -3),)


def test_a_line_is_short_until_none_of_its_units_is_open() -> None:
    one = give(placed(5), [Assignment("1", "A", "wh-lyon", 4)], LATER).order
    assert [known.code for known in one.exceptions] == ["stock_short"]
    both = give(one, [Assignment("1", "A", "wh-madrid", 1)], LATER).order
    assert both.exceptions == ()
    assert len({entry.alloc_id for entry in both.lines[0].entries}) == 2


def test_giving_nothing_leaves_the_order_as_it_is() -> None:
    order = placed(5)
    assert give(order, [], LATER).order is order


def test_what_is_given_and_taken_back_claims_what_it_claimed_before() -> None:
    order = placed(5, on_hand=2, limit=2)
    given = give(order, [Assignment("1", "A", "wh-lyon", 3)], LATER).order
    (entry,) = (entry for entry in given.lines[0].entries if entry.location == "wh-lyon")
    back = reopen(given, {entry.alloc_id: 3}, LATER, "shortage").order
    assert (promised(back), awaited(back)) == (promised(order), awaited(order))
    assert back.lines[0].ordered == 5
