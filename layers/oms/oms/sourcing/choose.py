"""Choosing locations for the lines of one delivery: one pure function for placing, previews and what-ifs."""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field

from oms.inventory.network import Location as Member
from oms.sourcing.candidates import Candidate, Question, Sources, Wanted, candidates, destination
from oms.sourcing.cards import Rate
from oms.sourcing.instance import Cost, Instance, Line, Location, Offer
from oms.sourcing.places import Precision
from oms.sourcing.profile import Asked, Fallback, Measured, Objective, Profile, Strategy
from oms.sourcing.rates import Costs
from oms.sourcing.stepped import NO_CARGO, Cargo, Freight, solve_stepped
from oms.values import frozen, replace

_NOTHING: Mapping[str, int] = {}

SECONDS = 0.05
"""Processor time that the solver may take for a delivery; nearly all are proven optimal long before."""


NEVER = 10_000_000
"""Cost of leaving a unit without a source that has one, minor units: more than any plan saves."""


@frozen
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

    def copy(self) -> "Shelf":
        """The same units, to be taken for a trial."""
        return Shelf(self._units, self._totals)

    def offers(self, sku: str, wanted: int, locations: Iterable[str]) -> list[tuple[str, int]]:
        """How many of `wanted` units of `sku` could be taken at each of some locations that has any."""
        there, most = self._units.get(sku, _NOTHING), self.most(sku, wanted)
        if there is None:
            return [(name, most) for name in locations if most]
        return [(name, min(units, most)) for name in locations if most and (units := there.get(name, 0))]

    def at(self, location: str, sku: str, wanted: int) -> int:
        """How many of `wanted` units of `sku` could be taken at `location`."""
        there = self._units.get(sku, _NOTHING)
        if there is None:
            return wanted
        units = there.get(location, 0)
        return min(wanted, units, self._totals.get(sku, 0)) if units else 0

    def places(self, sku: str) -> Collection[str] | None:
        """The locations where some of a sku could be taken; None when its stock is not counted."""
        there = self._units.get(sku, _NOTHING)
        if there is None:
            return None
        return {name for name, units in there.items() if units} if self._totals.get(sku) else ()

    def most(self, sku: str, wanted: int) -> int:
        """How many of `wanted` units of `sku` could be taken in all."""
        return wanted if self._units.get(sku, _NOTHING) is None else min(wanted, self._totals.get(sku, 0))

    def take(self, location: str, sku: str, units: int) -> None:
        """Remove units; all that there are, when another method was offered more."""
        there = self._units.get(sku)
        if there is not None:
            there[location] = max(0, there[location] - units)
            self._totals[sku] = max(0, self._totals[sku] - units)


@frozen
class Carried:
    """What a location sends by a rate card: the row that it is priced by, and grams."""

    rate: Rate
    grams: int

    @property
    def price(self) -> int:
        """What that costs, minor units."""
        return self.rate.price(self.grams)


@frozen
class Decision:
    """Where the units of a delivery come from, and why.

    Attributes:
        assignments: what each location ships.
        missing: units without a source, by line.
        profile: version of the profile.
        strategy: the strategy of it that decided.
        fallbacks: what had to be tried.
        precision: how well it is known where the delivery goes; None when it is not known at all.
        candidates: every location of the pool, the cheapest to ship a parcel from first.
        parcels: what a parcel from each costs, minor units; by a rate card with what it ships, or with all.
        cost: of the plan, by its terms.
        bound: no plan under the same rules costs less; of parts that were solved in turn, their sum.
        proven: whether the plan is known to be a cheapest one.
        ms: processor time of the solver, milliseconds.
        carried: what is sent by rate cards, by location.
    """

    assignments: tuple[Assignment, ...]
    missing: Mapping[str, int]
    profile: int
    strategy: str
    fallbacks: tuple[Fallback, ...]
    precision: Precision | None
    candidates: tuple[Candidate, ...]
    parcels: Mapping[str, int]
    cost: Cost
    bound: int
    proven: bool
    ms: float
    carried: Mapping[str, Carried] = field(default_factory=dict)

    @property
    def used(self) -> tuple[str, ...]:
        """The locations that ship, in the order of `candidates`."""
        shipping = {assignment.location for assignment in self.assignments}
        names = (candidate.location.id for candidate in self.candidates)
        return tuple(name for name in names if name in shipping)


