"""Standard Webhooks 1.0.0: what BigCommerce and our own webhooks are signed by, in and out."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.signatures import from_base64, hmac_sha256, refused, require_any_match, sole
from oms.channels.timed import require_recent

HEADER_PREFIX = "webhook-"


def require_standard_webhook(headers: Headers, body: bytes, keys: Sequence[bytes], now: datetime) -> None:
    """Verify a delivery: base64(HMAC-SHA256(key, id.timestamp.body)), sent within 5 minutes of now.

    Args:
        headers: with `webhook-id`, `webhook-timestamp` (Unix seconds) and `webhook-signature`, a list of
            signatures after their versions, of which v1 counts.
        body: the bytes as received.
        keys: raw keys that may sign.
        now: UTC.

    Raises:
        Problem: it is not genuine, or was sent too long before or after `now`.
    """
    message_id, sent = (sole(headers, name) for name in ("webhook-id", "webhook-timestamp"))
    if not sent.isdecimal():
        raise refused("webhook-timestamp is not a time in Unix seconds")
    require_recent(sent, now)
    signatures = [part.partition(",") for part in sole(headers, "webhook-signature").split()]
    claimed = [from_base64(text) for version, _, text in signatures if version == "v1"]
    signed = f"{message_id}.{sent}.".encode()
    require_any_match(claimed, (hmac_sha256(key, signed, body) for key in keys))


def signed(message_id: str, body: bytes, keys: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """The headers of a message of ours; of several keys each signs, so that a receiver may have any of them.

    Args:
        message_id: the same whenever the message is sent again; without a dot.
        body: the bytes that are sent.
        keys: raw keys.
        now: when it is sent, UTC.
    """
    sent = str(int(now.timestamp()))
    macs = (hmac_sha256(key, f"{message_id}.{sent}.".encode(), body) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": sent,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs),
    }


def key_of(secret: str) -> bytes:
    """The raw key in a secret: what follows `whsec_`, decoded from base64.

    Raises:
        Problem: it is not base64, or nothing.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise refused("the channel's secret is not whsec_ and base64")
    return key
