"""Units of an order that move between locations: in an entry all the way, so they are free at no moment.

An entry in a transfer stands at the source until it has left; then at the target, with the supply that it
comes by: it is on no shelf.
"""

from collections.abc import Callable
from datetime import datetime

from oms.orders.model import Entry, Order, Stage
from oms.orders.resourcing import reopen
from oms.problems import Code, Problem
from oms.values import replace


def set_aside(order: Order, line_id: str, sku: str, location: str, units: int) -> Order:
    """The order with units that are allocated at a location kept there for a transfer.

    Raises:
        Problem: `state_refused`, when it has fewer such units of the sku there.
    """

    def there(entry: Entry) -> bool:
        return entry.stage is Stage.ALLOCATED and entry.location == location

    line = order.line(line_id)
    known = line is not None and line.touches_stock and line.sku == sku
    left = sum(entry.units for entry in line.entries if there(entry)) if line and known else 0
    if units > left:
        detail = (
            f"line {line_id} of order {order.order_id} has {left} units of {sku} at {location}, not {units}"
        )
        raise Problem(Code.STATE_REFUSED, detail, "lines")
    return _shifted(order, line_id, units, there, lambda entry: replace(entry, stage=Stage.IN_TRANSFER))


def depart(order: Order, line_id: str, source: str, target: str, supply: str, units: int) -> Order:
    """The order with units that were set aside on their way to another location."""

    def gone(entry: Entry) -> Entry:
        return replace(entry, location=target, supply=supply)

    return _shifted(order, line_id, units, _aside(source), gone)


def put_back(order: Order, line_id: str, source: str, supply: str, units: int) -> Order:
    """The order with units of a transfer on their shelf again, whether they had left it or not."""

    def back(entry: Entry) -> Entry:
        return replace(entry, location=source, stage=Stage.ALLOCATED, supply=None)

    return _shifted(order, line_id, units, _moving(source, supply), back)


def arrive(order: Order, line_id: str, supply: str, units: int, now: datetime) -> Order:
    """The order with units allocated where they have come in: they can be released from there."""

    def here(entry: Entry) -> Entry:
        return replace(entry, stage=Stage.ALLOCATED, supply=None)

    arrived = _shifted(order, line_id, units, lambda entry: entry.supply == supply, here)
    return replace(arrived, due_at=now) if units else arrived


def lose(order: Order, line_id: str, source: str, supply: str, units: int, now: datetime) -> Order:
    """The order with units of a transfer lost: they are open again and wait for another source."""
    if not units:
        return order
    lost = f"{order.v + 1}.lost"
    left = _shifted(
        order,
        line_id,
        units,
        _moving(source, supply),
        lambda entry: replace(entry, alloc_id=lost, stage=Stage.ALLOCATED),
    )
    return reopen(left, {lost: units}, now, "lost_in_transfer").order


def _aside(source: str) -> Callable[[Entry], bool]:
    """Units that are kept at a location for any transfer: one is as good as another."""
    return lambda entry: (
        entry.stage is Stage.IN_TRANSFER and entry.supply is None and entry.location == source
    )


def _moving(source: str, supply: str) -> Callable[[Entry], bool]:
    """Units that are on their way by a supply; while there is none, those kept at the source for it."""
    return (lambda entry: entry.supply == supply) if supply else _aside(source)


def _shifted(
    order: Order, line_id: str, units: int, of: Callable[[Entry], bool], to: Callable[[Entry], Entry]
) -> Order:
    """The order with units of the matching entries of a line changed; an entry is split when a part is."""
    line = order.line(line_id)
    assert line is not None, "lines are never deleted"
    prefix = f"{order.v + 1}.t"
    made = sum(entry.alloc_id.startswith(prefix) for known in order.lines for entry in known.entries)
    entries: list[Entry] = []
    left = units
    for entry in line.entries:
        taken = min(entry.units, left) if of(entry) else 0
        left -= taken
        if taken == entry.units:
            entries.append(to(entry))
            continue
        entries.append(replace(entry, units=entry.units - taken))
        if taken:
            made += 1
            entries.append(to(replace(entry, alloc_id=f"{prefix}{made}", units=taken)))
    assert not left, "a transfer moves what it has set aside"
    return order.with_lines({line_id: replace(line, entries=tuple(entries))})
