"""Where an address is, without a network: by coordinates, postal code, city or country.

Places stand in text tables, one line each: a key, a tab, latitude, a tab, longitude (decimal degrees, WGS 84,
to 0.01 = 1 km). `cities.txt` has the cities of 15,000 people and more, and of each country the middle of its
people; `postal/<country>.txt` the codes that `oms sourcing import-postal` has imported. Both are made of
GeoNames data (https://www.geonames.org, CC BY 4.0). A table is searched as it is, so that there is nothing to
parse at a cold start.
"""

import math
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from oms.orders.commands import Address
from oms.values import frozen

type Point = tuple[float, float]
"""Latitude and longitude, decimal degrees."""

FOLDER = Path(__file__).parent / "tables"
SHORTEST_PREFIX = 2
"""Characters of a postal code; what a single one covers says less than the city's name."""

_EARTH_RADIUS_KM = 6371.0088


class Precision(StrEnum):
    """What a place was found by, the most precise first."""

    ADDRESS = "address"
    POSTAL_CODE = "postal_code"
    PREFIX = "prefix"
    CITY = "city"
    COUNTRY = "country"


@frozen
class Place:
    """Where something is, and how well that is known."""

    point: Point
    precision: Precision


def locate(address: Address | None) -> Place | None:
    """Where an address is, by the most precise thing that is known of it; None when nothing is."""
    if address is None:
        return None
    if point := _coordinates(address):
        return Place(point, Precision.ADDRESS)
    return _find(address.country, address.postal_code, address.city)


def _coordinates(address: Address) -> Point | None:
    """The coordinates that an address gives; None when it gives none, or none of this Earth."""
    try:
        latitude, longitude = float(address.latitude or ""), float(address.longitude or "")
    except ValueError:
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def distance_km(one: Point, other: Point) -> float:
    """Great-circle distance in km between two points."""
    return distance_from(one)(*other)


def distance_from(point: Point) -> Callable[[float, float], float]:
    """Great-circle distance in km from a point, by the haversine: of latitude and longitude in degrees."""
    sin, cos, radians = math.sin, math.cos, math.radians
    phi, middle = radians(point[0]), point[1]
    cosine = cos(phi)

    def far(latitude: float, longitude: float) -> float:
        other = radians(latitude)
        chord = sin((other - phi) / 2) ** 2 + cosine * cos(other) * sin(radians(longitude - middle) / 2) ** 2
        return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(chord))

    return far


def code_key(code: str | None) -> str:
    """A postal code as tables have it: letters and digits alone, in capitals."""
    return "".join(character for character in (code or "").upper() if character.isalnum())


def city_key(name: str | None) -> str:
    """A city's name as tables have it: letters without accents, in capitals, single blanks."""
    plain = unicodedata.normalize("NFKD", name or "").upper()
    letters = "".join(" " if sign in "-'’." else sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(letters.split())


@lru_cache(maxsize=4096)
def _find(country: str | None, postal_code: str | None, city_name: str | None) -> Place | None:
    country, code, city = (country or "").upper(), code_key(postal_code), city_key(city_name)
    if len(country) != 2 or not country.isascii() or not country.isalpha():
        return None
    tries = [(f"{country}{code}", Precision.POSTAL_CODE)] if code else []
    tries += [
        (f"{country}{code[:size]}*", Precision.PREFIX) for size in range(len(code), SHORTEST_PREFIX - 1, -1)
    ]
    postal = _table(f"postal/{country}.txt")
    for key, precision in tries if postal else ():
        if point := _look_up(postal, key):
            return Place(point, precision)
    cities = _table("cities.txt")
    if city and (point := _look_up(cities, f"{country}={city}")):
        return Place(point, Precision.CITY)
    point = _look_up(cities, country)
    return Place(point, Precision.COUNTRY) if point else None


@cache
def _table(name: str) -> bytes:
    """A table with a line break before its first line; empty when there is none."""
    try:
        return b"\n" + (FOLDER / name).read_bytes()
    except FileNotFoundError:
        return b""


def _look_up(table: bytes, key: str) -> Point | None:
    start = table.find(f"\n{key}\t".encode())
    if start < 0:
        return None
    _, latitude, longitude = table[start + 1 : table.index(b"\n", start + 1)].split(b"\t")
    return float(latitude), float(longitude)
