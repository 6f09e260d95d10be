"""Publisher: whatever leaves for somebody else's server. Trigger: SQS `publish` and `ats.fifo`.

A message is an event from the bus, or one of our own that names its task. Each is handled by itself: a
server that is slow or down keeps nothing else from leaving.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from oms.channels.exchange import Api, Unavailable
from oms.channels.payload import Node, loads
from oms.channels.publishing import publishing, require_cancelling, require_refunding
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber
from oms.inventory.network import Aspect
from oms.orders.commands import Fetch
from oms.problems import Code, Problem
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.channel_api import ChannelApis
from oms.runtime.http import Client
from oms.runtime.metrics import Metric
from oms.runtime.secrets import ChannelSecrets, Keys
from oms.store import process
from oms.usecases import subscribe
from oms.usecases.fetch_resource import fetch_resource
from oms.usecases.leave_to_person import leave_to_person
from oms.usecases.notify_subscribers import Outcome, deliver, deliveries
from oms.usecases.poll_channel import parse_poll, poll_channel, polls
from oms.usecases.postponing import CHANNEL_WAITS_S, REFUSED_WAITS_S, delayed, is_due, postponed
from oms.usecases.push_cancel import find_cancelled
from oms.usecases.push_events import to_channel
from oms.usecases.push_listing import Pushed, Wanted, announce, push_listing
from oms.usecases.push_parcel import find_parcel
from oms.usecases.push_refund import find_repayment
from oms.usecases.recompute_stock import parse_aspects, parse_recompute, recompute_stock
from oms.usecases.replay_events import parse_replay, replay

type Document = Mapping[str, Any]


@logger.invocation("publisher")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Send what each message asks for; what fails for now comes back later, what is wrong fails."""
    ordered = event["Records"][0].get("eventSourceARN", "").endswith(".fifo")
    return (batch.fifo if ordered else batch.queue)(event, _handle)


def _handle(record: batch.Record) -> None:
    message = loads(record["body"].encode())
    node, now = Node(message), datetime.now(UTC)
    if not isinstance(message, dict):
        raise Problem(Code.MESSAGE_INVALID, "the message is not a JSON object")
    document = cast(Document, message)
    if node.has("detail-type"):
        _tell_subscribers(node.need(Node.child, "detail"), now)
        return
    task = node.need(Node.text, "task")
    if task not in _TASKS:
        raise node.invalid("task", f"one of {', '.join(_TASKS)}")
    logger.note(task=task)
    due = node.time("due_at")
    if due is not None and not is_due(node, now):
        _queue().send([delayed(document, logger.correlation_id(), due, now)])
        return
    _TASKS[task](document, now)


def _tell_subscribers(event: Node, now: datetime) -> None:
    """An event for everybody who wants it; some are for the channel of their order too."""
    document = cast(Document, event.value)
    for name in ("id", "type", "time", "correlationid"):
        event.need(Node.text, name)
    messages = deliveries(document, _subscribers())
    _queue().send([*messages, *to_channel(document)])
    logger.note(event=str(document["type"]), subscribers=len(messages))


def _deliver(document: Document, now: datetime) -> None:
    post = _client().post_to_stranger
    outcome = deliver(process.table(), _signing(), post, _queue(), document, now)
    metrics.add(Metric.WEBHOOKS_SENT, outcome=str(outcome))
    metrics.add(Metric.SUBSCRIBERS_DISABLED, outcome is Outcome.DISABLED)
    logger.note(subscriber=str(document["subscriber"]), outcome=str(outcome))


def _replay(document: Document, now: datetime) -> None:
    logger.note(events=replay(process.table(), _queue(), parse_replay(cast(Any, document))))


