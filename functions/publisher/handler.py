"""Publisher: whatever leaves for somebody else's server. Trigger: SQS `publish` and `ats.fifo`.

A message is an event from the bus, or one of our own that names its task. Each is handled by itself: a
server that is slow or down keeps nothing else from leaving.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

from functions.publisher.calls import Document, called, client, configured, open_api, or_later, queue
from oms.channels.payload import Node, loads
from oms.channels.publishing import publishing
from oms.events.publish import Queue
from oms.events.subscribers import Subscriber
from oms.inventory.network import Aspect
from oms.problems import Code, Problem
from oms.runtime import batch, clients, logger, metrics
from oms.runtime.metrics import Metric
from oms.runtime.secrets import Keys
from oms.store import process
from oms.usecases import subscribe
from oms.usecases.notify_subscribers import Outcome, deliver, deliveries
from oms.usecases.postponing import delayed, is_due
from oms.usecases.push_events import to_channel
from oms.usecases.push_listing import Pushed, Wanted, announce, push_listing
from oms.usecases.push_parcel import find_parcel
from oms.usecases.recompute_stock import parse_aspects, parse_recompute, recompute_stock


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
    task = _task(node)
    logger.note(task=str(document["task"]))
    due = node.time("due_at")
    if due is not None and not is_due(node, now):
        queue().send([delayed(document, logger.correlation_id(), due, now)])
        return
    task(document, now)


def _task(message: Node) -> Callable[[Document, datetime], None]:
    name = message.need(Node.text, "task")
    if name in TASKS:
        return TASKS[name]
    from functions.publisher import seldom  # noqa: PLC0415 - most cold starts need none of it

    if name not in seldom.TASKS:
        raise message.invalid("task", f"one of {', '.join((*TASKS, *seldom.TASKS))}")
    return seldom.TASKS[name]


def _tell_subscribers(event: Node, now: datetime) -> None:
    """An event for everybody who wants it; some are for the channel of their order too."""
    document = cast(Document, event.value)
    for name in ("id", "type", "time", "correlationid"):
        event.need(Node.text, name)
    messages = deliveries(document, _subscribers())
    queue().send([*messages, *to_channel(document)])
    logger.note(event=str(document["type"]), subscribers=len(messages))


def _deliver(document: Document, now: datetime) -> None:
    post = client().post_to_stranger
    outcome = deliver(process.table(), _signing(), post, queue(), document, now)
    metrics.add(Metric.WEBHOOKS_SENT, outcome=str(outcome))
    metrics.add(Metric.SUBSCRIBERS_DISABLED, outcome is Outcome.DISABLED)
    logger.note(subscriber=str(document["subscriber"]), outcome=str(outcome))


def _announce(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    sku, aspects = node.need(Node.text, "sku"), parse_aspects(node)
    logger.note(pushes=announce(process.table(), process.network(), queue(), sku, aspects))


def _recompute(document: Document, now: datetime) -> None:
    wanted = parse_recompute(Node(cast(Any, document)))
    ats = Queue(clients.sqs(), configured().ats_queue_url)
    announced = recompute_stock(process.table(), process.network(), ats, queue(), wanted)
    logger.note(cause=wanted.cause, skus=announced)


def _push_listing(document: Document, now: datetime) -> None:
    node = Node(cast(Any, document))
    aspect = Aspect(str(document["task"]).removeprefix("push_"))
    channel, item_id = (node.need(Node.text, name) for name in ("channel", "item_id"))
    wanted = Wanted(aspect, channel, item_id, node.integer("attempt") or 0, node.time("due_at"))
    if not called(channel):
        return
    pushed = push_listing(process.table(), process.network(), open_api, queue(), document, wanted, now)
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
    if not called(channel):
        return
    or_later(lambda: publishing(kind).push_parcel(open_api(channel), parcel), channel, document, now)


def _subscribers() -> tuple[Subscriber, ...]:
    return subscribe.subscribers(process.table())


@cache
def _signing() -> Keys:
    return Keys(configured().keys_secret)


TASKS: Mapping[str, Callable[[Document, datetime], None]] = {
    "deliver": _deliver,
    "announce": _announce,
    "recompute": _recompute,
    **{f"push_{aspect}": _push_listing for aspect in Aspect},
    "push_parcel": _push_parcel,
}
