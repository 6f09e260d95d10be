"""What a location tells us: the canonical form of messages on the fulfillment-events queue."""

from datetime import datetime
from enum import StrEnum

from oms.values import frozen


class FactKind(StrEnum):
    """Types of fulfillment events; all of them are facts, never refused."""

    ACCEPTED = "accepted"
    PICKING = "picking"
    PACKED = "packed"
    READY_FOR_PICKUP = "ready_for_pickup"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    CANCEL_REFUSED = "cancel_refused"
    REJECTED = "rejected"


@frozen
class PackedUnits:
    """Units of a line in a package."""

    line_id: str
    units: int


@frozen
class Package:
    """A package as its location names it; empty `lines` means all that remains of the fulfillment order."""

    package_id: str
    carrier: str | None = None
    tracking_number: str | None = None
    weight_g: int | None = None
    lines: tuple[PackedUnits, ...] = ()


@frozen
class FulfillmentFact:
    """One message about one fulfillment order. `fulfillment_order` is the id within the order.

    `lines` are the units that a location gives up or rejects, all that it could when there are none; `reason`
    is why it rejects them. `v` is the version of the fulfillment order that it has seen, None when it does
    not say.
    """

    message_id: str
    kind: FactKind
    occurred_at: datetime
    order_id: str
    fulfillment_order: str
    packages: tuple[Package, ...] = ()
    lines: tuple[PackedUnits, ...] = ()
    v: int | None = None
    reason: str | None = None
