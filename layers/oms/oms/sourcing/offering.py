"""Offering: what a channel may sell of a sku, by the same rules by which an order of it would be sourced."""

from collections.abc import Mapping
from datetime import datetime

from oms.inventory.availability import Availability, Promise, availability, of_kit, seen_at
from oms.inventory.model import Sku, Stock
from oms.inventory.network import Channel, Network
from oms.inventory.safety import safety_at
from oms.orders.commands import Address, Method
from oms.sourcing.candidates import Question, Wanted
from oms.sourcing.choose import able
from oms.values import frozen, replace


@frozen
class Asker:
    """Who asks what he could buy: on a channel, with his cart, for an address or for a store to pick up at.

    `store` is our location. With neither, every location of the channel's pool counts that can do what the
    sku requires, with the safety stock of what is shipped.
    """

    channel: Channel
    reservation: str | None = None
    ship_to: Address | None = None
    store: str | None = None

    @property
    def method(self) -> Method:
        """How it shall reach him."""
        return Method.PICKUP if self.store else Method.SHIP


def offer(
    stocks: Mapping[str, Stock], sku: str, asker: Asker, network: Network, now: datetime
) -> Availability:
    """What may be sold of a sku: of a kit as many as its scarcest component allows.

    Args:
        stocks: as stored, of the sku and of the components of a kit.
        sku: which.
        asker: for whom.
        network: pools, locations and the sourcing profile.
        now: UTC.
    """
    stock = stocks.get(sku, Stock(None))
    kit = stock.sku.kit if stock.sku else ()
    if kit:
        return of_kit([(offer(stocks, part.sku, asker, network, now), part.per_bundle) for part in kit])
    seen = seen_at(stock, now, asker.reservation)
    pool, required = asker.channel.pool, stock.sku.requires if stock.sku else ()
    members = [member for member in network.members(pool) if member.is_open(now)]
    locations = [member.id for member in members if set(required) <= set(member.can)]
    safety = safety_at(stock.sku, members, asker.method)
    sources = _sources(stock.sku, asker, network, now)
    available = availability(seen, pool, locations, safety, asker.channel.buffer, sources)
    first = stock.sku.first_release_at if stock.sku else None
    if first is None or first <= now:
        return available
    return replace(available, incoming=_from(first, offer(stocks, sku, asker, network, first)))


def _from(first: datetime, then: Availability) -> tuple[Promise, ...]:
    """What can be promised from a first release on: what is on the shelves by then, and what comes later."""
    units = then.atp(first)
    later = tuple(promise for promise in then.incoming if promise.by > first)
    return (Promise(first, units), *later) if units else later


def _sources(sku: Sku | None, asker: Asker, network: Network, now: datetime) -> frozenset[str] | None:
    """The locations that an order of one unit could be sourced from; None when nothing limits them."""
    if sku is None or (asker.store is None and asker.ship_to is None):
        return None
    question = Question(
        channel=asker.channel.id,
        method=asker.method,
        lines=(Wanted("1", sku.sku, 1, sku.weight_g, sku.requires),),
        at=now,
        ship_to=asker.ship_to,
        store=asker.store,
    )
    return able(question, network.members(asker.channel.pool), network.profile)
