"""Candidates: which locations may serve a delivery, when it would arrive, and why others may not."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from oms.inventory.model import Capability, Sku
from oms.inventory.network import Location, LocationKind
from oms.orders.commands import Address, Method
from oms.sourcing.calendar import arrives, hands_over, zone
from oms.sourcing.places import Place, Point, Precision, distance_km, locate
from oms.sourcing.profile import Filter, Measured, Offered, Profile


@dataclass(frozen=True, slots=True)
class Wanted:
    """Units of a line that need a source, and what a location must be able to do to be it."""

    line_id: str
    sku: str
    units: int
    weight_g: int = 0
    requires: tuple[Capability, ...] = ()
    ships_with: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A delivery that is to be sourced.

    Attributes:
        channel: who sold it.
        method: how it reaches the customer.
        lines: what needs a source.
        at: when, UTC.
        service: how it is shipped.
        ship_to: where to, as far as it is known.
        store: our location where it is picked up.
        value: of the lines, minor units.
        rejected: locations that have said no, by line.
    """

    channel: str
    method: Method
    lines: tuple[Wanted, ...]
    at: datetime
    service: str | None = None
    ship_to: Address | None = None
    store: str | None = None
    value: int = 0
    rejected: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Reason(StrEnum):
    """Why a location is no source; the values of `Offered` too, for filters that it does not pass."""

    INACTIVE = "inactive"
    CLOSED = "closed"
    OTHER_STORE = "other_store"
    INCAPABLE = "incapable"
    REJECTED = "rejected"
    NO_STOCK = "no_stock"
    VENDOR = "vendor"


