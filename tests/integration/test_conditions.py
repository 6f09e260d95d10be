"""Conditions of the writes of stock: each alone keeps a write out that would sell or give back units twice.

Most are a second lock behind the version of a header, so only a write by itself shows that they are there.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.inventory.model import Block, Delta, Reserved
from oms.store.errors import Cancelled
from oms.store.reservations import end, hold
from oms.store.table import Table
from oms.store.writes import Why, Write, move
from tests.builders import NOW
from tests.shelves import fill, position

WHY = Why("test", "test", "test", NOW)
ROW = Reserved("A", "wh-madrid", "cart-1", 2, NOW + timedelta(minutes=15))
EXTENDED = replace(ROW, expires_at=NOW + timedelta(minutes=30))


def change(delta: Delta, ended: int = 0) -> Write:
    return move("A", "wh-madrid", delta, WHY, ended=ended)


@pytest.fixture
def shelf(table: Table) -> Table:
    """Nine of A: two allocated, two reserved until a quarter past, one damaged, four free."""
    fill(table, "A", wh_madrid=9)
    table.commit(change(Delta(allocated=2, reserved=2, blocked={Block.DAMAGED: 1})), hold(ROW, None))
    return table


@pytest.mark.parametrize(
    "delta",
    [
        Delta(allocated=-3),
        Delta(on_hand=-3, allocated=-3),
        Delta(reserved=-3),
        Delta(blocked={Block.DAMAGED: -2}),
        Delta(allocated=5),
        Delta(reserved=5),
        Delta(allocated=3, safety=2),
        Delta(allocated=4, reserved=-3),
    ],
)
def test_a_change_that_the_counters_do_not_bear_is_not_written(shelf: Table, delta: Delta) -> None:
    before = position(shelf, "A", "wh-madrid")
    with pytest.raises(Cancelled):
        shelf.commit(change(delta))
    assert position(shelf, "A", "wh-madrid") == before


@pytest.mark.parametrize(
    "delta",
    [
        Delta(allocated=-2),
        Delta(on_hand=-2, allocated=-2),
        Delta(reserved=-2),
        Delta(blocked={Block.DAMAGED: -1}),
        Delta(allocated=4),
        Delta(allocated=2, safety=2),
    ],
)
def test_a_change_to_the_last_unit_is_written(shelf: Table, delta: Delta) -> None:
    before = position(shelf, "A", "wh-madrid")
    shelf.commit(change(delta))
    assert position(shelf, "A", "wh-madrid").uncommitted == before.uncommitted + delta.uncommitted


@pytest.mark.parametrize("seen", [replace(ROW, units=1), replace(ROW, expires_at=NOW)])
def test_a_row_that_was_changed_or_extended_meanwhile_does_not_end(shelf: Table, seen: Reserved) -> None:
    with pytest.raises(Cancelled):
        shelf.commit(change(Delta(reserved=-seen.units), ended=seen.units), end(seen))
    assert position(shelf, "A", "wh-madrid").reserved == 2


def test_a_row_ends_once_and_is_extended_as_it_was_seen(shelf: Table) -> None:
    shelf.commit(hold(EXTENDED, ROW))
    with pytest.raises(Cancelled):
        shelf.commit(hold(replace(ROW, units=4), ROW))
    over = (change(Delta(reserved=-2), ended=2), end(EXTENDED))
    shelf.commit(*over)
    with pytest.raises(Cancelled):
        shelf.commit(*over)
    assert position(shelf, "A", "wh-madrid").reserved == 0
