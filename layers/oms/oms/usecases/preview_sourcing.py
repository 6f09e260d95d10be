"""Preview sourcing: what would be decided for a basket or an order, and what may be promised; no write."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from datetime import date, datetime
from functools import partial

from oms.inventory.availability import seen_at
from oms.inventory.model import Capability, Delta, Sku, Stock
from oms.inventory.network import Location, Network
from oms.orders.commands import Address, Delivery, FulfilledBy, LineKind, Method
from oms.orders.kits import components
from oms.orders.model import Order, OrderBody
from oms.problems import Code, Problem
from oms.sourcing.alternatives import Alternative, Plan, alternatives
from oms.sourcing.calendar import ANY_SERVICE
from oms.sourcing.candidates import Question, Wanted, point_of
from oms.sourcing.choose import Decision, Shelf, choose
from oms.sourcing.deliveries import ask, delivery_of, shelf_of, want
from oms.sourcing.places import distance_km, locate
from oms.sourcing.profile import Profile
from oms.sourcing.promise import Promise, promise
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.values import frozen, replace

MOST_FED = 10
"""Pickup points that goods would have to be brought to, for which a plan is made; the nearest ones."""


@frozen
class BasketLine:
    """Units (smallest ones) of a sku, their value in minor units, and what is asked for besides the goods."""

    line_id: str
    sku: str
    units: int
    value: int
    properties: Mapping[str, str]


@frozen
class Basket:
    """What somebody may buy on a channel, and how it would reach him.

    `held` are units by sku and location that are his already: those of the order that the basket is made of.
    The kits of an order were expanded when it was `placed`.
    """

    channel: str
    lines: tuple[BasketLine, ...]
    delivery: Delivery
    held: Mapping[tuple[str, str], int] = field(default_factory=dict)
    placed: bool = False


@frozen
class Preview:
    """What would be decided, what could be promised, and what other plans would cost."""

    decision: Decision
    promise: Promise
    alternatives: tuple[Alternative, ...] = ()


@frozen
class PickupPoint:
    """A store where a basket can be picked up; `fed` when other locations have to send some of it there."""

    location: Location
    distance_km: int | None
    fed: bool
    promise: Promise


def preview(
    table: Table,
    network: Network,
    basket: Basket,
    now: datetime,
    profile: Profile | None = None,
    asked: Iterable[str] = (),
) -> Preview:
    """What would be decided for a basket now.

    Args:
        table: the store.
        network: channels, pools and locations.
        basket: the basket.
        now: UTC.
        profile: the rules, if not those that are active.
        asked: locations whose plan is to be compared.

    Raises:
        Problem: `channel_unknown`, or `field_invalid` for a sku that the catalogue does not know.
    """
    counter = _Counter(table, network, basket, now, profile)
    question = counter.question(basket.delivery)
    decision = counter.decide(question)
    plan = Plan(decision.used, decision.cost.total, sum(decision.missing.values()))
    shelf = partial(counter.shelf, question.method)
    others = alternatives(question, counter.members, counter.profile, shelf, plan, asked)
    return Preview(decision, counter.promise(question, decision), tuple(others))


def compare(
    table: Table,
    network: Network,
    basket: Basket,
    at: datetime,
    profile: Profile,
    plan: Plan,
    asked: Iterable[str],
) -> list[Alternative]:
    """What other plans than the one that was made would cost, were it not made yet.

    Args:
        table: the store; stock is as it is now, with what the order holds given back.
        network: channels, pools and locations.
        basket: of the order.
        at: when the plan was made, UTC.
        profile: the rules that it was made by.
        plan: the plan.
        asked: locations.

    Raises:
        Problem: as `preview`.
    """
    counter = _Counter(table, network, basket, at, profile)
    question = counter.question(basket.delivery)
    shelf = partial(counter.shelf, question.method)
    return alternatives(question, counter.members, profile, shelf, plan, asked)


def basket_of(
    order: Order,
    body: OrderBody,
    delivery_id: str | None,
    units: Mapping[str, int],
    held: Mapping[tuple[str, str], int],
) -> Basket:
    """Units of a delivery of an order as a basket.

    Args:
        order: whose.
        body: addresses, services, properties.
        delivery_id: which of its deliveries.
        units: by line.
        held: what the order has taken already, by sku and location.

    Raises:
        Problem: `field_invalid`, when there are no such units.
    """
    properties = {line.line_id: line.properties for line in body.lines}
    lines = tuple(
        BasketLine(
            line.line_id,
            line.sku,
            units[line.line_id],
            line.amount - line.discount,
            properties.get(line.line_id, {}),
        )
        for line in order.lines
        if line.sku and line.delivery_id == delivery_id and units.get(line.line_id)
    )
    if not lines:
        raise Problem(Code.FIELD_INVALID, f"delivery {delivery_id} has nothing to be sourced", "delivery")
    return Basket(order.channel, lines, delivery_of(order, body, delivery_id), held, placed=True)


def units_to_source(order: Order) -> dict[str, int]:
    """The units of an order that have a source which we keep, or need one; by line."""
    return {
        line.line_id: line.ordered - line.shipped - line.cancelled
        for line in order.lines
        if line.fulfilled_by is FulfilledBy.US and line.kind is LineKind.PHYSICAL
    }


def promises(
    table: Table, network: Network, basket: Basket, now: datetime
) -> list[tuple[str | None, Preview]]:
    """What may be promised for a basket, by each service of the profile; None is any that it does not name.

    Raises:
        Problem: as `preview`.
    """
    counter = _Counter(table, network, basket, now, None)
    named = sorted(name for name in counter.profile.services if name != ANY_SERVICE)
    options = []
    for service in (None, *named):
        question = counter.question(replace(basket.delivery, service=service))
        decision = counter.decide(question)
        options.append((service, Preview(decision, counter.promise(question, decision))))
    return options


def pickup_points(
    table: Table, network: Network, basket: Basket, near: Address, radius_km: int | None, now: datetime
) -> list[PickupPoint]:
    """Where a basket can be picked up as a whole, the nearest first.

    A store that has all of it offers it as soon as it can; one that may be fed offers it when it has come.

    Args:
        table: the store.
        network: channels, pools and locations.
        basket: the basket; its delivery is not looked at.
        near: where the buyer is, as far as it is known.
        radius_km: how far a store may be; None for any distance. A distance that nobody knows passes.
        now: UTC.

    Raises:
        Problem: as `preview`.
    """
    counter = _Counter(table, network, basket, now, None)
    place = locate(near)
    points = [
        (round(distance_km(point_of(location), place.point)) if place else None, location)
        for location in counter.members
        if location.active and Capability.PICKUP in location.can
    ]
    found: list[PickupPoint] = []
    fed = 0
    for km, location in sorted(points, key=lambda point: (point[0] or 0, point[1].priority, point[1].id)):
        if radius_km is not None and km is not None and km > radius_km:
            continue
        for method in (Method.PICKUP, Method.SHIP_TO_STORE):
            brought = method is Method.SHIP_TO_STORE
            if brought and (Capability.SHIP_TO_STORE not in location.can or fed == MOST_FED):
                continue
            fed += brought
            question = counter.question(Delivery("", method, location=location.id))
            decision = counter.decide(question, None if brought else [location])
            if not decision.missing:
                found.append(PickupPoint(location, km, brought, counter.promise(question, decision)))
                break
    return found


class _Counter:
    """Where questions about one basket are answered from one reading of its stock."""

    def __init__(
        self, table: Table, network: Network, basket: Basket, now: datetime, profile: Profile | None
    ) -> None:
        channel = network.channels.get(basket.channel)
        if channel is None:
            raise Problem(Code.CHANNEL_UNKNOWN, f"channel {basket.channel} is not configured", "channel")
        self.profile = profile or network.profile
        self.members = network.members(channel.pool)
        self._network = replace(network, profile=self.profile)
        self._pool = channel.pool
        self._basket = basket
        self._now = now
        read = read_stock(table, (line.sku for line in basket.lines))
        if not basket.placed:
            read |= read_stock(table, components(read))
        self._stocks = {sku: _with(seen_at(stock, now), sku, basket.held) for sku, stock in read.items()}
        self._lines: list[Wanted] = []
        self._kits: dict[str, list[str]] = {}
        for number, line in enumerate(basket.lines):
            sku = self._stocks[line.sku].sku
            if sku is None:
                detail = f"sku {line.sku} is not in the catalogue"
                raise Problem(Code.FIELD_INVALID, detail, f"lines[{number}].sku")
            if sku.kit and not basket.placed:
                self._kits[line.line_id] = [f"{line.line_id}/{part.sku}" for part in sku.kit]
                self._lines += self._parts(line, sku)
            else:
                self._lines.append(want(line.line_id, line.units, sku, line.properties, self.profile))

    def _parts(self, line: BasketLine, kit: Sku) -> Iterator[Wanted]:
        """What is wanted for a line of a kit, as placing expands it."""
        for part in kit.kit:
            known = self._stocks[part.sku].sku
            assert known is not None, "what a kit consists of is in the catalogue"
            name = f"{line.line_id}/{part.sku}"
            yield want(name, line.units * part.per_bundle, known, {}, self.profile)

    def question(self, delivery: Delivery) -> Question:
        value = sum(line.value for line in self._basket.lines)
        return ask(self._basket.channel, self._lines, delivery, self._network, self._now, value)

    def shelf(self, method: Method) -> Shelf:
        return shelf_of(self._stocks, self._network, self._pool, method, self._now)

    def decide(self, question: Question, members: Iterable[Location] | None = None) -> Decision:
        chosen = self.members if members is None else members
        return choose(question, chosen, self.profile, self.shelf(question.method))

    def promise(self, question: Question, decision: Decision) -> Promise:
        locations = {location.id: location for location in self.members}
        made = promise(question, decision, locations, self._stocks, self.profile)
        return replace(made, lines=self._whole(made.lines))

    def _whole(self, days: Mapping[str, date | None]) -> dict[str, date | None]:
        """The days by the basket's lines: a kit is there when the last of its parts is."""
        parts = {part for names in self._kits.values() for part in names}
        whole = {name: day for name, day in days.items() if name not in parts}
        for kit, names in self._kits.items():
            known = [day for name in names if (day := days[name]) is not None]
            whole[kit] = max(known) if len(known) == len(names) else None
        return whole


def _with(stock: Stock, sku: str, held: Mapping[tuple[str, str], int]) -> Stock:
    """The stock with units given back to their positions."""
    for position in stock.positions:
        units = held.get((sku, position.location), 0)
        if units:
            stock = stock.with_position(position.moved(Delta(allocated=-units)))
    return stock
