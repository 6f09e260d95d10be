"""Listings as stored: each by itself, so that to tell a channel of stock waits for no order of the sku."""

from collections.abc import Mapping
from typing import Any, cast

from oms.channels.listings import Listing
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.keys import Key
from oms.store.table import Table

_TIMES = ("published_at", "claimed_until", "retry_at")
_TEXTS = ("sku", "listing_id", "product_id", "title")


def key_of(listing: Listing) -> Key:
    """Where it stands."""
    return keys.listing(listing.channel, listing.item_id)


def encode_listing(listing: Listing) -> Item:
    """A listing's attributes, without its key."""
    item: dict[str, Any] = {"t": "listing", "sv": 1, "v": listing.v, "as_of": millis(listing.as_of)}
    item |= {name: getattr(listing, name) for name in (*_TEXTS, "published")}
    for name in _TIMES:
        time = getattr(listing, name)
        item[name] = None if time is None else millis(time)
    if listing.sku is not None:
        item["GSI2PK"] = keys.listings(listing.sku)
        item["GSI2SK"] = f"{listing.channel}#{listing.item_id}"
    return {name: value for name, value in item.items() if value is not None}


def decode_listing(item: Item) -> Listing:
    """A listing from its item, key included."""
    stored = cast(Mapping[str, Any], item)
    channel, _, item_id = stored["PK"].removeprefix(keys.LISTING).partition("#")
    times: dict[str, Any] = {name: moment(stored[name]) if name in stored else None for name in _TIMES}
    return Listing(
        channel=channel,
        item_id=item_id,
        **{name: stored.get(name) for name in _TEXTS},
        as_of=moment(stored["as_of"]),
        published=stored.get("published"),
        **times,
        v=stored["v"],
    )


def find_listing(table: Table, channel: str, item_id: str) -> Listing | None:
    """A listing as it stands now."""
    item = table.get(keys.listing(channel, item_id))
    return decode_listing(item) if item else None


def listings_of(table: Table, sku: str) -> tuple[Key, ...]:
    """Keys of all listings of a sku, of every channel; one of a moment ago may be missing."""
    found: list[Key] = []
    after: Item | None = None
    while True:
        page, after = table.keys_in_index("GSI2", keys.listings(sku), after=after)
        found += page
        if after is None:
            return tuple(found)
