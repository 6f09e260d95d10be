"""Candidates: which locations may serve a delivery, when it would arrive, and why others may not."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date, datetime
from enum import StrEnum

from oms.inventory.model import Capability, Sku
from oms.inventory.network import Location, LocationKind
from oms.orders.commands import Address, Method
from oms.sourcing.calendar import ANY_SERVICE, Calendar, arrives, hands_over, zone
from oms.sourcing.load import day_of, full
from oms.sourcing.places import Place, Point, Precision, distance_from, locate
from oms.sourcing.profile import Filter, Measured, Offered, Profile
from oms.values import frozen, replace


@frozen
class Wanted:
    """Units of a line that need a source, and what a location must be able to do to be it."""

    line_id: str
    sku: str
    units: int
    weight_g: int = 0
    requires: tuple[Capability, ...] = ()
    ships_with: str | None = None


@frozen
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
    CAPACITY = "capacity"


@frozen
class Removal:
    """Why a location is no source of a delivery, or of one line: what was measured, and the limit."""

    reason: Reason | Offered
    measured: Measured
    limit: Measured
    line_id: str | None = None
    soft: bool = False


@frozen
class Sources:
    """Which locations may be the source of a line, by the line and what they have of it alone.

    Attributes:
        question: the delivery.
        stocked: the locations that have something of each line, by line; None where all have.
    """

    question: Question
    stocked: Mapping[str, Collection[str] | None]

    def of(self, line: Wanted, locations: Mapping[str, Location]) -> set[str]:
        """Those of some locations, by id, that may be the source of a line."""
        stocked = self.stocked[line.line_id]
        names = locations.keys() - self.question.rejected.get(line.line_id, ())
        if stocked is not None:
            names.intersection_update(stocked)
        if line.requires:
            names = {name for name in names if set(line.requires) <= set(locations[name].can)}
        return names

    def removals(self, location: Location) -> Iterator[Removal]:
        """The lines that a location cannot serve, or has nothing of, and why."""
        for line in self.question.lines:
            missing = [need for need in line.requires if need not in location.can]
            stocked = self.stocked[line.line_id]
            if missing:
                yield Removal(Reason.INCAPABLE, "|".join(location.can), "|".join(missing), line.line_id)
            elif location.id in self.question.rejected.get(line.line_id, ()):
                yield Removal(Reason.REJECTED, location.id, None, line.line_id)
            elif stocked is not None and location.id not in stocked:
                yield Removal(Reason.NO_STOCK, 0, line.units, line.line_id)


@frozen
class Candidate:
    """A location of the pool as it would serve a delivery.

    Attributes:
        location: the location.
        distance_km: to the customer, whole km; None when nobody knows where that is.
        leaves: the local day on which it hands the parcel over.
        arrives: the promised day.
        days: from the order to the promised day.
        sources: which of the lines it may be the source of.
        unfit: why it cannot serve the delivery, whatever the profile says.
        filtered: the profile's filters that it does not pass.
    """

    location: Location
    distance_km: int | None
    leaves: date
    arrives: date
    days: int
    sources: Sources
    unfit: tuple[Removal, ...] = ()
    filtered: tuple[Removal, ...] = ()

    @property
    def removals(self) -> tuple[Removal, ...]:
        """Why it is no source: of the delivery, or of the lines that are named. Made when it is asked for."""
        return (*self.unfit, *self.sources.removals(self.location), *self.filtered)

    @property
    def first_removal(self) -> Removal | None:
        """The first reason why it is no source of something."""
        if self.unfit:
            return self.unfit[0]
        return next(self.sources.removals(self.location), self.filtered[0] if self.filtered else None)

    def serves(self, *, relaxed: bool, vendors: bool) -> bool:
        """Whether it serves the delivery at all, with soft filters lifted or not, with vendors or not."""
        if not self.unfit and not self.filtered:
            return True
        return all(vendors and removal.reason is Reason.VENDOR for removal in self.unfit) and all(
            relaxed and removal.soft for removal in self.filtered
        )


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
    sources: Sources,
    members: Iterable[Location],
    place: Place | None,
    profile: Profile,
    filters: tuple[Filter, ...],
) -> list[Candidate]:
    """Judge every location of a pool.

    Args:
        sources: the delivery, and which locations have something of its lines.
        members: locations of the pool, whether they are active or not.
        place: where the delivery goes.
        profile: services.
        filters: of the strategy.
    """
    question, days = sources.question, _Days(sources.question, profile)
    needed = {need for line in question.lines for need in line.requires}
    judged = []
    locations = tuple(members)
    fed = _fed(question, locations)
    far = distance_from(place.point) if place else None
    for location in locations:
        km = round(far(location.latitude, location.longitude)) if far else None
        lead = 0
        if needed and location.lead_days:
            lead = max(location.lead_days.get(need, 0) for need in needed)
        ordered, leaves = days.leaves(location.calendar, lead)
        arrival = leaves if location.id == question.store else days.arrives(leaves, km)
        candidate = Candidate(
            location,
            km,
            leaves,
            arrival,
            (arrival - ordered).days,
            sources,
            tuple(_unfit(question, location, fed=fed)),
        )
        failed = tuple(_filtered(candidate, question, filters)) if filters else ()
        if fed and location.id != question.store:
            failed += (Removal(Reason.OTHER_STORE, location.id, question.store, soft=True),)
        if location.capacity:
            failed += tuple(_overloaded(location, question))
        judged.append(replace(candidate, filtered=failed) if failed else candidate)
    return judged


class _Days:
    """The days on which parcels leave and arrive; most locations share them, so each is counted once."""

    def __init__(self, question: Question, profile: Profile) -> None:
        self._question = question
        self._service = profile.service(question.service)
        self._left: dict[tuple[object, ...], tuple[date, date]] = {}
        self._arrived: dict[tuple[date, int], date] = {}

    def leaves(self, calendar: Calendar, lead_days: int) -> tuple[date, date]:
        """The local day on which the order is made, and the one on which a location hands the parcel over."""
        service = self._question.service
        key = (
            calendar.time_zone,
            calendar.cutoffs.get(service or ANY_SERVICE, calendar.cutoffs.get(ANY_SERVICE)),
            calendar.days,
            calendar.holidays,
            calendar.handling_days + lead_days,
        )
        if key not in self._left:
            at = self._question.at
            ordered = at.astimezone(zone(calendar.time_zone)).date()
            self._left[key] = ordered, hands_over(calendar, service, at, lead_days)
        return self._left[key]

    def arrives(self, left: date, km: int | None) -> date:
        """The day on which a parcel arrives that left on a day."""
        key = left, self._service.transit_days(km)
        if key not in self._arrived:
            self._arrived[key] = arrives(*key, self._service.days)
        return self._arrived[key]


def _fed(question: Question, members: Iterable[Location]) -> bool:
    """Whether others may bring to the store what a customer picks up there, when it is short of that."""
    store = next((one for one in members if one.id == question.store), None)
    able = store is not None and store.active and Capability.SHIP_TO_STORE in store.can
    return able and question.method is Method.PICKUP


def _unfit(question: Question, location: Location, *, fed: bool) -> Iterable[Removal]:
    """Why a location cannot serve the delivery at all, whatever the profile says."""
    if not location.active:
        yield Removal(Reason.INACTIVE, "inactive", "active")
    closed_until = location.closed_until
    if closed_until and question.at < datetime.fromisoformat(closed_until):
        yield Removal(Reason.CLOSED, question.at.isoformat(), closed_until)
    carried = question.method is Method.CARRY_OUT and question.store is not None
    there_alone = carried or (question.method is Method.PICKUP and not fed)
    if there_alone and location.id != question.store:
        yield Removal(Reason.OTHER_STORE, location.id, question.store)
    way = Capability.PICKUP if location.id == question.store else Capability.SHIP
    if way not in location.can:
        yield Removal(Reason.INCAPABLE, "|".join(location.can), way)
    if location.kind is LocationKind.VENDOR:
        yield Removal(Reason.VENDOR, location.kind, "dropship")


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


def _overloaded(location: Location, question: Question) -> Iterable[Removal]:
    """That a location has enough work for the day; soft, as it can do what is left on the next one."""
    day = day_of(location.calendar, question.service, question.at)
    enough = full(location.capacity, location.loads, day)
    if enough:
        yield Removal(Reason.CAPACITY, enough.measured, enough.limit, soft=True)


def _filtered(candidate: Candidate, question: Question, filters: tuple[Filter, ...]) -> Iterable[Removal]:
    """The filters that a location does not pass. What cannot be measured passes: no sale is lost for that."""
    for test in filters:
        if test.only and candidate.location.id not in test.only:
            continue
        measured = _OFFERED[test.measure](candidate, question)
        if measured is not None and not test.passes(measured):
            yield Removal(test.measure, measured, test.limit, soft=test.soft)
