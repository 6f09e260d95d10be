"""Check listings: compare what a channel shows with what we have, and mend what differs.

What only one side knows, what is mapped otherwise and wrong stock can be mended from here; what has no sku,
one that we do not know, or the same one twice needs a person at the channel or in the catalogue.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import batched

from oms.channels.catalogues import Shown
from oms.channels.listings import Listing
from oms.events.publish import Queue
from oms.inventory.network import Aspect, Channel, Network
from oms.orders.records import ListingRecorded
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.ledger import scan
from oms.store.listings import decode_listing
from oms.store.stock import read_skus
from oms.store.table import Table
from oms.store.writes import remove
from oms.usecases.push_listing import forget_told, knows, to_push, units_for_sale
from oms.usecases.races import settle
from oms.usecases.record_listing import record_listing

_BATCH = 50


class Kind(StrEnum):
    """What differs."""

    UNMAPPED = "unmapped"
    UNKNOWN_SKU = "unknown_sku"
    DUPLICATE = "duplicate"
    UNLISTED = "unlisted"
    REMAPPED = "remapped"
    GONE = "gone"
    STOCK = "stock"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a channel differs from us.

    Attributes:
        kind: what differs.
        item_id: what the channel counts the listing's stock under.
        sku: ours, as far as somebody has said.
        ours: what we have of it.
        theirs: what the channel shows.
        shown: the listing as the channel shows it; None when it does not.
    """

    kind: Kind
    item_id: str
    sku: str | None
    ours: str | int | None
    theirs: str | int | None
    shown: Shown | None = None


def check_listings(
    table: Table, network: Network, channel_id: str, catalogue: Iterable[Shown], now: datetime
) -> Iterator[Difference]:
    """Find what differs, while others go on selling: stock that moves meanwhile may be found to differ.

    Reads our listings and stock of everything that the channel shows, and the whole table once, for what the
    channel does not show any more.

    Args:
        table: the store.
        network: channels, pools and locations.
        channel_id: which channel.
        catalogue: everything that it shows.
        now: UTC.

    Raises:
        Problem: `not_found`, the channel is not configured; or as reading the catalogue does.
        Unavailable: the channel gave no answer that counts.
    """
    channel = network.channels.get(channel_id)
    if channel is None:
        raise Problem(Code.NOT_FOUND, f"channel {channel_id} is not configured", "channel")
    first: dict[str, str] = {}
    seen: set[str] = set()
    for batch in batched(catalogue, _BATCH, strict=False):
        items = table.get_many([keys.listing(channel_id, shown.item_id) for shown in batch])
        known = {listing.item_id: listing for listing in map(decode_listing, items)}
        skus = read_skus(table, {shown.sku for shown in batch if shown.sku})
        for shown in batch:
            seen.add(shown.item_id)
            title = skus[shown.sku].title if shown.sku in skus else None
            yield from _mapping(shown, known.get(shown.item_id), title, first)
            if shown.sku in skus:
                yield from _stock(table, network, channel, shown, now)
    for item in scan(table, 0, 1, "listing", on_page=lambda count: None):
        listing = decode_listing(item)
        if listing.channel == channel_id and listing.item_id not in seen:
            yield Difference(Kind.GONE, listing.item_id, listing.sku, listing.title, None)


def _mapping(
    shown: Shown, known: Listing | None, title: str | None, first: dict[str, str]
) -> Iterator[Difference]:
    """What differs in which sku is sold as what; `first` is the first listing of every sku."""

    def differs(kind: Kind, ours: str | None, theirs: str | None) -> Difference:
        return Difference(kind, shown.item_id, shown.sku, ours, theirs, shown)

    if known is None:
        yield differs(Kind.UNLISTED, None, shown.sku)
    elif shown.sku and known.sku != shown.sku:
        yield differs(Kind.REMAPPED, known.sku, shown.sku)
    if not shown.sku:
        if known is None or known.sku is None:
            yield differs(Kind.UNMAPPED, None, shown.title)
        return
    if first.setdefault(shown.sku, shown.item_id) != shown.item_id:
        yield differs(Kind.DUPLICATE, first[shown.sku], shown.item_id)
    if title is None:
        yield differs(Kind.UNKNOWN_SKU, None, shown.sku)
    elif title and shown.title and title != shown.title:
        yield differs(Kind.TITLE, title, shown.title)


def _stock(
    table: Table, network: Network, channel: Channel, shown: Shown, now: datetime
) -> Iterator[Difference]:
    assert shown.sku is not None, "its sku is known"
    units = units_for_sale(table, network, channel, shown.sku, now)
    if not knows(channel, shown.stock, units):
        yield Difference(Kind.STOCK, shown.item_id, shown.sku, units, shown.stock, shown)


def mend(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> bool:
    """Mend a difference: by recording what the channel shows, or by having it told again.

    Args:
        table: the store.
        network: says what the channel is told.
        publish: the queue of `publisher`.
        channel: whose.
        found: what differs.
        now: UTC.

    Returns:
        Whether it can be mended from here.

    Raises:
        Busy: others kept writing the listing.
        NotTakenError: the queue did not take the message; doing it again is harmless.
    """
    mending = _MENDINGS.get(found.kind)
    if mending is not None:
        mending(table, network, publish, channel, found, now)
    return mending is not None


def _record(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> None:
    shown = found.shown
    assert shown is not None, "the channel shows it"
    recorded = ListingRecorded(
        channel=channel.id,
        adapter=channel.kind,
        listing_id=shown.listing_id,
        product_id=shown.product_id,
        item_id=shown.item_id,
        sku=shown.sku,
        title=shown.title,
        barcode=None,
        tracked=None,
        requires_shipping=None,
        as_of=now,
    )
    record_listing(table, network, publish, recorded)


def _tell_again(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> None:
    what = f"listing {channel.id} {found.item_id}"
    settle(lambda: forget_told(table, channel.id, found.item_id, Aspect.STOCK), what)
    publish.send([to_push(Aspect.STOCK, channel.id, found.item_id, found.sku or "")])


def _forget(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> None:
    told = (keys.listing_told(channel.id, found.item_id, aspect) for aspect in Aspect)
    table.commit(*map(remove, (keys.listing(channel.id, found.item_id), *told)))


type _Mending = Callable[[Table, Network, Queue, Channel, Difference, datetime], None]

_MENDINGS: Mapping[Kind, _Mending] = {
    Kind.UNLISTED: _record,
    Kind.REMAPPED: _record,
    Kind.STOCK: _tell_again,
    Kind.GONE: _forget,
}
"""How what differs is mended; the others need a person."""
