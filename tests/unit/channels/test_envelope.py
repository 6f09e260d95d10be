"""A delivery on the queue: what does not open, and that what opens is what was sealed."""

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels.envelope import seal, unseal
from oms.channels.headers import Headers
from oms.channels.shopify import ADAPTER
from oms.problems import Problem

RECEIVED = datetime(2026, 11, 22, 10, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))
HEADERS = Headers(
    [
        ("X-Shopify-Topic", "orders/create"),
        ("X-Shopify-Test", "true"),
        ("Authorization", "none of the adapter's business"),
        ("Cookie", "nor this"),
    ]
)


@given(st.binary(max_size=2000))
def test_the_body_arrives_byte_for_byte(body: bytes) -> None:
    inbound = unseal(seal("shop-es", ADAPTER, HEADERS, body, RECEIVED))
    assert inbound.body == body
    assert (inbound.channel, inbound.adapter, inbound.topic) == ("shop-es", "shopify", "orders/create")
    assert inbound.received_at == RECEIVED.astimezone(UTC)


def test_only_the_headers_that_the_adapter_reads_travel() -> None:
    text = seal("shop-es", ADAPTER, HEADERS, b"{}", RECEIVED)
    assert json.loads(text)["headers"] == {"x-shopify-topic": "orders/create", "x-shopify-test": "true"}
    assert unseal(text).headers.get("X-Shopify-Test") == "true"


def test_what_we_fetched_ourselves_has_the_topic_that_was_asked_for() -> None:
    text = seal("shop-es", ADAPTER, Headers(), b"{}", RECEIVED, "rest_order")
    assert unseal(text).topic == "rest_order"


def test_an_order_of_many_lines_shrinks() -> None:
    body = json.dumps({"line_items": [{"title": "Stoneware mug", "price": "12.50"}] * 500}).encode()
    assert len(seal("shop-es", ADAPTER, HEADERS, body, RECEIVED)) * 10 < len(body)


GOOD = json.loads(seal("shop-es", ADAPTER, HEADERS, b"{}", RECEIVED))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        json.dumps(GOOD | {"channel": None}),
        json.dumps(GOOD | {"kind": "shopfy"}),
        json.dumps(GOOD | {"headers": {}}),
        json.dumps(GOOD | {"headers": None}),
        json.dumps(GOOD | {"body": "not base64"}),
        json.dumps(GOOD | {"body": base64.b64encode(b"not compressed").decode()}),
        json.dumps(GOOD | {"body": base64.b64encode(zlib.compress(b"cut" * 99)[:-5]).decode()}),
        json.dumps(GOOD | {"received_at": "soon"}),
    ],
)
def test_a_message_that_was_not_sealed_here_is_a_problem(text: str) -> None:
    with pytest.raises(Problem):
        unseal(text)
