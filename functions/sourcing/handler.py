"""Sourcing: releases orders, serves what waits, ends reservations and shortages. Trigger: SQS `sourcing`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import Node, loads
from oms.runtime import batch, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.end_reservations import expire_reservation
from oms.usecases.messages import Work, choice, page_end
from oms.usecases.release_order import release_order
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.source_order import source_order


@logger.invocation("sourcing")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Do the work that the messages name."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    message = Node(loads(record["body"].encode()))
    work = choice(message, "type", Work)
    if work in WORK:
        WORK[work](message)
    else:
        from functions.sourcing import seldom  # noqa: PLC0415 - most cold starts need none of it

        seldom.WORK[work](message)


def _release(message: Node) -> None:
    order_id = message.need(Node.text, "order_id")
    if release_order(process.table(), process.network(), order_id, datetime.now(UTC)):
        metrics.add(Metric.ORDERS_RELEASED)


def _expire(message: Node) -> None:
    name = message.need(Node.text, "reservation")
    if expire_reservation(process.table(), process.network(), name, datetime.now(UTC)):
        metrics.add(Metric.RESERVATIONS_EXPIRED)


def _source(message: Node) -> None:
    order_id = message.need(Node.text, "order_id")
    source_order(process.table(), process.network(), order_id, datetime.now(UTC))


def _serve(message: Node) -> None:
    sku, after = message.need(Node.text, "sku"), message.child("after")
    table, network = process.table(), process.network()
    end = page_end(after) if after else None
    described = message.flag("described")
    served = serve_waiting(table, network, sku, datetime.now(UTC), after=end, described=described)
    metrics.add(Metric.UNITS_SERVED, served.units)
    if served.after:
        from functions.sourcing import seldom  # noqa: PLC0415 - see above

        seldom.serve_on(sku, served.after, described=described)


WORK: Mapping[Work, Callable[[Node], None]] = {
    Work.RELEASE: _release,
    Work.EXPIRE: _expire,
    Work.SOURCE: _source,
    Work.SERVE: _serve,
}
