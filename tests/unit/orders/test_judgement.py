"""Judgement of an order that arrives again."""

from dataclasses import replace
from datetime import datetime

import pytest

from oms.orders import judgement
from oms.orders.cancelling import CancelReason, CancelRequest, cancel
from oms.orders.commands import Payment, PaymentState, PlaceOrder
from oms.orders.identity import digest, order_id, shard
from oms.orders.judgement import Judgement, Verdict
from oms.orders.model import Order
from oms.orders.placing import place
from oms.orders.work import releasable
from tests.builders import CHANNEL, NOW, command, line, network, stock

OLDER, NEWER = "2026-11-22T09:28:00.000Z", "2026-11-22T09:30:00.000Z"
FIRST = command(line("A"))
STOCKS = {"A": stock("A", {"wh-madrid": 5})}


def known(first: PlaceOrder = FIRST) -> Order:
    return place(first, CHANNEL, network(), STOCKS, NOW).order


def judge(order: Order, sent: PlaceOrder, now: datetime) -> Judgement:
    """Judge against an order whose body still has the lines of its first version."""
    first = replace(
        sent,
        lines=tuple(
            replace(one, quantity=kept.ordered) for one, kept in zip(sent.lines, order.lines, strict=True)
        ),
    )
    body = place(first, CHANNEL, network(), STOCKS, NOW).body
    return judgement.judge(order, body, sent, STOCKS, now)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.DUPLICATE),
        ({"total": 1}, Verdict.CONFLICT),
        ({"channel_version": OLDER}, Verdict.STALE),
        ({"channel_version": OLDER, "total": 1}, Verdict.STALE),
        ({"channel_version": NEWER}, Verdict.REFRESHED),
        ({"channel_version": NEWER, "notes": "ring twice"}, Verdict.EDITED),
        ({"channel_version": NEWER, "currency": "USD"}, Verdict.EDIT_RECEIVED),
    ],
)
def test_the_channel_s_version_comes_first_then_the_content(
    change: dict[str, object], verdict: Verdict
) -> None:
    order = known()
    given = judge(order, replace(FIRST, **change), NOW)  # type: ignore[arg-type]
    assert given.verdict is verdict
    assert (given.order is order) is (verdict in (Verdict.DUPLICATE, Verdict.STALE))


def test_a_conflict_is_recorded_once_for_each_content_and_leaves_the_order_alone() -> None:
    order = known()
    other = replace(FIRST, total=1)
    once = judge(order, other, NOW).order
    again = judge(once, other, NOW)
    twice = again.order
    assert again.verdict is Verdict.CONFLICT
    assert len(twice.exceptions) == 1
    assert (twice.total, twice.lines, twice.channel_version) == (
        order.total,
        order.lines,
        order.channel_version,
    )


def test_a_repeated_conflict_writes_nothing() -> None:
    once = judge(known(), replace(FIRST, total=1), NOW).order
    assert judge(once, replace(FIRST, total=1), NOW).order is once


def test_a_payment_reported_by_a_newer_version_ends_the_payment_hold() -> None:
    unpaid = replace(FIRST, payments=(Payment("card", 1000, PaymentState.PENDING),))
    order = known(unpaid)
    assert order.holds == ("payment",)
    judged = judge(order, replace(FIRST, channel_version=NEWER), NOW)
    assert judged.verdict is Verdict.REFRESHED
    assert (judged.order.holds, judged.order.captured) == ((), 1000)


def test_an_edit_that_cannot_be_applied_holds_the_order_and_is_a_duplicate_the_next_time() -> None:
    edited = replace(FIRST, channel_version=NEWER, currency="USD")
    judged = judge(known(), edited, NOW).order
    assert [exception.code for exception in judged.exceptions] == ["channel_edit"]
    assert not releasable(judged)
    assert judge(judged, edited, NOW) == Judgement(Verdict.DUPLICATE, judged)
    mended = judge(judged, replace(FIRST, channel_version=f"{NEWER}+"), NOW).order
    assert (mended.exceptions, mended.holds) == ((), ())


