"""Channels on the deployed local stack: genuine once signed, refused by one byte, and none of it twice."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.cli.seed import connect, open_api
from infra.cli.target import Target, opened
from infra.demo.client import Api, post_webhook
from infra.demo.retailer import POOL
from infra.demo.seeding import seed
from infra.local.stack import Home, Stack
from oms.store import keys
from oms.store.ledger import scan
from oms.store.tokens import Scope
from tests.integration import test_webhooks_by_kind as by_kind
from tests.integration.test_mixed_channels import (
    KINDS,
    ORDERS,
    SKUS,
    WRITERS,
    Said,
    assert_taken_in,
    conversation,
    secret_of,
    signed,
)
from tests.integration.test_webhooks import body_of
from tests.unit.channels import signing

EVENTS = Path(__file__).parents[2] / "events"
SECRET = by_kind.SECRET
LOCATION = "wh-getafe"
CLIENTS = 4
PATIENCE_S = 180

type Headers = dict[str, str]


@pytest.fixture(scope="module")
def target(stack: Stack, local_home: Home) -> Iterator[Target]:
    with opened(home=local_home) as target:
        yield target


@pytest.fixture(scope="module")
def api(target: Target) -> Api:
    """The API of a stack with the demo's retailer."""
    api = open_api(target, "tests", *Scope)
    seed(api)
    return api


def shopify(body: bytes, address: str) -> Headers:
    digest = hmac.digest(SECRET.encode(), body, hashlib.sha256)
    return {
        "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        "X-Shopify-Topic": "orders/create",
    }


def square(body: bytes, address: str) -> Headers:
    return {"x-square-hmacsha256-signature": signing.b64(signing.digest(address.encode() + body, SECRET))}


def amazon(body: bytes, address: str) -> Headers:
    """The address is the proof."""
    return {}


def ebay(body: bytes, address: str) -> Headers:
    return signing.ebay(body, SECRET, datetime.now(UTC)).headers


def _of_kind(kind: str) -> Any:
    return lambda body, address: by_kind.KINDS[kind][1](body)


GENUINE: dict[str, tuple[str, Any]] = {
    "shopify": ("shopify_orders_create", shopify),
    "woocommerce": ("woocommerce_order_created", _of_kind("woocommerce")),
    "magento": ("magento_order_saved", _of_kind("magento")),
    "bigcommerce": ("bigcommerce_order_created", _of_kind("bigcommerce")),
    "generic": ("generic_place_order", _of_kind("generic")),
    "amazon": ("amazon_order_change", amazon),
    "ebay": ("ebay_account_deletion", ebay),
    "square": ("square_order_updated", square),
}
"""A sample delivery of each kind of channel, and what its vendor signs it with."""


def secrets_of(kind: str) -> list[str]:
    if kind == "ebay":
        return list(signing.ebay(b"", SECRET, datetime.now(UTC)).secrets)
    return [by_kind.KINDS[kind][0] if kind in by_kind.KINDS else SECRET]


@pytest.mark.parametrize("kind", GENUINE)
def test_a_capture_is_accepted_once_signed_and_refused_when_one_byte_changes(
    target: Target, api: Api, kind: str
) -> None:
    name, sign = GENUINE[kind]
    body = body_of(json.loads((EVENTS / f"{name}.json").read_text()))
    channel = f"capture-{kind}"
    connect(target, channel, {"kind": kind, "secrets": secrets_of(kind)})
    api.put(f"/configuration/channel/{channel}", {"kind": kind, "pool": POOL, "grace_minutes": 60})
    # The local gateway does not tell a function by which domain it was called.
    headers = sign(body, f"https:///{target.api_url.rpartition('/')[2]}/webhooks/{channel}")
    token = f"?token={SECRET}" if kind == "amazon" else ""
    forged = f"?token={SECRET[:-1]}x" if kind == "amazon" else ""
    flipped = body[:-1] + bytes([body[-1] ^ 1])
    assert post_webhook(target.api_url, f"{channel}{forged}", flipped, headers) == 401
    assert post_webhook(target.api_url, f"{channel}{token}", body, headers) == 200


def test_a_hundred_orders_of_mixed_channels_over_http_end_as_a_hundred(target: Target, api: Api) -> None:
    for kind in KINDS:
        connect(target, f"a-{kind}", {"kind": kind, "secrets": [secret_of(kind)]})
        settings = {"kind": kind, "pool": POOL, "grace_minutes": 60}
        api.put(f"/configuration/channel/a-{kind}", settings)
    for sku in SKUS:
        api.put(f"/skus/{sku}", {"title": sku})
        count = {"on_hand": ORDERS * 3, "as_of": datetime.now(UTC).isoformat()}
        api.put(f"/stock/{sku}/{LOCATION}/count", count)
    sent, last = conversation()

    def deliver(said: Said) -> int:
        headers, document = WRITERS[said.kind](said)
        body = json.dumps(document).encode()
        return post_webhook(target.api_url, f"a-{said.kind}", body, headers | signed(said.kind, body))

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert set(clients.map(deliver, sent)) == {200}
    ours = {keys.order(said.id) for said in last}
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            assert_taken_in(target.table, last)
            break
        except AssertionError:
            if time.monotonic() > until:
                raise
            time.sleep(2)
    items = scan(target.table, 0, 1, "order", on_page=lambda number: None)
    assert sum(item["ch"] in {f"a-{kind}" for kind in KINDS} for item in items) == len(ours) == ORDERS
