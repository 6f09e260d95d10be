"""eBay: notifications, and the orders of its Fulfillment API.

The signature is checked against the vectors of eBay's notification SDK.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from oms.channels.headers import Headers
from oms.channels.payload import Node, loads
from oms.channels.protocol import Command, Inbound, Reply
from oms.channels.public_keys import private, public_keys, require_ecdsa
from oms.channels.signatures import from_base64, refused, sole, usable
from oms.channels.topic import topic_in
from oms.problems import Problem


class EBay:
    """The adapter of eBay sellers."""

    kind = "ebay"
    header_prefixes = ()

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
        """See `Handshaking.handshake`: the SHA-256 of eBay's challenge, our token and the endpoint's address.

        The channel's secrets hold the token beside eBay's public keys; of several tokens the first is in use.
        """
        challenge = query.get("challenge_code")
        if method != "GET" or not challenge:
            return None
        token = usable(private(secrets))[0]
        text = challenge + token + url.partition("?")[0]
        answer = {"challengeResponse": hashlib.sha256(text.encode()).hexdigest()}
        return Reply(json.dumps(answer), "application/json")

    def verify(
        self, headers: Headers, body: bytes, secrets: Sequence[str], *, url: str, now: datetime
    ) -> None:
        """See `Adapter.verify`: ECDSA of the raw body, by the key and the digest that the header names."""
        try:
            stated = Node(loads(from_base64(sole(headers, "x-ebay-signature"))))
            algorithm, key_id, text, digest = (
                stated.need(Node.text, name) for name in ("alg", "kid", "signature", "digest")
            )
        except Problem:
            raise refused("the delivery has no signature, or one that cannot be read") from None
        if algorithm.lower() != "ecdsa":
            raise refused("the delivery is not signed by ECDSA")
        require_ecdsa(public_keys(secrets, key_id), from_base64(text), body, digest.upper())

    def topic_of(self, headers: Headers, body: bytes) -> str:
        """See `Adapter.topic_of`: the notification's."""
        return topic_in(body, "metadata.topic")

    def parse(self, message: Inbound) -> tuple[Command, ...]:
        """See `Adapter.parse`."""
        # Not needed to verify: kept out of the start of the function that only does that.
        from oms.channels.ebay.topics import RULES  # noqa: PLC0415
        from oms.channels.reading import read  # noqa: PLC0415

        return read(message, RULES)


ADAPTER = EBay()
