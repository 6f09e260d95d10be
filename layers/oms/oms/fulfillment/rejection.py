"""Rejection: a location says no to units that it was asked for; they wait for another source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from oms.fulfillment.events import FulfillmentFact
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, RequestLine
from oms.inventory.model import Block, Delta, Position, add
from oms.orders.claims import Reclaimed, reclaimed
from oms.orders.model import Entry, Order, OrderLine
from oms.orders.work import releasable
from oms.sourcing.deliveries import rejections
from oms.sourcing.profile import Act

_ACTS: Mapping[Act, Callable[[int], Delta]] = {
    Act.BLOCK: lambda units: Delta(blocked={Block.DAMAGED: units}),
    Act.WRITE_OFF: lambda units: Delta(on_hand=-units),
    Act.GIVE_BACK: lambda units: Delta(),
    Act.CLOSE: lambda units: Delta(),
}
"""What becomes of rejected units at their position, besides that nobody is promised them any more."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """What a rejection writes in one transaction; `units` are those that it has taken back."""

    change: Reclaimed
    fulfillment_order: FulfillmentOrder
    units: int


def reject(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    positions: Mapping[str, Position],
    fact: FulfillmentFact,
    act: Act,
    attempts: int,
    now: datetime,
) -> Rejected | None:
    """Record that a location does not ship units; None when it was recorded before, or says nothing.

    The units are open again, and their line is not sourced from that location any more; other lines stay
    with it. Units that have left are not rejected. A count of the position after the rejection has seen what
    is not there: nothing is written off twice.

    Args:
        order: the header.
        fulfillment_order: the work that the fact is about.
        positions: at the location, by sku, as seen now.
        fact: the message; without lines it is about all that remains.
        act: what becomes of the stock.
        attempts: locations that may say no to a line before a person has to find it a source.
        now: time of the write, UTC.
    """
    if any(entry.data.get("message") == fact.message_id for entry in fulfillment_order.journal):
        return None
    named = {packed.line_id: packed.units for packed in fact.lines}
    requests: dict[str, RequestLine] = {}
    changed: dict[str, OrderLine] = {}
    taken: list[list[object]] = []
    for request in fulfillment_order.lines:
        units = min(request.remaining, named.get(request.line_id, 0) if named else request.remaining)
        line = order.line(request.line_id)
        if units and line is not None:
            requests[request.line_id] = _without(request, units)
            changed[request.line_id] = _reopened(line, fulfillment_order.id, units)
            taken.append([request.line_id, fulfillment_order.location, units])
    if not changed:
        return None
    reason = fact.reason or "unknown"
    reopened = order.with_lines(changed)
    reopened = reopened if releasable(reopened) else replace(reopened, due_at=now)
    data = {"reason": reason, "taken": taken, "rejected": True}
    written = reopened.written(now, "reopened", data=data)
    said = rejections(written)
    for line_id in changed:
        code = "rejected_often" if len(said[line_id]) >= attempts else "stock_short"
        written = written.with_exception(code, line_id, now)
    change = reclaimed(order, written)
    for line_id, line in changed.items():
        request = requests[line_id]
        before = next(one for one in fulfillment_order.lines if one.line_id == line_id)
        units = request.rejected - before.rejected
        known = positions[request.sku].counted_since(fact.occurred_at) and act is Act.WRITE_OFF
        if line.touches_stock and not known:
            add(change.deltas, request.sku, fulfillment_order.location, _ACTS[act](units))
    units_by_line = {line_id: units for line_id, _, units in taken}
    data = {"rejected": units_by_line, "reason": reason, "message": fact.message_id}
    work = _standing(fulfillment_order.with_lines(requests)).written(now, "rejected", data=data)
    return Rejected(change, work, sum(request.rejected for request in requests.values()))


def _without(request: RequestLine, units: int) -> RequestLine:
    """Units are rejected that nobody has touched first, then those picked, then those packed."""
    touched = max(0, units - request.pending)
    picked = min(request.picked, touched)
    return replace(
        request,
        picked=request.picked - picked,
        packed=request.packed - (touched - picked),
        rejected=request.rejected + units,
    )


def _reopened(line: OrderLine, name: str, units: int) -> OrderLine:
    """A line with units of a fulfillment order open again."""
    entries: list[Entry] = []
    left = units
    for entry in line.entries:
        fewer = min(entry.units, left) if entry.fulfillment_order == name else 0
        left -= fewer
        if entry.units > fewer:
            entries.append(replace(entry, units=entry.units - fewer))
    return replace(line, open=line.open + units - left, entries=tuple(entries))


def _standing(work: FulfillmentOrder) -> FulfillmentOrder:
    """The work where it stands when units are gone from it: ended when nothing is left to ship."""
    if any(line.remaining for line in work.lines):
        return work
    shipped = any(line.shipped for line in work.lines)
    state = FulfillmentState.CLOSED if shipped else FulfillmentState.CANCELLED
    return replace(work, state=state, recalls=(), before=None)
