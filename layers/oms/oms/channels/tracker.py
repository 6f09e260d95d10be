"""The adapter of services that track parcels: they differ in how they sign and in where they write what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.topic import topic_in
from oms.values import frozen


class Proof(Protocol):
    """See `Adapter.verify`."""

    def __call__(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None: ...


@frozen
class Tracker:
    """One service: `topic` is the field of the body that names the event, `proof` verifies a delivery."""

    kind: str
    topic: str
    proof: Proof
    header_prefixes: tuple[str, ...] = ()

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`."""
        self.proof(headers, body, secrets, url=url, now=now)

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`."""
        return topic_in(body, self.topic)

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        from oms.channels.reading import read  # noqa: PLC0415
        from oms.channels.tracking import RULES  # noqa: PLC0415

        return read(message, RULES)
