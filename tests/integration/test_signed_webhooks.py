"""`POST /webhooks/{channel}` for marketplaces, tills, payment and tracking services, each with its proof."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from functions.webhooks import handler as webhooks
from oms.channels.envelope import unseal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import (
    PaymentRecorded,
    PrivacyRequested,
    RefundRecorded,
    StockRecorded,
    TrackingRecorded,
)
from oms.runtime import clients
from tests.unit.channels import signing
from tests.unit.channels.signing import SECRET, URL, Delivery, Signer

EVENTS = Path(__file__).parents[2] / "events"
PREFIX = "oms/channels/"

SAMPLES: dict[str, tuple[Signer, type]] = {
    "amazon_order_change": (signing.amazon, Fetch),
    "ebay_account_deletion": (signing.ebay, PrivacyRequested),
    "square_order_updated": (signing.square, Fetch),
    "square_payment_updated": (signing.square, PaymentRecorded),
    "square_refund_updated": (signing.square, RefundRecorded),
    "square_inventory_count_updated": (signing.square, StockRecorded),
    "stripe_payment_intent_succeeded": (signing.stripe, PaymentRecorded),
    "stripe_charge_refunded": (signing.stripe, PaymentRecorded),
    "paypal_payment_capture_completed": (signing.paypal, PaymentRecorded),
    "easypost_tracker_updated": (signing.easypost, TrackingRecorded),
    "aftership_tracking_update": (signing.aftership, TrackingRecorded),
    "shippo_track_updated": (signing.shippo, TrackingRecorded),
    "shipengine_track": (signing.shipengine, TrackingRecorded),
    "shipstation_ship_notify": (signing.shipstation, Fetch),
    "sendcloud_parcel_status_changed": (signing.sendcloud, TrackingRecorded),
}
"""Sample events by name, with what signs them now and what they mean."""

SAMPLE_SECRETS = {"paypal": "SAMPLEWEBHOOKID01"}
"""What the samples were signed with, where it is not the secret that all samples share."""

type Event = dict[str, Any]


def sample(name: str) -> Event:
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def kind_of(name: str) -> str:
    return name.partition("_")[0]


@pytest.fixture(scope="module", autouse=True)
def own_clients() -> Iterator[None]:
    """Clients of these tests' own region, made once."""
    clients.reset()
    yield
    clients.reset()


@pytest.fixture
def inbound(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty queue."""
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "CHANNEL_SECRET_PREFIX": PREFIX,
        "INBOUND_MAX_BYTES": "200000",
    }.items():
        monkeypatch.setenv(name, value)
    webhooks._settings.cache_clear()
    webhooks._secrets.cache_clear()
    with mock_aws():
        url = clients.sqs().create_queue(QueueName="inbound")["QueueUrl"]
        monkeypatch.setenv("INBOUND_QUEUE_URL", url)
        yield url


def connect(kind: str, *secrets: str) -> None:
    """The channel `sample`."""
    value = json.dumps({"kind": kind, "secrets": list(secrets)})
    clients.secrets().create_secret(Name=PREFIX + "sample", SecretString=value)


def called(delivery: Delivery) -> Event:
    """The event of a delivery to the channel `sample`."""
    address, _, query = delivery.url.partition("?")
    domain, _, path = address.removeprefix("https://").partition("/")
    return {
        "httpMethod": "POST",
        "headers": delivery.headers,
        "pathParameters": {"channel": "sample"},
        "queryStringParameters": dict(pair.split("=") for pair in query.split("&")) if query else None,
        "requestContext": {"domainName": domain, "path": f"/{path}", "requestId": "r-1"},
        "body": delivery.body.decode(),
        "isBase64Encoded": False,
    }


def post(event: Event) -> int:
    answer: Any = webhooks.handler(event, None)
    status: int = answer["statusCode"]
    return status


def queued(url: str) -> list[Any]:
    return clients.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_delivery_is_refused_when_one_byte_or_its_proof_is_changed_and_else_queued(
    inbound: str, name: str
) -> None:
    signer, meaning = SAMPLES[name]
    body = sample(name)["body"].encode()
    delivery = signer(body, SECRET, datetime.now(UTC))
    connect(kind_of(name), *delivery.secrets)
    forged = delivery.but(headers={}, url=URL)
    assert post(called(forged)) == 401
    if delivery.headers:
        assert post(called(delivery.but(body=body.replace(b"{", b"{ ", 1)))) == 401
    assert queued(inbound) == []
    assert post(called(delivery)) == 200
    (message,) = queued(inbound)
    received = unseal(message["Body"])
    assert (received.channel, received.adapter, received.body) == ("sample", kind_of(name), body)
    commands = adapter(received.adapter).parse(received)
    assert [type(command) for command in commands] == [meaning]
    assert all(command.channel == "sample" for command in commands if not isinstance(command, Ignore))


def test_ebays_challenge_is_answered_and_leaves_nothing(inbound: str) -> None:
    connect("ebay", "token")
    event = sample("ebay_challenge") | {"pathParameters": {"channel": "sample"}}
    answer: Any = webhooks.handler(event, None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "application/json"
    assert len(json.loads(answer["body"])["challengeResponse"]) == 64
    assert queued(inbound) == []


def test_a_request_that_asks_ebay_for_nothing_is_no_challenge(inbound: str) -> None:
    connect("ebay", "token")
    event = sample("ebay_challenge") | {
        "pathParameters": {"channel": "sample"},
        "queryStringParameters": None,
    }
    assert post(event) == 404


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_verify_at_their_own_time_and_with_their_own_keys(name: str) -> None:
    event, kind = sample(name), kind_of(name)
    keys = json.loads((EVENTS / "public_keys.json").read_text())
    secrets = [SAMPLE_SECRETS.get(kind, "sample-client-secret"), *([keys[kind]] if kind in keys else [])]
    request = event["requestContext"]
    url = webhooks._url(request, event["queryStringParameters"] or {})
    now = datetime.fromtimestamp(request["requestTimeEpoch"] / 1000, UTC)
    headers, body = Headers.of(event["multiValueHeaders"]), event["body"].encode()
    adapter(kind).verify(headers, body, secrets, url=url, now=now)
