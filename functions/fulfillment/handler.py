"""Fulfillment: records what locations and carriers report. Trigger: SQS `fulfillment-events`."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import loads
from oms.runtime import batch, logger
from oms.store import process
from oms.usecases.figures import count_fulfillment
from oms.usecases.messages import parse_fulfillment_event
from oms.usecases.record_rejection import record_fact


@logger.invocation("fulfillment")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Record the facts that the messages report."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    fact = parse_fulfillment_event(loads(record["body"].encode()))
    count_fulfillment(record_fact(process.table(), process.network, fact, datetime.now(UTC)))
