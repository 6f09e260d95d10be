"""The order as it is kept: lines, their counters and allocation entries, totals, exceptions, journal.

Counters are the truth; every status (`oms.orders.status`) is a function of them. All values are immutable: a
decision returns a new order. Amounts are integer minor units of the order's currency, quantities integers in
the sku's smallest unit, times aware datetimes in UTC.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from oms.orders.commands import Address, Customer, FulfilledBy, LineKind, Method
from oms.orders.journal import Journaled
from oms.values import frozen, replace


class Stage(StrEnum):
    """How far an allocation entry has come."""

    ALLOCATED = "allocated"
    IN_FULFILLMENT = "in_fulfillment"
    IN_TRANSFER = "in_transfer"


@frozen
class Entry:
    """Units of a line promised at one location.

    `alloc_id` is unique within the order: the version of the write that made it, a dot, a running number.
    `fulfillment_order` is set from release on; `supply` names the incoming supply the units wait for.
    """

    alloc_id: str
    location: str
    units: int
    stage: Stage = Stage.ALLOCATED
    fulfillment_order: str | None = None
    supply: str | None = None


@frozen
class Origin:
    """Why a line is there that was not ordered at first; `line_id` is the line that it adds to, if any."""

    kind: str
    line_id: str | None = None


@frozen
class OrderLine:
    """A line and its counters.

    ordered = open + backordered + allocated + in_fulfillment + shipped + cancelled.

    `amount` is the gross of all ordered units; `discount` and `tax` are line totals. `tracked` is False when
    the sku's stock is not counted, so that no position is touched. `sku` is None while the channel's listing
    is not mapped, whose id it then has as `listing` if the channel tells. While `pending`, no stock has been
    asked for yet: nobody knows the sku, or the order is too large for one transaction and this line's turn
    has not come; such a line claims nothing. `expected_at` is when announced supply covers the units that
    wait, as told last (UTC).
    """

    line_id: str
    sku: str | None
    kind: LineKind
    fulfilled_by: FulfilledBy
    delivery_id: str | None
    amount: int
    discount: int = 0
    tax: int = 0
    open: int = 0
    backordered: int = 0
    shipped: int = 0
    cancelled: int = 0
    delivered: int = 0
    returned: int = 0
    entries: tuple[Entry, ...] = ()
    tracked: bool = True
    pending: bool = False
    expected_at: datetime | None = None
    listing: str | None = None
    parent_line_id: str | None = None
    per_bundle: int = 0
    origin: Origin | None = None

    def units_in(self, *stages: Stage) -> int:
        """Units of the entries in any of `stages`."""
        return sum(entry.units for entry in self.entries if entry.stage in stages)

    @property
    def allocated(self) -> int:
        """Units promised at a location and not released yet (those in a transfer included)."""
        return self.units_in(Stage.ALLOCATED, Stage.IN_TRANSFER)

    @property
    def in_fulfillment(self) -> int:
        """Units that a location has been asked to ship."""
        return self.units_in(Stage.IN_FULFILLMENT)

    @property
    def ordered(self) -> int:
        """All units ever ordered on this line; never shrinks."""
        sourced = sum(entry.units for entry in self.entries)
        return self.open + self.backordered + sourced + self.shipped + self.cancelled

    def entries_without(self, work: str, units: int) -> tuple[tuple[Entry, ...], int]:
        """Its entries without units of a fulfillment order (by its id), and how many of them there were."""
        entries: list[Entry] = []
        left = units
        for entry in self.entries:
            fewer = min(entry.units, left) if entry.fulfillment_order == work else 0
            left -= fewer
            if entry.units > fewer:
                entries.append(replace(entry, units=entry.units - fewer))
        return tuple(entries), units - left

    @property
    def touches_stock(self) -> bool:
        """Whether units of this line are taken from positions that we keep."""
        ours = self.fulfilled_by in (FulfilledBy.US, FulfilledBy.TAKEN)
        return self.kind is LineKind.PHYSICAL and ours and self.tracked and self.sku is not None


@frozen
class OrderDelivery:
    """What the header keeps of a delivery; its address is in the body. `shipping` is net of its discount."""

    id: str
    method: Method
    location: str | None = None
    shipping: int = 0


@frozen
class OpenException:
    """Something that a person or a mapping must resolve before the order can go on.

    `code` is a key of `EXCEPTIONS`; `ref` names what it concerns (a line, a digest, a shipment).
    """

    code: str
    ref: str
    at: datetime


@frozen
class Resolution:
    """Who resolves an exception, and by which command."""

    owner: str
    command: str


POSITION_SHORT = "position_short"
"""Code of the exception of an order that was released from a position with too few units."""

EXCEPTIONS: dict[str, Resolution] = {
    "stock_short": Resolution(
        "merchandising", "receive stock, raise the backorder limit, or cancel the units"
    ),
    POSITION_SHORT: Resolution(
        "warehouse", "look for the units and count the position, or cancel what it cannot ship"
    ),
    "rejected_often": Resolution("merchandising", "look for the units at their locations, or cancel them"),
    "sku_unknown": Resolution("catalogue", "PUT /skus/{sku}"),
    "quantity_unknown": Resolution("catalogue", "PUT /skus/{sku} with the scale of the sku"),
    "kit_unknown": Resolution(
        "customer_service", "edit the order: it came before its kit was described, and has no components"
    ),
    "location_unmapped": Resolution(
        "integration", "PUT /configuration/channel/{id} with the location's mapping"
    ),
    "channel_conflict": Resolution("integration", "compare with the channel and edit the order"),
    "channel_cancelled": Resolution(
        "customer_service", "stop the parcel at its carrier, or take it back as a return"
    ),
    "cancel_refused": Resolution("customer_service", "tell the customer; take the parcel back as a return"),
    "cancel_untold": Resolution("customer_service", "cancel at the channel what is cancelled here"),
    "refund_untold": Resolution("finance", "give the money back at the channel or the provider"),
    "channel_reduced": Resolution("customer_service", "compare with the channel and stop what is not wanted"),
    "address_missing": Resolution(
        "customer_service", "ask the customer, and correct the order at the channel"
    ),
    "channel_edit": Resolution(
        "customer_service", "compare with the channel; a version that can be applied in whole resolves it"
    ),
    "left_elsewhere": Resolution(
        "warehouse", "stop the parcel at its location, unless it is the same: its report resolves it then"
    ),
    "fulfillment_withdrawn": Resolution(
        "customer_service", "compare with the channel; ship the units again by an order of their own"
    ),
    "replaced_shipped": Resolution(
        "customer_service", "cancel the order, or lift its hold if it is to be shipped as well"
    ),
    "money_conflict": Resolution("finance", "compare with the channel and the provider"),
    "totals_unbalanced": Resolution("finance", "compare with the channel"),
    "shipped_beyond_request": Resolution("warehouse", "count the position and correct the order"),
    "returned_beyond_shipped": Resolution(
        "customer_service", "compare with the parcel and correct the return"
    ),
}
"""Every exception code with its owner and the command that resolves it."""


@frozen
class Order(Journaled):
    """The header of an order: all that is needed to decide about it.

    `authorized`, `captured` and `refunded` are amounts; `total` is what the customer owes for everything
    ordered, as the channel computed it. `customer_key` is the channel and its own id of the customer, nothing
    that tells who it is. `closed_at` is set once, so that later returns do not reopen the order. `due_at` is
    when the clock looks at it next. `pays_until` is when it is cancelled unless somebody has paid, `erase_at`
    when the clock looks whether what it keeps of a person can go. `replaces` is the id of the order that it
    takes the place of.
    """

    order_id: str
    channel: str
    channel_version: str
    digest: bytes
    order_number: str
    currency: str
    placed_at: datetime
    tax_included: bool
    lines: tuple[OrderLine, ...]
    deliveries: tuple[OrderDelivery, ...]
    total: int
    shipping: int = 0
    charges: int = 0
    authorized: int = 0
    captured: int = 0
    refunded: int = 0
    pool: str | None = None
    customer_key: str | None = None
    test: bool = False
    holds: tuple[str, ...] = ()
    exceptions: tuple[OpenException, ...] = ()
    due_at: datetime | None = None
    closed_at: datetime | None = None
    pays_until: datetime | None = None
    erase_at: datetime | None = None
    replaces: str | None = None

    def line(self, line_id: str) -> OrderLine | None:
        """The line of that id, or None."""
        return next((line for line in self.lines if line.line_id == line_id), None)

    def delivery(self, delivery_id: str | None) -> OrderDelivery | None:
        """The delivery of that id, or None."""
        return next((delivery for delivery in self.deliveries if delivery.id == delivery_id), None)

    def with_lines(self, changed: Mapping[str, OrderLine]) -> "Order":
        """This order with the lines of `changed` (by line id) in place of its own.

        That a position is too short is nothing to an order that has no units there any more.
        """
        lines = tuple(changed.get(line.line_id, line) for line in self.lines)
        places = {f"{line.sku}@{entry.location}" for line in lines for entry in line.entries}
        exceptions = tuple(
            known for known in self.exceptions if known.code != POSITION_SHORT or known.ref in places
        )
        return replace(self, lines=lines, exceptions=exceptions)

    def with_exception(self, code: str, ref: str, at: datetime) -> "Order":
        """This order with an exception opened; the same code for the same thing is opened once."""
        if any(known.code == code and known.ref == ref for known in self.exceptions):
            return self
        return replace(self, exceptions=(*self.exceptions, OpenException(code, ref, at)))

    def without_exception(self, code: str, ref: str) -> "Order":
        """This order without that exception: what it was opened for has been resolved."""
        kept = tuple(known for known in self.exceptions if (known.code, known.ref) != (code, ref))
        return self if kept == self.exceptions else replace(self, exceptions=kept)


@frozen
class BodyLine:
    """What a line needs only to be shown or diffed: its id at the channel, title, price, properties."""

    line_id: str
    channel_line_id: str
    title: str
    unit_price: int | str
    quantity: int | str
    properties: Mapping[str, str] = field(default_factory=dict)


@frozen
class OrderBody:
    """Everything not needed to decide: addresses, names, titles, notes. Written once with the header.

    `sourcing` are the records of the decisions that it was placed with (`oms.sourcing.record`).
    """

    channel_order_id: str
    adapter: str
    presentment_currency: str
    customer: Customer
    billing: Address | None
    ship_to: Mapping[str, Address]
    services: Mapping[str, str]
    lines: tuple[BodyLine, ...]
    payments: tuple[Mapping[str, object], ...] = ()
    source_location: str | None = None
    purchase_order: str | None = None
    notes: str | None = None
    sourcing: tuple[Mapping[str, Any], ...] = ()
