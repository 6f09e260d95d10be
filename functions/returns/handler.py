"""Returns: records what is to come back, what came, what became of it. Trigger: SQS `return-events`."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import loads
from oms.runtime import batch, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.messages import parse_return_event
from oms.usecases.record_return import record_return


@logger.invocation("returns")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Record what the messages say of returns."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    message = parse_return_event(loads(record["body"].encode()))
    change = record_return(process.table(), process.network(), message, datetime.now(UTC))
    metrics.add(Metric.RETURNS_RECEIVED, change.received)
    for outcome, units in change.disposed.items():
        metrics.add(Metric.RETURNS_DISPOSED, units, outcome=outcome)
    if change.refund:
        metrics.add(Metric.REFUNDS_DUE)
        metrics.add(Metric.REFUND_AMOUNT_DUE, change.refund.amount, currency=change.refund.currency)
    for code in change.exceptions:
        metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