def able(question: Question, members: Iterable[Member], profile: Profile) -> frozenset[str]:
    """The locations that could be a source of every line of a delivery, if they had it, after all fallbacks.

    Args:
        question: the delivery.
        members: the locations of the pool, active or not.
        profile: the rules.
    """
    known = {member.id: member for member in members}
    strategy = strategy_of(question, profile)
    place = destination(question, known)
    relaxed, vendors = (step in strategy.fallbacks for step in (Fallback.RELAX, Fallback.DROPSHIP))
    sources = Sources(question, {line.line_id: None for line in question.lines})
    judged = candidates(sources, known.values(), place, profile, strategy.filters)
    open_ = (one.location.id for one in judged if one.serves(relaxed=relaxed, vendors=vendors))
    return frozenset(open_).intersection(*(sources.of(line, known) for line in question.lines))


def choose(
    question: Question,
    members: Iterable[Member],
    profile: Profile,
    shelf: Shelf,
    *,
    barred: Collection[str] = (),
    first: str | None = None,
    seconds: float | None = SECONDS,
) -> Decision:
    """Find the cheapest plan for a delivery by the profile's strategy for it.

    While units are missing, the strategy's fallbacks are tried in turn; what is missing after them waits.

    Args:
        question: the delivery.
        members: the locations of the pool, active or not.
        profile: the rules.
        shelf: what may be taken; lowered by what is assigned.
        barred: locations that are no source, for a what-if.
        first: a location that ships all it can before others are asked, for a what-if.
        seconds: processor time for the solver; None for as long as it takes.
    """
    search = _Search(question, members, profile, shelf, barred, first, seconds)
    tried: list[Fallback] = []
    plan = search.plan(tried, shelf)
    for step in search.strategy.fallbacks:
        if not plan.missing:
            break
        tried.append(step)
        plan = search.plan(tried, shelf)
    if plan.missing and Fallback.PARTIAL not in tried:
        plan = _Plan(search)
    for assignment in plan.assignments:
        shelf.take(assignment.location, assignment.sku, assignment.units)
    cost, carried = plan.cost, plan.carried
    return Decision(
        assignments=tuple(plan.assignments),
        missing=plan.missing,
        profile=profile.v,
        strategy=search.strategy.name,
        fallbacks=tuple(tried),
        precision=search.place.precision if search.place else None,
        candidates=tuple(search.judged),
        parcels=search.whole | {name: search.parcels[name] + sent.price for name, sent in carried.items()},
        cost=cost,
        bound=cost.total - plan.gap,
        proven=plan.proven,
        ms=round(search.spent * 1000, 1),
        carried=carried,
    )


def instance_of(
    name: str,
    question: Question,
    members: Iterable[Member],
    profile: Profile,
    shelf: Shelf,
    ships: Mapping[str, Collection[str]],
) -> tuple[Instance, Cargo] | None:
    """A delivery that has its sources as one of a backlog: by the profile's hard and soft rules.

    What ships now may go on, whatever fallback it was found by, and no plan leaves a unit without a source.

    Args:
        name: of the instance.
        question: the delivery, with all units that may come from elsewhere.
        members: the locations of the pool, active or not.
        profile: the rules.
        shelf: what may be taken, its own units among it.
        ships: the locations that ship now, by line.

    Returns:
        The instance and what rate cards ask for; None for a delivery that is planned part by part.
    """
    search = _Search(question, members, profile, shelf)
    if any(line.ships_with for line in question.lines):
        return None
    _, most, serving = search.rules(())
    able = {line_id: (names & serving) | set(ships[line_id]) for line_id, names in search.able.items()}
    used = set[str]().union(*ships.values())
    if most is not None:
        most = max(most, len(used))
    plan = _Plan(search)
    instance = plan.instance(question.lines, able, shelf, most)
    lines = tuple(replace(line, backorder_cost=NEVER) for line in instance.lines)
    return replace(instance, id=name, lines=lines), plan.cargo(question.lines, instance)


