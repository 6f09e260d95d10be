"""Kits on moto: what is ordered as one takes its components from stock, in both lanes, to the last cent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.model import Component, Sku
from oms.inventory.reservations import Cart, CartLine
from oms.orders.commands import Line, LineKind, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.model import Order, OrderLine
from oms.problems import Problem
from oms.store import queries
from oms.store.table import Table
from oms.usecases.check_ledger import check_ledger
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.reserve_cart import Wish, reserve_cart
from oms.usecases.source_order import source_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import assert_balanced, fill, order_of, shelves

ID = order_id("shop-es", "5001")
NEWER = "2026-11-22T10:00:00.000Z"


@pytest.fixture
def shop(table: Table) -> Table:
    """A set of two mugs and 250 g of tea, and all of it on one shelf."""
    fill(table, "MUG", wh_madrid=9)
    fill(table, "TEA", wh_madrid=1000)
    describe_sku(table, Sku("TEA", title="Tea", unit="g", scale=1000))
    describe_sku(table, Sku("SET", kit=(Component("MUG", 2, 900), Component("TEA", 250, 1))))
    return table


def ordered(units: int = 1, **fields: Any) -> PlaceOrder:
    return command(line("SET", units, price=2050), line("MUG", 1, number=2), **fields)


def slow(table: Table, sent: PlaceOrder) -> Order:
    return place_order(table, network(), sent, NOW).order


def hot(table: Table, sent: PlaceOrder) -> Order:
    ((_, outcome),) = place_orders(table, network(), [sent], NOW)
    assert isinstance(outcome, Result), outcome
    return outcome.order


LANES = pytest.mark.parametrize("place", [slow, hot])


def seen(order: Order) -> list[tuple[str, str | None, int, int, int]]:
    return [(kept.line_id, kept.sku, kept.ordered, kept.allocated, kept.amount) for kept in order.lines]


def named(order: Order, sku: str) -> OrderLine:
    (found,) = [kept for kept in order.lines if kept.sku == sku and kept.per_bundle]
    return found


@LANES
def test_components_are_allocated_and_the_money_is_theirs(shop: Table, place: Any) -> None:
    assert seen(place(shop, ordered(2))) == [
        ("1", "SET", 2, 0, 0),
        ("2", "MUG", 1, 1, 1000),
        ("3", "MUG", 4, 4, 3600),
        ("4", "TEA", 500, 500, 500),
    ]
    kept = order_of(shop, ID)
    assert [(part.parent_line_id, part.per_bundle) for part in kept.lines[2:]] == [("1", 2), ("1", 250)]
    assert kept.lines[0].kind is LineKind.CONTAINER
    assert shelves(shop, "MUG") == {"wh-madrid": (9, 5, 4)}
    assert shelves(shop, "TEA") == {"wh-madrid": (1000, 500, 500)}
    assert shelves(shop, "SET") == {}


@LANES
def test_a_kit_delivered_again_is_judged_by_what_the_channel_said(shop: Table, place: Any) -> None:
    place(shop, ordered())
    for sent, verdict in (
        (ordered(), Verdict.DUPLICATE),
        (ordered(2), Verdict.CONFLICT),
        (ordered(channel_version=NEWER), Verdict.REFRESHED),
    ):
        assert place_order(shop, network(), sent, NOW).verdict is verdict
    describe_sku(shop, Sku("SET", kit=(Component("MUG", 1),)))
    again = ordered(channel_version=NEWER)
    assert place_order(shop, network(), again, NOW).verdict is Verdict.DUPLICATE
    assert shelves(shop, "MUG") == {"wh-madrid": (9, 3, 6)}


@LANES
def test_components_beyond_stock_wait_each_for_itself(shop: Table, place: Any) -> None:
    order = place(shop, ordered(5))
    assert [(part.open, part.allocated) for part in order.lines[2:]] == [(2, 8), (250, 1000)]
    assert {known.code for known in order.exceptions} == {"stock_short"}
    assert_balanced(shop, [ID], ["MUG", "TEA"])


@LANES
def test_a_component_that_left_the_catalogue_is_an_unknown_sku(table: Table, place: Any) -> None:
    fill(table, "MUG", wh_madrid=9)
    fill(table, "SPOON", wh_madrid=9)
    describe_sku(table, Sku("SET", kit=(Component("MUG", 1), Component("SPOON", 1))))
    table.client.delete_item(TableName=table.name, Key={"PK": {"S": "SKU#SPOON"}, "SK": {"S": "META"}})
    order = place(table, ordered())
    assert [(known.code, known.ref) for known in order.exceptions] == [("sku_unknown", "4")]
    assert (named(order, "MUG").allocated, named(order, "SPOON").open) == (1, 1)


def test_a_kit_that_is_described_after_its_order_is_put_before_a_person(table: Table) -> None:
    fill(table, "MUG", wh_madrid=9)
    slow(table, command(line("SET", 2)))
    describe_sku(table, Sku("SET", kit=(Component("MUG", 2),)))
    for _ in range(2):
        order = source_order(table, network(), ID, NOW)
        assert [(known.code, known.ref) for known in order.exceptions] == [("kit_unknown", "1")]
        assert (order.lines[0].open, len(order.lines)) == (2, 1)
    fill(table, "SET", wh_madrid=3)
    order = source_order(table, network(), ID, NOW)
    assert (order.exceptions, order.lines[0].allocated) == ((), 2)
    assert_balanced(table, [ID], ["SET", "MUG"])


def test_the_order_shows_what_each_component_is(shop: Table) -> None:
    slow(shop, ordered())
    found = queries.order_with_body(shop, ID)
    assert found is not None
    shown = [(each.channel_line_id, each.title, each.quantity, each.unit_price) for each in found[1].lines]
    assert shown[2:] == [("701/MUG", "", 2, 900), ("701/TEA", "Tea", 250, 1)]


def shipped(sent: PlaceOrder, **progress: Any) -> PlaceOrder:
    first, *rest = sent.lines
    changed: tuple[Line, ...] = (replace(first, **progress), *rest)
    return replace(sent, lines=changed)


def test_units_that_the_channel_has_shipped_or_cancelled_enter_so(shop: Table) -> None:
    order = slow(shop, shipped(ordered(4), shipped=1, cancelled=2))
    assert [(part.shipped, part.cancelled, part.allocated) for part in order.lines[2:]] == [
        (2, 4, 2),
        (250, 500, 250),
    ]


def test_a_channel_that_cancels_some_of_a_kit_gives_back_its_components_once(shop: Table) -> None:
    slow(shop, ordered(3))
    for minute in (10, 11):
        newer = ordered(3, channel_version=f"2026-11-22T10:{minute}:00.000Z")
        place_order(shop, network(), shipped(newer, cancelled=1), NOW)
    kept = order_of(shop, ID)
    assert [(part.cancelled, part.allocated) for part in kept.lines[1:]] == [(0, 1), (2, 4), (250, 500)]
    assert shelves(shop, "TEA") == {"wh-madrid": (1000, 500, 500)}
    assert_balanced(shop, [ID], ["MUG", "TEA"])


def test_a_kit_is_shipped_by_its_components_and_every_unit_is_accounted_for(shop: Table) -> None:
    slow(shop, ordered(2))
    release_order(shop, network(), ID, NOW)
    (work,) = queries.fulfillment_orders(shop, ID)
    assert [(each.line_id, each.requested) for each in work.lines] == [("2", 1), ("3", 4), ("4", 500)]
    parcel = Package("p1", "correos", "PQ4F6X0712345670108230Q", 900)
    for kind in (FactKind.SHIPPED, FactKind.DELIVERED):
        fact = FulfillmentFact(f"m-{kind}", kind, NOW, ID, work.id, (parcel,))
        record_fulfillment(shop, fact, NOW)
    assert order_of(shop, ID).closed_at is not None
    assert shelves(shop, "MUG") == {"wh-madrid": (4, 0, 4)}
    assert check_ledger(shop, segments=1).findings == ()


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_anywhere_leaves_all_of_a_kit_or_nothing(shop: Table, when: str) -> None:
    for calls in range(1, 20):
        sent = ordered(channel_order_id=f"crash-{calls}")
        faults = Faults(**{when: calls})  # type: ignore[arg-type]  # one of its numbers of calls
        try:
            slow(Table(faults.wrap(shop.client), shop.name), sent)
        except Crash:
            slow(shop, sent)
        else:
            break
    assert calls > 4
    assert_balanced(shop, [order_id("shop-es", f"crash-{n}") for n in range(20)], ["MUG", "TEA"])


def test_a_cart_holds_components_and_is_told_of_kits_that_are_missing(shop: Table) -> None:
    soon = NOW + timedelta(minutes=15)

    def wish(units: int) -> Wish:
        return Wish(Cart("shop-es", (CartLine("MUG", 1), CartLine("SET", units))), soon)

    with pytest.raises(Problem) as refused:
        reserve_cart(shop, network(), "cart-1", wish(5), NOW)
    assert (refused.value.code, refused.value.field) == ("stock_short", "lines[1].units")
    held = reserve_cart(shop, network(), "cart-1", wish(4), NOW).held
    assert dict(held) == {("MUG", "wh-madrid"): 9, ("TEA", "wh-madrid"): 1000}
    bought = command(line("SET", 4), line("MUG", 1, number=2), reservation="cart-1")
    assert [part.allocated for part in slow(shop, bought).lines[1:]] == [1, 8, 1000]
    assert_balanced(shop, [ID], ["MUG", "TEA"])
