"""Shippo: tracks of parcels. It signs for accounts that ordered that; others put a token in the address."""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.secret_url import require_secret_in
from oms.channels.signatures import sole, usable
from oms.channels.timed import require_timed_hmac
from oms.channels.tracker import Tracker

SIGNATURE_HEADER = "shippo-auth-signature"


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: `t=..,v1=..` where there is a signature, else a secret in the address."""
    if headers.get(SIGNATURE_HEADER) is None:
        require_secret_in(url, secrets)
    else:
        require_timed_hmac(sole(headers, SIGNATURE_HEADER), body, usable(secrets), now)


ADAPTER = Tracker("shippo", "event", prove)
