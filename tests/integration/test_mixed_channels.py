"""A hundred orders of several kinds of channels: signed, repeated, in any order, through both functions."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import boto3
import pytest

from functions.intake.handler import handler as intake
from functions.webhooks import handler as webhooks
from infra.lab.memory_table import MemoryTable
from oms.channels.canonical import stamp, to_document
from oms.orders.identity import order_id
from oms.orders.status import OrderStatus, kept_total, order_status
from oms.store import keys, process
from oms.store.configuration import document_of, encode_document
from oms.store.ledger import scan
from oms.store.table import Table
from oms.store.writes import put
from tests.builders import CHANNEL, NOW, command, line
from tests.integration.conftest import configure
from tests.integration.test_webhooks import CACHED, sample
from tests.shelves import assert_balanced, fill, order_of
from tests.unit.channels import shopify_samples

SECRET = "sample-client-secret"
ORDERS = 100
SKUS = ("SHOES", "SHIRT", "SOCKS")
KINDS = ("shopify", "woocommerce", "generic")


@dataclass(frozen=True, slots=True)
class Said:
    """A version of an order: its number, what its channel has of it, and when it said so."""

    number: int
    units: int
    cancelled: bool
    version: int

    @property
    def kind(self) -> str:
        return KINDS[self.number % len(KINDS)]

    @property
    def price(self) -> int:
        """Of a unit, in minor units."""
        return 1000 + 37 * self.number

    @property
    def total(self) -> int:
        return self.units * self.price

    @property
    def at(self) -> datetime:
        return NOW + timedelta(seconds=self.version)

    @property
    def sku(self) -> str:
        return SKUS[self.number % len(SKUS)]

    @property
    def id(self) -> str:
        return order_id(f"a-{self.kind}", str(9007199254740993 + self.number))


def money(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def shopify(said: Said) -> tuple[dict[str, str], object]:
    item = shopify_samples.item(sku=said.sku, quantity=said.units, price=money(said.price))
    body = shopify_samples.order(
        item,
        id=9007199254740993 + said.number,
        name=f"#{said.number}",
        updated_at=said.at.isoformat(),
        cancelled_at=said.at.isoformat() if said.cancelled else None,
        total_price=money(said.total),
        shipping_address={"country_code": "ES", "zip": "28013"},
    )
    topic = "orders/cancelled" if said.cancelled else "orders/updated" if said.version else "orders/create"
    return {"X-Shopify-Topic": topic}, body


def woocommerce(said: Said) -> tuple[dict[str, str], object]:
    item = {
        "id": 7,
        "name": "Article",
        "product_id": 70,
        "sku": said.sku,
        "quantity": said.units,
        "subtotal": money(said.total),
        "total": money(said.total),
        "total_tax": "0.00",
    }
    body = {
        "id": 9007199254740993 + said.number,
        "number": str(said.number),
        "status": "cancelled" if said.cancelled else "processing",
        "currency": "EUR",
        "prices_include_tax": True,
        "date_created_gmt": f"{NOW:%Y-%m-%dT%H:%M:%S}",
        "date_modified_gmt": f"{said.at:%Y-%m-%dT%H:%M:%S}",
        "date_paid_gmt": f"{NOW:%Y-%m-%dT%H:%M:%S}",
        "total": money(said.total),
        "total_tax": "0.00",
        "shipping_total": "0.00",
        "payment_method": "card",
        "billing": {"country": "ES", "postcode": "28013"},
        "shipping": {"country": "ES", "postcode": "28013"},
        "line_items": [item],
    }
    return {"X-WC-Webhook-Topic": "order.updated" if said.version else "order.created"}, body


def generic(said: Said) -> tuple[dict[str, str], object]:
    order = command(
        line(said.sku, said.units, price=said.price),
        channel_order_id=str(9007199254740993 + said.number),
        channel_version=stamp(said.at),
        cancelled=said.cancelled,
    )
    return {}, to_document(order)


WRITERS: dict[str, Callable[[Said], tuple[dict[str, str], object]]] = {
    "shopify": shopify,
    "woocommerce": woocommerce,
    "generic": generic,
}


def secret_of(kind: str) -> str:
    """What a channel is given to sign by."""
    return f"whsec_{base64.b64encode(SECRET.encode()).decode()}" if kind == "generic" else SECRET


def signed(kind: str, body: bytes) -> dict[str, str]:
    """The header fields that prove a body."""
    if kind == "generic":
        sent = str(int(datetime.now(UTC).timestamp()))
        digest = hmac.digest(SECRET.encode(), f"msg_1.{sent}.".encode() + body, hashlib.sha256)
        signature = "v1," + base64.b64encode(digest).decode()
        return {"webhook-id": "msg_1", "webhook-timestamp": sent, "webhook-signature": signature}
    header = {"shopify": "X-Shopify-Hmac-Sha256", "woocommerce": "X-WC-Webhook-Signature"}[kind]
    return {header: base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()}


@pytest.fixture
def shop(table: Table, monkeypatch: pytest.MonkeyPatch) -> Table:
    """The table of all functions, in memory: moto copies all of it for every transaction."""
    memory: Any = MemoryTable("orders")
    made = Table(memory, "orders", pause=lambda seconds: None)
    monkeypatch.setattr(process, "table", cache(lambda: made))
    process.reset()
    configure(made)
    return made


@pytest.fixture
def inbound(shop: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The inbound queue's address; a channel of each kind with a secret, and stock of what they sell."""
    for name, value in {"CHANNEL_SECRET_PREFIX": "oms/channels/", "INBOUND_MAX_BYTES": "200000"}.items():
        monkeypatch.setenv(name, value)
    channels = {}
    for kind in KINDS:
        channels[f"a-{kind}"] = document_of(replace(CHANNEL, id=f"a-{kind}", kind=kind))
        key = secret_of(kind)
        boto3.client("secretsmanager").create_secret(
            Name=f"oms/channels/a-{kind}", SecretString=json.dumps({"kind": kind, "secrets": [key]})
        )
    shop.commit(put(keys.snapshot("channel"), encode_document(channels, 1)))
    for sku in SKUS:
        fill(shop, sku, wh_madrid=ORDERS * 3)
    url = boto3.client("sqs").create_queue(QueueName="inbound")["QueueUrl"]
    monkeypatch.setenv("INBOUND_QUEUE_URL", url)
    process.reset()
    for cached in CACHED:
        cached.cache_clear()
    yield url
    for cached in CACHED:
        cached.cache_clear()


