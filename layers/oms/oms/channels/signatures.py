"""What signature schemes share: keys to try, one signature header, decoding, comparing in constant time.

A scheme is a few lines of an adapter over these functions. All of them refuse by raising `Problem` with the
code `signature_invalid`, and none of them says which key came close.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence

from oms.channels.headers import Headers
from oms.problems import Code, Problem


def refused(detail: str) -> Problem:
    """The problem of a delivery whose origin is not proven."""
    return Problem(Code.SIGNATURE_INVALID, detail)


def usable(secrets: Sequence[str]) -> tuple[str, ...]:
    """The secrets that may verify a delivery: several while a secret is rotated.

    Raises:
        Problem: none is left once empty ones are dropped; an empty key would let anyone sign.
    """
    keys = tuple(secret for secret in secrets if secret.strip())
    if not keys:
        raise refused("the channel has no secret to verify with")
    return keys


def sole(headers: Headers, *names: str) -> str:
    """The one signature that a delivery carries under any of the header `names`.

    Raises:
        Problem: there is none, it is empty, or there are several that differ.
    """
    values = {value for name in names for value in headers.all(name)}
    if len(values) > 1:
        raise refused("the delivery carries several signatures that differ")
    value = values.pop() if values else ""
    if not value.strip():
        raise refused(f"the delivery has no signature: {names[0]} is missing or empty")
    return value


def from_base64(text: str) -> bytes:
    """Decode a base64 signature; whitespace around it (Ruby's encoder ends it with a newline) is ignored.

    Raises:
        Problem: it is not base64.
    """
    try:
        return base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise refused("the signature is not base64") from None


def from_hex(text: str) -> bytes:
    """Decode a signature in hexadecimal digits; whitespace around it is ignored.

    Raises:
        Problem: it is not hexadecimal.
    """
    try:
        return binascii.unhexlify(text.strip())
    except ValueError:
        raise refused("the signature is not hexadecimal") from None


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA256 over the concatenation of `parts`."""
    return hmac.digest(key, b"".join(parts), hashlib.sha256)


def require_match(claimed: bytes, expected: Iterable[bytes]) -> None:
    """Accept when `claimed` equals one of the `expected` digests, each compared in constant time.

    Raises:
        Problem: it equals none.
    """
    require_any_match([claimed], expected)


def require_any_match(claimed: Iterable[bytes], expected: Iterable[bytes]) -> None:
    """Accept when one of the `claimed` signatures equals one of the `expected` digests, as `require_match`.

    Raises:
        Problem: none equals any.
    """
    digests = tuple(expected)
    matches = [hmac.compare_digest(claim, digest) for claim in claimed for digest in digests]
    if not any(matches):
        raise refused("the signature does not match the body")
