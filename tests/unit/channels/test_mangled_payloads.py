"""Whatever is wrong with a payload, an adapter answers with commands or with a problem that names a field."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oms.channels.canonical import to_document
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.registry import KINDS, adapter
from oms.problems import Code, Problem
from tests.unit.channels import amazon_samples, ebay_samples, square_samples
from tests.unit.channels.shopify_samples import NOW

EVENTS = Path(__file__).parents[3] / "events"
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
    try:
        body = json.dumps(payload).encode()
        commands = adapter(kind).parse(Inbound("shop-es", kind, topic, Headers(), body, NOW))
    except Problem as problem:
        assert problem.code in (Code.FIELD_INVALID, Code.FIELD_MISSING)
        assert problem.field
    else:
        assert commands
        assert json.dumps([to_document(command) for command in commands])
