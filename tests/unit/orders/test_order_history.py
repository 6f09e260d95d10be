"""An order's journal as the steps by which its units came to where they come from."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from oms.orders.history import StepKind, history
from oms.orders.model import Order
from oms.orders.placing import enter
from tests.builders import NOW, command, line


def order_with(*entries: tuple[str, Mapping[str, object]]) -> Order:
    """An order with a journal of its own."""
    order = enter(command(line("A")), {}, NOW)
    for number, (kind, data) in enumerate(entries):
        order = order.written(NOW + timedelta(minutes=number), *kind.split(), data=data)
    return order


FOUND = ("placed", {"allocated": [["1", "a", 3], ["2", "b", 1]]})


def test_an_order_without_a_journal_has_no_history() -> None:
    assert history(order_with()) == []


def test_what_gives_no_source_is_no_step() -> None:
    told = ("released", {"fulfillment_orders": ["2-1"]}), ("delivered", {"moved": [["A", 1, 0]]})
    assert [step.kind for step in history(order_with(FOUND, *told))] == [StepKind.PLACED]


def test_the_latest_step_comes_first_with_the_version_that_it_made() -> None:
    steps = history(
        order_with(FOUND, ("held", {}), ("sourced", {"allocated": []}), ("reopened", {"taken": []}))
    )
    assert [(step.v, step.kind) for step in steps] == [(4, "reopened"), (3, "sourced"), (1, "placed")]
    assert [step.at for step in steps] == [NOW + timedelta(minutes=n) for n in (3, 2, 0)]


@pytest.mark.parametrize(
    ("later", "kept"),
    [
        ((), {("1", "a"): 3, ("2", "b"): 1}),
        ((("reopened", {"taken": [["1", "a", 2]], "reason": "damaged"}),), {("1", "a"): 1, ("2", "b"): 1}),
        ((("moved", {"moved": [["1", "c", 3]], "from": "a"}),), {("1", "a"): 0, ("2", "b"): 1}),
        (
            (("replanned", {"moved": [["2", "a", 1]], "from": [["2", "b", 1]], "cost": [9, 7]}),),
            {("1", "a"): 3, ("2", "b"): 0},
        ),
    ],
)
def test_units_that_a_later_step_takes_away_are_not_kept(
    later: tuple[tuple[str, Mapping[str, object]], ...], kept: Mapping[tuple[str, str], int]
) -> None:
    *_, first = history(order_with(FOUND, *later))
    assert first.kept == kept


def test_units_that_come_back_to_a_location_are_lost_by_the_latest_step_first() -> None:
    there_again = (
        ("reopened", {"taken": [["1", "a", 3]]}),
        ("sourced", {"allocated": [["1", "a", 3]]}),
        ("reopened", {"taken": [["1", "a", 1]], "reason": "short_pick"}),
    )
    lost, again, _, first = history(order_with(FOUND, *there_again))
    assert (lost.left, lost.reason) == ({("1", "a"): 1}, "short_pick")
    assert again.kept == {("1", "a"): 2}
    assert first.kept == {("1", "a"): 0, ("2", "b"): 1}


def test_a_person_moves_from_one_location_and_a_plan_has_its_costs() -> None:
    data = {"moved": [["1", "c", 2]], "from": [["1", "a", 2]], "cost": [900, 700], "saved": 300}
    planned, moved, _ = history(
        order_with(FOUND, ("moved", {"moved": [["2", "d", 1]], "from": "b"}), ("replanned", data))
    )
    assert (moved.found, moved.left, moved.cost) == ({("2", "d"): 1}, {("2", "b"): 1}, None)
    assert (planned.found, planned.cost) == ({("1", "c"): 2}, (900, 700))
