"""Cancelling: where units are taken from, who is asked, what is refused, what is owed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState
from oms.fulfillment.progress import advance, ship
from oms.fulfillment.recall import Answered, answer, recall
from oms.fulfillment.release import release
from oms.inventory.model import Delta, DemandChange, Stock
from oms.orders.cancelling import Cancellation, CancelReason, CancelRequest, cancel
from oms.orders.claims import reclaimed
from oms.orders.commands import Delivery, FulfilledBy, LineKind, Method, Payment, PaymentState, PlaceOrder
from oms.orders.model import Order
from oms.orders.placing import Placement, place
from oms.orders.status import OrderStatus, order_status
from oms.payments.refunds import Refund
from oms.problems import Code, Problem
from tests.builders import CHANNEL, NOW, command, line, network, stock

LATER = NOW + timedelta(hours=1)
ALL = CancelRequest(CancelReason.CUSTOMER)
BY_CHANNEL = replace(ALL, channel="v2")


def some(**units: int) -> CancelRequest:
    """A request for units by line: `some(_1=2)`."""
    return replace(ALL, units={name.removeprefix("_"): number for name, number in units.items()})


def placed(sent: PlaceOrder | None = None, **stocks: Stock) -> Placement:
    """An order of three units of A, which Madrid and Lyon have two of each, unless told otherwise."""
    found = stocks or {"A": stock("A", {"wh-madrid": 2, "wh-lyon": 2})}
    return place(sent or command(line("A", 3)), CHANNEL, network(), found, NOW)


def cancelled(order: Order, wish: CancelRequest = ALL, *works: FulfillmentOrder) -> Cancellation:
    return cancel(order, {work.id: work for work in works}, (), wish, LATER)


def released(units: int = 3) -> tuple[Order, FulfillmentOrder]:
    """An order of so many units with its one location."""
    placement = placed(command(line("A", units)), A=stock("A", {"wh-madrid": units}))
    order, (work,) = release(placement.order, placement.body, network(), NOW)
    return order, work


def recalled(units: int = 3, of: int = 3) -> tuple[Order, FulfillmentOrder]:
    """Such an order of which its location has been asked to give up some."""
    order, work = released(of)
    change = cancelled(order, some(_1=units), work)
    return change.order, recall(work, change.asked[work.id], "customer", LATER)


def fact(kind: FactKind, v: int | None = None, message: str = "m1", **units: int) -> FulfillmentFact:
    lines = tuple(PackedUnits(name.removeprefix("_"), number) for name, number in units.items())
    return FulfillmentFact(message, kind, LATER, "O", "2-1", lines=lines, v=v)


def heard(order: Order, work: FulfillmentOrder, message: FulfillmentFact) -> Answered:
    answered = answer(order, work, (), message, LATER)
    assert answered is not None
    return answered


# ---- What is refused ---------------------------------------------------------------------------------------


def test_a_line_that_the_order_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(Problem) as refused:
        cancelled(placed().order, some(_9=1))
    assert (refused.value.code, refused.value.field) == (Code.FIELD_INVALID, "lines")


def test_more_units_than_there_are_are_refused() -> None:
    with pytest.raises(Problem) as refused:
        cancelled(placed().order, some(_1=4))
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, "unfulfilled")


def shipped(units: int = 2) -> tuple[Order, FulfillmentOrder]:
    """An order of two units of which some have left."""
    order, work = released(2)
    parcel = Package("p1", lines=(PackedUnits("1", units),))
    left = FulfillmentFact("m", FactKind.SHIPPED, LATER, order.order_id, work.id, (parcel,))
    shipping = ship(order, work, {}, {}, left, LATER)
    assert shipping is not None
    return shipping.order, shipping.fulfillment_order


@pytest.mark.parametrize("wish", [ALL, some(_1=1)])
def test_nothing_of_a_shipped_order_can_be_cancelled(wish: CancelRequest) -> None:
    order, work = shipped()
    with pytest.raises(Problem) as refused:
        cancelled(order, wish, work)
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, "fulfilled")


def test_units_asked_back_already_are_not_asked_back_again() -> None:
    order, work = recalled(2)
    with pytest.raises(Problem) as refused:
        cancelled(order, some(_1=2), work)
    assert refused.value.code is Code.STATE_REFUSED
    assert cancelled(order, ALL, work).asked == {"2-1": {"1": 1}}


def test_what_somebody_else_ships_only_they_can_cancel() -> None:
    order = placed(command(line("A", 2, fulfilled_by=FulfilledBy.CHANNEL))).order
    with pytest.raises(Problem):
        cancelled(order)
    change = cancelled(order, BY_CHANNEL)
    assert (order_status(change.order), change.asked) == (OrderStatus.CANCELLED, {})


def test_a_location_cannot_give_up_what_it_was_not_asked_for() -> None:
    order, work = released()
    with pytest.raises(Problem) as refused:
        answer(order, work, (), fact(FactKind.CANCELLED), LATER)
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, "released")
    order, work = recalled(1)
    with pytest.raises(Problem) as refused:
        answer(order, work, (), fact(FactKind.CANCELLED, _1=2), LATER)
    assert (refused.value.code, refused.value.field) == (Code.STATE_REFUSED, "lines")


# ---- Before release ----------------------------------------------------------------------------------------


def test_units_are_taken_where_the_least_has_been_done_for_them() -> None:
    found = {"A": stock("A", {"wh-madrid": 1, "wh-lyon": 1}, backorder_limit=1)}
    order = placed(command(line("A", 4)), **found).order
    counters = []
    for _ in range(4):
        order = cancelled(order, some(_1=1)).order
        (kept,) = order.lines
        counters.append((kept.open, kept.backordered, kept.allocated, kept.cancelled))
        assert kept.ordered == 4
    assert counters == [(0, 1, 2, 1), (0, 0, 2, 2), (0, 0, 1, 3), (0, 0, 0, 4)]
    assert (order.exceptions, order_status(order)) == ((), OrderStatus.CANCELLED)


def test_cancelling_gives_back_every_claim() -> None:
    found = {"A": stock("A", {"wh-madrid": 1, "wh-lyon": 1}, backorder_limit=1)}
    order = placed(command(line("A", 4)), **found).order
    claims = reclaimed(order, cancelled(order).order)
    assert claims.deltas == {("A", "wh-madrid"): Delta(allocated=-1), ("A", "wh-lyon"): Delta(allocated=-1)}
    assert claims.demands == (DemandChange("A", "iberia", -2),)


def test_a_cancelled_order_is_held_by_nothing_and_nobody_has_to_look_at_it() -> None:
    lost = command(
        line("X", 1), line("A", "1.5", number=2), payments=(), deliveries=(Delivery("d1", Method.SHIP),)
    )
    order = placed(lost).order
    assert {known.code for known in order.exceptions} >= {
        "sku_unknown",
        "quantity_unknown",
        "address_missing",
    }
    assert order.holds == ("payment", "address")
    after = cancelled(order).order
    assert (after.exceptions, after.holds) == ((), ())
    assert not any(kept.pending for kept in after.lines)


def test_a_request_that_comes_again_changes_nothing() -> None:
    order = cancelled(placed().order).order
    assert cancelled(order).order is order
    held = replace(order, holds=("edit",))
    assert cancelled(held).order is held
    test = placed(command(line("A", 1), test=True)).order
    assert cancelled(test).order is test


def test_what_is_left_of_a_delivered_order_closes_it() -> None:
    order, work = shipped(1)
    (kept,) = order.lines
    arrived = replace(order, lines=(replace(kept, delivered=1),), captured=1000)
    change = cancelled(arrived, ALL, work)
    asked = recall(work, change.asked[work.id], "staff", LATER)
    after = heard(change.order, asked, fact(FactKind.CANCELLED))
    assert order_status(after.change.order) is OrderStatus.CLOSED
    assert after.change.order.journal[-1].kinds == ("cancelled", "closed")
    assert after.fulfillment_order.state is FulfillmentState.CLOSED


# ---- The channel's word ------------------------------------------------------------------------------------


def test_what_has_left_stays_shipped_when_its_channel_cancels() -> None:
    order, work = shipped(1)
    change = cancelled(order, BY_CHANNEL, work)
    assert (change.asked, change.refused) == ({"2-1": {"1": 1}}, {"1": 1})
    assert [(known.code, known.ref) for known in change.order.exceptions] == [("channel_cancelled", "v2")]
    assert change.order.journal[-1].kinds == ("cancel_requested", "cancel_refused")
    assert change.order.lines[0].shipped == 1
    again = recall(work, change.asked[work.id], "customer", LATER)
    assert cancelled(change.order, BY_CHANNEL, again).order is change.order


def test_a_channel_s_cancellation_that_was_refused_is_not_asked_for_again_when_it_is_repeated() -> None:
    order, work = released()
    change = cancelled(order, BY_CHANNEL, work)
    kept = heard(
        change.order, recall(work, change.asked[work.id], "customer", LATER), fact(FactKind.CANCEL_REFUSED)
    )
    again = cancelled(kept.change.order, BY_CHANNEL, kept.fulfillment_order)
    assert again.order is kept.change.order


# ---- After release -----------------------------------------------------------------------------------------


def test_after_release_only_the_location_s_answer_cancels() -> None:
    order, work = recalled()
    assert (order.lines[0].in_fulfillment, order.lines[0].cancelled) == (3, 0)
    assert (work.state, work.stage) == (FulfillmentState.CANCEL_REQUESTED, FulfillmentState.RELEASED)
    after = heard(order, work, fact(FactKind.CANCELLED))
    assert (after.change.order.lines[0].in_fulfillment, after.change.order.lines[0].cancelled) == (0, 3)
    assert after.change.deltas == {("A", "wh-madrid"): Delta(allocated=-3)}
    assert (after.fulfillment_order.state, after.cancelled) == (FulfillmentState.CANCELLED, 3)
    assert after.refund is not None
    assert after.refund.amount == 3000


def test_a_location_that_refuses_goes_on_where_it_was() -> None:
    order, work = recalled()
    packed = advance(work, FactKind.PACKED, LATER)
    assert packed.state is FulfillmentState.CANCEL_REQUESTED
    after = heard(order, packed, fact(FactKind.CANCEL_REFUSED))
    assert after.fulfillment_order.state is FulfillmentState.PACKED
    assert (after.change.deltas, after.refund, after.change.order.lines[0].cancelled) == ({}, None, 0)
    assert [(known.code, known.ref) for known in after.change.order.exceptions] == [("cancel_refused", "2-1")]


def test_a_location_that_gives_up_a_part_refuses_the_rest() -> None:
    order, work = recalled(3)
    after = heard(order, work, fact(FactKind.CANCELLED, _1=2))
    (request,) = after.fulfillment_order.lines
    assert (request.withdrawn, request.remaining) == (2, 1)
    assert after.fulfillment_order.state is FulfillmentState.RELEASED
    assert after.change.order.journal[-1].kinds == ("cancelled", "cancel_refused")


def test_an_answer_is_to_the_requests_that_the_location_has_seen() -> None:
    order, work = recalled(1)
    more = cancelled(order, some(_1=1), work)
    twice = recall(work, more.asked[work.id], "customer", LATER)
    after = heard(more.order, twice, fact(FactKind.CANCELLED, v=2))
    assert after.cancelled == 1
    assert after.fulfillment_order.state is FulfillmentState.CANCEL_REQUESTED
    rest = heard(after.change.order, after.fulfillment_order, fact(FactKind.CANCELLED, v=3, message="m2"))
    assert (rest.cancelled, rest.fulfillment_order.state) == (1, FulfillmentState.RELEASED)


def test_an_answer_that_comes_again_changes_nothing() -> None:
    order, work = recalled(1)
    after = heard(order, work, fact(FactKind.CANCELLED))
    assert answer(after.change.order, after.fulfillment_order, (), fact(FactKind.CANCELLED), LATER) is None


def test_an_answer_after_everything_has_ended_changes_nothing() -> None:
    order, work = recalled(3)
    after = heard(order, work, fact(FactKind.CANCELLED))
    late = fact(FactKind.CANCELLED, message="other")
    assert answer(after.change.order, after.fulfillment_order, (), late, LATER) is None


def test_shipped_beats_a_request_to_cancel() -> None:
    order, work = recalled(2, of=2)
    left = FulfillmentFact("m", FactKind.SHIPPED, LATER, order.order_id, work.id, (Package("p1"),))
    shipping = ship(order, work, {}, {}, left, LATER)
    assert shipping is not None
    assert (shipping.fulfillment_order.state, shipping.fulfillment_order.recalls) == (
        FulfillmentState.CLOSED,
        (),
    )
    assert [known.code for known in shipping.order.exceptions] == ["cancel_refused"]
    said = shipping.order.journal[-1]
    assert (said.kinds, said.data["refused"]) == (("shipped", "cancel_refused"), {"1": 2})
    assert answer(shipping.order, shipping.fulfillment_order, (), fact(FactKind.CANCELLED), LATER) is None


def test_what_left_while_it_was_asked_back_is_no_longer_given_up() -> None:
    order, work = recalled(3)
    parcel = Package("p1", lines=(PackedUnits("1", 2),))
    left = FulfillmentFact("m", FactKind.SHIPPED, LATER, order.order_id, work.id, (parcel,))
    shipping = ship(order, work, {}, {}, left, LATER)
    assert shipping is not None
    after = heard(shipping.order, shipping.fulfillment_order, fact(FactKind.CANCELLED))
    (kept,) = after.change.order.lines
    assert (kept.shipped, kept.cancelled, kept.in_fulfillment) == (2, 1, 0)
    assert after.fulfillment_order.state is FulfillmentState.CLOSED


# ---- Bundles -----------------------------------------------------------------------------------------------


def bundle() -> PlaceOrder:
    """Two boxes of one A and two B each; the money is on the box."""
    box = line(None, 2, price=3000, kind=LineKind.CONTAINER, fulfilled_by=FulfilledBy.US)
    parts = (
        line("A", 2, number=2, price=0, parent_line_id="701"),
        line("B", 4, number=3, price=0, parent_line_id="701"),
    )
    return command(box, *parts)


@pytest.mark.parametrize(
    ("units", "boxes", "refund"),
    [
        ({"2": 1}, 0, None),
        ({"2": 1, "3": 1}, 0, None),
        ({"2": 1, "3": 2}, 1, 3000),
        ({"2": 2, "3": 4}, 2, 6000),
    ],
)
def test_a_box_is_cancelled_with_the_last_of_its_parts(
    units: Mapping[str, int], boxes: int, refund: int | None
) -> None:
    found = {sku: stock(sku, {"wh-madrid": 9}) for sku in "AB"}
    change = cancelled(placed(bundle(), **found).order, replace(ALL, units=units))
    assert change.order.lines[0].cancelled == boxes
    assert (change.refund.amount if change.refund else None) == refund
    assert change.order.lines[0].ordered == 2


# ---- Money -------------------------------------------------------------------------------------------------


def sold(shipping: int = 500, paid: int | None = None, *, included: bool = True) -> Order:
    """Three units at 10.00 and 1.01 off in all with 0.50 of tax, and shipping."""
    goods = line("A", 3, discount=101, tax=50)
    sent = command(goods, tax_included=included, shipping=shipping)
    total = 3000 - 101 + shipping + (0 if included else 50)
    captured = total if paid is None else paid
    deliveries = (replace(sent.deliveries[0], shipping=shipping),)
    payments = (Payment("card", captured, PaymentState.CAPTURED),)
    return placed(replace(sent, deliveries=deliveries, total=total, payments=payments)).order


def test_nothing_is_due_when_nothing_was_paid() -> None:
    assert cancelled(sold(paid=0)).refund is None


@pytest.mark.parametrize(("paid", "due"), [(3399, 967), (2500, 68), (2432, None), (1000, None)])
def test_only_what_was_paid_beyond_the_rest_is_due(paid: int, due: int | None) -> None:
    """Of 28.99 a third and the shipping stay 24.32."""
    refund = cancelled(sold(paid=paid), some(_1=1)).refund
    assert (refund.amount if refund else None) == due


def test_shipping_and_charges_go_back_with_the_last_unit() -> None:
    order = sold()
    first = cancelled(order, some(_1=2))
    assert first.refund is not None
    rest = cancel(first.order, {}, (first.refund,), ALL, LATER)
    assert rest.refund is not None
    assert (first.refund.amount, rest.refund.amount) == (1933, 3399 - 1933)
    assert (rest.refund.id, rest.refund.return_id) == ("cancel.3", None)


def test_the_shipping_of_a_delivery_goes_back_with_its_last_unit() -> None:
    two = (Delivery("d1", Method.SHIP, shipping=300), Delivery("d2", Method.SHIP, shipping=200))
    lines = (line("A", 1), line("A", 1, number=2, delivery_id="d2"))
    paid = (Payment("card", 2500, PaymentState.CAPTURED),)
    sent = command(*lines, deliveries=two, shipping=500, total=2500, payments=paid)
    refund = cancelled(placed(sent).order, some(_2=1)).refund
    assert refund is not None
    assert refund.amount == 1200


@given(
    parts=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    paid=st.integers(0, 4000),
    included=st.booleans(),
)
def test_any_sequence_of_cancellations_ends_at_the_same_cent(
    parts: list[int], paid: int, included: bool
) -> None:
    order = sold(paid=paid, included=included)
    refunds: list[Refund] = []
    left = 3
    for part in parts:
        units = min(part, left)
        if units:
            change = cancel(order, {}, refunds, some(_1=units), LATER)
            order, left = change.order, left - units
            refunds += [change.refund] if change.refund else []
    change = cancel(order, {}, refunds, ALL, LATER)
    refunds += [change.refund] if change.refund else []
    assert sum(refund.amount for refund in refunds) == paid
