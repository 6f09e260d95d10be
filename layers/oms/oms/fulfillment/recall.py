"""Recall: a location is asked to give units up, and answers. Only its answer gives their stock back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from oms.fulfillment.events import FactKind, FulfillmentFact
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, Recall, RequestLine
from oms.inventory.model import Deltas
from oms.orders.cancelling import completed, with_containers
from oms.orders.claims import reclaimed
from oms.orders.model import Order, OrderLine
from oms.payments.refunds import Refund, cancellation_refund
from oms.problems import Code, Problem

ANSWERS = (FactKind.CANCELLED, FactKind.CANCEL_REFUSED)
"""What a location answers when it was asked to give units up."""

_ENDED = (FulfillmentState.CLOSED, FulfillmentState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a location's answer writes in one transaction; `cancelled` counts the units given up."""

    order: Order
    fulfillment_order: FulfillmentOrder
    deltas: Deltas
    refund: Refund | None
    cancelled: int


def recall(
    fulfillment_order: FulfillmentOrder, units: Mapping[str, int], reason: str, now: datetime
) -> FulfillmentOrder:
    """The fulfillment order after its location has been asked not to ship units (by line id).

    They must be left to ship, and not asked for already.
    """
    asked = Recall(fulfillment_order.v + 1, units, reason)
    requested = replace(
        fulfillment_order,
        state=FulfillmentState.CANCEL_REQUESTED,
        before=fulfillment_order.stage,
        recalls=(*fulfillment_order.recalls, asked),
    )
    return requested.written(now, "cancel_requested", data={"units": dict(units), "reason": reason})


def answer(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    refunds: Iterable[Refund],
    fact: FulfillmentFact,
    now: datetime,
) -> Answered | None:
    """Record whether a location gives up what it was asked for; None when the message was recorded before.

    It answers the requests up to the version that it has seen. Units that it gives up are cancelled on the
    order and given back to the position, those that it does not are shipped: an exception tells so, and the
    work goes on where it was.

    Args:
        order: the header.
        fulfillment_order: the work that the fact is about.
        refunds: every refund of the order.
        fact: the message, cancelled or cancel_refused.
        now: time of the write, UTC.

    Raises:
        Problem: `state_refused`, the location was not asked to give this up.
    """
    if any(entry.data.get("message") == fact.message_id for entry in fulfillment_order.journal):
        return None
    answered = [known for known in fulfillment_order.recalls if fact.v is None or known.v <= fact.v]
    if not answered and fulfillment_order.state in _ENDED:
        return None
    asked: dict[str, int] = {}
    for known in answered:
        for line_id, units in known.units.items():
            asked[line_id] = asked.get(line_id, 0) + units
    given_up = _given_up(fulfillment_order, asked, fact)
    requests = {
        line.line_id: _withdrawn(line, given_up[line.line_id])
        for line in fulfillment_order.lines
        if line.line_id in given_up
    }
    work = replace(
        fulfillment_order.with_lines(requests),
        recalls=tuple(known for known in fulfillment_order.recalls if known not in answered),
    )
    refused = {
        line.line_id: units
        for line in work.lines
        if (units := min(line.remaining, asked.get(line.line_id, 0) - given_up.get(line.line_id, 0))) > 0
    }
    changed = _cancelled(order, work.id, given_up)
    if refused:
        changed = changed.with_exception("cancel_refused", work.id, now)
    kinds = [*(["cancelled"] if given_up else []), *(["cancel_refused"] if refused or not given_up else [])]
    told = {"cancelled": given_up, "refused": refused, "reason": answered[-1].reason}
    written = completed(changed, now, *kinds, data=told)
    return Answered(
        written,
        _standing(work).written(now, *kinds, data=told | {"message": fact.message_id}),
        reclaimed(order, written).deltas,
        cancellation_refund(order, written, refunds, given_up, now) if given_up else None,
        sum(given_up.values()),
    )


def _given_up(
    fulfillment_order: FulfillmentOrder, asked: Mapping[str, int], fact: FulfillmentFact
) -> dict[str, int]:
    """Units by line that a location gives up: those that it names, or all that it was asked for."""
    if not asked:
        detail = f"fulfillment order {fulfillment_order.public_id} was not asked to give anything up"
        raise Problem(Code.STATE_REFUSED, detail, "type", str(fulfillment_order.state))
    if fact.kind is FactKind.CANCEL_REFUSED:
        return {}
    left = {line.line_id: min(line.remaining, asked.get(line.line_id, 0)) for line in fulfillment_order.lines}
    named: dict[str, int] = {}
    for packed in fact.lines:
        named[packed.line_id] = named.get(packed.line_id, 0) + packed.units
    for line_id, units in named.items():
        if units > asked.get(line_id, 0):
            detail = f"of line {line_id} {asked.get(line_id, 0)} units were asked for, not {units}"
            raise Problem(Code.STATE_REFUSED, detail, "lines", str(fulfillment_order.state))
    return {
        line_id: given
        for line_id, units in left.items()
        if (given := min(units, named.get(line_id, 0) if named else units))
    }


def _withdrawn(request: RequestLine, units: int) -> RequestLine:
    """Units are given up that nobody has touched first, then those picked, then those packed."""
    touched = max(0, units - request.pending)
    picked = min(request.picked, touched)
    return replace(
        request,
        picked=request.picked - picked,
        packed=request.packed - (touched - picked),
        withdrawn=request.withdrawn + units,
    )


def _cancelled(order: Order, name: str, given_up: Mapping[str, int]) -> Order:
    """The order with units of a fulfillment order cancelled."""
    changed: dict[str, OrderLine] = {}
    for line_id, units in given_up.items():
        line = order.line(line_id)
        assert line is not None, "lines are never deleted"
        entries, left = [], units
        for entry in line.entries:
            taken = min(entry.units, left) if entry.fulfillment_order == name else 0
            left -= taken
            if entry.units > taken:
                entries.append(replace(entry, units=entry.units - taken))
        changed[line_id] = replace(line, entries=tuple(entries), cancelled=line.cancelled + units)
    return with_containers(order.with_lines(changed))


def _standing(work: FulfillmentOrder) -> FulfillmentOrder:
    """The fulfillment order in the state that is left to it when requests have been answered."""
    if work.recalls:
        return work
    if any(line.remaining for line in work.lines):
        return replace(work, state=work.stage, before=None)
    shipped = any(line.shipped for line in work.lines)
    state = FulfillmentState.CLOSED if shipped else FulfillmentState.CANCELLED
    return replace(work, state=state, before=None)
