"""What every kind of channel implements: prove where a delivery comes from, and say what it means."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from oms.channels.headers import Headers
from oms.values import frozen

if (
    TYPE_CHECKING
):  # Verifying needs none of them, and building their classes is most of the time it takes to start.
    from oms.orders.commands import CancelOrder, Fetch, Ignore, PlaceOrder
    from oms.orders.records import (
        FulfillmentOrderRecorded,
        FulfillmentRecorded,
        ListingRecorded,
        PaymentRecorded,
        PrivacyRequested,
        RefundRecorded,
        ReturnRecorded,
        StockRecorded,
        TrackingRecorded,
    )

type Command = (
    PlaceOrder
    | CancelOrder
    | Fetch
    | Ignore
    | PaymentRecorded
    | RefundRecorded
    | FulfillmentRecorded
    | FulfillmentOrderRecorded
    | TrackingRecorded
    | ReturnRecorded
    | StockRecorded
    | ListingRecorded
    | PrivacyRequested
)
"""What a payload can become."""


@frozen
class Inbound:
    """One verified payload of a channel.

    `adapter` is the kind of the channel, `topic` the vendor's (`orders/create`) or the name of a stored shape
    (`rest_order`). `received_at` dates what carries no time of its own.
    """

    channel: str
    adapter: str
    topic: str
    headers: Headers
    body: bytes
    received_at: datetime


class Adapter(Protocol):
    """One kind of channel. Adapters are stateless; everything about a delivery is in the arguments."""

    @property
    def kind(self) -> str:
        """The name of the kind, as configuration and `oms channel --channel` give it."""

    @property
    def header_prefixes(self) -> tuple[str, ...]:
        """Lower-case beginnings of the header names that `topic_of` and `parse` read."""

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """Prove that the vendor sent exactly this body.

        Args:
            headers: header fields as received.
            body: the bytes as received, before any decoding.
            secrets: keys that may sign: secrets, or public keys where the scheme has those.
            url: the address the vendor was given, for schemes that sign it.
            now: for schemes with a replay window, UTC.

        Raises:
            Problem: `signature_invalid`, whatever the reason.
        """

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """The vendor's topic of a delivery.

        Raises:
            Problem: `topic_unknown`, the delivery names none.
        """

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """What a payload means: at least one command, `Ignore` with a reason where it changes nothing here.

        Raises:
            Problem: it cannot be understood; names the field.
        """


@runtime_checkable
class Answering(Protocol):
    """An adapter whose senders write our own commands: they are told at once what is wrong with one."""

    def check(self, message: Inbound) -> None:
        """See that a payload can be understood.

        Raises:
            Problem: it cannot, whenever it is read; names the field.
        """


@frozen
class Reply:
    """What an endpoint answers to a handshake, with status 200."""

    body: str = ""
    content_type: str = "text/plain"


@runtime_checkable
class Handshaking(Protocol):
    """An adapter whose vendor tries an endpoint before it sends anything there."""

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
        """The answer to a handshake, which is nothing more; None: the request is a delivery, to be verified.

        Args:
            method: `GET` or `POST`.
            query: parameters of the query, by name.
            headers: header fields as received.
            body: the bytes as received.
            secrets: what the channel's secret holds, such as a token to answer with.
            url: the address the vendor was given.

        Raises:
            Problem: `signature_invalid`, there is no secret to answer with.
        """
