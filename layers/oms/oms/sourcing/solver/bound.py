"""Lower bounds: the Lagrangian relaxation of the demand.

Pay a price v[l] for each unit of line l, and let every location choose on its own what to ship:

    L(v) = sum_l v[l] * demand[l] + sum_n min(0, r[n]) - split
    r[n] = fixed[n] - max { sum_l (v[l] - cost[n,l]) * x[l] :
                            0 <= x[l] <= units[n,l], sum_l x[l] <= capacity[n] }

No plan that ships anything costs less than L(v), for any v with v[l] <= backorder[l] (Geoffrion, Lagrangean
relaxation for integer programming, 1974). The best v gives the bound of the linear relaxation with
x[n,l] <= units[n,l] * y[n], which is tight for facility location. r[n] is the reduced cost of location n.
Three facts sharpen the sum: a location already decided on counts with r[n] whatever its sign; with a limit of
k locations only the k smallest r[n] count; and a plan that ships anything uses some location, so if none has
r[n] < 0 the smallest counts.
"""

from collections.abc import Sequence
from math import inf

from oms.sourcing.solver.clock import Deadline
from oms.sourcing.solver.model import Model
from oms.values import frozen

STALL = 7
"""Steps without a better bound after which the step length is halved."""
SHORTEST = 0.02
"""Step length at which an ascent has converged."""
MOMENTUM = 0.6
"""Share of the last direction kept in the next (Camerini, Fratta, Maffioli, 1975)."""


@frozen
class Relaxation:
    """The relaxation at given prices.

    Attributes:
        bound: L(v).
        prices: v, per line.
        opened: locations that are decided on.
        free: locations that may be used.
        reduced: reduced cost of each free location.
        chosen: the free locations that the relaxation uses, each with its reduced cost.
        crowding: reduced cost that a further location would push out; 0 while there is room for one.
    """

    bound: float
    prices: list[float]
    opened: list[int]
    free: list[int]
    reduced: list[float]
    chosen: list[tuple[float, int]]
    crowding: float

    @property
    def base(self) -> float:
        """The bound without the chosen locations: a plan costs at least this and its reduced costs."""
        return self.bound - sum([cost for cost, _ in self.chosen])

    @property
    def used(self) -> list[int]:
        """The locations that the relaxation uses."""
        return self.opened + [n for _, n in self.chosen]


def relax(model: Model, prices: list[float], opened: list[int], free: list[int]) -> Relaxation:
    """The relaxation in which `opened` must and `free` may be used."""
    reduced = reduced_costs(model, free, prices)
    slots = max(0, model.limit - len(opened))
    chosen = [(cost, n) for cost, n in zip(reduced, free, strict=True) if cost < 0]
    crowding = 0.0
    if not chosen and not opened and free:
        chosen = [min(zip(reduced, free, strict=True))]
        crowding = chosen[0][0]
    elif len(chosen) >= slots:
        chosen.sort()
        del chosen[slots:]
        crowding = chosen[-1][0] if chosen else -inf
    bound = sum([units * price for units, price in zip(model.demand, prices, strict=True)]) - model.split
    bound += sum(reduced_costs(model, opened, prices)) + sum([cost for cost, _ in chosen])
    return Relaxation(bound, prices, opened, free, reduced, chosen, crowding)


def reduced_costs(model: Model, locations: Sequence[int], prices: list[float]) -> list[float]:
    """r[n] of each location."""
    result = []
    fixed, offers, tight = model.fixed, model.offers, model.tight
    for n in locations:
        gain = 0.0
        if tight[n]:
            wanted = []
            excess = -model.capacity[n]
            for line, units, cost in offers[n]:
                margin = prices[line] - cost
                if margin > 0:
                    gain += margin * units
                    wanted.append((margin, units))
                    excess += units
            if excess > 0:
                wanted.sort()
                for margin, units in wanted:
                    if units >= excess:
                        gain -= margin * excess
                        break
                    gain -= margin * units
                    excess -= units
        else:
            for line, units, cost in offers[n]:
                margin = prices[line] - cost
                if margin > 0:
                    gain += margin * units
        result.append(fixed[n] - gain)
    return result


