"""Placing: where the units of an order go, and what is written for them."""

from dataclasses import replace

import pytest

from oms.inventory.model import Delta, DemandChange, Stock
from oms.orders.commands import (
    Address,
    Delivery,
    FulfilledBy,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.orders.model import OrderLine
from oms.orders.placing import Placement, place
from oms.orders.status import OrderStatus, fulfillment_status, order_status, payment_status
from oms.orders.work import WorkStage, releasable, work_stage
from tests.builders import CHANNEL, MADRID, NOW, STORE, command, line, network, stock


def placed(order: PlaceOrder, *stocks: Stock) -> Placement:
    by_sku = {known.sku.sku: known for known in stocks if known.sku}
    return place(order, CHANNEL, network(), by_sku, NOW)


def sources(placement: Placement) -> dict[str, list[tuple[str, int]]]:
    return {
        line.line_id: [(entry.location, entry.units) for entry in line.entries]
        for line in placement.order.lines
    }


def counters(line: OrderLine) -> tuple[int, int, int, int, int]:
    return line.open, line.backordered, line.allocated, line.shipped, line.cancelled


def test_the_same_sku_on_two_lines_is_one_demand() -> None:
    placement = placed(command(line("A", 3), line("A", 3, number=2)), stock("A", {"wh-madrid": 5}))
    assert placement.deltas == {("A", "wh-madrid"): Delta(allocated=5)}
    assert [counters(one) for one in placement.order.lines] == [(0, 0, 3, 0, 0), (1, 0, 2, 0, 0)]
    assert placement.demands == (DemandChange("A", "iberia", waiting=1, backordered=0, limit=0),)


def test_one_location_that_has_everything_is_taken_alone() -> None:
    order = command(line("A", 2), line("B", 1, number=2))
    placement = placed(order, stock("A", {"wh-madrid": 9, "wh-lyon": 2}), stock("B", {"wh-lyon": 1}))
    assert sources(placement) == {"1": [("wh-lyon", 2)], "2": [("wh-lyon", 1)]}


def test_otherwise_the_location_with_most_units_comes_first() -> None:
    order = command(line("A", 5), line("B", 1, number=2))
    placement = placed(order, stock("A", {"wh-madrid": 4, "wh-lyon": 2}), stock("B", {"wh-lyon": 1}))
    assert sources(placement) == {"1": [("wh-madrid", 4), ("wh-lyon", 1)], "2": [("wh-lyon", 1)]}


def test_equal_locations_are_taken_nearest_first() -> None:
    near_lyon = Address(country="FR", latitude="45.75", longitude="4.85")
    order = command(line("A"), deliveries=(Delivery("d1", Method.SHIP, ship_to=near_lyon),))
    placement = placed(order, stock("A", {"wh-madrid": 1, "wh-lyon": 1}))
    assert sources(placement) == {"1": [("wh-lyon", 1)]}


def test_a_pickup_is_served_by_its_store_alone() -> None:
    order = command(line("A", 2), deliveries=(Delivery("d1", Method.PICKUP, location="905684977"),))
    placement = placed(order, stock("A", {"wh-madrid": 9, "st-gracia": 1}))
    assert sources(placement) == {"1": [("st-gracia", 1)]}
    assert placement.order.lines[0].open == 1


@pytest.mark.parametrize(
    ("limit", "waiting", "backordered", "still_open"),
    [(0, 0, 0, 4), (3, 0, 3, 1), (3, 2, 1, 3), (3, 5, 0, 4), (9, 0, 4, 0), (None, 99, 4, 0)],
)
def test_what_nobody_has_is_backordered_up_to_the_limit_and_open_beyond(
    limit: int | None, waiting: int, backordered: int, still_open: int
) -> None:
    placement = placed(command(line("A", 4)), stock("A", {}, backorder_limit=limit, waiting=waiting))
    (one,) = placement.order.lines
    assert (one.backordered, one.open) == (backordered, still_open)
    assert placement.demands == (DemandChange("A", "iberia", 4, backordered, limit),)
    codes = [exception.code for exception in placement.order.exceptions]
    assert codes == (["stock_short"] if still_open else [])


def test_two_lines_of_a_sku_share_one_backorder_limit() -> None:
    order = command(line("A", 2), line("A", 2, number=2))
    placement = placed(order, stock("A", {}, backorder_limit=3))
    assert [(one.backordered, one.open) for one in placement.order.lines] == [(2, 0), (1, 1)]
    assert placement.demands == (DemandChange("A", "iberia", 4, 3, 3),)


def test_new_orders_leave_what_waiting_orders_need() -> None:
    placement = placed(command(line("A", 3)), stock("A", {"wh-madrid": 5}, waiting=4))
    assert sources(placement) == {"1": [("wh-madrid", 1)]}


def test_safety_stock_is_kept_back_at_each_position() -> None:
    kept = replace(MADRID, safety_stock=3)
    by_sku = {"A": stock("A", {"wh-madrid": 5})}
    placement = place(command(line("A", 5)), CHANNEL, network(kept), by_sku, NOW)
    assert sources(placement) == {"1": [("wh-madrid", 2)]}


def test_an_inactive_location_sells_nothing() -> None:
    closed = replace(STORE, active=False)
    placement = place(command(line("A")), CHANNEL, network(closed), {"A": stock("A", {"st-gracia": 5})}, NOW)
    assert placement.order.lines[0].open == 1


@pytest.mark.parametrize("sku", [None, "GHOST"])
def test_a_line_whose_sku_nobody_knows_stays_open_with_an_exception(sku: str | None) -> None:
    placement = placed(command(line(sku, 2), line("A", number=2)), stock("A", {"wh-madrid": 5}))
    assert placement.order.lines[0].open == 2
    assert [(known.code, known.ref) for known in placement.order.exceptions] == [("sku_unknown", "1")]
    assert placement.demands == ()
    assert sources(placement)["2"] == [("wh-madrid", 1)]


@pytest.mark.parametrize(
    ("quantity", "scale", "units"), [("1.5", 1000, 1500), (2, 1000, 2000), ("0.25", 4, 1), (3, 1, 3)]
)
def test_a_quantity_is_converted_by_the_scale_of_its_sku(quantity: int | str, scale: int, units: int) -> None:
    placement = placed(command(line("A", quantity)), stock("A", {"wh-madrid": 9999}, scale=scale))
    assert sources(placement) == {"1": [("wh-madrid", units)]}


def test_a_quantity_that_the_scale_does_not_resolve_is_parked() -> None:
    placement = placed(command(line("A", "1.5")), stock("A", {"wh-madrid": 9}))
    assert counters(placement.order.lines[0]) == (2, 0, 0, 0, 0)
    assert placement.order.lines[0].pending
    assert [known.code for known in placement.order.exceptions] == ["quantity_unknown"]
    assert placement.body.lines[0].quantity == "1.5"


@pytest.mark.parametrize("field", ["test", "cancelled"])
def test_test_and_cancelled_orders_reserve_nothing(field: str) -> None:
    placement = placed(command(line("A", 2), **{field: True}), stock("A", {"wh-madrid": 5}))
    assert placement.deltas == {}
    assert placement.demands == ()
    assert order_status(placement.order) is OrderStatus.CANCELLED
    assert not placement.order.holds
    assert work_stage(placement.order) is None


def test_a_cancelled_order_keeps_what_the_channel_has_shipped() -> None:
    placement = placed(command(line("A", 3, shipped=1), cancelled=True), stock("A", {"wh-madrid": 5}))
    assert counters(placement.order.lines[0]) == (0, 0, 0, 1, 2)


def test_what_the_channel_ships_itself_touches_no_position() -> None:
    placement = placed(command(line("A", 2, fulfilled_by=FulfilledBy.CHANNEL)), stock("A", {"wh-madrid": 5}))
    assert placement.deltas == {}
    assert sources(placement) == {"1": [("@channel", 2)]}
    assert not releasable(placement.order)


def test_units_taken_at_a_till_leave_the_store_and_enter_shipped() -> None:
    till = line("A", 2, fulfilled_by=FulfilledBy.TAKEN)
    placement = placed(command(till, source_location="905684977"), stock("A", {"st-gracia": 1}))
    assert placement.deltas == {("A", "st-gracia"): Delta(on_hand=-2)}
    (one,) = placement.order.lines
    assert (one.shipped, one.delivered) == (2, 2)


def test_units_taken_at_a_till_that_is_not_mapped_open_an_exception() -> None:
    till = line("A", 2, fulfilled_by=FulfilledBy.TAKEN)
    placement = placed(command(till, source_location="1"), stock("A", {"st-gracia": 1}))
    assert placement.deltas == {}
    assert [known.code for known in placement.order.exceptions] == ["location_unmapped"]


@pytest.mark.parametrize("kind", [LineKind.DIGITAL, LineKind.GIFT_CARD, LineKind.SERVICE])
def test_goods_that_need_no_shipping_enter_delivered(kind: LineKind) -> None:
    placement = placed(command(line("A", 2, kind=kind)), stock("A", {"wh-madrid": 5}))
    assert placement.deltas == {}
    assert placement.order.lines[0].delivered == 2


def test_an_untracked_sku_is_sourced_without_a_position() -> None:
    placement = placed(command(line("A", 500)), stock("A", {}, tracked=False))
    assert placement.deltas == {}
    assert sum(units for _, units in sources(placement)["1"]) == 500


@pytest.mark.parametrize(
    ("state", "amount", "held", "status"),
    [
        (PaymentState.CAPTURED, 1000, False, "captured"),
        (PaymentState.AUTHORIZED, 1000, False, "authorized"),
        (PaymentState.CAPTURED, 999, True, "partially_captured"),
        (PaymentState.AUTHORIZED, 1, True, "partially_authorized"),
        (PaymentState.PENDING, 1000, True, "not_paid"),
        (PaymentState.VOIDED, 1000, True, "not_paid"),
    ],
)
def test_an_unpaid_order_keeps_its_stock_and_is_held(
    state: PaymentState, amount: int, held: bool, status: str
) -> None:
    order = command(line("A"), payments=(Payment("card", amount, state),))
    placement = placed(order, stock("A", {"wh-madrid": 5}))
    assert sources(placement) == {"1": [("wh-madrid", 1)]}
    assert ("payment" in placement.order.holds) is held
    assert payment_status(placement.order) == status
    assert work_stage(placement.order) == (WorkStage.HELD if held else WorkStage.RELEASE, NOW)


def test_an_order_is_due_for_release_after_its_channel_s_grace() -> None:
    patient = replace(CHANNEL, grace_minutes=30)
    by_sku = {"A": stock("A", {"wh-madrid": 5})}
    placement = place(command(line("A")), patient, network(channel=patient), by_sku, NOW)
    due = work_stage(placement.order)
    assert due is not None
    assert due[1] == NOW.replace(hour=10, minute=0)


def test_every_counter_adds_up_to_what_was_ordered() -> None:
    order = command(line("A", 7, cancelled=1, shipped=2), line("B", 2, number=2), total=9)
    placement = placed(order, stock("A", {"wh-madrid": 1, "wh-lyon": 1}, backorder_limit=1), stock("B", {}))
    assert counters(placement.order.lines[0]) == (1, 1, 2, 2, 1)
    assert [one.ordered for one in placement.order.lines] == [7, 2]
    assert fulfillment_status(placement.order) == "partial"
    assert len({entry.alloc_id for one in placement.order.lines for entry in one.entries}) == 2


def test_numbers_that_do_not_balance_are_accepted_and_flagged() -> None:
    placement = placed(command(line("A"), balanced=False), stock("A", {"wh-madrid": 5}))
    assert placement.order.total == 1000
    assert [known.code for known in placement.order.exceptions] == ["totals_unbalanced"]


def test_lines_that_share_an_id_at_the_channel_stay_two_lines() -> None:
    placement = placed(command(line("A", 1), line("A", 2)), stock("A", {"wh-madrid": 5}))
    assert [one.line_id for one in placement.order.lines] == ["1", "2"]
    assert placement.deltas == {("A", "wh-madrid"): Delta(allocated=3)}


def test_numbers_of_a_test_order_alarm_nobody() -> None:
    assert placed(command(line("A"), balanced=False, test=True), stock("A", {})).order.exceptions == ()


def test_an_order_without_an_address_keeps_its_stock_and_waits_for_one() -> None:
    nowhere = (Delivery("d1", Method.SHIP),)
    placement = placed(command(line("A"), deliveries=nowhere), stock("A", {"wh-madrid": 5}))
    assert sources(placement) == {"1": [("wh-madrid", 1)]}
    assert placement.order.holds == ("address",)
    assert [known.code for known in placement.order.exceptions] == ["address_missing"]
    digital = command(line("A", kind=LineKind.DIGITAL), deliveries=nowhere)
    assert placed(digital, stock("A", {})).order.holds == ()


def test_an_order_refunded_before_it_came_is_put_before_a_person() -> None:
    order = command(line("A"), payments=(Payment("card", 1000, PaymentState.REFUNDED),))
    placement = placed(order, stock("A", {"wh-madrid": 5}))
    assert (placement.order.holds, placement.order.refunded) == (("manual",), 1000)
    assert [known.code for known in placement.order.exceptions] == ["channel_reduced"]


def test_a_line_of_nothing_asks_for_nothing() -> None:
    assert placed(command(line("A", 0)), stock("A", {"wh-madrid": 5})).order.exceptions == ()
