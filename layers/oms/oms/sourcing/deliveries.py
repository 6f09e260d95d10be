"""Sourcing an order: its deliveries one after the other, from one shelf."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from oms.inventory.availability import all_free, offered, takeable
from oms.inventory.model import Sku, Stock
from oms.inventory.network import Location, Network
from oms.inventory.safety import safety_at
from oms.orders.commands import Delivery, Method
from oms.orders.model import Order, OrderBody, OrderLine
from oms.sourcing.candidates import Question, Wanted, needs
from oms.sourcing.choose import SECONDS, Assignment, Decision, Shelf, choose
from oms.sourcing.profile import Profile

type Decisions = dict[str | None, Decision]
"""What was decided about each delivery of an order, by its id."""

AT_STORE = (Method.PICKUP, Method.SHIP_TO_STORE, Method.CARRY_OUT)
"""Ways in which a customer gets units at a location."""
_NO = ("", "0", "false", "no")
"""Values of a property that asks for nothing."""


def decide(
    order: Order,
    body: OrderBody,
    units: Mapping[str, int],
    network: Network,
    stocks: Mapping[str, Stock],
    at: datetime,
    *,
    served: bool = False,
    seconds: float | None = SECONDS,
) -> Decisions:
    """Choose locations for units of an order by the network's sourcing profile.

    A location that has said no to a line is not asked for it again.

    Args:
        order: whose; its pool names the locations.
        body: has the addresses, the services, and what the lines ask for besides the goods.
        units: how many need a source, by line; those of a sku that the catalogue does not know are left.
        network: channels, pools, locations and profile.
        stocks: of every sku concerned, as the order sees it.
        at: time of the decision, UTC.
        served: whether the units have waited, so that all that is free is theirs; new ones leave what others
            wait for.
        seconds: processor time for each delivery; None for as long as it takes.
    """
    pool = order.pool or ""
    members = network.members(pool)
    decisions: Decisions = {}
    for delivery_id, question in questions(order, body, units, network, stocks, at).items():
        shelf = shelf_of(stocks, network, pool, question.method, at, served=served)
        for taken in assignments_of(decisions):
            shelf.take(taken.location, taken.sku, taken.units)
        decisions[delivery_id] = choose(question, members, network.profile, shelf, seconds=seconds)
    return decisions


def assignments_of(decisions: Decisions) -> list[Assignment]:
    """All that was assigned, delivery by delivery."""
    return [assignment for decision in decisions.values() for assignment in decision.assignments]


def shelf_of(
    stocks: Mapping[str, Stock],
    network: Network,
    pool: str,
    method: Method,
    at: datetime,
    *,
    served: bool = False,
) -> Shelf:
    """What may be taken of a pool: all that is free for units that have waited, else what those leave.

    Args:
        stocks: by sku; those that the catalogue does not know are left out.
        network: the pool's locations, with their safety stock.
        pool: the pool.
        method: how it shall reach the customer; safety stock may depend on it.
        at: when, UTC; what lies at a location that is closed then is nobody's to take.
        served: whether it is for units that have waited.
    """
    sellable = network.sellable(pool, at)
    known = {sku: stock for sku, stock in stocks.items() if stock.sku is not None}
    safety = {sku: safety_at(stock.sku, sellable.values(), method) for sku, stock in known.items()}
    most = all_free if served else takeable
    return Shelf(
        {sku: _by_location(stock, safety[sku]) for sku, stock in known.items()},
        {sku: most(stock, capable(sellable, stock), safety[sku]) for sku, stock in known.items()},
    )


def questions(
    order: Order,
    body: OrderBody,
    units: Mapping[str, int],
    network: Network,
    stocks: Mapping[str, Stock],
    at: datetime,
) -> dict[str | None, Question]:
    """What is to be sourced of an order: a question for each delivery. Arguments as of `decide`.

    A line that too many locations have said no to is left out: a person has to find it a source.
    """
    properties = {line.line_id: line.properties for line in body.lines}
    rejected = rejections(order)
    wanted: dict[str | None, list[tuple[OrderLine, Wanted]]] = {}
    for line in order.lines:
        count = units.get(line.line_id, 0)
        stock = stocks.get(line.sku) if line.sku else None
        tired = len(rejected.get(line.line_id, ())) >= network.profile.attempts
        if count and stock is not None and stock.sku is not None and not tired:
            said = properties.get(line.line_id, {})
            one = want(line.line_id, count, stock.sku, said, network.profile)
            wanted.setdefault(line.delivery_id, []).append((line, one))
    return {
        delivery_id: ask(
            order.channel,
            [one for _, one in lines],
            delivery_of(order, body, delivery_id),
            network,
            at,
            sum(line.amount - line.discount for line, _ in lines),
            rejected,
        )
        for delivery_id, lines in wanted.items()
    }


def delivery_of(order: Order, body: OrderBody, delivery_id: str | None) -> Delivery:
    """A delivery of an order with its address; one of which nothing is known ships to nobody knows where."""
    kept = order.delivery(delivery_id)
    name = delivery_id or ""
    if kept is None:
        return Delivery(name, Method.SHIP)
    return Delivery(name, kept.method, body.services.get(name), body.ship_to.get(name), kept.location)


def want(line_id: str, units: int, sku: Sku, properties: Mapping[str, str], profile: Profile) -> Wanted:
    """Units of a line that need a source; properties with a value that means no ask for nothing."""
    asked = [name for name, value in properties.items() if value.lower() not in _NO]
    requires = needs(sku, asked, profile)
    return Wanted(line_id, sku.sku, units, sku.weight_g, requires, sku.ships_with)


def ask(
    channel_id: str,
    lines: Sequence[Wanted],
    delivery: Delivery,
    network: Network,
    at: datetime,
    value: int,
    rejected: Mapping[str, frozenset[str]] | None = None,
) -> Question:
    """What is to be sourced for one delivery of a channel."""
    channel = network.channels.get(channel_id)
    ours = channel.locations if channel else {}
    at_store = delivery.method in AT_STORE
    names = {line.line_id for line in lines}
    return Question(
        channel=channel_id,
        method=delivery.method,
        lines=tuple(lines),
        at=at,
        service=delivery.service,
        ship_to=delivery.ship_to,
        store=ours.get(delivery.location or "", delivery.location) if at_store else None,
        value=value,
        rejected={line_id: said for line_id, said in (rejected or {}).items() if line_id in names},
    )


def rejections(order: Order) -> dict[str, frozenset[str]]:
    """The locations that have said no, by line, as the order's journal has it."""
    said: dict[str, set[str]] = {}
    for entry in order.journal:
        if entry.data.get("rejected"):
            for line_id, location, _ in cast(Iterable[tuple[str, str, int]], entry.data["taken"]):
                said.setdefault(line_id, set()).add(location)
    return {line_id: frozenset(locations) for line_id, locations in said.items()}


def capable(sellable: Mapping[str, Location], stock: Stock) -> list[str]:
    """The locations that can do what a sku requires."""
    required = set(stock.sku.requires if stock.sku else ())
    return [name for name, location in sellable.items() if required <= set(location.can)]


def _by_location(stock: Stock, safety: Mapping[str, int]) -> dict[str, int] | None:
    """Units of a sku to be had by location of the pool; None when its stock is not counted."""
    return None if stock.sku is not None and not stock.sku.tracked else offered(stock, safety)
