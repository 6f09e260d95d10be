"""Signatures that carry the time of sending, so that a delivery cannot be replayed later."""

from collections.abc import Sequence
from datetime import UTC, datetime

from oms.channels.signatures import from_hex, hmac_sha256, refused, require_any_match

REPLAY_SECONDS = 300
"""How far the time of a delivery may be from now, either way."""


def require_recent(sent: str, now: datetime) -> None:
    """Refuse a delivery that was sent long before or after `now`.

    Args:
        sent: when it says it was sent: Unix seconds, or ISO 8601 (UTC when it names no zone).
        now: UTC.

    Raises:
        Problem: that is no time, or more than `REPLAY_SECONDS` from now.
    """
    try:
        time = datetime.fromtimestamp(int(sent), UTC) if sent.isdecimal() else datetime.fromisoformat(sent)
        seconds = (now - (time.replace(tzinfo=UTC) if time.tzinfo is None else time)).total_seconds()
    except (ValueError, OverflowError, OSError):
        raise refused("the time of the delivery is no time") from None
    if abs(seconds) > REPLAY_SECONDS:
        raise refused("the delivery was sent too long ago, or in the future")


def require_timed_hmac(header: str, body: bytes, keys: Sequence[str], now: datetime) -> None:
    """Verify `t=<Unix seconds>,v1=<hex>`: HMAC-SHA256(key, t.body), as Stripe and Shippo sign.

    Args:
        header: one time and any number of v1 signatures; those of other versions are left out.
        body: the bytes as received.
        keys: the secrets that may sign, used as they are written.
        now: UTC.

    Raises:
        Problem: it is not genuine, or was sent too long before or after `now`.
    """
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1:
        raise refused("the signature does not say when it was made")
    require_recent(times[0], now)
    claimed = [from_hex(value) for name, _, value in parts if name == "v1"]
    signed = f"{times[0]}.".encode()
    require_any_match(claimed, (hmac_sha256(key.encode(), signed, body) for key in keys))