def _stocked(line: Wanted, shelf: Shelf) -> Collection[str] | None:
    """The locations that have something of a line; none has when nothing is wanted of it."""
    return shelf.places(line.sku) if line.units else ()


type _Serving = Mapping[str, set[str]]
"""The locations that may be the source of a line, by line."""


class _Search:
    """Plans of one delivery under one strategy, from its hard rules to its last fallback."""

    def __init__(
        self,
        question: Question,
        members: Iterable[Member],
        profile: Profile,
        shelf: Shelf,
        barred: Collection[str] = (),
        first: str | None = None,
        seconds: float | None = SECONDS,
    ) -> None:
        known = {member.id: member for member in members}
        self.question = question
        self.strategy = strategy_of(question, profile)
        self.objective = self.strategy.objective
        self.place = destination(question, known)
        sources = Sources(question, {line.line_id: _stocked(line, shelf) for line in question.lines})
        judged = candidates(sources, known.values(), self.place, profile, self.strategy.filters)
        self.cards = _cards(question, judged, known.get(question.store or ""))
        self.rates = {one.location.id: rates_of(one.location, profile, self.cards) for one in judged}
        self.parcels = {
            one.location.id: _parcel(question, one, self.rates[one.location.id], self.objective)
            for one in judged
        }
        grams = sum(line.units * line.weight_g for line in question.lines)
        self.whole = whole = self.parcels | {
            name: self.parcels[name] + rate.price(grams) for name, rate in self.cards.items()
        }
        self.judged = sorted(judged, key=lambda one: (whole[one.location.id], one.location.id))
        self.able = {line.line_id: sources.of(line, known) - set(barred) for line in question.lines}
        self.first = first
        self.seconds = seconds
        self.spent = 0.0
        self._plans: dict[object, _Plan] = {}

    def rules(self, tried: Collection[Fallback]) -> tuple[bool, int | None, frozenset[str]]:
        """Whether all goes in whole, from how many locations and which, once fallbacks have been tried."""
        relaxed, vendors = Fallback.RELAX in tried, Fallback.DROPSHIP in tried
        limits = self.strategy.limits
        limited = not (relaxed and limits.soft)
        whole = limited and self.question.value < limits.whole_below
        most = 1 if whole else limits.max_locations if limited else None
        serving = (one.location.id for one in self.judged if one.serves(relaxed=relaxed, vendors=vendors))
        return whole, most, frozenset(serving)

    def plan(self, tried: Collection[Fallback], shelf: Shelf) -> "_Plan":
        """The cheapest plan when some fallbacks have been tried; most of them change nothing."""
        rules = whole, most, members = self.rules(tried)
        if rules not in self._plans:
            serving = {line_id: names & members for line_id, names in self.able.items()}
            plan = self._plans[rules] = _Plan(self)
            left = shelf.copy()
            for together, lines in _parts(self.question.lines):
                plan.add(lines, serving, left, 1 if together else most, whole=together or whole)
                # Of one sku they have gone to where all of its lines may; what is left, to where each may.
                for line in () if together or whole else _unlike(lines, serving):
                    plan.add([line], serving, left, most, whole=False)
        return self._plans[rules]


