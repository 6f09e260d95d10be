"""AfterShip: trackings, and the same signature under other names for its returns and shipping products."""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.signatures import from_base64, hmac_sha256, require_match, sole, usable
from oms.channels.tracker import Tracker

SIGNATURE_HEADERS = ("aftership-hmac-sha256", "as-signature-hmac-sha256", "am-webhook-signature")
"""Of Tracking, Returns and Shipping."""


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: HMAC-SHA256 of the raw body, in base64."""
    keys = usable(secrets)
    claimed = from_base64(sole(headers, *SIGNATURE_HEADERS))
    require_match(claimed, (hmac_sha256(key.encode(), body) for key in keys))


ADAPTER = Tracker("aftership", "event", prove)
