"""Elsewhere: units that have left without a word of our locations, by the word of the order's channel.

It is a fact, so it is never refused: it jumps over what had not happened yet. Only what a location is at work
on is left to that location's own word, and to a person: nobody can tell whether it is the same parcel.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from decimal import Decimal

from oms.orders.commands import LineKind, PlaceOrder
from oms.orders.model import Entry, Order, OrderBody, OrderLine, Stage
from oms.values import frozen, replace

LEFT_ELSEWHERE = "left_elsewhere"
"""Code of the exception of units that have left elsewhere while a location is at work on them."""

_MOOT = ("stock_short", "sku_unknown")
"""Exceptions of a line that nothing is left of to resolve when none of its units waits."""


@frozen
class Share:
    """Lines of ours that are one line of the channel's, and units of them all together."""

    lines: tuple[OrderLine, ...]
    units: int


@frozen
class Left:
    """An order after units have left elsewhere, not written yet; `units` by line are now shipped.

    `missing` are those that could not be counted, by the first line of each share.
    """

    order: Order
    units: Mapping[str, int]
    missing: Mapping[str, int] = field(default_factory=dict)


def shares(order: Order, body: OrderBody, quantities: Mapping[str, int]) -> list[Share]:
    """Quantities by the channel's id of a line as units of our lines of goods.

    More units of a line are a line of their own with us, and a kit of ours is known by its components.
    """
    shown = {line.line_id: line for line in body.lines}
    lines: dict[str, list[OrderLine]] = {}
    found: list[Share] = []
    for line in order.lines:
        if line.kind is not LineKind.PHYSICAL:
            continue
        if line.per_bundle:
            kit = shown[line.parent_line_id or line.line_id].channel_line_id
            if kit in quantities:
                found.append(Share((line,), quantities[kit] * line.per_bundle))
        elif (name := shown[line.line_id].channel_line_id) in quantities:
            lines.setdefault(name, []).append(line)
    for name, same in lines.items():
        ordered = sum(line.ordered for line in same)
        quantity = sum((Decimal(shown[line.line_id].quantity) for line in same), Decimal(0))
        units = int(ordered * quantities[name] / quantity) if quantity else 0
        found.append(Share(tuple(same), units))
    return found


def same_line(order: Order, body: OrderBody, line_id: str) -> tuple[OrderLine, ...]:
    """The lines of goods that are one line of the channel's with a line of ours, that one among them."""
    shown = {line.line_id: line.channel_line_id for line in body.lines}
    found = order.line(line_id)
    if found is None or found.per_bundle:
        return (found,) if found else ()
    lines = (line for line in order.lines if line.kind is LineKind.PHYSICAL and not line.per_bundle)
    return tuple(line for line in lines if shown[line.line_id] == shown[line_id])


def leave(order: Order, gone: Iterable[Share], now: datetime) -> Left:
    """Count units as shipped: first those that the channel ships itself, then those that wait, then promised.

    What cannot be counted opens an exception, which ends when the channel has nothing more than we know of.

    Args:
        order: the header.
        gone: units that have left beyond those known of, none to end the exception.
        now: time of exceptions, UTC.
    """
    units: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for share in gone:
        left = share.units
        for line in share.lines:
            after, taken = _taken(line, left)
            left -= taken
            if taken:
                units[line.line_id] = taken
                order = order.with_lines({line.line_id: after})
                for code in () if after.open or after.backordered else _MOOT:
                    order = order.without_exception(code, line.line_id)
        first = share.lines[0].line_id
        if left > 0:
            missing[first] = left
            order = order.with_exception(LEFT_ELSEWHERE, first, now)
        else:
            order = order.without_exception(LEFT_ELSEWHERE, first)
    return Left(order, units, missing)


def said_shipped(order: Order, body: OrderBody, command: PlaceOrder) -> list[Share]:
    """What a newer version of an order has as shipped beyond what we know of.

    Channels that complete an order as a whole count units in that were cancelled here: those are left out.
    """
    said = {line.channel_line_id: line.shipped for line in command.lines if line.shipped is not None}
    found = []
    for share in shares(order, body, said):
        kept = sum(line.ordered - line.cancelled for line in share.lines)
        shipped = sum(line.shipped for line in share.lines)
        found.append(replace(share, units=max(0, min(share.units, kept) - shipped)))
    return found


def _taken(line: OrderLine, wanted: int) -> tuple[OrderLine, int]:
    """A line after units of it have left, and how many it had that may."""
    left = wanted

    def take(units: int) -> int:
        nonlocal left
        taken = min(left, units)
        left -= taken
        return units - taken

    def of(entries: Iterable[Entry], *, theirs: bool) -> list[Entry]:
        kept = []
        for entry in entries:
            ours = entry.stage is Stage.ALLOCATED and entry.supply is None
            free = entry.location.startswith("@") if theirs else ours
            rest = take(entry.units) if free else entry.units
            kept += [replace(entry, units=rest)] if rest else []
        return kept

    entries = of(line.entries, theirs=True)
    waiting, backordered = take(line.open), take(line.backordered)
    # The latest promise is given up first.
    entries = of(reversed(entries), theirs=False)[::-1]
    after = replace(
        line,
        open=waiting,
        backordered=backordered,
        entries=tuple(entries),
        shipped=line.shipped + wanted - left,
        pending=line.pending and waiting > 0,
    )
    return after, wanted - left
