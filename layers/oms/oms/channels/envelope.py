"""A verified delivery on its way from `webhooks` to `intake`: the body as it was received, compressed."""

import base64
import binascii
import json
import zlib
from datetime import datetime

from oms.channels.canonical import stamp
from oms.channels.headers import Headers
from oms.channels.payload import Node, loads
from oms.channels.protocol import Adapter, Inbound
from oms.channels.registry import adapter
from oms.problems import Code, Problem


def seal(
    channel: str,
    kind: Adapter,
    headers: Headers,
    body: bytes,
    received_at: datetime,
    topic: str | None = None,
) -> str:
    """The message that `unseal` opens; of the headers it keeps those that the adapter reads.

    What we fetch ourselves is taken in as what channels send: its `topic` is the shape that was asked for,
    which the body does not name.
    """
    return json.dumps(
        {
            "channel": channel,
            "kind": kind.kind,
            "headers": headers.starting(*kind.header_prefixes),
            "body": base64.b64encode(zlib.compress(body)).decode(),
            "received_at": stamp(received_at),
        }
        | ({"topic": topic} if topic else {}),
        separators=(",", ":"),
    )


def unseal(text: str) -> Inbound:
    """The delivery in a message, its topic resolved; `adapter(inbound.adapter).parse` reads it.

    Raises:
        Problem: `seal` did not write it, or `topic_unknown`: the delivery names no topic.
    """
    try:
        envelope = Node(loads(text.encode()))
        kind = adapter(envelope.need(Node.text, "kind"))
        fields = envelope.need(Node.child, "headers")
        headers = Headers((name, fields.plain(name)) for name in fields.names())
        body = zlib.decompress(base64.b64decode(envelope.need(Node.text, "body"), validate=True))
    except (binascii.Error, zlib.error) as error:
        raise Problem(Code.MESSAGE_INVALID, f"the body cannot be decoded: {error}", "body") from None
    return Inbound(
        channel=envelope.need(Node.text, "channel"),
        adapter=kind.kind,
        topic=envelope.text("topic") or kind.topic_of(headers, body),
        headers=headers,
        body=body,
        received_at=envelope.need(Node.time, "received_at"),
    )
