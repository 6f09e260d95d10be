"""PayPal: events of payments.

The signed text is the one of PayPal's documentation for verifying by oneself: four values joined by |.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.public_keys import private, public_keys, require_rsa
from oms.channels.signatures import from_base64, refused, sole, usable
from oms.channels.topic import topic_in


class PayPal:
    """The adapter of PayPal accounts."""

    kind = "paypal"
    header_prefixes = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: RSA-SHA256 of `transmission id|time|webhook id|crc32(body)`.

        The channel's secrets hold the webhook's id and PayPal's certificate. Nothing is fetched to verify;
        the address of the certificate that a delivery names must still be PayPal's.
        """
        webhook_ids = usable(private(secrets))
        keys = public_keys(secrets)
        if sole(headers, "paypal-auth-algo").strip().lower() != "sha256withrsa":
            raise refused("the delivery is not signed by SHA256withRSA")
        _require_paypal(sole(headers, "paypal-cert-url").strip())
        signature = from_base64(sole(headers, "paypal-transmission-sig"))
        sent = [sole(headers, f"paypal-transmission-{name}").strip() for name in ("id", "time")]
        signed = ["|".join((*sent, webhook_id, str(zlib.crc32(body)))) for webhook_id in webhook_ids]
        require_rsa(keys, signature, *(text.encode() for text in signed))

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the event's type."""
        return topic_in(body, "event_type")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.paypal.payments import RULES  # noqa: PLC0415
        from oms.channels.reading import read  # noqa: PLC0415

        return read(message, RULES)


def _require_paypal(address: str) -> None:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        raise refused("the certificate's address is none") from None
    if parts.scheme != "https" or not (host == "paypal.com" or host.endswith(".paypal.com")):
        raise refused("the certificate is not at PayPal's address")


ADAPTER = PayPal()
