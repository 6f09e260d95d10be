"""Sourcing an order: its deliveries one after the other, from one shelf."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from oms.inventory.availability import all_free, offered, takeable
from oms.inventory.model import Stock
from oms.inventory.network import Location, Network
from oms.orders.commands import Delivery, Method
from oms.orders.model import Order, OrderLine
from oms.sourcing.candidates import Question, Wanted, needs
from oms.sourcing.choose import SECONDS, Assignment, Decision, Shelf, choose

type Decisions = dict[str | None, Decision]
"""What was decided about each delivery of an order, by its id."""

_AT_STORE = (Method.PICKUP, Method.SHIP_TO_STORE, Method.CARRY_OUT)
_NO = ("", "0", "false", "no")
"""Values of a property that asks for nothing."""


def decide(
    order: Order,
    units: Mapping[str, int],
    deliveries: Mapping[str, Delivery],
    network: Network,
    stocks: Mapping[str, Stock],
    at: datetime,
    *,
    served: bool = False,
    properties: Mapping[str, Mapping[str, str]] | None = None,
    seconds: float | None = SECONDS,
) -> Decisions:
    """Choose locations for units of an order by the network's sourcing profile.

    A location that has said no to a line is not asked for it again.

    Args:
        order: whose; its pool names the locations.
        units: how many need a source, by line; those of a sku that the catalogue does not know are left.
        deliveries: by id, with their addresses.
        network: channels, pools, locations and profile.
        stocks: of every sku concerned.
        at: time of the decision, UTC.
        served: whether the units have waited, so that all that is free is theirs; new ones leave what others
            wait for.
        properties: of the lines, by their ids: what they ask for besides the goods.
        seconds: processor time for each delivery; None for as long as it takes.
    """
    shelf = shelf_of(stocks, network, order.pool or "", served=served)
    asked = questions(order, units, deliveries, network, stocks, at, properties or {})
    members = network.members(order.pool or "")
    return {
        delivery_id: choose(question, members, network.profile, shelf, seconds=seconds)
        for delivery_id, question in asked.items()
    }


def assignments_of(decisions: Decisions) -> list[Assignment]:
    """All that was assigned, delivery by delivery."""
    return [assignment for decision in decisions.values() for assignment in decision.assignments]


def shelf_of(stocks: Mapping[str, Stock], network: Network, pool: str, *, served: bool = False) -> Shelf:
    """What may be taken of a pool: all that is free for units that have waited, else what those leave.

    Args:
        stocks: by sku; those that the catalogue does not know are left out.
        network: the pool's locations, with their safety stock.
        pool: the pool.
        served: whether it is for units that have waited.
    """
    sellable = network.sellable(pool)
    safety = {location.id: location.safety_stock for location in sellable.values()}
    known = {sku: stock for sku, stock in stocks.items() if stock.sku is not None}
    most = all_free if served else takeable
    return Shelf(
        {sku: _by_location(stock, safety) for sku, stock in known.items()},
        {sku: most(stock, _capable(sellable, stock), safety) for sku, stock in known.items()},
    )


def questions(
    order: Order,
    units: Mapping[str, int],
    deliveries: Mapping[str, Delivery],
    network: Network,
    stocks: Mapping[str, Stock],
    at: datetime,
    properties: Mapping[str, Mapping[str, str]],
) -> dict[str | None, Question]:
    """What is to be sourced of an order: a question for each delivery. Arguments as of `decide`."""
    wanted: dict[str | None, list[tuple[OrderLine, Wanted]]] = {}
    for line in order.lines:
        count = units.get(line.line_id, 0)
        stock = stocks.get(line.sku) if line.sku else None
        if count and stock is not None and stock.sku is not None:
            sku = stock.sku
            said = properties.get(line.line_id, {})
            asked = [name for name, value in said.items() if value.lower() not in _NO]
            requires = needs(sku, asked, network.profile)
            one = Wanted(line.line_id, sku.sku, count, sku.weight_g, requires, sku.ships_with)
            wanted.setdefault(line.delivery_id, []).append((line, one))
    return {
        delivery_id: _question(order, deliveries.get(delivery_id or ""), lines, network, at)
        for delivery_id, lines in wanted.items()
    }


def _question(
    order: Order,
    delivery: Delivery | None,
    lines: list[tuple[OrderLine, Wanted]],
    network: Network,
    at: datetime,
) -> Question:
    said = rejections(order)
    question = Question(
        channel=order.channel,
        method=delivery.method if delivery else Method.SHIP,
        lines=tuple(one for _, one in lines),
        at=at,
        value=sum(line.amount - line.discount for line, _ in lines),
        rejected={line.line_id: said[line.line_id] for line, _ in lines if line.line_id in said},
    )
    if delivery is None:
        return question
    channel = network.channels.get(order.channel)
    ours = channel.locations if channel else {}
    store = ours.get(delivery.location or "", delivery.location) if delivery.method in _AT_STORE else None
    return replace(question, service=delivery.service, ship_to=delivery.ship_to, store=store)


def rejections(order: Order) -> dict[str, frozenset[str]]:
    """The locations that have said no, by line, as the order's journal has it."""
    said: dict[str, set[str]] = {}
    for entry in order.journal:
        if "rejected" in entry.kinds:
            for line_id, location, *_ in cast(Iterable[list[Any]], entry.data["rejected"]):
                said.setdefault(line_id, set()).add(location)
    return {line_id: frozenset(locations) for line_id, locations in said.items()}


def _capable(sellable: Mapping[str, Location], stock: Stock) -> list[str]:
    """The locations that can do what a sku requires."""
    required = set(stock.sku.requires if stock.sku else ())
    return [name for name, location in sellable.items() if required <= set(location.can)]


def _by_location(stock: Stock, safety: Mapping[str, int]) -> dict[str, int] | None:
    """Units of a sku to be had by location of the pool; None when its stock is not counted."""
    return None if stock.sku is not None and not stock.sku.tracked else offered(stock, safety)
