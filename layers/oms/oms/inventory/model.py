"""Stock of a sku: positions, incoming supply, the demand of pools, and the vectors by which they change.

Quantities are integers in the sku's smallest unit.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from oms.inventory.codes import SkuCode
from oms.orders.commands import Method
from oms.values import frozen, replace


class Block(StrEnum):
    """Why units that are there cannot be sold."""

    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"
    RETURNS = "returns"


class CountBasis(StrEnum):
    """What a location counts: all that is there, or what nothing has a claim on; blocked units in both."""

    PHYSICAL = "physical"
    NET = "net"


class Capability(StrEnum):
    """What a location can do for an order, and what a sku or a line of an order needs."""

    SHIP = "ship"
    PICKUP = "pickup"
    SHIP_TO_STORE = "ship_to_store"
    HAZMAT = "hazmat"
    OVERSIZE = "oversize"
    GIFT_WRAP = "gift_wrap"
    PERSONALISE = "personalise"
    MAKE_TO_ORDER = "make_to_order"


@frozen
class Component:
    """Units of a sku in each unit of a kit.

    `weight` is what one unit of it counts for when a kit's price is spread over its components, most simply
    its own price; when all are 0 every component counts alike.
    """

    sku: str
    per_bundle: int
    weight: int = 0


@frozen
class SafetyStock:
    """Units of a sku that new orders leave at each location, or at one; all orders, or those of a method."""

    units: int
    location: str | None = None
    method: Method | None = None


@frozen
class Price:
    """What one ordered unit is sold for, in minor units of a currency (ISO 4217), everywhere or at a channel.

    With or without tax, as the channel keeps its prices.
    """

    amount: int
    currency: str
    channel: str | None = None


@frozen
class Sku:
    """What is known of a sku. `scale` is the smallest units in one ordered unit (1000 for kg sold in g).

    A `kit` has no stock of its own: whoever orders it is given its components, none of which is a kit.
    A location must have every capability in `requires` to be its source; skus with the same `ships_with` go
    from one location or wait together. Until `hot_until` its orders go through the hot lane: one transaction
    for each would meet too many others. Before `first_release_at` it is sold as a pre-order alone: its units
    wait, whatever is there. `safety_stock` outranks what its locations keep of every sku.
    """

    sku: str
    title: str = ""
    unit: str = "each"
    scale: int = 1
    weight_g: int = 0
    tracked: bool = True
    v: int = 0
    hot_until: datetime | None = None
    requires: tuple[Capability, ...] = ()
    ships_with: str | None = None
    codes: tuple[SkuCode, ...] = ()
    kit: tuple[Component, ...] = ()
    first_release_at: datetime | None = None
    safety_stock: tuple[SafetyStock, ...] = ()
    prices: tuple[Price, ...] = ()

    def price_at(self, channel: str, currency: str | None) -> Price | None:
        """What a channel sells it for in its currency: its own price before that of all; None without one."""
        fitting = [price for price in self.prices if price.currency == currency]
        own = [price for price in fitting if price.channel == channel]
        return next(iter(own or [price for price in fitting if price.channel is None]), None)

    def is_hot(self, now: datetime) -> bool:
        """Whether its orders go through the hot lane at `now` (UTC)."""
        return self.hot_until is not None and now < self.hot_until


@frozen
class Position:
    """Quantities of one sku at one location. uncommitted = on_hand - blocked - allocated - reserved.

    `counted_net` says on which basis the last count was. The last write was made `written_at`, the last that
    recorded units which came or went `moved_at`; neither makes a position another.
    """

    sku: str
    location: str
    on_hand: int = 0
    blocked: Mapping[Block, int] = field(default_factory=dict)
    allocated: int = 0
    reserved: int = 0
    uncommitted: int = 0
    counted_at: datetime | None = None
    v: int = 0
    counted_net: bool = False
    written_at: datetime | None = field(default=None, compare=False)
    moved_at: datetime | None = field(default=None, compare=False)

    def counted_since(self, moment: datetime) -> bool:
        """Whether the last count came after `moment`, so that it has seen what happened then."""
        return self.counted_at is not None and self.counted_at > moment

    def unseen(self, delta: "Delta", moment: datetime) -> "Delta":
        """What is left to change for what happened at `moment`: a later count has found on_hand already.

        One on the net basis has found on_hand less allocated units: both change together.
        """
        if not self.counted_since(moment):
            return delta
        return replace(delta, on_hand=delta.allocated if self.counted_net else 0)

    def redated(self, delta: "Delta", was: datetime, moment: datetime) -> "Delta":
        """What is left to change when something turns out to have happened at `moment` and not at `was`."""
        return Delta(on_hand=self.unseen(delta, moment).on_hand - self.unseen(delta, was).on_hand)

    def moved(self, delta: "Delta") -> "Position":
        """This position after a change, at its next version."""
        reasons = {*self.blocked, *delta.blocked}
        return replace(
            self,
            on_hand=self.on_hand + delta.on_hand,
            blocked={
                reason: self.blocked.get(reason, 0) + delta.blocked.get(reason, 0) for reason in reasons
            },
            allocated=self.allocated + delta.allocated,
            reserved=self.reserved + delta.reserved,
            uncommitted=self.uncommitted + delta.uncommitted,
            v=self.v + 1,
        )


@frozen
class Demand:
    """What a pool still wants of a sku: units waiting, and how many may (None = unlimited).

    `preorder_limit` bounds what waits before the sku's first release, `backorder_limit` what waits after it.
    """

    sku: str
    pool: str
    waiting: int = 0
    backorder_limit: int | None = 0
    preorder_limit: int | None = 0


class SupplyKind(StrEnum):
    """What brings units in: a vendor's delivery, or a transfer from another location."""

    PURCHASE_ORDER = "purchase_order"
    TRANSFER = "transfer"


