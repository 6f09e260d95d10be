"""BigCommerce: webhooks, which only name what has changed, and the resources of its REST API.

Facts about the protocol were read in BigCommerce's developer documentation (webhooks, orders V2 and V3).
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.signatures import usable
from oms.channels.standard_webhooks import HEADER_PREFIX, require_standard_webhook
from oms.channels.topic import topic_in


class BigCommerce:
    """The adapter of BigCommerce stores."""

    kind = "bigcommerce"
    header_prefixes = (HEADER_PREFIX,)

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: Standard Webhooks by the app's client secret, whose bytes are the raw key."""
        keys = [secret.encode() for secret in usable(secrets)]
        require_standard_webhook(headers, body, keys, now)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the scope."""
        return topic_in(body, "scope")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.bigcommerce.topics import RULES  # noqa: PLC0415
        from oms.channels.reading import read  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = BigCommerce()
