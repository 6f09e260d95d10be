"""Returns: records what is to come back, what came, what became of it. Trigger: SQS `return-events`."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.payload import loads
from oms.runtime import batch, logger
from oms.store import process
from oms.usecases.figures import count_return
from oms.usecases.messages import parse_return_event
from oms.usecases.record_return import record_return


@logger.invocation("returns")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Record what the messages say of returns."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    message = parse_return_event(loads(record["body"].encode()))
    count_return(record_return(process.table(), process.network(), message, datetime.now(UTC)))
