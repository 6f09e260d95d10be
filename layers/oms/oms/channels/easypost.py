"""EasyPost: trackers of parcels.

The signature is checked against the vector in EasyPost's examples.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.signatures import from_hex, hmac_sha256, refused, require_match, sole, usable
from oms.channels.tracker import Tracker

SCHEME = "hmac-sha256-hex="


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: HMAC-SHA256 of the raw body, in hex; secrets are used in Unicode's form NFKD."""
    keys = usable(secrets)
    signature = sole(headers, "x-hmac-signature").strip()
    if not signature.startswith(SCHEME):
        raise refused(f"the signature does not begin with {SCHEME}")
    claimed = from_hex(signature.removeprefix(SCHEME))
    require_match(claimed, (hmac_sha256(unicodedata.normalize("NFKD", key).encode(), body) for key in keys))


ADAPTER = Tracker("easypost", "description", prove)
