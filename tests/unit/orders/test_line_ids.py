"""Ids of lines that a channel has not told apart."""

from dataclasses import replace

import pytest

from oms.orders.line_ids import told_apart
from oms.orders.placing import enter
from tests.builders import NOW, command, line


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["7", "7"], ["7", "7#2"]),
        (["7", "8", "7", "7"], ["7", "8", "7#2", "7#3"]),
        (["7", "7", "7#2"], ["7", "7#3", "7#2"]),
        (["7#2", "7", "7"], ["7#2", "7", "7#3"]),
        (["7", "7#2", "7#2"], ["7", "7#2", "7#2#2"]),
    ],
)
def test_each_line_has_an_id_of_its_own(given: list[str], expected: list[str]) -> None:
    lines = [replace(line("A"), channel_line_id=name) for name in given]
    assert [each.channel_line_id for each in told_apart(command(*lines)).lines] == expected


def test_an_order_whose_lines_are_told_apart_stays_as_it_is() -> None:
    order = command(line("A"), line("B", number=2))
    assert told_apart(order) is order


def test_a_component_belongs_to_the_first_line_of_its_parents_id() -> None:
    parent = replace(line("A"), channel_line_id="7")
    part = replace(line("B"), channel_line_id="8", parent_line_id="7")
    entered = enter(told_apart(command(parent, parent, part)), {}, NOW)
    assert [each.parent_line_id for each in entered.lines] == [None, None, "1"]
