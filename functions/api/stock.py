"""Stock and availability: positions, demand, what channels may sell; counts, corrections, limits."""

from datetime import datetime
from typing import Annotated, Any, TypedDict

from annotated_types import Ge, Le, MaxLen, MinLen

from functions.api.catalogue import SkuDocument, sku_document
from functions.api.fields import (
    Closed,
    Doc,
    Moment,
    SomeUnits,
    Text,
    Time,
    Units,
    Unlimited,
    time,
    utc,
)
from functions.api.routing import Answer, Call, Route
from oms.inventory.availability import Availability
from oms.inventory.model import Block, Delta, Demand, Position, Stock, Supply, SupplyKind
from oms.inventory.network import Channel, Network
from oms.orders.commands import Address
from oms.orders.limits import MOST_UNITS
from oms.problems import Code, Problem
from oms.sourcing.offering import Asker, offer
from oms.store import process
from oms.store.keys import iso
from oms.store.stock import read_wanted
from oms.store.tokens import Scope
from oms.usecases.correct_stock import Correction, correct_stock
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.limit_backorders import limit_backorders
from oms.values import frozen, replace

_MOST_SKUS = 50
_MOST_STORES = 20


class PositionDocument(TypedDict):
    """Units of the sku at one location: uncommitted = on_hand - blocked - allocated - reserved."""

    location: str
    on_hand: int
    blocked: Annotated[dict[Block, int], Doc("Units that are there and not sellable, by reason.")]
    allocated: Annotated[int, Doc("Units promised to order lines.")]
    reserved: Annotated[int, Doc("Units claimed by carts.")]
    uncommitted: Annotated[int, Doc("Below 0 after a count: more is promised than there is.")]
    counted_at: Time | None
    v: int


class DemandDocument(TypedDict):
    """What a pool still wants of the sku."""

    pool: str
    waiting: Annotated[int, Doc("Units ordered without a source.")]
    backorder_limit: int | Unlimited
    preorder_limit: Annotated[int | Unlimited, Doc("Units that may wait before the first release.")]


class PromiseDocument(TypedDict):
    """Units that can be promised for a time."""

    by: Time
    units: Annotated[int, Doc("Those in stock, and all that is due by then and promised to nobody.")]


class AvailabilityDocument(TypedDict):
    """What may be sold of a sku; of a kit, as many as its scarcest component allows."""

    ats: Annotated[int | Unlimited, Doc("Available to sell: `in_stock` and `backorderable`.")]
    in_stock: Annotated[int | Unlimited, Doc("What is there, less what waits, safety stock and buffer.")]
    backorderable: Annotated[int | Unlimited, Doc("Units that may be ordered beyond those in stock.")]
    expected_at: Annotated[Time | None, Doc("When the first unit beyond those in stock can be had.")]
    atp: Annotated[list[PromiseDocument], Doc("Available to promise, by the times at which supply is due.")]
    net: Annotated[int, Doc("Free less waiting units; below 0 when more is owed than there is.")]
    waiting: Annotated[int, Doc("Units of the sku ordered without a source, over all pools.")]


class PickupAvailabilityDocument(AvailabilityDocument):
    """What may be sold of a sku to be picked up at a location."""

    location: str


class PoolAvailabilityDocument(AvailabilityDocument):
    """What may be sold of a sku in a pool, before any channel's buffer."""

    pool: str


class SkuAvailabilityDocument(AvailabilityDocument):
    """What a channel may sell of a sku; nothing of one that the catalogue does not know."""

    sku: str
    known: bool
    pickup: Annotated[list[PickupAvailabilityDocument], Doc("By the locations asked for.")]


class SupplyDocument(TypedDict):
    """Units of the sku that are expected at a location."""

    supply: Annotated[str, Doc("Its id.")]
    kind: SupplyKind
    location: str
    due: Time
    expected: int
    received: Annotated[int, Doc("More than expected when more came than was ordered.")]
    promised: Annotated[int, Doc("Units to come that belong to orders already.")]
    promisable: Annotated[int, Doc("Units to come that belong to nobody yet.")]
    closed: Annotated[bool, Doc("Whether no more of it comes.")]
    v: int


