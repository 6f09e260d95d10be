"""The generic channel: whoever can write our own commands, signed by Standard Webhooks.

A body is one command in the form that `oms channel parse` prints, several in a list or one a line, or one as
the `data` of a Standard Webhooks message.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.signatures import usable
from oms.channels.standard_webhooks import HEADER_PREFIX, key_of, require_standard_webhook


class Generic:
    """The adapter of channels that speak our language."""

    kind = "generic"
    header_prefixes = (HEADER_PREFIX,)

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: Standard Webhooks, with secrets `whsec_` and base64."""
        keys = [key_of(secret) for secret in usable(secrets)]
        require_standard_webhook(headers, body, keys, now)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: each command names itself, so there is one topic."""
        return "commands"

    def check(self, message: Inbound) -> None:
        """See `Answering.check`: nobody but its writer can mend a command."""
        self.parse(message)

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.generic.documents import commands  # noqa: PLC0415

        return commands(message)


ADAPTER = Generic()
