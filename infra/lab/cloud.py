"""The services that functions call, and what starts functions: queues, the table's stream, a bus, secrets.

All of it is as `template.yaml` has it: queues with their timeouts and dead letters, event sources with their
batch sizes, filters and retries, the functions' time limits and environment. Delivery is at least once, and
in any order where AWS promises none.
"""

import base64
import json
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any
from zlib import crc32

import urllib3
from botocore.exceptions import ReadTimeoutError

from infra.lab.chance import Chance, waited
from infra.lab.expressions import Image
from infra.lab.faults import Crash, Faults, never
from infra.lab.memory_table import Change, Earlier, ItemKey, MemoryTable, cancelled, error
from infra.lab.scheduler import Scheduler
from infra.lint.template import Template, load
from oms.channels.exchange import Request, Response
from oms.channels.headers import Headers

type Event = dict[str, Any]
type Done = Callable[[Any], None]
"""Told what a function has answered; None when its process ended."""

TABLE = "Table"
SHARDS = 2
"""Shards of the stream: what happens to one item stays in order, what happens to several does not."""

STALE_S = 2.0
"""For how long an eventually consistent read may miss a write."""

SKEW_S = 1.5
"""By how much a function's clock may be ahead, or behind."""

SPARED_AFTER = 3
"""Deliveries of a message or a batch after which nothing more goes wrong: faults make no dead letters."""

_STREAM_S = (0.1, 0.4, 2.0)
"""How long a change waits for its reader on average; a run has one of these. The longer, the more of them are
read at once."""

_CALL_S = 0.004
_SLOW = 400
_RETRY_S = 1.0
_ENTRIES = 10
_THROTTLED = {
    "dynamodb": "ThrottlingException",
    "sqs": "RequestThrottled",
    "events": "InternalException",
    "secretsmanager": "InternalServiceError",
}


@dataclass(slots=True)
class Invocation:
    """One call of a function, from start to end.

    Attributes:
        function: its name.
        name: tells it apart from every other invocation of the run, and is the same in a similar run.
        deadline: when its time is over.
        skew: seconds that its clock is ahead.
        spared: whether nothing goes wrong with it.
        slow: factor of its delays.
        calls: how many it has made.
        dead: whether its process has ended.
        down: the service that refuses every call of it.
    """

    function: str
    name: str
    deadline: float
    skew: float
    spared: bool
    slow: float = 1.0
    calls: int = 0
    dead: bool = False
    down: str | None = None


@dataclass(slots=True)
class Message:
    """A message in a queue; an echo is a second delivery of one that is confirmed whatever becomes of it."""

    id: str
    body: str
    attributes: Mapping[str, Any]
    group: str | None
    visible_at: float
    receives: int = 0
    echo: bool = False


@dataclass(slots=True)
class Queue:
    """A queue as the template has it."""

    name: str
    fifo: bool
    delay_s: float
    visibility_s: float
    most_receives: int
    dead: str | None
    messages: dict[str, Message] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    seen: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """What starts a function: a queue or the stream."""

    function: str
    queue: str | None
    batch: int
    concurrency: int
    most_retries: int = 0
    filters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """What the template says, as far as the lab uses it."""

    queues: Mapping[str, tuple[bool, float, float, int, str | None]]
    sources: tuple[Source, ...]
    handlers: Mapping[str, str]
    timeouts: Mapping[str, int]
    environment: Mapping[str, str]


@cache
def stack() -> Stack:
    """The stack of the template.

    Raises:
        ValueError: two functions are given different values by one name.
    """
    template = load()
    environment: dict[str, str] = {}
    handlers: dict[str, str] = {}
    timeouts: dict[str, int] = {}
    for name, properties in template.of("AWS::Lambda::Function"):
        handlers[name] = properties["Handler"].rpartition(".")[0]
        timeouts[name] = int(properties["Timeout"])
        for variable, value in properties["Environment"]["Variables"].items():
            if environment.setdefault(variable, str(value)) != str(value):
                raise ValueError(f"{variable} is not the same for all functions")
    queues = {name: _queue(properties) for name, properties in template.of("AWS::SQS::Queue")}
    return Stack(queues, tuple(_sources(template)), handlers, timeouts, environment)


