"""Who ships what once the set of used locations is known: a transportation problem, solved exactly."""

from collections.abc import Sequence
from math import inf

from oms.sourcing.solver.clock import Deadline
from oms.sourcing.solver.model import BACKORDER, Model

type Supplies = list[list[tuple[int, int, int]]]
"""Per line its (unit cost, units, location), dearest first; units nobody ships come from BACKORDER."""


def assign(model: Model, used: Sequence[int], deadline: Deadline, limit: float = inf) -> tuple[int, Supplies]:
    """The cheapest way to ship from the locations `used`.

    Without regard to capacities each line simply takes its cheapest units. Then every location over its
    capacity pushes units off along cheapest paths: successive shortest paths, which start from a flow that is
    optimal for the loads it has and keep it so (Ahuja, Magnanti, Orlin, Network Flows, 1993, section 9.7).

    Args:
        model: the model.
        used: the locations that may ship.
        deadline: when to give up.
        limit: unit costs from which on the caller has no use for the answer.

    Returns:
        The cost of the units, without fixed costs, and who ships them. If the cost is `limit` or more it is a
        lower bound of the true cost, and the supplies may break capacities.
    """
    cost, supplies = ignore_capacity(model, used)
    if cost < limit and any(model.tight[n] for n in used):
        flow = _Flow(model, used, supplies)
        cost = flow.unload(cost, limit, deadline)
        supplies = flow.supplies()
    return cost, supplies


def ignore_capacity(model: Model, used: Sequence[int]) -> tuple[int, Supplies]:
    """Each line takes its cheapest units from the locations `used`, however much they can ship in all."""
    supplies: Supplies = [[] for _ in model.demand]
    for n in used:
        for line, units, cost in model.offers[n]:
            supplies[line].append((cost, units, n))
    total = 0
    for line, wanted in enumerate(model.demand):
        missing = wanted
        taken = []
        for cost, units, n in sorted(supplies[line]):
            amount = units if units < missing else missing
            if amount == 0:
                break
            taken.append((cost, amount, n))
            total += cost * amount
            missing -= amount
        if missing:
            cost = model.backorder[line]
            taken.append((cost, missing, BACKORDER))
            total += cost * missing
        taken.reverse()
        supplies[line] = taken
    return total, supplies


class _Flow:
    """Units moved between places (locations and BACKORDER) until no capacity is broken.

    Attributes:
        shipped: units that a place ships, per line.
        room: units more that it could ship, per line.
        slack: units more that it could ship in all; below 0 when it is overloaded.
        moves: the cheapest line that may move from one place to another: (cost a unit, line).
    """

    def __init__(self, model: Model, used: Sequence[int], supplies: Supplies) -> None:
        self.model = model
        self.places = [*used, BACKORDER]
        self.costs = {n: {line: cost for line, _, cost in model.offers[n]} for n in used}
        self.costs[BACKORDER] = dict(enumerate(model.backorder))
        self.shipped = {n: [0] * len(model.demand) for n in self.places}
        self.room = {n: [0] * len(model.demand) for n in used}
        for n in used:
            room = self.room[n]
            for line, units, _ in model.offers[n]:
                room[line] = units
        self.room[BACKORDER] = list(model.demand)
        self.slack = {n: model.capacity[n] for n in used}
        self.slack[BACKORDER] = sum(model.demand)
        for line, taken in enumerate(supplies):
            for _, units, n in taken:
                self._ship(n, line, units)
        self.moves: dict[int, dict[int, tuple[int, int]]] = {n: {} for n in self.places}

    def _ship(self, place: int, line: int, units: int) -> None:
        self.shipped[place][line] += units
        self.room[place][line] -= units
        self.slack[place] -= units

    def unload(self, cost: int, limit: float, deadline: Deadline) -> int:
        """Push units off overloaded locations along cheapest paths; returns the new cost of the units."""
        for sender in self.places:
            for receiver in self.places:
                if sender != receiver:
                    self._find_move(sender, receiver)
        while cost < limit and (over := [n for n in self.places if self.slack[n] < 0]):
            deadline.check()
            path = self._cheapest_path(over)
            units = min(-self.slack[path[0][0]], self.slack[path[-1][1]])
            for sender, receiver, line in path:
                units = min(units, self.shipped[sender][line], self.room[receiver][line])
            for sender, receiver, line in path:
                self._ship(sender, line, -units)
                self._ship(receiver, line, units)
                cost += (self.costs[receiver][line] - self.costs[sender][line]) * units
            for sender, receiver, line in path:
                self._mend_moves(sender, line)
                self._mend_moves(receiver, line)
        return cost

    def supplies(self) -> Supplies:
        """The flow, per line."""
        return [
            sorted(
                ((self.costs[n][line], units, n) for n in self.places if (units := self.shipped[n][line])),
                reverse=True,
            )
            for line in range(len(self.model.demand))
        ]

    def _cheapest_path(self, over: list[int]) -> list[tuple[int, int, int]]:
        """The cheapest chain of moves (sender, receiver, line) from an overloaded place to one with slack.

        Bellman-Ford, for there are few places, and moves may cost less than nothing. BACKORDER always has
        slack.
        """
        distance: dict[int, float] = dict.fromkeys(self.places, inf) | dict.fromkeys(over, 0)
        last: dict[int, tuple[int, int, int]] = {}
        changed = True
        while changed:
            changed = False
            for sender, moves in self.moves.items():
                start = distance[sender]
                for receiver, (cost, line) in moves.items():
                    if start + cost < distance[receiver]:
                        distance[receiver] = start + cost
                        last[receiver] = (sender, receiver, line)
                        changed = True
        place = min((n for n in self.places if self.slack[n] > 0), key=distance.__getitem__)
        path = []
        while place in last:
            path.append(last[place])
            place = last[place][0]
        path.reverse()
        return path

    def _find_move(self, sender: int, receiver: int) -> None:
        self.moves[sender].pop(receiver, None)
        shipped, room = self.shipped[sender], self.room[receiver]
        for cost, line in self.model.moves(sender, receiver):
            if shipped[line] and room[line]:
                self.moves[sender][receiver] = (cost, line)
                return

    def _mend_moves(self, place: int, line: int) -> None:
        """Find the moves again that a change of the units of a line at a place has touched."""
        cost = self.costs[place][line]
        ships, fits = self.shipped[place][line], self.room[place][line]
        moves = self.moves[place]
        for other in self.places:
            if other == place:
                continue
            best = moves.get(other)
            if ships and self.room[other][line]:
                more = self.costs[other][line] - cost
                if best is None or more < best[0]:
                    moves[other] = (more, line)
            elif best is not None and best[1] == line:
                self._find_move(place, other)
            best = self.moves[other].get(place)
            if fits and self.shipped[other][line]:
                more = cost - self.costs[other][line]
                if best is None or more < best[0]:
                    self.moves[other][place] = (more, line)
            elif best is not None and best[1] == line:
                self._find_move(other, place)
