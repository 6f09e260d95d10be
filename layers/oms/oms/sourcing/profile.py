"""Sourcing profiles: who may serve an order, what a plan costs, and what to do when stock is short.

A profile is data. Its strategies are asked in order; the first whose conditions all hold for a delivery
decides about it. Versions are immutable, one is active; `USUAL` rules where none has been activated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, field
from enum import StrEnum
from typing import Any, Self

from oms.inventory.model import Capability
from oms.problems import Code, Problem
from oms.sourcing.calendar import ANY_SERVICE
from oms.sourcing.rates import Costs
from oms.values import frozen

type Measured = int | str | None
"""What a test looks at; None when it is not known."""


class Asked(StrEnum):
    """What a strategy's conditions look at: the delivery that is to be sourced."""

    CHANNEL = "channel"
    COUNTRY = "country"
    METHOD = "method"
    SERVICE = "service"
    VALUE = "value"
    UNITS = "units"
    WEIGHT_G = "weight_g"


class Offered(StrEnum):
    """What a filter looks at: a location, as it would serve the delivery."""

    LOCATION = "location"
    KIND = "kind"
    OWNER = "owner"
    COUNTRY = "country"
    ABROAD = "abroad"
    PRIORITY = "priority"
    DISTANCE_KM = "distance_km"
    DAYS = "days"


_NUMBERS = (
    Asked.VALUE,
    Asked.UNITS,
    Asked.WEIGHT_G,
    Offered.PRIORITY,
    Offered.DISTANCE_KM,
    Offered.DAYS,
    Offered.ABROAD,
)


class Fallback(StrEnum):
    """What to try, in turn, while units have no source.

    relax: without the soft filters and limits. dropship: with vendors too, which are no source before that.
    partial: ship what there is. Units that have no source then wait; all of the delivery's without `partial`.
    """

    RELAX = "relax"
    DROPSHIP = "dropship"
    PARTIAL = "partial"


class Act(StrEnum):
    """What is done about stock that a location does not ship.

    block: it is there and damaged. write_off: it is not there. give_back: it is free again, for others.
    close: as give_back, and the location is no source of anything for some hours.
    """

    BLOCK = "block"
    WRITE_OFF = "write_off"
    GIVE_BACK = "give_back"
    CLOSE = "close"


@frozen
class RejectionRule:
    """What is done when a location rejects units for one of some reasons; for any when there are none."""

    act: Act
    reasons: tuple[str, ...] = ()
    hours: int = 0


@frozen
class Condition[Measure: (Asked, Offered)]:
    """A condition on one measure.

    Attributes:
        measure: what is looked at; `value` in minor units, `abroad` 1 outside the customer's country.
        at_least: the least number that passes.
        at_most: the largest number that passes.
        one_of: the words of which it must be one.
        none_of: the words of which it must be none.
    """

    measure: Measure
    at_least: int | None = None
    at_most: int | None = None
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()

    def passes(self, measured: int | str) -> bool:
        """Whether what was measured passes."""
        if isinstance(measured, int):
            return (self.at_least or 0) <= measured and (self.at_most is None or measured <= self.at_most)
        return (not self.one_of or measured in self.one_of) and measured not in self.none_of

    @property
    def limit(self) -> Measured:
        """What decides, as a record shows it."""
        bounds = [str(self.at_least)] if self.at_least is not None else []
        if self.at_most is not None:
            return self.at_most if not bounds else f"{bounds[0]}..{self.at_most}"
        return self.at_least if bounds else "|".join([*self.one_of, *(f"!{word}" for word in self.none_of)])


@frozen
class Filter(Condition[Offered]):
    """A condition that locations must pass.

    Attributes:
        soft: whether `relax` lifts it when stock is short.
        only: the locations that it is for; all when there are none.
    """

    soft: bool = False
    only: tuple[str, ...] = ()


@frozen
class Objective:
    """What a plan costs besides parcels and units, minor units.

    Attributes:
        split_penalty: each location beyond the first.
        backorder_cost: each unit without a source.
        day_cost: each day from the order to the promised day, once for each location.
        priority_cost: each point of a location's priority, once for each location.
    """

    split_penalty: int = 300
    backorder_cost: int = 1_000_000
    day_cost: int = 0
    priority_cost: int = 1


@frozen
class Limits:
    """What a plan may not do.

    Attributes:
        max_locations: how many locations may serve a delivery; None for any number.
        whole_below: a delivery of less value (minor units) goes in whole from one location, or waits.
        soft: whether `relax` lifts them when stock is short.
    """

    max_locations: int | None = None
    whole_below: int = 0
    soft: bool = False


