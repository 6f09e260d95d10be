"""Random sourcing instances, small enough for a solver of another kind to answer."""

from dataclasses import dataclass
from random import Random

from oms.sourcing.instance import Instance, Line, Location, Offer


@dataclass(frozen=True, slots=True)
class Kind:
    """What the instances of one kind look like; (least, most) each.

    Attributes:
        lines: lines of the order.
        locations: locations.
        units: units wanted of a line.
        stock: units on offer.
        offered: chance that a location offers a line.
        capacity: units a location can ship.
        fixed: cost of using a location.
        unit: cost of shipping a unit.
        backorder: cost of leaving a unit unfilled.
        split: split penalty.
        limit: most locations; None for no limit.
        step: all costs are multiples of it, so that many plans cost the same.
    """

    lines: tuple[int, int] = (1, 6)
    locations: tuple[int, int] = (1, 10)
    units: tuple[int, int] = (1, 5)
    stock: tuple[int, int] = (0, 6)
    offered: float = 0.5
    capacity: tuple[int, int] = (3, 30)
    fixed: tuple[int, int] = (200, 900)
    unit: tuple[int, int] = (40, 400)
    backorder: tuple[int, int] = (800, 3000)
    split: tuple[int, int] = (100, 500)
    limit: tuple[int, int] | None = None
    step: int = 1


KINDS = {
    "usual": Kind(),
    "one line": Kind(lines=(1, 1), units=(5, 20), stock=(0, 4), locations=(1, 14)),
    "tight capacity": Kind(capacity=(0, 5), stock=(0, 9), offered=0.8),
    "scarce stock": Kind(stock=(0, 2), offered=0.4, units=(1, 8)),
    "more stock than demand": Kind(stock=(5, 40), units=(1, 4), offered=0.7),
    "cheap backorder": Kind(backorder=(0, 300), unit=(0, 300)),
    "middling backorder": Kind(backorder=(200, 700), capacity=(0, 8)),
    "limited locations": Kind(limit=(0, 4), offered=0.5),
    "limited locations, tight capacity": Kind(limit=(1, 3), capacity=(1, 6), offered=0.8),
    "ties": Kind(step=250, stock=(0, 3), offered=0.7),
    "ties, limited locations": Kind(step=300, limit=(1, 3), capacity=(1, 9)),
    "free locations": Kind(fixed=(0, 0), split=(0, 0), capacity=(1, 6)),
    "free units": Kind(unit=(0, 0), fixed=(0, 400)),
    "many units": Kind(
        units=(300, 4000), stock=(0, 3000), capacity=(100, 6000), unit=(0, 3), backorder=(0, 9)
    ),
    "many locations": Kind(locations=(20, 40), offered=0.3, lines=(3, 9)),
    "nothing on offer": Kind(stock=(0, 0), locations=(0, 3)),
}
"""The kinds by what can go wrong with them."""


def draw(random: Random, kind: Kind) -> Instance:
    """An instance of a kind."""

    def cost(least: int, most: int) -> int:
        return round(random.randint(least, most) / kind.step) * kind.step

    lines = tuple(
        Line(f"sku-{index}", random.randint(*kind.units), cost(*kind.backorder))
        for index in range(random.randint(*kind.lines))
    )
    locations = tuple(
        Location(
            f"location-{index}",
            cost(*kind.fixed),
            random.randint(*kind.capacity),
            tuple(
                Offer(line, random.randint(*kind.stock), cost(*kind.unit))
                for line in range(len(lines))
                if random.random() < kind.offered
            ),
        )
        for index in range(random.randint(*kind.locations))
    )
    limit = None if kind.limit is None else random.randint(*kind.limit)
    return Instance("random", lines, locations, cost(*kind.split), limit)
