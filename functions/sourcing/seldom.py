"""Work that few messages of sourcing ask for; it is loaded with the first of them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

from oms.channels.payload import Node
from oms.events.messages import Message, expect, reoptimise, serve
from oms.events.publish import Queue
from oms.inventory.network import Network
from oms.orders.model import POSITION_SHORT
from oms.orders.replacing import REPLACED_SHIPPED
from oms.runtime import clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.store.attributes import Item
from oms.store.table import Table
from oms.usecases.cancel_order import Cancelled
from oms.usecases.erase_order import erase_order
from oms.usecases.expect_waiting import expect_waiting
from oms.usecases.expire_unpaid import expire_unpaid
from oms.usecases.figures import count_cancellation
from oms.usecases.give_up_waiting import give_up_waiting
from oms.usecases.messages import Work, page_end
from oms.usecases.reoptimise_backlog import reoptimise_backlog
from oms.usecases.resolve_shortage import resolve_shortage
from oms.usecases.settle_replacement import settle_replacement


def serve_on(sku: str, after: Item, *, described: bool) -> None:
    """Ask for the next page of what waits for a sku; the catalogue of events is loaded for that alone."""
    _send(serve(sku, after, described=described))


def _send(message: Message) -> None:
    url = settings.read(settings.Sourcing).sourcing_queue_url
    Queue(clients.sqs(), url).send([message])


def _expect(message: Node) -> None:
    sku, after = message.need(Node.text, "sku"), message.child("after")
    end, before = (page_end(after), message.need(Node.integer, "before")) if after else (None, 0)
    now = datetime.now(UTC)
    told = expect_waiting(process.table(), process.network(), sku, now, after=end, before=before)
    logger.note(orders=told.orders)
    if told.after:
        _send(expect(sku, told.after, told.before))


def _cancel(end: Callable[[Table, Network, str, datetime], Cancelled | None], message: Node) -> None:
    """Let a use case end an order whose time is over."""
    ended = end(process.table(), process.network(), message.need(Node.text, "order_id"), datetime.now(UTC))
    logger.note(cancelled=ended.cancelled if ended else 0)
    if ended:
        count_cancellation(ended)


def _reoptimise(message: Node) -> None:
    since = message.time("since")
    run = reoptimise_backlog(process.table(), process.network(), datetime.now(UTC), since=since)
    logger.note(deliveries=run.deliveries, moves=run.moves, lost=run.lost)
    metrics.add(Metric.BACKLOG_COST_BEFORE, run.cost_before)
    metrics.add(Metric.BACKLOG_COST_AFTER, run.cost_after)
    metrics.add(Metric.BACKLOG_MOVES_LOST, run.lost)
    if run.since:
        _send(reoptimise(run.since))


def _resolve(message: Node) -> None:
    sku, location = message.need(Node.text, "sku"), message.need(Node.text, "location")
    resolved = resolve_shortage(process.table(), sku, location, datetime.now(UTC))
    logger.note(**asdict(resolved))
    if resolved.exceptions:
        metrics.add(Metric.EXCEPTIONS_OPENED, resolved.exceptions, code=POSITION_SHORT)


def _replace(message: Node) -> None:
    settled = settle_replacement(process.table(), message.need(Node.text, "order_id"), datetime.now(UTC))
    for known in settled.exceptions if settled else ():
        metrics.add(Metric.EXCEPTIONS_OPENED, known.code == REPLACED_SHIPPED, code=REPLACED_SHIPPED)


def _erase(message: Node) -> None:
    erased = erase_order(process.table(), message.need(Node.text, "order_id"), datetime.now(UTC))
    logger.note(erased=str(erased))


WORK: Mapping[Work, Callable[[Node], None]] = {
    Work.SHORTAGE: _resolve,
    Work.UNPAID: partial(_cancel, expire_unpaid),
    Work.ERASE: _erase,
    Work.REPLACE: _replace,
    Work.EXPECT: _expect,
    Work.REOPTIMISE: _reoptimise,
    Work.GIVE_UP: partial(_cancel, give_up_waiting),
}
