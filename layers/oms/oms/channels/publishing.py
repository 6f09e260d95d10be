"""Telling channels what we know: each kind that can be told has a `publish` module with these functions."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Protocol

from oms.channels.currencies import unscaled
from oms.channels.exchange import Api
from oms.channels.listings import Listing
from oms.inventory.model import Price
from oms.inventory.network import Aspect
from oms.problems import Code, Problem
from oms.values import frozen

KINDS = ("shopify", "woocommerce", "magento", "bigcommerce", "square", "ebay", "amazon")
"""Kinds of channels that are told of stock and of parcels."""

_TOLD_OF: Mapping[Aspect, frozenset[str]] = {
    Aspect.STOCK: frozenset(KINDS),
    Aspect.TITLE: frozenset(KINDS) - {"ebay"},
    Aspect.PRICE: frozenset(KINDS),
}
"""Kinds whose API takes an aspect of a listing. eBay's takes a title only together with the stock, which
would then be as old as the title.
"""

_CANCELLING = frozenset({"shopify", "woocommerce", "magento", "bigcommerce", "square"})
_CANCELLING_UNITS = frozenset({"shopify"})
_REFUNDING = frozenset({"shopify", "woocommerce", "bigcommerce", "square"})
"""Kinds whose API takes a cancelled order, units of one, and money to give back. Amazon takes them by feeds
of files, eBay by an older API with credentials of its own; Magento refunds by its invoices alone.
"""


@frozen
class Statement:
    """What a channel is told of a listing.

    Attributes:
        listing: of what.
        key: names this one statement, the same when it is made again.
        at: when it was true, UTC.
    """

    listing: Listing
    key: str
    at: datetime

    def need(self, name: str) -> str:
        """A text of the listing that the channel cannot do without.

        Raises:
            Problem: `field_missing`.
        """
        value = getattr(self.listing, name)
        if not isinstance(value, str) or not value:
            raise Problem(Code.FIELD_MISSING, f"the listing has no {name}", name)
        return value


@frozen
class Level(Statement):
    """How many of a listing may be sold: `units` that the channel sells, never negative."""

    units: int


@frozen
class Titled(Statement):
    """What a listing is called."""

    title: str


@frozen
class Priced(Statement):
    """What a unit that the channel sells costs."""

    price: Price

    @property
    def decimal(self) -> str:
        """The amount as channels write it."""
        return written(self.price)

    @property
    def number(self) -> float:
        """The same where they want a number: it has few enough digits to be written as it is."""
        return float(self.decimal)


def written(price: Price) -> str:
    """The amount of a price as channels write it: 14.90."""
    return f"{unscaled(price.amount, price.currency):f}"


@frozen
class Parcel:
    """A parcel of an order of the channel, as it has left.

    Attributes:
        order_id: the channel's id of the order.
        key: names the parcel, the same whenever it is told of.
        carrier: as the location calls it; None when it did not say.
        tracking_number: None without one.
        shipped_at: when, UTC.
        lines: the channel's ids of its lines, and the units in the parcel.
        completes: whether nothing of the order is left to ship.
    """

    order_id: str
    key: str
    carrier: str | None
    tracking_number: str | None
    shipped_at: datetime
    lines: Mapping[str, int]
    completes: bool


@frozen
class Cancelled:
    """What is left of an order of the channel after we have cancelled units of it.

    Attributes:
        order_id: the channel's id of the order.
        whole: whether nothing is left.
        kept: units that are left, by the channel's ids of the lines that we have cancelled units of. A part
            of one is nothing that a channel can be told.
    """

    order_id: str
    whole: bool
    kept: Mapping[str, Decimal]


@frozen
class Repayment:
    """Money of an order of the channel that is to be given back to who paid it.

    Attributes:
        order_id: the channel's id of the order.
        key: names the refund, the same whenever it is asked for.
        amount: in minor units of `currency`.
        currency: ISO 4217.
        paid_in: the currency that the customer has paid in.
    """

    order_id: str
    key: str
    amount: int
    currency: str
    paid_in: str

    @property
    def decimal(self) -> str:
        """The amount as channels write it."""
        return f"{unscaled(self.amount, self.currency):f}"


class Publishing(Protocol):
    """What the `publish` module of a kind has: the aspects of `_TOLD_OF`, and the last two where
    `_CANCELLING` and `_REFUNDING` have it.
    """

    def push_stock(self, api: Api, level: Level) -> None:
        """Tell the channel how many of a listing may be sold; to tell it twice is harmless.

        Raises:
            Problem: `channel_refused`, or `field_missing`: the secret or the listing lacks something.
            Unavailable: the channel gave no answer that counts.
        """

    def push_title(self, api: Api, titled: Titled) -> None:
        """Tell the channel what a listing is called; to tell it twice is harmless.

        Raises:
            Problem: `unsupported`, the listing shares the title of its product with others; or as above.
            Unavailable: the channel gave no answer that counts.
        """

    def push_price(self, api: Api, priced: Priced) -> None:
        """Tell the channel what a listing costs; to tell it twice is harmless.

        Raises:
            Problem: as above.
            Unavailable: the channel gave no answer that counts.
        """

    def push_parcel(self, api: Api, parcel: Parcel) -> None:
        """Tell the channel of a parcel. Where the channel would take it for another one when it is told
        twice, it is asked first which it knows, by tracking number.

        Raises:
            Problem: `channel_refused`, or `field_missing`: the secret lacks something.
            Unavailable: the channel gave no answer that counts.
        """

    def push_cancel(self, api: Api, cancelled: Cancelled) -> None:
        """Have the channel cancel what we have; what is so already stays, so that twice is once.

        No money is given back by it, and no stock: both are told by themselves.

        Raises:
            Problem: `channel_refused`.
            Unavailable: the channel gave no answer that counts.
        """

    def push_refund(self, api: Api, repayment: Repayment) -> None:
        """Have the channel give money back. It is asked first what it has given back under the key, or knows
        the key by itself.

        Raises:
            Problem: `channel_refused`, also when the channel has not that much to give back at once.
            Unavailable: the channel gave no answer that counts.
        """


def require_telling(kind: str, aspect: Aspect, field: str = "kind") -> None:
    """See that a kind of channel can be told of an aspect of its listings.

    Raises:
        Problem: `unsupported`, naming the field.
    """
    if kind not in _TOLD_OF[aspect]:
        raise Problem(Code.UNSUPPORTED, f"the API of {kind} has no way to be told of a {aspect}", field)


def shared_title() -> Problem:
    """Why a title is not told: the product has several variants, and one title."""
    detail = "the product has several variants, whose titles the shop makes of its own and their options"
    return Problem(Code.UNSUPPORTED, detail, "title")


def require_cancelling(kind: str, cancelled: Cancelled) -> None:
    """See that a kind of channel can be told of it.

    Raises:
        Problem: `unsupported`.
    """
    if kind not in (_CANCELLING if cancelled.whole else _CANCELLING_UNITS):
        what = "orders" if cancelled.whole else "units of an order"
        raise Problem(Code.UNSUPPORTED, f"the API of {kind} has no way to cancel {what}", "kind")
    if any(units != units.to_integral_value() for units in cancelled.kept.values()):
        raise Problem(Code.UNSUPPORTED, "what is left is no whole number of what the channel sells", "kept")


def require_refunding(kind: str, repayment: Repayment) -> None:
    """See that a kind of channel can be asked to give money back.

    Raises:
        Problem: `unsupported`.
    """
    if kind not in _REFUNDING:
        raise Problem(Code.UNSUPPORTED, f"the API of {kind} has no way to give money back", "kind")
    if repayment.paid_in != repayment.currency:
        raise Problem(Code.UNSUPPORTED, f"the customer has paid in {repayment.paid_in}", "currency")


def publishing(kind: str) -> Publishing:
    """How a kind of channel is told.

    Raises:
        Problem: `unsupported`.
    """
    if kind not in KINDS:
        raise Problem(Code.UNSUPPORTED, f"channels of the kind {kind} are not told of anything", "kind")
    found: Publishing = import_module(f"oms.channels.{kind}.publish")
    return found
