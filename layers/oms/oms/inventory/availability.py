"""Available to sell: the one arithmetic for product page, cart, sourcing and channel feeds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from oms.inventory.model import Position, Stock


@dataclass(frozen=True, slots=True)
class Availability:
    """Answer for one sku in one pool.

    `ats` is what a channel may sell now, backorders included; `net` is free less waiting, unclamped;
    `waiting` the units ordered without a source.
    """

    ats: int | None
    net: int
    waiting: int


def free(position: Position, safety_stock: int = 0) -> int:
    """Units of a position that a new order may take: uncommitted less safety stock, never below 0."""
    return max(0, position.uncommitted - safety_stock)


def waiting(stock: Stock) -> int:
    """Units of the sku that wait for a source, over every pool (pools share positions)."""
    return sum(demand.waiting for demand in stock.demands)


def takeable(stock: Stock, locations: Collection[str], safety: Mapping[str, int]) -> int:
    """How many units new orders may take from `locations`: waiting orders come first.

    Args:
        stock: all positions and demand of one sku.
        locations: the pool's active, capable locations.
        safety: safety stock by location, units.
    """
    return max(0, all_free(stock, locations, safety) - waiting(stock))


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
    return Availability(max(0, net - channel_buffer) + max(0, limit - max(0, -net)), net, owed)


def all_free(stock: Stock, locations: Collection[str], safety: Mapping[str, int]) -> int:
    """How many units are free at `locations`, each position for itself: what waiting orders may take."""
    return sum(
        free(position, safety.get(position.location, 0))
        for position in stock.positions
        if position.location in locations
    )
