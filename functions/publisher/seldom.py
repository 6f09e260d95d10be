"""Tasks that few messages of publisher name; they are loaded with the first of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from functions.publisher.calls import Document, apis, called, configured, open_api, or_later, queue
from oms.channels.exchange import Unavailable
from oms.channels.payload import Node
from oms.channels.publishing import publishing, require_cancelling, require_refunding
from oms.events.publish import Queue
from oms.orders.commands import Fetch
from oms.problems import Code, Problem
from oms.runtime import clients, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.fetch_resource import fetch_resource
from oms.usecases.leave_to_person import leave_to_person
from oms.usecases.poll_channel import parse_poll, poll_channel, polls
from oms.usecases.postponing import REFUSED_WAITS_S, postponed
from oms.usecases.push_cancel import find_cancelled
from oms.usecases.push_refund import find_repayment
from oms.usecases.replay_events import parse_replay, replay


def _replay(document: Document, now: datetime) -> None:
    logger.note(events=replay(process.table(), queue(), parse_replay(cast(Any, document))))


def _fetch(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    channel, resource, resource_id = (
        node.need(Node.text, name) for name in ("channel", "resource", "resource_id")
    )
    inbound = Queue(clients.sqs(), configured().inbound_queue_url)

    def fetch() -> None:
        api = apis().open(channel)
        fetch_resource(api, inbound, Fetch(channel, api.kind, resource, resource_id), now)

    or_later(fetch, channel, document, now)


def _push_cancel(document: Document, now: datetime) -> None:
    order_id = Node(cast(Any, document)).need(Node.text, "order_id")
    found = find_cancelled(process.table(), process.network, order_id)
    if found is None or not called(found[0]):
        return
    channel, kind, cancelled = found
    with _or_by_person("cancel_untold", order_id, order_id, document, now):
        require_cancelling(kind, cancelled)
        tell = publishing(kind).push_cancel
        or_later(lambda: tell(open_api(channel), cancelled), channel, document, now)


def _push_refund(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    order_id, refund = (node.need(Node.text, name) for name in ("order_id", "refund"))
    found = find_repayment(process.table(), process.network, order_id, refund)
    if found is None or not called(found[0]):
        return
    channel, kind, repayment = found
    with _or_by_person("refund_untold", order_id, refund, document, now):
        require_refunding(kind, repayment)
        tell = publishing(kind).push_refund
        or_later(lambda: tell(open_api(channel), repayment), channel, document, now)


def _poll_channels(document: Document, now: datetime) -> None:
    messages = polls(process.network())
    queue().send(messages)
    logger.note(channels=len(messages))


def _poll(document: Document, now: datetime) -> None:
    poll = parse_poll(Node(cast(Any, document)))
    if not called(poll.channel):
        return
    inbound = Queue(clients.sqs(), configured().inbound_queue_url)
    try:
        api = apis().open(poll.channel)
        logger.note(orders=poll_channel(process.table(), api, inbound, queue(), poll, now))
    except Unavailable:
        # It is not put off: the next poll begins where this one began.
        metrics.add(Metric.CHANNELS_UNAVAILABLE, channel=poll.channel)


@contextmanager
def _or_by_person(code: str, order_id: str, ref: str, document: Document, now: datetime) -> Iterator[None]:
    """What a channel has no way for, or refuses again and again, is left to a person."""
    try:
        yield
    except Problem as problem:
        if problem.code not in (Code.UNSUPPORTED, Code.CHANNEL_REFUSED):
            raise
        waits = REFUSED_WAITS_S if problem.code is Code.CHANNEL_REFUSED else ()
        again = postponed(document, order_id, now, waits)
        if again is not None:
            queue().send([again])
            return
        leave_to_person(process.table(), order_id, code, ref, now)
        metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
        logger.note(left_to_person=code, detail=problem.detail)


TASKS: Mapping[str, Callable[[Document, datetime], None]] = {
    "replay": _replay,
    "fetch": _fetch,
    "push_cancel": _push_cancel,
    "push_refund": _push_refund,
    "poll_channels": _poll_channels,
    "poll": _poll,
}
