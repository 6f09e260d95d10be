"""Fulfillments of a channel: parcels that it tells us of, our own among them, and what of it is news."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from oms.fulfillment.model import Shipment, ShipmentState, ShippedLine
from oms.inventory.model import Delta, Deltas, Position, add
from oms.orders.elsewhere import LEFT_ELSEWHERE, Share, leave, same_line, shares
from oms.orders.model import Order, OrderBody, OrderLine
from oms.orders.records import FulfillmentOutcome, FulfillmentRecorded
from oms.values import frozen, replace

BY_CHANNEL = "channel"
"""In the place of a fulfillment order: a parcel that the channel, and no location of ours, has told of."""

NOWHERE = "@channel"
"""In the place of a location: wherever the channel keeps what it ships."""

FULFILLMENT_WITHDRAWN = "fulfillment_withdrawn"
"""Code of the exception of a parcel that the channel takes back after it was counted as shipped."""


@frozen
class Told:
    """What a channel has said last of a fulfillment of its own; `shipment` is the parcel that it is.

    `numbers` are those of its parcels. `missing` are units by line that nobody can tell where they are from:
    the order has an exception of the line until a location reports them.
    """

    fulfillment_id: str
    version: str
    shipment: str | None = None
    v: int = 0
    numbers: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)


@frozen
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
    said = known or Told(record.fulfillment_id, "")
    numbers = tuple(_plain(parcel.tracking_number) for parcel in record.parcels if parcel.tracking_number)
    said = replace(said, version=record.channel_version, v=said.v + 1, numbers=numbers, missing={})
    if record.status is FulfillmentOutcome.CANCELLED:
        withdrawn = _ended(order, told, said)
        if said.shipment and said.shipment.startswith(f"{BY_CHANNEL}."):
            withdrawn = withdrawn.with_exception(FULFILLMENT_WITHDRAWN, said.shipment, now)
        return News(_conflicting(order, withdrawn, said, now), said, None, {})
    if record.status is not FulfillmentOutcome.SHIPPED or said.shipment:
        return None
    named = Counter[str]()
    for units_of in record.lines:
        named[units_of.channel_line_id] += units_of.quantity
    gone = shares(order, body, named)
    parcels = tuple(shipments)
    echoed = _own(parcels, told, said, gone)
    if echoed:
        ended = _conflicting(order, _ended(order, told, said), said, now)
        return News(ended, replace(said, shipment=echoed.id), None, {})
    units, rest = _counted(gone, parcels)
    left = leave(order, rest, now)
    said = replace(said, missing=left.missing)
    after = _ended(left.order, told, said)
    contents = Counter(units) + Counter(left.units)
    if not contents:
        return News(_conflicting(order, after, said, now), said, None, {})
    shipment = _parcel(after, contents, record, location, now)
    on_hand: Deltas = {}
    for line in left.order.lines:
        if location and line.touches_stock and line.line_id in left.units:
            seen = positions.get(line.sku or "", Position(line.sku or "", location))
            fallen = seen.unseen(Delta(on_hand=-left.units[line.line_id]), record.occurred_at)
            add(on_hand, line.sku or "", location, fallen)
    kinds = ("shipped", "fulfillment_conflict") if after.exceptions != order.exceptions else ("shipped",)
    data = {"shipments": [shipment.id], "fulfillment": record.fulfillment_id}
    return News(after.written(now, *kinds, data=data), replace(said, shipment=shipment.id), shipment, on_hand)


def is_conflicting(order: Order) -> bool:
    """Whether units have left by a channel's word, and nobody can tell where they are from."""
    return any(known.code == LEFT_ELSEWHERE for known in order.exceptions)


def explained(
    order: Order, body: OrderBody, told: Iterable[Told], parcels: Iterable[Shipment]
) -> tuple[Order, tuple[Told, ...]]:
    """What new parcels of our locations explain of what the channel has said before.

    They are what is missing under their number, or, where one side names none, as far as units go. What a
    version of the order had shipped is explained when nothing of its line is left.

    Args:
        order: the header, already written with the parcels.
        body: its body.
        told: what the channel has said of its fulfillments.
        parcels: those that are new, of locations of ours.

    Returns:
        The order without the exceptions that have ended, and what has changed of what was told.
    """
    before = {one.fulfillment_id: one for one in told}
    after = dict(before)
    for parcel in parcels:
        units = Counter[str]()
        for packed in parcel.lines:
            units[packed.line_id] += packed.units
        number = _plain(parcel.tracking_number or "")
        for one in sorted(after.values(), key=lambda one: number not in one.numbers):
            if number and one.numbers and number not in one.numbers:
                continue
            missing = {
                ref: rest
                for ref, wanted in one.missing.items()
                if (
                    rest := wanted
                    - _take(units, [line.line_id for line in same_line(order, body, ref)], wanted)
                )
            }
            if missing != one.missing:
                after[one.fulfillment_id] = replace(one, missing=missing, shipment=one.shipment or parcel.id)
    said = {ref for one in before.values() for ref in one.missing}
    done = {
        known.ref
        for known in order.exceptions
        if known.code == LEFT_ELSEWHERE
        and (known.ref in said or not any(map(_waits, same_line(order, body, known.ref))))
    }
    ended = _without(order, done, after.values())
    changed = tuple(replace(one, v=one.v + 1) for name, one in after.items() if one is not before[name])
    if changed and ended is not order:
        entry = ended.journal[-1]
        data = {**entry.data, "fulfillment": changed[0].fulfillment_id}
        entry = replace(entry, kinds=(*entry.kinds, "fulfillment_conflict"), data=data)
        ended = replace(ended, journal=(*ended.journal[:-1], entry))
    return ended, changed


def _take(units: Counter[str], lines: Iterable[str], wanted: int) -> int:
    """Take units of some lines out of a parcel's, as many as wanted; how many there were."""
    taken = 0
    for name in lines:
        some = min(wanted - taken, units[name])
        units[name] -= some
        taken += some
    return taken


def _waits(line: OrderLine) -> bool:
    return bool(line.open or line.backordered or line.entries)


def _ended(order: Order, told: Mapping[str, Told], said: Told) -> Order:
    """The order without the exceptions of what was missing, and by what is said now is not any more."""
    known = told.get(said.fulfillment_id)
    return _without(order, known.missing if known else (), {**told, said.fulfillment_id: said}.values())


def _without(order: Order, lines: Iterable[str], told: Iterable[Told]) -> Order:
    missing = {ref for one in told for ref in one.missing}
    for ref in lines:
        if ref not in missing:
            order = order.without_exception(LEFT_ELSEWHERE, ref)
    return order


def _own(
    parcels: Iterable[Shipment], told: Mapping[str, Told], said: Told, gone: Sequence[Share]
) -> Shipment | None:
    """The parcel of a location of ours that a fulfillment of the channel is."""
    numbers = said.numbers
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


def _conflicting(before: Order, after: Order, said: Told, now: datetime) -> Order:
    """The order written when an exception was opened or has ended, else as it was.

    More that is missing is written too: a location that ships at this moment then sees it.
    """
    if after is before and not said.missing:
        return before
    return after.written(now, "fulfillment_conflict", data={"fulfillment": said.fulfillment_id})


def _plain(number: str) -> str:
    return "".join(filter(str.isalnum, number)).upper()
