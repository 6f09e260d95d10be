"""Where a basket can be picked up, as other systems' tests have it (area H of the shared cases)."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from oms.inventory.model import Capability
from oms.inventory.network import Channel, Location, LocationKind, Network, Pool
from oms.orders.commands import Address, Delivery, Method
from oms.store.table import Table
from oms.usecases.preview_sourcing import Basket, BasketLine, pickup_points
from tests.builders import NOW
from tests.shelves import fill

SHIPS = (Capability.SHIP,)
LOCAL = (Capability.SHIP, Capability.PICKUP)
FED = (*LOCAL, Capability.SHIP_TO_STORE)

GEO = {
    "eu-1": (48.9833, 2.6167, LOCAL),
    "eu-2": (43.5283, 5.4497, SHIPS),
    "eu-3": (47.8496, 12.067, LOCAL),
    "eu-off": (50.9833, 11.0333, SHIPS),
    "us-1": (38.7634, -95.84, LOCAL),
}
MUNICH = ("48.1223", "11.6205")
APT = ("43.9333", "5.3833")
ITALY = ("44.4796", "7.502")
RASUN = ("46.7781", "12.0522")
ADELZHAUSEN = ("48.3567", "11.1385")


def point(
    name: str, capabilities: tuple[Capability, ...], latitude: float = 0, longitude: float = 0
) -> Location:
    return Location(
        name, name, LocationKind.STORE, "us", "XX", latitude, longitude, capabilities=capabilities
    )


def offered(
    table: Table,
    locations: list[Location],
    held: Mapping[str, Mapping[str, int]],
    wanted: Mapping[str, int],
    near: tuple[str, str] = ("0", "0"),
    radius_km: int | None = None,
) -> list[str]:
    """The points where units by sku can be picked up."""
    for sku, there in held.items():
        fill(table, sku, **there)
    names = {location.id: location for location in locations}
    configured = Network({"any": Channel("any", "generic", "all")}, {"all": Pool("all", tuple(names))}, names)
    lines = tuple(BasketLine(sku, sku, units, 0, {}) for sku, units in wanted.items())
    basket = Basket("any", lines, Delivery("", Method.PICKUP))
    address = Address(latitude=near[0], longitude=near[1])
    return [found.location.id for found in pickup_points(table, configured, basket, address, radius_km, NOW)]


@pytest.mark.parametrize(
    ("near", "radius_km", "points"),
    [
        (MUNICH, 500, ["eu-3"]),
        (APT, 1000, ["eu-1", "eu-3"]),
        (ITALY, 350, []),  # eu-2 is 195 km away and no pickup point
        (RASUN, 350, ["eu-3"]),
        (ADELZHAUSEN, 750, ["eu-3", "eu-1"]),
    ],
)
def test_points_within_a_radius_are_offered_the_nearest_first(
    table: Table, near: tuple[str, str], radius_km: int, points: list[str]
) -> None:
    """H01. Theirs may turn the order round; the nearest first is the one that a buyer wants."""
    locations = [point(name, can, latitude, longitude) for name, (latitude, longitude, can) in GEO.items()]
    locations = [replace(one, active=one.id != "eu-off") for one in locations]
    everywhere = {"A": {name.replace("-", "_"): 1 for name in GEO}}
    assert offered(table, locations, everywhere, {"A": 1}, near, radius_km) == points


@pytest.mark.parametrize(
    ("held", "points"),
    [
        ({"A": {}, "B": {}}, []),
        ({"A": {"s1": 1}, "B": {"s2": 1}}, []),
        ({"A": {"s1": 1, "s2": 1}, "B": {"s2": 1}}, ["s2"]),
    ],
)
def test_a_store_offers_pickup_when_it_has_the_whole_cart(
    table: Table, held: dict[str, dict[str, int]], points: list[str]
) -> None:
    """H03."""
    stores = [point("s1", LOCAL), point("s2", LOCAL)]
    assert offered(table, stores, held, {"A": 1, "B": 1}) == points


@pytest.mark.parametrize(("configured", "points"), [(True, ["all"]), (False, [])])
def test_a_point_that_is_fed_offers_what_the_others_have_together(
    table: Table, configured: bool, points: list[str]
) -> None:
    """H04."""
    locations = [point("local2", LOCAL), point("local4", LOCAL), *([point("all", FED)] if configured else [])]
    assert offered(table, locations, {"A": {"local2": 2, "local4": 4}}, {"A": 5}) == points


@pytest.mark.parametrize(
    ("other", "held", "points"),
    [
        (LOCAL, {"local": 10}, ["all", "local"]),
        (LOCAL, {"all": 10}, ["all"]),
        (SHIPS, {"local": 10}, ["all"]),
    ],
)
def test_a_local_point_must_have_it_and_one_that_is_fed_may_get_it_from_anywhere(
    table: Table, other: tuple[Capability, ...], held: dict[str, int], points: list[str]
) -> None:
    """H05."""
    locations = [point("all", FED), point("local", other)]
    assert offered(table, locations, {"A": held}, {"A": 5}) == points
