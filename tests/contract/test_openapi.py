"""The OpenAPI document: current, valid, and in step with the schemas of our own messages."""

import ast
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest

from functions.api import openapi, validation
from functions.api.fulfillment import FulfillmentEvent
from functions.api.page import render
from functions.api.returns import ReturnEventBody
from functions.api.routes import ROUTES
from functions.api.routing import AnyRoute
from oms.problems import Problem
from oms.store.tokens import Scope

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = json.loads(openapi.text())
ORDER = "A" * 26
MESSAGES = {"fulfillment_event.v1": FulfillmentEvent, "return_event.v1": ReturnEventBody}
"""Schemas of our queues' messages, and the types by which the API takes the same messages."""


ASKED_BY_POST = ("/sourcing/preview", "/promises")
"""Questions too long for a query; they write nothing."""


def schema(name: str) -> dict[str, Any]:
    """A schema of our own messages."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded


def test_the_document_that_is_checked_in_is_that_of_the_routes() -> None:
    checked_in = (ROOT / "infra/docs/openapi.json").read_text()
    assert checked_in == openapi.text(), "run: python -m functions.api.openapi > infra/docs/openapi.json"


def test_the_document_is_valid_openapi_3_1() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) == len(ROUTES)


def test_no_two_types_share_the_name_of_a_schema() -> None:
    assert not [
        name for name in DOCUMENT["components"]["schemas"] if "__functions" in name or "__oms" in name
    ]


def test_every_scope_opens_something_and_only_the_description_is_public() -> None:
    assert {route.scope for route in ROUTES if route.scope} == set(Scope)
    assert {route.path for route in ROUTES if route.scope is None} == {"/docs", "/openapi.json"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_that_writes_takes_a_scope_to_write(route: AnyRoute) -> None:
    right = str(route.scope).rpartition(":")[2]
    asks = route.method == "GET" or route.path in ASKED_BY_POST
    assert asks != (right == "write")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_has_the_same_fields_for_the_api_as_on_its_queue(name: str) -> None:
    queued, taken = schema(name), DOCUMENT["components"]["schemas"][MESSAGES[name].__name__]
    read = {field.name for field in fields(MESSAGES[name])}
    assert set(taken["required"]) == set(queued["required"])
    assert set(queued["required"]) <= read <= set(queued["properties"])
    kinds = DOCUMENT["components"]["schemas"][taken["properties"]["type"]["$ref"].rpartition("/")[2]]
    assert kinds["enum"] == queued["properties"]["type"]["enum"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fulfillment_event.v1", {}),
        ("fulfillment_event.v1", {"location": "st-gracia", "v": 3}),
        ("fulfillment_event.v1", {"lines": [{"line_id": "1", "units": 1, "sku": "A", "serials": ["7"]}]}),
        ("fulfillment_event.v1", {"packages": [{"package_id": "p1", "weight_g": 0}]}),
        ("return_event.v1", {}),
        ("return_event.v1", {"lines": [{"line_id": "1", "units": 1, "reason": "too small"}]}),
    ],
)
def test_what_a_queue_takes_the_api_takes(name: str, change: dict[str, Any]) -> None:
    message = _message(name) | change
    jsonschema.validate(message, schema(name))
    validation.body(MESSAGES[name], json.dumps(message).encode())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("fulfillment_event.v1", {"type": "vanished"}),
        ("fulfillment_event.v1", {"message_id": ""}),
        ("fulfillment_event.v1", {"occurred_at": 5}),
        ("fulfillment_event.v1", {"v": 0}),
        ("fulfillment_event.v1", {"packages": [{}]}),
        ("fulfillment_event.v1", {"packages": [{"package_id": "p1", "weight_g": -1}]}),
        ("fulfillment_event.v1", {"lines": [{"line_id": "1", "units": 0}]}),
        ("return_event.v1", {"lines": []}),
        ("return_event.v1", {"lines": [{"line_id": "1", "units": 0}]}),
        ("return_event.v1", {"lines": [{"line_id": "1", "units": 1, "outcome": "sold"}]}),
    ],
)
def test_what_a_queue_refuses_the_api_refuses(name: str, change: dict[str, Any]) -> None:
    message = _message(name) | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(message, schema(name))
    with pytest.raises(Problem):
        validation.body(MESSAGES[name], json.dumps(message).encode())


def test_the_page_needs_nothing_from_the_network() -> None:
    page = render(DOCUMENT)
    for attribute in ("src=", "@import", "url(", "<script", "<link", 'href="http', 'href="//'):
        assert attribute not in page


def test_the_page_shows_texts_as_texts() -> None:
    hostile = json.loads(openapi.text().replace("Show an order", "<script>alert(1)</script>"))
    assert "<script>" not in render(hostile)


def test_a_cold_start_of_the_api_loads_no_pydantic() -> None:
    program = "import sys, functions.api.handler; print([n for n in sys.modules if n.startswith('pydantic')])"
    paths = {"PYTHONPATH": f"{ROOT / 'layers/oms'}:{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=paths, capture_output=True, text=True, check=True
    )
    assert ast.literal_eval(ran.stdout) == []


def _message(name: str) -> dict[str, Any]:
    """A message that has all that is required."""
    common = {"message_id": "m-1", "occurred_at": "2026-11-22T09:00:00Z"}
    if name == "fulfillment_event.v1":
        return common | {"type": "shipped", "fulfillment_order": f"{ORDER}-2-1"}
    lines = [{"line_id": "1", "units": 1}]
    return common | {"type": "requested", "order_id": ORDER, "reference": "desk-7", "lines": lines}