def post(said: Said) -> None:
    """The channel delivers a version."""
    headers, document = WRITERS[said.kind](said)
    body = json.dumps(document).encode()
    event = copy.deepcopy(sample()) | {"pathParameters": {"channel": f"a-{said.kind}"}}
    event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    kept = {"Content-Type": "application/json"} | headers | signed(said.kind, body)
    event |= {"headers": kept, "multiValueHeaders": {name: [value] for name, value in kept.items()}}
    answer: Any = webhooks.handler(event, None)
    assert answer["statusCode"] == 200, answer


def take_in(url: str) -> None:
    """Intake reads the queue until it is empty; nothing fails."""
    sqs = boto3.client("sqs")
    (record,) = sample("intake.json")["Records"]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        records = [record | {"messageId": one["MessageId"], "body": one["Body"]} for one in messages]
        assert intake({"Records": records}, None) == {"batchItemFailures": []}
        for one in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])


def conversation() -> tuple[list[Said], list[Said]]:
    """What the channels say, a tenth of it twice and all of it in any order; and what they say last."""
    random = Random(6)
    first = [Said(number, random.randint(1, 3), False, 0) for number in range(ORDERS)]
    last = [
        replace(said, version=1, units=random.randint(1, 3), cancelled=said.number % 10 == 0)
        for said in first
    ]
    sent = [*first, *last]
    sent += random.sample(sent, len(sent) // 10)
    random.shuffle(sent)
    return sent, last


def assert_taken_in(table: Table, last: list[Said]) -> None:
    """Orders are as their channels have said last, and stock is promised to just them."""
    for said in last:
        order = order_of(table, said.id)
        assert kept_total(order) == (0 if said.cancelled else said.total), said
        expected = OrderStatus.CANCELLED if said.cancelled else OrderStatus.PLACED
        assert (order_status(order), order.currency) == (expected, "EUR")
        kept = sum(each.ordered - each.cancelled for each in order.lines)
        assert kept == (0 if said.cancelled else said.units)
        assert order.exceptions == ()
    assert_balanced(table, [said.id for said in last], SKUS)


def test_a_hundred_orders_of_mixed_channels_end_with_the_right_totals(inbound: str, shop: Table) -> None:
    sent, last = conversation()
    for said in sent:
        post(said)
    take_in(inbound)
    items = scan(shop, 0, 1, "order", on_page=lambda number: None)
    assert {str(item["PK"]) for item in items} == {keys.order(said.id) for said in last}
    assert_taken_in(shop, last)
