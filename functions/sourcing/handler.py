"""Sourcing: releases orders that are due. Trigger: SQS `sourcing`."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import Node, loads
from oms.runtime import batch, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.messages import Work, choice
from oms.usecases.release_order import release_order


@logger.invocation("sourcing")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Release the orders that the messages name."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    message = Node(loads(record["body"].encode()))
    choice(message, "type", Work)
    order_id = message.need(Node.text, "order_id")
    if release_order(process.table(), process.network(), order_id, datetime.now(UTC)):
        metrics.add(Metric.ORDERS_RELEASED)
