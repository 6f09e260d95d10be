"""`oms dlq list`, `redrive` and `drop`: what was given up on, and what becomes of it."""

import argparse
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched, islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.cli.arguments import positive
from infra.cli.events import outlets
from infra.cli.target import Target, add_stack_argument, opened
from oms.channels.envelope import unseal
from oms.channels.registry import adapter
from oms.events.publish import NotTakenError
from oms.orders.identity import order_id
from oms.problems import Code, Problem
from oms.store.attributes import moment
from oms.store.configuration import read_network
from oms.store.keys import iso
from oms.usecases.follow_stock import follow_stock
from oms.usecases.relay_changes import Change, Failure, relay_changes

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

type Message = MessageTypeDef

_HIDDEN_S = 300
"""How long a received message is hidden from others, if this command ends without giving it back."""

_WAIT_S = 1
"""How long a receive waits: at all, or only some of SQS's servers are asked."""

_AGE_WITHIN = timedelta(minutes=15)
_BATCH = 10

_SHOWN = (
    *("type", "message_id", "order_id", "fulfillment_order", "reference", "location", "stage", "shard"),
    *("task", "channel", "resource", "resource_id", "item_id", "sku", "shipment", "subscriber", "attempt"),
)
"""Members of our own messages that are ids and codes: what may be shown of one."""

_SHOWN_OF_BATCH = ("batchSize", "approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord")
_SHOWN_ATTRIBUTES = ("correlation_id", "ERROR_CODE")
"""The second is EventBridge's: why it could not deliver."""

_QUEUE_OUTPUTS = ("QueueUrl", "DeadLettersUrl", "FailuresUrl")
"""How outputs end that are URLs of queues."""

_TRIMMED = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException"})


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of what was given up on.

    Attributes:
        name: without the stack's name before it.
        url: of the queue.
        source_url: where its messages come from; None for ranges of the stream that a reader gave up on.
        messages: how many there are, approximately.
        in_flight: how many more somebody is looking at.
    """

    name: str
    url: str
    source_url: str | None
    messages: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of the stream: what it does with changes, and what is left to do when they are lost."""

    follow: Callable[[Target, Sequence[Change]], Failure | None]
    when_lost: str


def _follow_stock(stack: Target, changes: Sequence[Change]) -> Failure | None:
    network = read_network(stack.table)
    return follow_stock(stack.table, network, outlets(stack).sourcing, changes).failure


READERS: Mapping[str, Reader] = {
    "outbox-failures": Reader(
        lambda stack, changes: relay_changes(changes, outlets(stack)).failure,
        "derive their events again by `oms events replay`",
    ),
    "availability-failures": Reader(
        _follow_stock, "`oms stock history` shows what the movements that are missing added up to"
    ),
}
"""The readers of the stream, by the queue that they leave behind what they gave up on."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `dlq` group to the `oms` command."""
    group = subparsers.add_parser("dlq", help="list, redrive and drop what was given up on")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="print every such queue, or the messages in one")
    listing.set_defaults(run=run_list)
    listing.add_argument("--queue", metavar="NAME", help="the messages in this one")
    listing.add_argument("--limit", type=positive, default=100, help="messages at most (default: 100)")
    listing.add_argument(
        "--bodies", action="store_true", help="with the whole messages, personal data included"
    )

    redrive = commands.add_parser(
        "redrive",
        help="send messages back to where they failed",
        description="Each message is sent to its queue, then deleted here. If that is interrupted, "
        "it is there twice: everything that reads our queues takes a message twice without harm. Of what "
        "readers of the stream left behind the changes themselves are handled again, while the stream has "
        "them (24 hours).",
    )
    redrive.set_defaults(run=run_redrive)
    redrive.add_argument("--queue", metavar="NAME", required=True, help="as `list` prints it")
    redrive.add_argument("--limit", type=positive, help="messages at most (default: all)")
    redrive.add_argument("--id", action="append", metavar="MESSAGE_ID", help="only this one; repeat for more")

    drop = commands.add_parser("drop", help="delete messages for good")
    drop.set_defaults(run=run_drop, limit=None)
    drop.add_argument("--queue", metavar="NAME", required=True, help="as `list` prints it")
    which = drop.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", action="append", metavar="MESSAGE_ID", help="this one; repeat for more")
    which.add_argument("--all", action="store_true", help="everything in it")


