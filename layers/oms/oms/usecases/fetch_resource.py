"""Fetch a resource that a channel's notification only named, and take it in as if the channel had sent it."""

import json
from datetime import datetime

from oms.channels.envelope import seal
from oms.channels.exchange import Api
from oms.channels.fetching import fetch
from oms.channels.headers import Headers
from oms.channels.protocol import Inbound
from oms.channels.registry import adapter
from oms.events.messages import Message, correlated
from oms.events.publish import Queue
from oms.orders.commands import Fetch
from oms.problems import Code, Problem


def to_fetch(wanted: Fetch) -> Message:
    """Asks `publisher` to fetch a resource."""
    document = {
        "task": "fetch",
        "channel": wanted.channel,
        "resource": wanted.resource,
        "resource_id": wanted.resource_id,
    }
    return Message(document, correlated(wanted.resource_id))


def fetch_resource(api: Api, inbound: Queue, wanted: Fetch, now: datetime) -> int:
    """Fetch a resource and send it to `inbound`, where verified deliveries of webhooks go too.

    What is sent has been read by the kind's adapter before: a page in place of a resource stays here, to be
    asked for again, and an answer that only names the resource once more does not go round in circles.

    Args:
        api: of the channel.
        inbound: the queue that `intake` reads.
        wanted: which resource.
        now: UTC.

    Returns:
        How many messages were sent.

    Raises:
        Problem: nothing reads such a resource, or the channel did not answer with it.
        Unavailable: the channel gave no answer that counts.
        NotTakenError: the queue did not take everything.
    """
    kind = adapter(api.kind)
    messages: list[Message] = []
    for found in fetch(api, wanted.resource, wanted.resource_id):
        read = Inbound(wanted.channel, kind.kind, found.topic, Headers(), found.body, now)
        if wanted in (command for command in kind.parse(read) if isinstance(command, Fetch)):
            detail = f"the channel's answer does not hold all of {wanted.resource} {wanted.resource_id}"
            raise Problem(Code.CHANNEL_REFUSED, detail)
        sealed = seal(wanted.channel, kind, Headers(), found.body, now, found.topic)
        messages.append(Message(json.loads(sealed), to_fetch(wanted).correlation_id))
    inbound.send(messages)
    return len(messages)