def _wanted(model: Model, n: int, prices: list[float]) -> list[tuple[float, int, int]]:
    """What location n ships at these prices within its capacity: (margin, units, line)."""
    wanted = []
    excess = -model.capacity[n]
    for line, units, cost in model.offers[n]:
        margin = prices[line] - cost
        if margin > 0:
            wanted.append((margin, units, line))
            excess += units
    if excess > 0:
        wanted.sort(reverse=True)
        while excess > 0:
            margin, units, line = wanted.pop()
            if units > excess:
                wanted.append((margin, units - excess, line))
            excess -= units
    return wanted


def fix(relaxation: Relaxation, threshold: float) -> Relaxation:
    """Decide on the locations whose reduced costs leave no choice.

    A plan with a free location n that the relaxation does not use costs at least bound + r[n]; with a
    full set, less the dearest that it pushes out. A plan without a chosen n costs at least bound - r[n]; with
    a full set, plus the cheapest that takes its place (the exchange test). Above the threshold, n is closed
    or opened.
    """
    bound, chosen, crowding = relaxation.bound, relaxation.chosen, relaxation.crowding
    picked = {n for _, n in chosen}
    kept = [
        (cost, n)
        for cost, n in zip(relaxation.reduced, relaxation.free, strict=True)
        if n in picked or bound + cost - crowding <= threshold
    ]
    substitute = min([cost for cost, n in kept if n not in picked], default=0.0) if crowding else 0.0
    forced = {n for cost, n in chosen if cost < 0 and bound - cost + min(0.0, substitute) > threshold}
    kept = [(cost, n) for cost, n in kept if n not in forced]
    return Relaxation(
        bound,
        relaxation.prices,
        relaxation.opened + [n for _, n in chosen if n in forced],
        [n for _, n in kept],
        [cost for cost, _ in kept],
        [(cost, n) for cost, n in chosen if n not in forced],
        crowding,
    )


def _slope(model: Model, used: Sequence[int], prices: list[float]) -> list[float]:
    """A subgradient of L: units wanted but not shipped, per line; 0 where the price can rise no further."""
    slope: list[float] = list(model.demand)
    for n in used:
        if model.tight[n]:
            for _, units, line in _wanted(model, n, prices):
                slope[line] -= units
        else:
            for line, units, cost in model.offers[n]:
                if prices[line] > cost:
                    slope[line] -= units
    for line, ceiling in enumerate(model.backorder):
        if slope[line] > 0 and prices[line] >= ceiling:
            slope[line] = 0
    return slope


def ascend(
    model: Model,
    prices: list[float],
    opened: list[int],
    free: list[int],
    target: float,
    threshold: float,
    steps: int,
    deadline: Deadline,
) -> tuple[Relaxation, dict[int, int]]:
    """Raise L(v) by the subgradient method with Polyak's step towards the cost of the best plan.

    Args:
        model: the model.
        prices: where to start.
        opened: locations that must be used.
        free: locations that may be used.
        target: the cost of the best plan so far.
        threshold: a bound above it ends the ascent, and lets locations be fixed.
        steps: the most steps to take.
        deadline: when to give up.

    Returns:
        The best relaxation seen, fixed, and in how many steps the relaxation used each location.
    """
    now = best = fix(relax(model, prices, opened, free), threshold)
    picks: dict[int, int] = {}
    direction: list[float] | None = None
    length, stalled = 1.0, 0
    for _ in range(steps):
        if best.bound > threshold or not best.free or length < SHORTEST:
            break
        deadline.check()
        for _, n in now.chosen:
            picks[n] = picks.get(n, 0) + 1
        slope = _slope(model, now.used, now.prices)
        direction = [a + MOMENTUM * b for a, b in zip(slope, direction or slope, strict=True)]
        square = sum([a * a for a in direction])
        if square == 0:
            break
        size = length * (1.001 * target - now.bound) / square
        moved = [price + size * a for price, a in zip(now.prices, direction, strict=True)]
        prices = [
            ceiling if price > ceiling else price if price > 0 else 0.0
            for price, ceiling in zip(moved, model.backorder, strict=True)
        ]
        now = relax(model, prices, best.opened, best.free)
        if now.bound > best.bound:
            now = best = fix(now, threshold)
            stalled = 0
        else:
            stalled += 1
            if stalled == STALL:
                length, stalled, now = length / 2, 0, best
    return best, picks
