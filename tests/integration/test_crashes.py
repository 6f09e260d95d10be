"""Nothing is leaked, doubled or lost, wherever whoever does a thing dies: every use case, at every call."""

from collections.abc import Iterator

import pytest

from oms.inventory.model import Delta
from oms.store import keys
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, move, put
from tests.access_patterns import Use
from tests.builders import NOW
from tests.crashes import EXCUSED, WAYS, Tried, tried
from tests.shelves import fill

WHY = Why("received", "po-1", "test", NOW)
HELD = 2
SOUND = 2_000
"""So many crashes prove it."""


@pytest.fixture(scope="module")
def crashes() -> list[Tried]:
    """Deaths alone: `oms bench crashes` has lost answers too, and larger orders."""
    return list(tried(1, WAYS[:2]))


def test_whatever_dies_at_any_call_ends_as_if_it_had_not(crashes: list[Tried]) -> None:
    assert {one.use.what: one.wrong for one in crashes if one.wrong} == {}
    assert sum(one.cases for one in crashes) >= SOUND
    assert sum(one.cases for one in crashes if one.writes) >= SOUND // 2


def test_what_is_excused_is_there_to_be_excused(crashes: list[Tried]) -> None:
    assert EXCUSED.keys() - {one.use.what for one in crashes} == set()


def _received(table: Table) -> None:
    table.commit(move("A", "wh-madrid", Delta(on_hand=1), WHY))


def _received_in_two_steps(table: Table) -> None:
    table.commit(put(keys.supply("A", "note"), {"t": "note"}))
    if read_position(table, "A", "wh-madrid").on_hand == HELD:
        table.commit(move("A", "wh-madrid", Delta(on_hand=1), WHY))


def _noted_first(table: Table) -> None:
    if table.get(keys.supply("A", "note")) is None:
        table.commit(put(keys.supply("A", "note"), {"t": "note"}))
        table.commit(move("A", "wh-madrid", Delta(on_hand=1), WHY))


def _promised_first(table: Table) -> None:
    held = read_position(table, "A", "wh-madrid")
    if held.on_hand == HELD and not held.allocated:
        table.commit(move("A", "wh-madrid", Delta(allocated=1), WHY))
    if read_position(table, "A", "wh-madrid").allocated:
        table.commit(move("A", "wh-madrid", Delta(on_hand=-1, allocated=-1), WHY))


@pytest.mark.parametrize(
    ("run", "wrong"),
    [
        (_received, ["done again"]),
        (_received_in_two_steps, []),
        (_noted_first, ["crash_after 2", "crash_before 3"]),
        (_promised_first, ["crash_after 2", "crash_before 3", "Finding("]),
    ],
    ids=["doubled", "sound", "lost", "leaked"],
)
def test_a_use_case_that_does_not_stand_a_crash_is_found(run: object, wrong: list[str]) -> None:
    def planted(table: Table, lines: int) -> Iterator[Use]:
        fill(table, "A", wh_madrid=HELD)
        yield Use("test", "Receive a unit", run)  # type: ignore[arg-type]  # one of the above

    (one,) = tried(1, of=planted)
    told = " ".join(one.wrong)
    assert [name for name in wrong if name not in told] == []
    assert bool(one.wrong) == bool(wrong)