class StockDocument(TypedDict):
    """Everything that is kept of a sku's stock."""

    sku: str
    catalogue: SkuDocument | None
    positions: list[PositionDocument]
    demand: list[DemandDocument]
    supply: list[SupplyDocument]
    availability: list[PoolAvailabilityDocument]


class ChannelAvailabilityDocument(TypedDict):
    """What a channel may sell, in the order asked for."""

    channel: str
    items: list[SkuAvailabilityDocument]


class CountedDocument(TypedDict):
    """The position after a count; `applied` is false when one at least as late was there already."""

    sku: str
    applied: bool
    position: PositionDocument


@frozen
class AvailabilityQuery(Closed):
    """Which skus, for which channel."""

    channel: Text
    sku: Annotated[str, Doc(f"Up to {_MOST_SKUS} skus, separated by commas.")]
    country: Annotated[
        Text | None, MinLen(2), MaxLen(2), Doc("Where it is shipped to: ISO 3166-1 alpha-2.")
    ] = None
    postal_code: Annotated[Text | None, Doc("Where it is shipped to, in `country`.")] = None
    location: Annotated[
        str | None,
        Doc(f"Up to {_MOST_STORES} locations to pick up at, separated by commas: our ids, or the channel's."),
    ] = None
    reservation: Annotated[Text | None, Doc("The buyer's own: what it holds is his.")] = None


@frozen
class CountBody(Closed):
    """What was found at a position."""

    on_hand: Annotated[Units, Doc("Units found, on the location's count basis.")]
    as_of: Annotated[Moment, Doc("When they were counted, ISO 8601; UTC without an offset.")]
    reason: Text = "count"


@frozen
class AdjustmentBody(Closed):
    """Units that are there beyond those known, or are not there any more."""

    units: Annotated[int, Ge(-MOST_UNITS), Le(MOST_UNITS), Doc("More, or fewer when it is below 0.")]
    reason: Annotated[Text, Doc("Why, in your words; it stands in the position's history.")]
    occurred_at: Annotated[
        Moment | None, Doc("When they came or went; a count since has found that. Now if left out.")
    ] = None
    blocked: Annotated[Block | None, Doc("Whether they are among those blocked for this reason.")] = None


@frozen
class BlockBody(Closed):
    """Units at a position, and why they cannot be sold."""

    units: SomeUnits
    reason: Block


@frozen
class LimitBody(Closed):
    """How many units may wait: as backorders, and as pre-orders before the sku's first release."""

    backorder_limit: Units | Unlimited
    preorder_limit: Units | Unlimited = 0


def _show(call: Call[None, None]) -> Answer[StockDocument]:
    sku = call.path["sku"]
    stocks = read_wanted(process.table(), [sku], consistent=True)
    stock = stocks[sku]
    if stock == Stock(None):
        raise Problem(Code.NOT_FOUND, f"nothing is known of sku {sku}", "sku")
    network = process.network()
    askers = {pool: Asker(Channel("", "", pool)) for pool in network.pools}
    return Answer(
        {
            "sku": sku,
            "catalogue": sku_document(stock.sku) if stock.sku else None,
            "positions": [_position(position) for position in stock.positions],
            "demand": [_demand(demand) for demand in stock.demands],
            "supply": [supply_document(supply) for supply in stock.supplies],
            "availability": [
                {"pool": pool, **_availability(offer(stocks, sku, asker, network, call.now))}
                for pool, asker in askers.items()
            ],
        }
    )


