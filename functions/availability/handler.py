"""Availability: follows every change of stock. Trigger: the table's stream."""

from typing import Any

from oms.events.publish import Queue
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.follow_stock import follow_stock


@logger.invocation("availability")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Keep the movements of a batch and wake what waits; what comes before the first that fails is done."""
    configured = settings.read(settings.Availability)
    sourcing = Queue(clients.sqs(), configured.sourcing_queue_url)
    followed = follow_stock(process.table(), process.network(), sourcing, event["Records"])
    metrics.add(Metric.MOVEMENTS_RECORDED, followed.movements)
    metrics.add(Metric.POSITIONS_EMPTIED, followed.emptied)
    metrics.add(Metric.POSITIONS_SHORT, followed.short)
    logger.note(movements=followed.movements, messages=followed.sent)
    failure = followed.failure

    def confirm(record: batch.Record) -> None:
        if failure and record is event["Records"][failure.position]:
            raise failure.error

    return batch.stream(event, confirm, configured.stream_failures)
