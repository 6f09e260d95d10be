"""ShipEngine, which ShipStation's V2 API is as well: tracking events signed by a rotating RSA key."""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.public_keys import public_keys, require_rsa
from oms.channels.signatures import from_base64, sole
from oms.channels.timed import require_recent
from oms.channels.tracker import Tracker

SIGNATURE_HEADER = "x-shipengine-rsa-sha256-signature"
KEY_HEADER = "x-shipengine-rsa-sha256-key-id"
TIME_HEADER = "x-shipengine-timestamp"


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: RSA-SHA256 of `timestamp.body`, by the key that is named of the vendor's."""
    sent = sole(headers, TIME_HEADER).strip()
    signature = from_base64(sole(headers, SIGNATURE_HEADER))
    require_recent(sent, now)
    keys = public_keys(secrets, sole(headers, KEY_HEADER).strip())
    require_rsa(keys, signature, f"{sent}.".encode() + body)


ADAPTER = Tracker("shipengine", "resource_type", prove)
