"""Sendcloud: statuses of parcels."""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.signatures import from_hex, hmac_sha256, require_match, sole, usable
from oms.channels.tracker import Tracker


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: HMAC-SHA256 of the raw body, in hex."""
    keys = usable(secrets)
    claimed = from_hex(sole(headers, "sendcloud-signature"))
    require_match(claimed, (hmac_sha256(key.encode(), body) for key in keys))


ADAPTER = Tracker("sendcloud", "action", prove)
