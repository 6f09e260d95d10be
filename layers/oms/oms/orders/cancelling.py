"""Cancelling: units of an order that will not be shipped any more, and what follows from it.

`ordered` never shrinks: units move to `cancelled`, from where they stand now. Those that a location has been
asked to ship are only asked back (`oms.fulfillment.recall`); those that have left are never cancelled.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from oms.fulfillment.model import FulfillmentOrder
from oms.orders.commands import CancelOrder, FulfilledBy, LineKind
from oms.orders.holds import REDUCED, weighed
from oms.orders.model import Entry, Order, OrderLine, Stage
from oms.orders.status import OrderStatus, fulfillment_status, is_complete, order_status
from oms.payments.refunds import Refund, cancellation_refund
from oms.problems import Code, Problem
from oms.values import frozen, replace

_UNSOURCED = ("open", "backordered")
"""Counters of units without a source, in the order in which they are cancelled."""

_MOOT_WITHOUT_UNITS = ("stock_short", "sku_unknown", "quantity_unknown")
"""Exceptions of a line that nothing is left of to resolve when none of its units is open."""

_MOOT_WHEN_CANCELLED = ("address_missing", "totals_unbalanced", REDUCED)
"""Exceptions that nothing is left of to resolve when the whole order is cancelled."""


_WITHOUT_PARCEL = (LineKind.DIGITAL, LineKind.GIFT_CARD, LineKind.SERVICE)
"""Kinds of lines that only count as shipped: what has become of them their channel knows."""


class CancelReason(StrEnum):
    """Why units are cancelled."""

    CUSTOMER = "customer"
    INVENTORY = "inventory"
    FRAUD = "fraud"
    DECLINED = "declined"
    EXPIRED = "expired"
    STAFF = "staff"
    DELETED = "deleted"
    OTHER = "other"


@frozen
class CancelRequest:
    """What is to be cancelled: `units` by line id; None for all that has not left.

    A request may be refused. One of the order's `channel` is a fact: what has left stays shipped, under an
    exception, and what is in a transfer keeps the order from its locations until a person has stopped it.
    `channel` is then the version of the order at its channel, by which a repetition is known.
    """

    reason: CancelReason
    units: Mapping[str, int] | None = None
    channel: str | None = None


@frozen
class Cancellation:
    """What a request writes, all in one transaction; the order is the known one when nothing changes.

    `asked` are the units by fulfillment order and line that their locations have to be asked for, `refused`
    those by line that have left already.
    """

    order: Order
    cancelled: Mapping[str, int] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    refund: Refund | None = None


@dataclass(slots=True)
class _Taking:
    """A line as units are taken from it, step by step.

    `left` are the units still to be found, `asked` those to be asked for, by fulfillment order.
    """

    line: OrderLine
    left: int
    found: int = 0
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def travelling(self) -> int:
        """Units still to be found that are in a transfer."""
        return min(self.left, self.line.units_in(Stage.IN_TRANSFER))

    def take(self, of: int) -> int:
        taken = min(self.left, of)
        self.left -= taken
        self.found += taken
        return taken


def by_channel(command: CancelOrder) -> CancelRequest:
    """What the cancellation of a channel asks for; reasons that are not ours are `other`."""
    reason = (command.reason or "").lower()
    why = CancelReason(reason) if reason in tuple(CancelReason) else CancelReason.OTHER
    return CancelRequest(why, channel=command.channel_version)


def cancel(
    order: Order,
    works: Mapping[str, FulfillmentOrder],
    refunds: Iterable[Refund],
    wish: CancelRequest,
    now: datetime,
) -> Cancellation:
    """Cancel units: from those open, then backordered, then allocated; then ask the locations.

    What was paid beyond the rest becomes a refund. An order that is cancelled in full is held by nothing.

    Args:
        order: the header.
        works: its fulfillment orders, by id.
        refunds: every refund of the order.
        wish: what to cancel.
        now: time of the write, UTC.

    Returns:
        What changes; nothing when the request was carried out before, or there is nothing left to cancel.

    Raises:
        Problem: `state_refused` with the order's state, more units than can be cancelled; `field_invalid`,
            the order does not have the line.
    """
    if wish.channel and any(entry.data.get("channel") == wish.channel for entry in order.journal):
        return Cancellation(order)
    unknown = (wish.units or {}).keys() - {line.line_id for line in order.lines}
    if unknown:
        raise Problem(Code.FIELD_INVALID, f"the order has no line {min(unknown)}", "lines")
    wished = wish.units
    if wished is not None:
        wish = replace(wish, units=by_goods(order, wished))
    takings = [_take(line, works, wish) for line in order.lines]
    gone, travelling = _gone(takings, wish), _travelling(takings)
    if wish.channel is None:
        _refuse(order, works, takings, gone, travelling)
    changed = {one.line.line_id: one.line for one in takings}
    cancelled = {
        line.line_id: units
        for line in order.lines
        if (units := changed[line.line_id].cancelled - line.cancelled)
    }
    asked: dict[str, dict[str, int]] = {}
    for one in takings:
        for name, units in one.asked.items():
            asked.setdefault(name, {})[one.line.line_id] = units
    after = weighed(order, _settled(with_containers(order.with_lines(changed))), now)
    noticed = after
    if gone and wish.channel:
        noticed = after.with_exception("channel_cancelled", wish.channel, now)
    if travelling and wish.channel:
        noticed = noticed.with_exception(REDUCED, wish.channel, now)
        noticed = replace(noticed, holds=tuple(dict.fromkeys((*noticed.holds, "manual"))))
    if not (cancelled or asked or noticed is not after):
        return Cancellation(order)
    happened = {"cancelled": cancelled, "cancel_requested": asked, "cancel_refused": gone}
    kinds = [kind for kind, units in happened.items() if units]
    data: dict[str, object] = {"reason": str(wish.reason), "cancelled": cancelled, "refused": gone}
    data["asked"] = asked
    if wish.channel:
        data |= {"channel": wish.channel, "wish": "all" if wished is None else dict(wished)}
    written = completed(noticed, now, *kinds, data=data)
    refund = cancellation_refund(order, written, refunds, cancelled, now) if cancelled else None
    return Cancellation(written, cancelled, asked, gone, refund)


def with_containers(order: Order) -> Order:
    """The order with as much of each bundle's container cancelled as its components leave of it.

    A container is not goods: it stands as shipped from the start, and its money follows its components.
    """
    changed = {}
    for container in order.lines:
        parts = [part for part in order.lines if part.parent_line_id == container.line_id and part.ordered]
        if container.kind is not LineKind.CONTAINER or not parts:
            continue
        kept = max(-(-(part.ordered - part.cancelled) * container.ordered // part.ordered) for part in parts)
        more = container.ordered - kept - container.cancelled
        if more > 0:
            changed[container.line_id] = replace(
                container,
                shipped=container.shipped - more,
                delivered=max(0, container.delivered - more),
                cancelled=container.cancelled + more,
            )
    return order.with_lines(changed)


def completed(order: Order, now: datetime, *kinds: str, data: Mapping[str, object]) -> Order:
    """The order written with these kinds, and closed when they leave nothing to be done."""
    if order.closed_at is None and is_complete(order):
        return replace(order, closed_at=now).written(now, *kinds, "closed", data=data)
    return order.written(now, *kinds, data=data)


def by_goods(order: Order, units: Mapping[str, int]) -> dict[str, int]:
    """Units by line, those of a container as what its components have in it."""
    goods: dict[str, int] = {}
    for name, count in units.items():
        line = order.line(name)
        parts = [part for part in order.lines if part.parent_line_id == name and part.ordered]
        shares = [(name, count)]
        if parts and line is not None and line.kind is LineKind.CONTAINER:
            shares = [(part.line_id, part.ordered * count // line.ordered) for part in parts]
        for goods_line, share in shares:
            goods[goods_line] = goods.get(goods_line, 0) + share
    return goods


def _take(line: OrderLine, works: Mapping[str, FulfillmentOrder], wish: CancelRequest) -> _Taking:
    """Take the units of a line that a request wants, from where they stand."""
    taking = _Taking(line, line.ordered if wish.units is None else wish.units.get(line.line_id, 0))
    unsourced = {name: getattr(line, name) - taking.take(getattr(line, name)) for name in _UNSOURCED}
    entries: list[Entry] = []
    for entry in reversed(line.entries):
        elsewhere = entry.stage is Stage.IN_FULFILLMENT and entry.fulfillment_order is None
        free = entry.stage is Stage.ALLOCATED or (elsewhere and wish.channel)
        units = taking.take(entry.units) if free else 0
        if entry.units > units:
            entries.append(replace(entry, units=entry.units - units))
    rest = replace(line, entries=tuple(reversed(entries)), **unsourced)
    for name in dict.fromkeys(entry.fulfillment_order for entry in line.entries):
        work = works.get(name or "")
        request = work.line(line.line_id) if work else None
        if work and request:
            # Of those that it still has to ship, the location is asked once for each.
            units = taking.take(max(0, request.remaining - work.cancelling(line.line_id)))
            taking.asked |= {work.id: units} if units else {}
    if wish.channel and line.kind in _WITHOUT_PARCEL:
        units = taking.take(line.shipped - line.returned)
        rest = replace(rest, shipped=line.shipped - units, delivered=max(0, line.delivered - units))
    taking.line = replace(rest, cancelled=line.cancelled + line.ordered - rest.ordered)
    return taking


def _gone(takings: Iterable[_Taking], wish: CancelRequest) -> dict[str, int]:
    """Units by line that are to be cancelled and have left, or were never to be shipped."""
    if wish.units is not None:
        left = {one.line.line_id: one.left - one.travelling for one in takings}
        return {line_id: units for line_id, units in left.items() if units}
    lines = [one.line for one in takings if wish.channel]
    return {line.line_id: line.shipped - line.returned for line in lines if _have_left(line)}


def _travelling(takings: Iterable[_Taking]) -> dict[str, int]:
    """Units by line that are to be cancelled and move between locations: until they arrive nobody can."""
    return {one.line.line_id: one.travelling for one in takings if one.travelling}


def _have_left(line: OrderLine) -> bool:
    """Whether goods of ours have left and not come back."""
    ours = line.kind is LineKind.PHYSICAL and line.fulfilled_by is not FulfilledBy.CHANNEL
    return ours and line.shipped > line.returned


def _refuse(
    order: Order,
    works: Mapping[str, FulfillmentOrder],
    takings: Iterable[_Taking],
    gone: Mapping[str, int],
    travelling: Mapping[str, int],
) -> None:
    """Refuse a request for units that cannot be cancelled, or not yet; for everything, when nothing can."""
    state = str(fulfillment_status(order))
    for name, units in travelling.items():
        detail = (
            f"{units} units of line {name} are in a transfer: stop it, or cancel them when they are there"
        )
        raise Problem(Code.STATE_REFUSED, detail, "lines", str(Stage.IN_TRANSFER))
    for name, units in gone.items():
        detail = f"{units} units of line {name} cannot be cancelled any more"
        raise Problem(Code.STATE_REFUSED, detail, "lines", state)
    pending = any(work.recalls for work in works.values())
    cancelled = order_status(order) is OrderStatus.CANCELLED
    if not (pending or cancelled or any(one.found for one in takings)):
        raise Problem(Code.STATE_REFUSED, "nothing of the order can be cancelled any more", None, state)


def _settled(order: Order) -> Order:
    """The order without exceptions and holds that nothing is left of to resolve."""
    cancelled = order_status(order) is OrderStatus.CANCELLED
    done = [line for line in order.lines if cancelled or not (line.open or line.backordered)]
    for line in done:
        for code in _MOOT_WITHOUT_UNITS:
            order = order.without_exception(code, line.line_id)
    if not cancelled:
        return order
    kept = tuple(known for known in order.exceptions if known.code not in _MOOT_WHEN_CANCELLED)
    lines = {line.line_id: replace(line, pending=False) for line in done}
    return replace(order.with_lines(lines), exceptions=kept, holds=())
