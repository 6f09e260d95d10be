"""WooCommerce: webhooks, and the resources of its REST API v3.

Facts about the protocol were read in WooCommerce's class-wc-webhook.php and in WordPress's formatting.php.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound, Reply
from oms.channels.signatures import from_base64, hmac_sha256, require_match, sole, usable
from oms.problems import Code, Problem
from oms.values import replace

PING = "ping"
_PING = re.compile(rb"webhook_id=\d+\s*")
_ENTITY = re.compile(
    "&(?:(amp|#0*38|#x0*26)|(lt|#0*60|#x0*3c)|(gt|#0*62|#x0*3e)|(quot|#0*34|#x0*22)|(#0*39|#x0*27));",
    re.IGNORECASE,
)
_CHARACTERS = "&<>\"'"
"""The characters that `_ENTITY` finds, in the order of its groups."""


class WooCommerce:
    """The adapter of WooCommerce shops."""

    kind = "woocommerce"
    header_prefixes = ("x-wc-webhook-",)

    def handshake(
        self,
        method: str,
        query: Mapping[str, str],
        headers: Headers,
        body: bytes,
        secrets: Sequence[str],
        *,
        url: str,
    ) -> Reply | None:
        """See `Handshaking.handshake`: a new webhook's ping, a form without signature that must get 200."""
        unsigned = not headers.starting(*self.header_prefixes)
        return Reply() if method == "POST" and unsigned and _PING.fullmatch(body) else None

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: base64(HMAC-SHA256(secret, raw body)), the secret without HTML entities."""
        keys = usable(secrets)
        claimed = from_base64(sole(headers, "x-wc-webhook-signature"))
        require_match(claimed, (hmac_sha256(_unescaped(key).encode(), body) for key in keys))

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`."""
        topic = headers.get("x-wc-webhook-topic")
        if topic:
            return topic
        if _PING.fullmatch(body):
            return PING
        raise Problem(Code.TOPIC_UNKNOWN, "the delivery names no topic", "x-wc-webhook-topic")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.reading import read  # noqa: PLC0415
        from oms.channels.woocommerce.topics import RULES  # noqa: PLC0415

        # A ping has no headers: whoever stores it may take it for a delivery of the webhook's own topic.
        return read(replace(message, topic=PING) if _PING.fullmatch(message.body) else message, RULES)


def _unescaped(secret: str) -> str:
    """A secret as the shop signs with it: WordPress stores five special characters as HTML entities."""
    return _ENTITY.sub(lambda found: _CHARACTERS[(found.lastindex or 1) - 1], secret)


ADAPTER = WooCommerce()
