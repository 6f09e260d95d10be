"""Recording: what channels and payment providers say has been paid and given back.

The same money may be told of twice, by an order's own payments and by a record of its own: the larger sum
counts. More cannot be given back than was captured; what says otherwise is looked at by a person.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from oms.orders.cancelling import completed
from oms.orders.holds import weighed
from oms.orders.model import Order
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.payments.refunds import Refund, RefundState, late_refund
from oms.values import frozen, replace

_CAPTURING = (PaymentKind.SALE, PaymentKind.CAPTURE)
_FROM_CHANNEL = "channel."


@frozen
class Recorded:
    """What a record writes, all in one transaction; `refunds` are those that are new or have changed."""

    order: Order
    refunds: tuple[Refund, ...] = ()


def with_payment(
    order: Order,
    payments: Mapping[str, PaymentRecorded],
    refunds: Iterable[Refund],
    record: PaymentRecorded,
    now: datetime,
) -> Recorded | None:
    """Take on a payment event; None when it is known, or says less than what is known of its payment.

    Money that comes for units that were cancelled or sent back before is due back at once.

    Args:
        order: the header.
        payments: payments recorded before, by id.
        refunds: every refund of the order.
        record: the event.
        now: time of the write, UTC.
    """
    known = payments.get(record.payment_id)
    if known and (known.outcome is record.outcome or record.outcome is Outcome.PENDING):
        return None
    if record.test and not order.test:
        return None
    if record.currency != order.currency:
        flagged = order.with_exception("money_conflict", record.payment_id, now)
        return Recorded(_recorded(order, flagged, record.kind, record.amount, now))
    done = [one for one in {**payments, record.payment_id: record}.values() if one.outcome is Outcome.SUCCESS]
    captured = max(order.captured, sum(one.amount for one in done if one.kind in _CAPTURING))
    authorized = max(0, order.authorized - (captured - order.captured))
    if record.outcome is Outcome.SUCCESS and record.kind is PaymentKind.AUTHORIZATION:
        held = sum(one.amount for one in done if one.kind is PaymentKind.AUTHORIZATION)
        authorized = max(authorized, held - captured)
    if record.outcome is Outcome.SUCCESS and record.kind is PaymentKind.VOID:
        authorized = max(0, authorized - record.amount)
    paid = replace(order, authorized=authorized, captured=captured)
    known_refunds = tuple(refunds)
    back = sum(one.amount for one in done if one.kind is PaymentKind.REFUND)
    given, settled = _given_back(paid, known_refunds, max(back, _told(known_refunds)), record.payment_id, now)
    final = _recorded(order, given, record.kind, record.amount, now)
    refunds_now = {refund.id: refund for refund in (*known_refunds, *settled)}
    late = late_refund(order, final, refunds_now.values(), record.payment_id, now)
    return Recorded(final, (*settled, *([late] if late else ())))


def with_refund(
    order: Order, refunds: Mapping[str, Refund], record: RefundRecorded, now: datetime
) -> Recorded | None:
    """Take on money that a channel has given back; None when it was recorded before.

    Refunds of ours that were due are settled by it: the one that it names, else the earliest first, as far as
    it goes.

    Args:
        order: the header.
        refunds: every refund of the order, by id.
        record: what the channel says.
        now: time of the write, UTC.
    """
    name = f"{_FROM_CHANNEL}{record.refund_id}"
    if name in refunds:
        return None
    if record.currency != order.currency:
        flagged = order.with_exception("money_conflict", record.refund_id, now)
        return Recorded(_recorded(order, flagged, PaymentKind.REFUND, record.amount, now))
    made = Refund(order.order_id, name, None, order.currency, record.amount, (), RefundState.SETTLED).written(
        now, "settled", data={"amount": record.amount, "currency": order.currency}
    )
    back = record.amount + _told(refunds.values())
    # Of less than a refund it is none: it is judged by its amount then.
    whole = any(one.public_id == record.settles and one.amount <= record.amount for one in refunds.values())
    named = (record.settles if whole else None) or record.refund_id
    given, settled = _given_back(order, refunds.values(), back, record.refund_id, now, named)
    return Recorded(_recorded(order, given, PaymentKind.REFUND, record.amount, now), (made, *settled))


def settled_by(
    refunds: Iterable[Refund], before: int, after: int, now: datetime, ref: str = ""
) -> tuple[Refund, ...]:
    """The refunds that are due and that the money given back settles in whole.

    The one that is named comes first, then one for just what was given now, then the earliest. All that was
    ever given back counts, but for what has settled others: what it leaves may settle one with the next. What
    was settled without a name by money that turns out to be of the one that is named is due again.

    Args:
        refunds: every refund of the order.
        before: what had been given back in all until now.
        after: the same with what was given now.
        now: time of the write, UTC.
        ref: what the money was given back by: the public id of a refund when its giver goes by that.
    """
    ours = [refund for refund in refunds if not refund.id.startswith(_FROM_CHANNEL)]
    done = [refund for refund in ours if refund.state is RefundState.SETTLED]
    left = after - sum(refund.amount for refund in done)
    due = [refund for refund in ours if refund.state is RefundState.DUE]
    given = after - before
    named = next((refund for refund in due if refund.public_id == ref), None)
    owed = _owed_again(done, named.amount - left, now) if named else ()
    left += sum(refund.amount for refund in owed)
    settled = list(owed)
    for refund in sorted(due, key=lambda one: (one.public_id != ref, one.amount != given, one.journal[0].at)):
        if refund.amount <= left:
            left -= refund.amount
            data = {"amount": refund.amount, "currency": refund.currency, "named": refund is named}
            settled.append(replace(refund, state=RefundState.SETTLED).written(now, "settled", data=data))
    return tuple(settled)


def _owed_again(done: Iterable[Refund], missing: int, now: datetime) -> tuple[Refund, ...]:
    """Settled refunds that were only taken for what was given back, the latest first, due as before.

    The money was another's, which is named now: nobody may have given them back.
    """
    guessed = [refund for refund in done if not refund.journal[-1].data.get("named")]
    owed: list[Refund] = []
    for refund in sorted(guessed, key=lambda one: one.journal[-1].at, reverse=True):
        if missing <= 0:
            break
        missing -= refund.amount
        data = {"amount": refund.amount, "currency": refund.currency}
        owed.append(replace(refund, state=RefundState.DUE).written(now, "due", data=data))
    return tuple(owed) if missing <= 0 else ()


def _told(refunds: Iterable[Refund]) -> int:
    """What the channel has said that it has given back, by records of its own."""
    return sum(one.amount for one in refunds if one.id.startswith(_FROM_CHANNEL))


def _given_back(
    order: Order, refunds: Iterable[Refund], back: int, ref: str, now: datetime, named: str = ""
) -> tuple[Order, tuple[Refund, ...]]:
    """The order after so much was given back in all, and the refunds that this settles."""
    if back > order.captured:
        order = order.with_exception("money_conflict", ref, now)
    else:  # what was told before its payment is explained now
        for one in refunds:
            order = order.without_exception("money_conflict", one.id.removeprefix(_FROM_CHANNEL))
    refunded = max(order.refunded, min(back, order.captured))
    settled = settled_by(refunds, order.refunded, refunded, now, named or ref)
    return replace(order, refunded=refunded), settled


def _recorded(before: Order, order: Order, kind: PaymentKind, amount: int, now: datetime) -> Order:
    """The order written, held as its money wants it, and closed when nothing is left to do."""
    amounts = {name: getattr(order, name) for name in ("authorized", "captured", "refunded")}
    data = {"kind": str(kind), "amount": amount, **amounts}
    return completed(weighed(before, order, now), now, "payment_recorded", data=data)
