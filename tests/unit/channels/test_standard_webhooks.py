"""Standard Webhooks and the two channels that use them: what is refused; the known vector verifies."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.channels.standard_webhooks import key_of, require_standard_webhook
from oms.problems import Code, Problem

SHARED = Path(__file__).parents[4] / "shared" / "channels"
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
KEY = b"sample-key-of-twenty-four"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"scope":"store/order/created","note":"✓"}'.encode()
ID = "msg_sample_1"


def sign(key: bytes = KEY, body: bytes = BODY, message_id: str = ID, sent: str = "") -> str:
    content = f"{message_id}.{sent or int(NOW.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def headers(signature: str | None = None, *, sent: str = "", message_id: str = ID) -> Headers:
    return Headers(
        [
            ("webhook-id", message_id),
            ("Webhook-Timestamp", sent or str(int(NOW.timestamp()))),
            ("WEBHOOK-SIGNATURE", sign(sent=sent) if signature is None else signature),
        ]
    )


def at(seconds: int) -> str:
    return str(int(NOW.timestamp()) + seconds)


REFUSED: dict[str, tuple[Headers, bytes, Sequence[bytes]]] = {
    "no headers": (Headers(), BODY, [KEY]),
    "no id": (Headers([("webhook-timestamp", at(0)), ("webhook-signature", sign())]), BODY, [KEY]),
    "no time": (Headers([("webhook-id", ID), ("webhook-signature", sign())]), BODY, [KEY]),
    "an empty signature": (headers(""), BODY, [KEY]),
    "a signature without its version": (headers(sign().removeprefix("v1,")), BODY, [KEY]),
    "a signature of another version": (headers(sign().replace("v1,", "v1a,")), BODY, [KEY]),
    "a signature that is no base64": (headers("v1,not base64"), BODY, [KEY]),
    "another key": (headers(), BODY, [b"another"]),
    "no key": (headers(), BODY, []),
    "one byte flipped": (headers(), BODY[:-1] + b"]", [KEY]),
    "another id": (headers(message_id="msg_sample_2"), BODY, [KEY]),
    "another time": (headers(sign(), sent=at(1)), BODY, [KEY]),
    "too old": (headers(sent=at(-301)), BODY, [KEY]),
    "from the future": (headers(sent=at(301)), BODY, [KEY]),
    "a time that is none": (headers(sent="soon"), BODY, [KEY]),
    "a time in ISO 8601": (headers(sent="2026-11-22T09:30:00Z"), BODY, [KEY]),
    "a time of many digits": (headers(sent="9" * 40), BODY, [KEY]),
    "two signatures that differ": (
        Headers(
            [
                ("webhook-id", ID),
                ("webhook-timestamp", at(0)),
                ("webhook-signature", sign()),
                ("webhook-signature", "v1,eA=="),
            ]
        ),
        BODY,
        [KEY],
    ),
}


@pytest.mark.parametrize(("given", "body", "keys"), REFUSED.values(), ids=REFUSED.keys())
def test_a_delivery_that_proves_nothing_is_refused(
    given: Headers, body: bytes, keys: Sequence[bytes]
) -> None:
    with pytest.raises(Problem) as refused:
        require_standard_webhook(given, body, keys, NOW)
    assert refused.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_delivery_of_the_last_and_the_next_five_minutes_is_genuine(seconds: int) -> None:
    require_standard_webhook(headers(sent=at(seconds)), BODY, [KEY], NOW)


def test_any_of_the_signatures_and_any_of_the_keys_may_match() -> None:
    several = f"v1a,eA== v1,{base64.b64encode(b'old').decode()} {sign()}"
    require_standard_webhook(headers(several), BODY, [b"old", KEY], NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64", "", "  "])
def test_a_secret_that_is_not_base64_is_no_key(secret: str) -> None:
    with pytest.raises(Problem):
        key_of(secret)


def test_the_known_vector_verifies_in_its_own_time_and_not_today() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not there")
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    (vector,) = (vector for vector in vectors if vector["channel"] == "standard-webhooks")
    given = Headers(
        [
            ("webhook-id", vector["webhook-id"]),
            ("webhook-timestamp", vector["webhook-timestamp"]),
            ("webhook-signature", vector["signature"]),
        ]
    )
    sent = datetime.fromtimestamp(int(vector["webhook-timestamp"]), UTC)
    body, url = vector["body"].encode(), "https://example.com"
    adapter("generic").verify(given, body, [vector["secret"]], url=url, now=sent + timedelta(minutes=1))
    with pytest.raises(Problem):
        adapter("generic").verify(given, body, [vector["secret"]], url=url, now=NOW)


@pytest.mark.parametrize(("kind", "secret"), [("generic", SECRET), ("bigcommerce", KEY.decode())])
def test_each_channel_has_its_own_form_of_the_same_key(kind: str, secret: str) -> None:
    verify = adapter(kind).verify
    verify(headers(), BODY, ["", secret], url="", now=NOW)
    for others in ([], [""], [SECRET if kind == "bigcommerce" else KEY.decode()]):
        with pytest.raises(Problem) as refused:
            verify(headers(), BODY, others, url="", now=NOW)
        assert refused.value.code is Code.SIGNATURE_INVALID
