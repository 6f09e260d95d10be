"""Records of queues and streams, one at a time; those that fail come back alone.

Powertools' batch utility does the same for the price of 74 more modules at every cold start.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict

from oms.runtime import logger, metrics
from oms.runtime.metrics import Metric
from oms.runtime.settings import StreamFailures

type Record = Mapping[str, Any]
"""A record as Lambda delivers it: a message of SQS, or a change of a DynamoDB stream."""

type Handle = Callable[[Record], object]


class Failure(TypedDict):
    """The id of a record to deliver again."""

    itemIdentifier: str


class Failures(TypedDict):
    """What a function answers to an event source that takes partial failures."""

    batchItemFailures: list[Failure]


class RecordFailedError(Exception):
    """A record of a stream failed; names it and the type of its error, never its content."""


def queue(event: Mapping[str, Any], handle: Handle) -> Failures:
    """Handle each message of a standard queue; failed ones are delivered again, the others are done.

    Args:
        event: Lambda's event.
        handle: handles one message; it failed when this raises.
    """
    return _failures([r["messageId"] for r in event["Records"] if not _handled(r, handle)])


def fifo(event: Mapping[str, Any], handle: Handle) -> Failures:
    """The same for a FIFO queue: once a message failed, those after it in its group wait for it."""
    failed: list[str] = []
    stopped: set[str] = set()
    for record in event["Records"]:
        group = record["attributes"]["MessageGroupId"]
        if group in stopped or not _handled(record, handle):
            stopped.add(group)
            failed.append(record["messageId"])
    return _failures(failed)


def stream(event: Mapping[str, Any], handle: Handle, failures: StreamFailures) -> Failures:
    """Handle the records of a stream in order and stop at the first that fails.

    Args:
        event: Lambda's event.
        handle: handles one record; it failed when this raises.
        failures: whether to report the failed record or to raise.

    Raises:
        RecordFailedError: a record failed and failures is `raise`.
    """
    for record in event["Records"]:
        if not _handled(record, handle):
            number = record["dynamodb"]["SequenceNumber"]
            if failures is StreamFailures.RAISE:
                raise RecordFailedError(f"record {number} failed")
            return _failures([number])
    return _failures([])


def _handled(record: Record, handle: Handle) -> bool:
    with logger.correlated(_correlation_id(record)):
        try:
            handle(record)
        except Exception as error:  # whatever it is, this record alone failed
            metrics.add(Metric.RECORDS_FAILED, service=logger.service())
            logger.log.error("record failed", extra={"record": _id(record), "error": logger.describe(error)})
            return False
    return True


def _id(record: Record) -> str:
    return str(record.get("messageId") or record["eventID"])


def _correlation_id(record: Record) -> str:
    """The id that the sender put on the message, else the record's own."""
    sent = record.get("messageAttributes", {}).get("correlation_id", {}).get("stringValue")
    return str(sent or _id(record))


def _failures(ids: Iterable[str]) -> Failures:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}