def run_list(args: argparse.Namespace) -> None:
    """Print the queues, or the messages of one, one JSON line each."""
    with opened(args.stack) as stack:
        queues = _queues(stack)
        if args.queue is None:
            ages = _oldest_ages(stack, queues)
            for queue in queues:
                print(json.dumps(_described(queue, ages.get(queue.url))))
            return
        with closing(_messages(stack.sqs, _named(queues, args.queue).url)) as messages:
            for message in islice(messages, args.limit):
                print(json.dumps(_shown(message, whole=args.bodies), ensure_ascii=False))


def run_redrive(args: argparse.Namespace) -> None:
    """Send messages back, and print each that was sent, one JSON line each."""
    _empty(args, _send_back, "redriven")


def run_drop(args: argparse.Namespace) -> None:
    """Delete messages, and print each, one JSON line each."""
    _empty(args, lambda stack, queue, message: None, "dropped")


def _empty(args: argparse.Namespace, first: Callable[[Target, Queue, Message], None], done: str) -> None:
    """Delete the messages that are wanted, after `first` has done something with each."""
    with opened(args.stack) as stack:
        queue = _named(_queues(stack), args.queue)
        wanted = set(args.id or ())
        count = 0
        with closing(_messages(stack.sqs, queue.url)) as messages:
            for message in messages:
                if args.id and message["MessageId"] not in wanted:
                    continue
                first(stack, queue, message)
                stack.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
                print(json.dumps({done: message["MessageId"], "queue": queue.name}), flush=True)
                wanted.discard(message["MessageId"])
                count += 1
                if count == args.limit or (args.id and not wanted):
                    break
    if wanted:
        raise Problem(Code.NOT_FOUND, f"not in {queue.name} now: {', '.join(sorted(wanted))}", "id")


def _queues(stack: Target) -> list[Queue]:
    """The queues that have no dead-letter queue of their own, by name."""
    urls = [url for output, url in stack.outputs.items() if output.endswith(_QUEUE_OUTPUTS)]
    attributes = {
        url: stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in urls
    }
    sources = {
        json.loads(known["RedrivePolicy"])["deadLetterTargetArn"]: url
        for url, known in attributes.items()
        if "RedrivePolicy" in known
    }
    queues = [
        Queue(
            name=stack.queue_name(url),
            url=url,
            source_url=sources.get(known["QueueArn"]),
            messages=int(known["ApproximateNumberOfMessages"]),
            in_flight=int(known["ApproximateNumberOfMessagesNotVisible"]),
        )
        for url, known in attributes.items()
        if "RedrivePolicy" not in known
    ]
    return sorted(queues, key=lambda queue: queue.name)


def _named(queues: Sequence[Queue], name: str) -> Queue:
    for queue in queues:
        if queue.name == name:
            return queue
    there = ", ".join(queue.name for queue in queues)
    raise Problem(Code.NOT_FOUND, f"there is no dead-letter queue {name}; there are {there}", "queue")


def _oldest_ages(stack: Target, queues: Sequence[Queue]) -> dict[str, int]:
    """Seconds since the oldest message came, by URL, as CloudWatch knew it last; locally it does not."""
    now = datetime.now(UTC)
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": queue.url.rpartition("/")[2]}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for number, queue in enumerate(queues)
    ]
    answer = stack.cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - _AGE_WITHIN, EndTime=now, ScanBy="TimestampDescending"
    )
    latest = {result["Id"]: result["Values"][0] for result in answer["MetricDataResults"] if result["Values"]}
    return {queue.url: int(latest[f"q{n}"]) for n, queue in enumerate(queues) if f"q{n}" in latest}


def _described(queue: Queue, oldest_age_s: int | None) -> dict[str, object]:
    return {
        "queue": queue.name,
        "messages": queue.messages,
        "in_flight": queue.in_flight,
        "oldest_age_s": oldest_age_s if queue.messages else None,
    }


def _messages(sqs: "SQSClient", url: str) -> Generator[Message]:
    """The messages of a queue, hidden from others meanwhile; when closed, those not deleted are given back.

    Of a FIFO queue's group that is the first ten, until these are deleted.
    """
    held: dict[str, str] = {}
    try:
        while True:
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=_WAIT_S,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            # One that comes again was not deleted in time.
            new = [message for message in answer.get("Messages", ()) if message["MessageId"] not in held]
            held |= {message["MessageId"]: message["ReceiptHandle"] for message in new}
            if not new:
                return
            yield from new
    finally:
        for batch in batched(held.values(), _BATCH, strict=False):
            # Deleted ones are refused, each by itself.
            sqs.change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(batch)
                ],
            )


