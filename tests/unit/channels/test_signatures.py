"""Proof of origin: what is refused, and that every known vector of Shopify verifies."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.channels.shopify import ADAPTER
from oms.problems import Code, Problem

SHARED = Path(__file__).parents[4] / "shared" / "channels"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SECRET = "sample-client-secret"
BODY = '{"id":820982911946154508,"name":"Señal ✓"}'.encode()


def signature(body: bytes = BODY, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def verify(headers: Headers, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> None:
    ADAPTER.verify(headers, body, secrets, url="https://example.com/webhooks/shop-es", now=NOW)


def signed(value: str, name: str = "X-Shopify-Hmac-Sha256") -> Headers:
    return Headers([(name, value)])


REFUSED: dict[str, tuple[Headers, bytes, tuple[str, ...]]] = {
    "no signature": (Headers(), BODY, (SECRET,)),
    "an empty signature": (signed(""), BODY, (SECRET,)),
    "a blank signature": (signed(" \n"), BODY, (SECRET,)),
    "a signature that is not base64": (signed("not base64!"), BODY, (SECRET,)),
    "a signature that is not ASCII": (signed("señal"), BODY, (SECRET,)),
    "half a signature": (signed(base64.b64encode(b"half").decode()), BODY, (SECRET,)),
    "hex in place of base64": (
        signed(hmac.digest(SECRET.encode(), BODY, hashlib.sha256).hex()),
        BODY,
        (SECRET,),
    ),
    "the wrong secret": (signed(signature(secret="another")), BODY, (SECRET,)),
    "a secret no longer valid": (signed(signature(secret="old")), BODY, ("new", "newer")),
    "no secret": (signed(signature(secret="")), BODY, ()),
    "an empty secret": (signed(signature(secret="")), BODY, ("",)),
    "a blank secret": (signed(signature(secret=" ")), BODY, (" ",)),
    "one byte flipped": (signed(signature()), BODY[:-2] + bytes([BODY[-2] ^ 1]) + BODY[-1:], (SECRET,)),
    "a byte too many": (signed(signature()), BODY + b"\n", (SECRET,)),
    "an empty body": (signed(signature()), b"", (SECRET,)),
    "the same JSON written anew": (signed(signature()), json.dumps(json.loads(BODY)).encode(), (SECRET,)),
    "two signatures that differ": (
        Headers([("X-Shopify-Hmac-Sha256", signature()), ("X-Shopify-Hmac-Sha256", signature(secret="x"))]),
        BODY,
        (SECRET,),
    ),
    "both families of headers, differing": (
        Headers([("shopify-hmac-sha256", signature(secret="x")), ("X-Shopify-Hmac-Sha256", signature())]),
        BODY,
        (SECRET,),
    ),
}


@pytest.mark.parametrize(("headers", "body", "secrets"), REFUSED.values(), ids=REFUSED.keys())
def test_a_delivery_that_proves_nothing_is_refused(
    headers: Headers, body: bytes, secrets: tuple[str, ...]
) -> None:
    with pytest.raises(Problem) as refused:
        verify(headers, body, secrets)
    assert refused.value.code is Code.SIGNATURE_INVALID
    assert all(secret.strip() not in refused.value.detail for secret in secrets if secret.strip())


@pytest.mark.parametrize(
    "name",
    ["X-Shopify-Hmac-Sha256", "x-shopify-hmac-sha256", "X-SHOPIFY-HMAC-SHA256", "shopify-hmac-sha256"],
)
def test_either_header_family_in_any_case_is_genuine(name: str) -> None:
    verify(signed(signature(), name))


@pytest.mark.parametrize("secrets", [(SECRET,), ("old", SECRET), (SECRET, "old"), ("", SECRET)])
def test_any_of_the_secrets_verifies_while_one_is_rotated(secrets: tuple[str, ...]) -> None:
    verify(signed(signature()), secrets=secrets)


def test_a_newline_after_the_signature_is_no_part_of_it() -> None:
    verify(signed(signature() + "\n"))


def test_a_header_repeated_with_the_same_value_is_one() -> None:
    verify(Headers([("X-Shopify-Hmac-Sha256", signature()), ("shopify-hmac-sha256", signature())]))


def test_a_body_that_is_no_text_is_verified_byte_for_byte() -> None:
    body = bytes(range(256))
    verify(signed(signature(body)), body)


def test_the_known_vectors_verify_and_fail_with_a_byte_flipped() -> None:
    if not SHARED.exists():
        pytest.skip("the shared vectors are not there")
    vectors = json.loads((SHARED / "signature_vectors.json").read_text())["vectors"]
    mine = [vector for vector in vectors if vector["channel"] == "shopify" and vector["checked"]]
    assert mine
    for vector in mine:
        headers, body = signed(vector["signature"]), vector["body"].encode()
        verify(headers, body, (vector["secret"],))
        with pytest.raises(Problem):
            verify(headers, bytes([body[0] ^ 1]) + body[1:], (vector["secret"],))


def test_an_unknown_kind_of_channel_is_a_problem_that_lists_the_known_ones() -> None:
    with pytest.raises(Problem, match="shopify") as unknown:
        adapter("shopfy")
    assert unknown.value.code is Code.CHANNEL_UNKNOWN