@dataclass(frozen=True, slots=True)
class Removal:
    """Why a location is no source of a delivery, or of one line: what was measured, and the limit."""

    reason: Reason | Offered
    measured: Measured
    limit: Measured
    line_id: str | None = None
    soft: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A location of the pool as it would serve a delivery.

    Attributes:
        location: the location.
        distance_km: to the customer, whole km; None when nobody knows where that is.
        leaves: the local day on which it hands the parcel over.
        arrives: the promised day.
        days: from the order to the promised day.
        removals: why it is no source: of the delivery, or of the lines that are named.
    """

    location: Location
    distance_km: int | None
    leaves: date
    arrives: date
    days: int
    removals: tuple[Removal, ...]

    def serves(self, line_id: str, *, relaxed: bool, vendors: bool) -> bool:
        """Whether it may be the source of a line, with soft filters lifted or not, with vendors or not."""
        for removal in self.removals:  # a plain loop: this runs for every line and location
            lifted = (relaxed and removal.soft) or (vendors and removal.reason is Reason.VENDOR)
            if removal.line_id in (None, line_id) and not lifted:
                return False
        return True


def needs(sku: Sku, properties: Iterable[str], profile: Profile) -> tuple[Capability, ...]:
    """What a location must be able to do for a line: what its sku requires, what its properties ask for."""
    asked = (Capability(profile.properties[name]) for name in properties if name in profile.properties)
    return tuple(dict.fromkeys((*sku.requires, *asked)))


def destination(question: Question, locations: Mapping[str, Location]) -> Place | None:
    """Where a delivery goes: to its store, or to its address as far as that can be found."""
    store = locations.get(question.store or "")
    if store is not None:
        return Place(point_of(store), Precision.ADDRESS)
    return locate(question.ship_to)


def point_of(location: Location) -> Point:
    """Where a location is."""
    return location.latitude, location.longitude


def candidates(
    question: Question,
    members: Iterable[Location],
    place: Place | None,
    profile: Profile,
    filters: tuple[Filter, ...],
    stock: Callable[[str, str, int], int] = lambda location, sku, units: units,
) -> list[Candidate]:
    """Judge every location of a pool.

    Args:
        question: the delivery.
        members: locations of the pool, whether they are active or not.
        place: where the delivery goes.
        profile: services.
        filters: of the strategy.
        stock: how many of some units of a sku a location has: of location, sku, units. By default all.
    """
    return [_candidate(question, location, place, profile, filters, stock) for location in members]


def _candidate(
    question: Question,
    location: Location,
    place: Place | None,
    profile: Profile,
    filters: tuple[Filter, ...],
    stock: Callable[[str, str, int], int],
) -> Candidate:
    km = round(distance_km(point_of(location), place.point)) if place else None
    lead = 0
    if location.lead_days:
        needed = {need for line in question.lines for need in line.requires}
        lead = max((location.lead_days.get(need, 0) for need in needed), default=0)
    leaves = hands_over(location.calendar, question.service, question.at, lead)
    service = profile.service(question.service)
    there = location.id == question.store
    arrival = leaves if there else arrives(leaves, service.transit_days(km), service.days)
    ordered = question.at.astimezone(zone(location.calendar.time_zone)).date()
    bare = Candidate(location, km, leaves, arrival, (arrival - ordered).days, ())
    removals = [*_unfit(question, location), *_barred(question, location, stock)]
    removals += _filtered(bare, question, filters)
    return replace(bare, removals=tuple(removals)) if removals else bare


def _unfit(question: Question, location: Location) -> Iterable[Removal]:
    """Why a location cannot serve the delivery at all, whatever the profile says."""
    if not location.active:
        yield Removal(Reason.INACTIVE, "inactive", "active")
    closed_until = location.closed_until
    if closed_until and question.at < datetime.fromisoformat(closed_until):
        yield Removal(Reason.CLOSED, question.at.isoformat(), closed_until)
    carried = question.method is Method.CARRY_OUT and question.store is not None
    if (carried or question.method is Method.PICKUP) and location.id != question.store:
        yield Removal(Reason.OTHER_STORE, location.id, question.store)
    way = Capability.PICKUP if location.id == question.store else Capability.SHIP
    if way not in location.can:
        yield Removal(Reason.INCAPABLE, "|".join(location.can), way)
    if location.kind is LocationKind.VENDOR:
        yield Removal(Reason.VENDOR, location.kind, "dropship")


def _barred(
    question: Question, location: Location, stock: Callable[[str, str, int], int]
) -> Iterable[Removal]:
    """The lines that a location cannot serve, or has nothing of."""
    for line in question.lines:
        missing = [need for need in line.requires if need not in location.can]
        if missing:
            yield Removal(Reason.INCAPABLE, "|".join(location.can), "|".join(missing), line.line_id)
        elif location.id in question.rejected.get(line.line_id, ()):
            yield Removal(Reason.REJECTED, location.id, None, line.line_id)
        elif not stock(location.id, line.sku, line.units):
            yield Removal(Reason.NO_STOCK, 0, line.units, line.line_id)


_OFFERED: Mapping[Offered, Callable[[Candidate, Question], Measured]] = {
    Offered.LOCATION: lambda candidate, _: candidate.location.id,
    Offered.KIND: lambda candidate, _: candidate.location.kind,
    Offered.OWNER: lambda candidate, _: candidate.location.owner,
    Offered.COUNTRY: lambda candidate, _: candidate.location.country,
    Offered.ABROAD: lambda candidate, question: _abroad(candidate.location, question.ship_to),
    Offered.PRIORITY: lambda candidate, _: candidate.location.priority,
    Offered.DISTANCE_KM: lambda candidate, _: candidate.distance_km,
    Offered.DAYS: lambda candidate, _: candidate.days,
}


def _abroad(location: Location, ship_to: Address | None) -> int | None:
    country = ship_to.country if ship_to else None
    return int(location.country != country.upper()) if country else None


def _filtered(candidate: Candidate, question: Question, filters: tuple[Filter, ...]) -> Iterable[Removal]:
    """The filters that a location does not pass. What cannot be measured passes: no sale is lost for that."""
    for test in filters:
        if test.only and candidate.location.id not in test.only:
            continue
        measured = _OFFERED[test.measure](candidate, question)
        if measured is not None and not test.passes(measured):
            yield Removal(test.measure, measured, test.limit, soft=test.soft)