@frozen
class Supply:
    """Units of a sku that are expected at a location by `due` (UTC).

    `received` of the expected units have come in. `promised` are those of a transfer that orders have
    already: what only waits has no claim on any supply. No more comes once it is `closed`.
    """

    sku: str
    id: str
    kind: SupplyKind
    location: str
    due: datetime
    expected: int
    received: int = 0
    promised: int = 0
    closed: bool = False
    v: int = 0

    @property
    def outstanding(self) -> int:
        """Units that are still to come; 0 when more have come than were expected."""
        return 0 if self.closed else max(0, self.expected - self.received)

    @property
    def promisable(self) -> int:
        """Units to come that belong to nobody yet."""
        return max(0, self.outstanding - self.promised)


@frozen
class DemandChange:
    """Units of a sku that start to wait in a pool, or wait no longer (below 0).

    `limit` is the limit seen when units are backordered under one, that of pre-orders if it is a `preorder`;
    the write must find it unchanged and at most `limit - backordered` units waiting. None: nothing bounds it.
    """

    sku: str
    pool: str
    waiting: int
    backordered: int = 0
    limit: int | None = None
    preorder: bool = False

    def __add__(self, other: "DemandChange") -> "DemandChange":
        """Both changes of one demand, the other placed after this one: the first condition covers both.

        Whoever leaves units open has used up the limit, so that nobody after him is backordered.
        """
        return replace(
            self, waiting=self.waiting + other.waiting, backordered=self.backordered + other.backordered
        )


@frozen
class Reserved:
    """Units of a position that a reservation holds until `expires_at` (UTC), and not a moment longer."""

    sku: str
    location: str
    reservation: str
    units: int
    expires_at: datetime


@frozen
class Stock:
    """Everything kept under one sku: `sku` is None when the catalogue does not know it.

    `own` are units by location that only the one who looks at this stock may take: those of his own cart.
    """

    sku: Sku | None
    positions: tuple[Position, ...] = ()
    demands: tuple[Demand, ...] = ()
    supplies: tuple[Supply, ...] = ()
    reserved: tuple[Reserved, ...] = ()
    own: Mapping[str, int] = field(default_factory=dict)

    def is_released(self, now: datetime) -> bool:
        """Whether the first release has come at `now` (UTC); before it, units are sold ahead alone."""
        first = self.sku.first_release_at if self.sku else None
        return first is None or first <= now

    def demand(self, pool: str) -> Demand:
        """What a pool wants of this sku of the catalogue; nothing when that was never said."""
        assert self.sku is not None, "units of an unknown sku do not wait"
        empty = Demand(self.sku.sku, pool)
        return next((known for known in self.demands if known.pool == pool), empty)

    def with_position(self, position: Position) -> "Stock":
        """This stock with a position in place of the one at its location."""
        others = tuple(known for known in self.positions if known.location != position.location)
        return replace(self, positions=(*others, position))

    def without(self, row: Reserved) -> "Stock":
        """This stock without a row of a reservation."""
        return replace(self, reserved=tuple(known for known in self.reserved if known != row))

    def with_demand(self, demand: Demand) -> "Stock":
        """This stock with a demand in place of that of its pool."""
        others = tuple(known for known in self.demands if known.pool != demand.pool)
        return replace(self, demands=(*others, demand))


@frozen
class Delta:
    """A change of one position, always written as one vector: several lines at one position add up to one.

    What it promises must leave `safety` units uncommitted.
    """

    on_hand: int = 0
    allocated: int = 0
    reserved: int = 0
    blocked: Mapping[Block, int] = field(default_factory=dict)
    safety: int = 0

    @property
    def uncommitted(self) -> int:
        """What follows for the stored uncommitted units."""
        return self.on_hand - sum(self.blocked.values()) - self.allocated - self.reserved

    @property
    def moves(self) -> bool:
        """Whether it changes anything."""
        return bool(self.on_hand or self.allocated or self.reserved or any(self.blocked.values()))

    @property
    def _promises(self) -> bool:
        return self.allocated > 0 or self.reserved > 0

    def __add__(self, other: "Delta") -> "Delta":
        """Both changes at once; of their promises the one that may go further says how far."""
        reasons = {*self.blocked, *other.blocked}
        blocked = {reason: self.blocked.get(reason, 0) + other.blocked.get(reason, 0) for reason in reasons}
        return Delta(
            self.on_hand + other.on_hand,
            self.allocated + other.allocated,
            self.reserved + other.reserved,
            blocked,
            min((change.safety for change in (self, other) if change._promises), default=0),
        )


type Deltas = dict[tuple[str, str], Delta]
"""Changes by (sku, location)."""


def add(deltas: Deltas, sku: str, location: str, delta: Delta) -> None:
    """Add a change to those already collected for the same position."""
    key = (sku, location)
    deltas[key] = deltas.get(key, Delta()) + delta