class _Plan:
    """A plan in the making: part by part, each solved exactly with what the parts before have left."""

    def __init__(self, search: _Search) -> None:
        self._search = search
        self.assignments: list[Assignment] = []
        self.missing = {line.line_id: line.units for line in search.question.lines if line.units}
        self.proven = True
        self._used: dict[str, int] = {}
        self._grams = defaultdict[str, int](int)
        self._units = 0
        self.gap = 0

    @property
    def cost(self) -> Cost:
        """What the plan costs, by its terms."""
        objective = self._search.objective
        return Cost(
            fixed=sum(self._search.parcels[name] for name in self._used)
            + sum(sent.price for sent in self.carried.values()),
            units=self._units,
            splits=objective.split_penalty * max(0, len(self._used) - 1),
            backorder=objective.backorder_cost * sum(self.missing.values()),
        )

    @property
    def carried(self) -> dict[str, Carried]:
        """What is sent by rate cards, by location."""
        cards = self._search.cards
        return {name: Carried(cards[name], self._grams[name]) for name in self._used if name in cards}

    def add(
        self,
        lines: Sequence[Wanted],
        serving: _Serving,
        shelf: Shelf,
        most: int | None,
        *,
        whole: bool,
    ) -> None:
        """Add the cheapest plan for some of the lines, all of them or none if they go in whole."""
        if self._search.first:
            self._take_first(lines, serving, shelf)
        instance = self.instance(lines, serving, shelf, most)
        started = time.thread_time()
        cargo = self.cargo(lines, instance)
        solution = solve_stepped(instance, cargo, self._search.seconds, time.thread_time)
        self._search.spent += time.thread_time() - started
        picked = sum(pick.units for pick in solution.plan)
        self.gap += solution.cost - solution.bound
        self.proven = self.proven and solution.proven
        if whole and picked < sum(self.missing.get(line.line_id, 0) for line in lines):
            return
        for pick in solution.plan:
            self._assign(lines, pick.location, pick.sku, pick.units, shelf)

    def cargo(self, lines: Sequence[Wanted], instance: Instance) -> Cargo:
        """What it costs locations with rate cards to send more of some lines than they do already."""
        cards, used = self._search.cards, self._used
        if not cards:
            return NO_CARGO
        weights = {line.sku: line.weight_g for line in lines}
        names = [location.id for location in instance.locations if location.id in cards]
        return Cargo(
            [weights[line.sku] for line in instance.lines],
            {name: Freight(cards[name], self._grams[name] if name in used else None) for name in names},
        )

    def _take_first(self, lines: Sequence[Wanted], serving: _Serving, shelf: Shelf) -> None:
        name = self._search.first or ""
        for line in lines:
            if name in serving[line.line_id]:
                units = shelf.at(name, line.sku, self.missing.get(line.line_id, 0))
                self._assign([line], name, line.sku, units, shelf)

    def _assign(self, lines: Sequence[Wanted], location: str, sku: str, units: int, shelf: Shelf) -> None:
        """Give units at a location to the lines of a sku, in their order."""
        rates = self._search.rates[location]
        for line in lines:
            taken = min(units, self.missing.get(line.line_id, 0)) if line.sku == sku else 0
            if taken:
                self.assignments.append(Assignment(line.line_id, sku, location, taken))
                self.missing[line.line_id] -= taken
                self._units += taken * rates.unit(line.weight_g)
                self._used[location] = self._used.get(location, 0) + taken
                self._grams[location] += taken * line.weight_g
                shelf.take(location, sku, taken)
                units -= taken
        self.missing = {line_id: count for line_id, count in self.missing.items() if count}

    def instance(
        self,
        lines: Sequence[Wanted],
        serving: _Serving,
        shelf: Shelf,
        most: int | None,
    ) -> Instance:
        """What is still wanted, as the solver has it.

        Lines of one sku are one demand, which a location serves if it may serve all of them. A location that
        a part before uses costs no second parcel and is no split; every other one is.
        """
        search, used, rates = self._search, self._used, self._search.rates
        by_sku: dict[str, list[Wanted]] = {}
        for line in lines:
            if self.missing.get(line.line_id):
                by_sku.setdefault(line.sku, []).append(line)
        if most is not None and used:
            most -= len(used)
        wanted: list[Line] = []
        offers: defaultdict[str, list[Offer]] = defaultdict(list)
        for index, (sku, same) in enumerate(by_sku.items()):
            units = shelf.most(sku, sum(self.missing[line.line_id] for line in same))
            wanted.append(Line(sku, units, search.objective.backorder_cost))
            names = set.intersection(*(serving[line.line_id] for line in same))
            if most == 0:
                names &= used.keys()
            weight = same[0].weight_g
            for name, there in shelf.offers(sku, units, names):
                offers[name].append(Offer(index, there, rates[name].unit(weight)))
        split = search.objective.split_penalty
        more = split if used else 0
        locations = [
            Location(
                name,
                0 if name in used else parcel + more,
                sum([units for _, units, _ in offered]),
                tuple(offered),
            )
            for name, parcel in search.parcels.items()
            if (offered := offers.get(name))
        ]
        return Instance("", tuple(wanted), tuple(locations), 0 if used else split, most or None)


