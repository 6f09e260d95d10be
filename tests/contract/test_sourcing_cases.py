"""What other systems' tests assert of sourcing (areas C and H of the shared cases): our answers, by case.

Where the design differs from a case, our answer is asserted and a comment says why. One difference runs
through all: what cannot be had makes no request fail; it has no source and waits. A peer's order of locations
is a cost for each unit here. Decimals are tenths of the peer's unit.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from oms.inventory.availability import seen_at
from oms.inventory.model import Position, Reserved, Sku, Stock
from oms.inventory.network import Channel, Location, LocationKind, Network, Pool
from oms.orders.commands import Address, Delivery, Method
from oms.orders.placing import place
from oms.sourcing.candidates import Question, Wanted
from oms.sourcing.choose import Decision, Shelf, choose
from oms.sourcing.deliveries import shelf_of
from oms.sourcing.places import Precision, distance_km
from oms.sourcing.profile import (
    USUAL,
    Fallback,
    Filter,
    Limits,
    Objective,
    Offered,
    Profile,
    Service,
    Strategy,
    Transit,
)
from oms.sourcing.rates import Costs
from tests.builders import CHANNEL, MADRID, NOW, command, line, network, stock

CASES = Path(__file__).parents[3] / "shared" / "cases" / "cases.json"

ON_THE_TABLE = {
    "C42": "tests/integration/test_sourcing_rejection.py",
    "H01": "tests/integration/test_sourcing_pickup.py",
    "H03": "tests/integration/test_sourcing_pickup.py",
    "H04": "tests/integration/test_sourcing_pickup.py",
    "H05": "tests/integration/test_sourcing_pickup.py",
}
"""Cases that only the table can answer, and where it does."""

OURS: dict[str, Callable[[], None]] = {}

GEO = {
    "eu-1": (48.9833, 2.6167),
    "eu-2": (43.5283, 5.4497),
    "eu-3": (47.8496, 12.067),
    "us-1": (38.7634, -95.84),
}
SKU_1 = {"eu-1": 55, "eu-2": 30}  # eu-3 is out of stock, the disabled location is no candidate
SKU_4 = {"eu-2": 60}


def case(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def keep(answer: Callable[[], None]) -> Callable[[], None]:
        assert name not in OURS
        OURS[name] = answer
        return answer

    return keep


def in_order(*names: str) -> list[Location]:
    """Locations of which each unit costs more than from the one before; a parcel costs nothing."""
    return [
        Location(name, name, LocationKind.WAREHOUSE, "us", "XX", 0, 0, costs=Costs(handling=rank))
        for rank, name in enumerate(names, 1)
    ]


def rules(**fields: object) -> Profile:
    objective = Objective(split_penalty=0, priority_cost=0)
    strategy = replace(Strategy("only", objective=objective), **fields)  # type: ignore[arg-type]  # its fields
    return Profile((strategy,), {"*": Service((Transit(1),))}, {"*": Costs()})


def source(
    wanted: Mapping[str, int],
    held: Mapping[str, Mapping[str, int]],
    locations: list[Location],
    profile: Profile | None = None,
    **fields: object,
) -> Decision:
    """What is decided for units by sku, each sku a line of its own."""
    lines = tuple(Wanted(sku, sku, units) for sku, units in wanted.items())
    question = replace(Question("any", Method.SHIP, lines, NOW), **fields)  # type: ignore[arg-type]  # its fields
    shelf = Shelf(held, {sku: sum(there.values()) for sku, there in held.items()})
    return choose(question, locations, profile or rules(), shelf)


def plan(decision: Decision) -> list[tuple[str, str, int]]:
    return sorted((one.location, one.sku, one.units) for one in decision.assignments)


EU = in_order("eu-1", "eu-2", "eu-3")


@case("C01")
def _priority_splits_over_two() -> None:
    decision = source({"SKU-1": 80, "SKU-4": 40}, {"SKU-1": SKU_1, "SKU-4": SKU_4}, EU)
    assert plan(decision) == [("eu-1", "SKU-1", 55), ("eu-2", "SKU-1", 25), ("eu-2", "SKU-4", 40)]
    assert not decision.missing


@case("C03")
def _a_shortage_has_the_best_partial_plan() -> None:
    decision = source({"SKU-1": 150}, {"SKU-1": SKU_1}, EU)
    assert plan(decision) == [("eu-1", "SKU-1", 55), ("eu-2", "SKU-1", 30)]
    assert decision.missing == {"SKU-1": 65}


@case("C04")
def _one_sku_without_a_source() -> None:
    held = {"SKU-1": SKU_1, "SKU-2": {"us-1": 50}}
    decision = source({"SKU-1": 50, "SKU-2": 30}, held, EU)
    assert (plan(decision), decision.missing) == ([("eu-1", "SKU-1", 50)], {"SKU-2": 30})
    # Theirs refuses the whole request; so do we for a profile that does not allow partial plans.
    whole = source({"SKU-1": 50, "SKU-2": 30}, held, EU, rules(fallbacks=(Fallback.RELAX,)))
    assert (plan(whole), whole.missing) == ([], {"SKU-1": 50, "SKU-2": 30})


@case("C05")
def _the_order_of_locations_decides() -> None:
    backwards = in_order("eu-3", "eu-2", "eu-1")
    decision = source({"SKU-1": 50, "SKU-2": 30}, {"SKU-1": SKU_1}, backwards)
    assert plan(decision) == [("eu-1", "SKU-1", 20), ("eu-2", "SKU-1", 30)]
    assert decision.missing == {"SKU-2": 30}


@case("C06")
def _a_pool_of_one_location() -> None:
    decision = source({"SKU-2": 30}, {"SKU-2": {"us-1": 50}}, in_order("us-1"))
    assert (plan(decision), decision.missing) == ([("us-1", "SKU-2", 30)], {})


@case("C09")
def _a_destination_that_nobody_can_find() -> None:
    kyiv = Location("kyiv", "Kyiv", LocationKind.WAREHOUSE, "us", "UA", 50.45, 30.52, priority=1)
    states = [
        Location(f"us{n}", "US", LocationKind.WAREHOUSE, "us", "US", 38.0, -95.0, priority=1 + n)
        for n in (1, 2)
    ]
    held = {"A": {"kyiv": 100, "us1": 100, "us2": 100}}
    decision = source({"A": 50}, held, [*states, kyiv], USUAL, ship_to=Address(postal_code="X1"))
    assert (plan(decision), decision.precision) == ([("kyiv", "A", 50)], None)
    # Theirs knows some countries alone; we know the middle of each, and say so.
    decision = source({"A": 50}, held, [*states, kyiv], USUAL, ship_to=Address(country="GB"))
    assert (plan(decision), decision.precision) == ([("kyiv", "A", 50)], Precision.COUNTRY)


@case("C10")
def _no_destination() -> None:
    # Theirs fails. An order that a channel has taken is durable: it has a source, and waits for its address.
    nowhere = command(line("A"), deliveries=(Delivery("d1", Method.SHIP),))
    placement = place(nowhere, CHANNEL, network(), {"A": stock("A", {"wh-madrid": 5})}, NOW)
    assert [entry.location for entry in placement.order.lines[0].entries] == ["wh-madrid"]
    assert placement.order.holds == ("address",)


@case("C11")
def _great_circle_distances() -> None:
    places = {
        (48.1223, 11.6205): (669.2, 699.2, 45.0),
        (48.3567, 11.1385): (629.3, 693.7, 89.1),
        (46.7781, 12.0522): (744.6, 631.0, 119.2),
        (43.9333, 5.3833): (600.1, 45.3, 675.7),
    }
    for where, distances in places.items():
        found = [distance_km(GEO[name], where) for name in ("eu-1", "eu-2", "eu-3")]
        assert found == pytest.approx(distances, abs=0.2)


@case("C15")
def _a_fixed_order() -> None:
    decision = source({"A": 5}, {"A": {"w1": 4, "w2": 3}}, in_order("w2", "w1"))
    assert plan(decision) == [("w1", "A", 2), ("w2", "A", 3)]


@case("C16")
def _the_collection_point_wins() -> None:
    point = replace(MADRID, id="point", kind=LocationKind.STORE)
    held = {"A": {"w1": 4, "w2": 3, "point": 5}}
    for profile in (USUAL, rules()):
        locations = [*in_order("w1", "w2"), point]
        decision = source({"A": 5}, held, locations, profile, method=Method.PICKUP, store="point")
        assert plan(decision) == [("point", "A", 5)]


def shelves(held: Mapping[str, int], *rows: Reserved, cart: str | None = None) -> Shelf:
    """What an order meets at locations where carts hold units; `cart` is its own."""
    sku = rows[0].sku if rows else "A"
    reserved = {name: sum(row.units for row in rows if row.location == name) for name in held}
    positions = tuple(
        Position(sku, name, on_hand=units, reserved=reserved[name], uncommitted=units - reserved[name], v=1)
        for name, units in held.items()
    )
    kept = seen_at(Stock(Sku(sku), positions, reserved=rows), NOW, cart)
    locations = {location.id: location for location in in_order(*held)}
    configured = Network(
        {"any": Channel("any", "generic", "all")}, {"all": Pool("all", tuple(held))}, locations
    )
    return shelf_of({sku: kept}, configured, "all", Method.SHIP, NOW)


def taken(units: int, shelf: Shelf, *names: str) -> list[tuple[str, str, int]]:
    question = Question("any", Method.SHIP, (Wanted("1", "A", units),), NOW)
    return plan(choose(question, in_order(*names), rules(), shelf))


LATER = NOW + timedelta(minutes=15)


@case("C19")
def _another_cart_holds_units() -> None:
    shelf = shelves({"w2": 3, "w1": 4}, Reserved("A", "w2", "other", 1, LATER))
    assert taken(3, shelf, "w2", "w1") == [("w1", "A", 1), ("w2", "A", 2)]


@case("C22")
def _a_new_hold_replaces_the_old() -> None:
    rows = (Reserved("A", "w2", "mine", 3, LATER), Reserved("A", "w1", "mine", 2, LATER))
    shelf = shelves({"w2": 3, "w1": 4}, *rows, cart="mine")
    assert taken(5, shelf, "w2", "w1") == [("w1", "A", 2), ("w2", "A", 3)]


@case("C32")
def _mixed_lines() -> None:
    held = {"A": {"nyc": 10}, "B": {"nyc": 1, "la": 10}}
    decision = source({"A": 2, "B": 4}, held, in_order("nyc", "la"))
    assert (sum(one.units for one in decision.assignments), decision.missing) == (6, {})


@case("C34")
def _holds_and_locations_that_do_not_repel() -> None:
    own = shelves({"nyc": 5}, Reserved("A", "nyc", "mine", 1, LATER), cart="mine")
    assert taken(5, own, "nyc") == [("nyc", "A", 5)]
    expired = shelves({"nyc": 1}, Reserved("A", "nyc", "other", 1, NOW - timedelta(minutes=1)))
    assert taken(1, expired, "nyc") == [("nyc", "A", 1)]
    closed, la = in_order("nyc", "la")
    decision = source({"A": 1}, {"A": {"nyc": 5, "la": 10}}, [replace(closed, active=False), la])
    assert plan(decision) == [("la", "A", 1)]


@case("C37")
def _a_cheap_order_is_not_split() -> None:
    # Theirs compares the value of each item with 50; ours that of the delivery.
    profile = rules(limits=Limits(whole_below=100_00))
    held = {"A": {"w1": 1}, "B": {"w2": 1}}
    for value, used in ((120_00, ("w1", "w2")), (40_00, ())):
        decision = source({"A": 1, "B": 1}, held, in_order("w1", "w2"), profile, value=value)
        assert tuple(sorted(decision.used)) == used


@case("C39")
def _the_smallest_distance_limit_counts() -> None:
    member = replace(MADRID, id="member")
    near = Address(country="ES", latitude=str(40.4168 + 48 / 111.2), longitude="-3.7038")
    own = Filter(Offered.DISTANCE_KM, at_most=16, only=("member",))
    profile = rules(filters=(Filter(Offered.DISTANCE_KM, at_most=80), own))
    decision = source({"A": 1}, {"A": {"member": 1}}, [member], profile, ship_to=near)
    assert [(one.measured, one.limit) for one in decision.candidates[0].removals] == [(48, 16)]
    without = rules(filters=(Filter(Offered.DISTANCE_KM, at_most=80),))
    assert not source({"A": 1}, {"A": {"member": 1}}, [member], without, ship_to=near).missing


@case("C40")
def _one_location_for_an_order() -> None:
    held = {"A": {"w1": 1}, "B": {"w2": 1}}
    for soft, used in ((True, 2), (False, 0)):
        limits = Limits(max_locations=1, soft=soft)
        profile = rules(limits=limits, fallbacks=(Fallback.RELAX,))
        assert len(source({"A": 1, "B": 1}, held, in_order("w1", "w2"), profile).used) == used


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_answer(name: str) -> None:
    OURS[name]()


def test_every_case_of_sourcing_and_pickup_has_its_answer() -> None:
    if not CASES.exists():
        pytest.skip("the cases are not here")
    cases = json.loads(CASES.read_text())
    names = {one["id"] for one in cases if one["area"][0] in "CH"}
    assert names == OURS.keys() | ON_THE_TABLE.keys()
    assert not OURS.keys() & ON_THE_TABLE.keys()
