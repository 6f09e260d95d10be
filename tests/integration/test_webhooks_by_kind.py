"""`POST /webhooks/{channel}` for every kind with sample events: genuine once signed, refused by one byte.

Handshakes are answered and leave nothing.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from functions.webhooks import handler as webhooks
from oms.channels.envelope import unseal
from oms.channels.registry import adapter
from tests.integration import test_webhooks as base
from tests.integration.test_webhooks import Event, body_of, changed, post, queued, sample, store

inbound, own_clients = base.inbound, base.own_clients

EVENTS = Path(__file__).parents[2] / "events"
SECRET = "sample-client-secret"
KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = (
    KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)

type Sign = Callable[[bytes], dict[str, str]]


def by_hmac(header: str) -> Sign:
    def sign(body: bytes) -> dict[str, str]:
        return {header: base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()}

    return sign


def by_standard_webhooks(body: bytes) -> dict[str, str]:
    sent = str(int(datetime.now(UTC).timestamp()))
    digest = hmac.digest(SECRET.encode(), f"msg_1.{sent}.".encode() + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": sent, "webhook-signature": signature}


def by_key(body: bytes) -> dict[str, str]:
    signature = KEY.sign(body, padding.PKCS1v15(), hashes.SHA256())
    return {"x-adobe-digital-signature-1": base64.b64encode(signature).decode()}


KINDS: dict[str, tuple[str, Sign]] = {
    "woocommerce": (SECRET, by_hmac("X-WC-Webhook-Signature")),
    "magento": (PUBLIC, by_key),
    "bigcommerce": (SECRET, by_standard_webhooks),
    "generic": ("whsec_" + base64.b64encode(SECRET.encode()).decode(), by_standard_webhooks),
}
"""Secret of each kind, and how its vendor signs."""

HANDSHAKES: dict[str, tuple[str, str]] = {
    "woocommerce_ping.json": ("text/plain", ""),
    "magento_challenge.json": (
        "application/json",
        '{"challenge": "8ec8d794-0000-4000-8000-e3dada8e84f7"}',
    ),
}
"""Content type and body of the answer to each sample handshake."""

DELIVERIES = [
    (kind, path.name)
    for kind in KINDS
    for path in sorted(EVENTS.glob(f"{kind}_*.json"))
    if path.name not in HANDSHAKES
]


def of_kind(kind: str, name: str) -> Event:
    """A sample delivery to a channel of its kind, signed now."""
    secret, sign = KINDS[kind]
    store(f"a-{kind}", secret, kind=kind)
    event = changed(sample(name), pathParameters={"channel": f"a-{kind}"})
    return changed(event, headers=sign(body_of(event)))


@pytest.mark.parametrize(("kind", "name"), DELIVERIES)
def test_one_byte_makes_a_delivery_of_any_kind_worthless(inbound: str, kind: str, name: str) -> None:
    event = of_kind(kind, name)
    body = body_of(event)
    flipped = base64.b64encode(body[:-1] + bytes([body[-1] ^ 1])).decode()
    unsigned = dict.fromkeys(KINDS[kind][1](b""), "")
    for forged in (changed(event, body=flipped, isBase64Encoded=True), changed(event, headers=unsigned)):
        status, problem = post(forged)
        assert (status, problem["code"]) == (401, "signature_invalid")
    assert queued(inbound) == []


@pytest.mark.parametrize(("kind", "name"), DELIVERIES)
def test_a_signed_delivery_of_any_kind_is_queued_and_read(inbound: str, kind: str, name: str) -> None:
    event = of_kind(kind, name)
    assert post(event) == (200, {})
    (message,) = queued(inbound)
    delivery = unseal(message["Body"])
    assert (delivery.body, delivery.adapter, delivery.channel) == (body_of(event), kind, f"a-{kind}")
    commands = adapter(kind).parse(delivery)
    assert [getattr(command, "channel", None) for command in commands] == [f"a-{kind}"] * len(commands)


def answer_to(event: Event) -> Any:
    return webhooks.handler(event, None)


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_gets_exactly_200_and_leaves_nothing(
    inbound: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = name.partition("_")[0]
    store("shop-new", KINDS[kind][0], kind=kind)
    answer = answer_to(changed(sample(name), pathParameters={"channel": "shop-new"}))
    content_type, body = HANDSHAKES[name]
    assert (answer["statusCode"], answer["headers"], answer["body"]) == (
        200,
        {"Content-Type": content_type},
        body,
    )
    assert queued(inbound) == []
    (log,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (log["handshake"], log["channel"]) == (True, "shop-new")


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_of_another_kind_or_with_an_unknown_channel_is_refused(inbound: str, name: str) -> None:
    assert post(changed(sample(name), pathParameters={"channel": "nobody"}))[0] == 404
    status, problem = post(changed(sample(name), pathParameters={"channel": "shop-es"}))
    expected = (404, "route_unknown") if sample(name)["httpMethod"] == "GET" else (401, "signature_invalid")
    assert (status, problem["code"]) == expected
    assert queued(inbound) == []
