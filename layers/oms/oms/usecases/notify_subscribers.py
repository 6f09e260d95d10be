"""Notify subscribers: every public event to each endpoint that wants it, by Standard Webhooks 1.0.

An event becomes one message for each subscriber, so that one that is down keeps no other waiting. The
messages of one event have one id whenever they are sent, so a receiver knows repetitions by it.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from oms.channels.exchange import Request, Response, Unavailable
from oms.channels.payload import Node
from oms.channels.standard_webhooks import signed
from oms.events.messages import Message
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber
from oms.problems import Code, Problem
from oms.runtime.http import retry_after
from oms.runtime.secrets import Keys
from oms.store.table import Table
from oms.usecases import subscribe
from oms.usecases.postponing import WEBHOOK_WAITS_S, postponed
from oms.values import replace

DISABLED_AFTER = timedelta(days=3)
"""How long nothing was taken when an endpoint is given up, with the event that has had its last try."""

_GONE = 410

type Post = Callable[[Request], Response]
"""Posts to an endpoint that somebody else has named, once."""


class Outcome(StrEnum):
    """What became of one try."""

    DELIVERED = "delivered"
    POSTPONED = "postponed"
    GIVEN_UP = "given_up"
    DISABLED = "disabled"
    DROPPED = "dropped"


def deliveries(event: Mapping[str, object], subscribers: Iterable[Subscriber]) -> list[Message]:
    """The messages of an event (a CloudEvents document), one for each subscriber that wants it."""
    return [
        Message({"task": "deliver", "subscriber": each.id, "event": event}, str(event["correlationid"]))
        for each in subscribers
        if each.wants(str(event["type"]))
    ]


def deliver(
    table: Table, signing: Keys, post: Post, queue: Queue, document: Mapping[str, object], now: datetime
) -> Outcome:
    """Try to deliver an event to a subscriber; what fails is sent again on the recommended schedule.

    Success is a status of 200 to 299. 410 disables the subscriber, and so does an event that has had its last
    try when nothing else was taken for days. What was not delivered can be replayed.

    Args:
        table: the store.
        signing: what secrets are derived from.
        post: posts to the endpoint.
        queue: takes the message for its next try.
        document: of the message: subscriber, event, and how often it was tried.
        now: UTC.

    Raises:
        Problem: the message has no event.
        NotTakenError: the queue did not take the message for its next try.
    """
    node = Node(dict(document))  # type: ignore[arg-type]  # it was read from JSON
    name, event = node.need(Node.text, "subscriber"), node.need(Node.child, "event")
    subscriber = subscribe.find(table, name, consistent=False)
    if subscriber is None or not subscriber.active:
        subscriber = subscribe.find(table, name)  # it may have subscribed a moment ago
    if subscriber is None or not subscriber.active:
        return Outcome.DROPPED
    request = _request(subscriber, event, signing, now)
    try:
        answer: Response | None = post(request)
        wait = retry_after(answer, now) if answer else None
    except Unavailable as error:
        answer, wait = None, error.after_s
    except Problem as problem:
        if problem.code is not Code.ADDRESS_REFUSED:
            raise
        answer, wait = None, None
    if answer is not None and answer.good:
        if subscriber.failing_since is not None:
            subscribe.amend(table, name, lambda known: replace(known, failing_since=None))
        return Outcome.DELIVERED
    if answer is not None and answer.status == _GONE:
        subscribe.amend(table, name, lambda known: _disabled(known, "gone"))
        return Outcome.DISABLED
    if subscriber.failing_since is None:
        subscribe.amend(table, name, lambda known: replace(known, failing_since=known.failing_since or now))
    again = postponed(document, event.need(Node.text, "correlationid"), now, WEBHOOK_WAITS_S, wait)
    if again is not None:
        queue.send([again])
        return Outcome.POSTPONED
    since = subscriber.failing_since
    if since is not None and since <= now - DISABLED_AFTER:
        subscribe.amend(table, name, lambda known: _disabled(known, "failing"))
        return Outcome.DISABLED
    return Outcome.GIVEN_UP


def _disabled(subscriber: Subscriber, reason: str) -> Subscriber:
    return replace(subscriber, active=False, disabled_reason=reason) if subscriber.active else subscriber


def _request(subscriber: Subscriber, event: Node, signing: Keys, now: datetime) -> Request:
    """The body has the attributes of CloudEvents 1.0 beside those of Standard Webhooks."""
    body = json.dumps(_body(event), separators=(",", ":"), ensure_ascii=False).encode()
    signing_keys = [subscribe.key_of(signing, subscriber.id, each) for each in subscriber.generations(now)]
    headers = signed(message_id(event.need(Node.text, "id")), body, signing_keys, now)
    return Request("POST", subscriber.url, {"Content-Type": "application/json", **headers}, body)


def _body(event: Node) -> Mapping[str, object]:
    document = event.value
    assert isinstance(document, dict), "an event is an object"
    return {"type": document["type"], "timestamp": document["time"], **document}


def message_id(event_id: str) -> str:
    """The id of an event's messages: ids of events have dots, which this protocol does not take."""
    digest = hashlib.sha256(event_id.encode()).digest()
    return "msg_" + base64.b32encode(digest).decode().rstrip("=").lower()[:32]