def _queue(properties: Mapping[str, Any]) -> tuple[bool, float, float, int, str | None]:
    redrive = properties.get("RedrivePolicy")
    dead = redrive["deadLetterTargetArn"].partition(".")[0] if redrive else None
    return (
        bool(properties.get("FifoQueue")),
        float(properties.get("DelaySeconds", 0)),
        float(properties.get("VisibilityTimeout", 30)),
        int(redrive["maxReceiveCount"]) if redrive else 0,
        dead,
    )


def _sources(template: Template) -> Iterable[Source]:
    for _, properties in template.of("AWS::Lambda::EventSourceMapping"):
        resource = properties["EventSourceArn"].partition(".")[0]
        filters = properties.get("FilterCriteria", {}).get("Filters", ())
        yield Source(
            function=properties["FunctionName"],
            queue=None if resource == TABLE else resource,
            batch=int(properties["BatchSize"]),
            concurrency=int(properties.get("ScalingConfig", {}).get("MaximumConcurrency", 10)),
            most_retries=int(properties.get("MaximumRetryAttempts", 0)),
            filters=tuple(json.loads(each["Pattern"]) for each in filters),
        )


@dataclass(slots=True)
class _Shard:
    """What a function has still to be told of one shard of the stream."""

    source: Source
    number: int
    name: str
    records: list[tuple[str, Event]] = field(default_factory=list)
    attempts: int = 0
    busy: bool = False


