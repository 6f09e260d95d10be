"""Progress of returns: what a request or a fact changes in a return, its order, the money due and stock.

Money becomes due on receipt, announced units alone, and in the write that records it: what a location has in
its hands is owed, whatever is found out about it later. Whichever message comes last completes the picture:
a request may follow the receipt, a receipt the disposition, and the end is the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import cast

from oms.inventory.model import Block, Delta, Deltas, Position, add
from oms.inventory.movements import Redated
from oms.orders.model import Order
from oms.orders.status import fulfillment_status
from oms.payments.refunds import Refund, refund_due
from oms.problems import Code, Problem
from oms.returns.events import ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome, Place, Return, ReturnLine, return_id
from oms.values import frozen, replace

UNEXPLAINED = "returned_beyond_shipped"
"""Code of the exception that an order has while units of a return are unannounced."""

RECEIPT = Delta(on_hand=1, blocked={Block.RETURNS: 1})
"""What a received unit does to its position."""

DISPOSITIONS: dict[Outcome, Delta] = {
    Outcome.RESTOCK: Delta(blocked={Block.RETURNS: -1}),
    Outcome.REFURBISH: Delta(blocked={Block.RETURNS: -1, Block.DAMAGED: 1}),
    Outcome.QUARANTINE: Delta(blocked={Block.RETURNS: -1, Block.QUALITY_CONTROL: 1}),
    Outcome.SCRAP: Delta(on_hand=-1, blocked={Block.RETURNS: -1}),
}
"""What a unit disposed of does to its position, by outcome."""


@frozen
class Known:
    """An order with all its returns and refunds, by id.

    The header must have been read first: every write that announces units or makes money due replaces it, so
    that a decision on older returns or refunds fails when it is written.
    """

    order: Order
    returns: Mapping[str, Return] = field(default_factory=dict)
    refunds: Mapping[str, Refund] = field(default_factory=dict)


@frozen
class Change:
    """What a message writes, all in one transaction; order and return are the known ones when it does not.

    `received` counts the units that this message brought in, `disposed` those that it disposed of;
    `exceptions` has the codes of those opened. `redated` is what of earlier movements happened when it did,
    by sku.
    """

    order: Order
    return_: Return
    refund: Refund | None = None
    deltas: Deltas = field(default_factory=dict)
    received: int = 0
    disposed: Mapping[Outcome, int] = field(default_factory=dict)
    exceptions: tuple[str, ...] = ()
    redated: Mapping[str, tuple[Redated, ...]] = field(default_factory=dict)


def request(known: Known, message: ReturnRequest, now: datetime) -> Change:
    """Announce units that will come back; a request within what was shipped is approved at once.

    Units that have come in under the same reference already are received by it, and their money is due.

    Args:
        known: the order with its returns and refunds.
        message: the request; units of a line that is named twice add up.
        now: time of the write, UTC.

    Returns:
        What changes; nothing when the return has been requested before with the same units.

    Raises:
        Problem: the order does not have the line; more units than were shipped and not requested yet; or the
            reference is that of a request for other units.
    """
    order = known.order
    seen = _seen(known, message.reference)
    wanted: dict[str, int] = {}
    for asked in message.lines:
        wanted[asked.line_id] = wanted.get(asked.line_id, 0) + asked.units
    if seen.announced:
        if wanted == {line.line_id: line.requested for line in seen.lines if line.requested}:
            return Change(order, seen)
        raise Problem(Code.CONFLICT, f"return {seen.id} was requested with other units", "lines")
    for index, asked in enumerate(message.lines):
        _check(known, asked.line_id, wanted[asked.line_id], f"lines[{index}]")
    reasons = {asked.line_id: asked.reason for asked in message.lines}
    lines = {
        line_id: replace(
            _line(seen, order, line_id), requested=units, approved=units, reason=reasons[line_id]
        )
        for line_id, units in wanted.items()
    }
    announced = seen.with_lines(lines).written(now, "requested", data={"requested": wanted})
    return _settled(known, announced, now, "return_requested")


def record(known: Known, fact: ReturnFact, positions: Mapping[str, Position], now: datetime) -> Change:
    """Record units received or disposed of at a location.

    On hand and blocked rise with each unit that comes in; a count of the position later than that has found
    it there already, so on hand is not moved again. Units disposed of that the location has not reported as
    received came in with the disposition; the report that follows then says when they did, and moves only
    what was counted between. Units beyond those announced are blocked like the others, without money, under
    an exception of the order. Units of a line that the order does not have are kept on the return and touch
    no stock.

    Args:
        known: the order with its returns and refunds.
        fact: the message.
        positions: at the location, by sku, as seen now.
        now: time of the write, UTC.

    Returns:
        What changes; nothing when the message was recorded before.
    """
    seen = _seen(known, fact.reference)
    if seen.knows(fact.message_id):
        return Change(known.order, seen)
    before: dict[str, Place] = {}
    lines: dict[str, ReturnLine] = {}
    for units in fact.lines:
        line = lines.get(units.line_id) or _line(seen, known.order, units.line_id)
        place = line.place(fact.location)
        before.setdefault(units.line_id, place)
        lines[units.line_id] = line.with_place(place.plus(units.units, units.outcome))
    received: dict[str, int] = {}
    deltas: Deltas = {}
    dated: list[list[object]] = []
    redated: dict[str, tuple[Redated, ...]] = {}
    for line_id, old in before.items():
        new = lines[line_id].place(fact.location)
        if new.arrived > old.arrived:
            received[line_id] = new.arrived - old.arrived
        ordered = known.order.line(line_id)
        if ordered is not None and ordered.touches_stock and ordered.sku is not None:
            sku, held = ordered.sku, positions[ordered.sku]
            delta = held.unseen(_moved(old, new), fact.occurred_at)
            explained = new.reported - old.reported - received.get(line_id, 0)
            for was, count in _overtaken(seen, line_id, fact.location, explained):
                dated.append([line_id, was.isoformat(), count])
                if was > fact.occurred_at:
                    delta += held.redated(Delta(on_hand=count), was, fact.occurred_at)
                    redated[sku] = (*redated.get(sku, ()), Redated(was, {"on_hand": count}))
            if delta.on_hand or any(delta.blocked.values()) or sku in redated:
                add(deltas, sku, fact.location, delta)
    for (sku, location), delta in deltas.items():
        deltas[sku, location] = _possible(positions[sku], delta)
    disposed = [[units.line_id, str(units.outcome), units.units] for units in fact.lines if units.outcome]
    data: dict[str, object] = {"received": received} if received or not disposed else {}
    data |= {"disposed": disposed} if disposed else {}
    origin = {
        "message": fact.message_id,
        "location": fact.location,
        "occurred_at": fact.occurred_at.isoformat(),
    } | ({"dated": dated} if dated else {})
    recorded = seen.with_lines(lines).written(now, *data, data=origin | data)
    return replace(
        _settled(known, recorded, now),
        deltas=deltas,
        redated=redated,
        received=sum(received.values()),
        disposed=_by_outcome(fact.lines),
    )


def skus_moved(order: Order, fact: ReturnFact) -> set[str]:
    """The skus whose positions a fact may touch."""
    lines = (order.line(units.line_id) for units in fact.lines)
    return {line.sku for line in lines if line is not None and line.touches_stock and line.sku is not None}


def _seen(known: Known, reference: str) -> Return:
    """The return of a reference as it is known, or one that nothing is known of."""
    order_id = known.order.order_id
    name = return_id(order_id, reference)
    return known.returns.get(name) or Return(order_id, name, reference)


def _line(seen: Return, order: Order, line_id: str) -> ReturnLine:
    """A line of a return as it is known, or one that nothing is known of."""
    ordered = order.line(line_id)
    return seen.line(line_id) or ReturnLine(line_id, ordered.sku if ordered else None)


def _check(known: Known, line_id: str, units: int, path: str) -> None:
    """Refuse to announce units that the order does not have or that other returns have claimed."""
    line = known.order.line(line_id)
    if line is None:
        order_id = known.order.order_id
        raise Problem(Code.FIELD_INVALID, f"order {order_id} has no line {line_id}", f"{path}.line_id")
    returns = known.returns.values()
    left = line.shipped - sum(
        claim.claimed for one in returns for claim in one.lines if claim.line_id == line_id
    )
    if units > left:
        detail = f"of line {line_id} {left} units can be returned, not {units}"
        raise Problem(Code.STATE_REFUSED, detail, f"{path}.units", str(fulfillment_status(known.order)))


def _possible(held: Position, delta: Delta) -> Delta:
    """A change of a position where somebody may have unblocked what came back before it was disposed of."""
    lacking = -held.blocked.get(Block.RETURNS, 0) - delta.blocked.get(Block.RETURNS, 0)
    return delta + Delta(blocked={Block.RETURNS: lacking}) if lacking > 0 else delta


def _moved(old: Place, new: Place) -> Delta:
    """What happened to a position between two states of a place."""
    delta = _times(RECEIPT, new.arrived - old.arrived)
    for outcome, units in new.disposed.items():
        delta += _times(DISPOSITIONS[outcome], units - old.disposed.get(outcome, 0))
    return delta


def _overtaken(return_: Return, line_id: str, location: str, units: int) -> Iterator[tuple[datetime, int]]:
    """When units came in, as far as anybody knew, of which the receipt was told after their disposition.

    Args:
        return_: as it was before the receipt.
        line_id: whose.
        location: where.
        units: how many, the earliest first; none when it is not above 0.
    """
    told = [entry.data for entry in return_.journal if entry.data.get("location") == location]
    dated = [one for data in told for one in cast(Iterable[tuple[str, str, int]], data.get("dated", ()))]
    known = sum(count for name, _, count in dated if name == line_id)
    for data in told:
        came = cast(Mapping[str, int], data.get("received", {})) if "disposed" in data else {}
        count = came.get(line_id, 0)
        left = count - min(known, count)
        known -= count - left
        if (taken := min(left, units)) > 0:
            units -= taken
            yield datetime.fromisoformat(str(data["occurred_at"])), taken


def _times(delta: Delta, units: int) -> Delta:
    blocked = {reason: each * units for reason, each in delta.blocked.items()}
    return Delta(on_hand=delta.on_hand * units, blocked=blocked)


def _by_outcome(lines: tuple[ReturnedUnits, ...]) -> dict[Outcome, int]:
    sums: dict[Outcome, int] = {}
    for units in lines:
        if units.outcome:
            sums[units.outcome] = sums.get(units.outcome, 0) + units.units
    return sums


def _settled(known: Known, changed: Return, now: datetime, *kinds: str) -> Change:
    """What follows from a changed return for the order: units returned, money due, what nobody announced.

    Args:
        known: the order with its returns and refunds as they were.
        changed: one of the returns, as it will be written.
        now: time of the write, UTC.
        kinds: what the change is for the order's journal, whatever follows from it.
    """
    order = known.order
    seen = known.returns.get(changed.id) or replace(changed, lines=())
    gains = {
        line.line_id: gained
        for line in changed.lines
        if (gained := line.received - _line(seen, order, line.line_id).received)
    }
    refund = refund_due(order, known.refunds.values(), changed.id, changed.v, gains, now)
    settled = order.with_lines(
        {
            line.line_id: replace(line, returned=line.returned + gains[line.line_id])
            for line in order.lines
            if line.line_id in gains
        }
    )
    if any(line.unannounced for line in changed.lines):
        settled = settled.with_exception(UNEXPLAINED, changed.id, now)
    else:
        settled = settled.without_exception(UNEXPLAINED, changed.id)
    opened = tuple(exception.code for exception in settled.exceptions[len(order.exceptions) :])
    data: dict[str, object] = {"return": changed.id}
    if gains or opened:
        kinds = (*kinds, "returned")
        data["returned"] = gains
    if not kinds:
        return Change(order, changed)
    return Change(settled.written(now, *kinds, data=data), changed, refund, exceptions=opened)
