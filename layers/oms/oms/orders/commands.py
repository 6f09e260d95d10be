"""Canonical commands: what every channel's payload becomes before anything is decided.

Amounts are integer minor units of `currency`; times are aware datetimes in UTC; ids are strings. An adapter
(`oms.channels`) builds these, `oms channel parse` prints them, the use cases execute them.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from oms.values import frozen

LISTING = "listing_id"
"""The property of a line without a sku under which `ListingRecorded` maps it to one. It is the shop's: all
others may be what a customer has written.
"""


class LineKind(StrEnum):
    """What a line sells. Only physical lines of tracked skus touch positions."""

    PHYSICAL = "physical"
    DIGITAL = "digital"
    GIFT_CARD = "gift_card"
    SERVICE = "service"
    CONTAINER = "container"


class FulfilledBy(StrEnum):
    """Who ships a line: us, the channel itself, a vendor, or nobody (taken at a till)."""

    US = "us"
    CHANNEL = "channel"
    VENDOR = "vendor"
    TAKEN = "taken"


class Method(StrEnum):
    """How a delivery reaches the customer."""

    SHIP = "ship"
    PICKUP = "pickup"
    SHIP_TO_STORE = "ship_to_store"
    DIGITAL = "digital"
    CARRY_OUT = "carry_out"


@frozen
class Address:
    """A postal address as the channel gave it; every part may be absent."""

    name: str | None = None
    company: str | None = None
    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    email: str | None = None
    latitude: str | None = None
    longitude: str | None = None


@frozen
class Customer:
    """Who bought, as the channel knows them; `id` is the channel's own customer id."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None


@frozen
class Delivery:
    """One way in which a part of the order reaches the customer; `shipping` includes `shipping_discount`."""

    id: str
    method: Method
    service: str | None = None
    ship_to: Address | None = None
    location: str | None = None
    shipping: int = 0
    shipping_discount: int = 0
    shipping_tax: int = 0


@frozen
class Line:
    """One line of a placed order.

    `amount` is the line's gross and the truth; `unit_price` is minor units, or a decimal string when it is
    not whole. `quantity` is an integer, or a decimal string ("1.5") that the sku's scale resolves.
    `discount` and `tax` are line totals with the order-level ones already spread. `shipped`, `cancelled` and
    `refunded` are units as the channel counts them; `shipped` is None when the channel does not say.
    """

    channel_line_id: str
    kind: LineKind
    fulfilled_by: FulfilledBy
    parent_line_id: str | None
    delivery_id: str | None
    sku: str | None
    title: str
    quantity: int | str
    unit_price: int | str
    amount: int
    discount: int = 0
    tax: int = 0
    requires_shipping: bool = True
    cancelled: int = 0
    refunded: int = 0
    shipped: int | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@frozen
class Fee:
    """A charge that is neither goods nor shipping (wrapping, handling, surcharge)."""

    title: str
    amount: int
    tax: int = 0


class PaymentState(StrEnum):
    """What a payment named in an order has reached on the channel's side."""

    PENDING = "pending"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    VOIDED = "voided"


@frozen
class Payment:
    """A payment as the order names it; a redeemed gift card or store credit is one too."""

    method: str
    amount: int
    state: PaymentState
    reference: str | None = None


@frozen
class PlaceOrder:
    """An order that a channel has already taken, in full, as of `channel_version`.

    `balanced` is False when the channel's own numbers do not add up: the order is accepted with the
    channel's total and flagged. `channel_version` is a string that sorts as the channel's versions do.
    `reservation` is the id of the reservation that the buyer's cart has held.
    """

    command: ClassVar[str] = "place_order"

    channel: str
    adapter: str
    channel_order_id: str
    channel_version: str
    order_number: str
    currency: str
    presentment_currency: str
    test: bool
    cancelled: bool
    placed_at: datetime
    tax_included: bool
    customer: Customer
    billing: Address | None
    deliveries: tuple[Delivery, ...]
    lines: tuple[Line, ...]
    discount: int
    shipping: int
    fees: tuple[Fee, ...]
    duties: int
    tip: int
    tax: int
    total: int
    payments: tuple[Payment, ...]
    source_location: str | None = None
    purchase_order: str | None = None
    replaces: str | None = None
    notes: str | None = None
    balanced: bool = True
    reservation: str | None = None


@frozen
class CancelOrder:
    """The channel has cancelled the order (whatever is not shipped yet)."""

    command: ClassVar[str] = "cancel_order"

    channel: str
    adapter: str
    channel_order_id: str
    channel_version: str
    reason: str | None
    cancelled_at: datetime


@frozen
class Fetch:
    """A thin notification: the resource must be fetched from the channel before it says anything."""

    command: ClassVar[str] = "fetch"

    channel: str
    adapter: str
    resource: str
    resource_id: str


@frozen
class Ignore:
    """A payload that changes nothing here, and why."""

    command: ClassVar[str] = "ignore"

    reason: str
