"""Clock: finds the work that is due. Trigger: SQS `clock`, which gets a tick each minute."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import loads
from oms.events.publish import Queue
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.sweep_due import parse_tick, sweep_due


@logger.invocation("clock")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Sweep what the messages want swept; ticks that have piled up are one."""
    configured = settings.read(settings.Clock)
    sourcing, clock = (
        Queue(clients.sqs(), url) for url in (configured.sourcing_queue_url, configured.clock_queue_url)
    )
    swept: set[str] = set()

    def sweep(record: batch.Record) -> None:
        if record["body"] in swept:
            return
        now = datetime.now(UTC)
        for page in parse_tick(loads(record["body"].encode())):
            due = sweep_due(process.table(), sourcing, clock, page, now)
            metrics.add(Metric.BACKLOG_DUE, due, stage=str(page.stage))
        swept.add(record["body"])

    return batch.queue(event, sweep)
