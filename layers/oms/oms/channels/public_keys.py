"""Public keys that vendors sign by: reading them as vendors give them, and verifying signatures.

A channel's secrets may hold keys beside texts that are kept secret: PEM (also on one line, as eBay answers),
an X.509 certificate in PEM, a JSON Web Key or a set of them, or a JSON object with a PEM under `key`. The
library behind this is loaded with the first signature that needs it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from oms.channels.signatures import refused
from oms.values import frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----")


@frozen
class PublicKey:
    """A key and the id that the vendor knows it by; None where its form has no place for one."""

    key: "PublicKeyTypes"
    id: str | None


def is_public(secret: str) -> bool:
    """Whether a text among a channel's secrets is a public key."""
    return secret.lstrip().startswith(("-----BEGIN", "{"))


def private(secrets: Sequence[str]) -> tuple[str, ...]:
    """The texts among a channel's secrets that are no public keys."""
    return tuple(secret for secret in secrets if not is_public(secret))


def public_keys(secrets: Sequence[str], key_id: str | None = None) -> tuple[PublicKey, ...]:
    """The public keys among a channel's secrets.

    Args:
        secrets: of the channel; several keys while one is rotated.
        key_id: the id that the delivery names, if its scheme has that: keys of other ids are left out.

    Raises:
        Problem: there is none, or one cannot be read.
    """
    try:
        keys = [key for secret in secrets if is_public(secret) for key in _read(secret)]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise refused("a public key of the channel cannot be read") from None
    fitting = tuple(key for key in keys if key_id is None or key.id in (None, key_id))
    if not fitting:
        raise refused("the channel has no public key to verify with, or none of the id that is named")
    return fitting


def require_rsa(keys: Sequence[PublicKey], signature: bytes, *signed: bytes) -> None:
    """Accept when one of the keys made this signature: RSA (PKCS #1 v1.5) over SHA-256.

    Args:
        keys: that may have signed.
        signature: the signature, decoded.
        signed: every text that may have been signed.

    Raises:
        Problem: none did.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    rsa = [known.key for known in keys if isinstance(known.key, RSAPublicKey)]
    _require_any(partial(key.verify, signature, text, PKCS1v15(), SHA256()) for key in rsa for text in signed)


def require_ecdsa(keys: Sequence[PublicKey], signature: bytes, signed: bytes, digest: str) -> None:
    """Accept when one of the keys made this signature: ECDSA, in DER, over a digest.

    Args:
        keys: that may have signed.
        signature: in DER.
        signed: what was signed.
        digest: name of the hash function, one of SHA1 (which eBay uses), SHA256, SHA384, SHA512.

    Raises:
        Problem: none did, or there is no such digest.
    """
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey  # noqa: PLC0415

    if digest not in ("SHA1", "SHA256", "SHA384", "SHA512"):
        raise refused("the signature names an unknown digest")
    scheme = ECDSA(getattr(hashes, digest)())
    curves = [known.key for known in keys if isinstance(known.key, EllipticCurvePublicKey)]
    _require_any(partial(key.verify, signature, signed, scheme) for key in curves)


def _require_any(attempts: Iterator[Callable[[], None]]) -> None:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    for attempt in attempts:
        try:
            return attempt()
        except InvalidSignature:
            continue
    raise refused("the signature does not match the body")


def _read(text: str) -> Iterator[PublicKey]:
    if not text.lstrip().startswith("{"):
        blocks = _PEM.findall(text)
        if not blocks:
            raise ValueError("no PEM block")
        for label, content in blocks:
            yield PublicKey(_decoded(label, base64.b64decode("".join(content.split()), validate=True)), None)
        return
    document = json.loads(text)
    if "key" in document:
        yield from (PublicKey(known.key, document.get("kid")) for known in _read(document["key"]))
    else:
        for key in document.get("keys", [document]):
            yield PublicKey(_of_numbers(key), key.get("kid"))


def _decoded(label: str, content: bytes) -> "PublicKeyTypes":
    if label == "CERTIFICATE":
        from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

        return load_der_x509_certificate(content).public_key()
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    return load_der_public_key(content)


def _of_numbers(key: dict[str, str]) -> "PublicKeyTypes":
    """The RSA key of a JSON Web Key (RFC 7517)."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers  # noqa: PLC0415

    modulus, exponent = (_number(key[name]) for name in ("n", "e"))
    return RSAPublicNumbers(exponent, modulus).public_key()


def _number(text: str) -> int:
    padded = text + "=" * (-len(text) % 4)
    return int.from_bytes(base64.urlsafe_b64decode(padded))
