"""A sharper bound for orders of few units: the relaxation that still counts them."""

from math import inf

from oms.sourcing.solver.bound import Relaxation
from oms.sourcing.solver.model import Model

MOST_WORK = 3_000
"""Above this many additions (locations * units squared, at most) the bound costs more than it saves."""


def units_bound(model: Model, relaxation: Relaxation) -> float:
    """The Lagrangian bound among plans that account for exactly the units ordered.

    The relaxation of the demand lets a location ship everything that its prices pay for, even if all
    locations together then ship more than was ordered. Keeping the one constraint that shipped and unfilled
    units add up to the order leaves a knapsack problem, solved unit by unit by dynamic programming: what k
    units from a location cost is fixed[n] less its k best margins. It closes the gap where stock or capacity
    is short, which no linear bound does.

    Args:
        model: the model.
        relaxation: the prices, and which locations must or may be used. A limit on locations is ignored.

    Returns:
        The bound; -inf if it would take too long.
    """
    total = sum(model.demand)
    if (len(relaxation.opened) + len(relaxation.free)) * total**2 > MOST_WORK:
        return -inf
    start = sum([units * price for units, price in zip(model.demand, relaxation.prices, strict=True)])
    cheapest = [start - model.split] + [inf] * total
    for n in relaxation.opened:
        opened = [cost + model.fixed[n] for cost in cheapest]
        cheapest = _ship(model, n, relaxation.prices, cheapest, opened)
    for n in relaxation.free:
        cheapest = _ship(model, n, relaxation.prices, cheapest, cheapest)
    gaps = [b - price for b, price in zip(model.backorder, relaxation.prices, strict=True)]
    waiting = 0.0
    bound = cheapest[total]
    units_left = total
    for gap, units in sorted(zip(gaps, model.demand, strict=True)):
        for _ in range(units):
            units_left -= 1
            waiting += gap
            bound = min(bound, cheapest[units_left] + waiting)
    return bound


def _ship(
    model: Model, n: int, prices: list[float], cheapest: list[float], without: list[float]
) -> list[float]:
    """Least cost of each number of units once location n may ship some; `without` it shipping any."""
    margins = sorted([(prices[line] - cost, units) for line, units, cost in model.offers[n]], reverse=True)
    room = min(model.capacity[n], len(cheapest) - 1)
    best = without[:]
    cost: float = model.fixed[n]
    shipped = 0
    for margin, units in margins:
        for _ in range(min(units, room - shipped)):
            shipped += 1
            cost -= margin
            best[shipped:] = [
                old if old < new + cost else new + cost
                for old, new in zip(best[shipped:], cheapest, strict=False)
            ]
    return best
