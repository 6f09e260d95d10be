"""Record a listing: which sku of ours a channel sells under an id of its own. Orders may wait to know."""

from datetime import datetime

from oms.channels.listings import Listing, first_told
from oms.events.publish import Queue
from oms.inventory.network import Network
from oms.orders.claims import listed
from oms.orders.records import ListingRecorded
from oms.store import keys
from oms.store.listings import Named, encode_listing, encode_named, find_listing, key_of, read_named
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replacing
from oms.usecases.push_listing import push_untold
from oms.usecases.races import settle
from oms.usecases.source_order import source_order
from oms.values import replace


def record_listing(
    table: Table, network: Network, publish: Queue, recorded: ListingRecorded
) -> Listing | None:
    """Keep what a channel says of a listing, and have it told what it is not certain to know.

    What its orders mean by it is kept too: lines that name it alone get its sku when stock is asked for them
    (`oms.usecases.source_order`).

    Args:
        table: the store.
        network: says what the channel is told.
        publish: the queue of `publisher`.
        recorded: what the channel says.

    Returns:
        The listing as it stands; None when the channel counts no stock under any id of it.

    Raises:
        Busy: others kept writing it.
        NotTakenError: the queue did not take the message; doing it again is harmless.
    """
    item_id, listing = recorded.item_id, None
    if item_id is not None:
        listing = settle(lambda: _attempt(table, recorded, item_id), f"listing {recorded.channel} {item_id}")
    said = listing or recorded
    if said.listing_id and said.sku:
        named = Named(said.channel, said.listing_id, said.sku, said.as_of)
        settle(lambda: _name(table, named), f"listing {said.channel} {said.listing_id}")
    if listing:
        push_untold(table, network, publish, listing)
    return listing


def source_listed(table: Table, network: Network, channel: str, listing_id: str, now: datetime) -> int:
    """Ask for the stock of orders that wait to know the sku of a listing; to do it again is harmless.

    Whom this does not find, as the index shows a moment later what was written, the clock does.

    Args:
        table: the store.
        network: channels, pools and locations.
        channel: which channel sells it.
        listing_id: what its orders name it by.
        now: UTC.

    Returns:
        How many orders were looked at.

    Raises:
        Busy: the stock of an order stayed contended; hand the message back to its queue.
    """
    waiting = keys.backorders(listed(channel, listing_id))
    count, after = 0, None
    while True:
        page, after = table.keys_in_index("GSI1", waiting, after=after)
        for key in page:
            source_order(table, network, key.pk.removeprefix(keys.ORDER), now)
        count += len(page)
        if after is None:
            return count


def _name(table: Table, said: Named) -> None:
    known = read_named(table, said.channel, [said.listing_id]).get(said.listing_id)
    key = keys.listed(said.channel, said.listing_id)
    if known is None:
        table.commit(create(key, encode_named(replace(said, v=1))))
    elif known.as_of <= said.as_of and known.sku != said.sku:
        table.commit(replacing(key, encode_named(replace(said, v=known.v + 1)), known.v))


def _attempt(table: Table, recorded: ListingRecorded, item_id: str) -> Listing:
    known = find_listing(table, recorded.channel, item_id)
    if known is None:
        made = replace(first_told(recorded, item_id), v=1)
        table.commit(create(key_of(made), encode_listing(made)))
        return made
    told = known.told(recorded)
    if told == known:
        return known
    written = replace(told, v=known.v + 1)
    table.commit(replacing(key_of(written), encode_listing(written), known.v))
    return written
