"""Exact money: shares of a total and spreading it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.payments.money import share, spread


@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_spread_parts_add_up_and_none_is_off_by_a_whole_unit(total: int, weights: list[int]) -> None:
    parts = spread(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        assert all(
            abs(part * whole - total * weight) < whole for part, weight in zip(parts, weights, strict=True)
        )


@given(st.integers(0, 10**9), st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_any_sequence_of_shares_ends_at_the_total(total: int, steps: list[int]) -> None:
    units = sum(steps)
    kept, given_back = units, 0
    for step in steps:
        given_back += share(total, kept, units) - share(total, kept - step, units)
        kept -= step
    assert given_back == total


def test_ties_go_to_the_earlier_part_and_zero_weights_count_as_equal() -> None:
    assert spread(10, [1, 1, 1]) == (4, 3, 3)
    assert spread(-10, [1, 1, 1]) == (-4, -3, -3)
    assert spread(5, [0, 0]) == (3, 2)
    assert spread(7, [0, 3]) == (0, 7)


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_nothing_can_be_spread_over_no_or_negative_weights(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot spread"):
        spread(1, weights)


@pytest.mark.parametrize(("kept", "units"), [(-1, 3), (4, 3), (0, 0)])
def test_a_share_of_units_that_are_not_there_is_refused(kept: int, units: int) -> None:
    with pytest.raises(ValueError, match="units"):
        share(100, kept, units)
