"""Messages to work queues that follow from a change: releases, skus to serve, requests to locations."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, cast

from oms.fulfillment.model import FulfillmentOrder
from oms.orders.claims import awaited
from oms.orders.commands import PlaceOrder
from oms.orders.identity import digest, order_id
from oms.orders.model import Order
from oms.orders.work import WorkStage, work_stage
from oms.store.attributes import Item
from oms.store.keys import iso
from oms.values import frozen

if TYPE_CHECKING:  # they come with the whole catalogue, which whoever sends messages does without
    from oms.events.data import Data
    from oms.events.derive import Event

AT_ONCE = timedelta(seconds=60)
"""Work due this soon after a write does not wait for the clock, which ticks each minute."""

RELEASED = "fulfillment_order.released"
CANCEL_REQUESTED = "fulfillment_order.cancel_requested"
CANCEL_REFUSED = "fulfillment_order.cancel_refused"

REQUESTS: Mapping[str, str] = {
    RELEASED: "fulfillment_requested",
    CANCEL_REQUESTED: "fulfillment_cancel_requested",
}
"""What a location's connector is asked for, by the type of the event that tells of it."""

_REQUEUED = frozenset({"order.reopened", "order.cancelled", "order.edited"})
"""Events with which units begin to wait, or wait no longer, that stand before others in the queue."""

_SERVED_IN = 5
"""Seconds until stock that has just come is given out, most likely."""

LANE_BYTES = 900_000
"""Deliveries in one message of the hot lane: less than a queue takes, as quoting them adds to it."""


@frozen
class Message:
    """A message to a queue.

    Attributes:
        document: its JSON body.
        correlation_id: the order, the sku or the reservation that it is about.
        delay_s: seconds until it may be read (standard queues alone, at most 900).
        group: messages of a group are read in their order (FIFO queues alone).
        id: the same whenever the message is made again (FIFO queues alone).
    """

    document: Mapping[str, object]
    correlation_id: str
    delay_s: int = 0
    group: str | None = None
    id: str | None = None


def release(order_id: str, delay_s: int = 0) -> Message:
    """Asks `sourcing` to release an order."""
    return Message({"type": str(WorkStage.RELEASE), "order_id": order_id}, order_id, delay_s)


def expire(reservation: str) -> Message:
    """Asks `sourcing` to clear a reservation away."""
    return Message({"type": str(WorkStage.EXPIRE), "reservation": reservation}, reservation)


def expire_unpaid(order_id: str) -> Message:
    """Asks `sourcing` to cancel an order unless somebody has paid."""
    return Message({"type": str(WorkStage.UNPAID), "order_id": order_id}, order_id)


def settle_replacement(order_id: str) -> Message:
    """Asks `sourcing` whether an order that replaces another may go to its locations."""
    return Message({"type": str(WorkStage.REPLACE), "order_id": order_id}, order_id)


def erase(order_id: str) -> Message:
    """Asks `sourcing` to remove what an order keeps of a person, if it is done."""
    return Message({"type": str(WorkStage.ERASE), "order_id": order_id}, order_id)


def source(order_id: str) -> Message:
    """Asks `sourcing` for the stock of an order's pending lines."""
    return Message({"type": "source", "order_id": order_id}, order_id)


def serve(sku: str, after: Item | None = None, *, described: bool = False) -> Message:
    """Asks `sourcing` to give units of a sku that wait a source; from where a page ended, if one has.

    `described`: the catalogue says something else of it than when they began to wait.
    """
    document: dict[str, object] = {"type": "serve", "sku": sku}
    document |= ({"described": True} if described else {}) | ({"after": after} if after else {})
    return Message(document, correlated(sku))


def expect(sku: str, after: Item | None = None, before: int = 0) -> Message:
    """Asks `sourcing` to tell what waits for a sku when it comes; from where a page ended, if one has.

    What comes now is given out first.

    Args:
        sku: which.
        after: where the page before ended.
        before: units that wait up to there.
    """
    document: dict[str, object] = {"type": "expect", "sku": sku}
    document |= {"after": after, "before": before} if after else {}
    return Message(document, correlated(sku), delay_s=0 if after else _SERVED_IN)


def expectations_of(
    before: Callable[[], Order | None], after: Order, made: "Iterable[Event]"
) -> Iterator[Message]:
    """What follows from an order that waits for more or less than before, but for what it was given.

    Whoever stands behind it in the queue is served sooner or later than was told, and so may it be.

    Args:
        before: reads the order as it was, None when it was not; few events need it.
        after: as it is.
        made: its events since.
    """
    known = before() if any(event.type in _REQUEUED for event in made) else None
    if known is not None:
        units = awaited(after)
        units.subtract(awaited(known))
        yield from map(expect, dict.fromkeys(sku for (sku, _), count in units.items() if count))


