"""Publishers: the event bus and SQS queues, ten entries a call, each entry confirmed.

Both APIs take up to ten entries of together less than 1 MB, and answer for each whether it was taken.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from oms.events.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

    from oms.events.derive import Event  # with it comes the catalogue, which whoever has a queue does without

CALL_ENTRIES = 10
CALL_BYTES = 1_000_000

_TRIES = 3
_FIRST_PAUSE_S = 0.1
_OVERHEAD_BYTES = 256
"""More than what an entry counts besides its text: type, source, time, attributes."""

type Pause = Callable[[float], None]


class NotTakenError(Exception):
    """Entries were not taken after all tries: `left` of a call, the first at `first`; all before it were."""

    def __init__(self, first: int, left: int, codes: Sequence[str]) -> None:
        super().__init__(f"{left} entries were not taken: {', '.join(sorted(set(codes)))}")
        self.first = first
        self.left = left


class Bus:
    """An event bus.

    Args:
        client: for EventBridge.
        name: of the bus.
        pause: waits a number of seconds between tries.
    """

    def __init__(self, client: "EventBridgeClient", name: str, pause: Pause = time.sleep) -> None:
        self._client = client
        self._name = name
        self._pause = pause

    def publish(self, events: "Sequence[Event]") -> None:
        """Put events on the bus, in their order.

        Raises:
            NotTakenError: some were refused, or the bus did not answer.
        """
        entries: list[dict[str, Any]] = [
            {
                "EventBusName": self._name,
                "Source": document["source"],
                "DetailType": event.type,
                "Time": event.time,
                "Detail": _json(document),
            }
            for event in events
            for document in [event.document()]
        ]
        _send(entries, lambda entry: len(entry["Detail"]), self._put, self._pause)

    def _put(self, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        answer = self._client.put_events(Entries=entries)  # type: ignore[arg-type]  # its entries are typed dicts
        if not answer["FailedEntryCount"]:
            return {}
        return {n: entry["ErrorCode"] for n, entry in enumerate(answer["Entries"]) if entry.get("ErrorCode")}


class Queue:
    """An SQS queue, standard or FIFO.

    Args:
        client: for SQS.
        url: of the queue.
        pause: waits a number of seconds between tries.
    """

    def __init__(self, client: "SQSClient", url: str, pause: Pause = time.sleep) -> None:
        self._client = client
        self._url = url
        self._pause = pause

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages, in their order: of a group none is sent before those ahead of it have been taken.

        Raises:
            NotTakenError: some were refused, or the queue did not answer.
        """
        entries = [_entry(message) for message in messages]
        groups = [message.group for message in messages]
        _send(entries, lambda entry: len(entry["MessageBody"]), self._put, self._pause, groups)

    def _put(self, entries: Sequence[Mapping[str, Any]]) -> dict[int, str]:
        numbered: list[Any] = [{"Id": str(n), **entry} for n, entry in enumerate(entries)]
        answer = self._client.send_message_batch(QueueUrl=self._url, Entries=numbered)
        return {int(entry["Id"]): entry["Code"] for entry in answer.get("Failed", ())}


def _entry(message: Message) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "MessageBody": _json(message.document),
        "MessageAttributes": {
            "correlation_id": {"DataType": "String", "StringValue": message.correlation_id}
        },
    }
    if message.delay_s:
        entry["DelaySeconds"] = message.delay_s
    if message.group is not None and message.id is not None:
        # Ids may hold what others have written; a deduplication id is short and of a small alphabet.
        entry["MessageGroupId"] = message.group
        entry["MessageDeduplicationId"] = hashlib.sha256(message.id.encode()).hexdigest()
    return entry


_json = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
"""ASCII alone, so that a character is a byte and none is one that SQS refuses."""


def _send[T](
    entries: Sequence[T],
    size: Callable[[T], int],
    put: Callable[[Sequence[T]], dict[int, str]],
    pause: Pause,
    groups: Sequence[str | None] = (),
) -> None:
    """Put entries call by call; those refused again, a few times; what follows waits until all are taken.

    A call may be taken in part, so none holds two entries of a group: the later one could come first.
    """
    taken = 0
    for call in _calls(entries, size, groups):
        left = list(range(len(call)))
        for attempt in range(_TRIES):
            if attempt:
                pause(random.uniform(0.5, 1) * _FIRST_PAUSE_S * 2**attempt)
            try:
                refused = put([call[n] for n in left])
            except (ClientError, BotoCoreError) as error:  # tried again by the client already
                raise NotTakenError(taken + left[0], len(left), [_code(error)]) from error
            left = [left[n] for n in sorted(refused)]
            if not left:
                break
        else:
            raise NotTakenError(taken + left[0], len(left), list(refused.values()))
        taken += len(call)


def _calls[T](
    entries: Sequence[T], size: Callable[[T], int], groups: Sequence[str | None]
) -> Iterator[Sequence[T]]:
    """Entries in order, as many a call as one may hold."""
    start = held = 0
    for n, entry in enumerate(entries):
        more = size(entry) + _OVERHEAD_BYTES
        again = bool(groups) and groups[n] is not None and groups[n] in groups[start:n]
        if n - start == CALL_ENTRIES or again or (n > start and held + more > CALL_BYTES):
            yield entries[start:n]
            start, held = n, 0
        held += more
    if entries:
        yield entries[start:]


def _code(error: ClientError | BotoCoreError) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