def strategy_of(question: Question, profile: Profile) -> Strategy:
    """The strategy of a profile that decides about a delivery."""
    return profile.strategy(_measured(question))


def _measured(question: Question) -> dict[Asked, Measured]:
    """What a strategy's conditions look at."""
    country = question.ship_to.country if question.ship_to else None
    return {
        Asked.CHANNEL: question.channel,
        Asked.COUNTRY: country.upper() if country else None,
        Asked.METHOD: question.method,
        Asked.SERVICE: question.service,
        Asked.VALUE: question.value,
        Asked.UNITS: sum(line.units for line in question.lines),
        Asked.WEIGHT_G: sum(line.units * line.weight_g for line in question.lines),
    }


def _cards(question: Question, judged: Iterable[Candidate], store: Member | None) -> dict[str, Rate]:
    """The rows of rate cards that parcels are priced by; the store where they are picked up sends none."""
    to = question.ship_to
    country = store.country if store else (to.country if to else None) or ""
    code = "" if store else (to.postal_code if to else None) or ""
    return {
        one.location.id: one.location.rates.rate(question.service, country, code, one.distance_km)
        for one in judged
        if one.location.rates and one.location.id != question.store
    }


def rates_of(location: Member, profile: Profile, cards: Collection[str]) -> Costs:
    """The linear rates of a location; without freight where a card has that."""
    costs = location.costs or profile.costs_of(location.kind)
    return Costs(costs.package_cost, handling=costs.handling) if location.id in cards else costs


def _parcel(question: Question, candidate: Candidate, rates: Costs, objective: Objective) -> int:
    """What using a location costs, however much it ships: the parcel, its days, its priority.

    The store where the customer comes for it sends no parcel.
    """
    location = candidate.location
    parcel = 0 if location.id == question.store else rates.parcel(candidate.distance_km or 0)
    days = max(0, candidate.days) * objective.day_cost
    return parcel + days + location.priority * objective.priority_cost


def _unlike(lines: Sequence[Wanted], serving: _Serving) -> list[Wanted]:
    """Lines of a sku that another line has too, which may come from elsewhere."""
    sets: dict[str, set[frozenset[str]]] = {}
    for line in lines:
        sets.setdefault(line.sku, set()).add(frozenset(serving[line.line_id]))
    return [line for line in lines if len(sets[line.sku]) > 1]


def _parts(lines: Sequence[Wanted]) -> list[tuple[bool, list[Wanted]]]:
    """Lines that must go together, group by group, and then all others."""
    groups: dict[str | None, list[Wanted]] = {}
    for line in lines:
        groups.setdefault(line.ships_with, []).append(line)
    rest = groups.pop(None, [])
    return [*((True, group) for group in groups.values()), *([(False, rest)] if rest else [])]
