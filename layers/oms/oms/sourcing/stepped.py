"""Plans whose freight goes by rate cards: exact, though what a parcel costs jumps with its weight.

The solver knows a fixed cost and costs of units, nothing that jumps. So a location n whose parcels cost
R(w) for w grams is given a line below R instead, over the weights that it may still send:

    a + b * w <= R(w)  for all w that n can send,  a >= 0, b >= 0

as a fixed cost a and b * weight for each unit. Every plan costs that much at least, so whatever bound the
solver proves holds for the true costs too, and its plan, priced by the cards, is a plan. The line is an edge
of the lower convex hull of R, the one at the greatest weight if its a is not below 0: most locations ship all
that they can or nothing, and there the line meets R.

Where plan and bound differ, a location ships a weight at which its line is below R. Then the plans are split
in two by the units x that it ships of one line, x <= k and x > k, which is a smaller instance each: at most k
offered, or k + 1 units given out already and the location's fixed cost with them. With the units the weights
shrink that n can send, and its line rises; once its units are known, so is its weight, and the line is R
itself. As units are whole numbers the search ends, with the least true cost (branch and bound with a convex
underestimate: Falk, Soland, An algorithm for separable nonconvex programming problems, 1969).

Costs are whole numbers for the solver too. Where the line meets R at the greatest weight, b * weight is
rounded up for each unit and a is what that leaves: steeper, it still meets R. Elsewhere both are rounded
down. Where units are many and light, as when goods are sold by the gram, the solver is given all costs
several times over, so that rounding tells less.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf

from oms.sourcing.cards import Rate
from oms.sourcing.instance import Instance, Location, Offer, Pick, Solution
from oms.sourcing.solver import solve
from oms.sourcing.solver.bound import ascend
from oms.sourcing.solver.clock import Deadline, OutOfTime
from oms.sourcing.solver.model import compile_model
from oms.sourcing.solver.search import fair_prices
from oms.values import frozen, replace

FEW = 50
"""Units that an order may have for each time that its costs are taken."""

ASCENT = 30
"""Steps to good prices, by which locations are left out."""

ROUNDS = 4
"""Plans that are tried for better ones at the root."""

type _Units = dict[tuple[str, int], int]
"""Units by location and index of the line."""


@frozen
class Freight:
    """What it costs a location to send some weight more.

    Attributes:
        rate: of its parcels.
        sent: grams that it sends already, which are paid for; None when it sends nothing yet.
    """

    rate: Rate
    sent: int | None = None

    def cost(self, grams: int) -> int:
        """Cost of sending `grams` besides, minor units."""
        if self.sent is None:
            return self.rate.price(grams)
        return self.rate.price(self.sent + grams) - self.rate.price(self.sent)

    def line(self, least: int, loads: Sequence[tuple[int, int]], scale: int) -> tuple[int, list[int]]:
        """A line below the cost: that edge of its lower convex hull which is the last not below 0 at 0.

        Args:
            least: the least weight that may be sent, grams.
            loads: the grams of a unit and the most units, of each line that may be sent.
            scale: how many times the costs are to be taken.

        Returns:
            What the line is worth at 0 grams, and what it rises by with a unit of each line; scaled.
        """
        most = sum([weight * units for weight, units in loads])
        sent = self.sent or 0
        paid = 0 if self.sent is None else self.rate.price(sent)
        points = [
            (end - sent, cost - paid) for end, cost in self.rate.steps(sent + most) if end - sent >= least
        ]
        grams, cost = most, self.cost(most)
        rise, run = 0, 1
        while points:
            left, rise, run = points[0][0], cost - points[0][1], grams - points[0][0]
            for point in points:
                if (cost - point[1]) * run > rise * (grams - point[0]):
                    left, rise, run = point[0], cost - point[1], grams - point[0]
            if cost * run >= rise * grams:
                break
            grams, cost = left, cost - rise
            rise, run = 0, 1
            points = [point for point in points if point[0] < left]
        if grams == most:
            each = [-(-scale * rise * weight // run) for weight, _ in loads]
            base = scale * cost - sum([more * units for more, (_, units) in zip(each, loads, strict=True)])
            if base >= 0:
                return base, each
        base = scale * cost - -(-scale * rise * grams // run)
        return base, [scale * rise * weight // run for weight, _ in loads]


@frozen
class Cargo:
    """What an order weighs, and who sends it by rate cards.

    Attributes:
        weights: of one unit of each line, grams.
        freights: by location that sends by a card.
    """

    weights: Sequence[int]
    freights: Mapping[str, Freight]

    def cost(self, instance: Instance, plan: Iterable[Pick]) -> int:
        """Freight of a plan of the order's instance, minor units."""
        if not self.freights:
            return 0
        weights = {line.sku: weight for line, weight in zip(instance.lines, self.weights, strict=True)}
        grams: Counter[str] = Counter()
        for location, sku, units in plan:
            grams[location] += weights[sku] * units
        return sum(freight.cost(grams[name]) for name, freight in self.freights.items() if name in grams)


