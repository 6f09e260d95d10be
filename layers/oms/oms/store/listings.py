"""Listings as stored, and beside each what its channel was told: to tell it waits for no order of the sku,
and neither aspect for another.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from oms.channels.listings import Listing, Told
from oms.inventory.network import Aspect
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.keys import Key
from oms.store.table import Table
from oms.values import frozen

_TIMES = ("at", "claimed_until", "retry_at")
_TEXTS = ("sku", "listing_id", "product_id", "title")


def key_of(listing: Listing) -> Key:
    """Where it stands."""
    return keys.listing(listing.channel, listing.item_id)


def encode_listing(listing: Listing) -> Item:
    """A listing's attributes, without its key."""
    item: dict[str, Any] = {"t": "listing", "sv": 1, "v": listing.v, "as_of": millis(listing.as_of)}
    item |= {name: getattr(listing, name) for name in _TEXTS}
    if listing.sku is not None:
        item["GSI2PK"] = keys.listings(listing.sku)
        item["GSI2SK"] = f"{listing.channel}#{listing.item_id}"
    return {name: value for name, value in item.items() if value is not None}


def decode_listing(item: Item) -> Listing:
    """A listing from its item, key included."""
    stored = cast(Mapping[str, Any], item)
    channel, _, item_id = stored["PK"].removeprefix(keys.LISTING).partition("#")
    return Listing(
        channel=channel,
        item_id=item_id,
        **{name: stored.get(name) for name in _TEXTS},
        as_of=moment(stored["as_of"]),
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


def encode_told(told: Told) -> Item:
    """What a channel was told as attributes, without the key."""
    item: dict[str, Any] = {"t": "told", "sv": 1, "v": told.v, "sku": told.sku, "value": told.value}
    for name in _TIMES:
        time = getattr(told, name)
        item[name] = None if time is None else millis(time)
    return {name: value for name, value in item.items() if value is not None}


def find_told(table: Table, listing: Listing, aspect: Aspect) -> Told | None:
    """What the channel was told last of an aspect of a listing, of whatever sku; None when of nothing."""
    item = table.get(keys.listing_told(listing.channel, listing.item_id, aspect))
    return _decode_told(listing, aspect, item) if item else None


def find_listing_and_told(
    table: Table, channel: str, item_id: str, aspect: Aspect
) -> tuple[Listing | None, Told | None]:
    """A listing as it stands now with what `find_told` finds, read at once."""
    wanted = (keys.listing(channel, item_id), keys.listing_told(channel, item_id, aspect))
    items = {item["t"]: item for item in table.get_many(wanted, consistent=True)}
    listing = decode_listing(items["listing"]) if "listing" in items else None
    return listing, _decode_told(listing, aspect, items["told"]) if listing and "told" in items else None


def _decode_told(listing: Listing, aspect: Aspect, item: Item) -> Told:
    stored = cast(Mapping[str, Any], item)
    times: dict[str, Any] = {name: moment(stored[name]) if name in stored else None for name in _TIMES}
    value, v = stored.get("value"), stored["v"]
    return Told(listing.channel, listing.item_id, aspect, stored["sku"], value, **times, v=v)


@frozen
class Named:
    """The sku that a channel's orders mean by a listing, as it was said at `as_of` (UTC)."""

    channel: str
    listing_id: str
    sku: str
    as_of: datetime
    v: int = 0


def encode_named(named: Named) -> Item:
    """What a listing means as attributes, without the key."""
    return {"t": "listed", "sv": 1, "v": named.v, "sku": named.sku, "as_of": millis(named.as_of)}


def read_named(table: Table, channel: str, listing_ids: Iterable[str]) -> dict[str, Named]:
    """What listings mean, as it stands now, by their ids; those of which nobody has said it are left out."""
    wanted = {keys.listed(channel, name): name for name in listing_ids}
    items = table.get_many(wanted, consistent=True)
    found = {wanted[Key(str(item["PK"]), str(item["SK"]))]: cast(Mapping[str, Any], item) for item in items}
    return {
        name: Named(channel, name, item["sku"], moment(item["as_of"]), item["v"])
        for name, item in found.items()
    }
