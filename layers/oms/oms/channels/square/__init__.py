"""Square: points of sale, and the orders of its online shops.

The signature is checked against the vectors in the tests of Square's library.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.signatures import from_base64, hmac_sha256, require_match, sole, usable
from oms.channels.topic import topic_in


class Square:
    """The adapter of Square sellers."""

    kind = "square"
    header_prefixes = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: HMAC-SHA256 of the notification URL, as configured, and the raw body."""
        keys = usable(secrets)
        claimed = from_base64(sole(headers, "x-square-hmacsha256-signature"))
        require_match(claimed, (hmac_sha256(key.encode(), url.encode(), body) for key in keys))

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the event's type."""
        return topic_in(body, "type")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.reading import read  # noqa: PLC0415
        from oms.channels.square.topics import RULES  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = Square()
