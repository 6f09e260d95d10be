"""Available to sell, as arithmetic."""

import pytest

from oms.inventory.availability import availability, free, takeable
from oms.inventory.model import Block, Delta, Position
from tests.builders import stock

ALL = ("wh-madrid", "wh-lyon")


@pytest.mark.parametrize(("uncommitted", "safety", "units"), [(5, 0, 5), (5, 2, 3), (2, 5, 0), (-3, 0, 0)])
def test_free_units_are_clamped_at_each_position(uncommitted: int, safety: int, units: int) -> None:
    assert free(Position("A", "wh-madrid", uncommitted=uncommitted), safety) == units


def test_a_shortage_at_one_location_does_not_eat_the_stock_of_another() -> None:
    assert takeable(stock("A", {"wh-madrid": -5, "wh-lyon": 4}), ALL, {}) == 4


def test_only_locations_of_the_pool_count() -> None:
    assert takeable(stock("A", {"wh-madrid": 5, "wh-lyon": 4}), ["wh-lyon"], {}) == 4


@pytest.mark.parametrize(
    ("held", "waits", "limit", "buffer", "ats", "net"),
    [
        (5, 0, 0, 0, 5, 5),
        (5, 0, 0, 2, 3, 5),
        (5, 0, 3, 0, 8, 5),
        (5, 7, 3, 0, 1, -2),
        (5, 9, 3, 0, 0, -4),
        (1, 0, 0, 9, 0, 1),
        (5, 0, None, 0, None, 5),
    ],
)
def test_ats_is_free_less_waiting_less_buffer_plus_what_the_backorder_limit_leaves(
    held: int, waits: int, limit: int | None, buffer: int, ats: int | None, net: int
) -> None:
    there = stock("A", {"wh-madrid": held}, waiting=waits, backorder_limit=limit)
    answer = availability(there, "iberia", ALL, {}, buffer)
    assert (answer.ats, answer.net, answer.waiting) == (ats, net, waits)


def test_a_pool_without_a_limit_sells_no_backorders() -> None:
    assert availability(stock("A", {}, backorder_limit=9), "another-pool", ALL, {}).ats == 0


def test_an_untracked_sku_is_bounded_by_nothing() -> None:
    assert availability(stock("A", {}, tracked=False), "iberia", ALL, {}).ats is None


def test_deltas_at_one_position_add_up() -> None:
    one = Delta(on_hand=2, blocked={Block.RETURNS: 2})
    other = Delta(on_hand=1, allocated=1, blocked={Block.RETURNS: -1, Block.DAMAGED: 1})
    both = one + other
    assert both == Delta(on_hand=3, allocated=1, blocked={Block.RETURNS: 1, Block.DAMAGED: 1})
    assert (one.uncommitted, both.uncommitted) == (0, 0)
