"""ShipStation: V1 signs nothing and only names an address to read; V2 is ShipEngine's API by another name."""

from collections.abc import Sequence
from datetime import datetime

from oms.channels import shipengine
from oms.channels.headers import Headers
from oms.channels.public_keys import private
from oms.channels.secret_url import require_secret_in
from oms.channels.tracker import Tracker


def prove(headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime) -> None:
    """See `Adapter.verify`: as ShipEngine where there is a signature, else a secret in the address."""
    if headers.get(shipengine.SIGNATURE_HEADER) is None:
        require_secret_in(url, private(secrets))
    else:
        shipengine.prove(headers, body, secrets, url=url, now=now)


ADAPTER = Tracker("shipstation", "resource_type", prove)
