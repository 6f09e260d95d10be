"""Depth-first branch and bound over the set of used locations."""

from math import ceil, inf

from oms.sourcing.solver.assignment import ignore_capacity
from oms.sourcing.solver.bound import ascend, fix, relax
from oms.sourcing.solver.clock import Deadline
from oms.sourcing.solver.incumbent import Incumbent, gain
from oms.sourcing.solver.knapsack import units_bound
from oms.sourcing.solver.model import Model
from oms.values import frozen

ACTIVE = 40
"""How many of the most promising locations an ascent at the root looks at."""
ROUNDS = 8
"""The most ascents at the root."""
ROOT_STEPS = 5
"""Subgradient steps of each ascent at the root."""
NODE_STEPS = 8
"""Subgradient steps at each node of the tree."""
FEW = 100
"""How many free locations the tree can do with."""
PROGRESS = 0.1
"""Share of the gap that a round at the root must close, unless it finds a better plan, for another to follow
when few locations are free."""


@frozen
class _Node:
    """Plans that use all `opened` and any `free` locations; none costs less than `bound`."""

    prices: list[float]
    opened: list[int]
    free: list[int]
    bound: float


class Search:
    """The search for a cheapest plan; may be stopped by its deadline at any time.

    Attributes:
        incumbent: the best plan so far.
    """

    def __init__(self, model: Model, deadline: Deadline) -> None:
        self.model = model
        self.deadline = deadline
        self.incumbent = Incumbent(model, deadline)
        self._nodes = [_Node([], [], list(range(len(model.fixed))), -inf)]

    @property
    def bound(self) -> int:
        """No plan costs less: the least bound of the nodes that are still to be looked at."""
        cost = self.incumbent.cost
        least = min([node.bound for node in self._nodes], default=cost)
        return min(cost, ceil(max(0.0, least - self.model.tolerance)))

    def run(self) -> None:
        """Search to the end.

        Raises:
            OutOfTime: the deadline has passed; `incumbent` and `bound` hold what is known.
        """
        self._prepare()
        while self._nodes:
            # The node stays in the list while it is expanded, so that `bound` counts it when time runs out.
            children = self._expand(self._nodes[-1])
            self._nodes.pop()
            self._nodes += children

    def _prepare(self) -> None:
        """Work at the root: a first plan, good prices, and most locations fixed.

        Each round betters the prices with a few steps that look at the most promising locations only, and
        then prices all of them, which gives a bound and fixes locations. When the bound falls, the few have
        led the prices astray, and more are looked at.
        """
        model, incumbent = self.model, self.incumbent
        prices = fair_prices(model)
        self._price_all(prices)
        incumbent.start(self._nodes[0].free[:ACTIVE])
        active = ACTIVE
        for turn in range(ROUNDS):
            root, cost = self._nodes[0], incumbent.cost
            few = root.free[:active]
            threshold = incumbent.threshold if len(few) == len(root.free) else inf
            part, _ = ascend(model, prices, root.opened, few, cost, threshold, ROOT_STEPS, self.deadline)
            if turn == 0:
                incumbent.evaluate(part.used)
            else:  # local search is quick only where the prices are good
                incumbent.improve(part.used, part)
            prices = part.prices
            risen = self._price_all(prices)
            if risen < 0:
                active *= 2
            root = self._nodes[0]
            slow = risen < PROGRESS * (incumbent.cost - root.bound) and incumbent.cost == cost
            if root.bound > incumbent.threshold or (slow and turn > 1 and len(root.free) <= FEW):
                break

    def _price_all(self, prices: list[float]) -> float:
        """Price all locations of the root; returns by how much its bound would rise."""
        root = self._nodes[0]
        whole = fix(relax(self.model, prices, root.opened, root.free), self.incumbent.threshold)
        free = [n for _, n in sorted(zip(whole.reduced, whole.free, strict=True))]
        best = whole if whole.bound > root.bound else root
        self._nodes = [_Node(best.prices, whole.opened, free, best.bound)]
        return whole.bound - root.bound

    def _expand(self, node: _Node) -> list[_Node]:
        """Settle a node, or split it in two by a location that is used or not."""
        model, incumbent = self.model, self.incumbent
        if node.bound > incumbent.threshold:
            return []
        if not node.free or len(node.opened) >= model.limit:
            incumbent.evaluate(node.opened)
            return []
        if len(node.opened) == model.limit - 1:
            self._try_last(node)
            return []
        cost = incumbent.cost
        best, picks = ascend(
            model, node.prices, node.opened, node.free, cost, incumbent.threshold, NODE_STEPS, self.deadline
        )
        incumbent.evaluate(best.used)
        if incumbent.cost < cost:
            incumbent.improve(incumbent.used, best)
            best = fix(best, incumbent.threshold)
        if best.bound > incumbent.threshold or units_bound(model, best) > incumbent.threshold:
            return []
        if not best.free:
            incumbent.evaluate(best.opened)
            return []
        steps = max(picks.values(), default=1)
        # The dearest of the locations that the relaxation keeps coming back to moves the bound either way.
        pivot = max(best.free, key=lambda n: min(1.0, 2 * picks.get(n, 0) / steps) * model.fixed[n])
        rest = [n for n in best.free if n != pivot]
        return [
            _Node(best.prices, best.opened, rest, best.bound),
            _Node(best.prices, [*best.opened, pivot], rest, best.bound),
        ]

    def _try_last(self, node: _Node) -> None:
        """Evaluate each plan with one location more, unless it is too dear even without capacities."""
        model, incumbent = self.model, self.incumbent
        incumbent.evaluate(node.opened)
        cost, supplies = ignore_capacity(model, node.opened)
        cost += sum([model.fixed[n] for n in node.opened]) - model.split
        for n in node.free:
            if cost - gain(model, n, supplies) < incumbent.cost:
                incumbent.evaluate([*node.opened, n])


def fair_prices(model: Model) -> list[float]:
    """Prices to start from: the least that a unit costs when a location shares its fixed cost evenly.

    With v[l] = min_n cost[n,l] + fixed[n] / (units that n can ship) no location gains more on its units than
    its fixed cost, so all reduced costs are at least 0.
    """
    prices = [float(cost) for cost in model.backorder]
    for n, offers in enumerate(model.offers):
        share = model.fixed[n] / min(model.capacity[n], sum([units for _, units, _ in offers]))
        for line, _, cost in offers:
            prices[line] = min(prices[line], cost + share)
    return prices