def _of_channel(call: Call[AvailabilityQuery, None]) -> Answer[ChannelAvailabilityDocument]:
    query = call.query
    skus = _listed(query.sku, "sku", _MOST_SKUS)
    network = process.network()
    channel = network.channels.get(query.channel)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {query.channel} is not configured", "channel")
    names = _listed(query.location, "location", _MOST_STORES) if query.location else []
    stores = [_store(name, channel, network) for name in names]
    if query.postal_code and not query.country:
        raise Problem(Code.FIELD_MISSING, "a postal code is one of a country", "country")
    ship_to = Address(country=query.country, postal_code=query.postal_code) if query.country else None
    asker = Asker(channel, query.reservation, ship_to)
    stocks = read_wanted(process.table(), skus)

    def of(sku: str, asker: Asker) -> AvailabilityDocument:
        return _availability(offer(stocks, sku, asker, network, call.now))

    items: list[SkuAvailabilityDocument] = [
        {
            "sku": sku,
            "known": stocks[sku].sku is not None,
            **of(sku, asker),
            "pickup": [{"location": store, **of(sku, replace(asker, store=store))} for store in stores],
        }
        for sku in skus
    ]
    return Answer({"channel": channel.id, "items": items})


def _listed(text: str, field: str, most: int) -> list[str]:
    """The names in a list with commas, each once.

    Raises:
        Problem: there are too many, or one is no name.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if len(names) > most or not all(0 < len(name) <= 200 for name in names):
        raise Problem(Code.FIELD_INVALID, f"{field} takes up to {most} names, separated by commas", field)
    return names


def _store(name: str, channel: Channel, network: Network) -> str:
    """Our location for one of ours or the channel's.

    Raises:
        Problem: there is none.
    """
    ours = channel.locations.get(name, name)
    if ours not in network.locations:
        raise Problem(Code.FIELD_INVALID, f"location {name} is not configured", "location")
    return ours


def _count(call: Call[None, CountBody]) -> Answer[CountedDocument]:
    sku, body = call.path["sku"], call.body
    found = Count(sku, call.path["location"], body.on_hand, utc(body.as_of), body.reason, call.actor)
    counted = count_stock(process.table(), process.network(), found, call.now)
    document: CountedDocument = {
        "sku": sku,
        "applied": counted.applied,
        "position": _position(counted.position),
    }
    return Answer(document, counted.position.v)


def _adjust(call: Call[None, AdjustmentBody]) -> Answer[PositionDocument]:
    body = call.body
    delta = Delta(on_hand=body.units, blocked={body.blocked: body.units} if body.blocked else {})
    at = utc(body.occurred_at) if body.occurred_at else call.now
    return _correct(call, delta, body.reason, "adjustment", at)


def _block(call: Call[None, BlockBody]) -> Answer[PositionDocument]:
    delta = Delta(blocked={call.body.reason: call.body.units})
    return _correct(call, delta, "blocked", str(call.body.reason), call.now)


def _unblock(call: Call[None, BlockBody]) -> Answer[PositionDocument]:
    delta = Delta(blocked={call.body.reason: -call.body.units})
    return _correct(call, delta, "unblocked", str(call.body.reason), call.now)


def _correct(
    call: Call[None, Any], delta: Delta, reason: str, ref: str, at: datetime
) -> Answer[PositionDocument]:
    sku, location = call.path["sku"], call.path["location"]
    correction = Correction(sku, location, delta, reason, ref, at, call.actor)
    keep = call.keeping(_corrected)
    return _corrected(correct_stock(process.table(), process.network(), correction, call.now, keep))


def _corrected(position: Position) -> Answer[PositionDocument]:
    return Answer(_position(position), position.v)


def _limit(call: Call[None, LimitBody]) -> Answer[DemandDocument]:
    limits = (call.body.backorder_limit, call.body.preorder_limit)
    most, preorders = (limit if isinstance(limit, int) else None for limit in limits)
    sku, pool = call.path["sku"], call.path["pool"]
    limited = limit_backorders(process.table(), process.network(), sku, pool, most, preorders)
    return Answer(_demand(limited))


def _availability(available: Availability) -> AvailabilityDocument:
    return {
        "ats": _bounded(available.ats),
        "in_stock": _bounded(available.in_stock),
        "backorderable": _bounded(available.backorderable),
        "expected_at": time(available.expected_at),
        "atp": [{"by": iso(promise.by), "units": promise.units} for promise in available.incoming],
        "net": available.net,
        "waiting": available.waiting,
    }


def _bounded(units: int | None) -> int | Unlimited:
    return "unlimited" if units is None else units


def _position(position: Position) -> PositionDocument:
    return {
        "location": position.location,
        "on_hand": position.on_hand,
        "blocked": dict(position.blocked),
        "allocated": position.allocated,
        "reserved": position.reserved,
        "uncommitted": position.uncommitted,
        "counted_at": time(position.counted_at),
        "v": position.v,
    }


def supply_document(supply: Supply) -> SupplyDocument:
    """Incoming supply as the API shows it."""
    return {
        "supply": supply.id,
        "kind": supply.kind,
        "location": supply.location,
        "due": iso(supply.due),
        "expected": supply.expected,
        "received": supply.received,
        "promised": supply.promised,
        "promisable": supply.promisable,
        "closed": supply.closed,
        "v": supply.v,
    }


def _demand(demand: Demand) -> DemandDocument:
    return {
        "pool": demand.pool,
        "waiting": demand.waiting,
        "backorder_limit": _unlimited(demand.backorder_limit),
        "preorder_limit": _unlimited(demand.preorder_limit),
    }


def _unlimited(limit: int | None) -> int | Unlimited:
    return "unlimited" if limit is None else limit


ROUTES = (
    Route(
        "GET",
        "/stock/{sku}",
        Scope.STOCK_READ,
        "Show the stock of a sku",
        _show,
        StockDocument,
        problems=(Code.NOT_FOUND,),
    ),
    Route(
        "GET",
        "/availability",
        Scope.AVAILABILITY_READ,
        "Tell what a channel may sell",
        _of_channel,
        ChannelAvailabilityDocument,
        query=AvailabilityQuery,
        problems=(Code.CHANNEL_UNKNOWN,),
    ),
    Route(
        "PUT",
        "/stock/{sku}/{location}/count",
        Scope.STOCK_WRITE,
        "Record a count of a position",
        _count,
        CountedDocument,
        body=CountBody,
        problems=(Code.NOT_FOUND,),
        description="Absolute: on_hand becomes what was found at `as_of` and what has come or gone since. "
        "Its time is its idempotency key: a count that is not later than the last one changes nothing and "
        "succeeds.",
        versioned=True,
    ),
    Route(
        "POST",
        "/stock/{sku}/{location}/adjustments",
        Scope.STOCK_WRITE,
        "Add or take units at a position",
        _adjust,
        PositionDocument,
        body=AdjustmentBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description="For what people find out between counts. No more can be taken than is there; promised "
        "units can: what they were promised to is sourced again.",
        versioned=True,
        keyed=True,
    ),
    Route(
        "POST",
        "/stock/{sku}/{location}/block",
        Scope.STOCK_WRITE,
        "Block units at a position",
        _block,
        PositionDocument,
        body=BlockBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        description="They stay on hand and are not sold. No more can be blocked than is there; promised "
        "units can: what they were promised to is sourced again.",
        versioned=True,
        keyed=True,
    ),
    Route(
        "POST",
        "/stock/{sku}/{location}/unblock",
        Scope.STOCK_WRITE,
        "Let blocked units be sold again",
        _unblock,
        PositionDocument,
        body=BlockBody,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED),
        versioned=True,
        keyed=True,
    ),
    Route(
        "PUT",
        "/stock/{sku}/demand/{pool}",
        Scope.STOCK_WRITE,
        "Limit the backorders and pre-orders of a sku in a pool",
        _limit,
        DemandDocument,
        body=LimitBody,
        problems=(Code.NOT_FOUND,),
    ),
)
