"""The configured network: channels, pools and locations."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from oms.inventory.model import Capability, CountBasis
from oms.problems import Code, Problem
from oms.sourcing.calendar import Calendar
from oms.sourcing.cards import Table
from oms.sourcing.load import Capacity, Load
from oms.sourcing.profile import USUAL, Profile
from oms.sourcing.rates import Costs
from oms.values import frozen


class LocationKind(StrEnum):
    """What kind of place holds the stock."""

    WAREHOUSE = "warehouse"
    STORE = "store"
    THIRD_PARTY = "3pl"
    VENDOR = "vendor"


USUAL_CAPABILITIES: Mapping[LocationKind, tuple[Capability, ...]] = {
    LocationKind.WAREHOUSE: (Capability.SHIP,),
    LocationKind.STORE: (Capability.SHIP, Capability.PICKUP),
    LocationKind.THIRD_PARTY: (Capability.SHIP,),
    LocationKind.VENDOR: (Capability.SHIP,),
}
"""What a location of a kind can do when it does not say."""


@frozen
class Location:
    """A place that holds stock, with one owner (legal entity). Coordinates are decimal degrees (WGS 84).

    `connector` names the queue its requests go out on; None when its staff poll the API instead.
    `priority` is lower for locations preferred when all else is equal. `capabilities` is None for those usual
    of its kind; `lead_days` are the working days that using one takes. `costs` is None for those that the
    sourcing profile gives its kind. Until `closed_until` (UTC, ISO 8601) it is no source of anything. Its
    parcels go by the carrier whose `rate_card` it names, if it names one; `rates` is that card, compiled.
    `capacity` is what it can do on a working day, `loads` what it was given for some days, as far as known.

    Raises:
        Problem: field_invalid, when `closed_until` is no time with an offset.
    """

    id: str
    name: str
    kind: LocationKind
    owner: str
    country: str
    latitude: float
    longitude: float
    active: bool = True
    priority: int = 100
    connector: str | None = None
    safety_stock: int = 0
    count_basis: CountBasis = CountBasis.PHYSICAL
    capabilities: tuple[Capability, ...] | None = None
    lead_days: Mapping[Capability, int] = field(default_factory=dict)
    calendar: Calendar = Calendar()
    costs: Costs | None = None
    closed_until: str | None = None
    rate_card: str | None = None
    capacity: Capacity | None = None
    rates: Table | None = field(default=None, compare=False, repr=False)
    loads: Mapping[str, Load] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        try:
            known = self.closed_until is None or datetime.fromisoformat(self.closed_until).tzinfo
        except ValueError:
            known = None
        if not known:
            raise Problem(Code.FIELD_INVALID, "closed_until is no time with an offset", "closed_until")

    def is_open(self, at: datetime) -> bool:
        """Whether it may be a source at a time (UTC): it is active, and not closed for some hours."""
        closed_until = self.closed_until
        return self.active and (closed_until is None or at >= datetime.fromisoformat(closed_until))

    @property
    def can(self) -> tuple[Capability, ...]:
        """What it can do for an order."""
        return USUAL_CAPABILITIES[self.kind] if self.capabilities is None else self.capabilities


@frozen
class Pool:
    """Locations that one or more channels sell from."""

    id: str
    locations: tuple[str, ...]


class ShortOrders(StrEnum):
    """What becomes of an order that a channel has taken beyond stock and limits; it is stored in any case.

    `backorder`: the units that are missing wait. `partial`: they are cancelled. `reject`: the whole order is.
    """

    BACKORDER = "backorder"
    PARTIAL = "partial"
    REJECT = "reject"


class Aspect(StrEnum):
    """What a channel may be told of what it lists."""

    STOCK = "stock"
    TITLE = "title"
    PRICE = "price"


@frozen
class Channel:
    """One configured connection. `locations` maps the channel's own location ids to ours.

    A channel that only takes money names the one whose orders are paid by it in `orders_of`, and what it has
    before that channel's ids of them in `order_prefix` (`WC-`).
    An order that nobody has paid `payment_hours` after it came is cancelled; None: it is kept until somebody
    does. Above `stock_threshold` units of a listing the channel is not told of changes; None when it is of
    all. `gives_refunds`: whether it is asked to give back the money that is due for its orders. `publishes`
    is what it is told of its listings, prices in its `currency` (ISO 4217). While it is `paused` nobody calls
    it, other than to fetch what it names.
    """

    id: str
    kind: str
    pool: str
    buffer: int = 0
    grace_minutes: int = 0
    locations: Mapping[str, str] = field(default_factory=dict)
    short_orders: ShortOrders = ShortOrders.BACKORDER
    stock_threshold: int | None = None
    payment_hours: int | None = None
    orders_of: str | None = None
    order_prefix: str | None = None
    gives_refunds: bool = False
    publishes: tuple[Aspect, ...] = (Aspect.STOCK,)
    currency: str | None = None
    paused: bool = False


@frozen
class Network:
    """A consistent view of the configuration."""

    channels: Mapping[str, Channel]
    pools: Mapping[str, Pool]
    locations: Mapping[str, Location]
    profile: Profile = USUAL
    rate_cards: Mapping[str, Table] = field(default_factory=dict)

    def members(self, pool_id: str) -> tuple[Location, ...]:
        """The locations of a pool, active or not; none when there is no such pool."""
        pool = self.pools.get(pool_id)
        names = pool.locations if pool else ()
        return tuple(self.locations[name] for name in names if name in self.locations)

    def sellable(self, pool_id: str, at: datetime | None = None) -> dict[str, Location]:
        """The active locations of a pool by id, those that are open at a time (UTC) if one is given.

        Empty when there is no such pool.
        """
        members = (one for one in self.members(pool_id) if (one.is_open(at) if at else one.active))
        return {location.id: location for location in members}
