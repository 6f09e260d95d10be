"""Canonical commands for what a channel records besides orders: money, parcels, returns, stock, listings.

They follow `oms.orders.commands`: amounts are integer minor units, times aware datetimes in UTC, ids strings
of the channel's. Each carries an id of its own, under which the same fact is recorded once.
"""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Customer
from oms.values import frozen


class PaymentKind(StrEnum):
    """What a payment event did; a sale authorizes and captures at once."""

    AUTHORIZATION = "authorization"
    SALE = "sale"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class Outcome(StrEnum):
    """How a payment event ended."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"


@frozen
class PaymentRecorded:
    """A payment event on the channel's side; `parent_id` is the payment it captures, voids or refunds."""

    command: ClassVar[str] = "payment_recorded"

    channel: str
    adapter: str
    channel_order_id: str | None
    payment_id: str
    parent_id: str | None
    kind: PaymentKind
    outcome: Outcome
    amount: int
    currency: str
    method: str | None
    test: bool
    occurred_at: datetime


class Restock(StrEnum):
    """What the channel says of the goods of a refunded line.

    `cancel`: they never left; `return`: they come back; `none`: they do not; `unknown`: it does not say.
    """

    CANCEL = "cancel"
    RETURN = "return"
    NONE = "none"
    UNKNOWN = "unknown"


@frozen
class RefundLine:
    """Units of an order line that a refund pays for; `amount` is net of discounts, `tax` as given."""

    channel_line_id: str
    quantity: int
    amount: int
    tax: int
    restock: Restock
    location: str | None = None


@frozen
class RefundRecorded:
    """Money that the channel has given back or is about to.

    `amount` is what the customer gets. `adjustment` is what it holds beyond lines, shipping, duties and fees
    (negative when less than they come to); it belongs to no line. `settles` is the public id of the refund of
    ours that it is, where the channel knows.
    """

    command: ClassVar[str] = "refund_recorded"

    channel: str
    adapter: str
    channel_order_id: str
    refund_id: str
    currency: str
    amount: int
    lines: tuple[RefundLine, ...]
    shipping: int
    shipping_tax: int
    duties: int
    fees: int
    adjustment: int
    notes: str | None
    occurred_at: datetime
    settles: str | None = None


class FulfillmentOutcome(StrEnum):
    """How far a fulfillment of the channel has come."""

    PENDING = "pending"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    FAILED = "failed"


@frozen
class UnitsOfLine:
    """Units of an order line."""

    channel_line_id: str
    quantity: int


@frozen
class Parcel:
    """A parcel as the channel names it."""

    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None


@frozen
class FulfillmentRecorded:
    """Units that left, or were to leave, as the channel has it; our own shipments come back this way too."""

    command: ClassVar[str] = "fulfillment_recorded"

    channel: str
    adapter: str
    channel_order_id: str
    fulfillment_id: str
    channel_version: str
    status: FulfillmentOutcome
    location: str | None
    lines: tuple[UnitsOfLine, ...]
    parcels: tuple[Parcel, ...]
    occurred_at: datetime


@frozen
class TrackingRecorded:
    """Where a parcel is, by a carrier's or channel's word at `occurred_at`."""

    command: ClassVar[str] = "tracking_recorded"

    channel: str
    adapter: str
    channel_order_id: str | None
    fulfillment_id: str | None
    carrier: str | None
    tracking_number: str | None
    status: ShipmentState
    message: str | None
    expected_at: datetime | None
    occurred_at: datetime


@frozen
class ChannelWorkLine:
    """A line of the channel's own fulfillment order: `id` is what the channel wants to hear when it ships."""

    id: str
    channel_line_id: str
    quantity: int


@frozen
class FulfillmentOrderRecorded:
    """The channel's own plan for one location, with the ids that shipments are reported under."""

    command: ClassVar[str] = "fulfillment_order_recorded"

    channel: str
    adapter: str
    channel_order_id: str
    fulfillment_order_id: str
    status: str | None
    request_status: str | None
    location: str | None
    method: str | None
    lines: tuple[ChannelWorkLine, ...]
    hold_reasons: tuple[str, ...]


class ReturnStatus(StrEnum):
    """How far a return has come on the channel's side; open is approved and not finished."""

    REQUESTED = "requested"
    OPEN = "open"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    CLOSED = "closed"


@frozen
class ReturnedLine:
    """Units of an order line that a customer sends back, and why."""

    return_line_id: str
    channel_line_id: str
    quantity: int
    reason: str | None
    notes: str | None


@frozen
class ReturnRecorded:
    """A return on the channel's side. Without lines it only changes the status of one that is known."""

    command: ClassVar[str] = "return_recorded"

    channel: str
    adapter: str
    channel_order_id: str | None
    return_id: str
    status: ReturnStatus
    lines: tuple[ReturnedLine, ...]
    reason: str | None
    occurred_at: datetime


@frozen
class StockRecorded:
    """What the channel takes for available at one of its locations; None: the item is not counted there."""

    command: ClassVar[str] = "stock_recorded"

    channel: str
    adapter: str
    location: str
    item_id: str
    available: int | None
    as_of: datetime


@frozen
class ListingRecorded:
    """What the channel sells under one of its ids, and which sku that is; facts not told are None."""

    command: ClassVar[str] = "listing_recorded"

    channel: str
    adapter: str
    listing_id: str | None
    product_id: str | None
    item_id: str | None
    sku: str | None
    title: str | None
    barcode: str | None
    tracked: bool | None
    requires_shipping: bool | None
    as_of: datetime


class PrivacyKind(StrEnum):
    """What a privacy request asks for."""

    EXPORT = "export"
    ERASE_CUSTOMER = "erase_customer"
    ERASE_SHOP = "erase_shop"


@frozen
class PrivacyRequested:
    """A customer wants their data, or it must go; `orders` are the channel's ids of the orders concerned."""

    command: ClassVar[str] = "privacy_requested"

    channel: str
    adapter: str
    kind: PrivacyKind
    customer: Customer | None
    orders: tuple[str, ...]
    requested_at: datetime
