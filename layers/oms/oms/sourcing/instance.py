"""A sourcing question and its answer: which location ships how many units of which line.

The cost of a plan, in minor units of one currency (all integers):

    for each used location once      fixed_cost
    for each unit of a line          unit_cost at the location that ships it
    for each used location but one   split_penalty
    for each unit left unfilled      backorder_cost of the line

within the stock of each (location, line), the capacity in units of each location, and at most `max_locations`
locations. The solver knows no more than this: what the costs are made of is the caller's. `fixed_cost()` and
`unit_cost()` are the linear rates; a rate card brings a table of its own.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from oms.problems import Code, Problem
from oms.values import frozen


class Offer(NamedTuple):
    """What a location can ship of one line.

    Attributes:
        line: index of the line in `Instance.lines`.
        units: stock that may be taken.
        unit_cost: cost of shipping one unit, minor units.
    """

    line: int
    units: int
    unit_cost: int


@frozen
class Location:
    """A location that may ship.

    Attributes:
        id: the location's id.
        fixed_cost: cost of using the location at all, minor units.
        capacity: units it can ship for this order, over all lines.
        offers: at most one per line.
    """

    id: str
    fixed_cost: int
    capacity: int
    offers: tuple[Offer, ...]


@frozen
class Line:
    """Units wanted of one sku.

    Attributes:
        sku: the sku; an order's lines of the same sku come here as one.
        units: units wanted.
        backorder_cost: cost of leaving one unit unfilled, minor units.
    """

    sku: str
    units: int
    backorder_cost: int


@frozen
class Instance:
    """One order, or one delivery of an order, to source.

    Attributes:
        id: name of the question.
        lines: what is wanted, one line per sku.
        locations: where it may come from.
        split_penalty: cost of each used location beyond the first, minor units.
        max_locations: how many locations may be used; None for no limit.
    """

    id: str
    lines: tuple[Line, ...]
    locations: tuple[Location, ...]
    split_penalty: int
    max_locations: int | None = None

    def checked(self) -> Self:
        """Itself, for whoever has read it from outside: the solver takes for granted what this refuses.

        Raises:
            Problem: field_invalid, when a sku or a location appears twice, a cost or a quantity is negative,
                or an offer names no line or one that the location has offered before.
        """
        _refuse_negative(self.split_penalty, "split_penalty")
        _refuse_negative(self.max_locations or 0, "max_locations")
        _refuse_repeated((line.sku for line in self.lines), "lines[{}].sku")
        _refuse_repeated((location.id for location in self.locations), "locations[{}].id")
        for index, line in enumerate(self.lines):
            _refuse_negative(min(line.units, line.backorder_cost), f"lines[{index}]")
        for index, location in enumerate(self.locations):
            _refuse_negative(min(location.fixed_cost, location.capacity), f"locations[{index}]")
            _check_offers(location.offers, len(self.lines), f"locations[{index}].offers")
        return self


def _check_offers(offers: Sequence[Offer], lines: int, field: str) -> None:
    seen = set()
    for line, units, cost in offers:  # one plain loop: an instance may have thousands of offers
        if not 0 <= line < lines or units < 0 or cost < 0:
            raise Problem(
                Code.FIELD_INVALID, "An offer needs a line of the order and nothing negative", field
            )
        seen.add(line)
    if len(seen) < len(offers):
        _refuse_repeated((offer.line for offer in offers), field + "[{}].line")


def _refuse_negative(number: int, field: str) -> None:
    if number < 0:
        raise Problem(Code.FIELD_INVALID, "A cost or a quantity is negative", field)


def _refuse_repeated(names: Iterable[str | int], field: str) -> None:
    seen: set[str | int] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise Problem(Code.FIELD_INVALID, f"{name} appears twice", field.format(index))
        seen.add(name)


class Pick(NamedTuple):
    """One entry of a plan: a location ships units of a sku."""

    location: str
    sku: str
    units: int


@frozen
class Cost:
    """The cost of a plan by its terms, minor units.

    Attributes:
        fixed: of the used locations.
        units: of the units shipped.
        splits: of the locations beyond the first.
        backorder: of the units left unfilled.
    """

    fixed: int
    units: int
    splits: int
    backorder: int

    @property
    def total(self) -> int:
        """The sum of the terms."""
        return self.fixed + self.units + self.splits + self.backorder


@frozen
class Solution:
    """The answer to an instance.

    Attributes:
        plan: what each location ships; empty when everything waits.
        cost: the plan's cost, minor units.
        bound: no legal plan costs less, minor units.
        proven: whether the plan is known to be a cheapest one (then bound == cost).
    """

    plan: tuple[Pick, ...]
    cost: int
    bound: int
    proven: bool


def fixed_cost(package_cost: int, distance_km: int, km_rate_milli: int) -> int:
    """Cost of one parcel from a location, minor units.

    Args:
        package_cost: minor units for each parcel.
        distance_km: whole kilometres to the customer.
        km_rate_milli: thousandths of a minor unit for each kilometre.
    """
    return package_cost + distance_km * km_rate_milli // 1000


def unit_cost(handling: int, kg_rate: int, weight_g: int) -> int:
    """Cost of shipping one unit from a location, minor units; freight is rounded up.

    Args:
        handling: minor units for picking and packing one unit.
        kg_rate: minor units for each kilogram.
        weight_g: grams a unit.
    """
    return handling - (-kg_rate * weight_g // 1000)


def price(instance: Instance, plan: Iterable[Pick]) -> Cost:
    """The cost of a plan, whoever made it.

    Raises:
        Problem: field_invalid, when the plan names an unknown location or sku or the same pair twice, or
            breaks stock, capacity, demand or the limit on locations.
    """
    lines = {line.sku: index for index, line in enumerate(instance.lines)}
    locations = {location.id: location for location in instance.locations}
    unfilled = [line.units for line in instance.lines]
    load: dict[str, int] = {}
    left = {(location.id, offer.line): offer for location in instance.locations for offer in location.offers}
    shipping = 0
    for index, pick in enumerate(plan):
        offer = left.pop((pick.location, lines.get(pick.sku, -1)), None)
        if offer is None or not 0 < pick.units <= offer.units:
            raise Problem(
                Code.FIELD_INVALID,
                f"{pick.location} cannot ship {pick.units} of {pick.sku}",
                f"plan[{index}]",
            )
        load[pick.location] = load.get(pick.location, 0) + pick.units
        unfilled[offer.line] -= pick.units
        shipping += offer.unit_cost * pick.units
        if unfilled[offer.line] < 0 or load[pick.location] > locations[pick.location].capacity:
            raise Problem(
                Code.FIELD_INVALID,
                f"More {pick.sku} than ordered, or more from {pick.location} than it can ship",
                f"plan[{index}]",
            )
    if instance.max_locations is not None and len(load) > instance.max_locations:
        raise Problem(Code.FIELD_INVALID, "The plan uses too many locations", "plan")
    return Cost(
        fixed=sum(locations[name].fixed_cost for name in load),
        units=shipping,
        splits=instance.split_penalty * max(0, len(load) - 1),
        backorder=sum(
            line.backorder_cost * units for line, units in zip(instance.lines, unfilled, strict=True)
        ),
    )
