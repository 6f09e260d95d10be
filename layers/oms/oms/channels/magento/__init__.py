"""Adobe Commerce / Magento 2: webhooks, I/O events, and the resources of its REST API.

Facts about the protocol were read in Adobe's documentation (Commerce webhooks and I/O events) and in the
answers of a Magento shop.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.payload import Node, loads
from oms.channels.protocol import Command, Inbound, Reply
from oms.channels.public_keys import public_keys, require_rsa
from oms.channels.signatures import from_base64, refused, sole
from oms.problems import Problem

WEBHOOK_SIGNATURE = "x-adobe-commerce-webhook-signature"
EVENT_SIGNATURES = ("x-adobe-digital-signature-1", "x-adobe-digital-signature-2")


class Magento:
    """The adapter of Adobe Commerce and Magento shops."""

    kind = "magento"
    header_prefixes = ("x-adobe-",)

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
        """See `Handshaking.handshake`: I/O Events wants a `challenge` back before it registers an address."""
        challenge = query.get("challenge") if method == "GET" else None
        return Reply(json.dumps({"challenge": challenge}), "application/json") if challenge else None

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: RSA-SHA256 by a public key.

        Webhooks sign the base64 text of the body, whatever their documentation says of HMAC; events sign the
        body, twice, so that one of Adobe's two keys can be replaced.
        """
        keys = public_keys(secrets)
        if headers.get(WEBHOOK_SIGNATURE) is not None:
            signature = from_base64(sole(headers, WEBHOOK_SIGNATURE))
            return require_rsa(keys, signature, base64.b64encode(body))
        for name in EVENT_SIGNATURES:
            if headers.get(name) is None:
                continue
            try:
                return require_rsa(keys, from_base64(sole(headers, name)), body)
            except Problem:
                continue
        raise refused("the delivery has no signature by a key of the channel")

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: an event's type. Webhooks name none: their shape tells what they hold."""
        document = Node(loads(body))
        kind = document.get("type")
        return kind if isinstance(kind, str) and kind.strip() else "webhook"

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.magento.topics import RULES  # noqa: PLC0415
        from oms.channels.reading import read  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = Magento()
