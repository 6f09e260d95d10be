"""Messages of the return-events queue: the parser, the schema and the samples agree."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from oms.channels.payload import loads
from oms.problems import Code, Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome
from oms.usecases.messages import parse_return_event

EVENTS = Path(__file__).parents[3] / "events"
SCHEMA = Draft202012Validator(json.loads((EVENTS / "return_event.v1.json").read_text()))
ORDER_ID = "WZWMPET4FZPW64CTVT4HHEAGLE"
AT = datetime(2026, 12, 5, 10, 31, 40, tzinfo=UTC)


def message(kind: str, *, without: str = "", **fields: object) -> dict[str, Any]:
    """A valid message of a type, with `fields` in place of its own and one left out."""
    one: dict[str, object] = {"line_id": "1", "units": 2}
    made = {
        "message_id": "m1",
        "type": kind,
        "occurred_at": "2026-12-05T10:31:40Z",
        "order_id": ORDER_ID,
        "reference": "r1",
        "location": "st-gracia",
        "lines": [one | ({"outcome": "scrap"} if kind == "disposed" else {})],
    }
    return {name: value for name, value in (made | fields).items() if name != without}


@pytest.mark.parametrize("kind", ["requested", "received", "disposed"])
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"without": "message_id"}, "message_id"),
        ({"without": "type"}, "type"),
        ({"without": "occurred_at"}, "occurred_at"),
        ({"without": "order_id"}, "order_id"),
        ({"without": "lines"}, "lines"),
        ({"lines": []}, "lines"),
        ({"lines": {}}, "lines"),
        ({"lines": "1"}, "lines"),
        ({"lines": ["1"]}, "lines[0]"),
        ({"lines": [{"units": 1}]}, "lines[0].line_id"),
        ({"lines": [{"line_id": "1"}]}, "lines[0].units"),
        ({"lines": [{"line_id": "1", "units": 0}]}, "lines[0].units"),
        ({"lines": [{"line_id": "1", "units": 10**18}]}, "lines[0].units"),
        ({"lines": [{"line_id": "1", "units": 1.5}]}, "lines[0].units"),
        ({"lines": [{"line_id": "1", "units": True}]}, "lines[0].units"),
        ({"message_id": {}}, "message_id"),
        ({"type": "lost"}, "type"),
    ],
    ids=str,
)
def test_a_bad_message_of_any_type_is_refused_by_the_field_at_fault(
    kind: str, change: dict[str, Any], field: str
) -> None:
    assert_refused(message(kind, **change), field)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (message("requested", without="reference"), "reference"),
        (message("disposed", without="reference"), "reference"),
        (message("received", without="location"), "location"),
        (message("disposed", without="location"), "location"),
        (message("disposed", lines=[{"line_id": "1", "units": 1}]), "lines[0].outcome"),
        (message("disposed", lines=[{"line_id": "1", "units": 1, "outcome": "sell"}]), "lines[0].outcome"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["type"],
)
def test_each_type_needs_fields_of_its_own(bad: dict[str, Any], field: str) -> None:
    assert_refused(bad, field)


def assert_refused(bad: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        parse(bad)
    assert refused.value.code in (Code.FIELD_MISSING, Code.FIELD_INVALID)
    assert refused.value.field == field
    assert not SCHEMA.is_valid(bad)


@pytest.mark.parametrize("body", ["[]", '"received"', "null", "7"])
def test_what_is_no_object_is_no_message(body: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_return_event(loads(body.encode()))
    assert refused.value.code is Code.MESSAGE_INVALID


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        parse(message("received", occurred_at="yesterday"))
    assert refused.value.field == "occurred_at"


def parse(document: dict[str, Any]) -> ReturnRequest | ReturnFact:
    return parse_return_event(loads(json.dumps(document).encode()))


def test_a_receipt_without_reference_is_known_by_its_own_message() -> None:
    blind = message("received", without="reference")
    assert SCHEMA.is_valid(blind)
    assert parse(blind) == ReturnFact("m1", AT, ORDER_ID, "m1", "st-gracia", (ReturnedUnits("1", 2),))


def test_the_samples_are_messages_of_each_type() -> None:
    parsed = {}
    for name in ("requested", "received", "disposed"):
        sample = json.loads((EVENTS / f"returns_{name}.json").read_text())
        (record,) = sample["Records"]
        SCHEMA.validate(json.loads(record["body"]))
        parsed[name] = parse_return_event(loads(record["body"].encode()))
    assert parsed["requested"].lines == (RequestedUnits("1", 2, "size_too_small"),)
    assert parsed["received"].lines == (ReturnedUnits("1", 2),)
    assert parsed["disposed"].lines == (
        ReturnedUnits("1", 1, Outcome.RESTOCK),
        ReturnedUnits("1", 1, Outcome.QUARANTINE),
    )
    assert {one.order_id for one in parsed.values()} == {ORDER_ID}
    assert {one.reference for one in parsed.values()} == {"RET-1001-1"}
