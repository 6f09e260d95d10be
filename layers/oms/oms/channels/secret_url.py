"""Proof for vendors that sign nothing: the address that they were given holds a secret."""

import hmac
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit

from oms.channels.signatures import refused, usable


def require_secret_in(url: str, secrets: Sequence[str]) -> None:
    """Accept a delivery to an address with one of the secrets as a part of its path or in its query.

    Args:
        url: the address that was called.
        secrets: several while one is rotated.

    Raises:
        Problem: it holds none, or the channel has none.
    """
    keys = usable(secrets)
    address = urlsplit(url)
    parts = [*address.path.split("/"), *(value for _, value in parse_qsl(address.query))]
    matches = [hmac.compare_digest(part.encode(), key.encode()) for part in parts for key in keys]
    if not any(matches):
        raise refused("the address does not hold the secret of the channel")
