"""What a channel may sell: the same arithmetic for page, cart and feed, held to what an order then gets."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.inventory.availability import Availability, Promise
from oms.inventory.model import (
    Capability,
    Component,
    Demand,
    Position,
    Reserved,
    SafetyStock,
    Sku,
    Stock,
    Supply,
    SupplyKind,
)
from oms.inventory.network import Location
from oms.inventory.reservations import Cart, CartLine, Reservation
from oms.inventory.safety import safety_stock
from oms.orders.commands import Address, Delivery, Method
from oms.orders.placing import place
from oms.orders.reserving import reserve
from oms.sourcing.offering import Asker, offer
from tests.builders import CHANNEL, LYON, MADRID, NOW, STORE, command, line, network, stock

ASKER = Asker(CHANNEL)
DAY = timedelta(days=1)
SPAIN = Address(country="ES", postal_code="28013")


def coming(
    name: str, days: int, units: int, location: str = "wh-madrid", received: int = 0, promised: int = 0
) -> Supply:
    due = NOW + timedelta(days=days)
    return Supply("A", name, SupplyKind.PURCHASE_ORDER, location, due, units, received, promised)


def offered(known: Stock, asker: Asker = ASKER, *locations: Location) -> Availability:
    return offer({"A": known}, "A", asker, network(*locations), NOW)


@pytest.mark.parametrize(
    ("held", "waits", "safety", "supplies", "atp"),
    [
        (5, 0, 0, [], [(10, 5)]),
        (5, 2, 1, [], [(10, 2)]),
        (5, 5, 0, [], []),
        (0, 0, 0, [coming("p1", 2, 3)], [(10, 3)]),
        (5, 0, 0, [coming("p1", 2, 3), coming("p2", 20, 4)], [(10, 8), (20, 12)]),
        (2, 3, 0, [coming("p2", 20, 4)], [(20, 3)]),
    ],
)
def test_before_a_first_release_what_is_there_by_then_can_be_promised_for_then(
    held: int, waits: int, safety: int, supplies: list[Supply], atp: list[tuple[int, int]]
) -> None:
    known = stock("A", {"wh-madrid": held}, waiting=waits)
    first = NOW + 10 * DAY
    entry = Sku("A", first_release_at=first, safety_stock=(SafetyStock(safety),))
    asked = offered(replace(known, sku=entry, supplies=tuple(supplies)))
    assert asked.in_stock == 0
    assert [(promise.by, promise.units) for promise in asked.incoming] == [
        (NOW + days * DAY, units) for days, units in atp
    ]


def offered_kit(known: Stock, parts: Mapping[str, Stock]) -> Availability:
    return offer({"A": known, **parts}, "A", ASKER, network(), NOW)


@pytest.mark.parametrize(
    ("held", "waits", "buffer", "supplies", "atp"),
    [
        (3, 0, 0, [coming("p1", 2, 5)], [(2, 8)]),
        (3, 0, 0, [coming("p1", 2, 5, promised=4)], [(2, 4)]),
        (3, 0, 0, [coming("p1", 2, 5, received=5)], []),
        (3, 0, 0, [coming("p1", 2, 5), coming("p2", 1, 1)], [(1, 4), (2, 9)]),
        (3, 0, 0, [coming("p1", 2, 5), coming("p2", 2, 1)], [(2, 9)]),
        (3, 0, 0, [coming("p1", 2, 5, "elsewhere")], []),
        (3, 0, 0, [replace(coming("p1", 2, 5), closed=True)], []),
        (0, 4, 0, [coming("p1", 2, 3), coming("p2", 5, 3)], [(5, 2)]),
        (1, 0, 3, [coming("p1", 2, 1), coming("p2", 5, 3)], [(5, 2)]),
        (1, 0, 0, [coming("p1", -2, 5)], [(0, 6)]),
    ],
    ids=[
        "adds to what is there",
        "less what is promised",
        "less what has come",
        "day by day",
        "together on one day",
        "not for this pool",
        "not any more",
        "what waits comes first",
        "the buffer stays",
        "late, so due now",
    ],
)
def test_what_can_be_promised_by_when(
    held: int, waits: int, buffer: int, supplies: list[Supply], atp: list[tuple[int, int]]
) -> None:
    known = replace(stock("A", {"wh-madrid": held}, waiting=waits), supplies=tuple(supplies))
    answer = offered(known, Asker(replace(CHANNEL, buffer=buffer)))
    assert answer.incoming == tuple(Promise(NOW + timedelta(days=days), units) for days, units in atp)
    assert answer.expected_at == (answer.incoming[0].by if atp else None)


def test_a_time_before_the_first_supply_can_be_promised_what_is_in_stock() -> None:
    known = replace(stock("A", {"wh-madrid": 3}), supplies=(coming("p1", 2, 5),))
    answer = offered(known)
    assert [answer.atp(NOW + days * DAY) for days in (0, 1, 2, 9)] == [3, 3, 8, 8]


def test_backorders_are_counted_apart_and_have_a_date_when_supply_is_announced() -> None:
    known = replace(stock("A", {"wh-madrid": 2}, backorder_limit=4), supplies=(coming("p1", 3, 1),))
    answer = offered(known)
    assert (answer.ats, answer.in_stock, answer.backorderable) == (6, 2, 4)
    assert answer.expected_at == NOW + 3 * DAY
    unlimited = offered(stock("A", {"wh-madrid": 2}, backorder_limit=None))
    assert (unlimited.ats, unlimited.in_stock, unlimited.backorderable) == (None, 2, None)
    assert unlimited.expected_at is None


def test_nothing_is_promised_for_a_day_before_the_first_release() -> None:
    known = replace(stock("A", {"wh-madrid": 9}), supplies=(coming("p1", 2, 5), coming("p2", 8, 1)))
    ahead = replace(known, sku=Sku("A", first_release_at=NOW + 4 * DAY))
    answer = offered(ahead)
    assert (answer.ats, answer.in_stock) == (0, 0)
    assert answer.incoming == (Promise(NOW + 4 * DAY, 14), Promise(NOW + 8 * DAY, 15))
    assert answer.expected_at == NOW + 4 * DAY


def carted(known: Stock, units: int, minutes: int, name: str = "mine") -> Stock:
    (position,) = known.positions
    held = replace(position, reserved=position.reserved + units, uncommitted=position.uncommitted - units)
    row = Reserved("A", position.location, name, units, NOW + timedelta(minutes=minutes))
    return replace(known, positions=(held,), reserved=(*known.reserved, row))


@pytest.mark.parametrize(
    ("minutes", "reservation", "ats"),
    [(5, None, 2), (5, "other", 2), (5, "mine", 5), (0, None, 5), (-5, None, 5), (0, "mine", 5)],
)
def test_a_cart_blocks_all_others_until_it_expires_and_never_its_buyer(
    minutes: int, reservation: str | None, ats: int
) -> None:
    known = carted(stock("A", {"wh-madrid": 5}), 3, minutes)
    assert offered(known, replace(ASKER, reservation=reservation)).ats == ats


def test_what_waits_does_not_take_from_a_cart_that_came_before_it() -> None:
    known = carted(stock("A", {"wh-madrid": 5}, waiting=7), 5, 5)
    assert offered(known, replace(ASKER, reservation="mine")).ats == 5
    assert offered(known).ats == 0


def test_a_pickup_has_what_its_store_has_and_what_waits_leaves() -> None:
    known = stock("A", {"wh-madrid": 5, "st-gracia": 2})
    at_store = replace(ASKER, store="st-gracia")
    assert offered(known, at_store).ats == 2
    assert offered(replace(known, demands=(Demand("A", "iberia", waiting=6),)), at_store).ats == 1
    assert offered(known, replace(ASKER, store="wh-madrid")).ats == 0  # no pickup point
    closed = replace(STORE, active=False)
    assert offered(known, at_store, MADRID, closed).ats == 0
    coming_in = replace(known, supplies=(coming("p1", 1, 9, "wh-madrid"), coming("p2", 2, 4, "st-gracia")))
    assert offered(coming_in, at_store).incoming == (Promise(NOW + 2 * DAY, 6),)


def test_only_locations_that_ship_count_when_it_is_to_be_shipped() -> None:
    counter = replace(STORE, capabilities=(Capability.PICKUP,))
    known = stock("A", {"wh-madrid": 5, "st-gracia": 2})
    assert offered(known, ASKER, MADRID, counter).ats == 7
    assert offered(known, replace(ASKER, ship_to=SPAIN), MADRID, counter).ats == 5


def test_a_location_that_cannot_do_what_the_sku_requires_offers_nothing() -> None:
    known = stock("A", {"wh-madrid": 5, "wh-lyon": 2})
    assert known.sku is not None
    hazardous = replace(known, sku=replace(known.sku, requires=(Capability.HAZMAT,)))
    able = replace(LYON, capabilities=(Capability.SHIP, Capability.HAZMAT))
    assert offered(hazardous, ASKER, MADRID, able).ats == 2


def kit(**parts: int) -> Stock:
    return Stock(Sku("A", kit=tuple(Component(sku, units) for sku, units in parts.items())))


def test_of_a_kit_there_is_as_much_as_its_scarcest_component_allows() -> None:
    parts = {"B": stock("B", {"wh-madrid": 7}), "C": stock("C", {"wh-madrid": 9}, backorder_limit=3)}
    answer = offered_kit(kit(B=2, C=4), parts)
    assert (answer.ats, answer.in_stock, answer.backorderable) == (3, 2, 1)
    parts["C"] = replace(parts["C"], supplies=(replace(coming("p1", 2, 9), sku="C"),))
    assert offered_kit(kit(B=2, C=4), parts).incoming == (Promise(NOW + 2 * DAY, 3),)
    assert offered_kit(kit(B=2, C=4), {"B": parts["B"]}).ats == 0


def test_a_component_that_is_not_counted_does_not_bound_its_kit() -> None:
    free, counted = stock("B", {}, tracked=False), stock("C", {"wh-madrid": 5})
    assert offered_kit(kit(B=1, C=2), {"B": free, "C": counted}).ats == 2
    assert offered_kit(kit(B=1), {"B": free}).ats is None


POSITION = st.tuples(st.integers(-3, 9), st.integers(0, 4), st.integers(-1, 1), st.integers(0, 3))
"""Uncommitted, held by a cart, until when that is from now on, and of how many different buyers."""


RULE = st.builds(
    SafetyStock,
    st.integers(0, 4),
    st.sampled_from([None, "wh-madrid", "wh-lyon", "st-gracia"]),
    st.sampled_from([None, Method.SHIP, Method.PICKUP]),
)


@given(
    held=st.fixed_dictionaries(dict.fromkeys(("wh-madrid", "wh-lyon", "st-gracia"), POSITION)),
    waiting=st.integers(0, 6),
    store=st.sampled_from([None, "st-gracia"]),
    safety=st.integers(0, 3),
    rules=st.lists(RULE, max_size=4, unique_by=lambda rule: (rule.location, rule.method)),
)
def test_an_order_and_a_cart_get_exactly_what_was_offered_and_not_one_more(
    held: Mapping[str, tuple[int, int, int, int]],
    waiting: int,
    store: str | None,
    safety: int,
    rules: list[SafetyStock],
) -> None:
    positions, rows = [], []
    for name, (uncommitted, units, minutes, buyer) in held.items():
        positions.append(
            Position("A", name, uncommitted + units, reserved=units, uncommitted=uncommitted, v=1)
        )
        if units:
            rows.append(Reserved("A", name, f"cart-{buyer}", units, NOW + timedelta(minutes=minutes)))
    entry = Sku("A", safety_stock=tuple(rules))
    known = Stock(entry, tuple(positions), (Demand("A", "iberia", waiting),), (), tuple(rows))
    places = network(replace(MADRID, safety_stock=safety), LYON, STORE)
    answer = offer({"A": known}, "A", Asker(CHANNEL, store=store), places, NOW)
    method = Method.PICKUP if store else Method.SHIP
    deliveries = (Delivery("d1", method, ship_to=None if store else SPAIN, location=store),)
    sent = command(line("A", 50), deliveries=deliveries)
    placed = place(sent, CHANNEL, places, {"A": known}, NOW)
    (one,) = placed.order.lines
    assert one.allocated == answer.ats == answer.in_stock
    cart = Cart(CHANNEL.id, (CartLine("A", 50),), method, store, None if store else SPAIN)
    new = Reservation("new", cart, NOW)
    made = reserve(new, cart, NOW + DAY, CHANNEL, places, {"A": known}, NOW)
    assert sum(made.reservation.held.values()) == answer.ats
    for (_, name), delta in placed.deltas.items():
        kept = safety_stock(entry, places.locations[name], method)
        assert (delta.safety, made.deltas["A", name].safety) == (kept, kept)


@pytest.mark.parametrize(("minutes", "sellable"), [(-1, 8), (0, 8), (1, 3)])
def test_what_lies_at_a_location_that_is_closed_is_not_to_be_had_until_it_opens(
    minutes: int, sellable: int
) -> None:
    closed = replace(LYON, closed_until=(NOW + timedelta(minutes=minutes)).isoformat())
    there = stock("A", {"wh-madrid": 3, "wh-lyon": 5})
    assert offered(there, ASKER, MADRID, closed).ats == sellable


def test_a_new_order_leaves_what_is_open_to_those_who_wait_whatever_lies_where_it_is_closed() -> None:
    closed = replace(LYON, closed_until=(NOW + timedelta(hours=1)).isoformat())
    shop = network(MADRID, closed)
    there = stock("A", {"wh-madrid": 1, "wh-lyon": 5}, waiting=4, backorder_limit=None)
    assert offer({"A": there}, "A", ASKER, shop, NOW).in_stock == 0
    placed = place(command(line("A")), CHANNEL, shop, {"A": there}, NOW).order
    assert placed.lines[0].entries == ()
