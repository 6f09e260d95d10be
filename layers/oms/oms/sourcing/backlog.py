"""Better plans for many orders together, before their work is released.

Orders planned one by one take what suits each of them best, and the later ones pay for it. A
large-neighbourhood search mends that (Shaw, Using constraint programming and local search methods to solve
vehicle routing problems, 1998): take a few orders that compete for the same stock out of their plans, put
them back one after the other, each by the exact solver, and keep the result if they cost less together.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from math import inf
from random import Random

from oms.problems import Code, Problem
from oms.sourcing.instance import Instance, Location, Offer, Pick, Solution, price
from oms.sourcing.stepped import NO_CARGO, Cargo, solve_stepped
from oms.values import frozen

type Plan = tuple[Pick, ...]

GROUP = 8
"""Orders planned again together."""
PATIENCE = 20
"""Steps without success for each order of the backlog after which the search ends."""
ORDER_SECONDS = 0.25
"""The longest that one order may take."""
CARGO_SECONDS = 0.05
"""The same for one that is sent by rate cards: what is not proven by then rarely is soon after."""
ALONE = 0.3
"""Share of the time in which the search learns what each order would cost if it were alone."""


@frozen
class Backlog:
    """Orders that share stock and capacity.

    Attributes:
        id: its name.
        orders: each as if it were alone; ids are unique.
        stock: units for all orders together, by location and sku.
        capacity: units that each location can ship for all orders together.
        cargoes: of the orders that locations send by rate cards, by order id.

    Raises:
        Problem: field_invalid, when two orders have one id.
    """

    id: str
    orders: tuple[Instance, ...]
    stock: Mapping[str, Mapping[str, int]]
    capacity: Mapping[str, int]
    cargoes: Mapping[str, Cargo] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for index, order in enumerate(self.orders):
            if order.id in seen:
                raise Problem(Code.FIELD_INVALID, f"{order.id} appears twice", f"orders[{index}].id")
            seen.add(order.id)


@frozen
class Move:
    """Orders that change their plans together, at less cost.

    It is one transaction: what one order gives up another may take.

    Attributes:
        before: the plans up to now, by order id.
        after: the plans from now on, of the same orders.
        saved: cost before less cost after, minor units.
    """

    before: dict[str, Plan]
    after: dict[str, Plan]
    saved: int


class Planning:
    """The plans of a backlog, and what they leave of stock and capacity.

    Args:
        backlog: the orders.
        plans: the plans to start from, by order id; an order that is not in them ships nothing yet.

    Attributes:
        orders: the orders, by id.
        plans: the plan of each order, by id.
        costs: its cost, minor units.
        fixed: orders whose plans stay as they are; of a move that was lost, somebody else has written one.

    Raises:
        Problem: field_invalid, when a plan is illegal or the plans together take more than there is.
    """

    def __init__(self, backlog: Backlog, plans: Mapping[str, Plan]) -> None:
        self.orders = {order.id: order for order in backlog.orders}
        self.plans: dict[str, Plan] = {}
        self.costs: dict[str, int] = {}
        self.fixed: set[str] = set()
        self._cargoes = backlog.cargoes
        self._stock = {location: defaultdict(int, shelf) for location, shelf in backlog.stock.items()}
        self._room = dict(backlog.capacity)
        for order in backlog.orders:
            plan = plans.get(order.id, ())
            self.put(order.id, plan, self.price(order.id, plan))
        for location, shelf in self._stock.items():
            if self._room[location] < 0 or min(shelf.values(), default=0) < 0:
                raise Problem(
                    Code.FIELD_INVALID, f"The plans together take too much from {location}", "plans"
                )

    @property
    def cost(self) -> int:
        """The cost of all plans, minor units."""
        return sum(self.costs.values())

    @property
    def splits(self) -> int:
        """Locations used beyond the first, over all orders."""
        return sum(max(0, len({pick.location for pick in plan}) - 1) for plan in self.plans.values())

    def price(self, order_id: str, plan: Plan) -> int:
        """The cost of a plan of an order, freight by rate cards included, minor units.

        Raises:
            Problem: field_invalid, when the plan is illegal.
        """
        order = self.orders[order_id]
        return price(order, plan).total + self._cargoes.get(order_id, NO_CARGO).cost(order, plan)

    def solve(self, order: Instance, seconds: float = inf) -> Solution:
        """The best plan of an order, or of what is left for it, that is found within its time."""
        cargo = self._cargoes.get(order.id, NO_CARGO)
        return solve_stepped(order, cargo, min(seconds, CARGO_SECONDS if cargo.freights else ORDER_SECONDS))

    def plan(self, order_id: str) -> None:
        """Give an order that ships nothing yet the best plan that is left for it."""
        solution = self.solve(self._what_is_left(self.orders[order_id]))
        self.put(order_id, solution.plan, solution.cost)

    def withdraw(self, order_id: str) -> None:
        """Take an order out of its plan."""
        self._take(self.plans[order_id], -1)
        order = self.orders[order_id]
        self.put(order_id, (), sum([line.units * line.backorder_cost for line in order.lines]))

    def undo(self, move: Move) -> None:
        """Take back the latest move, and leave its orders as they are from now on."""
        self.fixed.update(move.after)
        for order_id in move.after:
            self.withdraw(order_id)
        for order_id, plan in move.before.items():
            self.put(order_id, plan, self.price(order_id, plan))

    def put(self, order_id: str, plan: Plan, cost: int) -> None:
        """Give an order that ships nothing yet a plan, which costs `cost`."""
        self._take(plan, 1)
        self.plans[order_id] = plan
        self.costs[order_id] = cost

    def _take(self, plan: Plan, sign: int) -> None:
        for location, sku, units in plan:
            self._stock[location][sku] -= sign * units
            self._room[location] -= sign * units

    def _what_is_left(self, order: Instance) -> Instance:
        skus = [line.sku for line in order.lines]
        locations = []
        for location in order.locations:
            room = min(location.capacity, self._room[location.id])
            shelf = self._stock[location.id]
            offers = tuple(
                [
                    Offer(line, min(units, left), cost)
                    for line, units, cost in location.offers
                    if (left := shelf[skus[line]])
                ]
            )
            if room and offers:
                locations.append(Location(location.id, location.fixed_cost, room, offers))
        return Instance(order.id, order.lines, tuple(locations), order.split_penalty, order.max_locations)


def plan_in_turn(backlog: Backlog) -> Planning:
    """Each order by the exact solver, one after the other: where a backlog starts."""
    planning = Planning(backlog, {})
    for order_id in planning.orders:
        planning.plan(order_id)
    return planning


class Optimiser:
    """Betters the plans of a backlog, step by step.

    Args:
        backlog: the orders.
        planning: their plans; changed in place.
        seed: of the random choices.
        seconds: for each order, to learn what it would cost if it were alone.
    """

    def __init__(
        self, backlog: Backlog, planning: Planning, seed: int = 0, seconds: float = ORDER_SECONDS
    ) -> None:
        self.planning = planning
        self._random = Random(seed)
        self._wanting: dict[str, list[str]] = defaultdict(list)
        self._least: dict[str, int] = {}
        for order in backlog.orders:
            for line in order.lines:
                self._wanting[line.sku].append(order.id)
            self._least[order.id] = planning.solve(order, seconds).bound

    @property
    def settled(self) -> bool:
        """Whether every order has the plan that it would have alone: no plans cost less."""
        return all(cost == self._least[order_id] for order_id, cost in self.planning.costs.items())

    def step(self) -> Move | None:
        """Plan one group of orders again.

        Returns:
            The move, already made in the planning; None if it would not save anything.
        """
        planning = self.planning
        group = self._group()
        if not group:
            return None
        before = {order_id: (planning.plans[order_id], planning.costs[order_id]) for order_id in group}
        cost = sum(planning.costs[order_id] for order_id in group)
        for order_id in group:
            planning.withdraw(order_id)
        if self._random.random() < 0.5:
            self._random.shuffle(group)
        new_cost = sum(self._least[order_id] for order_id in group)
        for order_id in group:
            planning.plan(order_id)
            new_cost += planning.costs[order_id] - self._least[order_id]
            if new_cost >= cost:
                break
        else:
            after = {order_id: planning.plans[order_id] for order_id in group}
            return Move({order_id: plan for order_id, (plan, _) in before.items()}, after, cost - new_cost)
        for order_id in group:
            planning.withdraw(order_id)
        for order_id, (plan, old_cost) in before.items():
            planning.put(order_id, plan, old_cost)
        return None

    def _group(self) -> list[str]:
        """An order that pays for the others, likelier the more it pays, and some that share skus with it."""
        planning = self.planning
        regrets = {
            order_id: 1 + cost - self._least[order_id]
            for order_id, cost in planning.costs.items()
            if order_id not in planning.fixed
        }
        if not regrets:
            return []
        group = self._random.choices(list(regrets), weights=list(regrets.values()))
        while len(group) < GROUP:
            order = planning.orders[self._random.choice(group)]
            linked = [
                order_id
                for line in order.lines
                for order_id in self._wanting[line.sku]
                if order_id not in group and order_id not in planning.fixed
            ]
            if not linked:
                break
            group.append(self._random.choice(linked))
        return group


def reoptimise(
    backlog: Backlog,
    planning: Planning,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
    seed: int = 0,
) -> Iterator[Move]:
    """Better the plans of a backlog within a time budget.

    Args:
        backlog: the orders.
        planning: their plans; changed in place, always legal, never dearer. To resume, pass it again.
        seconds: the time budget.
        clock: seconds, to measure the budget with.
        seed: of the random choices.

    Yields:
        Each move as it is made. One that cannot be carried out is taken back by `planning.undo(move)`.
    """
    end = clock() + seconds
    optimiser = Optimiser(backlog, planning, seed, ALONE * seconds / max(1, len(backlog.orders)))
    idle = 0
    while clock() < end and idle < PATIENCE * len(planning.orders) and not optimiser.settled:
        move = optimiser.step()
        idle = 0 if move else idle + 1
        if move:
            yield move
