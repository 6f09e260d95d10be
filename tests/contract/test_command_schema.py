"""The schema of our own commands: it is current, and takes and refuses what the generic channel does."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from oms.channels.canonical import to_document
from oms.channels.generic.schema import schema
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.registry import adapter
from tests.integration.test_hostile_channels import BAD, PAYMENT, REFUND, order
from tests.unit.channels.test_generic import NOW, OTHERS
from tests.unit.channels.test_mangled_payloads import SAMPLES

KEPT = Path(__file__).parents[2] / "events" / "command.v1.json"
VALIDATOR = Draft202012Validator(schema(), format_checker=FormatChecker())

ACROSS_LINES = {
    "the same line twice",
    "the same delivery twice",
    "more parts of them",
    "a sku of many bytes",
    "a listing longer than any",
}
"""What no schema can say: what several parts have in common, how large a text's number is, how many bytes its
letters are, and which property is a name.
"""


def test_the_schema_is_current() -> None:
    assert json.loads(KEPT.read_text()) == schema(), (
        "run: python -m oms.channels.generic.schema > events/command.v1.json"
    )


@pytest.mark.parametrize("document", [*OTHERS, PAYMENT, REFUND, order()], ids=lambda one: one["command"])
def test_it_takes_every_command(document: dict[str, object]) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@pytest.mark.parametrize(("kind", "topic", "payload"), SAMPLES, ids=lambda value: str(value)[:20])
def test_it_takes_whatever_is_printed_of_other_channels(kind: str, topic: str, payload: object) -> None:
    body = json.dumps(payload).encode()
    for command in adapter(kind).parse(Inbound("shop-es", kind, topic, Headers(), body, NOW)):
        assert [error.message for error in VALIDATOR.iter_errors(to_document(command))] == []


@pytest.mark.parametrize("name", [name for name in BAD if name not in ACROSS_LINES])
def test_it_refuses_what_the_channel_refuses(name: str) -> None:
    document, _ = BAD[name]
    sent = document if isinstance(document, list) else [document]
    assert not all(map(VALIDATOR.is_valid, sent))
