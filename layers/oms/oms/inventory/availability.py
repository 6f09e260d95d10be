"""Available to sell: the one arithmetic for product page, cart, sourcing and channel feeds."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from oms.inventory.model import Position, Stock
from oms.inventory.network import Network


@dataclass(frozen=True, slots=True)
class Availability:
    """Answer for one sku in one pool.

    `ats` is what a channel may sell now, backorders included; `net` is free less waiting, unclamped;
    `waiting` the units ordered without a source.
    """

    ats: int | None
    net: int
    waiting: int


def seen_at(stock: Stock, now: datetime, reservation: str | None = None) -> Stock:
    """Stock as a buyer meets it: what expired reservations held is free, what his own cart holds is his.

    Args:
        stock: as stored.
        now: UTC.
        reservation: his own.
    """
    expired, own = Counter[str](), Counter[str]()
    for row in stock.reserved:
        if row.expires_at <= now:
            expired[row.location] += row.units
        elif row.reservation == reservation:
            own[row.location] += row.units
    positions = (
        replace(held, reserved=held.reserved - back, uncommitted=held.uncommitted + back)
        if (back := expired[held.location])
        else held
        for held in stock.positions
    )
    return replace(stock, positions=tuple(positions), reserved=(), own=own)


def free(position: Position, safety_stock: int = 0) -> int:
    """Units of a position that a new order may take: uncommitted less safety stock, never below 0."""
    return max(0, position.uncommitted - safety_stock)


def waiting(stock: Stock) -> int:
    """Units of the sku that wait for a source, over every pool (pools share positions)."""
    return sum(demand.waiting for demand in stock.demands)


def offered(stock: Stock, safety: Mapping[str, int]) -> dict[str, int]:
    """Units that an order may take at each location, were it alone: the free ones, and those of its cart.

    Args:
        stock: as seen by the order.
        safety: safety stock by location, units; a location that is not there is none of the pool's.
    """
    return {
        held.location: free(held, safety[held.location]) + _own(stock, held)
        for held in stock.positions
        if held.location in safety
    }


def takeable(stock: Stock, locations: Collection[str], safety: Mapping[str, int]) -> int:
    """How many units a new order may take from `locations`: waiting ones come first, but not before its cart.

    Args:
        stock: all positions and demand of one sku, as seen by the order.
        locations: the pool's active, capable locations.
        safety: safety stock by location, units.
    """
    return _all_own(stock, locations) + max(0, all_free(stock, locations, safety) - waiting(stock))


def can_serve(stock: Stock, network: Network) -> bool:
    """Whether units of a sku wait in a pool that has some free for them."""
    if stock.sku is None:
        return False
    for demand in stock.demands:
        sellable = network.sellable(demand.pool)
        safety = {location.id: location.safety_stock for location in sellable.values()}
        if demand.waiting > 0 and (not stock.sku.tracked or all_free(stock, sellable, safety)):
            return True
    return False


def availability(
    stock: Stock, pool: str, locations: Collection[str], safety: Mapping[str, int], channel_buffer: int = 0
) -> Availability:
    """ATS of one sku for a channel: max(0, s - buffer) + max(0, backorder_limit - max(0, -s)).

    `ats` is None when the sku is not tracked or the pool's backorder limit is unlimited: no number bounds it.
    It is 0 for a sku that the catalogue does not know, since orders of it are not given sources.
    """
    owed = waiting(stock)
    net = all_free(stock, locations, safety) - owed
    demand = next((demand for demand in stock.demands if demand.pool == pool), None)
    limit = demand.backorder_limit if demand else 0
    if stock.sku is None:
        return Availability(0, net, owed)
    if limit is None or not stock.sku.tracked:
        return Availability(None, net, owed)
    own = _all_own(stock, locations)
    return Availability(own + max(0, net - channel_buffer) + max(0, limit - max(0, -net)), net, owed)


def _own(stock: Stock, position: Position) -> int:
    """Units of the cart's own at a position; of a shelf that a count has found too short, what is left."""
    units = stock.own.get(position.location, 0)
    return max(0, units + min(0, position.uncommitted))


def _all_own(stock: Stock, locations: Collection[str]) -> int:
    return sum(_own(stock, position) for position in stock.positions if position.location in locations)


def all_free(stock: Stock, locations: Collection[str], safety: Mapping[str, int]) -> int:
    """How many units are free at `locations`, each position for itself: what waiting orders may take."""
    return sum(
        free(position, safety.get(position.location, 0))
        for position in stock.positions
        if position.location in locations
    )
