"""`POST /webhooks/{channel}` on sample events: what proves nothing leaves nothing, the rest is queued."""

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from functions.webhooks import handler as webhooks
from oms.channels.envelope import unseal
from oms.channels.registry import adapter
from oms.runtime import clients
from oms.runtime.secrets import ChannelSecrets

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = ["webhooks.json", *sorted(path.name for path in EVENTS.glob("shopify_*.json"))]
SECRET = "sample-client-secret"
PREFIX = "oms/channels/"
LIMIT = 5000
CACHED = (webhooks._settings, webhooks._secrets)

type Event = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def own_clients() -> Iterator[None]:
    """Clients of these tests' own region, made once: making them takes longer than using them."""
    clients.reset()
    yield
    clients.reset()


@pytest.fixture
def inbound(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty queue, and a channel `shop-es` with one secret."""
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "CHANNEL_SECRET_PREFIX": PREFIX,
        "INBOUND_MAX_BYTES": str(LIMIT),
    }.items():
        monkeypatch.setenv(name, value)
    for cached in CACHED:
        cached.cache_clear()
    with mock_aws():
        url = clients.sqs().create_queue(QueueName="inbound")["QueueUrl"]
        monkeypatch.setenv("INBOUND_QUEUE_URL", url)
        store("shop-es", SECRET)
        yield url


def store(channel: str, *secrets: str, kind: str = "shopify") -> None:
    """Set the secret of a channel."""
    value = json.dumps({"kind": kind, "secrets": list(secrets)})
    clients.secrets().create_secret(Name=PREFIX + channel, SecretString=value)


def sample(name: str = "webhooks.json") -> Event:
    """A sample trigger event."""
    event: Event = json.loads((EVENTS / name).read_text())
    return event


def body_of(event: Event) -> bytes:
    """The body of an event as the channel sent it."""
    return base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()


def changed(event: Event, *, headers: dict[str, str] | None = None, **fields: object) -> Event:
    """An event with some header fields (both forms of them) and members replaced."""
    event = copy.deepcopy(event) | fields
    for name, value in (headers or {}).items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    return event


def post(event: Event) -> tuple[int, dict[str, Any]]:
    """Status and problem document (empty when there is none) of the answer to an event."""
    answer: Any = webhooks.handler(event, None)
    if answer["body"]:
        assert answer["headers"]["Content-Type"] == "application/problem+json"
    return answer["statusCode"], json.loads(answer["body"] or "{}")


def queued(url: str) -> list[Any]:
    """The messages in a queue."""
    answer = clients.sqs().receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return answer.get("Messages", [])


EVENT = sample()
PLAIN = sample("shopify_orders_create.json")
FLIPPED = bytes([body_of(EVENT)[0] ^ 1]) + body_of(EVENT)[1:]
REWRITTEN = json.dumps(json.loads(PLAIN["body"]))

REFUSED: dict[str, tuple[Event, int, str]] = {
    "an unknown channel": (
        changed(EVENT, pathParameters={"channel": "shop-fr"}),
        404,
        "channel_unknown",
    ),
    "a channel that is no name": (
        changed(EVENT, pathParameters={"channel": "../shop-es"}),
        404,
        "channel_unknown",
    ),
    "no channel": (changed(EVENT, pathParameters=None), 404, "channel_unknown"),
    "no headers": (changed(EVENT) | {"headers": None, "multiValueHeaders": None}, 401, "signature_invalid"),
    "an empty signature": (
        changed(EVENT, headers={"X-Shopify-Hmac-Sha256": ""}),
        401,
        "signature_invalid",
    ),
    "another order's signature": (
        changed(EVENT, headers={"X-Shopify-Hmac-Sha256": PLAIN["headers"]["X-Shopify-Hmac-Sha256"]}),
        401,
        "signature_invalid",
    ),
    "two signatures": (
        changed(EVENT)
        | {
            "multiValueHeaders": {
                "X-Shopify-Hmac-Sha256": [EVENT["headers"]["X-Shopify-Hmac-Sha256"], "eA=="]
            }
        },
        401,
        "signature_invalid",
    ),
    "one byte flipped": (
        changed(EVENT, body=base64.b64encode(FLIPPED).decode()),
        401,
        "signature_invalid",
    ),
    "the same JSON written anew": (changed(PLAIN, body=REWRITTEN), 401, "signature_invalid"),
    "no body": (changed(EVENT, body=None), 401, "signature_invalid"),
    "base64 that is none": (changed(EVENT, body="not base64"), 400, "bad_request"),
    "base64 taken for the body": (changed(EVENT, isBase64Encoded=False), 401, "signature_invalid"),
}


@pytest.mark.parametrize(("event", "status", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_what_proves_nothing_is_refused_and_nothing_is_queued(
    inbound: str, event: Event, status: int, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answered, problem = post(event)
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert queued(inbound) == []
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (metric,) = [line for line in lines if "_aws" in line]
    (log,) = [line for line in lines if "_aws" not in line]
    assert (metric["WebhooksRejected"], metric["reason"]) == (1, code)
    assert (log["service"], log["status"], log["code"]) == ("webhooks", status, code)
    assert "buyer@example.com" not in json.dumps(lines)


def test_a_channel_without_a_usable_adapter_takes_nothing(inbound: str) -> None:
    store("shop-xx", SECRET, kind="of tomorrow")
    status, problem = post(changed(EVENT, pathParameters={"channel": "shop-xx"}))
    assert (status, problem["code"]) == (404, "channel_unknown")


def test_an_order_larger_than_a_message_is_refused(inbound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert post(EVENT)[0] == 200
    (message,) = queued(inbound)
    size = len(message["Body"]) + len("correlation_id" + "String" + EVENT["requestContext"]["requestId"])
    for limit, status in ((size, 200), (size - 1, 413)):
        monkeypatch.setenv("INBOUND_MAX_BYTES", str(limit))
        webhooks._settings.cache_clear()
        assert post(EVENT)[0] == status
    assert post(EVENT)[1]["code"] == "body_too_large"
    assert len(queued(inbound)) == 1


def test_a_queue_that_fails_makes_the_channel_send_again(
    inbound: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.sqs().delete_queue(QueueUrl=inbound)
    status, problem = post(EVENT)
    assert (status, problem["code"]) == (503, "unavailable")
    log = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert log["error"]["code"].endswith("NonExistentQueue")


def test_secrets_that_cannot_be_read_make_the_channel_send_again(
    inbound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> object:
        raise EndpointConnectionError(endpoint_url="https://secretsmanager.eu-west-1.amazonaws.com")

    monkeypatch.setattr(clients, "secrets", unreachable)
    assert post(EVENT)[0] == 503
    assert queued(inbound) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_a_genuine_delivery_is_queued_as_it_was_received(
    inbound: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    event = sample(name)
    assert post(event) == (200, {})
    (message,) = queued(inbound)
    delivery = unseal(message["Body"])
    assert delivery.body == body_of(event)
    assert (delivery.channel, delivery.adapter) == ("shop-es", "shopify")
    assert delivery.topic == event["headers"]["X-Shopify-Topic"]
    correlation_id = message["MessageAttributes"]["correlation_id"]["StringValue"]
    assert correlation_id == event["requestContext"]["requestId"]
    commands = adapter(delivery.adapter).parse(delivery)
    assert [getattr(command, "channel", None) for command in commands] == ["shop-es"] * len(commands)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["WebhooksAccepted"] == 1
    assert (lines[1]["channel"], lines[1]["status"], lines[1]["correlation_id"]) == (
        "shop-es",
        200,
        correlation_id,
    )
    assert "buyer@example.com" not in json.dumps(lines)


def test_a_plain_body_and_the_same_in_base64_are_one(inbound: str) -> None:
    encoded = base64.b64encode(PLAIN["body"].encode()).decode()
    assert post(PLAIN)[0] == post(changed(PLAIN, body=encoded, isBase64Encoded=True))[0] == 200
    first, second = (unseal(message["Body"]) for message in queued(inbound))
    assert first.body == second.body


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_header_names_count_in_any_case(inbound: str, case: Any) -> None:
    headers = {case(name): value for name, value in EVENT["headers"].items()}
    assert post(EVENT | {"headers": headers, "multiValueHeaders": None})[0] == 200


def test_both_secrets_verify_while_one_is_rotated(inbound: str) -> None:
    store("shop-rotating", "the new one", SECRET)
    assert post(changed(EVENT, pathParameters={"channel": "shop-rotating"}))[0] == 200


def test_a_rotated_secret_is_read_again_at_once_after_a_mismatch_but_once_a_minute(
    inbound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    read: list[str] = []
    values = iter(["old", "old", SECRET])

    def fetch(name: str) -> str:
        read.append(name)
        return json.dumps({"kind": "shopify", "secrets": [next(values)]})

    secrets = ChannelSecrets(PREFIX, fetch, lambda: now[0])
    monkeypatch.setattr(webhooks, "_secrets", lambda: secrets)
    statuses = []
    for now[0] in (0.0, 1.0, 61.0, 62.0, 122.0, 123.0):
        statuses.append(post(EVENT)[0])
    assert statuses == [401, 401, 401, 401, 200, 200]
    assert read == [PREFIX + "shop-es"] * 3
