"""The catalogue of events, the schema that readers have, and what the domain really writes are the same."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from oms.events.catalogue import CATALOGUE, ENTITIES
from oms.events.derive import Event, events
from oms.events.messages import REQUESTS
from oms.events.schema import schema
from oms.store.journal import decode_journal
from tests.stories import lives

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "events" / "event.v1.json"
DOMAIN = ("orders", "fulfillment", "returns", "payments", "inventory", "sourcing", "usecases")

CHANGES = [change for story in lives() for change in story.changes if "j" in change[1]]
EVENTS = [event for change in CHANGES for event in events(*change)]


def strict(document: Any) -> Any:
    """A schema that refuses members which it does not name, unlike the one that readers have."""
    if isinstance(document, list):
        return [strict(member) for member in document]
    if not isinstance(document, dict):
        return document
    closed = {name: strict(member) for name, member in document.items()}
    if "properties" in closed and closed.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


VALIDATOR = Draft202012Validator(strict(schema()), format_checker=FormatChecker())


def written_kinds() -> Iterator[tuple[str, str]]:
    """Every kind that the domain names where it writes a journal entry, with the place."""
    for package in DOMAIN:
        for path in sorted((ROOT / "layers/oms/oms" / package).glob("*.py")):
            for call in ast.walk(ast.parse(path.read_text())):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                    names = call.args[1:] if call.func.attr == "written" else []
                    for name in names:
                        if isinstance(name, ast.Constant):
                            yield str(name.value), f"{path.name}:{call.lineno}"


def test_the_schema_is_the_catalogue() -> None:
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(schema())), (
        "run `python -m oms.events.schema > events/event.v1.json`"
    )


def test_the_schema_is_one_itself() -> None:
    Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize(("kind", "place"), sorted(set(written_kinds())))
def test_every_kind_that_is_written_is_in_the_catalogue(kind: str, place: str) -> None:
    assert kind in {name.partition(".")[2] for name in CATALOGUE}, place


def test_the_lives_write_every_type_of_the_catalogue_and_no_other() -> None:
    written = {
        f"{item['t']!s}.{kind}"
        for _, item in CHANGES
        for entry in decode_journal(item["j"])
        for kind in entry.kinds
    }
    assert written == set(CATALOGUE)


def test_every_type_belongs_to_an_entity_that_keeps_a_journal() -> None:
    assert {name.partition(".")[0] for name in CATALOGUE} == set(ENTITIES)


def test_no_member_of_a_type_hides_one_of_its_entity() -> None:
    for name, event in CATALOGUE.items():
        assert not event.members.keys() & ENTITIES[name.partition(".")[0]].members.keys(), name


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.id.partition("#")[2])
def test_every_event_says_exactly_what_the_catalogue_has(event: Event) -> None:
    VALIDATOR.validate(event.document())


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("type", "order.evaporated"),
        ("schemaversion", 99),
        ("source", "elsewhere"),
        ("v", 0),
        ("time", "yesterday"),
        ("data", {"channel": "shop-es", "order_number": "#1001"}),
    ],
)
def test_the_schema_refuses_what_is_no_event(member: str, value: object) -> None:
    placed = next(event for event in EVENTS if event.type == "order.placed").document()
    assert not VALIDATOR.is_valid(placed | {member: value})


def test_requests_to_locations_go_by_types_of_the_catalogue() -> None:
    assert REQUESTS.keys() <= CATALOGUE.keys()
