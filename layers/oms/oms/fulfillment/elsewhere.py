"""Fulfillments of a channel: parcels that it tells us of, our own among them, and what of it is news."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from oms.fulfillment.model import Shipment, ShipmentState, ShippedLine
from oms.inventory.model import Delta, Deltas, Position, add
from oms.orders.elsewhere import Share, leave, shares
from oms.orders.model import Order, OrderBody
from oms.orders.records import FulfillmentOutcome, FulfillmentRecorded

BY_CHANNEL = "channel"
"""In the place of a fulfillment order: a parcel that the channel, and no location of ours, has told of."""

NOWHERE = "@channel"
"""In the place of a location: wherever the channel keeps what it ships."""

FULFILLMENT_WITHDRAWN = "fulfillment_withdrawn"
"""Code of the exception of a parcel that the channel takes back after it was counted as shipped."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel has said last of a fulfillment of its own; `shipment` is the parcel that it is."""

    fulfillment_id: str
    version: str
    shipment: str | None = None
    v: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What a fulfillment of a channel changes; nothing but `told` when the parcel is one of ours."""

    order: Order
    told: Told
    shipment: Shipment | None
    on_hand: Deltas


def news(
    order: Order,
    body: OrderBody,
    shipments: Iterable[Shipment],
    told: Mapping[str, Told],
    positions: Mapping[str, Position],
    record: FulfillmentRecorded,
    location: str | None,
    now: datetime,
) -> News | None:
    """What a channel says of a fulfillment that we do not know of; None when that is nothing.

    Our own parcels come back this way: they are known by their tracking numbers, or, where one side names
    none, by holding the same units. What has left otherwise is shipped, whatever we had planned for it. Units
    that the channel has told of by the order itself have been counted with that.

    Args:
        order: the header.
        body: its body.
        shipments: every parcel of the order.
        told: what the channel has said of its fulfillments before, by their ids.
        positions: at `location`, by sku, as seen now.
        record: what it says.
        location: of ours, where that is what the channel calls the place; what left there is on the shelf no
            more.
        now: time of the write, UTC.
    """
    known = told.get(record.fulfillment_id)
    if known and known.version >= record.channel_version:
        return None
    said = replace(known or Told(record.fulfillment_id, ""), version=record.channel_version)
    said = replace(said, v=said.v + 1)
    if record.status is FulfillmentOutcome.CANCELLED:
        withdrawn = order
        if said.shipment and said.shipment.startswith(f"{BY_CHANNEL}."):
            withdrawn = order.with_exception(FULFILLMENT_WITHDRAWN, said.shipment, now)
        return News(_conflicting(order, withdrawn, record, now), said, None, {})
    if record.status is not FulfillmentOutcome.SHIPPED or said.shipment:
        return None
    named = Counter[str]()
    for units_of in record.lines:
        named[units_of.channel_line_id] += units_of.quantity
    gone = shares(order, body, named)
    parcels = tuple(shipments)
    echoed = _own(parcels, told, record, gone)
    if echoed:
        return News(order, replace(said, shipment=echoed.id), None, {})
    units, rest = _counted(gone, parcels)
    left = leave(order, rest, now)
    contents = Counter(units) + Counter(left.units)
    if not contents:
        return News(_conflicting(order, left.order, record, now), said, None, {})
    shipment = _parcel(left.order, contents, record, location, now)
    on_hand: Deltas = {}
    for line in left.order.lines:
        if location and line.touches_stock and line.line_id in left.units:
            seen = positions.get(line.sku or "", Position(line.sku or "", location))
            fallen = seen.unseen(Delta(on_hand=-left.units[line.line_id]), record.occurred_at)
            add(on_hand, line.sku or "", location, fallen)
    kinds = ("shipped", "fulfillment_conflict") if left.order.exceptions != order.exceptions else ("shipped",)
    data = {"shipments": [shipment.id], "fulfillment": record.fulfillment_id}
    return News(
        left.order.written(now, *kinds, data=data), replace(said, shipment=shipment.id), shipment, on_hand
    )


def _own(
    parcels: Iterable[Shipment],
    told: Mapping[str, Told],
    record: FulfillmentRecorded,
    gone: Sequence[Share],
) -> Shipment | None:
    """The parcel of a location of ours that a fulfillment of the channel is."""
    numbers = {_plain(parcel.tracking_number) for parcel in record.parcels if parcel.tracking_number}
    ours = [parcel for parcel in parcels if parcel.fulfillment_order != BY_CHANNEL]
    for parcel in ours:
        if parcel.tracking_number and _plain(parcel.tracking_number) in numbers:
            return parcel
    units = [share.units for share in gone]
    taken = {one.shipment for one in told.values()}
    for parcel in ours:
        unnamed = not numbers or parcel.tracking_number is None
        if unnamed and parcel.id not in taken and _in_shares(parcel, gone) == units:
            return parcel
    return None


def _in_shares(parcel: Shipment, gone: Sequence[Share]) -> list[int]:
    """Units of a parcel by the lines that a fulfillment names; those of other lines are one more number."""
    inside = Counter[str]()
    for packed in parcel.lines:
        inside[packed.line_id] += packed.units
    counts = [sum(inside.pop(line.line_id, 0) for line in share.lines) for share in gone]
    return [*counts, *([inside.total()] if inside else [])]


def _counted(gone: Iterable[Share], parcels: Iterable[Shipment]) -> tuple[dict[str, int], list[Share]]:
    """Units by line that are shipped and in no parcel yet: these are some of them; and what is left over."""
    packed = Counter[str]()
    for parcel in parcels:
        for line in parcel.lines:
            packed[line.line_id] += line.units
    units: dict[str, int] = {}
    rest: list[Share] = []
    for share in gone:
        left = share.units
        for ours in share.lines:
            found = min(left, max(0, ours.shipped - packed[ours.line_id]))
            left -= found
            if found:
                units[ours.line_id] = found
        rest += [replace(share, units=left)] if left else []
    return units, rest


def _parcel(
    order: Order,
    contents: Mapping[str, int],
    record: FulfillmentRecorded,
    location: str | None,
    now: datetime,
) -> Shipment:
    skus = {line.line_id: line.sku or "" for line in order.lines}
    first = next(iter(record.parcels), None)
    return Shipment(
        order_id=order.order_id,
        id=f"{BY_CHANNEL}.{record.fulfillment_id}",
        fulfillment_order=BY_CHANNEL,
        location=location or NOWHERE,
        lines=tuple(ShippedLine(name, skus[name], units) for name, units in contents.items()),
        state=ShipmentState.HANDED_OVER,
        state_at=record.occurred_at,
        carrier=first.carrier if first else None,
        tracking_number=first.tracking_number if first else None,
    ).written(now, "shipped", data={"occurred_at": record.occurred_at.isoformat()})


def _conflicting(before: Order, after: Order, record: FulfillmentRecorded, now: datetime) -> Order:
    """The order written when an exception was opened or has ended, else as it was."""
    if after is before:
        return before
    return after.written(now, "fulfillment_conflict", data={"fulfillment": record.fulfillment_id})


def _plain(number: str) -> str:
    return "".join(filter(str.isalnum, number)).upper()