@frozen
class Strategy:
    """How the deliveries are sourced for which all conditions hold.

    `cancel_after_days`: how long units may wait for a source before they are cancelled; None for good.
    """

    name: str
    when: tuple[Condition[Asked], ...] = ()
    filters: tuple[Filter, ...] = ()
    objective: Objective = Objective()
    limits: Limits = Limits()
    fallbacks: tuple[Fallback, ...] = (Fallback.RELAX, Fallback.DROPSHIP, Fallback.PARTIAL)
    cancel_after_days: int | None = None


@frozen
class Transit:
    """Days on the road up to a distance; `up_to_km` None is any distance."""

    days: int
    up_to_km: int | None = None


@frozen
class Service:
    """A way of shipping: days on the road by distance, and the ISO weekdays on which it delivers."""

    transit: tuple[Transit, ...]
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6)

    def transit_days(self, distance_km: int | None) -> int:
        """Days on the road; of the longest band when nobody knows how far it is."""
        fits = (
            band.days
            for band in self.transit
            if band.up_to_km is None or (distance_km is not None and distance_km <= band.up_to_km)
        )
        return next(fits, self.transit[-1].days)


USUAL_REJECTIONS = (
    RejectionRule(Act.BLOCK, ("damaged",)),
    RejectionRule(Act.WRITE_OFF, ("short_pick",)),
    RejectionRule(Act.CLOSE, ("closed",), 24),
    RejectionRule(Act.GIVE_BACK),
)


@frozen
class Profile:
    """A version of the sourcing profile.

    Attributes:
        v: its version; 0 for the one that is built in.
        strategies: in the order in which they are asked; the last has no conditions.
        services: by name; `*` is every other one.
        costs: by kind of location, for locations that have none of their own; `*` is every other kind.
        properties: capabilities that lines need, by the name of the property that asks for them.
        rejections: asked in order when a location says no; the first that fits acts, the last fits all.
        attempts: locations that may say no to a line; after that a person has to find it a source.
        reoptimise: whether orders that wait for their release are planned again together.

    Raises:
        Problem: field_invalid, with the path to the fault.
    """

    strategies: tuple[Strategy, ...]
    services: Mapping[str, Service]
    costs: Mapping[str, Costs]
    properties: Mapping[str, str] = field(default_factory=dict)
    rejections: tuple[RejectionRule, ...] = USUAL_REJECTIONS
    attempts: int = 3
    reoptimise: bool = False
    v: int = 0

    def __post_init__(self) -> None:
        if not self.strategies or self.strategies[-1].when:
            last = max(0, len(self.strategies) - 1)
            raise _invalid(
                f"strategies[{last}].when", "the last strategy has no conditions, for all that is left"
            )
        for kind, table in (("services", self.services), ("costs", self.costs)):
            if ANY_SERVICE not in table:
                raise _invalid(kind, "there is one named * for all others")
        if not self.rejections or self.rejections[-1].reasons:
            last = max(0, len(self.rejections) - 1)
            raise _invalid(f"rejections[{last}].reasons", "the last rule has none, for all others")
        for index, rule in enumerate(self.rejections):
            if (rule.hours > 0) != (rule.act is Act.CLOSE):
                raise _invalid(f"rejections[{index}].hours", "hours tell how long a location is closed")
        for name, capability in self.properties.items():
            if capability not in set(Capability):
                raise _invalid(f"properties.{name}", f"{capability} is no capability")
        for name, service in self.services.items():
            _check_service(service, f"services.{name}")
        names = [strategy.name for strategy in self.strategies]
        for index, strategy in enumerate(self.strategies):
            path = f"strategies[{index}]"
            if names.index(strategy.name) < index:
                raise _invalid(f"{path}.name", f"{strategy.name} is there twice")
            if strategy.cancel_after_days is not None and strategy.cancel_after_days < 1:
                raise _invalid(f"{path}.cancel_after_days", "is below 1")
            for number, step in enumerate(strategy.fallbacks):
                if step in strategy.fallbacks[:number]:
                    raise _invalid(f"{path}.fallbacks[{number}]", f"{step} is there twice")
            for number, condition in enumerate(strategy.when):
                _check_condition(condition, f"{path}.when[{number}]")
            for number, limit in enumerate(strategy.filters):
                _check_condition(limit, f"{path}.filters[{number}]")

    def service(self, name: str | None) -> Service:
        """The service of a name, or that of all others."""
        return self.services.get(name or ANY_SERVICE, self.services[ANY_SERVICE])

    def costs_of(self, kind: str) -> Costs:
        """The rates of a kind of location."""
        return self.costs.get(kind, self.costs[ANY_SERVICE])

    def rejection(self, reason: str | None) -> RejectionRule:
        """The first rule that fits a location's reason to say no."""
        return next(rule for rule in self.rejections if not rule.reasons or reason in rule.reasons)

    def strategy(self, measured: Mapping[Asked, Measured]) -> Strategy:
        """The first strategy whose conditions all hold."""
        return next(
            strategy
            for strategy in self.strategies
            if all(_holds(test, measured[test.measure]) for test in strategy.when)
        )

    def document(self) -> dict[str, Any]:
        """The profile as plain values, without its version."""
        document = asdict(self)
        del document["v"]
        return document

    @classmethod
    def of(cls, document: Mapping[str, Any], v: int = 0) -> Self:
        """A profile from its document, whose fields are of the right types already."""
        return cls(
            strategies=tuple(_strategy(strategy) for strategy in document["strategies"]),
            services={name: _service(service) for name, service in document["services"].items()},
            costs={name: Costs(**costs) for name, costs in document["costs"].items()},
            properties=dict(document.get("properties", {})),
            rejections=_rejections(document["rejections"]) if "rejections" in document else USUAL_REJECTIONS,
            attempts=document.get("attempts", 3),
            reoptimise=document.get("reoptimise", False),
            v=v,
        )


