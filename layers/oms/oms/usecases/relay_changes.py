"""Relay changes of orders and what belongs to them: work to the queues, public events to the bus."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from oms.events.derive import Event, with_events
from oms.events.messages import (
    CANCEL_REFUSED,
    REQUESTS,
    Message,
    expectations_of,
    release_of,
    request_of,
    shortages_of,
)
from oms.events.publish import Bus, NotTakenError, Queue
from oms.fulfillment.model import FulfillmentOrder
from oms.orders.model import Order
from oms.problems import Code, Problem
from oms.store.attributes import decode
from oms.store.orders import decode_order
from oms.store.stubs import is_stub
from oms.values import frozen

type Change = Mapping[str, Any]
"""A record of the table's stream."""


@frozen
class Outlets:
    """Where changes go: the bus, the queue of `sourcing`, the queue of each connector to locations."""

    bus: Bus
    sourcing: Queue
    requests: Mapping[str, Queue]


@frozen
class Failure:
    """The first change that was not relayed in full, by its position, and why."""

    position: int
    error: Exception


@frozen
class Relayed:
    """Events that the bus has taken and those that it has refused, messages sent, and the failure if any."""

    published: int
    refused: int
    sent: int
    failure: Failure | None


@frozen
class _Outgoing:
    """What follows from changes, each part with the position of its change."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    messages: dict[Queue, list[tuple[int, Message]]] = field(default_factory=dict)

    def send(self, position: int, queue: Queue, message: Message) -> None:
        self.messages.setdefault(queue, []).append((position, message))


def relay_changes(changes: Sequence[Change], outlets: Outlets) -> Relayed:
    """Relay changes in their order, up to the first that fails.

    A call to a queue or the bus carries what follows from several changes. Work goes first: a bus that is
    down delays news, not parcels. To relay a change again is harmless, as its events and messages have the
    same ids; so a part of what follows from changes after the failed one may have gone out already.

    Args:
        changes: records of the stream.
        outlets: where they go.
    """
    outgoing = _Outgoing()
    failure = None
    for position, change in enumerate(changes):
        try:
            _collect(outgoing, position, change, outlets)
        except Exception as error:  # whatever is wrong with it, those before it are relayed
            failure = Failure(position, error)
            break
    sent = 0
    for queue, messages in outgoing.messages.items():
        taken, _, failure = deliver(messages, queue.send, failure)
        sent += taken
    published, refused, failure = deliver(outgoing.events, outlets.bus.publish, failure)
    return Relayed(published, refused, sent, failure)


def _collect(outgoing: _Outgoing, position: int, change: Change, outlets: Outlets) -> None:
    images = change["dynamodb"]
    if "NewImage" not in images:
        return
    old = images.get("OldImage", {})
    entity, made = with_events(decode(images["NewImage"]), int(old["v"]["N"]) if "v" in old else 0)
    if made and isinstance(entity, Order):
        release = release_of(entity)
        if release:
            outgoing.send(position, outlets.sourcing, release)
        for message in expectations_of(lambda: _order(old), entity, made):
            outgoing.send(position, outlets.sourcing, message)
    for event in made:
        if isinstance(entity, FulfillmentOrder):
            if event.type in REQUESTS and entity.connector:
                queue = _requests(outlets, entity.connector)
                outgoing.send(position, queue, request_of(entity, event))
            if event.type == CANCEL_REFUSED:
                for message in shortages_of(entity, event):
                    outgoing.send(position, outlets.sourcing, message)
        if event.public:
            outgoing.events.append((position, event))


def _order(image: Mapping[str, Any]) -> Order | None:
    """The order of an image; None when it has none, or a stub."""
    item = decode(image)
    return decode_order(item) if item and not is_stub(item) else None


def _requests(outlets: Outlets, connector: str) -> Queue:
    if connector not in outlets.requests:
        raise Problem(Code.INTERNAL, f"connector {connector} has no queue of requests", "connector")
    return outlets.requests[connector]


def deliver[T](
    parts: Sequence[tuple[int, T]], take: Callable[[Sequence[T]], None], failure: Failure | None
) -> tuple[int, int, Failure | None]:
    """Deliver the parts of the changes before the failed one.

    Args:
        parts: each with the position of its change, in their order.
        take: takes them all, or raises `NotTakenError`.
        failure: the first that is known so far.

    Returns:
        How many were taken at least, how many were not, and the first failure, which may be an earlier one.
    """
    due = [(position, part) for position, part in parts if failure is None or position < failure.position]
    try:
        take([part for _, part in due])
    except NotTakenError as error:
        return error.first, error.left, Failure(due[error.first][0], error)
    return len(due), 0, failure
