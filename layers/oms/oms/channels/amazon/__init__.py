"""Amazon: notifications of the Selling Partner API, and its orders in both versions (v0 and 2026-01-01).

Amazon sends notifications to a queue or an event bus of the seller's account, which IAM protects, and signs
nothing: a webhook in its name proves itself by a secret in the address, or not at all.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.secret_url import require_secret_in
from oms.channels.topic import topic_in


class Amazon:
    """The adapter of Amazon sellers."""

    kind = "amazon"
    header_prefixes = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: a secret in the address, which only a forwarder of our own can know."""
        require_secret_in(url, secrets)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the notification's type, also inside an event of EventBridge.

        What SNS delivers has it in a text, and says for itself only that it is a notification.
        """
        names = ("NotificationType", "notificationType")
        return topic_in(body, *names, *(f"detail.{name}" for name in names), "Type")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.amazon.topics import RULES  # noqa: PLC0415
        from oms.channels.reading import read  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = Amazon()
