"""Whatever is wrong with a payload, an adapter answers with commands or with a problem that names a field."""

import base64
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels.canonical import to_document
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.registry import KINDS, adapter
from oms.problems import Code, Problem
from tests.unit.channels import amazon_samples, ebay_samples, square_samples
from tests.unit.channels.shopify_samples import NOW

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events"
RECORDED = ROOT.parent / "shared" / "channels" / "payloads"
RUNS = 1500
ODD: tuple[Any, ...] = (
    None,
    "",
    " ",
    0,
    -1,
    1.5,
    10**30,
    True,
    "x",
    "1e5",
    "9" * 50,
    "2026-13-01",
    "gid://shopify/Order/",
    [],
    {},
)

type Place = tuple[str | int, ...]


def samples() -> list[tuple[str, str, Any]]:
    """Kind, topic and payload of every sample delivery; a ping, which is no JSON, has none."""
    found = []
    for kind in KINDS:
        for path in sorted(EVENTS.glob(f"{kind}_*.json")):
            event = json.loads(path.read_text())
            body = event["body"] or ""
            content = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
            if content.startswith((b"{", b"[")):
                topic = adapter(kind).topic_of(Headers.of(event["multiValueHeaders"]), content)
                found.append((kind, topic, json.loads(content)))
    return found


ANSWERS: list[tuple[str, str, Any]] = [
    ("amazon", "rest_order", amazon_samples.v0()),
    ("amazon", "rest_order", {"order": amazon_samples.order_2026()}),
    ("amazon", "rest_fulfillment_order", amazon_samples.outsourced(amazon_samples.SHIPMENT)),
    ("ebay", "rest_order", ebay_samples.order(ebay_samples.item())),
    ("square", "rest_order", {"order": square_samples.order(fulfillments=[square_samples.shipment()])}),
]
"""Orders of marketplaces, which are read and not sent."""

SAMPLES = [*samples(), *ANSWERS]


def places(value: Any, path: Place = ()) -> list[Place]:
    """The paths of everything inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in ((*path, key), *places(item, (*path, key)))]


@given(st.sampled_from(SAMPLES), st.data())
def test_a_mangled_payload_is_read_or_refused_by_name(
    sample: tuple[str, str, Any], data: st.DataObject
) -> None:
    kind, topic, payload = sample[0], sample[1], copy.deepcopy(sample[2])
    *holders, last = data.draw(st.sampled_from(places(payload)))
    holder = payload
    for key in holders:
        holder = holder[key]
    if isinstance(holder, dict) and data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = copy.deepcopy(data.draw(st.sampled_from((*ODD, [None], [{}]))))
    read_or_refused(kind, topic, payload)


def read_or_refused(kind: str, topic: str, payload: Any) -> None:
    """A payload becomes commands that can be written, or a problem that names the field."""
    try:
        body = json.dumps(payload).encode()
        commands = adapter(kind).parse(Inbound("shop-es", kind, topic, Headers(), body, NOW))
    except Problem as problem:
        assert problem.code in (Code.FIELD_INVALID, Code.FIELD_MISSING)
        assert problem.field
    else:
        assert commands
        assert json.dumps([to_document(command) for command in commands])


def otherwise_written(value: Any) -> Any:
    """A number as a text, a text as the number it holds: vendors change between the two."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    return str(value) if isinstance(value, int | float) else value


def mangle(payload: Any, draw: random.Random) -> None:
    """Leave out, empty, add or write otherwise one thing, anywhere in a payload."""
    *holders, last = draw.choice(places(payload))
    holder = payload
    for key in holders:
        holder = holder[key]
    match draw.randrange(5):
        case 0 if isinstance(holder, dict):
            del holder[last]
        case 1:
            holder[last] = draw.choice((None, "", [], {}))
        case 2 if isinstance(holder, dict):
            holder["a_later_addition"] = {"of": ["a vendor"]}
        case 3:
            holder[last] = copy.deepcopy(draw.choice(ODD))
        case _:
            holder[last] = otherwise_written(holder[last])


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded payloads are not there")
def test_recorded_payloads_that_are_mangled_are_read_or_refused_by_name() -> None:
    draw = random.Random(20261122)
    files = sorted(path for kind in KINDS for path in (RECORDED / kind).glob("*.json"))
    documents = [(path, json.loads(path.read_bytes())) for path in files]
    for run in range(RUNS):
        path, document = documents[run % len(documents)]
        captured = isinstance(document, dict) and document.keys() >= {"headers", "body"}
        payload = copy.deepcopy(document["body"] if captured else document)
        if isinstance(payload, dict | list) and payload:
            for _ in range(draw.choice((1, 1, 2))):
                if places(payload):
                    mangle(payload, draw)
        read_or_refused(path.parent.name, path.name.partition("__")[0], payload)
