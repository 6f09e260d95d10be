"""A position's history, by the API and by the command line."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from infra.cli import stock as command_line
from infra.cli.main import main
from oms.inventory.model import Delta
from oms.runtime import secrets
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.record_movements import record_movements
from tests.builders import NOW
from tests.recorder import RecordingTable
from tests.rest import Rest

PATH = "/stock/A/wh-madrid/movements"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets.Keys, "key", lambda self, purpose: b"k" * 32)


@pytest.fixture
def lived(table: Table) -> Table:
    """A position with five writes, the third of which has left no movement."""
    recording = RecordingTable(table, "SKU#")
    deltas = Delta(on_hand=9), Delta(allocated=2), Delta(on_hand=-1), Delta(allocated=1), Delta(reserved=1)
    for number, delta in enumerate(deltas, 1):
        why = Why(f"step {number}", "ref", "tests", NOW, NOW - timedelta(minutes=number))
        recording.commit(move("A", "wh-madrid", delta, why))
    del recording.records[2]
    assert record_movements(table, recording.records).failure is None
    return table


LOST = {"writes": 1, "change": {"on_hand": -1, "uncommitted": -1}}


def walk(limit: int) -> Iterator[Any]:
    """The pages of a history."""
    reply = Rest().get(PATH, limit=str(limit))
    yield reply.document
    while reply.document["next"]:
        reply = Rest().get(PATH, limit=str(limit), cursor=reply.document["next"])
        yield reply.document


@pytest.mark.parametrize("path", ["/stock/A/st-gracia/movements", "/stock/B/wh-madrid/movements"])
def test_a_position_that_never_was_has_no_history(lived: Table, path: str) -> None:
    assert Rest().get(path).problem == (404, "not_found", "location")


@pytest.mark.parametrize(
    ("query", "field"), [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"page": "2"}, "page")]
)
def test_a_query_that_makes_no_sense_is_refused_by_its_field(
    lived: Table, query: dict[str, str], field: str
) -> None:
    assert Rest().get(PATH, **query).problem == (422, "field_invalid", field)


def test_a_cursor_of_another_position_is_refused(lived: Table) -> None:
    lived.commit(move("A", "wh-lyon", Delta(on_hand=1), Why("receipt", "", "tests", NOW)))
    cursor = Rest().get(PATH, limit="1").document["next"]
    refused = Rest().get("/stock/A/wh-lyon/movements", cursor=cursor)
    assert refused.problem == (400, "cursor_invalid", "cursor")


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_of_any_size_tell_the_same_and_miss_no_gap(lived: Table, limit: int) -> None:
    told = [movement for page in walk(limit) for movement in page["items"]]
    assert [(one["v"], one["reason"], one["missing_before"]) for one in told] == [
        (5, "step 5", None),
        (4, "step 4", LOST),
        (2, "step 2", None),
        (1, "step 1", None),
    ]


def test_a_movement_tells_what_it_changed_and_what_stood_after_it(lived: Table) -> None:
    document = Rest().get(PATH, limit="1").document
    assert document["v"] == 5
    assert document["items"][0] == {
        "v": 5,
        "at": "2026-11-22T09:30:00.000Z",
        "occurred_at": "2026-11-22T09:25:00.000Z",
        "reason": "step 5",
        "ref": "ref",
        "actor": "tests",
        "change": {"reserved": 1, "uncommitted": -1},
        "after": {"on_hand": 8, "allocated": 3, "reserved": 1, "uncommitted": 4},
        "missing_before": None,
    }


def test_movements_that_are_not_there_yet_show_by_the_version(lived: Table) -> None:
    lived.commit(move("A", "wh-madrid", Delta(on_hand=1), Why("receipt", "", "tests", NOW)))
    document = Rest().get(PATH, limit="1").document
    assert (document["v"], document["items"][0]["v"]) == (6, 5)


def test_a_position_whose_first_movement_is_not_there_yet_has_an_empty_history(lived: Table) -> None:
    lived.commit(move("B", "wh-madrid", Delta(on_hand=1), Why("receipt", "", "tests", NOW)))
    document = Rest().get("/stock/B/wh-madrid/movements").document
    assert document == {"v": 1, "items": [], "next": None}


@contextmanager
def _stack(table: Table) -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(table=table)


def test_the_command_prints_the_same_over_all_pages(
    lived: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "opened", lambda name: _stack(lived))
    monkeypatch.setattr(command_line, "_PAGE", 2)
    (page,) = walk(100)
    capsys.readouterr()
    assert main(["stock", "history", "A", "wh-madrid"]) == 0
    assert [json.loads(text) for text in capsys.readouterr().out.splitlines()] == page["items"]


def test_the_command_refuses_a_position_that_never_was(
    lived: Table, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "opened", lambda name: _stack(lived))
    assert main(["stock", "history", "A", "st-gracia"]) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "not_found"
