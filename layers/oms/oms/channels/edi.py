"""EDI: documents that partners exchange (X12, EDIFACT).

What a segment means is agreed between two partners: a purchase order of X12 need not even name its currency.
A translator that knows the agreement writes our own commands (kind `generic`); documents that come here as
they are change nothing, and say why.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.secret_url import require_secret_in


class Edi:
    """The adapter of partners that send EDI."""

    kind = "edi"
    header_prefixes = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: a secret in the address; networks of EDI sign nothing over HTTP."""
        require_secret_in(url, secrets)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: each document names itself, so there is one topic."""
        return "document"

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        from oms.orders.commands import Ignore  # noqa: PLC0415

        return (Ignore(f"{message.topic}: EDI is taken in as our own commands, written by a translator"),)


ADAPTER = Edi()
