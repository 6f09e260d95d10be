"""Planning orders again together: until their work is released, units may still come from elsewhere.

Each order got what suited it best when it came. A backlog of them (`oms.sourcing.backlog`) is planned again
by the rules by which orders are placed. Those deliveries take part that are shipped, and whose units with a
source may all still be moved. A held order does not: whoever lifts its hold finds its units where he saw
them, and others do not pay for an order that may never be released.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from oms.inventory.availability import offered, seen_at
from oms.inventory.model import Delta, Deltas, Stock, add
from oms.inventory.network import Network
from oms.inventory.reservations import ending
from oms.inventory.safety import safety_at, safety_stock
from oms.orders.claims import Reclaimed, promised
from oms.orders.commands import FulfilledBy, Method
from oms.orders.model import Entry, Order, OrderBody, OrderLine, Stage
from oms.orders.work import releasable
from oms.problems import Problem
from oms.sourcing.backlog import Backlog, Move, Plan
from oms.sourcing.choose import Shelf, instance_of
from oms.sourcing.deliveries import questions
from oms.sourcing.instance import Instance, Pick, price
from oms.sourcing.stepped import Cargo
from oms.values import frozen, replace


@frozen
class Unreleased:
    """Deliveries that are planned again together.

    Attributes:
        backlog: the deliveries, and the stock that they share: theirs, and what nobody else has a claim on.
        plans: where their units come from now, by delivery.
        parts: the order and the delivery of each, by its name in the backlog.
    """

    backlog: Backlog
    plans: Mapping[str, Plan]
    parts: Mapping[str, tuple[str, str | None]]


@frozen
class Replanned:
    """What a move changes, all of it in one transaction.

    Attributes:
        orders: those whose units come from elsewhere now, each at its next version.
        stock: what all of them together change of it; its order is one of them.
    """

    orders: tuple[Order, ...]
    stock: Reclaimed


def unreleased(
    orders: Iterable[tuple[Order, OrderBody]],
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> Unreleased:
    """The deliveries of some orders that may be planned again.

    Args:
        orders: any.
        network: pools, locations and profile.
        stocks: of every sku of theirs, as stored; of one that somebody waits for nothing free is taken.
        now: UTC.
    """
    known = list(orders)
    taking = {
        (order.order_id, delivery.id): lines
        for order, _ in known
        if releasable(order)
        for delivery in order.deliveries
        if delivery.method is Method.SHIP and (lines := _movable(order, delivery.id))
    }
    shared = _shared([line for lines in taking.values() for line in lines], network, stocks, now)
    shelf = Shelf(shared, {sku: sum(there.values()) for sku, there in shared.items()})
    instances: list[Instance] = []
    cargoes: dict[str, Cargo] = {}
    plans: dict[str, Plan] = {}
    parts: dict[str, tuple[str, str | None]] = {}
    for order, body in known:
        units = {
            line.line_id: line.allocated
            for delivery in order.deliveries
            for line in taking.get((order.order_id, delivery.id), ())
        }
        members = network.members(order.pool or "")
        for delivery_id, question in questions(order, body, units, network, stocks, now).items():
            lines = taking[order.order_id, delivery_id or ""]
            ships = {line.line_id: {entry.location for entry in line.entries} for line in lines}
            there = set[str]().union(*ships.values())
            if len(question.lines) < len(lines) or not there <= {member.id for member in members}:
                continue
            name = f"{order.order_id} {delivery_id}"
            found = instance_of(name, question, members, network.profile, shelf, ships)
            if found is not None and _is_legal(found[0], _plan(lines)):
                instance, cargoes[name] = found
                instances.append(instance)
                plans[name] = _plan(lines)
                parts[name] = (order.order_id, delivery_id)
    by_location: dict[str, dict[str, int]] = {}
    for sku, there_of in shared.items():
        for location, count in there_of.items():
            by_location.setdefault(location, {})[sku] = count
    room = {location: sum(skus.values()) for location, skus in by_location.items()}
    return Unreleased(Backlog("unreleased", tuple(instances), by_location, room, cargoes), plans, parts)


def carry_out(
    made: Move,
    those: Unreleased,
    orders: Mapping[str, Order],
    stocks: Mapping[str, Stock],
    network: Network,
    now: datetime,
) -> Replanned:
    """What it takes to carry a move out.

    Args:
        made: the move.
        those: the deliveries.
        orders: as they stand, by id.
        stocks: as they stand, by sku.
        network: names what a location keeps back.
        now: UTC.
    """
    instances = {order.id: order for order in those.backlog.orders}
    changed = dict[str, Order]()
    moved: dict[str, tuple[list[object], list[object]]] = {}
    costs = Counter[tuple[str, int]]()
    for name, plan in made.after.items():
        if set(plan) == set(made.before[name]):
            continue
        order_id, delivery_id = those.parts[name]
        order = changed.get(order_id, orders[order_id])
        came, left = moved.setdefault(order_id, ([], []))
        lines = _reassigned(order, delivery_id or "", plan, len(came))
        for line in lines.values():
            before = order.line(line.line_id)
            difference = _by_location(line)
            difference.subtract(_by_location(before) if before else ())
            came += [[line.line_id, place, units] for place, units in difference.items() if units > 0]
            left += [[line.line_id, place, -units] for place, units in difference.items() if units < 0]
        changed[order_id] = order.with_lines(lines)
        for index, chosen in enumerate((made.before[name], plan)):
            instance, cargo = instances[name], those.backlog.cargoes[name]
            costs[order_id, index] += price(instance, chosen).total + cargo.cost(instance, chosen)
    deltas: Deltas = {}
    claims = Counter[tuple[str, str]]()
    for order_id, order in changed.items():
        claims.update(promised(order))
        claims.subtract(promised(orders[order_id]))
    taken = {place: units for place, units in claims.items() if units > 0}
    safety = {(sku, name): safety_stock(stocks[sku].sku, network.locations[name]) for sku, name in taken}
    for (sku, location), units in claims.items():
        if units:
            add(deltas, sku, location, Delta(allocated=units, safety=safety.get((sku, location), 0)))
    ended = ending(stocks, taken, safety, now)
    for row in ended:
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    written = []
    for order_id, order in changed.items():
        came, left = moved[order_id]
        cost = [costs[order_id, 0], costs[order_id, 1]]
        data = {"moved": came, "from": left, "cost": cost, "saved": made.saved}
        written.append(order.written(now, "replanned", data=data))
    return Replanned(tuple(written), Reclaimed(written[0], deltas, (), ended))


def _movable(order: Order, delivery_id: str) -> list[OrderLine]:
    """The lines of a delivery that have units with a source; none when some of them must stay."""
    ours = [
        line
        for line in order.lines
        if line.delivery_id == delivery_id and line.fulfilled_by is FulfilledBy.US and line.entries
    ]
    free = all(
        line.touches_stock and entry.stage is Stage.ALLOCATED and entry.supply is None
        for line in ours
        for entry in line.entries
    )
    return ours if free else []


def _shared(
    lines: Iterable[OrderLine], network: Network, stocks: Mapping[str, Stock], now: datetime
) -> dict[str, dict[str, int]]:
    """What the lines have, and what is free for them, by sku and location."""
    shared: dict[str, Counter[str]] = {}
    for line in lines:
        sku = line.sku or ""
        if sku not in shared:
            shared[sku] = Counter(_free(stocks.get(sku, Stock(None)), network, now))
        shared[sku].update(_by_location(line))
    return {sku: dict(there) for sku, there in shared.items()}


def _free(stock: Stock, network: Network, now: datetime) -> dict[str, int]:
    """Units that nobody has a claim on, by location; none of a sku that somebody waits for."""
    if any(demand.waiting for demand in stock.demands):
        return {}
    return offered(seen_at(stock, now), safety_at(stock.sku, network.locations.values()))


def _by_location(line: OrderLine) -> Counter[str]:
    units = Counter[str]()
    for entry in line.entries:
        units[entry.location] += entry.units
    return units


def _is_legal(instance: Instance, plan: Plan) -> bool:
    """Whether a plan made by other rules, of an earlier profile or another line, is one by those of now."""
    try:
        price(instance, plan)
    except Problem:
        return False
    return True


def _plan(lines: Iterable[OrderLine]) -> Plan:
    units = Counter[tuple[str, str]]()
    for line in lines:
        for location, count in _by_location(line).items():
            units[location, line.sku or ""] += count
    return tuple(Pick(location, sku, count) for (location, sku), count in sorted(units.items()))


def _reassigned(order: Order, delivery_id: str, plan: Plan, number: int) -> dict[str, OrderLine]:
    """The lines of a delivery by a plan; units that stay where they are keep their entry.

    `number` is that of the last new entry of the same write.
    """
    left = Counter({(pick.sku, pick.location): pick.units for pick in plan})
    entries: dict[str, list[Entry]] = {}
    lines = _movable(order, delivery_id)
    for line in lines:
        kept = entries[line.line_id] = []
        for entry in line.entries:
            place = (line.sku or "", entry.location)
            units = min(entry.units, left[place])
            left[place] -= units
            if units:
                kept.append(replace(entry, units=units))
    for line in lines:
        missing = line.allocated - sum(entry.units for entry in entries[line.line_id])
        for (sku, location), there in left.items():
            units = min(missing, there) if sku == line.sku else 0
            if units:
                number += 1
                entries[line.line_id].append(Entry(f"{order.v + 1}.{number}", location, units))
                left[sku, location] -= units
                missing -= units
    return {
        line.line_id: replace(line, entries=tuple(entries[line.line_id]))
        for line in lines
        if tuple(entries[line.line_id]) != line.entries
    }
