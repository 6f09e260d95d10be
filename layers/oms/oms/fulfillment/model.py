"""Fulfillment orders and shipments as they are kept.

A fulfillment order is work for one location; a shipment is what a carrier carries. Quantities are integers in
the sku's smallest unit, weights grams, times aware datetimes in UTC.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import cast

from oms.orders.commands import Address, Method
from oms.orders.journal import Journaled
from oms.orders.model import POSITION_SHORT
from oms.values import frozen, replace


class FulfillmentState(StrEnum):
    """Where a fulfillment order stands; facts may jump forward along `oms.fulfillment.progress.PROGRESS`."""

    RELEASED = "released"
    ACCEPTED = "accepted"
    PICKING = "picking"
    PACKED = "packed"
    READY_FOR_PICKUP = "ready_for_pickup"
    CLOSED = "closed"
    ON_HOLD = "on_hold"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"


@frozen
class RequestLine:
    """A line of a fulfillment order.

    requested = pending + picked + packed + shipped + rejected + withdrawn. `unwanted` are units that were to
    be cancelled and that the location has shipped or would not give up; those may be cancelled after all.
    `presumed` are units that it was asked to give up and has not answered for, because a rejection was taken
    for its answer; should that come after all, these are gone as well as those rejected.
    """

    line_id: str
    sku: str
    requested: int
    picked: int = 0
    packed: int = 0
    shipped: int = 0
    rejected: int = 0
    withdrawn: int = 0
    unwanted: int = 0
    presumed: int = 0

    @property
    def remaining(self) -> int:
        """Units that the location still has to ship."""
        return self.requested - self.shipped - self.rejected - self.withdrawn

    @property
    def pending(self) -> int:
        """Units that nobody has touched yet."""
        return self.remaining - self.picked - self.packed


@frozen
class Recall:
    """Units that a location has been asked not to ship, and has not answered for yet.

    `v` is the version of the fulfillment order that the request came with, `units` by line id. What is asked
    for because there are too few is sourced again, whatever else is cancelled.
    """

    v: int
    units: Mapping[str, int]
    reason: str

    @property
    def cancels(self) -> bool:
        """Whether what is given up is cancelled on the order; otherwise it waits for another source."""
        return self.reason != POSITION_SHORT


@frozen
class FulfillmentOrder(Journaled):
    """Work for one location. `id` is unique within the order: the releasing version, a dash, a number.

    `connector` names the queue its requests go out on; None when the location polls the API. While `recalls`
    wait for an answer the state is cancel_requested, and `before` is where the work itself stands. Work with
    one `consolidation_id` may go in one parcel.
    """

    order_id: str
    id: str
    channel: str
    order_number: str
    location: str
    connector: str | None
    delivery_id: str
    method: Method
    service: str | None
    ship_to: Address | None
    state: FulfillmentState
    lines: tuple[RequestLine, ...]
    due_at: datetime
    recalls: tuple[Recall, ...] = ()
    before: FulfillmentState | None = None
    consolidation_id: str | None = None

    @property
    def public_id(self) -> str:
        """The id that the outside uses: order id, a dash, the id within the order."""
        return f"{self.order_id}-{self.id}"

    @property
    def stage(self) -> FulfillmentState:
        """Where the work itself stands, whatever the location has been asked to give up."""
        return self.before or self.state

    def line(self, line_id: str) -> RequestLine | None:
        """The line of that id, or None."""
        return next((line for line in self.lines if line.line_id == line_id), None)

    def recalled(self, line_id: str, v: int | None = None) -> int:
        """Units of a line that the location is asked not to ship, up to a version, without an answer yet."""
        return sum(recall.units.get(line_id, 0) for recall in self.recalls if v is None or recall.v <= v)

    def cancelling(self, line_id: str) -> int:
        """Those of them that are cancelled when the location gives them up."""
        return sum(recall.units.get(line_id, 0) for recall in self.recalls if recall.cancels)

    def undecided(self, line: RequestLine) -> int:
        """Those of them that the location still has to ship; it was asked for others that are gone by now."""
        return min(self.cancelling(line.line_id), line.remaining)

    def refuses(self, line_id: str) -> bool:
        """Whether the location has shipped, or ships, units of a line that it was asked to give up."""
        answers = (entry.data["refused"] for entry in self.journal if "cancel_refused" in entry.kinds)
        return any(line_id in cast(Mapping[str, int], refused) for refused in answers)

    def with_lines(self, changed: Mapping[str, RequestLine]) -> "FulfillmentOrder":
        """This fulfillment order with the lines of `changed` (by line id) in place of its own."""
        return replace(self, lines=tuple(changed.get(line.line_id, line) for line in self.lines))


class ShipmentState(StrEnum):
    """Where a parcel is, by the carrier's word."""

    LABELLED = "labelled"
    HANDED_OVER = "handed_over"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    ATTEMPT_FAILED = "attempt_failed"
    AT_PICKUP_POINT = "at_pickup_point"
    EXCEPTION = "exception"
    RETURNING = "returning"
    RETURNED_TO_SENDER = "returned_to_sender"
    LOST = "lost"
    VOIDED = "voided"


@frozen
class ShippedLine:
    """Units of an order line in a parcel."""

    line_id: str
    sku: str
    units: int


@frozen
class Shipment(Journaled):
    """A parcel. `id` is unique within the order: fulfillment order id, a dot, the location's package id.

    `state_at` is the carrier's time of the latest state; it decides between states that arrive in any order.
    """

    order_id: str
    id: str
    fulfillment_order: str
    location: str
    lines: tuple[ShippedLine, ...]
    state: ShipmentState
    state_at: datetime
    carrier: str | None = None
    tracking_number: str | None = None
    weight_g: int | None = None

    @property
    def public_id(self) -> str:
        """The id that the outside uses: order id, a dash, the id within the order."""
        return f"{self.order_id}-{self.id}"
