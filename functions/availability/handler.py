"""Availability: follows every change of stock. Trigger: the table's stream."""

from datetime import UTC, datetime
from typing import Any

from oms.events.publish import Queue
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.announce_stock import announce_stock
from oms.usecases.follow_stock import follow_stock


@logger.invocation("availability")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Keep movements, wake what waits, announce levels; what comes before the first that fails is done."""
    configured = settings.read(settings.Availability)
    sourcing, ats, publish = (
        Queue(clients.sqs(), url)
        for url in (configured.sourcing_queue_url, configured.ats_queue_url, configured.publish_queue_url)
    )
    followed = follow_stock(process.table(), process.network(), sourcing, event["Records"])
    metrics.add(Metric.MOVEMENTS_RECORDED, followed.movements)
    metrics.add(Metric.POSITIONS_EMPTIED, followed.emptied)
    metrics.add(Metric.POSITIONS_SHORT, followed.short)
    announced, failure = announce_stock(
        process.network(), ats, publish, event["Records"], datetime.now(UTC), followed.failure
    )
    logger.note(movements=followed.movements, messages=followed.sent + announced)

    def confirm(record: batch.Record) -> None:
        if failure and record is event["Records"][failure.position]:
            raise failure.error

    return batch.stream(event, confirm, configured.stream_failures)
