"""Stripe: events of payments, and the objects of its API.

Facts about the protocol were read in Stripe's documentation and in the tests of its libraries.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.signatures import sole, usable
from oms.channels.timed import require_timed_hmac
from oms.channels.topic import topic_in


class Stripe:
    """The adapter of Stripe accounts."""

    kind = "stripe"
    header_prefixes = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: `t=..,v1=..`; the secret is used as it is written, `whsec_` included."""
        require_timed_hmac(sole(headers, "stripe-signature"), body, usable(secrets), now)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the event's type."""
        return topic_in(body, "type")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.reading import read  # noqa: PLC0415
        from oms.channels.stripe.payments import RULES  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = Stripe()