def _holds(condition: Condition[Asked], measured: Measured) -> bool:
    """Whether a condition holds; one on what nobody knows does not."""
    return measured is not None and condition.passes(measured)


def _check_condition(test: Condition[Any], path: str) -> None:
    words, numbers = (test.one_of or test.none_of), (test.at_least, test.at_most) != (None, None)
    if test.measure in _NUMBERS and (words or not numbers):
        raise _invalid(path, f"{test.measure} is a number: give at_least or at_most")
    if test.measure not in _NUMBERS and (numbers or not words):
        raise _invalid(path, f"{test.measure} is a word: give one_of or none_of")
    if test.at_least is not None and test.at_most is not None and test.at_least > test.at_most:
        raise _invalid(f"{path}.at_least", "is above at_most: nothing would pass")


def _check_service(service: Service, path: str) -> None:
    if not service.transit or service.transit[-1].up_to_km is not None:
        raise _invalid(f"{path}.transit", "the last band is for any distance")
    bounds = [band.up_to_km or 0 for band in service.transit[:-1]]
    if bounds != sorted(set(bounds)) or 0 in bounds:
        raise _invalid(f"{path}.transit", "each band goes further than the one before")
    if not service.days or not set(service.days) <= set(range(1, 8)):
        raise _invalid(f"{path}.days", "one or more ISO weekdays, 1 to 7")


def _strategy(document: Mapping[str, Any]) -> Strategy:
    usual = Strategy("")
    return Strategy(
        name=document["name"],
        when=tuple(Condition(Asked(test["measure"]), **_bounds(test)) for test in document.get("when", ())),
        filters=tuple(
            Filter(
                Offered(test["measure"]),
                **_bounds(test),
                soft=test.get("soft", False),
                only=tuple(test.get("only", ())),
            )
            for test in document.get("filters", ())
        ),
        objective=Objective(**document.get("objective", {})),
        limits=Limits(**document.get("limits", {})),
        fallbacks=tuple(Fallback(step) for step in document.get("fallbacks", usual.fallbacks)),
        cancel_after_days=document.get("cancel_after_days"),
    )


def _bounds(test: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "at_least": test.get("at_least"),
        "at_most": test.get("at_most"),
        "one_of": tuple(test.get("one_of", ())),
        "none_of": tuple(test.get("none_of", ())),
    }


def _rejections(documents: Iterable[Mapping[str, Any]]) -> tuple[RejectionRule, ...]:
    return tuple(
        RejectionRule(Act(rule["act"]), tuple(rule.get("reasons", ())), rule.get("hours", 0))
        for rule in documents
    )


def _service(document: Mapping[str, Any]) -> Service:
    bands = tuple(Transit(**band) for band in document["transit"])
    return Service(bands, tuple(document["days"])) if "days" in document else Service(bands)


def _invalid(path: str, detail: str) -> Problem:
    return Problem(Code.FIELD_INVALID, f"{path}: {detail}", path)


USUAL = Profile(
    strategies=(Strategy("usual"),),
    services={
        ANY_SERVICE: Service((Transit(1, 300), Transit(2, 1000), Transit(4, 3000), Transit(8))),
        "express": Service((Transit(1, 1500), Transit(3))),
    },
    costs={
        ANY_SERVICE: Costs(package_cost=450, km_rate_milli=100, handling=60, kg_rate=70),
        "store": Costs(package_cost=550, km_rate_milli=150, handling=160, kg_rate=70),
        "vendor": Costs(package_cost=650, km_rate_milli=200, handling=60, kg_rate=70),
    },
    properties={"gift_wrap": "gift_wrap", "personalise": "personalise"},
)
"""What rules until a profile is activated: few parcels, from near by, and stores after warehouses."""
