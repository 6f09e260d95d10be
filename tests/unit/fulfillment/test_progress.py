"""Progress of a fulfillment order: facts in any order, repeated, early, and beyond what was asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, Shipment, ShipmentState
from oms.fulfillment.progress import Shipping, advance, deliver, record_deliveries, ship
from oms.fulfillment.release import release
from oms.inventory.model import Delta, Position
from oms.orders.model import Order, Stage
from oms.orders.placing import place
from oms.orders.status import OrderStatus, delivery_status, fulfillment_status, order_status
from tests.builders import CHANNEL, NOW, command, line, network, stock


class Released(NamedTuple):
    order: Order
    work: FulfillmentOrder


def released() -> Released:
    """Three units of A and one of B, released to Madrid."""
    by_sku = {"A": stock("A", {"wh-madrid": 9}), "B": stock("B", {"wh-madrid": 9})}
    placement = place(command(line("A", 3), line("B", 1, number=2)), CHANNEL, network(), by_sku, NOW)
    order, (work,) = release(placement.order, placement.body, network(), NOW)
    return Released(order, work)


def fact(kind: FactKind, *packages: Package, at: datetime = NOW) -> FulfillmentFact:
    return FulfillmentFact("m1", kind, at, "", "", packages)


def parcel(name: str = "p1", **units: int) -> Package:
    """A parcel; `_1=2` means two units of line 1."""
    return Package(name, lines=tuple(PackedUnits(key.removeprefix("_"), held) for key, held in units.items()))


def shipped(
    state: Released, *packages: Package, known: tuple[Shipment, ...] = (), **positions: Position
) -> Shipping:
    by_id = {shipment.id: shipment for shipment in known}
    shipping = ship(state.order, state.work, by_id, positions, fact(FactKind.SHIPPED, *packages), NOW)
    assert shipping is not None
    return shipping


def test_release_hands_all_allocated_units_to_their_location_once() -> None:
    order, work = released()
    assert [(one.line_id, one.requested) for one in work.lines] == [("1", 3), ("2", 1)]
    assert {entry.stage for one in order.lines for entry in one.entries} == {Stage.IN_FULFILLMENT}
    assert (work.state, work.connector, work.public_id) == (
        FulfillmentState.RELEASED,
        "wms",
        f"{order.order_id}-2-1",
    )
    body = place(command(), CHANNEL, network(), {}, NOW).body
    assert release(order, body, network(), NOW) == (order, ())


def test_a_held_order_is_never_released() -> None:
    by_sku = {"A": stock("A", {"wh-madrid": 9})}
    placement = place(command(line("A"), payments=()), CHANNEL, network(), by_sku, NOW)
    assert release(placement.order, placement.body, network(), NOW) == (placement.order, ())


def test_each_location_gets_a_fulfillment_order_of_its_own() -> None:
    by_sku = {"A": stock("A", {"wh-madrid": 1, "st-gracia": 1})}
    placement = place(command(line("A", 2)), CHANNEL, network(), by_sku, NOW)
    _, works = release(placement.order, placement.body, network(), NOW)
    assert [(work.id, work.location, work.connector) for work in works] == [
        ("2-1", "wh-madrid", "wms"),
        ("2-2", "st-gracia", None),
    ]


@pytest.mark.parametrize(
    ("start", "kind", "end"),
    [
        (FulfillmentState.RELEASED, FactKind.ACCEPTED, FulfillmentState.ACCEPTED),
        (FulfillmentState.RELEASED, FactKind.PACKED, FulfillmentState.PACKED),
        (FulfillmentState.PACKED, FactKind.ACCEPTED, FulfillmentState.PACKED),
        (FulfillmentState.ACCEPTED, FactKind.ACCEPTED, FulfillmentState.ACCEPTED),
        (FulfillmentState.PACKED, FactKind.READY_FOR_PICKUP, FulfillmentState.READY_FOR_PICKUP),
        (FulfillmentState.CLOSED, FactKind.ACCEPTED, FulfillmentState.CLOSED),
        (FulfillmentState.CANCELLED, FactKind.ACCEPTED, FulfillmentState.CANCELLED),
    ],
)
def test_a_fact_moves_forward_or_changes_nothing(
    start: FulfillmentState, kind: FactKind, end: FulfillmentState
) -> None:
    work = replace(released().work, state=start)
    moved = advance(work, kind, NOW)
    assert moved.state is end
    assert (moved is work) is (start is end)


def test_shipping_takes_on_hand_and_allocated_together() -> None:
    shipping = shipped(released(), parcel(_1=3, _2=1))
    assert shipping.deltas == {
        ("A", "wh-madrid"): Delta(on_hand=-3, allocated=-3),
        ("B", "wh-madrid"): Delta(on_hand=-1, allocated=-1),
    }
    assert all(delta.uncommitted == 0 for delta in shipping.deltas.values())
    assert shipping.fulfillment_order.state is FulfillmentState.CLOSED
    assert fulfillment_status(shipping.order) == "fulfilled"
    assert [entry for one in shipping.order.lines for entry in one.entries] == []


def test_a_shipment_before_its_acceptance_jumps_forward() -> None:
    shipping = shipped(released(), parcel(_1=3, _2=1))
    assert advance(shipping.fulfillment_order, FactKind.ACCEPTED, NOW) is shipping.fulfillment_order


def test_a_partial_shipment_splits_the_entry() -> None:
    shipping = shipped(released(), parcel(_1=1))
    assert [(entry.units, entry.stage) for entry in shipping.order.lines[0].entries] == [
        (2, Stage.IN_FULFILLMENT)
    ]
    assert shipping.fulfillment_order.state is FulfillmentState.RELEASED
    assert [one.remaining for one in shipping.fulfillment_order.lines] == [2, 1]
    assert shipping.order.lines[0].ordered == 3


def test_a_package_without_lines_holds_all_that_remains() -> None:
    first = shipped(released(), parcel("p1", _1=1))
    rest = shipped(Released(first.order, first.fulfillment_order), parcel("p2"), known=first.shipments)
    assert [(one.line_id, one.units) for one in rest.shipments[0].lines] == [("1", 2), ("2", 1)]


def test_a_repeated_package_changes_nothing() -> None:
    state = released()
    shipping = shipped(state, parcel(_1=3), parcel(_1=3))
    assert len(shipping.shipments) == 1
    known = {one.id: one for one in shipping.shipments}
    again = fact(FactKind.SHIPPED, parcel(_1=3))
    assert ship(shipping.order, shipping.fulfillment_order, known, {}, again, NOW) is None


def test_units_beyond_the_request_have_left_all_the_same() -> None:
    shipping = shipped(released(), parcel(_1=5, _2=1))
    assert shipping.deltas["A", "wh-madrid"] == Delta(on_hand=-5, allocated=-3)
    assert [known.code for known in shipping.order.exceptions] == ["shipped_beyond_request"]
    assert (shipping.order.lines[0].shipped, shipping.order.lines[0].ordered) == (3, 3)


def test_a_line_that_nobody_asked_for_opens_an_exception() -> None:
    shipping = shipped(released(), parcel(_9=1, _2=1))
    assert [known.code for known in shipping.order.exceptions] == ["shipped_beyond_request"]
    assert shipping.order.lines[1].shipped == 1


@pytest.mark.parametrize(("minutes", "on_hand"), [(5, 0), (-5, -3)])
def test_a_count_after_the_shipment_has_left_the_parcel_out_already(minutes: int, on_hand: int) -> None:
    counted = Position("A", "wh-madrid", counted_at=NOW + timedelta(minutes=minutes))
    shipping = shipped(released(), parcel(_1=3), A=counted)
    assert shipping.deltas["A", "wh-madrid"] == Delta(on_hand=on_hand, allocated=-3)


def delivered(shipping: Shipping) -> dict[str, Shipment]:
    return {
        one.id: deliver(one, fact(FactKind.DELIVERED, at=NOW + timedelta(days=1)), NOW)
        for one in shipping.shipments
    }


def test_delivering_everything_that_is_paid_closes_the_order_once() -> None:
    shipping = shipped(released(), parcel(_1=3, _2=1))
    parcels = delivered(shipping)
    order = record_deliveries(shipping.order, parcels, NOW)
    assert (delivery_status(order), order_status(order)) == ("delivered", OrderStatus.CLOSED)
    assert order.journal[-1].kinds == ("delivered", "closed")
    assert record_deliveries(order, parcels, NOW) is order


def test_an_order_that_is_not_paid_in_full_stays_placed() -> None:
    shipping = shipped(released(), parcel(_1=3, _2=1))
    order = record_deliveries(replace(shipping.order, captured=1), delivered(shipping), NOW)
    assert order_status(order) is OrderStatus.PLACED


def test_one_of_two_parcels_is_a_partial_delivery() -> None:
    shipping = shipped(released(), parcel("p1", _1=3), parcel("p2", _2=1))
    parcels = {one.id: one for one in shipping.shipments} | {
        name: one for name, one in delivered(shipping).items() if name.endswith("p1")
    }
    order = record_deliveries(shipping.order, parcels, NOW)
    assert delivery_status(order) == "partial"
    assert [one.delivered for one in order.lines] == [3, 0]


def test_a_delivered_parcel_stays_delivered() -> None:
    (arrived,) = delivered(shipped(released(), parcel(_1=3, _2=1))).values()
    assert deliver(arrived, fact(FactKind.DELIVERED, at=NOW + timedelta(days=2)), NOW) is arrived


@pytest.mark.parametrize(("hours", "state"), [(-1, "returned_to_sender"), (1, "delivered")])
def test_a_parcel_sent_back_is_delivered_only_by_a_later_fact(hours: int, state: str) -> None:
    (sent,) = shipped(released(), parcel(_1=3, _2=1)).shipments
    back = replace(sent, state=ShipmentState.RETURNED_TO_SENDER, state_at=NOW)
    late = fact(FactKind.DELIVERED, at=NOW + timedelta(hours=hours))
    assert deliver(back, late, NOW).state == state


def test_a_parcel_with_all_that_remained_when_nothing_did_is_no_parcel() -> None:
    shipping = shipped(released(), parcel("p1"))
    known = {one.id: one for one in shipping.shipments}
    again = fact(FactKind.SHIPPED, parcel("p2"))
    assert ship(shipping.order, shipping.fulfillment_order, known, {}, again, NOW) is None
