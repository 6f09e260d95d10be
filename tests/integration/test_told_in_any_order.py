"""What a channel tells of one order, in any order and twice: the order ends the same, and owes the same."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from infra.lab.memory_table import MemoryTable
from oms.events.derive import events_of_journal
from oms.inventory.model import Component, Sku
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import CancelOrder, FulfilledBy, LineKind, Payment, PaymentState, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.orders.status import OrderStatus, order_status
from oms.orders.work import releasable
from oms.payments.refunds import RefundState
from oms.store import keys
from oms.store.returns import read_refunds, read_returns
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_by_channel, cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.describe_sku import describe_sku
from oms.usecases.lift_hold import lift_hold
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.record_money import record_money
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import NOW, command, line, network
from tests.shelves import fill, order_of, shelves

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(hours=1)
NEWER, NEWEST = "2026-11-22T09:45:00.000Z", "2026-11-22T09:50:00.000Z"
TWO = command(line("A", 2))

type Said = PlaceOrder | CancelOrder | PaymentRecorded | RefundRecorded


def tell(table: Table, *said: Said) -> None:
    """Tell all of it, each twice."""
    for one in (two for each in said for two in (each, each)):
        match one:
            case PlaceOrder():
                place_order(table, network(), one, NOW)
            case CancelOrder():
                cancel_by_channel(table, network(), one, NOW)
            case _:
                record_money(table, one, LATER)


def another() -> Table:
    memory: Any = MemoryTable("orders")
    return Table(memory, "orders", pause=lambda seconds: None)


def paid(*parts: tuple[int, PaymentState]) -> tuple[Payment, ...]:
    return tuple(Payment("card", amount, state) for amount, state in parts)


def back(amount: int, name: str = "r1") -> RefundRecorded:
    return RefundRecorded("shop-es", "shopify", "5001", name, "EUR", amount, (), 0, 0, 0, 0, 0, None, LATER)


def capture(amount: int, name: str = "p1") -> PaymentRecorded:
    return PaymentRecorded(
        *("shop-es", "shopify", "5001", name, None, PaymentKind.CAPTURE, Outcome.SUCCESS),
        *(amount, "EUR", "card", False, LATER),
    )


def state(order: Order) -> dict[str, object]:
    """All that an order is but how it came to be so."""
    lines = [
        (one.sku, one.ordered, one.open, one.backordered, one.allocated, one.shipped, one.cancelled)
        for one in order.lines
    ]
    return {
        "status": order_status(order),
        "lines": lines,
        "money": (order.total, order.authorized, order.captured, order.refunded),
        "holds": sorted(order.holds),
        "exceptions": sorted(known.code for known in order.exceptions),
        "goes": releasable(order),
    }


def owed(table: Table) -> int:
    """Money that is due back and has not been given."""
    refunds = read_refunds(table, ID, consistent=True).values()
    return sum(refund.amount for refund in refunds if refund.state is RefundState.DUE)


def told(table: Table) -> Counter[str]:
    """Units by line that `order.cancelled` has told of."""
    item = table.get(keys.header(ID))
    assert item is not None
    units: Counter[str] = Counter()
    for event in events_of_journal(item):
        if event.type == "order.cancelled":
            data: Any = event.data
            for one in data["lines"]:
                units[one["line_id"]] += one["units"]
    return units


CAPTURED, REFUNDED = PaymentState.CAPTURED, PaymentState.REFUNDED
GIVEN_BACK: dict[str, tuple[PlaceOrder, RefundRecorded, list[str]]] = {
    "all, and everything is kept": (
        replace(TWO, payments=paid((2000, REFUNDED))),
        back(2000),
        ["channel_reduced"],
    ),
    "some, and everything is kept, and the order names it": (
        replace(TWO, payments=paid((1500, CAPTURED), (500, REFUNDED))),
        back(500),
        ["channel_reduced"],
    ),
    "some, and everything is kept, and only its record names it": (TWO, back(500), ["channel_reduced"]),
    "for the unit that is cancelled": (replace(TWO, lines=(line("A", 2, cancelled=1),)), back(1000), []),
    "for that and beyond": (
        replace(TWO, lines=(line("A", 2, cancelled=1),)),
        back(1300),
        ["channel_reduced"],
    ),
    "for the unit that is not there any more": (
        replace(command(line("A", 1)), payments=TWO.payments),
        back(1000),
        [],
    ),
    "for all of it, which is cancelled": (replace(TWO, cancelled=True), back(2000), []),
}


@pytest.mark.parametrize("which", GIVEN_BACK)
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_money_given_back_and_the_change_that_it_is_for_may_come_in_any_order(
    table: Table, which: str, order: tuple[int, ...]
) -> None:
    update, refund, exceptions = GIVEN_BACK[which]
    fill(table, "A", wh_madrid=5)
    said: list[Said] = [TWO, refund, replace(update, channel_version=NEWER)]
    tell(table, *(said[number] for number in order))
    after = state(order_of(table, ID))
    whole = update.cancelled
    assert after["status"] is (OrderStatus.CANCELLED if whole else OrderStatus.PLACED)
    assert (after["exceptions"], after["holds"]) == (exceptions, ["manual"] if exceptions else [])
    kept = sum(one.allocated for one in order_of(table, ID).lines)
    assert kept == (0 if whole else sum(int(one.quantity) - one.cancelled for one in update.lines))
    assert (order_of(table, ID).captured, order_of(table, ID).refunded) == (2000, refund.amount)
    assert owed(table) == 0
    assert not check_ledger(table, segments=1).findings


def test_a_hold_that_a_person_has_lifted_comes_back_with_more_money_only(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    tell(table, TWO, back(500))
    assert order_of(table, ID).holds == ("manual",)
    lift_hold(table, ID, "manual", LATER)
    tell(table, back(500), replace(TWO, channel_version=NEWER, notes="again"), TWO)
    assert (order_of(table, ID).holds, order_of(table, ID).exceptions) == ((), ())
    tell(table, back(100, "r2"))
    assert order_of(table, ID).holds == ("manual",)


def test_money_given_back_for_what_has_left_holds_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    tell(table, replace(TWO, lines=(line("A", 2, shipped=2),)), back(500))
    assert (order_of(table, ID).holds, order_of(table, ID).exceptions) == ((), ())


@pytest.mark.parametrize("named", [True, False], ids=["by the order", "by its record"])
@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_capture_after_units_were_cancelled_makes_them_due_back(
    table: Table, named: bool, order: tuple[int, ...]
) -> None:
    fill(table, "A", wh_madrid=5)
    authorized = replace(TWO, payments=paid((2000, PaymentState.AUTHORIZED)))
    fewer = replace(authorized, lines=(line("A", 2, cancelled=1),), channel_version=NEWER)
    charged: Said = capture(2000)
    if named:
        charged = replace(fewer, payments=paid((2000, CAPTURED)), channel_version=NEWEST)
    said: list[Said] = [authorized, fewer, charged]
    tell(table, *(said[number] for number in order))
    after = order_of(table, ID)
    assert (after.captured, owed(table)) == (2000, 1000)
    assert state(after)["lines"] == [("A", 2, 0, 0, 1, 0, 1)]
    assert (after.holds, after.exceptions) == ((), ())


@pytest.mark.parametrize("amounts", [(1000,), (500, 500), (1000, 400, 600), (300, 1700)], ids=str)
def test_captures_make_due_what_is_paid_beyond_what_is_kept_and_no_more(
    table: Table, amounts: tuple[int, ...]
) -> None:
    fill(table, "A", wh_madrid=5)
    tell(table, replace(TWO, payments=()))
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
    tell(table, *(capture(amount, f"p{number}") for number, amount in enumerate(amounts)))
    assert owed(table) == sum(amounts) - 1000
    tell(table, *([back(owed(table))] if owed(table) else []))
    assert owed(table) == 0


def test_a_version_that_gives_back_what_is_due_and_cancels_more_owes_the_rest(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    three = command(line("A", 3))
    tell(table, three)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
    given = paid((2000, CAPTURED), (1000, REFUNDED))
    tell(table, replace(three, lines=(line("A", 3, cancelled=2),), payments=given, channel_version=NEWER))
    assert (order_of(table, ID).refunded, owed(table)) == (1000, 1000)


def cancel_said(version: str) -> CancelOrder:
    return CancelOrder("shop-es", "shopify", "5001", version, "customer", LATER)


COMES_REDUCED: dict[str, tuple[PlaceOrder, PlaceOrder]] = {
    "all of it": (TWO, replace(TWO, cancelled=True, lines=(line("A", 2, cancelled=2),))),
    "all of it, and no line says so": (TWO, replace(TWO, cancelled=True)),
    "every unit, and the order says nothing": (TWO, replace(TWO, lines=(line("A", 2, cancelled=2),))),
    "one unit": (TWO, replace(TWO, lines=(line("A", 2, cancelled=1),))),
    "a unit of each line": (
        command(line("A", 2), line("B", 3, number=2)),
        command(line("A", 2, cancelled=1), line("B", 3, number=2, cancelled=1)),
    ),
    "one unit that the channel ships": (
        command(line("A", 2, fulfilled_by=FulfilledBy.CHANNEL)),
        command(line("A", 2, fulfilled_by=FulfilledBy.CHANNEL, cancelled=1)),
    ),
    "what needs no parcel": (
        command(line("A", 2, kind=LineKind.DIGITAL), line("B", 1, number=2)),
        command(line("A", 2, kind=LineKind.DIGITAL), line("B", 1, number=2), cancelled=True),
    ),
    "one of what needs no parcel": (
        command(line("A", 2, kind=LineKind.GIFT_CARD), line("B", 1, number=2)),
        command(line("A", 2, kind=LineKind.GIFT_CARD, cancelled=1), line("B", 1, number=2)),
    ),
    "of a sku that nobody knows": (
        command(line("X", 2), line("B", 1, number=2)),
        command(line("X", 2, cancelled=2), line("B", 1, number=2)),
    ),
    "what was not paid": (
        replace(TWO, payments=()),
        replace(TWO, payments=(), lines=(line("A", 2, cancelled=1),)),
    ),
    "one unit, and the rest is paid": (
        replace(TWO, payments=paid((1000, CAPTURED))),
        replace(TWO, payments=paid((1000, CAPTURED)), lines=(line("A", 2, cancelled=1),)),
    ),
    "one unit, whose money was given back": (
        TWO,
        replace(TWO, payments=paid((1000, CAPTURED), (1000, REFUNDED)), lines=(line("A", 2, cancelled=1),)),
    ),
    "of one that has left": (
        command(line("A", 3)),
        command(line("A", 3, shipped=1), cancelled=True),
    ),
    "what a till has sold": (
        command(line("A", 2, fulfilled_by=FulfilledBy.TAKEN), source_location="905684977"),
        command(line("A", 2, fulfilled_by=FulfilledBy.TAKEN), source_location="905684977", cancelled=True),
    ),
}
"""What the channel cancels, with the order as it was and as it is then."""


def outcome(table: Table) -> dict[str, object]:
    """The order, the stock, and all that was told and is due because of it."""
    returned = read_returns(table, ID, consistent=True).values()
    return state(order_of(table, ID)) | {
        "due": owed(table),
        "told": told(table),
        "returned": [(one.reference, [part.requested for part in one.lines]) for one in returned],
        "A": shelves(table, "A"),
        "B": shelves(table, "B"),
    }


def shelved(table: Table) -> None:
    for sku in "AB":
        fill(table, sku, wh_madrid=5, st_gracia=5)


@pytest.mark.parametrize("which", COMES_REDUCED)
@pytest.mark.parametrize("first", [True, False], ids=["first", "in the hot lane"])
def test_an_order_that_comes_with_cancelled_units_ends_as_if_they_were_cancelled_later(
    table: Table, which: str, first: bool
) -> None:
    sold, reduced = COMES_REDUCED[which]
    reduced = replace(reduced, channel_version=NEWER)
    usual = another()
    for each in (table, usual):
        shelved(each)
    tell(usual, sold, reduced)
    if not first:
        list(place_orders(table, network(), [reduced], NOW))
    tell(table, reduced, sold)
    assert outcome(table) == outcome(usual)
    assert not check_ledger(table, segments=1).findings


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_an_order_its_cancellation_and_its_money_may_come_in_any_order(
    table: Table, order: tuple[int, ...]
) -> None:
    shelved(table)
    authorized = replace(TWO, payments=paid((2000, PaymentState.AUTHORIZED)))
    said: list[Said] = [
        authorized,
        replace(authorized, cancelled=True, channel_version=NEWER),
        capture(2000),
        cancel_said(NEWEST),
    ]
    tell(table, *(said[number] for number in order))
    after = order_of(table, ID)
    assert order_status(after) is OrderStatus.CANCELLED
    assert (after.captured, owed(table), told(table)) == (2000, 2000, Counter({"1": 2}))
    assert (after.holds, after.exceptions) == ((), ())
    tell(table, back(2000))
    assert (order_of(table, ID).refunded, owed(table)) == (2000, 0)


def test_a_kit_that_comes_with_cancelled_units_tells_of_its_components(
    table: Table,
) -> None:
    kit = command(line("KIT", 3, price=900))
    fewer = command(line("KIT", 3, price=900, cancelled=1), channel_version=NEWER)
    usual = another()
    for each in (table, usual):
        shelved(each)
        describe_sku(each, Sku("KIT", kit=(Component("A", 2, 2), Component("B", 1, 1))))
    tell(usual, kit, fewer)
    tell(table, fewer, kit)
    assert outcome(table) == outcome(usual)
    assert told(table) == Counter({"2": 2, "3": 1})


def described(table: Table, sku: Sku) -> None:
    """What becomes of a sku that is described."""
    describe_sku(table, sku)
    serve_waiting(table, network(), sku.sku, LATER, described=True)


WEIGHED = command(line("CHEESE", "1.5", price=2000))
SCALED = Sku("CHEESE", scale=1000)


def count(table: Table, units: int) -> None:
    counted = Count("CHEESE", "wh-madrid", units, NOW, "count", "test")
    count_stock(table, network(), counted, NOW)
    serve_waiting(table, network(), "CHEESE", LATER)


@pytest.mark.parametrize("steps", list(permutations(("order", "sku", "stock"))), ids=", ".join)
@pytest.mark.parametrize("first", [None, Sku("CHEESE")], ids=["unknown", "known without its scale"])
def test_a_part_of_a_unit_waits_until_its_sku_has_a_scale(
    table: Table, steps: tuple[str, ...], first: Sku | None
) -> None:
    if first:
        described(table, first)
    for number, step in enumerate(steps):
        if step == "order":
            tell(table, WEIGHED)
            if "sku" in steps[number:]:
                after = order_of(table, ID)
                assert order_status(after) is OrderStatus.PLACED
                assert [known.code for known in after.exceptions] == ["quantity_unknown"]
                assert (after.lines[0].open, after.holds) == (2, ())
        elif step == "sku":
            described(table, SCALED)
        else:
            count(table, 4000)
    after = order_of(table, ID)
    assert state(after)["lines"] == [("CHEESE", 1500, 0, 0, 1500, 0, 0)]
    assert (after.exceptions, after.holds) == ((), ())
    assert shelves(table, "CHEESE") == {"wh-madrid": (4000, 1500, 2500)}
    assert not check_ledger(table, segments=1).findings


@pytest.mark.parametrize("known", [True, False])
def test_a_part_of_a_unit_that_is_cancelled_is_owed_and_not_waited_for(table: Table, known: bool) -> None:
    tell(table, WEIGHED, replace(WEIGHED, cancelled=True, channel_version=NEWER))
    if known:
        described(table, SCALED)
        count(table, 4000)
    after = order_of(table, ID)
    assert (order_status(after), after.exceptions, after.lines[0].open) == (OrderStatus.CANCELLED, (), 0)
    assert owed(table) == after.captured == 2000
    assert not check_ledger(table, segments=1).findings


def test_a_part_of_a_unit_sold_at_a_till_leaves_the_shelf_when_its_scale_is_known(table: Table) -> None:
    taken = replace(WEIGHED.lines[0], fulfilled_by=FulfilledBy.TAKEN)
    count(table, 0)
    counted = Count("CHEESE", "st-gracia", 4000, NOW, "count", "test")
    count_stock(table, network(), counted, NOW)
    tell(table, command(taken, source_location="905684977"))
    assert shelves(table, "CHEESE")["st-gracia"][0] == 4000
    described(table, SCALED)
    assert shelves(table, "CHEESE")["st-gracia"] == (2500, 0, 2500)
    (only,) = order_of(table, ID).lines
    assert (only.shipped, only.delivered, only.open) == (1500, 1500, 0)
    assert order_of(table, ID).exceptions == ()
