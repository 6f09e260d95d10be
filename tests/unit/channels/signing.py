"""Signing as vendors do, written from their documents, apart from the adapters that are tested with it."""

import base64
import hashlib
import hmac
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from oms.channels.headers import Headers
from oms.channels.registry import adapter

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
URL = "https://abcde12345.execute-api.eu-west-1.amazonaws.com/prod/webhooks/sample"
SECRET = "sample-secret-señal"
BODY = '{"id":820982911946154508,"note":"Señal ✓"}'.encode()


@dataclass(frozen=True)
class Delivery:
    """A delivery and what it is verified with; tests change one thing of a genuine one."""

    kind: str
    headers: dict[str, str]
    body: bytes
    secrets: tuple[str, ...]
    url: str = URL
    now: datetime = NOW

    def verify(self) -> None:
        """Raises the problem unless it is genuine."""
        headers = Headers(self.headers.items())
        adapter(self.kind).verify(headers, self.body, self.secrets, url=self.url, now=self.now)

    def but(self, **changes: Any) -> "Delivery":
        """The same with some fields replaced."""
        return replace(self, **changes)


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """A key of this run."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """A key of this run."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_signature(signed: bytes) -> str:
    """RSA-SHA256 in base64, by the key of this run."""
    return base64.b64encode(rsa_key().sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()


def digest(body: bytes, secret: str = SECRET) -> bytes:
    """HMAC-SHA256."""
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def b64(data: bytes) -> str:
    """Base64 text."""
    return base64.b64encode(data).decode()


def square(body: bytes, secret: str, now: datetime) -> Delivery:
    headers = {"x-square-hmacsha256-signature": b64(digest(URL.encode() + body, secret))}
    return Delivery("square", headers, body, (secret,), now=now)


def _timed(body: bytes, secret: str, now: datetime) -> str:
    sent = str(int(now.timestamp()))
    return f"t={sent},v1={digest(f'{sent}.'.encode() + body, secret).hex()}"


def stripe(body: bytes, secret: str, now: datetime) -> Delivery:
    return Delivery("stripe", {"Stripe-Signature": _timed(body, secret, now)}, body, (secret,), now=now)


def shippo(body: bytes, secret: str, now: datetime) -> Delivery:
    headers = {"Shippo-Auth-Signature": _timed(body, secret, now)}
    return Delivery("shippo", headers, body, (secret,), now=now)


def easypost(body: bytes, secret: str, now: datetime) -> Delivery:
    decomposed = secret.replace("ñ", "n\u0303")
    headers = {"X-Hmac-Signature": f"hmac-sha256-hex={digest(body, decomposed).hex()}"}
    return Delivery("easypost", headers, body, (secret,), now=now)


def aftership(body: bytes, secret: str, now: datetime) -> Delivery:
    headers = {"aftership-hmac-sha256": b64(digest(body, secret))}
    return Delivery("aftership", headers, body, (secret,), now=now)


def sendcloud(body: bytes, secret: str, now: datetime) -> Delivery:
    headers = {"Sendcloud-Signature": digest(body, secret).hex()}
    return Delivery("sendcloud", headers, body, (secret,), now=now)


def paypal(body: bytes, secret: str, now: datetime) -> Delivery:
    """`secret` is the id of the webhook."""
    sent = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "Paypal-Transmission-Id": "69cd13f0-0000-4000-8000-000000000001",
        "Paypal-Transmission-Time": sent,
        "Paypal-Cert-Url": "https://api.paypal.com/v1/notifications/certs/CERT-sample",
        "Paypal-Auth-Algo": "SHA256withRSA",
    }
    signed = f"{headers['Paypal-Transmission-Id']}|{sent}|{secret}|{zlib.crc32(body)}"
    headers["Paypal-Transmission-Sig"] = rsa_signature(signed.encode())
    return Delivery("paypal", headers, body, (secret, pem(rsa_key())), now=now)


def ebay(body: bytes, secret: str, now: datetime, **stated: str) -> Delivery:
    """`secret` is the token of the handshake, which no delivery is verified by."""
    signature = ec_key().sign(body, ec.ECDSA(hashes.SHA1()))
    header = {"alg": "ecdsa", "kid": "key-1", "signature": b64(signature), "digest": "SHA1"} | stated
    headers = {"X-EBAY-SIGNATURE": b64(json.dumps(header).encode())}
    return Delivery("ebay", headers, body, (secret, pem(ec_key())), now=now)


def jwks(*kids: str) -> str:
    """The public half of the RSA key as a set of JSON Web Keys."""
    numbers = rsa_key().public_key().public_numbers()

    def text(number: int) -> str:
        return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode().rstrip("=")

    keys = [{"kty": "RSA", "kid": kid, "n": text(numbers.n), "e": text(numbers.e)} for kid in kids]
    return json.dumps({"keys": keys})


def shipengine(body: bytes, secret: str, now: datetime) -> Delivery:
    """There is no secret: the vendor publishes its keys."""
    sent = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {
        "x-shipengine-timestamp": sent,
        "x-shipengine-rsa-sha256-key-id": "key-1",
        "x-shipengine-rsa-sha256-signature": rsa_signature(f"{sent}.".encode() + body),
    }
    return Delivery("shipengine", headers, body, (jwks("key-1"),), now=now)


def shipstation_v2(body: bytes, secret: str, now: datetime) -> Delivery:
    return shipengine(body, secret, now).but(kind="shipstation")


def _by_address(kind: str, body: bytes, secret: str, now: datetime) -> Delivery:
    return Delivery(kind, {}, body, (secret,), url=f"{URL}?token={secret}", now=now)


def amazon(body: bytes, secret: str, now: datetime) -> Delivery:
    return _by_address("amazon", body, secret, now)


def shipstation(body: bytes, secret: str, now: datetime) -> Delivery:
    return _by_address("shipstation", body, secret, now)


def shippo_by_token(body: bytes, secret: str, now: datetime) -> Delivery:
    return _by_address("shippo", body, secret, now)


type Signer = Callable[[bytes, str, datetime], Delivery]

BY_SECRET: tuple[Signer, ...] = (square, stripe, shippo, easypost, aftership, sendcloud)
"""Schemes with a shared secret."""

BY_KEY: tuple[Signer, ...] = (paypal, ebay, shipengine, shipstation_v2)
"""Schemes with a key of the vendor's."""

BY_ADDRESS: tuple[Signer, ...] = (amazon, shipstation, shippo_by_token)
"""Vendors that sign nothing."""

TIMED: tuple[Signer, ...] = (stripe, shippo, shipengine, shipstation_v2)
"""Schemes that sign the time of sending."""
