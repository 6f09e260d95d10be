"""Recall: a location is asked to give units up, and answers. Only its answer gives their stock back.

What it gives up is cancelled, or sourced again when it was asked because there are too few.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from oms.fulfillment.events import FactKind, FulfillmentFact
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, Recall, RequestLine
from oms.orders.cancelling import completed, with_containers
from oms.orders.claims import Reclaimed, reclaimed
from oms.orders.holds import weighed
from oms.orders.model import POSITION_SHORT, Order, OrderLine
from oms.orders.resourcing import take_back
from oms.payments.refunds import Refund, cancellation_refund
from oms.problems import Code, Problem
from oms.values import frozen, replace

REJECTED = "rejected"
"""Why units are given up that a location rejects: the rejection was taken for another answer of it."""

ANSWERS = (FactKind.CANCELLED, FactKind.CANCEL_REFUSED)
"""What a location answers when it was asked to give units up."""

_ENDED = (FulfillmentState.CLOSED, FulfillmentState.CANCELLED)


@frozen
class Answered:
    """What a location's answer writes in one transaction.

    `cancelled` and `reopened` count the units given up, by what becomes of them; `reason` is why their stock
    is given back. The order is the known one when the answer is nothing to it.
    """

    change: Reclaimed
    fulfillment_order: FulfillmentOrder
    refund: Refund | None
    cancelled: int
    reopened: int
    reason: str


def recall(
    fulfillment_order: FulfillmentOrder, units: Mapping[str, int], reason: str, now: datetime
) -> FulfillmentOrder:
    """The fulfillment order after its location has been asked not to ship units (by line id).

    They must be left to ship, and not asked for already; but those that were to be sourced again can be
    cancelled instead, of which the location does not have to be told. To cancel units is to ask once more for
    those that it would not give up, if there are any.
    """
    fresh, again = Counter[str](), Counter[str]()
    for line_id, count in units.items():
        request = fulfillment_order.line(line_id)
        left = request.remaining - fulfillment_order.recalled(line_id) if request else 0
        fresh[line_id] = min(count, max(0, left))
        again[line_id] = count - fresh[line_id]
    recalls: list[Recall] = []
    for known in fulfillment_order.recalls:
        taken = Counter() if known.cancels else Counter(known.units) & again
        again -= taken
        parts = {reason: taken, known.reason: Counter(known.units) - taken}
        recalls += [Recall(known.v, dict(part), why) for why, part in parts.items() if part]
    asked = dict(+fresh)
    requested = fulfillment_order
    if asked:
        latest = Recall(fulfillment_order.v + 1, asked, reason)
        recalls.append(latest)
        if latest.cancels:
            requested = with_unwanted(requested, {line_id: -units for line_id, units in asked.items()})
    requested = replace(
        requested,
        state=FulfillmentState.CANCEL_REQUESTED,
        before=fulfillment_order.stage,
        recalls=tuple(recalls),
    )
    kinds = ("cancel_requested",) if asked else ()
    return requested.written(now, *kinds, data={"units": asked, "reason": reason})


def answer(
    order: Order,
    fulfillment_order: FulfillmentOrder,
    refunds: Iterable[Refund],
    fact: FulfillmentFact,
    now: datetime,
    *,
    presumed: bool = False,
) -> Answered | None:
    """Record whether a location gives up what it was asked for; None when the message was recorded before.

    It answers the requests up to the version that it has seen, or one alone (`_answered`). Units that it
    gives up are cancelled on the order, or open again, those to be cancelled first; the position has them
    back. Those that it does not give up are shipped, and the work goes on where it was: an exception tells so
    if they were to be cancelled.

    An answer that we have taken a rejection for may come after all: then that was about other units, and
    those given up now are open again as if they had been rejected, but for those that are not wanted anyway.
    So it is with those that are given up for a shortage: whatever is not shipped is first what nobody wants.

    Args:
        order: the header.
        fulfillment_order: the work that the fact is about.
        refunds: every refund of the order.
        fact: the message, cancelled or cancel_refused.
        now: time of the write, UTC.
        presumed: whether the location has not said so, but rejected units that it was asked for.

    Raises:
        Problem: `state_refused`, the location was not asked to give this up.
    """
    if any(entry.data.get("message") == fact.message_id for entry in fulfillment_order.journal):
        return None
    answered = _answered(fulfillment_order, fact)
    asked, to_cancel = Counter[str](), Counter[str]()
    for known in answered:
        asked.update(known.units)
        to_cancel.update(known.units if known.cancels else {})
    belated = _belated(fulfillment_order, asked, fact)
    settled = fulfillment_order.state in _ENDED or any(line.presumed for line in fulfillment_order.lines)
    if settled and not (answered or belated):
        return None
    presumptions = asked if presumed else Counter({line_id: -units for line_id, units in belated.items()})
    given_up = _given_up(fulfillment_order, asked + belated, fact)
    given_back = given_up & to_cancel
    work = replace(
        _without(fulfillment_order, given_back),
        recalls=tuple(known for known in fulfillment_order.recalls if known not in answered),
    )
    kept = decided(fulfillment_order, work) - given_back
    needless, work = needless_units(work, _without(work, given_up - given_back))
    work = work.with_lines(
        {
            line.line_id: replace(line, presumed=line.presumed + presumptions[line.line_id])
            for line in with_unwanted(work, kept).lines
        }
    )
    cancelled = given_back + needless
    refused = {
        line.line_id: units
        for line in work.lines
        if (units := min(line.remaining, asked[line.line_id] - given_up[line.line_id])) > 0
    }
    why = answered[-1].reason if answered else REJECTED
    told = {"cancelled": dict(given_up), "refused": refused, "reason": why}
    kinds = [*(["cancelled"] if given_up else []), *(["cancel_refused"] if refused or not given_up else [])]
    after = _standing(work).written(now, *kinds, data=told | {"message": fact.message_id})
    rejected = belated - needless
    short = given_up - cancelled - rejected
    written, refund = order, None
    if to_cancel or needless:
        reasons = [known.reason for known in answered if known.cancels] or [cancel_reason(order)]
        written = cancel_given_up(order, after, cancelled, kept, reasons[-1], now)
        refund = cancellation_refund(order, written, refunds, cancelled, now) if cancelled else None
    if short:
        written = take_back(written, work.id, work.location, short, now, reason=POSITION_SHORT)
    if rejected:
        written = take_back(written, work.id, work.location, rejected, now, reason=REJECTED, rejected=True)
    for line_id in short | rejected:
        written = written.with_exception("stock_short", line_id, now)
    change = reclaimed(order, written)
    freed = "order_cancelled" if cancelled else POSITION_SHORT if short else REJECTED
    return Answered(change, after, refund, cancelled.total(), (short + rejected).total(), freed)


def cancel_given_up(
    order: Order,
    work: FulfillmentOrder,
    cancelled: Mapping[str, int],
    kept: Mapping[str, int],
    reason: str,
    now: datetime,
) -> Order:
    """The order with units cancelled that a location does not ship; an exception tells of those that it does.

    Args:
        order: the header.
        work: what they belonged to, without them.
        cancelled: units by line id.
        kept: units by line id that were to be cancelled and are shipped.
        reason: why they were to be.
        now: time of the write, UTC.
    """
    written = weighed(order, _with_cancelled(order, work.id, cancelled), now)
    if kept:
        written = written.with_exception("cancel_refused", work.id, now)
    elif not any(line.unwanted for line in work.lines):
        written = written.without_exception("cancel_refused", work.id)
    kinds = [*(["cancelled"] if cancelled else []), *(["cancel_refused"] if kept or not cancelled else [])]
    data = {"cancelled": dict(cancelled), "refused": dict(kept), "reason": reason}
    return completed(written, now, *kinds, data=data)


def decided(before: FulfillmentOrder, after: FulfillmentOrder) -> Counter[str]:
    """Units by line that were to be cancelled if a location gave them up, and of which that is known now.

    They are given up, refused, or gone: units are alike, so of three that it has and two that it is asked for
    one is gone for good when two leave, whichever of them the request meant.
    """
    pairs = zip(before.lines, after.lines, strict=True)
    return +Counter({one.line_id: before.undecided(one) - after.undecided(other) for one, other in pairs})


def needless_units(
    before: FulfillmentOrder, after: FulfillmentOrder
) -> tuple[Counter[str], FulfillmentOrder]:
    """Units that a location does not ship, and that nobody wants in their place, by line id.

    They are those that it is asked to give up but has not left, and those that it would not give up.

    Args:
        before: the work with the units.
        after: the work without them.

    Returns:
        Those of them that are cancelled; the work after, in whose lines these are unwanted no more.
    """
    missed = decided(before, after)
    unwanted = {
        other.line_id: min(other.unwanted, one.remaining - other.remaining - missed[other.line_id])
        for one, other in zip(before.lines, after.lines, strict=True)
    }
    fewer = {line_id: -units for line_id, units in unwanted.items()}
    return missed + Counter(unwanted), with_unwanted(after, fewer)


def with_unwanted(work: FulfillmentOrder, change: Mapping[str, int]) -> FulfillmentOrder:
    """The work with more units by line that were to be cancelled and are not given up; fewer, below zero."""
    return work.with_lines(
        {
            line.line_id: replace(line, unwanted=max(0, line.unwanted + change.get(line.line_id, 0)))
            for line in work.lines
        }
    )


def cancel_reason(order: Order) -> str:
    """Why units were to be cancelled that a location would not give up, or has not answered for."""
    asked = (entry for entry in reversed(order.journal) if "cancel_requested" in entry.kinds)
    return str(next(asked).data["reason"])


def _answered(fulfillment_order: FulfillmentOrder, fact: FulfillmentFact) -> list[Recall]:
    """The requests that a location answers: all that it has seen when it gives up whatever was asked for.

    When it names units, or refuses, it may answer each request by itself, and answers overtake each other:
    then it is that of its version alone, unless it names more units than that has asked for.
    """
    alone = [known for known in fulfillment_order.recalls if known.v == fact.v]
    asked, named = Counter[str](), _named(fact)
    for known in alone:
        asked.update(known.units)
    if asked and named <= asked and (named or fact.kind is FactKind.CANCEL_REFUSED):
        return alone
    return [known for known in fulfillment_order.recalls if fact.v is None or known.v <= fact.v]


def _belated(
    fulfillment_order: FulfillmentOrder, asked: Mapping[str, int], fact: FulfillmentFact
) -> Counter[str]:
    """Units by line that a location gives up besides: a rejection had been taken for this answer."""
    if fact.kind is FactKind.CANCEL_REFUSED:
        return Counter()
    presumed = Counter(
        {
            line.line_id: min(line.presumed, line.remaining - asked.get(line.line_id, 0))
            for line in fulfillment_order.lines
        }
    )
    named = _named(fact)
    return presumed & (named - Counter(asked)) if named else +presumed


def _named(fact: FulfillmentFact) -> Counter[str]:
    """Units by line that an answer names."""
    named = Counter[str]()
    for packed in fact.lines:
        named[packed.line_id] += packed.units
    return named


def _given_up(
    fulfillment_order: FulfillmentOrder, asked: Mapping[str, int], fact: FulfillmentFact
) -> Counter[str]:
    """Units by line that a location gives up: those that it names, or all that it was asked for."""
    if not asked:
        detail = f"fulfillment order {fulfillment_order.public_id} was not asked to give anything up"
        raise Problem(Code.STATE_REFUSED, detail, "type", str(fulfillment_order.state))
    if fact.kind is FactKind.CANCEL_REFUSED:
        return Counter()
    left = {line.line_id: min(line.remaining, asked.get(line.line_id, 0)) for line in fulfillment_order.lines}
    named = _named(fact)
    for line_id, units in named.items():
        if units > asked.get(line_id, 0):
            detail = f"of line {line_id} {asked.get(line_id, 0)} units were asked for, not {units}"
            raise Problem(Code.STATE_REFUSED, detail, "lines", str(fulfillment_order.state))
    return +(Counter(left) & named if named else Counter(left))


def _without(work: FulfillmentOrder, units: Mapping[str, int]) -> FulfillmentOrder:
    """The work without units by line that are given up."""
    return work.with_lines(
        {line.line_id: _withdrawn(line, units.get(line.line_id, 0)) for line in work.lines}
    )


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


def _with_cancelled(order: Order, name: str, given_up: Mapping[str, int]) -> Order:
    """The order with units of a fulfillment order, by line id, cancelled."""
    changed: dict[str, OrderLine] = {}
    for line_id, units in given_up.items():
        line = order.line(line_id)
        assert line is not None, "lines are never deleted"
        entries, _ = line.entries_without(name, units)
        changed[line_id] = replace(line, entries=entries, cancelled=line.cancelled + units)
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