def test_two_shops_with_the_same_order_number_are_two_orders() -> None:
    assert order_id("shop-es", "1") != order_id("shop-fr", "1")
    assert order_id("shop-e", "s1") != order_id("shop-es", "1")
    assert len(order_id("shop-es", "1")) == 26


def test_progress_that_a_channel_reports_does_not_change_the_digest() -> None:
    progressed = replace(FIRST, lines=(line("A", shipped=1, refunded=1),), payments=(), cancelled=True)
    assert digest(progressed) == digest(FIRST)
    assert digest(replace(FIRST, lines=(line("A", 2),))) != digest(FIRST)


def test_orders_spread_over_the_shards_of_the_work_queue() -> None:
    assert len({shard(order_id("shop-es", str(number))) for number in range(400)}) == 16


@pytest.mark.parametrize(
    ("change", "units"),
    [
        ({"cancelled": True}, None),
        ({"lines": (line("A", 2, cancelled=1),)}, {"1": 1}),
        ({"lines": (line("A", 2, cancelled=2),)}, {"1": 2}),
    ],
)
def test_what_a_newer_version_cancels_is_to_be_cancelled_once(
    change: dict[str, object], units: dict[str, int] | None
) -> None:
    two = replace(FIRST, lines=(line("A", 2),))
    order = known(two)
    newer = replace(two, channel_version=NEWER, **change)  # type: ignore[arg-type]
    given = judge(order, newer, NOW)
    assert given.wish == CancelRequest(CancelReason.OTHER, units, NEWER)
    after = cancel(given.order, {}, (), given.wish, NOW).order
    later = judge(after, replace(newer, channel_version=f"{NEWER}+"), NOW)
    assert (later.wish, later.order.exceptions) == (None, ())


def test_a_version_from_before_the_cancellation_does_not_bring_the_order_back() -> None:
    order = cancel(known(), {}, (), CancelRequest(CancelReason.CUSTOMER, channel=f"{NEWER}+"), NOW).order
    assert judge(order, replace(FIRST, channel_version=NEWER, total=1), NOW) == Judgement(
        Verdict.STALE, order
    )


def test_nothing_of_a_test_order_is_cancelled_as_it_never_was_there() -> None:
    test = replace(FIRST, test=True)
    assert judge(known(test), replace(test, channel_version=NEWER, cancelled=True), NOW).wish is None


def test_money_given_back_for_units_that_are_kept_holds_the_order() -> None:
    order = known()
    back = (Payment("card", 400, PaymentState.REFUNDED), Payment("card", 600, PaymentState.CAPTURED))
    judged = judge(order, replace(FIRST, channel_version=NEWER, payments=back), NOW).order
    assert ("manual" in judged.holds, judged.captured, judged.refunded) == (True, 1000, 400)
    assert [exception.code for exception in judged.exceptions] == ["channel_reduced"]
    assert not releasable(judged)
    again = judge(judged, replace(FIRST, channel_version=f"{NEWER}+", payments=back), NOW).order
    assert len(again.exceptions) == 1


def test_money_given_back_for_units_that_are_cancelled_holds_nothing() -> None:
    two = replace(FIRST, lines=(line("A", 2),), total=2000, payments=(_paid(2000),))
    back = (Payment("card", 1000, PaymentState.REFUNDED), _paid(1000))
    fewer = replace(two, channel_version=NEWER, lines=(line("A", 2, cancelled=1),), payments=back)
    given = judge(known(two), fewer, NOW)
    assert given.wish
    after = cancel(given.order, {}, (), given.wish, NOW).order
    assert (after.holds, after.exceptions) == ((), ())


def _paid(amount: int) -> Payment:
    return Payment("card", amount, PaymentState.CAPTURED)


def test_units_that_entered_cancelled_are_not_cancelled_again() -> None:
    reduced = replace(FIRST, lines=(line("A", 2, cancelled=1),))
    given = judge(known(reduced), replace(reduced, channel_version=NEWER), NOW)
    assert (given.wish, given.order.holds, given.order.exceptions) == (None, (), ())
