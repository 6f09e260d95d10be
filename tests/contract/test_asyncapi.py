"""The AsyncAPI document is what the catalogue says today, and leads nowhere wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from oms.events.asyncapi import document
from oms.events.catalogue import CATALOGUE

KEPT = Path(__file__).parents[2] / "events" / "asyncapi.v1.json"
DOCUMENT: dict[str, Any] = json.loads(json.dumps(document()))
SAMPLE = json.loads((KEPT.parent / "publisher.json").read_text())["Records"][0]["body"]


def references(value: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "$ref" else references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def found(reference: str) -> Any:
    """What a reference leads to."""
    if reference.endswith(".json"):
        return json.loads((KEPT.parent / reference).read_text())
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def payload(name: str) -> Draft202012Validator:
    """The schema of a message's payload, its references resolved."""
    parts = DOCUMENT["components"]["messages"][name]["payload"]["allOf"]
    return Draft202012Validator(
        {"allOf": [found(part["$ref"]) if "$ref" in part else part for part in parts]}
    )


def test_the_document_is_current() -> None:
    assert json.loads(KEPT.read_text()) == DOCUMENT, (
        "run: python -m oms.events.asyncapi > events/asyncapi.v1.json"
    )


def test_every_reference_leads_somewhere() -> None:
    assert all(found(reference) for reference in references(DOCUMENT))


def test_each_public_type_is_a_message_on_both_ways_and_no_other_is() -> None:
    public = {name for name, event in CATALOGUE.items() if event.public}
    assert {message["name"] for message in DOCUMENT["components"]["messages"].values()} == public
    for way in ("bus", "webhook"):
        assert {
            name.replace("_", ".", name.count("_")) for name in DOCUMENT["channels"][way]["messages"]
        } == {name.replace("_", ".") for name in public}


def test_a_sample_event_is_of_its_own_message_and_of_no_other() -> None:
    event = json.loads(SAMPLE)["detail"]
    payload("order_placed").validate(event)
    payload("order_placed").validate(event | {"timestamp": event["time"]})
    with pytest.raises(ValidationError):
        payload("order_shipped").validate(event)
