"""Making parts come to their whole: largest remainders, and orders whose numbers contradict one another."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from oms.channels.amounts import pieces, rounded, unit_price
from oms.channels.totals import apportioned

AMOUNTS = st.lists(st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=4), max_size=8)


def exact(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


@given(AMOUNTS)
def test_parts_come_to_their_rounded_sum_and_none_moves_by_a_unit(amounts: list[Decimal]) -> None:
    parts = apportioned(amounts)
    assert sum(parts) == rounded(sum(amounts, Decimal(0)))
    assert all(abs(part - amount) < 1 for part, amount in zip(parts, amounts, strict=True))


@given(AMOUNTS.filter(any), st.integers(-3, 3))
def test_parts_come_to_the_total_that_is_stated_as_long_as_rounding_explains_it(
    amounts: list[Decimal], off: int
) -> None:
    whole = sum(amounts, Decimal(0))
    total = rounded(whole) + off
    explained = abs(total - whole) <= Decimal(len(amounts) + 1) / 2
    assert sum(apportioned(amounts, total)) == (total if explained else rounded(whole))


def test_the_largest_remainder_gets_what_is_missing_and_nothing_stays_nothing() -> None:
    assert apportioned(exact("0.4", "0.4", "0.2", "0")) == (1, 0, 0, 0)
    assert apportioned(exact("10.5", "10.5", "0"), 22) == (11, 11, 0)
    assert apportioned(exact("10", "10", "0"), 19) == (10, 9, 0)
    assert apportioned(exact("-10.5", "3.2")) == (-10, 3)
    assert apportioned([], 5) == ()


def test_unit_prices_are_whole_or_texts() -> None:
    assert unit_price(Decimal("1000.000")) == 1000
    assert unit_price(Decimal("0.00")) == 0
    assert unit_price(Decimal("666.6666666666")) == "666.666667"
    assert unit_price(Decimal("10") / 4) == "2.5"


def test_a_part_of_a_unit_needs_a_whole_one() -> None:
    assert [pieces(quantity) for quantity in ("1.5", 2, Decimal(0))] == [2, 2, 0]
