"""Progress: what a fact about a fulfillment order changes in it, its order, its shipments and stock."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import (
    FulfillmentOrder,
    FulfillmentState,
    RequestLine,
    Shipment,
    ShipmentState,
    ShippedLine,
)
from oms.fulfillment.recall import decided, with_unwanted
from oms.inventory.model import Delta, Deltas, Position, add
from oms.inventory.movements import Redated
from oms.orders.journal import Journaled
from oms.orders.model import Order, OrderLine
from oms.orders.status import is_complete
from oms.values import frozen, replace

PROGRESS: tuple[FulfillmentState, ...] = (
    FulfillmentState.RELEASED,
    FulfillmentState.ACCEPTED,
    FulfillmentState.PICKING,
    FulfillmentState.PACKED,
    FulfillmentState.READY_FOR_PICKUP,
    FulfillmentState.CLOSED,
)
"""The way forward. A fact moves a fulfillment order to its place or leaves it when it is already further."""

REACHED: dict[FactKind, FulfillmentState] = {
    FactKind.ACCEPTED: FulfillmentState.ACCEPTED,
    FactKind.PICKING: FulfillmentState.PICKING,
    FactKind.PACKED: FulfillmentState.PACKED,
    FactKind.READY_FOR_PICKUP: FulfillmentState.READY_FOR_PICKUP,
}
"""The state that each fact without packages leaves a fulfillment order in."""


@frozen
class Shipping:
    """What a shipped fact writes in one transaction; `shipments` holds only the packages that are new."""

    order: Order
    fulfillment_order: FulfillmentOrder
    shipments: tuple[Shipment, ...]
    deltas: Deltas


@frozen
class Dated:
    """What it changes to know when a parcel left; what of earlier movements happened then, by sku."""

    shipment: Shipment
    deltas: Deltas
    redated: Mapping[str, tuple[Redated, ...]]


def advance(fulfillment_order: FulfillmentOrder, kind: FactKind, now: datetime) -> FulfillmentOrder:
    """The fulfillment order after a fact about the work in it; unchanged when it is already that far.

    A repeated or late message changes nothing; an early one jumps over the states that it skips. Only states
    of PROGRESS move; a cancelled fulfillment order stays cancelled until something is shipped. Work goes on
    while its location has been asked to give it up.
    """
    target = REACHED[kind]
    stage = fulfillment_order.stage
    if stage not in PROGRESS or PROGRESS.index(stage) >= PROGRESS.index(target):
        return fulfillment_order
    asked = bool(fulfillment_order.recalls)
    moved = replace(fulfillment_order, before=target) if asked else replace(fulfillment_order, state=target)
    return moved.written(now, str(kind))


def skus_shipped(fulfillment_order: FulfillmentOrder, fact: FulfillmentFact) -> set[str]:
    """The skus whose positions a shipped fact may touch."""
    named = {packed.line_id for package in fact.packages for packed in package.lines}
    everything = any(not package.lines for package in fact.packages)
    return {line.sku for line in fulfillment_order.lines if everything or line.line_id in named}


def ship(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    known: Mapping[str, Shipment],
    positions: Mapping[str, Position],
    fact: FulfillmentFact,
    now: datetime,
) -> Shipping | None:
    """Record packages that have left a location; None when every package of the fact is known already.

    On hand and allocated fall together. A count of the position later than the shipment has left the parcel
    out already, so on hand is not moved again. Units beyond what the fulfillment order still asks for have
    left all the same: on hand falls, and an exception is opened. So it is when fewer are left than the
    location was asked to give up: shipped beats a request to cancel.

    Args:
        order: the header.
        fulfillment_order: the work that the fact is about.
        known: shipments of the order recorded before, by id.
        positions: at the location, by sku, as seen now.
        fact: the message; its packages may be repeated.
        now: time of the write, UTC.
    """
    deltas: Deltas = {}
    shipments: list[Shipment] = []
    lines = {line.line_id: line for line in order.lines}
    requests = {line.line_id: line for line in fulfillment_order.lines}
    for package in fact.packages:
        shipment_id = f"{fulfillment_order.id}.{package.package_id}"
        if shipment_id in known or any(shipment.id == shipment_id for shipment in shipments):
            continue
        if not package.lines and not _everything(requests):
            continue  # it holds all that remained, and nothing did
        contents: list[ShippedLine] = []
        moved: list[list[object]] = []
        for packed in package.lines or _everything(requests):
            request = requests.get(packed.line_id)
            line = lines.get(packed.line_id)
            if request is None or line is None:
                order = order.with_exception("shipped_beyond_request", shipment_id, now)
                continue
            explained = min(packed.units, request.remaining)
            if explained < packed.units:
                order = order.with_exception("shipped_beyond_request", shipment_id, now)
            requests[packed.line_id] = _shipped(request, explained)
            lines[packed.line_id] = _consume(line, fulfillment_order.id, explained)
            contents.append(ShippedLine(packed.line_id, request.sku, packed.units))
            if line.touches_stock:
                seen = positions.get(request.sku, Position(request.sku, fulfillment_order.location))
                gone = Delta(on_hand=-packed.units, allocated=-explained)
                left = seen.unseen(gone, fact.occurred_at)
                add(deltas, request.sku, fulfillment_order.location, left)
                moved.append([request.sku, packed.units, explained])
        told = _occurred(fact) | ({"moved": moved} if fact.kind is FactKind.DELIVERED else {})
        shipments.append(
            _shipment(order, fulfillment_order, package, shipment_id, contents, fact).written(
                now, "shipped", data=told
            )
        )
    if not shipments:
        return None
    shipped = fulfillment_order.with_lines(requests)
    lost = decided(fulfillment_order, shipped)
    if lost:
        shipped = with_unwanted(shipped, lost)
        order = order.with_exception("cancel_refused", shipped.id, now)
    if not any(line.remaining for line in requests.values()):
        shipped = replace(shipped, state=FulfillmentState.CLOSED, recalls=(), before=None)
    names = [shipment.id for shipment in shipments]
    return Shipping(
        _told(order.with_lines(lines), names, lost, now),
        _told(shipped, names, _kept(fulfillment_order, requests), now),
        tuple(shipments),
        deltas,
    )


def _told[T: Journaled](one: T, shipments: list[str], kept: Mapping[str, int], now: datetime) -> T:
    """An order or its work after parcels, with units by line in them that were asked back."""
    data = {"shipments": shipments}
    if kept:
        return one.written(now, "shipped", "cancel_refused", data=data | {"refused": dict(kept)})
    return one.written(now, "shipped", data=data)


def overtaken(shipment: Shipment, fact: FulfillmentFact) -> bool:
    """Whether a shipped fact tells when a parcel left that was known only to have arrived, by then."""
    first = shipment.journal[0].data
    dated = any("dated" in entry.kinds for entry in shipment.journal)
    return "moved" in first and not dated and _time_of(first) > fact.occurred_at


def date(
    shipment: Shipment, positions: Mapping[str, Position], fact: FulfillmentFact, now: datetime
) -> Dated:
    """Record when an overtaken parcel left: what was counted between then and its arrival has left it out.

    Args:
        shipment: as it stands.
        positions: at its location, by sku, as seen now.
        fact: the message that it was shipped.
        now: time of the write, UTC.
    """
    first = shipment.journal[0].data
    was = _time_of(first)
    deltas: Deltas = {}
    redated: dict[str, tuple[Redated, ...]] = {}
    for sku, units, explained in cast(Iterable[tuple[str, int, int]], first["moved"]):
        gone = Delta(on_hand=-units, allocated=-explained)
        add(deltas, sku, shipment.location, positions[sku].redated(gone, was, fact.occurred_at))
        moved = Redated(was, {"on_hand": -units, "allocated": -explained})
        redated[sku] = (*redated.get(sku, ()), moved)
    return Dated(shipment.written(now, "dated", data=_occurred(fact)), deltas, redated)


def _time_of(told: Mapping[str, object]) -> datetime:
    return datetime.fromisoformat(str(told["occurred_at"]))


def deliver(shipment: Shipment, fact: FulfillmentFact, now: datetime) -> Shipment:
    """The shipment after a delivered fact; unchanged when it is delivered already, or was sent back later."""
    gone_back = (ShipmentState.RETURNING, ShipmentState.RETURNED_TO_SENDER)
    if shipment.state is ShipmentState.DELIVERED or (
        shipment.state in gone_back and shipment.state_at >= fact.occurred_at
    ):
        return shipment
    return replace(shipment, state=ShipmentState.DELIVERED, state_at=fact.occurred_at).written(
        now, "delivered", data=_occurred(fact)
    )


def record_deliveries(order: Order, shipments: Mapping[str, Shipment], now: datetime) -> Order:
    """The order with the delivered units of all its shipments counted anew, closed when that completes it.

    Counting anew instead of adding makes the write repeatable after a crash. Unchanged when nothing differs.

    Args:
        order: the header.
        shipments: every shipment of the order, by id.
        now: time of the write, UTC.
    """
    delivered: dict[str, int] = {}
    for shipment in shipments.values():
        if any("delivered" in entry.kinds for entry in shipment.journal):  # it may be on its way back since
            for packed in shipment.lines:
                delivered[packed.line_id] = delivered.get(packed.line_id, 0) + packed.units
    changed = {
        line.line_id: replace(line, delivered=units)
        for line in order.lines
        if (units := min(line.shipped, delivered.get(line.line_id, 0))) > line.delivered
    }
    if not changed:
        return order
    order = order.with_lines(changed)
    arrived = {line_id: line.delivered for line_id, line in changed.items()}
    if order.closed_at is None and is_complete(order):
        return replace(order, closed_at=now).written(now, "delivered", "closed", data={"delivered": arrived})
    return order.written(now, "delivered", data={"delivered": arrived})


def _kept(before: FulfillmentOrder, after: Mapping[str, RequestLine]) -> dict[str, int]:
    """Units by line that have left although the location was asked to give them up."""
    asked = {line.line_id: min(line.remaining, before.recalled(line.line_id)) for line in before.lines}
    return {name: more for name, units in asked.items() if (more := units - after[name].remaining) > 0}


def _everything(requests: Mapping[str, RequestLine]) -> list[PackedUnits]:
    return [PackedUnits(line.line_id, line.remaining) for line in requests.values() if line.remaining]


def _shipped(request: RequestLine, units: int) -> RequestLine:
    """Units leave from those packed first, then those picked, then those nobody had reported."""
    packed = min(request.packed, units)
    picked = min(request.picked, units - packed)
    return replace(
        request,
        packed=request.packed - packed,
        picked=request.picked - picked,
        shipped=request.shipped + units,
    )


def _consume(line: OrderLine, fulfillment_order: str, units: int) -> OrderLine:
    """Move units of a line from its entries in a fulfillment order to shipped."""
    entries, used = line.entries_without(fulfillment_order, units)
    return replace(line, entries=entries, shipped=line.shipped + used)


def _shipment(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    package: Package,
    shipment_id: str,
    contents: list[ShippedLine],
    fact: FulfillmentFact,
) -> Shipment:
    return Shipment(
        order_id=order.order_id,
        id=shipment_id,
        fulfillment_order=fulfillment_order.id,
        location=fulfillment_order.location,
        lines=tuple(contents),
        state=ShipmentState.HANDED_OVER,
        state_at=fact.occurred_at,
        carrier=package.carrier,
        tracking_number=package.tracking_number,
        weight_g=package.weight_g,
    )


def _occurred(fact: FulfillmentFact) -> dict[str, object]:
    """What the journal of a shipment keeps of a fact: `state_at` is overwritten by the next."""
    return {"occurred_at": fact.occurred_at.isoformat()}