NO_CARGO = Cargo((), {})
"""That of an order that nobody sends by a card."""


@dataclass(slots=True)
class _Node:
    """Plans in which each location ships at least `least` and at most `most` units of each line."""

    least: _Units
    most: _Units
    bound: int = 0
    plan: _Units = field(default_factory=dict)


def solve_stepped(
    instance: Instance,
    cargo: Cargo,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Solution:
    """Find a cheapest plan when some locations send by rate cards.

    Args:
        instance: the question, with all costs but the freight by cards.
        cargo: its lines' weights, and that freight.
        seconds: time budget; None to search until the answer is proven.
        clock: seconds, to measure the budget with.

    Returns:
        As `solve`, with the freight in its costs.
    """
    if not cargo.freights:
        return solve(instance, seconds, clock)
    return _Search(instance, cargo, seconds, clock).run()


class _Search:
    """Best-first branch and bound over the units that locations ship."""

    def __init__(
        self,
        instance: Instance,
        cargo: Cargo,
        seconds: float | None,
        clock: Callable[[], float],
    ) -> None:
        self.instance = instance
        self.weights = cargo.weights
        self.freights = cargo.freights
        self.clock = clock
        self.until = None if seconds is None else clock() + seconds
        self.scale = 1 + sum(line.units for line in instance.lines) // FEW
        self.locations = {location.id: location for location in instance.locations}
        self.places = {
            location.id: [(location.id, line) for line, _, _ in location.offers]
            for location in instance.locations
        }
        self.unit_costs = {
            (location.id, line): cost for location in instance.locations for line, _, cost in location.offers
        }
        self.limit = len(self.locations) if instance.max_locations is None else instance.max_locations
        self.plan: _Units = {}
        self.cost = self.price({})

    def run(self) -> Solution:
        """Search until nothing is left that may be cheaper, or the time is over."""
        root = _Node(
            {},
            {
                (location.id, line): min(units, self.instance.lines[line].units)
                for location in self.instance.locations
                for line, units, _ in location.offers
            },
        )
        relaxed = self.bound(root)
        if relaxed is not None and root.bound < self.cost:
            self.improve(root, relaxed)
            with suppress(OutOfTime):
                self.narrow(relaxed)
        nodes = [(root.bound, 0, root)]
        made = 0
        while nodes and nodes[0][0] < self.cost:
            if self.is_over():
                break
            for child in self.split(heappop(nodes)[2]):
                if self.bound(child) is not None and child.bound < self.cost:
                    made += 1
                    heappush(nodes, (child.bound, made, child))
        bound = min(self.cost, nodes[0][0]) if nodes else self.cost
        picks = tuple(
            Pick(name, self.instance.lines[line].sku, units)
            for (name, line), units in sorted(self.plan.items())
        )
        return Solution(picks, self.cost, bound, bound == self.cost)

    @property
    def left(self) -> float | None:
        """Seconds that are left; None without a budget."""
        return None if self.until is None else max(0.0, self.until - self.clock())

    def is_over(self) -> bool:
        """Whether the time is over."""
        return self.left == 0

    def narrow(self, relaxed: Instance) -> None:
        """Leave out the locations that no plan uses which is cheaper than the one that is known.

        At any prices of the lines a plan that uses a location costs at least the Lagrangian bound and the
        location's reduced cost (see `oms.sourcing.solver.bound`).

        Raises:
            OutOfTime: the time is over; all are kept.
        """
        deadline = Deadline(self.left, self.clock)
        deadline.check()
        model = compile_model(relaxed)
        target = self.scale * self.cost
        everywhere = list(range(len(model.fixed)))
        found, _ = ascend(model, fair_prices(model), [], everywhere, target, inf, ASCENT, deadline)
        reduced: dict[str, float] = {}
        for location in relaxed.locations:
            gains = [
                units * (found.prices[line] - cost)
                for line, units, cost in location.offers
                if found.prices[line] > cost
            ]
            reduced[location.id] = location.fixed_cost + relaxed.split_penalty - sum(gains)
        bound = sum(line.units * price for line, price in zip(relaxed.lines, found.prices, strict=True))
        bound += sum(min(0.0, cost) for cost in reduced.values()) - relaxed.split_penalty
        room = target - bound + model.tolerance
        self.locations = {
            name: location for name, location in self.locations.items() if reduced.get(name, inf) < room
        }

    def bound(self, node: _Node) -> Instance | None:
        """Give a node its bound and a plan that may be kept.

        Returns:
            The instance with lines that both are of; None when no plan is left in the node.
        """
        opened = {name for (name, _), units in node.least.items() if units}
        if len(opened) > self.limit:
            return None
        given, relaxed = self.relaxation(node, opened)
        if given is None or relaxed is None:
            return None
        solution = self.solve(node, relaxed)
        node.bound = max(node.bound, -(-(given + solution.bound) // self.scale))
        return relaxed

    def solve(self, node: _Node, relaxed: Instance) -> Solution:
        """Give a node the plan that is cheapest by its lines; keep it if none is cheaper by the cards."""
        solution = solve(relaxed, self.left, self.clock)
        lines = {line.sku: index for index, line in enumerate(self.instance.lines)}
        node.plan = {place: units for place, units in node.least.items() if units}
        for pick in solution.plan:
            place = (pick.location, lines[pick.sku])
            node.plan[place] = node.plan.get(place, 0) + pick.units
        if len({name for name, _ in node.plan}) <= self.limit:
            cost = self.price(node.plan)
            if cost < self.cost:
                self.plan, self.cost = node.plan, cost
        return solution

    def improve(self, root: _Node, relaxed: Instance) -> None:
        """Look for better plans: lines raised to the freight of the plan before lead to another one.

        Not a bound any more, but where the lines mislead, the next plan knows (dynamic slope scaling: Kim,
        Pardalos, A solution approach to the fixed charge network flow problem, 1999).
        """
        trial, raised = _Node({}, root.most, plan=root.plan), dict[str, int]()
        for _ in range(ROUNDS):
            gaps = self.gaps(trial)
            stuck = all(raised.get(name) == gap for name, gap in gaps.items())
            if stuck or self.is_over():
                return
            raised |= gaps
            locations = tuple(
                replace(location, fixed_cost=location.fixed_cost + raised.get(location.id, 0))
                for location in relaxed.locations
            )
            self.solve(trial, replace(relaxed, locations=locations))

    def relaxation(self, node: _Node, opened: set[str]) -> tuple[int | None, Instance | None]:
        """What is given out already costs, scaled, and what is left to decide, with lines for the freight."""
        scale, split = self.scale, self.instance.split_penalty
        wanted = [line.units for line in self.instance.lines]
        for (_, line), units in node.least.items():
            wanted[line] -= units
        if min(wanted, default=0) < 0:
            return None, None
        given = scale * split * max(0, len(opened) - 1)
        locations = []
        for name, location in self.locations.items():
            if name not in opened and len(opened) == self.limit:
                continue
            kept = [node.least.get(place, 0) for place in self.places[name]]
            fixed, freight = self.line_of(node, location)
            fixed += scale * location.fixed_cost
            offers = []
            for (line, _, cost), place, units, carried in zip(
                location.offers, self.places[name], kept, freight, strict=True
            ):
                each = scale * cost + carried
                given += units * each
                more = min(node.most[place] - units, wanted[line])
                if more > 0:
                    offers.append(Offer(line, more, each))
            room = location.capacity - sum(kept)
            if room < 0:
                return None, None
            if name in opened:
                given += fixed
                fixed = 0
            elif opened:
                fixed += scale * split
            if offers:
                locations.append(Location(name, fixed, room, tuple(offers)))
        lines = tuple(
            type(line)(line.sku, units, scale * line.backorder_cost)
            for line, units in zip(self.instance.lines, wanted, strict=True)
        )
        most = None if self.limit >= len(self.locations) else self.limit
        return given, Instance("", lines, tuple(locations), 0 if opened else scale * split, most)

    def line_of(self, node: _Node, location: Location) -> tuple[int, list[int]]:
        """The line below the freight of a location for the units that it may ship, as `Freight.line`."""
        freight = self.freights.get(location.id)
        if freight is None:
            return 0, [0] * len(location.offers)
        places = self.places[location.id]
        loads = [(self.weights[place[1]], node.most[place]) for place in places]
        least = sum([self.weights[place[1]] * node.least.get(place, 0) for place in places])
        if not least:
            least = min([weight for weight, units in loads if units], default=0)
        return freight.line(least, loads, self.scale)

    def gaps(self, node: _Node) -> dict[str, int]:
        """By how much the lines of the locations that a node's plan uses are below their freight, scaled."""
        gaps: dict[str, int] = {}
        for name in {name for name, _ in node.plan if name in self.freights and name in self.locations}:
            location = self.locations[name]
            base, each = self.line_of(node, location)
            ships = [node.plan.get((name, line), 0) for line, _, _ in location.offers]
            sent = sum(
                self.weights[offer.line] * units for offer, units in zip(location.offers, ships, strict=True)
            )
            below = base + sum(cost * units for cost, units in zip(each, ships, strict=True))
            gaps[name] = self.scale * self.freights[name].cost(sent) - below
        return gaps

    def price(self, plan: _Units) -> int:
        """What a plan costs, freight by the cards."""
        grams: dict[str, int] = {}
        waiting = [line.units for line in self.instance.lines]
        cost = 0
        for (name, line), units in plan.items():
            grams[name] = grams.get(name, 0) + units * self.weights[line]
            waiting[line] -= units
            cost += units * self.unit_costs[name, line]
        cost += sum(self.locations[name].fixed_cost for name in grams)
        cost += sum(self.freights[name].cost(sent) for name, sent in grams.items() if name in self.freights)
        cost += self.instance.split_penalty * max(0, len(grams) - 1)
        return cost + sum(
            line.backorder_cost * units for line, units in zip(self.instance.lines, waiting, strict=True)
        )

    def split(self, node: _Node) -> list[_Node]:
        """The plans of a node in two parts, by the units of a line that a location ships.

        Of the locations that the plan uses that one is taken whose line is furthest below its freight, and of
        its lines that one which leaves the most weight open.
        """
        gaps = self.gaps(node)
        places = [
            place for place, most in node.most.items() if place[0] in gaps and most > node.least.get(place, 0)
        ] or [place for place in node.plan if node.most[place] > node.least.get(place, 0)]
        if not places:
            return []

        def open_weight(place: tuple[str, int]) -> tuple[int, int]:
            name, line = place
            return gaps.get(name, 0), (node.most[place] - node.plan.get(place, 0)) * self.weights[line]

        place = max(places, key=open_weight)
        ships = node.plan.get(place, 0)
        limit = ships if ships < node.most[place] else ships - 1
        return [
            _Node(node.least, {**node.most, place: limit}, node.bound),
            _Node({**node.least, place: limit + 1}, node.most, node.bound),
        ]
