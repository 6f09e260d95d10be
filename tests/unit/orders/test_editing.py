"""Editing: a newer version of an order, line by line, with its units, money, addresses and events."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oms.events.derive import events_of_journal
from oms.fulfillment.model import FulfillmentOrder
from oms.fulfillment.release import release
from oms.inventory.model import Component, Stock
from oms.orders.cancelling import CancelReason, CancelRequest, cancel
from oms.orders.commands import (
    Address,
    Delivery,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    PaymentState,
    PlaceOrder,
)
from oms.orders.commands import Payment as Paid
from oms.orders.judgement import Verdict, judge
from oms.orders.model import Order, OrderBody, Origin
from oms.orders.placing import IN_TURN, place
from oms.orders.resourcing import resume
from oms.orders.status import OrderStatus, kept_total, order_status
from oms.payments.refunds import Refund
from oms.store import keys
from oms.store.attributes import Item
from oms.store.orders import decode_order, encode_order
from tests.builders import CHANNEL, NOW, command, line, network, stock

LATER = NOW + timedelta(minutes=5)
STOCKS = {sku: stock(sku, {"wh-madrid": 90}) for sku in "ABC"}
FIRST = command(line("A", 3), line("B", 1, number=2))


class Known:
    """An order and how it follows the versions of its channel."""

    def __init__(self, sent: PlaceOrder = FIRST, stocks: Mapping[str, Stock] = STOCKS) -> None:
        self.stocks = stocks
        placement = place(sent, CHANNEL, network(), stocks, NOW)
        self.order: Order = placement.order
        self.body: OrderBody = placement.body
        self.works: dict[str, FulfillmentOrder] = {}
        self.refunds: list[Refund] = []
        self.version = sent.channel_version

    def send(self, sent: PlaceOrder) -> Verdict:
        """A newer version arrives, and all is done that follows from it."""
        self.version += "+"
        newer = replace(sent, channel_version=self.version)
        given = judge(self.order, self.body, newer, self.stocks, LATER)
        self.order, self.body = given.order, given.body or self.body
        if given.wish:
            self.cancel(given.wish)
        if IN_TURN in self.order.holds:
            self.order = resume(self.order, self.body, CHANNEL, network(), self.stocks, LATER).order
        return given.verdict

    def cancel(self, wish: CancelRequest) -> None:
        change = cancel(self.order, self.works, self.refunds, wish, LATER)
        self.order = change.order
        self.refunds += [change.refund] if change.refund else []

    def release(self) -> None:
        self.order, works = release(self.order, self.body, network(), LATER)
        self.works |= {work.id: work for work in works}

    def units(self) -> list[tuple[str | None, int, int, int]]:
        """Of each line the sku, and the units ordered, allocated and cancelled."""
        return [(kept.sku, kept.ordered, kept.allocated, kept.cancelled) for kept in self.order.lines]

    def item(self) -> Item:
        key = keys.header(self.order.order_id)
        return {"PK": key.pk, "SK": key.sk} | encode_order(self.order)


def sent(*lines: Line, **fields: object) -> PlaceOrder:
    return command(*lines, **fields)


# ---- What cannot be applied --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "USD"},
        {"lines": (line("C", 3), line("B", 1, number=2))},
        {"lines": (line("A", 3, kind=LineKind.DIGITAL), line("B", 1, number=2))},
        {"deliveries": (Delivery("d1", Method.PICKUP, location="905684977"),)},
    ],
)
def test_what_no_edit_can_follow_is_left_to_a_person(change: dict[str, object]) -> None:
    known = Known()
    assert known.send(replace(FIRST, **change)) is Verdict.EDIT_RECEIVED  # type: ignore[arg-type]
    assert [found.code for found in known.order.exceptions] == ["channel_edit"]
    assert "edit" in known.order.holds
    assert known.units() == [("A", 3, 3, 0), ("B", 1, 1, 0)]


def test_an_address_is_not_changed_while_a_location_has_work_for_it() -> None:
    known = Known()
    known.release()
    moved = replace(FIRST.deliveries[0], ship_to=Address(country="ES", postal_code="08001"))
    assert known.send(replace(FIRST, deliveries=(moved,))) is Verdict.EDIT_RECEIVED
    assert known.body.ship_to["d1"].postal_code == "28013"


def test_an_order_that_its_channel_brings_back_is_left_to_a_person() -> None:
    known = Known()
    known.send(replace(FIRST, cancelled=True))
    assert order_status(known.order) is OrderStatus.CANCELLED
    assert known.send(replace(FIRST, notes="after all")) is Verdict.EDIT_RECEIVED
    assert order_status(known.order) is OrderStatus.CANCELLED


def test_units_that_a_channel_no_longer_cancels_are_left_to_a_person() -> None:
    known = Known()
    known.send(sent(line("A", 3, cancelled=1), line("B", 1, number=2)))
    assert known.send(FIRST) is Verdict.EDIT_RECEIVED
    assert known.units()[0] == ("A", 3, 2, 1)


def test_units_that_a_channel_brings_back_are_left_to_a_person() -> None:
    known = Known()
    known.send(sent(line("A", 2), line("B", 1, number=2)))
    assert known.send(FIRST) is Verdict.EDIT_RECEIVED
    assert known.units()[0] == ("A", 3, 2, 1)


# ---- Units -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "units"),
    [
        ((line("A", 2), line("B", 1, number=2)), [("A", 3, 2, 1), ("B", 1, 1, 0)]),
        ((line("A", 3, cancelled=2), line("B", 1, number=2)), [("A", 3, 1, 2), ("B", 1, 1, 0)]),
        ((line("A", 3),), [("A", 3, 3, 0), ("B", 1, 0, 1)]),
        ((line("A", 5), line("B", 1, number=2)), [("A", 3, 3, 0), ("B", 1, 1, 0), ("A", 2, 2, 0)]),
        (
            (line("A", 3), line("B", 1, number=2), line("C", 2, number=3)),
            [("A", 3, 3, 0), ("B", 1, 1, 0), ("C", 2, 2, 0)],
        ),
        ((line("C", 2, number=3),), [("A", 3, 0, 3), ("B", 1, 0, 1), ("C", 2, 2, 0)]),
    ],
)
def test_units_follow_the_channel(
    lines: tuple[Line, ...], units: list[tuple[str | None, int, int, int]]
) -> None:
    known = Known()
    newer = sent(*lines)
    for _ in range(2):
        known.send(newer)
        assert known.units() == units
    assert known.order.exceptions == ()
    assert decode_order(known.item()) == known.order


def test_what_a_channel_has_taken_away_already_is_not_taken_away_again() -> None:
    known = Known()
    for quantity in (2, 1):
        known.send(sent(line("A", quantity), line("B", 1, number=2)))
    known.send(sent(line("A", 1), line("B", 1, number=2), notes="thank you"))
    assert known.units()[0] == ("A", 3, 1, 2)


def test_more_units_of_which_some_are_cancelled_at_once() -> None:
    known = Known()
    known.send(sent(line("A", 5, cancelled=4), line("B", 1, number=2)))
    assert [(kept.ordered, kept.cancelled) for kept in known.order.lines] == [(3, 2), (1, 0), (2, 2)]
    assert known.order.holds == ()


def test_what_we_have_cancelled_the_channel_may_report_back() -> None:
    known = Known()
    known.cancel(CancelRequest(CancelReason.CUSTOMER, {"1": 1}))
    for quantity in (3, 2):
        assert (
            known.send(sent(line("A", quantity), line("B", 1, number=2), notes=f"{quantity}"))
            is Verdict.EDITED
        )
        assert known.units()[0] == ("A", 3, 2, 1)


def test_more_units_are_a_line_of_their_own_that_says_where_it_comes_from() -> None:
    known = Known()
    known.send(sent(line("A", 5), line("B", 1, number=2)))
    first, _, more = known.order.lines
    assert (more.line_id, more.origin, more.amount) == ("3", Origin("edit", "1"), 2000)
    assert first.amount == 3000
    known.send(sent(line("A", 1), line("B", 1, number=2)))
    assert [kept.cancelled for kept in known.order.lines] == [2, 0, 2]


def test_units_that_a_location_has_are_asked_back_and_new_ones_wait_for_their_release() -> None:
    known = Known()
    known.release()
    known.send(sent(line("A", 2), line("B", 1, number=2), line("C", 1, number=3)))
    assert known.order.lines[0].in_fulfillment == 3
    assert "cancel_requested" in known.order.journal[-2].kinds
    assert known.order.lines[2].allocated == 1


def test_a_new_line_of_an_unknown_sku_waits_for_the_catalogue() -> None:
    known = Known()
    known.send(sent(*FIRST.lines, line("X", 1, number=3)))
    assert [(found.code, found.ref) for found in known.order.exceptions] == [("sku_unknown", "3")]
    assert (known.order.lines[2].pending, known.order.holds) == (True, ())


def test_what_the_channel_ships_itself_is_added_without_stock() -> None:
    known = Known()
    known.send(sent(*FIRST.lines, line("C", 1, number=3, fulfilled_by=FulfilledBy.CHANNEL)))
    (entry,) = known.order.lines[2].entries
    assert (entry.location, entry.alloc_id) == ("@channel", "2.3")


def test_a_kit_follows_with_its_components() -> None:
    made = stock("KIT", {})
    assert made.sku is not None
    kit = replace(made, sku=replace(made.sku, kit=(Component("A", 2), Component("B", 1))))
    known = Known(sent(line("KIT", 2)), {**STOCKS, "KIT": kit})
    known.send(sent(line("KIT", 1)))
    assert known.units() == [("KIT", 2, 0, 1), ("A", 4, 2, 2), ("B", 2, 1, 1)]
    known.send(sent(line("KIT", 1), line("KIT", 1, number=2)))
    assert known.units()[3:] == [("KIT", 1, 0, 0), ("A", 2, 2, 0), ("B", 1, 1, 0)]


def test_a_test_order_is_never_sourced() -> None:
    known = Known(replace(FIRST, test=True))
    assert known.send(sent(line("A", 9), test=True)) is Verdict.REFRESHED
    assert known.units() == [("A", 3, 0, 3), ("B", 1, 0, 1)]


# ---- Money -------------------------------------------------------------------------------------------------


def test_units_that_are_not_paid_for_hold_the_order_until_they_are() -> None:
    known = Known()
    newer = sent(line("A", 5), line("B", 1, number=2), payments=FIRST.payments)
    known.send(newer)
    assert (known.order.total, known.order.holds) == (6000, ("payment",))
    paid = (Paid("card", 6000, PaymentState.CAPTURED),)
    known.send(replace(newer, payments=paid))
    assert (known.order.captured, known.order.holds) == (6000, ())


def test_a_price_that_falls_is_owed_to_the_customer_when_units_are_cancelled() -> None:
    known = Known()
    lower = sent(line("A", 3, discount=600), line("B", 1, number=2), payments=FIRST.payments)
    known.send(lower)
    assert (known.order.lines[0].discount, known.order.total) == (600, 3400)
    known.cancel(CancelRequest(CancelReason.CUSTOMER))
    assert [refund.amount for refund in known.refunds] == [4000]


def test_shipping_and_fees_follow_the_channel() -> None:
    known = Known()
    dearer = replace(FIRST.deliveries[0], shipping=700)
    known.send(replace(FIRST, deliveries=(dearer,), shipping=700, tip=100, total=FIRST.total + 800))
    order = known.order
    assert (order.shipping, order.charges, order.total, order.deliveries[0].shipping) == (700, 100, 4800, 700)


def test_amounts_of_units_that_were_given_back_stay_as_they_were() -> None:
    known = Known()
    known.send(sent(line("A", 2), line("B", 1, number=2)))
    known.send(sent(line("A", 2, discount=500), line("B", 1, number=2), payments=FIRST.payments))
    assert known.order.lines[0].discount == 0
    assert kept_total(known.order) == 2500


LINES = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 5), st.integers(0, 2), st.integers(1, 999)),
    min_size=1,
    max_size=3,
    unique_by=lambda drawn: drawn[0],
)


def version(lines: list[tuple[str, int, int, int]]) -> PlaceOrder:
    """A version with a line for each sku, under an id of its own, some units of it cancelled."""
    made = (
        line(sku, units, number="ABC".index(sku) + 1, price=price, cancelled=min(gone, units))
        for sku, units, gone, price in lines
    )
    return sent(*made)


@given(versions=st.lists(LINES, min_size=2, max_size=5))
@example(
    versions=[
        [("C", 1, 0, 1)],
        [("B", 1, 0, 1), ("A", 1, 0, 1), ("C", 2, 2, 1)],
        [("B", 1, 0, 1), ("A", 1, 0, 1), ("C", 2, 1, 1)],
    ]
)
def test_whatever_its_versions_an_order_owes_what_the_last_one_says(
    versions: list[list[tuple[str, int, int, int]]],
) -> None:
    first, *newer = map(version, versions)
    known = Known(first)
    placed = events_of_journal(known.item())
    ordered = {kept.line_id: kept.ordered for kept in known.order.lines}
    for each in newer:
        known.send(each)
        for kept in known.order.lines:
            assert kept.ordered == ordered.setdefault(kept.line_id, kept.ordered)
    if not known.order.exceptions:
        final = place(newer[-1], CHANNEL, network(), STOCKS, NOW).order
        assert kept_total(known.order) == kept_total(final)
    assert events_of_journal(known.item())[: len(placed)] == placed


# ---- Addresses and names -----------------------------------------------------------------------------------


def test_addresses_and_notes_follow_before_release() -> None:
    known = Known()
    moved = replace(
        FIRST.deliveries[0], ship_to=Address(country="ES", postal_code="08001"), service="express"
    )
    assert known.send(replace(FIRST, deliveries=(moved,), notes="ring twice")) is Verdict.EDITED
    assert (known.body.ship_to["d1"].postal_code, known.body.services["d1"]) == ("08001", "express")
    assert known.body.notes == "ring twice"


def test_an_address_that_was_missing_ends_the_hold() -> None:
    without = replace(FIRST, deliveries=(Delivery("d1", Method.SHIP),))
    known = Known(without)
    assert known.order.holds == ("address",)
    known.send(FIRST)
    assert known.order.holds + known.order.exceptions == ()
