"""Available to sell, as arithmetic."""

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.inventory.availability import availability, covered_at, free, takeable
from oms.inventory.model import Block, Delta, Position, Sku, Supply, SupplyKind
from tests.builders import NOW, stock

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


DAY = timedelta(days=1)


def coming(day: int, units: int, location: str = "wh-madrid", **fields: object) -> Supply:
    name = f"po-{day}-{location}"
    made = Supply("A", name, SupplyKind.PURCHASE_ORDER, location, NOW + day * DAY, expected=units)
    return replace(made, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("held", "waits", "supplies", "units", "day"),
    [
        pytest.param(0, 0, [], 1, None, id="nothing comes"),
        pytest.param(0, 0, [coming(-1, 9)], 1, None, id="it is late"),
        pytest.param(0, 0, [coming(3, 9, closed=True)], 1, None, id="no more of it comes"),
        pytest.param(0, 0, [coming(3, 9, received=9)], 1, None, id="it has come"),
        pytest.param(0, 0, [coming(3, 9, promised=9)], 1, None, id="it is promised to others"),
        pytest.param(0, 0, [coming(3, 9, "st-elsewhere")], 1, None, id="it comes elsewhere"),
        pytest.param(0, 9, [coming(3, 9)], 1, None, id="others wait for it"),
        pytest.param(0, 0, [coming(3, 2)], 3, None, id="it is too little"),
        pytest.param(5, 0, [coming(3, 2)], 3, None, id="what is free is not for them"),
        pytest.param(0, 0, [coming(3, 9)], 9, 3, id="all of it"),
        pytest.param(0, 7, [coming(5, 9), coming(3, 9)], 2, 3, id="the first is enough"),
        pytest.param(0, 7, [coming(5, 9), coming(3, 9)], 3, 5, id="the first is not enough"),
        pytest.param(0, 0, [coming(-1, 2), coming(5, 9)], 3, 5, id="it needs more than what is late"),
        pytest.param(4, 6, [coming(3, 5)], 3, 3, id="the others have some already"),
        pytest.param(4, 6, [coming(3, 4)], 3, None, id="the others need some of it"),
        pytest.param(0, 0, [coming(3, 2), coming(3, 2, "wh-lyon")], 4, 3, id="of two places"),
    ],
)
def test_waiting_units_are_expected_when_supply_covers_all_that_waits_before_them_too(
    held: int, waits: int, supplies: list[Supply], units: int, day: int | None
) -> None:
    there = replace(stock("A", {"wh-madrid": held}, waiting=waits), supplies=tuple(supplies))
    assert covered_at(there, ALL, {}, units, NOW) == (None if day is None else NOW + day * DAY)


@pytest.mark.parametrize(
    ("held", "waits", "supplies", "units", "day"),
    [
        pytest.param(5, 2, [], 3, 10, id="on the shelves by now"),
        pytest.param(5, 2, [], 4, None, id="too few on the shelves"),
        pytest.param(0, 0, [coming(3, 9)], 4, 10, id="it comes before"),
        pytest.param(0, 0, [coming(-1, 9)], 4, 10, id="it should be there"),
        pytest.param(5, 2, [coming(12, 1)], 4, 12, id="it comes after"),
    ],
)
def test_what_is_sold_ahead_is_expected_at_the_first_release_at_the_earliest(
    held: int, waits: int, supplies: list[Supply], units: int, day: int | None
) -> None:
    ahead = Sku("A", first_release_at=NOW + 10 * DAY)
    there = replace(stock("A", {"wh-madrid": held}, waiting=waits), supplies=tuple(supplies), sku=ahead)
    assert covered_at(there, ALL, {}, units, NOW) == (None if day is None else NOW + day * DAY)


def test_what_is_sold_ahead_without_being_counted_is_expected_at_the_first_release() -> None:
    ahead = Sku("A", tracked=False, first_release_at=NOW + DAY)
    assert covered_at(replace(stock("A", {}), sku=ahead), ALL, {}, 99, NOW) == NOW + DAY
    assert covered_at(stock("A", {}, tracked=False), ALL, {}, 99, NOW) is None


def test_units_that_must_stay_cover_nobody() -> None:
    ahead = replace(stock("A", {"wh-madrid": 5}), sku=Sku("A", first_release_at=NOW + DAY))
    assert covered_at(ahead, ALL, {"wh-madrid": 3}, 2, NOW) == NOW + DAY
    assert covered_at(ahead, ALL, {"wh-madrid": 3}, 3, NOW) is None
