"""The best plan so far, and the moves that better it: add, drop and swap a location."""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace, nlargest
from math import inf

from oms.sourcing.solver.assignment import Supplies, assign, ignore_capacity
from oms.sourcing.solver.bound import Relaxation
from oms.sourcing.solver.clock import Deadline
from oms.sourcing.solver.model import BACKORDER, Model

RIVALS = 3
"""How many of the locations that promise most are tried in place of another."""


class Incumbent:
    """The best plan so far, by the locations it uses. Starts with the plan that ships nothing.

    Attributes:
        cost: its cost.
        used: its locations.
        supplies: who ships what.
    """

    def __init__(self, model: Model, deadline: Deadline) -> None:
        self.model = model
        self.deadline = deadline
        self.cost = model.empty_cost
        self.used: list[int] = []
        _, self.supplies = ignore_capacity(model, [])
        self._seen = {0: self.cost}

    @property
    def threshold(self) -> float:
        """A lower bound above this leaves no room for a better plan: costs are whole numbers."""
        return self.cost - 1 + self.model.tolerance

    def evaluate(self, used: Sequence[int]) -> int:
        """Cost of the cheapest plan within the locations `used`, kept if it is the best so far.

        Returns:
            The cost; if it is not below the best one, perhaps only a lower bound of it.
        """
        key = 0
        for n in used:
            key |= 1 << n
        if key not in self._seen:
            self._seen[key] = self._evaluate(used)
        return self._seen[key]

    def _evaluate(self, used: Sequence[int]) -> int:
        self.deadline.check()
        model = self.model
        fixed = sum([model.fixed[n] for n in used]) - model.split
        cost, supplies = assign(model, used, self.deadline, self.cost - fixed)
        return cost + fixed if cost + fixed >= self.cost else self._keep(cost, supplies)

    def _keep(self, cost: int, supplies: Supplies) -> int:
        """Keep a legal plan, whose units cost `cost`, if it is the best so far; returns its whole cost."""
        model = self.model
        shipping = {n for taken in supplies for _, _, n in taken} - {BACKORDER}
        if shipping:
            cost += sum([model.fixed[n] for n in shipping]) - model.split
        if cost < self.cost and len(shipping) <= model.limit:
            self.cost, self.used, self.supplies = cost, list(shipping), supplies
        return cost

    def start(self, pool: Sequence[int]) -> None:
        """Make a first plan, whatever the deadline: it takes no longer than reading the instance."""
        used, supplies = greedy(self.model, pool)
        self._keep(sum([cost * units for taken in supplies for cost, units, _ in taken]), supplies)
        self.evaluate(used)

    def improve(self, used: list[int], relaxation: Relaxation) -> None:
        """Local search from `used`: add, drop and swap locations while that helps.

        By the relaxation a plan within a set of locations costs at least `base` and their reduced costs, so
        only sets are looked at of which that leaves room for a better plan than the best.
        """
        reduced = dict.fromkeys(relaxation.opened, 0.0)
        reduced.update(zip(relaxation.free, relaxation.reduced, strict=True))
        best, before = self.evaluate(used), inf
        while best < before:
            before = best
            for dropped in [None, *used]:
                kept = [n for n in used if n != dropped]
                room = self.threshold - relaxation.base - sum([reduced.get(n, inf) for n in kept])
                pool = [n for n, cost in reduced.items() if cost <= room and n not in used]
                if not pool and room < 0:
                    continue
                for neighbour in self._neighbours(kept, pool, best):
                    cost = self.evaluate(neighbour)
                    if cost < best:
                        best, used = cost, neighbour

    def _neighbours(self, kept: list[int], pool: list[int], best: int) -> Iterator[list[int]]:
        """`kept` alone and with one of the pool, if it beats `best` when capacities are ignored."""
        self.deadline.check()
        cost, supplies = ignore_capacity(self.model, kept)
        cost += sum([self.model.fixed[n] for n in kept]) - self.model.split
        if cost < best:
            yield kept
        if len(kept) < self.model.limit:
            for saved, n in nlargest(RIVALS, [(gain(self.model, n, supplies), n) for n in pool]):
                if cost - saved < best:
                    yield [*kept, n]


def gain(model: Model, n: int, supplies: Supplies) -> int:
    """What it saves to add location n."""
    return sum([margin * units for margin, units, _ in _savings(model, n, supplies)]) - model.fixed[n]


def _savings(model: Model, n: int, supplies: Supplies) -> list[tuple[int, int, int]]:
    """What location n would ship instead, within its capacity, of each line the dearest units first.

    Returns:
        (saved a unit, units, line) of each replacement.
    """
    saved = []
    room = model.capacity[n]
    for line, units, cost in model.offers[n]:
        left = units
        for dear, taken, _ in supplies[line]:
            if dear <= cost:
                break
            amount = left if left < taken else taken
            saved.append((dear - cost, amount, line))
            room -= amount
            left -= amount
            if not left:
                break
    if room < 0:
        saved.sort(reverse=True)
        while room < 0:
            margin, amount, line = saved.pop()
            if amount > -room:
                saved.append((margin, amount + room, line))
            room += amount
    return saved


def greedy(model: Model, pool: Sequence[int]) -> tuple[list[int], Supplies]:
    """Add the location that saves most, again and again, while one does.

    Savings only shrink as locations are added, so a location whose new saving still tops the old ones of all
    others is the best (Minoux, Accelerated greedy algorithms, 1978).

    Returns:
        The locations, and who ships what within their capacities.
    """
    used: list[int] = []
    _, supplies = ignore_capacity(model, used)
    heap = [(-gain(model, n, supplies), n) for n in pool]
    heapify(heap)
    while heap and len(used) < model.limit:
        old, n = heap[0]
        saved = gain(model, n, supplies)
        if saved <= 0:
            heappop(heap)
        elif saved < -old:
            heapreplace(heap, (-saved, n))
        else:
            heappop(heap)
            used.append(n)
            _replace(model, n, supplies)
    return used, supplies


def _replace(model: Model, n: int, supplies: Supplies) -> None:
    """Let location n ship what it saves on."""
    amounts: dict[int, int] = {}
    for _, amount, line in _savings(model, n, supplies):
        amounts[line] = amounts.get(line, 0) + amount
    for line, _, unit_cost in model.offers[n]:
        left = amounts.get(line, 0)
        if left:
            taken = [(unit_cost, left, n)]
            for cost, units, m in supplies[line]:
                replaced = min(left, units)
                left -= replaced
                if replaced < units:
                    taken.append((cost, units - replaced, m))
            supplies[line] = sorted(taken, reverse=True)