class Cloud:
    """The services of one run.

    Args:
        scheduler: runs the functions.
        chance: of the run.
        faults: what goes wrong.
        secrets: values of Secrets Manager by name.
        tell: writes the history; None keeps none.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        faults: Faults,
        secrets: Mapping[str, str],
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._faults = faults
        self._secrets = secrets
        self._tell = tell
        self._stack = stack()
        self.table = MemoryTable(
            TABLE, on_change=self._changed, stale=self._stale, clock=lambda: scheduler.now
        )
        self.changes: list[Change] = []
        self.queues = {name: Queue(name, *settings) for name, settings in self._stack.queues.items()}
        self.bus: list[Mapping[str, Any]] = []
        self.failed: list[tuple[str, Event]] = []
        self.servers: Callable[[Request], Response] | None = None
        self.watch: Callable[[Change], None] = lambda change: None
        self._running: dict[str, int] = {}
        self._bodies: dict[tuple[str, int], int] = {}
        self._versions: dict[ItemKey, int] = {}
        self.calls = 0
        self._reads = 0
        self._stream_s = chance.choice(_STREAM_S, "stream")
        self._by_queue = {source.queue: source for source in self._stack.sources if source.queue}
        self._consumers: dict[str, Callable[[Sequence[Event]], None]] = {}
        self._shards = [
            _Shard(source, number, f"{source.function} {number}")
            for source in self._stack.sources
            if source.queue is None
            for number in range(SHARDS)
        ]
        self._handlers: Mapping[str, Callable[[Event, object], Any]] = handlers()
        self._operations: Mapping[str, Callable[..., Any]] = {
            **{name: getattr(self.table, name) for name in _OF_THE_TABLE},
            "send_message": self._send_message,
            "send_message_batch": self._send_message_batch,
            "put_events": self._put_events,
            "get_secret_value": self._get_secret_value,
        }

    # ---- functions

    def invoke(self, function: str, name: str, event: Event, done: Done, *, spared: bool = False) -> None:
        """Start a function now.

        Args:
            function: its logical id.
            name: tells the invocation apart.
            event: what it is given.
            done: told its answer; None when its process ended.
            spared: whether nothing goes wrong with it.
        """
        invocation = Invocation(
            function,
            name,
            self._scheduler.now + self._stack.timeouts[function],
            self._chance.between(-SKEW_S, SKEW_S, "skew", name) if self._faults.on else 0.0,
            spared or not self._faults.on,
        )
        if not invocation.spared and self._faults.strike("slow", name):
            invocation.slow = self._chance.between(1, _SLOW, "slowness", name)
        handler = self._handlers[function]

        def work() -> None:
            answer = None
            try:
                answer = handler(event, None)
                self._told(name, "answers", answer)
            except Crash as crash:
                self._told(name, "ends", crash)
            except Exception as failure:  # noqa: BLE001 (the runtime reports it and starts anew)
                self._told(name, "raises", repr(failure))
            answered = answer
            self._scheduler.at(self._scheduler.now, lambda: done(answered))

        self._told(name, "starts", "")
        self._scheduler.spawn(self._scheduler.now, work, invocation)

    @property
    def invocation(self) -> Invocation | None:
        """The invocation that runs."""
        worker = self._scheduler.current
        return worker.data if worker and isinstance(worker.data, Invocation) else None

    def call(self, service: str, operation: str, request: Mapping[str, Any]) -> Any:
        """A call of a function to a service, with whatever goes wrong with it.

        Raises:
            Crash: the process ends here, or has ended.
            ReadTimeoutError: the call was made and its answer lost.
            ClientError: the service's answer.
        """
        make = self._operations[operation]
        invocation = self.invocation
        if invocation is None:
            return make(**request)
        self.calls += 1
        invocation.calls += 1
        name = f"{invocation.name} call {invocation.calls} {operation}"
        wait, fault = self._chance.two(name)
        self._begin(invocation, wait)
        strike = never if invocation.spared else self._faults.at_call(name, fault)
        if strike is never and invocation.down is None and not self._tell:  # most calls
            self._reads = 0
            return make(**request)
        if strike("crash before"):
            raise self._death(invocation, f"before {operation}")
        if strike("down"):
            invocation.down = service
        if invocation.down == service or strike("throttled"):
            raise error(operation, _THROTTLED[service], "slow down")
        if service == "dynamodb" and operation in _CONFLICTING and strike("conflict"):
            raise self._conflict(name, operation, request)
        try:
            answer = self._made(name, make, operation, request, strike)
            if operation != "transact_write_items" and strike("twice"):
                self._scheduler.wait(self._chance.delay(_RETRY_S, "again", name))
                answer = self._made(f"{name} again", make, operation, request, strike)
        except Exception as failure:
            self._told(name, request, "raises", failure)
            raise
        finally:  # an error can be lost, or be the last thing before the crash, as well as an answer
            if strike("crash after"):
                raise self._death(invocation, f"after {operation}")
            if strike("lost"):
                raise ReadTimeoutError(endpoint_url=f"https://aws.invalid/{operation}")
        self._told(name, request, "gets", answer)
        return answer

    def ask(self, request: Request) -> Response:
        """A request to a server of somebody else, with whatever goes wrong with it.

        Raises:
            Crash: the process ends here, or has ended.
            ReadTimeoutError: the server has done it, or has not, and its answer is lost.
        """
        invocation = self.invocation
        assert invocation is not None, "functions alone call others"
        self.calls += 1
        invocation.calls += 1
        name = f"{invocation.name} call {invocation.calls} {request.method} {request.url}"
        wait, fault = self._chance.two(name)
        self._begin(invocation, wait)
        # Not spared: what is refused is postponed, so nothing becomes a dead letter.
        strike = self._faults.at_call(name, fault)
        if strike("crash before") and not invocation.spared:
            raise self._death(invocation, f"before {request.method}")
        if strike("throttled"):
            return Response(429, Headers([("Retry-After", "2")]), b"{}")
        if strike("down"):
            return Response(503, Headers(), b"")
        assert self.servers is not None, "nobody is told of anything without servers"
        answer = self.servers(request)
        self._told(name, request.body, "gets", answer.body)
        if strike("crash after") and not invocation.spared:
            raise self._death(invocation, f"after {request.method}")
        if strike("lost"):
            raise urllib3.exceptions.ReadTimeoutError(None, None, "lost")  # type: ignore[arg-type]  # no pool to tell of
        return answer

    def _begin(self, invocation: Invocation, drawn: float) -> None:
        """Let the time of a call pass, by a number from 0 up to 1.

        Raises:
            Crash: the process has ended, or its time is over.
        """
        if invocation.dead:
            raise Crash("it has ended")
        self._scheduler.wait(waited(_CALL_S * invocation.slow, drawn))
        if self._scheduler.now > invocation.deadline:
            raise self._death(invocation, "its time is over")

    def _death(self, invocation: Invocation, why: str) -> Crash:
        invocation.dead = True
        return Crash(why)

    def _made(
        self,
        name: str,
        make: Callable[..., Any],
        operation: str,
        request: Mapping[str, Any],
        strike: Callable[[str], bool],
    ) -> Any:
        """The call's effect and answer; of a batch perhaps a part alone."""
        part = _PARTS.get(operation)
        if part is None:
            self._reads = 0
            return make(**request)
        entries = request[part] if part != "RequestItems" else None
        if entries is None or not strike("refused"):
            return make(**request)
        left = {n for n in range(len(entries)) if self._chance.happens(0.5, "left", name, n)}
        taken = [entry for n, entry in enumerate(entries) if n not in left]
        answer = make(**{**request, part: taken}) if taken else {}
        if operation == "put_events":
            codes = [{"ErrorCode": "ThrottlingException"} if n in left else {} for n in range(len(entries))]
            return {"FailedEntryCount": len(left), "Entries": codes}
        failed = [{"Id": entries[n]["Id"], "Code": "InternalError", "SenderFault": False} for n in left]
        return {**answer, "Failed": failed} if failed else answer

    def _conflict(self, name: str, operation: str, request: Mapping[str, Any]) -> Exception:
        """Another transaction in the way of some items of a write, mixed with what else is wrong."""
        if operation != "transact_write_items":
            return error(operation, "TransactionConflictException", "Transaction is ongoing for the item")
        reasons = self.table.reasons(**request)
        struck = self._chance.below(len(reasons), "which", name)
        for number in range(len(reasons)):
            if number == struck or self._chance.happens(0.3, "which", name, number):
                reasons[number] = {"Code": "TransactionConflict", "Message": "ongoing for the item"}
        return cancelled(reasons)

    def _stale(self, earlier: Sequence[Earlier]) -> int | None:
        invocation = self.invocation
        if invocation is None or invocation.spared:
            return None
        horizon = self._scheduler.now - STALE_S
        recent = [n for n, image in enumerate(earlier) if image.superseded_at > horizon]
        self._reads += 1
        name = f"{invocation.name} call {invocation.calls} item {self._reads}"
        if not recent or not self._faults.strike("stale", name):
            return None
        return self._chance.choice(recent, "how stale", name)

    def told_of(self, failure: BaseException) -> None:
        """Note in the history what a function logs of an error."""
        if self._tell and self.invocation:
            place = traceback.extract_tb(failure.__traceback__)[-1]
            self._told(self.invocation.name, f"logs {failure!r} at {place.name}:{place.lineno}")

    def _told(self, *parts: object) -> None:
        if self._tell:
            self._tell(" ".join(map(_short, parts)))

    # ---- secrets and the bus

    def _get_secret_value(self, *, SecretId: str) -> Event:  # noqa: N803 (boto3's)
        if SecretId not in self._secrets:
            raise error("GetSecretValue", "ResourceNotFoundException", "there is no such secret")
        return {"SecretString": self._secrets[SecretId]}

    def _put_events(self, *, Entries: Sequence[Mapping[str, Any]]) -> Event:  # noqa: N803 (boto3's)
        assert 0 < len(Entries) <= _ENTRIES, "EventBridge takes one to ten entries"
        self.bus += [json.loads(entry["Detail"]) for entry in Entries]
        if self.servers:
            for entry in Entries:
                event = {"detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
                self.send("PublishQueue", json.dumps(event))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    # ---- queues

    def send(self, queue: str, body: str, *, delay: float = 0) -> None:
        """Put a message into a queue, as a location or a schedule does."""
        self._enqueue(queue, {"MessageBody": body, "DelaySeconds": delay})

    def consume(self, queue: str, consumer: Callable[[Sequence[Event]], None]) -> None:
        """Let somebody outside read a queue."""
        self._consumers[queue] = consumer
        self._by_queue[queue] = Source("", queue, _ENTRIES, 1)

    def _send_message(self, **request: Any) -> Event:
        self._enqueue(request["QueueUrl"], request)
        return {"MessageId": "1"}

    def _send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> Event:  # noqa: N803
        assert 0 < len(Entries) <= _ENTRIES, "SQS takes one to ten entries"
        for entry in Entries:
            self._enqueue(QueueUrl, entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def _enqueue(self, name: str, entry: Mapping[str, Any]) -> None:
        queue = self.queues[name]
        now = self._scheduler.now
        if queue.fifo:
            twin = f"{entry['MessageGroupId']}#{entry['MessageDeduplicationId']}"
            if queue.seen.get(twin, -1.0) > now:
                return
            queue.seen[twin] = now + 300
        content = (name, crc32(entry["MessageBody"].encode()))
        self._bodies[content] = self._bodies.get(content, 0) + 1
        message = Message(
            id=f"{name} {content[1]:08x}.{self._bodies[content]}",
            body=entry["MessageBody"],
            attributes=entry.get("MessageAttributes", {}),
            group=entry.get("MessageGroupId"),
            visible_at=now + (entry.get("DelaySeconds") or queue.delay_s),
        )
        queue.messages[message.id] = message
        self._wake(queue, message)

    def _wake(self, queue: Queue, message: Message) -> None:
        pause = self._chance.delay(0.05, "poll", message.id, message.receives)
        self._scheduler.at(message.visible_at + pause, lambda: self._poll(queue))

    def _poll(self, queue: Queue) -> None:
        """Give some of what is visible to the function that reads the queue."""
        source = self._by_queue.get(queue.name) if queue.messages else None
        if source is None or self._running.get(queue.name, 0) >= source.concurrency:
            return
        batch = self._receive(queue, source)
        if not batch:
            return
        consumer = self._consumers.get(queue.name)
        records = [_sqs_record(message) for message in batch]
        if consumer is not None:
            consumer(records)
            self._confirm(queue, batch, [])
            return
        first = batch[0]
        echo = " echo" if first.echo else ""
        name = f"{first.id}x{len(batch)} #{first.receives}{echo}"
        self._running[queue.name] = self._running.get(queue.name, 0) + 1

        def done(answer: Any) -> None:
            self._running[queue.name] -= 1
            failed = [m.id for m in batch]
            if answer is not None:
                failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
            self._confirm(queue, batch, failed)
            self._poll(queue)

        spared = any(message.receives >= SPARED_AFTER for message in batch)
        self.invoke(source.function, name, {"Records": records}, done, spared=spared)

    def _receive(self, queue: Queue, source: Source) -> list[Message]:
        now = self._scheduler.now
        if queue.fifo:
            held = set(queue.busy)
            ready = []
            for message in queue.messages.values():
                if message.group not in held and message.visible_at <= now:
                    ready.append(message)
                else:
                    held.add(message.group or "")  # what follows in the group waits for it
        else:
            ready = [message for message in queue.messages.values() if message.visible_at <= now]
            if len(ready) > 1:
                ready.sort(key=lambda message: self._chance.draw("order", message.id, message.receives))
        if not ready:
            return []
        most = 1 + self._chance.below(source.batch, "batch", ready[0].id, ready[0].receives)
        batch = []
        for message in ready[:most]:
            message.receives += 1
            if queue.most_receives and message.receives > queue.most_receives and not message.echo:
                self._bury(queue, message)
                continue
            message.visible_at = now + queue.visibility_s
            batch.append(message)
            if queue.fifo:
                queue.busy.add(message.group or "")
            elif not message.echo and self._faults.strike("duplicate", message.id, message.receives):
                self._echo(queue, message)
        if batch or len(ready) <= most:
            return batch
        return self._receive(queue, source)

    def _echo(self, queue: Queue, message: Message) -> None:
        name = ("echo", message.id, message.receives)
        soon = self._chance.happens(0.5, *name, "soon")
        later = self._scheduler.now + self._chance.delay(0.02 if soon else 20, *name)
        twin = Message(
            f"{message.id} echo {message.receives}",
            message.body,
            message.attributes,
            None,
            later,
            echo=True,
        )
        queue.messages[twin.id] = twin
        self._wake(queue, twin)

    def _bury(self, queue: Queue, message: Message) -> None:
        del queue.messages[message.id]
        assert queue.dead is not None, "what has a limit has dead letters"
        self._told(message.id, "goes to", queue.dead)
        self.queues[queue.dead].messages[message.id] = message

    def _confirm(self, queue: Queue, batch: Sequence[Message], failed: Sequence[str]) -> None:
        for message in batch:
            queue.busy.discard(message.group or "")
            if message.id in failed and not message.echo:
                self._wake(queue, message)
            else:
                queue.messages.pop(message.id, None)

    # ---- the stream

    def _changed(self, change: Change) -> None:
        self.changes.append(change)
        self.watch(change)
        self._versions[change.key] = version = self._versions.get(change.key, 0) + 1
        record = None
        number = crc32(change.key.pk.encode()) % SHARDS
        kind = _event_name(change)
        for shard in self._shards:
            if shard.number == number and _wanted(shard.source.function, kind, change.key):
                record = record or _stream_record(change, self._scheduler.now)
                shard.records.append((f"{change.key.pk} {change.key.sk} v{version}", record))
                self._read_on(shard, self._stream_s)

    def _read_on(self, shard: _Shard, mean: float) -> None:
        if shard.busy or not shard.records:
            return
        shard.busy = True
        pause = self._chance.delay(mean, "shard", shard.name, shard.records[0][0], shard.attempts)
        self._scheduler.at(self._scheduler.now + pause, lambda: self._deliver(shard))

    def _deliver(self, shard: _Shard) -> None:
        first = shard.records[0][0]
        most = max(1, shard.source.batch >> shard.attempts)  # a batch that failed is cut in half
        batch = shard.records[: 1 + self._chance.below(min(most, 20), "batch", shard.name, first)]

        def done(answer: Any) -> None:
            shard.busy = False
            if answer is not None and not answer["batchItemFailures"]:
                del shard.records[: len(batch)]
                shard.attempts = 0
            else:
                done_of = 0
                if answer is not None:
                    failed = answer["batchItemFailures"][0]["itemIdentifier"]
                    numbers = [record["dynamodb"]["SequenceNumber"] for _, record in batch]
                    done_of = numbers.index(failed)
                shard.attempts = 1 if done_of else shard.attempts + 1
                del shard.records[:done_of]
                if shard.attempts > shard.source.most_retries:
                    given_up = batch[done_of:]
                    self.failed += [(shard.source.function, record) for _, record in given_up]
                    del shard.records[: len(given_up)]
                    shard.attempts = 0
            self._read_on(shard, self._stream_s if not shard.attempts else 2.0)

        self.invoke(
            shard.source.function,
            f"{shard.name} {first}x{len(batch)} #{shard.attempts}",
            {"Records": [record for _, record in batch]},
            done,
            spared=shard.attempts >= SPARED_AFTER,
        )

    # ---- rest

    @property
    def unread(self) -> list[str]:
        """What somebody has still to read: messages of queues that are read, records of the stream."""
        messages = [m.id for name in self._by_queue for m in self.queues[name].messages.values()]
        return messages + [name for shard in self._shards for name, _ in shard.records]

    def dead_letters(self) -> dict[str, list[Message]]:
        """What was given up on, by dead-letter queue."""
        dead = {queue.dead for queue in self.queues.values() if queue.dead}
        return {name: list(self.queues[name].messages.values()) for name in sorted(dead)}


_CONFLICTING = {"transact_write_items", "put_item", "update_item", "delete_item"}
_OF_THE_TABLE = (*_CONFLICTING, "get_item", "batch_get_item", "batch_write_item", "query", "scan")
_PARTS = {"send_message_batch": "Entries", "put_events": "Entries"}


@cache
def handlers() -> dict[str, Callable[[Event, object], Any]]:
    """The handlers of all functions, by logical id."""
    from importlib import import_module  # noqa: PLC0415 (they must be imported after the environment is set)

    return {name: import_module(module).handler for name, module in stack().handlers.items()}


def _event_name(change: Change) -> str:
    return "REMOVE" if change.new is None else "INSERT" if change.old is None else "MODIFY"


@lru_cache(maxsize=1 << 14)
def _wanted(function: str, kind: str, key: ItemKey) -> bool:
    """Whether a function's filters let a change through; of filters those on keys and event names."""
    shown = {"eventName": kind, "dynamodb": {"Keys": {"PK": {"S": key.pk}, "SK": {"S": key.sk}}}}
    (filters,) = (
        source.filters for source in stack().sources if (source.function, source.queue) == (function, None)
    )
    return not filters or any(_matches(pattern, shown) for pattern in filters)


def _matches(pattern: Any, value: Any) -> bool:
    """Whether a value has what a pattern of EventBridge's kind asks for: equal texts and prefixes."""
    if isinstance(pattern, dict):
        return all(name in value and _matches(inner, value[name]) for name, inner in pattern.items())
    return any(
        value.startswith(choice["prefix"]) if isinstance(choice, dict) else value == choice
        for choice in pattern
    )


def _sqs_record(message: Message) -> Event:
    attributes = {"ApproximateReceiveCount": str(message.receives)}
    if message.group is not None:
        attributes["MessageGroupId"] = message.group
    return {
        "messageId": message.id,
        "receiptHandle": message.id,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in message.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{message.id.partition(' ')[0]}",
    }


_FIRST_SECOND = 1795339800


def _stream_record(change: Change, now: float) -> Event:
    """A record of the stream as Lambda delivers it."""
    images = {"NewImage": change.new, "OldImage": change.old}
    return {
        "eventID": f"{change.sequence:032x}",
        "eventName": _event_name(change),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": _FIRST_SECOND + int(now),
            "Keys": {"PK": {"S": change.key.pk}, "SK": {"S": change.key.sk}},
            **{name: _lambda_form(image) for name, image in images.items() if image is not None},
            "SequenceNumber": f"{change.sequence:021d}",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/oms/stream/1",
    }


def _lambda_form(image: Image) -> Image:
    """An image as Lambda has it in JSON: binary values, which stand at the top alone, are base64 text."""
    binary = {name: value["B"] for name, value in image.items() if "B" in value}
    texts = {name: {"B": base64.b64encode(value).decode()} for name, value in binary.items()}
    return {**image, **texts} if texts else image


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 300 else f"{text[:300]}.."
