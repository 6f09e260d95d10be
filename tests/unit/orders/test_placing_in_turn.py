"""What a placed order leaves to the next one, and what several of them ask for together."""

from dataclasses import replace

import pytest

from oms.inventory.model import Block, Delta, DemandChange, Position
from oms.orders.commands import FulfilledBy
from oms.orders.placing import left_by, place
from tests.builders import CHANNEL, NOW, command, line, network, stock

STOCKS = {"A": stock("A", {"wh-madrid": 3, "st-gracia": 2}), "B": stock("B", {}, backorder_limit=3)}


def test_the_next_order_finds_what_the_one_before_has_left() -> None:
    first = place(command(line("A", 2)), CHANNEL, network(), STOCKS, NOW)
    second = place(command(line("A", 2)), CHANNEL, network(), left_by(first, STOCKS), NOW)
    taken = [entry.location for one in (first, second) for entry in one.order.lines[0].entries]
    assert taken == ["wh-madrid", "st-gracia"]


def test_the_stock_itself_stays_as_it_was() -> None:
    before = dict(STOCKS)
    left_by(place(command(line("A", 2), line("B", 2, number=2)), CHANNEL, network(), STOCKS, NOW), STOCKS)
    assert before == STOCKS


def test_a_sale_at_a_till_takes_from_a_shelf_that_was_never_counted() -> None:
    sold = command(replace(line("B", 2), fulfilled_by=FulfilledBy.TAKEN), source_location="905684977")
    left = left_by(place(sold, CHANNEL, network(), STOCKS, NOW), STOCKS)
    assert left["B"].positions == (Position("B", "st-gracia", on_hand=-2, uncommitted=-2, v=1),)


@pytest.mark.parametrize(
    ("units", "backordered", "waiting"),
    [((1, 1), (1, 1), (1, 1)), ((2, 2), (2, 1), (2, 2)), ((4, 1), (3, 0), (4, 1))],
)
def test_waiting_orders_share_the_backorder_limit(
    units: tuple[int, int], backordered: tuple[int, int], waiting: tuple[int, int]
) -> None:
    first = place(command(line("B", units[0])), CHANNEL, network(), STOCKS, NOW)
    second = place(command(line("B", units[1])), CHANNEL, network(), left_by(first, STOCKS), NOW)
    changes = (*first.demands, *second.demands)
    assert tuple(change.backordered for change in changes) == backordered
    assert tuple(change.waiting for change in changes) == waiting
    assert changes[0] + changes[1] == DemandChange("B", "iberia", sum(waiting), sum(backordered), 3)


def test_a_position_moves_by_the_whole_vector() -> None:
    held = Position(
        "A", "x", on_hand=9, blocked={Block.DAMAGED: 1}, allocated=2, reserved=1, uncommitted=5, v=4
    )
    moved = held.moved(Delta(on_hand=-2, allocated=-2, reserved=1, blocked={Block.DAMAGED: -1}))
    assert moved == Position(
        "A", "x", on_hand=7, blocked={Block.DAMAGED: 0}, allocated=0, reserved=2, uncommitted=5, v=5
    )
