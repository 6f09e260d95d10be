"""Editing: what a newer version of an order at its channel changes of it, line by line.

Lines are matched by the channel's ids. Fewer units are cancelled, more units and new lines are lines of their
own that ask for stock, prices and addresses follow. What cannot follow any more is left to a person.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import cast

from oms.inventory.model import Stock
from oms.orders.cancelling import by_goods
from oms.orders.claims import UNKNOWN
from oms.orders.commands import Line, LineKind, PlaceOrder
from oms.orders.holds import is_paid
from oms.orders.kits import expand
from oms.orders.model import BodyLine, Order, OrderBody, OrderDelivery, OrderLine, Origin
from oms.orders.placing import IN_TURN, body_of, enter
from oms.orders.privacy import still_needed
from oms.orders.status import OrderStatus, kept_total, order_status
from oms.payments.money import spread
from oms.values import frozen, replace

_AMOUNTS = ("amount", "discount", "tax")


@frozen
class Edit:
    """What a newer version makes of an order: header and body, not written yet.

    `fewer` are the units by line that it cancels, which is still to be done; `added` the new lines, `changed`
    those with other amounts; `left` names what could not be applied.
    """

    order: Order
    body: OrderBody
    fewer: Mapping[str, int]
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@frozen
class _Group:
    """Our lines under one id of the channel, with the quantity that each was ordered with there."""

    lines: tuple[OrderLine, ...]
    quantity: Decimal

    @property
    def scale(self) -> Decimal:
        """Our smallest units in one of the channel's."""
        ordered = sum(line.ordered for line in self.lines)
        return ordered / self.quantity if self.quantity else Decimal(1)

    def total(self, name: str) -> int:
        """The sum of a counter or an amount over the lines."""
        return sum(getattr(line, name) for line in self.lines)


def fewer_units(order: Order, body: OrderBody, command: PlaceOrder) -> dict[str, int]:
    """Units by line that a newer version cancels, and no version before it has.

    What we have cancelled ourselves the channel may report back: that is not to be cancelled again.
    """
    units: dict[str, int] = {}
    for group, said in _cancelled_in(order, body, command):
        left = said - max(_cancelled_by_channel(order, group), group.total("cancelled"))
        for kept in reversed(group.lines):
            taken = min(left, kept.ordered - kept.cancelled)
            if taken > 0:
                units[kept.line_id] = taken
                left -= taken
    return units


def kept_by_us(order: Order, body: OrderBody) -> dict[str, Decimal]:
    """What is left of the lines of which we, not their channel, have cancelled units.

    By the channel's ids of them, in the units that it sells.
    """
    if any(entry.data.get("wish") == "all" for entry in order.journal):
        return {}
    return {
        name: group.quantity - group.total("cancelled") / group.scale
        for name, group in _groups(order, body).items()
        if group.total("cancelled") > _cancelled_by_channel(order, group)
    }


def is_unlike(order: Order, body: OrderBody, command: PlaceOrder) -> bool:
    """Whether a newer version differs in what no edit can follow; it may bring back what it has cancelled."""
    return any(_unlike(order, _groups(order, body), command))


