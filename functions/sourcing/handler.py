"""Sourcing: releases orders and expires reservations that are due. Trigger: SQS `sourcing`."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import Node, loads
from oms.runtime import batch, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.end_reservations import expire_reservation
from oms.usecases.messages import Work, choice
from oms.usecases.release_order import release_order


@logger.invocation("sourcing")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Do the work that the messages name."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    message = Node(loads(record["body"].encode()))
    _WORK[choice(message, "type", Work)](message)


def _release(message: Node) -> None:
    order_id = message.need(Node.text, "order_id")
    if release_order(process.table(), process.network(), order_id, datetime.now(UTC)):
        metrics.add(Metric.ORDERS_RELEASED)


def _expire(message: Node) -> None:
    name = message.need(Node.text, "reservation")
    if expire_reservation(process.table(), process.network(), name, datetime.now(UTC)):
        metrics.add(Metric.RESERVATIONS_EXPIRED)


_WORK: Mapping[Work, Callable[[Node], None]] = {Work.RELEASE: _release, Work.EXPIRE: _expire}
