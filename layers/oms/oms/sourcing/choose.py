"""Choosing locations for the lines of one delivery: one that has everything, else the most units first."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oms.inventory.network import Location

_EARTH_RADIUS_KM = 6371.0088


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units of a line that need a source."""

    line_id: str
    sku: str
    units: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Units of a line taken from one location."""

    line_id: str
    sku: str
    location: str
    units: int


class Shelf:
    """Units that may still be taken: by sku and location, and in all by sku.

    Several lines and deliveries of one order take from the same shelf, so that the same sku on two lines is
    one demand. `units` is None for a sku whose stock is not counted.
    """

    def __init__(self, units: Mapping[str, Mapping[str, int] | None], totals: Mapping[str, int]) -> None:
        self._units = {sku: None if there is None else dict(there) for sku, there in units.items()}
        self._totals = dict(totals)

    def at(self, location: str, sku: str, wanted: int) -> int:
        """How many of `wanted` units of `sku` could be taken at `location`."""
        there = self._units.get(sku, {})
        if there is None:
            return wanted
        return min(wanted, there.get(location, 0), self._totals.get(sku, 0))

    def take(self, location: str, sku: str, units: int) -> None:
        """Remove units that `at` has offered."""
        there = self._units.get(sku)
        if there is not None:
            there[location] -= units
            self._totals[sku] -= units


def choose(wanted: Sequence[Wanted], locations: Sequence[Location], shelf: Shelf) -> list[Assignment]:
    """Assign units of the lines to locations; what nobody has is left out of the answer.

    The location that covers the most units of what is still wanted comes first, ties by the order of
    `locations`; so a location that has everything is taken alone, and only a real gap splits the order.

    Args:
        wanted: units by line, all of one delivery.
        locations: candidates, the most preferred first (see `by_preference`).
        shelf: what may be taken; lowered by what is assigned.
    """
    assigned: list[Assignment] = []
    left = [line for line in wanted if line.units]
    remaining = list(locations)
    while left and remaining:
        covers = [_cover(left, location.id, shelf) for location in remaining]
        best = max(range(len(remaining)), key=lambda index: sum(covers[index]))
        if not any(covers[best]):
            break
        location = remaining.pop(best)
        for line, units in zip(left, covers[best], strict=True):
            if units:
                shelf.take(location.id, line.sku, units)
                assigned.append(Assignment(line.line_id, line.sku, location.id, units))
        rest = (
            Wanted(line.line_id, line.sku, line.units - units)
            for line, units in zip(left, covers[best], strict=True)
        )
        left = [line for line in rest if line.units]
    return assigned


def by_preference(locations: Iterable[Location], near: tuple[float, float] | None = None) -> list[Location]:
    """Locations by priority, then by distance from `near` (latitude, longitude) where known, then by id."""

    def key(location: Location) -> tuple[int, float, str]:
        distance = distance_km((location.latitude, location.longitude), near) if near else 0.0
        return location.priority, distance, location.id

    return sorted(locations, key=key)


def distance_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance in km between points (latitude, longitude in degrees), by the haversine."""
    phi, other_phi = math.radians(one[0]), math.radians(other[0])
    half_phi = (other_phi - phi) / 2
    half_lambda = math.radians(other[1] - one[1]) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi) * math.cos(other_phi) * math.sin(half_lambda) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(chord))


def _cover(wanted: Sequence[Wanted], location: str, shelf: Shelf) -> list[int]:
    """Units of each wanted line that a location has, the lines of one sku sharing what is there."""
    taken: dict[str, int] = {}
    cover = []
    for line in wanted:
        before = taken.get(line.sku, 0)
        units = shelf.at(location, line.sku, before + line.units) - before
        taken[line.sku] = before + units
        cover.append(units)
    return cover
