"""The instance as the solver works on it: plain lists by index, without what no cheapest plan needs."""

from dataclasses import field
from heapq import nlargest

from oms.sourcing.instance import Instance
from oms.values import frozen

BACKORDER = -1
"""Where units come from that nobody ships."""
DOMINATORS = 4
"""How many locations are tried against all others in the search for dominated ones."""


@frozen
class Model:
    """An instance by numbers. Lines and locations are known by their index.

    The split penalty is part of `fixed`, so a plan costs its locations and units, less `split` if it ships
    anything: the first location is free of it.

    Attributes:
        demand: units wanted, per line.
        backorder: cost of one unit left unfilled, per line.
        fixed: cost of using a location, split penalty included.
        offers: (line, units, unit cost) per location, only what is cheaper than leaving the units unfilled.
        capacity: units per location.
        tight: whether the capacity of a location is below what it offers.
        names: index of each location in `Instance.locations`.
        split: the split penalty.
        limit: how many locations a plan may use.
        empty_cost: cost of shipping nothing.
        tolerance: more than the rounding error of a bound, whose terms add up to the empty cost at most.
    """

    demand: list[int]
    backorder: list[int]
    fixed: list[int]
    offers: list[list[tuple[int, int, int]]]
    capacity: list[int]
    tight: list[bool]
    names: list[int]
    split: int
    limit: int
    empty_cost: int
    tolerance: float
    _moves: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)

    def moves(self, sender: int, receiver: int) -> list[tuple[int, int]]:
        """The lines that two places offer: (what a unit costs more at `receiver`, line), cheapest first."""
        known = self._moves.get((sender, receiver))
        if known is None:
            costs = self._unit_costs(sender)
            known = [
                (cost - costs[line], line)
                for line, cost in self._unit_costs(receiver).items()
                if line in costs
            ]
            known.sort()
            self._moves[sender, receiver] = known
        return known

    def _unit_costs(self, place: int) -> dict[int, int]:
        if place == BACKORDER:
            return dict(enumerate(self.backorder))
        return {line: cost for line, _, cost in self.offers[place]}


def compile_model(instance: Instance) -> Model:
    """The model of an instance, without locations that are useless or dominated."""
    demand = [line.units for line in instance.lines]
    backorder = [line.backorder_cost for line in instance.lines]
    offers = []
    names = []
    for name, location in enumerate(instance.locations):
        useful = [
            (line, units if units < demand[line] else demand[line], cost)
            for line, units, cost in location.offers
            if units and cost < backorder[line] and demand[line]
        ]
        if useful and location.capacity:
            offers.append(useful)
            names.append(name)
    locations = [instance.locations[name] for name in names]
    fixed = [location.fixed_cost + instance.split_penalty for location in locations]
    capacity = [location.capacity for location in locations]
    tight = [sum([units for _, units, _ in row]) > most for row, most in zip(offers, capacity, strict=True)]
    kept = _undominated(demand, fixed, offers, tight)
    empty_cost = sum([units * cost for units, cost in zip(demand, backorder, strict=True)])
    return Model(
        demand,
        backorder,
        [fixed[n] for n in kept],
        [offers[n] for n in kept],
        [capacity[n] for n in kept],
        [tight[n] for n in kept],
        [names[n] for n in kept],
        instance.split_penalty,
        len(kept) if instance.max_locations is None else instance.max_locations,
        empty_cost,
        max(1e-6, 1e-12 * empty_cost),
    )


def _undominated(
    demand: list[int], fixed: list[int], offers: list[list[tuple[int, int, int]]], tight: list[bool]
) -> list[int]:
    """The locations that a cheapest plan may need.

    Location m dominates n if it could take over all that n may ship and costs no more: m is no dearer to use,
    no dearer in any unit that n offers, has the whole demand of those lines and is not short of capacity.
    Only the few locations that offer the most lines are tried as m: they do nearly all of it.
    """
    ample = [n for n in range(len(offers)) if not tight[n]]
    broad = [
        (fixed[m], m, {line: cost for line, units, cost in offers[m] if units == demand[line]})
        for m in nlargest(DOMINATORS, ample, key=lambda n: len(offers[n]))
    ]
    kept = []
    for n, row in enumerate(offers):
        own = fixed[n]
        for theirs, m, costs in broad:
            if theirs < own or (theirs == own and m < n):
                for line, _, cost in row:
                    if line not in costs or costs[line] > cost:
                        break
                else:
                    break
        else:
            kept.append(n)
    return kept