def _shown(message: Message, *, whole: bool) -> dict[str, object]:
    """What may be seen of a message: ids, codes and times, unless the whole of it is wanted."""
    system = message["Attributes"]
    attributes = message.get("MessageAttributes", {})
    shown: dict[str, object] = {
        "id": message["MessageId"],
        "receives": int(system["ApproximateReceiveCount"]),
        "sent_at": iso(moment(int(system["SentTimestamp"]))),
    }
    for name in _SHOWN_ATTRIBUTES:
        if name in attributes:
            shown[name.lower()] = attributes[name]["StringValue"]
    return shown | _ids(message["Body"]) | ({"body": message["Body"]} if whole else {})


def _ids(body: str) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {"problem": str(Code.MESSAGE_INVALID)}
    match document:
        case {"DDBStreamBatchInfo": dict(batch), "requestContext": {"condition": condition}}:
            return {"condition": condition} | {name: batch.get(name) for name in _SHOWN_OF_BATCH}
        case {"channel": channel, "kind": kind, "headers": _}:
            return {"channel": channel, "kind": kind} | _delivery(body)
        case {"deliveries": list(deliveries)}:  # of the hot lane
            return {"deliveries": [_ids(str(delivery)) for delivery in deliveries]}
        case dict():
            return {name: document[name] for name in _SHOWN if name in document}
    return {"problem": str(Code.MESSAGE_INVALID)}


def _delivery(body: str) -> dict[str, object]:
    """What a channel's delivery is about, or why it cannot be read."""
    try:
        inbound = unseal(body)
        commands = list(adapter(inbound.adapter).parse(inbound))
    except Problem as problem:
        return {"problem": str(problem.code), "field": problem.field}
    numbers = {str(number) for c in commands if (number := getattr(c, "channel_order_id", None))}
    return {
        "topic": inbound.topic,
        "commands": [command.command for command in commands],
        "order_ids": sorted(order_id(inbound.channel, number) for number in numbers),
    }


def _send_back(stack: Target, queue: Queue, message: Message) -> None:
    """Hand a message to what could not handle it."""
    if queue.source_url is None:
        _follow_again(stack, READERS[queue.name], message["Body"])
        return
    request: dict[str, Any] = {
        "QueueUrl": queue.source_url,
        "MessageBody": message["Body"],
        "MessageAttributes": message.get("MessageAttributes", {}),
    }
    if queue.source_url.endswith(".fifo"):
        # The queue may still know the id that it was first sent with, and would drop it.
        request["MessageGroupId"] = message["Attributes"]["MessageGroupId"]
        request["MessageDeduplicationId"] = message["MessageId"]
    stack.sqs.send_message(**request)


def _follow_again(stack: Target, reader: Reader, body: str) -> None:
    """Do what a reader of the stream could not: the record that it left behind says where in the stream."""
    try:
        batch = json.loads(body)["DDBStreamBatchInfo"]
        start = {"StreamArn": batch["streamArn"], "ShardId": batch["shardId"]}
        start["SequenceNumber"] = batch["startSequenceNumber"]
        end = int(batch["endSequenceNumber"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Problem(
            Code.MESSAGE_INVALID, "this is not what a stream leaves when it is given up on"
        ) from None
    try:
        changes = _changes(stack, start, end)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _TRIMMED:
            raise
        detail = f"the stream has lost these changes: {reader.when_lost}"
        raise Problem(Code.NOT_FOUND, detail) from None
    failure = reader.follow(stack, changes)
    if failure:
        number = changes[failure.position]["dynamodb"]["SequenceNumber"]
        raise Problem(Code.UNAVAILABLE, f"record {number} fails again: {_reason(failure.error)}")


def _changes(stack: Target, start: Mapping[str, str], end: int) -> list[Change]:
    """The records of the stream from a sequence number on, up to another."""
    answer = stack.streams.get_shard_iterator(**start, ShardIteratorType="AT_SEQUENCE_NUMBER")
    changes: list[Change] = []
    while iterator := answer.get("ShardIterator") or answer.get("NextShardIterator"):
        answer = stack.streams.get_records(ShardIterator=iterator)
        for record in answer["Records"]:
            if int(record["dynamodb"]["SequenceNumber"]) > end:
                return changes
            changes.append(record)
        if changes and int(changes[-1]["dynamodb"]["SequenceNumber"]) == end:
            return changes
    return changes


def _reason(error: Exception) -> str:
    """Type and, of our own errors, text; others may quote what they failed on."""
    known = isinstance(error, Problem | NotTakenError)
    return f"{type(error).__name__}: {error}" if known else type(error).__name__
