"""Available to sell: the one arithmetic for product page, cart, sourcing and channel feeds."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from oms.inventory.model import Position, Stock, Supply
from oms.inventory.network import Network
from oms.inventory.safety import least_safety_at
from oms.values import frozen, replace


@frozen
class Promise:
    """Units that can be promised for a time (UTC), those in stock and those due before among them."""

    by: datetime
    units: int


@frozen
class Availability:
    """Answer for one sku in one pool, to one who asks.

    `ats` is what may be sold now: `in_stock`, and `backorderable` beyond it. None: no number bounds it. `net`
    is free less waiting, unclamped; `waiting` the units ordered without a source. `incoming` tells from when
    on more can be promised than what is in stock, with the rest of the supply that is announced.
    """

    ats: int | None
    net: int
    waiting: int
    in_stock: int | None = 0
    backorderable: int | None = 0
    incoming: tuple[Promise, ...] = ()

    def atp(self, by: datetime) -> int | None:
        """Units that can be promised for a time (UTC), backorders without supply not among them."""
        due = [promise.units for promise in self.incoming if promise.by <= by]
        return due[-1] if due and self.in_stock is not None else self.in_stock

    @property
    def expected_at(self) -> datetime | None:
        """When the first unit beyond those in stock can be had; None when no supply is announced for it."""
        return self.incoming[0].by if self.incoming else None


def seen_at(stock: Stock, now: datetime, reservation: str | None = None) -> Stock:
    """Stock as a buyer meets it: what expired reservations held is free, what his own cart holds is his.

    Before the sku's first release nothing of it is free or held, and what may wait are pre-orders. Supply
    that is late is due now at the earliest, what comes before a first release is due then.

    Args:
        stock: as stored.
        now: UTC.
        reservation: his own.
    """
    if stock.sku is not None and not stock.is_released(now):
        first = stock.sku.first_release_at or now
        return replace(
            stock,
            supplies=_due_from(first, stock),
            sku=replace(stock.sku, tracked=True),
            positions=tuple(replace(held, uncommitted=0) for held in stock.positions),
            demands=tuple(replace(one, backorder_limit=one.preorder_limit) for one in stock.demands),
            reserved=(),
        )
    if not stock.reserved and not stock.supplies:
        return stock
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
    supplies = _due_from(now, stock)
    return replace(stock, positions=tuple(positions), supplies=supplies, reserved=(), own=own)


def covered_at(
    stock: Stock, locations: Collection[str], safety: Mapping[str, int], units: int, now: datetime
) -> datetime | None:
    """When there will be so many units more than wait already, as supply is announced; None: nobody knows.

    Units that start to wait stand behind all others: what comes first is for those. Before a sku's first
    release nothing of it comes, and at that moment what is on the shelves by now. Of supply that is late
    nobody knows when it comes.

    Args:
        stock: as stored, without the units.
        locations: from where they can come.
        safety: safety stock by location, units.
        units: how many, none of which can be had now.
        now: UTC.
    """
    first = stock.sku.first_release_at if stock.sku else None
    moment = max(now, first or now)
    then = seen_at(stock, moment)
    spare = all_free(then, locations, safety) - waiting(then)
    if moment > now and (spare >= units or not (then.sku and then.sku.tracked)):
        return moment
    # What is free now and wanted by nobody else is nothing that these units can use.
    missing = units - (spare if moment > now else min(0, spare))
    for supply in sorted(then.supplies, key=lambda supply: supply.due):
        missing -= supply.promisable if supply.location in locations else 0
        if missing <= 0:
            return supply.due if supply.due > now else None
    return None


def _due_from(moment: datetime, stock: Stock) -> tuple[Supply, ...]:
    """A stock's supply, none of it due before a moment."""
    return tuple(replace(supply, due=max(supply.due, moment)) for supply in stock.supplies)


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
    """Whether units of a sku wait in a pool that has some free for them, however they are delivered."""
    if stock.sku is None:
        return False
    for demand in stock.demands:
        sellable = network.sellable(demand.pool)
        safety = least_safety_at(stock.sku, sellable.values())
        if demand.waiting > 0 and (not stock.sku.tracked or all_free(stock, sellable, safety)):
            return True
    return False


def availability(
    stock: Stock,
    pool: str,
    locations: Collection[str],
    safety: Mapping[str, int],
    channel_buffer: int = 0,
    sources: Collection[str] | None = None,
) -> Availability:
    """ATS of one sku for a channel: max(0, s - buffer) + max(0, backorder_limit - max(0, -s)).

    ATP adds what is announced and promised to nobody: what waits is served from it first. `ats` is None when
    the sku is not tracked or the pool's backorder limit is unlimited. It is 0 for a sku that the catalogue
    does not know, since orders of it are not given sources.

    Args:
        stock: all that is known of the sku, as seen by the one who asks.
        pool: the channel's.
        locations: the pool's active, capable locations.
        safety: safety stock by location, units.
        channel_buffer: units kept back from the channel.
        sources: those of the locations that can serve the one who asks; None for all.
    """
    owed = waiting(stock)
    net = all_free(stock, locations, safety) - owed
    able = locations if sources is None else [name for name in locations if name in sources]
    if stock.sku is None or (sources is not None and not able):
        return Availability(0, net, owed)
    if not stock.sku.tracked:
        return Availability(None, net, owed, in_stock=None)
    limit = stock.demand(pool).backorder_limit
    backorderable = None if limit is None else max(0, limit - max(0, -net))

    own, free_there = _all_own(stock, able), all_free(stock, able, safety)

    def promised(more: int, there: int) -> int:
        """Units to be had when so many more are in the pool, and so many of them at the able locations."""
        return own + max(0, min(net + more - channel_buffer, free_there + there))

    in_stock = promised(0, 0)
    incoming: list[Promise] = []
    more = there = 0
    for supply in sorted(stock.supplies, key=lambda supply: supply.due):
        if supply.location in locations:
            more += supply.promisable
            there += supply.promisable if supply.location in able else 0
            before = incoming[-1].units if incoming else in_stock
            units = promised(more, there)
            if units > before:
                incoming = [promise for promise in incoming if promise.by < supply.due]
                incoming.append(Promise(supply.due, units))
    ats = None if backorderable is None else in_stock + backorderable
    return Availability(ats, net, owed, in_stock, backorderable, tuple(incoming))


def of_kit(parts: Sequence[tuple[Availability, int]]) -> Availability:
    """What may be sold of a kit: as many as its scarcest component allows.

    Args:
        parts: of each component, and how many units of it are in a kit.
    """
    in_stock = _least((part.in_stock, units) for part, units in parts)
    ats = _least((part.ats, units) for part, units in parts)
    incoming: list[Promise] = []
    for by in sorted({promise.by for part, _ in parts for promise in part.incoming}):
        promised = _least((part.atp(by), units) for part, units in parts)
        before = incoming[-1].units if incoming else in_stock
        if promised is not None and before is not None and promised > before:
            incoming.append(Promise(by, promised))
    return Availability(
        ats=ats,
        net=min(part.net // units for part, units in parts),
        waiting=max(-(-part.waiting // units) for part, units in parts),
        in_stock=in_stock,
        backorderable=None if ats is None else ats - (in_stock or 0),
        incoming=tuple(incoming),
    )


def _least(parts: Iterable[tuple[int | None, int]]) -> int | None:
    """Kits that components allow; None when no component bounds them."""
    return min((number // units for number, units in parts if number is not None), default=None)


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
