"""Rate cards of carriers: what a parcel costs by service, zone and weight, compiled to one dense table.

A card is what carriers hand out as a sheet: a row for each zone, a column for each weight up to which a price
holds, and terms that change every price alike. `compiled` works the terms into the prices, so that to price a
parcel is to find its row and its column.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping

from oms.problems import Code, Problem
from oms.sourcing.calendar import ANY_SERVICE
from oms.sourcing.places import code_key
from oms.values import frozen

WHOLE_BP = 10_000
"""Basis points of the whole."""


@frozen
class Zone:
    """Where the prices of a row hold: where all that is given of countries, codes and distance does.

    Attributes:
        name: as decisions show it.
        prices: of one parcel by weight, minor units; one for each of the sheet's weights.
        countries: ISO 3166-1, two letters, in capitals; all when there are none.
        postal_codes: beginnings of postal codes; all when there are none.
        up_to_km: the longest distance; None for any, one that nobody knows included.
    """

    name: str
    prices: tuple[int, ...]
    countries: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()
    up_to_km: int | None = None

    def covers(self, country: str, postal_code: str, distance_km: int | None) -> bool:
        """Whether the row holds; both words as `code_key` writes them."""
        return (
            (not self.countries or country in self.countries)
            and (not self.postal_codes or postal_code.startswith(self.postal_codes))
            and (self.up_to_km is None or (distance_km is not None and distance_km <= self.up_to_km))
        )


@frozen
class Sheet:
    """The prices of one service.

    Attributes:
        up_to_g: grams up to which the prices of each zone hold; no parcel is heavier than the last.
        zones: in the order in which they are asked; the last is for everywhere.
        min_charge: the least that a parcel costs before surcharges, minor units.
        fuel_bp: surcharge on that, basis points, rounded up to a whole minor unit.
        parcel_fee: for each parcel, without surcharge, minor units.
    """

    up_to_g: tuple[int, ...]
    zones: tuple[Zone, ...]
    min_charge: int = 0
    fuel_bp: int = 0
    parcel_fee: int = 0

    def row(self, zone: Zone) -> tuple[int, ...]:
        """All that parcels to a zone cost, by weight."""
        bare = (max(self.min_charge, price) for price in zone.prices)
        return tuple(price - (-price * self.fuel_bp // WHOLE_BP) + self.parcel_fee for price in bare)


@frozen
class Rate:
    """What parcels of a service cost from a location to a customer.

    Attributes:
        card: id of the card.
        service: the card's name of it.
        zone: the card's name of it.
        up_to_g: weights up to which the prices hold.
        prices: all that a parcel costs, by weight, minor units.
    """

    card: str
    service: str
    zone: str
    up_to_g: tuple[int, ...]
    prices: tuple[int, ...]

    def price(self, grams: int) -> int:
        """Cost of sending a weight: what is more than a parcel may weigh goes in several, full ones first."""
        full = max(0, grams - 1) // self.up_to_g[-1]
        rest = grams - full * self.up_to_g[-1]
        return full * self.prices[-1] + self.prices[bisect_left(self.up_to_g, rest)]

    def steps(self, most: int) -> Iterator[tuple[int, int]]:
        """The weights below `most` after which the price rises, the least first, each with its price."""
        full = cost = 0
        while True:
            for end, price in zip(self.up_to_g, self.prices, strict=True):
                if full + end >= most:
                    return
                yield full + end, cost + price
            full += self.up_to_g[-1]
            cost += self.prices[-1]


@frozen
class Table:
    """A card compiled: by service its weights, and each zone with its row of prices that all is in."""

    card: str
    services: Mapping[str, tuple[tuple[int, ...], tuple[tuple[Zone, tuple[int, ...]], ...]]]

    def rate(self, service: str | None, country: str, postal_code: str, distance_km: int | None) -> Rate:
        """What parcels to a customer cost.

        Args:
            service: as the order names it; the card may know it, or has one for all others.
            country: ISO 3166-1; empty when nobody knows.
            postal_code: empty when nobody knows.
            distance_km: whole km; None when nobody knows.
        """
        name = service if service is not None and service in self.services else ANY_SERVICE
        up_to_g, rows = self.services[name]
        place = (country.upper(), code_key(postal_code), distance_km)
        zone, prices = next((zone, prices) for zone, prices in rows if zone.covers(*place))
        return Rate(self.card, name, zone.name, up_to_g, prices)


@frozen
class RateCard:
    """A carrier's prices, by service; `*` is every service that is not named.

    Raises:
        Problem: field_invalid, with the path to the fault.
    """

    id: str
    services: Mapping[str, Sheet]

    def __post_init__(self) -> None:
        if ANY_SERVICE not in self.services:
            raise _invalid("services", "there is one named * for all others")
        for name, sheet in self.services.items():
            _check_sheet(sheet, f"services.{name}")

    def compiled(self) -> Table:
        """The card as prices are looked up."""
        return Table(
            self.id,
            {
                name: (sheet.up_to_g, tuple((zone, sheet.row(zone)) for zone in sheet.zones))
                for name, sheet in self.services.items()
            },
        )


def _check_sheet(sheet: Sheet, path: str) -> None:
    for index, (weight, below) in enumerate(zip(sheet.up_to_g, (0, *sheet.up_to_g), strict=False)):
        if weight <= below:
            raise _invalid(f"{path}.up_to_g[{index}]", "each weight is above the one before")
    for name in ("min_charge", "fuel_bp", "parcel_fee"):
        if getattr(sheet, name) < 0:
            raise _invalid(f"{path}.{name}", "is below 0")
    names = [zone.name for zone in sheet.zones]
    for index, zone in enumerate(sheet.zones):
        where = f"{path}.zones[{index}]"
        if names.index(zone.name) < index:
            raise _invalid(f"{where}.name", f"{zone.name} is there twice")
        if not sheet.up_to_g or len(zone.prices) != len(sheet.up_to_g):
            raise _invalid(f"{where}.prices", f"there is one for each of {len(sheet.up_to_g)} weights")
        for column, (price, lighter) in enumerate(zip(zone.prices, (0, *zone.prices), strict=False)):
            if price < lighter:
                raise _invalid(f"{where}.prices[{column}]", "no parcel costs less than a lighter one")
        for position, country in enumerate(zone.countries):
            if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
                raise _invalid(f"{where}.countries[{position}]", "takes two capital letters, ISO 3166-1")
        if zone.postal_codes and not zone.countries:
            raise _invalid(f"{where}.countries", "postal codes need the countries that they are of")
        for position, code in enumerate(zone.postal_codes):
            if not code or code != code_key(code):
                raise _invalid(f"{where}.postal_codes[{position}]", "takes letters and digits, in capitals")
    last = max(0, len(sheet.zones) - 1)
    if not sheet.zones or sheet.zones[last].countries or sheet.zones[last].up_to_km is not None:
        raise _invalid(f"{path}.zones[{last}]", "the last zone is for everywhere")


def _invalid(path: str, detail: str) -> Problem:
    return Problem(Code.FIELD_INVALID, f"{path}: {detail}", path)
