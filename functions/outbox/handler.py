"""Outbox: hands on the events of changes and the work that follows. Trigger: the table's stream."""

from typing import Any

from oms.events.publish import Bus, Queue
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.usecases.relay_changes import Outlets, relay_changes


@logger.invocation("outbox")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Relay the changes of a batch; those up to the first that fails are done."""
    configured = settings.read(settings.Outbox)
    relayed = relay_changes(event["Records"], _outlets(configured))
    metrics.add(Metric.EVENTS_PUBLISHED, relayed.published)
    metrics.add(Metric.EVENTS_FAILED, relayed.refused)
    logger.note(events=relayed.published, messages=relayed.sent)
    failure = relayed.failure

    def confirm(record: batch.Record) -> None:
        if failure and record is event["Records"][failure.position]:
            raise failure.error

    return batch.stream(event, confirm, configured.stream_failures)


def _outlets(configured: settings.Outbox) -> Outlets:
    sqs = clients.sqs()
    return Outlets(
        bus=Bus(clients.events(), configured.bus_name),
        sourcing=Queue(sqs, configured.sourcing_queue_url),
        requests={name: Queue(sqs, url) for name, url in configured.requests_queue_urls.items()},
    )