def give_up(order_id: str) -> Message:
    """Asks `sourcing` to cancel what has waited too long in an order."""
    return Message({"type": "give_up", "order_id": order_id}, order_id)


def reoptimise(since: datetime | None = None) -> Message:
    """Asks `sourcing` to plan orders again that wait for their release: due from a time on (UTC), or all."""
    begun = {"since": iso(since)} if since else {}
    return Message({"type": "reoptimise"} | begun, "reoptimise")


def shortage(sku: str, location: str) -> Message:
    """Tells `sourcing` that a position has promised more units than are there."""
    return Message({"type": "shortage", "sku": sku, "location": location}, correlated(sku))


def shortages_of(work: FulfillmentOrder, event: "Event") -> Iterator[Message]:
    """What follows from a refusal to give units up: who else has units of the skus there is asked for them.

    Args:
        work: the fulfillment order.
        event: `CANCEL_REFUSED`.
    """
    skus = {line.line_id: line.sku for line in work.lines}
    lines = cast(list[dict[str, Any]], event.data["lines"])
    return (shortage(sku, work.location) for sku in dict.fromkeys(skus[line["line_id"]] for line in lines))


def correlated(sku: str) -> str:
    """A sku as an attribute of a message takes it: nothing but printable ASCII."""
    return json.dumps(sku)[1:-1]


def release_of(order: Order) -> Message | None:
    """The release that a write has made due: at its time, or None when the clock will find it soon enough.

    Only the order decides, not the time of reading, so that a repeated record gives the same message. It
    waits for the rest of the grace: a release is never early.
    """
    work = work_stage(order)
    if work is None or work[0] is not WorkStage.RELEASE:
        return None
    grace = work[1] - order.journal[-1].at
    if grace > AT_ONCE:
        return None
    return release(order.order_id, max(0, ceil(grace.total_seconds())))


def request_of(work: FulfillmentOrder, event: "Event") -> Message:
    """What a location's connector is asked for (`events/fulfillment_request.v1.json`).

    It carries the address that a parcel needs, unlike any event.

    Args:
        work: the fulfillment order.
        event: one of `REQUESTS`; of a request to cancel only its lines, units and reason are asked for.
    """
    skus = {line.line_id: line.sku for line in work.lines}
    lines: list[Data] = [
        {"line_id": line["line_id"], "sku": skus[line["line_id"]], "units": line["units"]} | _reason(event)
        for line in cast(list[dict[str, Any]], event.data["lines"])
    ]
    address = asdict(work.ship_to) if work.ship_to else {}
    document = {
        "message_id": event.id,
        "type": REQUESTS[event.type],
        "occurred_at": iso(event.time),
        "location": work.location,
        "fulfillment_order": work.public_id,
        "v": event.v,
        "order_number": work.order_number,
        "channel": work.channel,
        "method": str(work.method),
        "service": work.service,
        "ship_to": {name: value for name, value in address.items() if value is not None} or None,
        "consolidation_id": work.consolidation_id,
        "lines": lines,
        "packages": [],
    }
    return Message(document, work.order_id, group=work.public_id, id=event.id)


def _reason(event: "Event") -> "Data":
    return {"reason": event.data["reason"]} if "reason" in event.data else {}


@frozen
class HotOrder:
    """An order for the hot lane of a sku: its command, and the delivery that means it, as it was sealed."""

    sku: str
    command: PlaceOrder
    sealed: str


def to_hot_lane(orders: Sequence[HotOrder]) -> Iterator[Message]:
    """The orders of a batch, those of one sku in one message while it has room, in their order.

    A message that is made again has the same id, unless an order came with other content.
    """
    by_sku: dict[str, list[list[HotOrder]]] = {}
    for order in orders:
        messages = by_sku.setdefault(order.sku, [[]])
        if sum(len(held.sealed) for held in messages[-1]) + len(order.sealed) > LANE_BYTES:
            messages.append([])
        messages[-1].append(order)
    for sku, messages in by_sku.items():
        for held in filter(None, messages):
            names = [order_id(each.command.channel, each.command.channel_order_id) for each in held]
            contents = [f"{each.command.channel_version}#{digest(each.command).hex()}" for each in held]
            yield Message(
                {"deliveries": [each.sealed for each in held]},
                correlation_id=names[0],
                group=hashlib.sha256(sku.encode()).hexdigest(),  # a sku may hold what a group may not
                id="#".join([*names, *contents]),
            )
