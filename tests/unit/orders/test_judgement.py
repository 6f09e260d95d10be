"""Judgement of an order that arrives again."""

from dataclasses import replace

import pytest

from oms.orders.commands import Payment, PaymentState, PlaceOrder
from oms.orders.identity import digest, order_id, shard
from oms.orders.judgement import Verdict, judge
from oms.orders.model import Order
from oms.orders.placing import place
from oms.orders.work import releasable
from tests.builders import CHANNEL, NOW, command, line, network, stock

OLDER, NEWER = "2026-11-22T09:28:00.000Z", "2026-11-22T09:30:00.000Z"
FIRST = command(line("A"))


def known(first: PlaceOrder = FIRST) -> Order:
    return place(first, CHANNEL, network(), {"A": stock("A", {"wh-madrid": 5})}, NOW).order


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.DUPLICATE),
        ({"total": 1}, Verdict.CONFLICT),
        ({"channel_version": OLDER}, Verdict.STALE),
        ({"channel_version": OLDER, "total": 1}, Verdict.STALE),
        ({"channel_version": NEWER}, Verdict.REFRESHED),
        ({"channel_version": NEWER, "total": 1}, Verdict.EDIT_RECEIVED),
    ],
)
def test_the_channel_s_version_comes_first_then_the_content(
    change: dict[str, object], verdict: Verdict
) -> None:
    order = known()
    given, judged = judge(order, replace(FIRST, **change), NOW)  # type: ignore[arg-type]
    assert given is verdict
    assert (judged is order) is (verdict in (Verdict.DUPLICATE, Verdict.STALE))


def test_a_conflict_is_recorded_once_for_each_content_and_leaves_the_order_alone() -> None:
    order = known()
    other = replace(FIRST, total=1)
    _, once = judge(order, other, NOW)
    verdict, twice = judge(once, other, NOW)
    assert verdict is Verdict.CONFLICT
    assert len(twice.exceptions) == 1
    assert (twice.total, twice.lines, twice.channel_version) == (
        order.total,
        order.lines,
        order.channel_version,
    )


def test_a_repeated_conflict_writes_nothing() -> None:
    _, once = judge(known(), replace(FIRST, total=1), NOW)
    _, twice = judge(once, replace(FIRST, total=1), NOW)
    assert twice is once


def test_a_payment_reported_by_a_newer_version_ends_the_payment_hold() -> None:
    unpaid = replace(FIRST, payments=(Payment("card", 1000, PaymentState.PENDING),))
    order = known(unpaid)
    assert order.holds == ("payment",)
    verdict, judged = judge(order, replace(FIRST, channel_version=NEWER), NOW)
    assert verdict is Verdict.REFRESHED
    assert (judged.holds, judged.captured) == ((), 1000)


def test_an_edit_that_arrived_is_a_duplicate_the_next_time() -> None:
    edited = replace(FIRST, channel_version=NEWER, total=1)
    _, judged = judge(known(), edited, NOW)
    assert [exception.code for exception in judged.exceptions] == ["channel_edit"]
    assert judge(judged, edited, NOW) == (Verdict.DUPLICATE, judged)


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
    ("change", "code"),
    [
        ({"cancelled": True}, "channel_cancelled"),
        ({"lines": (line("A", cancelled=1),)}, "channel_reduced"),
        ({"lines": (line("A", refunded=1),)}, "channel_reduced"),
        ({"payments": (Payment("card", 1000, PaymentState.REFUNDED),)}, "channel_reduced"),
    ],
)
def test_an_order_that_its_channel_takes_back_is_held_under_an_exception(
    change: dict[str, object], code: str
) -> None:
    order = known()
    _, judged = judge(order, replace(FIRST, channel_version=NEWER, **change), NOW)  # type: ignore[arg-type]
    assert "manual" in judged.holds
    assert [exception.code for exception in judged.exceptions] == [code]
    assert judged.captured == 1000
    assert not releasable(judged)


def test_a_paid_cancellation_of_an_unpaid_order_does_not_release_it() -> None:
    order = known(replace(FIRST, payments=(Payment("card", 1000, PaymentState.PENDING),)))
    _, judged = judge(order, replace(FIRST, channel_version=NEWER, cancelled=True), NOW)
    assert not releasable(judged)


def test_units_that_entered_cancelled_take_nothing_back_again() -> None:
    reduced = replace(FIRST, lines=(line("A", 2, cancelled=1),))
    _, judged = judge(known(reduced), replace(reduced, channel_version=NEWER), NOW)
    assert (judged.holds, judged.exceptions) == ((), ())
