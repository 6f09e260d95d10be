"""Recording money: told twice, late, in other currencies, beyond what was captured; refunds it settles."""

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.orders.cancelling import CancelReason, CancelRequest, cancel
from oms.orders.commands import Payment, PaymentState
from oms.orders.model import Order
from oms.orders.placing import place
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.orders.status import PaymentStatus, payment_status
from oms.payments.recording import Recorded, settled_by, with_payment, with_refund
from oms.payments.refunds import Refund, RefundState
from tests.builders import CHANNEL, NOW, command, line, network, stock

LATER = NOW + timedelta(hours=1)


def order(paid: int = 0, units: int = 2) -> Order:
    """Two units at 10.00 of which so much has been captured."""
    payments = (Payment("card", paid, PaymentState.CAPTURED),) if paid else ()
    sent = command(line("A", units), payments=payments)
    return place(sent, CHANNEL, network(), {"A": stock("A", {"wh-madrid": 9})}, NOW).order


def payment(kind: PaymentKind, amount: int, name: str = "p1", **fields: object) -> PaymentRecorded:
    made = PaymentRecorded(
        "shop-es", "stripe", "5001", name, None, kind, Outcome.SUCCESS, amount, "EUR", "card", False, LATER
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def refund(amount: int, name: str = "r1", currency: str = "EUR") -> RefundRecorded:
    return RefundRecorded(
        "shop-es", "shopify", "5001", name, currency, amount, (), 0, 0, 0, 0, 0, None, LATER
    )


def paid(known: Order, *records: PaymentRecorded) -> Order:
    """The order after payments, one after the other."""
    seen: dict[str, PaymentRecorded] = {}
    for record in records:
        recorded = with_payment(known, seen, (), record, LATER)
        known = recorded.order if recorded else known
        seen[record.payment_id] = record
    return known


def amounts(known: Order) -> tuple[int, int, int]:
    return known.authorized, known.captured, known.refunded


def given(recorded: Recorded | None) -> Recorded:
    assert recorded is not None
    return recorded


@pytest.mark.parametrize(
    "record",
    [
        payment(PaymentKind.SALE, 2000),
        payment(PaymentKind.SALE, 2000, outcome=Outcome.PENDING),
        payment(PaymentKind.SALE, 500, test=True, name="p9"),
    ],
)
def test_what_is_known_or_says_less_or_is_a_test_changes_nothing(record: PaymentRecorded) -> None:
    known = {"p1": payment(PaymentKind.SALE, 2000)}
    assert with_payment(order(), known, (), record, LATER) is None


@pytest.mark.parametrize(
    "record", [payment(PaymentKind.SALE, 2000, currency="USD"), refund(100, currency="USD")]
)
def test_money_of_another_currency_is_looked_at_and_not_counted(
    record: PaymentRecorded | RefundRecorded,
) -> None:
    known = order(2000)
    recorded = (
        with_payment(known, {}, (), record, LATER)
        if isinstance(record, PaymentRecorded)
        else with_refund(known, {}, record, LATER)
    )
    after = given(recorded).order
    assert amounts(after) == amounts(known)
    assert [opened.code for opened in after.exceptions] == ["money_conflict"]


def test_more_given_back_than_captured_is_looked_at() -> None:
    after = given(with_refund(order(500), {}, refund(800), LATER)).order
    assert amounts(after) == (0, 500, 500)
    assert [opened.code for opened in after.exceptions] == ["money_conflict", "channel_reduced"]


def test_a_failed_payment_pays_nothing() -> None:
    after = paid(order(), payment(PaymentKind.SALE, 2000, outcome=Outcome.FAILURE))
    assert (amounts(after), after.holds) == ((0, 0, 0), ("payment",))


def test_money_that_the_order_and_a_record_tell_of_counts_once() -> None:
    assert amounts(paid(order(2000), payment(PaymentKind.SALE, 2000))) == (0, 2000, 0)


def test_an_authorization_is_captured_in_parts_and_the_rest_voided() -> None:
    held = payment(PaymentKind.AUTHORIZATION, 2000)
    first = payment(PaymentKind.CAPTURE, 1500, "p1:capture", parent_id="p1")
    rest = payment(PaymentKind.VOID, 500, "p1:void", parent_id="p1")
    steps = [amounts(paid(order(), *(held, first, rest)[:number])) for number in (1, 2, 3)]
    assert steps == [(2000, 0, 0), (500, 1500, 0), (0, 1500, 0)]


def test_payments_end_the_hold_when_they_cover_what_is_kept() -> None:
    once = paid(order(), payment(PaymentKind.SALE, 1000))
    assert once.holds == ("payment",)
    twice = paid(order(), payment(PaymentKind.SALE, 1000), payment(PaymentKind.SALE, 1000, "p2"))
    assert (twice.holds, payment_status(twice)) == ((), PaymentStatus.CAPTURED)


def test_a_refund_is_recorded_once() -> None:
    recorded = given(with_refund(order(2000), {}, refund(700), LATER))
    (made,) = recorded.refunds
    assert (made.id, made.state, made.amount, recorded.order.refunded) == (
        "channel.r1",
        RefundState.SETTLED,
        700,
        700,
    )
    assert with_refund(recorded.order, {made.id: made}, refund(700), LATER) is None


def due(amount: int, minutes: int = 0) -> Refund:
    made = Refund("O", f"cancel.{minutes}", None, "EUR", amount, ())
    return made.written(NOW + timedelta(minutes=minutes), "due", data={"amount": amount, "currency": "EUR"})


@pytest.mark.parametrize(
    ("amount", "settled"),
    [(99, []), (100, [100]), (350, [100, 200]), (600, [100, 200, 300]), (200, [200]), (300, [300])],
)
def test_what_is_given_back_settles_its_own_refund_or_the_earliest(amount: int, settled: list[int]) -> None:
    refunds = [due(300, 3), due(100, 1), due(200, 2)]
    assert [one.amount for one in settled_by(refunds, 0, amount, LATER)] == settled


def test_of_two_alike_the_one_that_is_named_is_settled() -> None:
    first, second = due(200, 1), due(200, 2)
    (settled,) = settled_by([first, second], 0, 200, LATER, second.public_id)
    assert settled.id == second.id


def test_what_an_amount_has_left_settles_a_refund_together_with_the_next() -> None:
    small, large = due(100, 1), due(300, 2)
    (first,) = settled_by([small, large], 0, 250, LATER)
    assert first.id == small.id
    (second,) = settled_by([first, large], 250, 400, LATER)
    assert second.id == large.id


def test_the_channel_s_refund_of_what_was_cancelled_leaves_nothing_due() -> None:
    change = cancel(order(2000), {}, (), CancelRequest(CancelReason.CUSTOMER, {"1": 1}), LATER)
    assert change.refund is not None
    known = {change.refund.id: change.refund}
    recorded = given(with_refund(change.order, known, refund(1000), LATER))
    assert [(one.id, one.state) for one in recorded.refunds] == [
        ("channel.r1", RefundState.SETTLED),
        (change.refund.id, RefundState.SETTLED),
    ]
    assert amounts(recorded.order) == (0, 2000, 1000)