def edit(
    order: Order, body: OrderBody, command: PlaceOrder, stocks: Mapping[str, Stock], now: datetime
) -> Edit:
    """Apply a newer version to an order, as far as it can be.

    Amounts of a line change while none of its units is cancelled or returned; an address while no location
    has work for its delivery. The total follows the channel's, so that what is owed is what it says. New
    lines are pending: the order is held until stock was asked for.

    Args:
        order: the header.
        body: its body.
        command: the newer version.
        stocks: of every sku of the command, as stored.
        now: time of exceptions, UTC.
    """
    groups = _groups(order, body)
    left = [*_unlike(order, groups, command)]
    changed = _repriced(groups, command)
    edited = order.with_lines(changed)
    groups = _groups(edited, body)
    extra = (_more(groups.get(line.channel_line_id), line) for line in command.lines)
    more = replace(command, lines=tuple(line for line in extra if line), cancelled=False)
    edited, added = _with_new_lines(edited, groups, more, stocks, now)
    shown = replace(body, lines=(*body.lines, *added))
    fewer = fewer_units(edited, shown, command)
    fresh = enter(command, stocks, now)
    edited = replace(
        edited,
        deliveries=_deliveries(order, fresh.deliveries),
        shipping=fresh.shipping,
        charges=fresh.charges,
    )
    told = kept_total(_with_cancelled(edited, _beyond_ours(edited, shown, command)))
    edited = replace(edited, total=kept_total(fresh) + edited.total - told)
    paid = is_paid(_with_cancelled(edited, fewer))
    addressed, unmoved = _addressed(edited, shown, command)
    left += unmoved
    return Edit(
        _held(edited, fresh, left, now, paid=paid),
        addressed,
        fewer,
        tuple(line.line_id for line in added),
        tuple(sorted(changed)),
        tuple(left),
    )


def _groups(order: Order, body: OrderBody) -> dict[str, _Group]:
    """The order's lines by the channel's id; components of our own kits are not the channel's."""
    shown = {line.line_id: line for line in body.lines}
    lines: dict[str, list[OrderLine]] = {}
    for line in order.lines:
        if not line.per_bundle:
            lines.setdefault(shown[line.line_id].channel_line_id, []).append(line)
    return {
        name: _Group(tuple(kept), sum((Decimal(shown[line.line_id].quantity) for line in kept), Decimal(0)))
        for name, kept in lines.items()
    }


def _said_cancelled(group: _Group, line: Line | None) -> int:
    """Units that a version has cancelled in all, by saying so, by a smaller quantity, or by silence."""
    if line is None:
        return group.total("ordered")
    return int(group.scale * (max(Decimal(0), group.quantity - Decimal(line.quantity)) + line.cancelled))


def _cancelled_by_channel(order: Order, group: _Group) -> int:
    """Units that versions before have cancelled: when the order came, and since."""
    ids = {line.line_id for line in group.lines}
    since = later = 0
    for entry in order.journal:
        cancelled = cast(Mapping[str, int], entry.data.get("cancelled", {}))
        since += sum(units for name, units in cancelled.items() if name in ids)
        wish = entry.data.get("wish", {})
        if wish != "all":
            wished = cast(Mapping[str, int], wish)
            later += sum(units for name, units in wished.items() if name in ids)
    return group.total("cancelled") - since + later


def _more(group: _Group | None, line: Line) -> Line | None:
    """What a version has beyond a group of lines: a new line, or more units of one; None when nothing."""
    if group is None:
        return line
    quantity = Decimal(line.quantity) - group.quantity
    if quantity <= 0:
        return None
    rest = {name: getattr(line, name) - group.total(name) for name in _AMOUNTS}
    whole = quantity == quantity.to_integral_value()
    number = int(quantity) if whole else f"{quantity.normalize():f}"
    return replace(line, quantity=number, cancelled=0, refunded=0, shipped=None, **rest)


def _shares(group: _Group, line: Line) -> list[int]:
    """What of a line's amounts belongs to the units that a group has: by quantity, in its smaller part."""
    quantity = max(group.quantity, Decimal(line.quantity))
    if not quantity or not Decimal(line.quantity):
        return [group.total(name) for name in _AMOUNTS]
    scaled = [int(group.quantity * 10**6), int((quantity - group.quantity) * 10**6)]
    if quantity == Decimal(line.quantity):
        return [spread(getattr(line, name), scaled)[0] for name in _AMOUNTS]
    # The channel has fewer units than were ever ordered: what all of them would cost at its price.
    return [int(getattr(line, name) * group.quantity / Decimal(line.quantity)) for name in _AMOUNTS]


