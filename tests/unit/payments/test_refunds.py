"""Refunds: what returned units are worth, to the cent, and never more than was paid."""

from dataclasses import replace
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.orders.commands import FulfilledBy, LineKind
from oms.orders.model import Order, OrderLine
from oms.orders.status import line_total
from oms.payments.money import share, spread
from oms.payments.refunds import Refund, RefundLine, RefundState, refund_due, refundable, worth
from tests.builders import NOW


def sold(
    units: int, amount: int, discount: int = 0, tax: int = 0, *, line_id: str = "1", cancelled: int = 0
) -> OrderLine:
    """A line of `units`, all shipped but those cancelled."""
    return OrderLine(
        line_id,
        "A",
        LineKind.PHYSICAL,
        FulfilledBy.US,
        "d1",
        amount,
        discount,
        tax,
        shipped=units - cancelled,
        cancelled=cancelled,
    )


def order(*lines: OrderLine, tax_included: bool = True, captured: int | None = None) -> Order:
    """An order of the lines, paid in full unless told otherwise."""
    made = Order(
        "O1",
        "shop-es",
        "1",
        b"",
        "#1",
        "EUR",
        NOW,
        tax_included,
        lines,
        (),
        total=0,
        captured=captured or 0,
        v=1,
    )
    total = sum(line_total(made, line) for line in lines)
    return replace(made, total=total, captured=total if captured is None else captured)


def give_back(paid: Order, refunds: list[Refund], **units: int) -> Order:
    """Count units as returned, `_1=2` two of line 1, and append the refund that becomes due."""
    returned = {name.removeprefix("_"): number for name, number in units.items()}
    refund = refund_due(paid, refunds, "R1", len(refunds) + 1, returned, NOW)
    if refund:
        refunds.append(refund)
    return paid.with_lines(
        {
            line.line_id: replace(line, returned=line.returned + returned.get(line.line_id, 0))
            for line in paid.lines
        }
    )


class Worth(NamedTuple):
    """A case of worth: the line, how many units come back, and what they are worth."""

    line: OrderLine
    tax_included: bool
    returned: int
    amount: int
    tax: int


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Worth(sold(3, 30000, 1000), True, 1, 9667, 0), id="F01 an order discount goes with the unit"
        ),
        pytest.param(Worth(sold(1, 1000, 0, 100), False, 1, 1100, 100), id="F03 added tax is refunded too"),
        pytest.param(Worth(sold(2, 1554, 246, 92), False, 2, 1400, 92), id="F21 line A, all of it"),
        pytest.param(Worth(sold(3, 3636, 402, 226), False, 2, 2307, 151), id="F21 line B, two of three"),
        pytest.param(Worth(sold(3, 3690), True, 2, 2460, 0), id="F23 two of three"),
        pytest.param(Worth(sold(1, 15000, 3000), True, 1, 12000, 0), id="F31 a voucher stays pro rata"),
        pytest.param(
            Worth(sold(2, 3998, 200, 664), True, 1, 1899, 332), id="included tax is inside the amount"
        ),
        pytest.param(
            Worth(sold(3, 1000, cancelled=1), True, 2, 666, 0), id="cancelled units were paid back before"
        ),
        pytest.param(Worth(sold(7, 5), True, 1, 1, 0), id="the first units carry the rounding"),
    ],
)
def test_what_returned_units_are_worth(case: Worth) -> None:
    (line,) = worth(order(case.line, tax_included=case.tax_included), {"1": case.returned})
    assert line == RefundLine("1", case.returned, case.amount, case.tax)


def test_a_refund_is_never_above_what_is_left_of_the_payment() -> None:
    paid = replace(order(sold(1, 1000)), refunded=100)
    refund = refund_due(paid, (), "R1", 1, {"1": 1}, NOW)
    assert refund is not None
    assert (refund.amount, refund.lines[0].amount) == (900, 1000)


def test_nothing_paid_is_nothing_due() -> None:
    assert refund_due(order(sold(1, 1000), captured=0), (), "R1", 1, {"1": 1}, NOW) is None


def test_no_units_and_units_that_were_free_make_no_refund() -> None:
    assert refund_due(order(sold(1, 1000)), (), "R1", 1, {}, NOW) is None
    paid = order(sold(1, 1000), sold(1, 500, 500, line_id="2"))
    assert refund_due(paid, (), "R1", 1, {"2": 1}, NOW) is None


@pytest.mark.parametrize("state", RefundState)
def test_money_on_its_way_is_not_promised_again(state: RefundState) -> None:
    """A settled refund counts in the order's own `refunded`; a failed one is still owed."""
    paid = order(sold(2, 1000))
    first = Refund("O1", "R1.1", "R1", "EUR", 600, (), state)
    assert refundable(paid, [first]) == (1000 if state is RefundState.SETTLED else 400)


def test_a_refund_names_its_return_and_says_what_its_event_needs() -> None:
    refund = refund_due(order(sold(1, 1000)), (), "R1", 3, {"1": 1}, NOW)
    assert refund is not None
    assert (refund.id, refund.public_id, refund.state, refund.v) == ("R1.3", "O1-R1.3", RefundState.DUE, 1)
    assert (refund.journal[0].kinds, refund.journal[0].data) == (
        ("due",),
        {"amount": 1000, "currency": "EUR"},
    )


steps = st.lists(st.integers(1, 4), min_size=1, max_size=8)
amounts = st.integers(0, 10**7)  # cents or yen: the arithmetic knows minor units alone


@given(steps, steps, amounts, amounts, amounts, st.booleans())
def test_any_sequence_of_partial_returns_ends_at_exactly_what_was_paid(
    returns: list[int], cancellations: list[int], gross: int, discount: int, tax: int, tax_included: bool
) -> None:
    """Units cancelled before were paid back by the same rule, so both together come to the line's total."""
    back, cancelled = sum(returns), sum(cancellations)
    line = sold(back + cancelled, gross, min(discount, gross), tax, cancelled=cancelled)
    paid = order(line, tax_included=tax_included)
    total = line_total(paid, line)
    paid_back = total - share(total, back, line.ordered)
    left = replace(paid, refunded=paid_back)
    refunds: list[Refund] = []
    taxes = 0
    for units in returns:
        taxes += worth(left, {"1": units})[0].tax
        left = give_back(left, refunds, _1=units)
    assert paid_back + sum(refund.amount for refund in refunds) == paid.captured
    assert taxes == share(tax, back, line.ordered)
    assert refundable(left, refunds) == 0


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 10**6)), min_size=1, max_size=5),
    st.integers(0, 10**6),
    st.integers(0, 10**7),
    st.randoms(use_true_random=False),
)
def test_refunds_of_an_order_never_add_up_to_more_than_was_captured(
    goods: list[tuple[int, int]], discount: int, captured: int, shuffler: Random
) -> None:
    """Lines come back unit by unit in any order, under a discount spread over them."""
    discounts = spread(min(discount, sum(amount for _, amount in goods)), [amount for _, amount in goods])
    lines = [
        sold(units, amount, taken, line_id=str(number))
        for number, ((units, amount), taken) in enumerate(zip(goods, discounts, strict=True))
    ]
    left = order(*lines, captured=captured)
    units = [line.line_id for line in lines for _ in range(line.shipped)]
    shuffler.shuffle(units)
    refunds: list[Refund] = []
    for line_id in units:
        left = give_back(left, refunds, **{f"_{line_id}": 1})
        assert refundable(left, refunds) >= 0
    assert sum(refund.amount for refund in refunds) == min(captured, left.total)
