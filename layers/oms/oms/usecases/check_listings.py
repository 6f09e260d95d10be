"""Check listings: compare what a channel shows with what we have, and mend what differs.

What only one side knows, what is mapped otherwise, and stock, titles and prices that the channel is told of
can be mended from here; what has no sku, one that we do not know, or the same one twice needs a person at the
channel or in the catalogue.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import batched

from oms.channels.catalogues import Shown
from oms.channels.listings import Listing
from oms.channels.publishing import written
from oms.events.publish import Queue
from oms.inventory.model import Sku
from oms.inventory.network import Aspect, Channel, Network
from oms.orders.records import ListingRecorded
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.ledger import scan
from oms.store.listings import decode_listing, listings_of
from oms.store.stock import read_skus
from oms.store.table import Table
from oms.store.writes import remove
from oms.usecases.push_listing import forget_told, knows, remembered, to_push, units_for_sale
from oms.usecases.races import settle
from oms.usecases.record_listing import record_listing
from oms.values import frozen

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
    PRICE = "price"


@frozen
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
    channel = need_channel(network, channel_id)
    first: dict[str, str] = {}
    seen: set[str] = set()
    for batch in batched(catalogue, _BATCH, strict=False):
        seen.update(shown.item_id for shown in batch)
        yield from _compare(table, network, channel, batch, first, now)
    for item in scan(table, 0, 1, "listing", on_page=lambda count: None):
        listing = decode_listing(item)
        if listing.channel == channel_id and listing.item_id not in seen:
            yield Difference(Kind.GONE, listing.item_id, listing.sku, listing.title, None)


def check_page(
    table: Table, network: Network, channel_id: str, page: Sequence[Shown], now: datetime
) -> Iterator[Difference]:
    """Find what differs in a part of what a channel shows; what it does not show any more is not found so.

    A duplicate is found beside the listing of its sku that we know, or that stands before it in the part.

    Args:
        table: the store.
        network: channels, pools and locations.
        channel_id: which channel.
        page: a part of what it shows.
        now: UTC.

    Raises:
        Problem: `not_found`, the channel is not configured.
    """
    channel = need_channel(network, channel_id)
    first: dict[str, str] = {}
    for sku in {shown.sku for shown in page if shown.sku}:
        known = [key.pk.split("#", 2)[1:] for key in listings_of(table, sku)]
        ours = sorted(item_id for of_channel, item_id in known if of_channel == channel_id)
        if ours:
            first[sku] = ours[0]
    return _compare(table, network, channel, page, first, now)


def need_channel(network: Network, channel_id: str) -> Channel:
    """A channel that is configured.

    Raises:
        Problem: `not_found`.
    """
    channel = network.channels.get(channel_id)
    if channel is None:
        raise Problem(Code.NOT_FOUND, f"channel {channel_id} is not configured", "channel")
    return channel


def _compare(
    table: Table,
    network: Network,
    channel: Channel,
    page: Sequence[Shown],
    first: dict[str, str],
    now: datetime,
) -> Iterator[Difference]:
    """What differs; `first` is the first listing of every sku so far."""
    items = table.get_many([keys.listing(channel.id, shown.item_id) for shown in page])
    known = {listing.item_id: listing for listing in map(decode_listing, items)}
    skus = read_skus(table, {shown.sku for shown in page if shown.sku})
    for shown in page:
        sku = skus.get(shown.sku or "")
        yield from _mapping(shown, known.get(shown.item_id), sku, first)
        if sku is not None:
            units = units_for_sale(table, network, channel, sku.sku, now)
            yield from _contents(channel, shown, sku, units)


def _mapping(
    shown: Shown, known: Listing | None, sku: Sku | None, first: dict[str, str]
) -> Iterator[Difference]:
    """What differs in which sku is sold as what."""

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
    if sku is None:
        yield differs(Kind.UNKNOWN_SKU, None, shown.sku)


def _contents(channel: Channel, shown: Shown, sku: Sku, units: int) -> Iterator[Difference]:
    """What differs in what it shows. What it does not say of its title or price does not differ."""

    def differs(kind: Kind, ours: str | int, theirs: str | int | None) -> Difference:
        return Difference(kind, shown.item_id, sku.sku, ours, theirs, shown)

    if not knows(channel, shown.stock, units):
        yield differs(Kind.STOCK, units, shown.stock)
    if sku.title and shown.title and sku.title != shown.title:
        yield differs(Kind.TITLE, sku.title, shown.title)
    price = sku.price_at(channel.id, channel.currency)
    theirs = shown.price(price.currency) if price else None
    if price is not None and theirs is not None and theirs != Decimal(written(price)):
        yield differs(Kind.PRICE, remembered(price), f"{theirs:f} {price.currency}")


def mend(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> bool:
    """Mend a difference: by recording what the channel shows, or by having it told again what we have.

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
    if mending is _tell_again and (channel.paused or Aspect(found.kind) not in channel.publishes):
        return False
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
    aspect = Aspect(found.kind)
    settle(lambda: forget_told(table, channel.id, found.item_id, aspect), what)
    publish.send([to_push(aspect, channel.id, found.item_id, found.sku or "")])


def _forget(
    table: Table, network: Network, publish: Queue, channel: Channel, found: Difference, now: datetime
) -> None:
    told = (keys.listing_told(channel.id, found.item_id, aspect) for aspect in Aspect)
    table.commit(*map(remove, (keys.listing(channel.id, found.item_id), *told)))


type _Mending = Callable[[Table, Network, Queue, Channel, Difference, datetime], None]

_MENDINGS: Mapping[Kind, _Mending] = {
    Kind.UNLISTED: _record,
    Kind.REMAPPED: _record,
    **dict.fromkeys((Kind.STOCK, Kind.TITLE, Kind.PRICE), _tell_again),
    Kind.GONE: _forget,
}
"""How what differs is mended; the others need a person."""
