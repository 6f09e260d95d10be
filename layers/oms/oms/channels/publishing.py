"""Telling channels what we know: each kind that can be told has a `publish` module with these functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Protocol

from oms.channels.exchange import Api
from oms.channels.listings import Listing
from oms.problems import Code, Problem

KINDS = ("shopify", "woocommerce", "magento", "bigcommerce", "square", "ebay", "amazon")
"""Kinds of channels that are told of stock and of parcels."""


@dataclass(frozen=True, slots=True)
class Level:
    """How many of a listing may be sold.

    Attributes:
        listing: of what.
        units: in the unit that the channel sells, never negative.
        key: names this one statement, the same when it is made again.
        at: when it was true, UTC.
    """

    listing: Listing
    units: int
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


@dataclass(frozen=True, slots=True)
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


class Publishing(Protocol):
    """What the `publish` module of a kind has."""

    def push_stock(self, api: Api, level: Level) -> None:
        """Tell the channel how many of a listing may be sold; to tell it twice is harmless.

        Raises:
            Problem: `channel_refused`, or `field_missing`: the secret or the listing lacks something.
            Unavailable: the channel gave no answer that counts.
        """

    def push_parcel(self, api: Api, parcel: Parcel) -> None:
        """Tell the channel of a parcel. Where the channel would take it for another one when it is told
        twice, it is asked first which it knows, by tracking number.

        Raises:
            Problem: `channel_refused`, or `field_missing`: the secret lacks something.
            Unavailable: the channel gave no answer that counts.
        """


def publishing(kind: str) -> Publishing:
    """How a kind of channel is told.

    Raises:
        Problem: `unsupported`.
    """
    if kind not in KINDS:
        raise Problem(Code.UNSUPPORTED, f"channels of the kind {kind} are not told of anything", "kind")
    found: Publishing = import_module(f"oms.channels.{kind}.publish")
    return found