def _fetch(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    channel, resource, resource_id = (
        node.need(Node.text, name) for name in ("channel", "resource", "resource_id")
    )
    inbound = Queue(clients.sqs(), _settings().inbound_queue_url)

    def fetch() -> None:
        api = _apis().open(channel)
        fetch_resource(api, inbound, Fetch(channel, api.kind, resource, resource_id), now)

    _or_later(fetch, channel, document, now)


def _announce(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    sku, aspects = node.need(Node.text, "sku"), parse_aspects(node)
    logger.note(pushes=announce(process.table(), process.network(), _queue(), sku, aspects))


def _recompute(document: Document, now: datetime) -> None:
    wanted = parse_recompute(Node(cast(Any, document)))
    ats = Queue(clients.sqs(), _settings().ats_queue_url)
    announced = recompute_stock(process.table(), process.network(), ats, _queue(), wanted)
    logger.note(cause=wanted.cause, skus=announced)


def _push_listing(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    aspect = Aspect(str(document["task"]).removeprefix("push_"))
    channel, item_id = (node.need(Node.text, name) for name in ("channel", "item_id"))
    wanted = Wanted(aspect, channel, item_id, node.integer("attempt") or 0, node.time("due_at"))
    if not _called(channel):
        return
    pushed = push_listing(process.table(), process.network(), _open, _queue(), document, wanted, now)
    metrics.add(Metric.STOCK_TOLD, aspect is Aspect.STOCK and pushed is Pushed.TOLD, channel=channel)
    metrics.add(Metric.CHANNELS_UNAVAILABLE, pushed is Pushed.POSTPONED, channel=channel)
    logger.note(pushed=str(pushed))


def _push_parcel(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    order_id, shipment = (node.need(Node.text, name) for name in ("order_id", "shipment"))
    told = find_parcel(process.table(), process.network, order_id, shipment)
    if told is None:
        logger.note(told=False)
        return
    channel, kind, parcel = told
    if not _called(channel):
        return
    _or_later(lambda: publishing(kind).push_parcel(_open(channel), parcel), channel, document, now)


def _push_cancel(document: Document, now: datetime) -> None:
    order_id = Node(cast(Any, document)).need(Node.text, "order_id")
    found = find_cancelled(process.table(), process.network, order_id)
    if found is None or not _called(found[0]):
        return
    channel, kind, cancelled = found
    with _or_by_person("cancel_untold", order_id, order_id, document, now):
        require_cancelling(kind, cancelled)
        tell = publishing(kind).push_cancel
        _or_later(lambda: tell(_open(channel), cancelled), channel, document, now)


def _push_refund(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    order_id, refund = (node.need(Node.text, name) for name in ("order_id", "refund"))
    found = find_repayment(process.table(), process.network, order_id, refund)
    if found is None or not _called(found[0]):
        return
    channel, kind, repayment = found
    with _or_by_person("refund_untold", order_id, refund, document, now):
        require_refunding(kind, repayment)
        tell = publishing(kind).push_refund
        _or_later(lambda: tell(_open(channel), repayment), channel, document, now)


def _poll_channels(document: Document, now: datetime) -> None:
    messages = polls(process.network())
    _queue().send(messages)
    logger.note(channels=len(messages))


def _poll(document: Document, now: datetime) -> None:
    poll = parse_poll(Node(cast(Any, document)))
    if not _called(poll.channel):
        return
    inbound = Queue(clients.sqs(), _settings().inbound_queue_url)
    try:
        api = _apis().open(poll.channel)
        logger.note(orders=poll_channel(process.table(), api, inbound, _queue(), poll, now))
    except Unavailable:
        # It is not put off: the next poll begins where this one began.
        metrics.add(Metric.CHANNELS_UNAVAILABLE, channel=poll.channel)


def _called(channel: str) -> bool:
    """Whether a channel has an API; one without is not told of anything, and that is no failure."""
    found = _apis().there_for(channel)
    logger.note(channel=channel, called=found)
    return found


def _open(channel: str) -> Api:
    """The API of a channel that is to be told something.

    Raises:
        Unavailable: it is paused; what waits for it is told later, or found among the dead letters.
        Problem: as `ChannelApis.open` does.
    """
    configured = process.network().channels.get(channel)
    if configured is not None and configured.paused:
        raise Unavailable("the channel is paused")
    return _apis().open(channel)


def _or_later(call: Callable[[], None], channel: str, document: Document, now: datetime) -> None:
    """Call a channel; when it gives no answer that counts, the message comes back later.

    Raises:
        Unavailable: it was the last try, and the dead letters keep the message.
    """
    logger.note(channel=channel)
    try:
        call()
    except Unavailable as error:
        metrics.add(Metric.CHANNELS_UNAVAILABLE, channel=channel)
        again = postponed(document, logger.correlation_id(), now, CHANNEL_WAITS_S, error.after_s)
        if again is None:
            raise
        _queue().send([again])
        logger.note(postponed=True)


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
            _queue().send([again])
            return
        leave_to_person(process.table(), order_id, code, ref, now)
        metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
        logger.note(left_to_person=code, detail=problem.detail)


_TASKS: Mapping[str, Callable[[Document, datetime], None]] = {
    "deliver": _deliver,
    "replay": _replay,
    "fetch": _fetch,
    "announce": _announce,
    "recompute": _recompute,
    **{f"push_{aspect}": _push_listing for aspect in Aspect},
    "push_parcel": _push_parcel,
    "push_cancel": _push_cancel,
    "push_refund": _push_refund,
    "poll_channels": _poll_channels,
    "poll": _poll,
}


def _subscribers() -> tuple[Subscriber, ...]:
    return subscribe.subscribers(process.table())


def _queue() -> Queue:
    return Queue(clients.sqs(), _settings().publish_queue_url)


@cache
def _settings() -> settings.Publisher:
    return settings.read(settings.Publisher)


@cache
def _client() -> Client:
    """One for the process, which remembers the hosts that are down."""
    return Client(_settings().reach)


@cache
def _apis() -> ChannelApis:
    return ChannelApis(ChannelSecrets(_settings().channel_secret_prefix), _client())


@cache
def _signing() -> Keys:
    return Keys(_settings().keys_secret)
