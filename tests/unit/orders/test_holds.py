"""Lifting holds: which may be lifted, what is resolved with them, and once."""

from dataclasses import replace

import pytest

from oms.orders.holds import RESOLVES, lift
from oms.orders.model import EXCEPTIONS, Order
from oms.orders.placing import IN_TURN, place
from oms.orders.work import releasable
from oms.problems import Code, Problem
from tests.builders import CHANNEL, NOW, command, line, network, stock


def held(*holds: str) -> Order:
    """An order with its units allocated, held for these reasons, with what they stand for."""
    order = place(command(line("A")), CHANNEL, network(), {"A": stock("A", {"wh-madrid": 1})}, NOW).order
    for hold in holds:
        for code in RESOLVES.get(hold, ()):
            order = order.with_exception(code, "ref", NOW)
    return replace(order, holds=holds)


def test_a_hold_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(Problem) as refused:
        lift(held("payment"), "boredom", NOW)
    assert (refused.value.code, refused.value.field) == (Code.FIELD_INVALID, "hold")


def test_a_hold_that_ends_by_itself_cannot_be_lifted() -> None:
    with pytest.raises(Problem) as refused:
        lift(held(IN_TURN), IN_TURN, NOW)
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, IN_TURN)


@pytest.mark.parametrize("hold", RESOLVES)
def test_a_hold_is_lifted_once_with_what_it_stands_for(hold: str) -> None:
    order = held("payment" if hold != "payment" else "manual", hold)
    once = lift(order, hold, NOW)
    assert hold not in once.holds
    assert not {known.code for known in once.exceptions} & set(RESOLVES[hold])
    assert once.journal[-1].data == {"hold": hold}
    assert lift(once, hold, NOW) is once


def test_an_order_goes_on_when_the_last_hold_is_lifted() -> None:
    order = held("manual", "edit")
    first = lift(order, "edit", NOW)
    assert not releasable(first)
    assert releasable(lift(first, "manual", NOW))


def test_what_holds_resolve_are_exceptions() -> None:
    assert {code for codes in RESOLVES.values() for code in codes} <= EXCEPTIONS.keys()
