"""Rejection: a location says no to units that it was asked for; they wait for another source."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from oms.fulfillment.events import FulfillmentFact
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, RequestLine
from oms.fulfillment.recall import cancel_given_up, cancel_reason, needless_units
from oms.inventory.model import Block, Delta, Position, add
from oms.inventory.shortage import missing
from oms.orders.claims import Reclaimed, reclaimed
from oms.orders.model import Order
from oms.orders.resourcing import take_back
from oms.payments.refunds import Refund, cancellation_refund
from oms.sourcing.deliveries import rejections
from oms.sourcing.profile import Act
from oms.values import frozen, replace

_ACTS: Mapping[Act, Callable[[int], Delta]] = {
    Act.BLOCK: lambda units: Delta(blocked={Block.DAMAGED: units}),
    Act.WRITE_OFF: lambda units: Delta(on_hand=-units),
    Act.GIVE_BACK: lambda units: Delta(),
    Act.CLOSE: lambda units: Delta(),
}
"""What becomes of rejected units at their position, besides that nobody is promised them any more."""


@frozen
class Rejected:
    """What a rejection writes in one transaction.

    `units` are those that are not shipped, `cancelled` those of them that nobody wants any more.
    """

    change: Reclaimed
    fulfillment_order: FulfillmentOrder
    refund: Refund | None
    units: int
    cancelled: int


def reject(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    positions: Mapping[str, Position],
    refunds: Iterable[Refund],
    fact: FulfillmentFact,
    act: Act,
    attempts: int,
    now: datetime,
) -> Rejected | None:
    """Record that a location does not ship units; None when it was recorded before, or says nothing.

    The units are open again, and their line is not sourced from that location any more; other lines stay
    with it. Those that nobody wants in their place (`needless_units`) are cancelled. Units that have left are
    not rejected. A count of the position after the rejection has seen what is not there, and so has one that
    has found fewer than are promised: nothing is written off twice.

    Args:
        order: the header.
        fulfillment_order: the work that the fact is about.
        positions: at the location, by sku, as seen now.
        refunds: every refund of the order.
        fact: the message; without lines it is about all that remains.
        act: what becomes of the stock.
        attempts: locations that may say no to a line before a person has to find it a source.
        now: time of the write, UTC.
    """
    if any(entry.data.get("message") == fact.message_id for entry in fulfillment_order.journal):
        return None
    named = {packed.line_id: packed.units for packed in fact.lines}
    requests: dict[str, RequestLine] = {}
    taken = Counter[str]()
    for request in fulfillment_order.lines:
        units = min(request.remaining, named.get(request.line_id, 0) if named else request.remaining)
        if units and order.line(request.line_id) is not None:
            requests[request.line_id] = _without(request, units)
            taken[request.line_id] = units
    if not taken:
        return None
    reason, location = fact.reason or "unknown", fulfillment_order.location
    cancelled, work = needless_units(fulfillment_order, fulfillment_order.with_lines(requests))
    written, refund = order, None
    if cancelled:
        written = cancel_given_up(order, work, cancelled, {}, cancel_reason(order), now)
        refund = cancellation_refund(order, written, refunds, cancelled, now)
    reopened = taken - cancelled
    if reopened:
        written = take_back(
            written, fulfillment_order.id, location, reopened, now, reason=reason, rejected=True
        )
    said = rejections(written)
    for line_id in reopened:
        code = "rejected_often" if len(said[line_id]) >= attempts else "stock_short"
        written = written.with_exception(code, line_id, now)
    change = reclaimed(order, written)
    act_on(change, fulfillment_order, taken, positions, act, fact.occurred_at)
    data = {"rejected": dict(taken), "reason": reason, "message": fact.message_id}
    after = _standing(work).written(now, "rejected", data=data)
    return Rejected(change, after, refund, taken.total(), cancelled.total())


def act_on(
    change: Reclaimed,
    work: FulfillmentOrder,
    units: Mapping[str, int],
    positions: Mapping[str, Position],
    act: Act,
    occurred_at: datetime,
) -> None:
    """Add to a change what becomes of the stock of units that a location does not ship.

    Args:
        change: the order without the units, lowered by what they claimed.
        work: that they belonged to.
        units: by line.
        positions: at the location, by sku, as seen now.
        act: what becomes of them.
        occurred_at: when the location found out, UTC.
    """
    unexplained = {sku: missing(held) for sku, held in positions.items()}
    skus = {request.line_id: request.sku for request in work.lines}
    for line_id, count in units.items():
        line, sku = change.order.line(line_id), skus[line_id]
        if line is None or not line.touches_stock:
            continue
        known = 0
        if act is Act.WRITE_OFF:
            counted = positions[sku].counted_since(occurred_at)
            known = count if counted else min(count, unexplained[sku])
            unexplained[sku] -= min(known, unexplained[sku])
        if count > known:
            add(change.deltas, sku, work.location, _ACTS[act](count - known))


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


def _standing(work: FulfillmentOrder) -> FulfillmentOrder:
    """The work where it stands when units are gone from it: ended when nothing is left to ship."""
    if any(line.remaining for line in work.lines):
        return work
    shipped = any(line.shipped for line in work.lines)
    state = FulfillmentState.CLOSED if shipped else FulfillmentState.CANCELLED
    return replace(work, state=state, recalls=(), before=None)