def _repriced(groups: Mapping[str, _Group], command: PlaceOrder) -> dict[str, OrderLine]:
    """Lines whose amounts a version has changed, as far as nothing was given back for their units."""
    changed: dict[str, OrderLine] = {}
    for line in command.lines:
        group = groups.get(line.channel_line_id)
        if group is None or group.total("cancelled") or group.total("returned") or not group.quantity:
            continue
        if group.lines[0].kind is LineKind.CONTAINER and line.kind is not LineKind.CONTAINER:
            continue  # what a kit of ours costs is spread over its components
        shares = _shares(group, line)
        before = [group.total(name) for name in _AMOUNTS]
        # Less than a minor unit a piece is rounding.
        if all(abs(new - old) <= group.quantity for new, old in zip(shares, before, strict=True)) and (
            Decimal(line.quantity) != group.quantity or shares == before
        ):
            continue
        weights = [kept.ordered for kept in group.lines]
        parts = zip(*(spread(share, weights) for share in shares), strict=True)
        for kept, (amount, discount, tax) in zip(group.lines, parts, strict=True):
            changed[kept.line_id] = replace(kept, amount=amount, discount=discount, tax=tax)
    return changed


def _with_new_lines(
    order: Order,
    groups: Mapping[str, _Group],
    command: PlaceOrder,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> tuple[Order, tuple[BodyLine, ...]]:
    """The order with the lines of a command after its own, under new ids, and what their body has."""
    fresh = enter(command, stocks, now)
    expanded = expand(command.lines, {name: stock.sku for name, stock in stocks.items() if stock.sku})
    shown = body_of(command, fresh, expanded.lines).lines
    first = {name: group.lines[0].line_id for name, group in groups.items()}
    names = {line.line_id: str(len(order.lines) + number) for number, line in enumerate(fresh.lines, 1)}
    lines = []
    for line, given, body in zip(fresh.lines, expanded.lines, shown, strict=True):
        name = names[line.line_id]
        parent = names.get(line.parent_line_id or "") or first.get(given.parent_line_id or "")
        entries = tuple(replace(entry, alloc_id=f"{order.v + 1}.{name}") for entry in line.entries)
        origin = Origin("edit", first.get(body.channel_line_id))
        lines.append(replace(line, line_id=name, parent_line_id=parent, entries=entries, origin=origin))
    order = replace(order, lines=(*order.lines, *lines))
    for known in fresh.exceptions:
        if known.code in UNKNOWN:
            order = order.with_exception(known.code, names[known.ref], now)
    return order, tuple(replace(line, line_id=names[line.line_id]) for line in shown)


def _deliveries(order: Order, fresh: Iterable[OrderDelivery]) -> tuple[OrderDelivery, ...]:
    """The order's deliveries with the shipping that a version names, and those that are new."""
    named = {delivery.id: delivery for delivery in fresh}
    known = tuple(
        replace(delivery, shipping=named[delivery.id].shipping) if delivery.id in named else delivery
        for delivery in order.deliveries
    )
    ids = {delivery.id for delivery in known}
    return (*known, *(delivery for delivery in named.values() if delivery.id not in ids))


def _cancelled_in(order: Order, body: OrderBody, command: PlaceOrder) -> Iterator[tuple[_Group, int]]:
    """Our lines by the channel's, each with the units that a version has cancelled of them in all."""
    given = {line.channel_line_id: line for line in command.lines}
    parents = {line.parent_line_id for line in command.lines}
    for name, group in _groups(order, body).items():
        line = given.get(name)
        if line is not None and line.kind is LineKind.CONTAINER and name in parents:
            continue  # its components tell
        yield group, _said_cancelled(group, line)


def _beyond_ours(order: Order, body: OrderBody, command: PlaceOrder) -> dict[str, int]:
    """Units by line that a version has cancelled beyond those that are; below 0 what it still has of them."""
    units: dict[str, int] = {}
    for group, said in _cancelled_in(order, body, command):
        left = said - group.total("cancelled")
        for kept in reversed(group.lines):
            units[kept.line_id] = max(-kept.cancelled, min(left, kept.ordered - kept.cancelled))
            left -= units[kept.line_id]
    return units


def _with_cancelled(order: Order, more: Mapping[str, int]) -> Order:
    """The order as if more units were cancelled already, or fewer, for what it is then worth."""
    lines = {}
    for name, units in by_goods(order, more).items():
        line = order.line(name)
        assert line is not None, "lines are never deleted"
        gone = line.cancelled + units
        lines[name] = replace(
            line, open=line.ordered - gone, backordered=0, shipped=0, entries=(), cancelled=gone
        )
    return order.with_lines(lines)


def _unlike(order: Order, groups: Mapping[str, _Group], command: PlaceOrder) -> Iterable[str]:
    """What differs between an order and a version of it that no edit can follow."""
    if command.currency != order.currency:
        yield "currency"
    if not command.cancelled and any(entry.data.get("wish") == "all" for entry in order.journal):
        yield "cancelled"
    deliveries = {delivery.id: delivery for delivery in order.deliveries}
    for delivery in command.deliveries:
        known = deliveries.get(delivery.id)
        if known and (known.method, known.location) != (delivery.method, delivery.location):
            yield f"deliveries.{delivery.id}"
    for line in command.lines:
        group = groups.get(line.channel_line_id)
        if group is None:
            continue
        first = group.lines[0]
        kit = first.kind is LineKind.CONTAINER and line.kind is LineKind.PHYSICAL
        # Where the channel names a listing alone, the sku is ours to know.
        alike = (first.sku, first.delivery_id) == (line.sku or first.sku, line.delivery_id)
        back = _said_cancelled(group, line) < _cancelled_by_channel(order, group)
        if not alike or (first.kind is not line.kind and not kit) or back:
            yield f"lines.{first.line_id}"


def _addressed(order: Order, body: OrderBody, command: PlaceOrder) -> tuple[OrderBody, list[str]]:
    """The body as a version has it, with the addresses of deliveries that no location has work for."""
    busy = {line.delivery_id for line in order.lines if line.in_fulfillment or line.shipped}
    ship_to, services = dict(body.ship_to), dict(body.services)
    left = []
    for delivery in command.deliveries:
        moved = delivery.ship_to is not None and delivery.ship_to != body.ship_to.get(delivery.id)
        if moved and delivery.id in busy:
            left.append(f"deliveries.{delivery.id}.ship_to")
        elif delivery.ship_to is not None:
            ship_to[delivery.id] = delivery.ship_to
        if delivery.service and delivery.id not in busy:
            services[delivery.id] = delivery.service
    payments = body_of(replace(command, lines=()), replace(order, lines=()), ()).payments
    return (
        replace(
            body,
            customer=command.customer,
            billing=command.billing,
            ship_to=ship_to,
            services=services,
            payments=payments,
            purchase_order=command.purchase_order,
            notes=command.notes,
        ),
        left,
    )


def _held(order: Order, fresh: Order, left: Iterable[str], now: datetime, *, paid: bool) -> Order:
    """The order with the holds and exceptions that follow from an edit."""
    holds = {hold: None for hold in order.holds if hold not in ("edit", "address", "payment")}
    nowhere = "address" in fresh.holds and still_needed(order)
    if order_status(order) is not OrderStatus.CANCELLED:
        holds |= {} if paid else {"payment": None}
        holds |= {"address": None} if nowhere else {}
    holds |= {"edit": None} if any(left) else {}
    if any(line.pending and line.open and not _has_unknown(order, line) for line in order.lines):
        holds |= {IN_TURN: None}
    if nowhere:
        order = order.with_exception("address_missing", order.order_id, now)
    else:
        order = order.without_exception("address_missing", order.order_id)
    return replace(order, holds=tuple(holds))


def _has_unknown(order: Order, line: OrderLine) -> bool:
    return any(known.ref == line.line_id and known.code in UNKNOWN for known in order.exceptions)
