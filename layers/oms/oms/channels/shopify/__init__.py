"""Shopify: webhooks, events, and the resources of its Admin API.

Facts about the protocol were read in Shopify's documentation and in the tests of its libraries.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.signatures import from_base64, hmac_sha256, require_match, sole, usable
from oms.problems import Code, Problem

SIGNATURE_HEADERS = ("x-shopify-hmac-sha256", "shopify-hmac-sha256")
"""Where webhooks and the newer events carry base64(HMAC-SHA256(client secret, raw body))."""


class Shopify:
    """The adapter of Shopify shops."""

    kind = "shopify"
    header_prefixes = ("x-shopify-", "shopify-")

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: HMAC-SHA256 of the raw body by any of the secrets; only it is signed."""
        keys = usable(secrets)
        claimed = from_base64(sole(headers, *SIGNATURE_HEADERS))
        require_match(claimed, (hmac_sha256(key.encode(), body) for key in keys))

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the header; events split theirs and become `events/<resource>/<action>`."""
        topic = headers.get("x-shopify-topic")
        if topic:
            return topic
        resource = headers.get("shopify-topic")
        if not resource:
            raise Problem(Code.TOPIC_UNKNOWN, "the delivery names no topic", "x-shopify-topic")
        return resource if "/" in resource else f"events/{resource}/{headers.get('shopify-action') or ''}"

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.reading import read  # noqa: PLC0415
        from oms.channels.shopify.topics import RULES  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = Shopify()
