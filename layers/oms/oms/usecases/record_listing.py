"""Record a listing: which sku of ours a channel sells under an id of its own."""

from dataclasses import replace

from oms.channels.listings import Listing, first_told
from oms.events.publish import Queue
from oms.inventory.network import Network
from oms.orders.records import ListingRecorded
from oms.store.listings import encode_listing, find_listing, key_of
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replacing
from oms.usecases.push_listing import push_untold
from oms.usecases.races import settle


def record_listing(
    table: Table, network: Network, publish: Queue, recorded: ListingRecorded
) -> Listing | None:
    """Keep what a channel says of a listing, and have it told what it is not certain to know.

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
    item_id = recorded.item_id
    if item_id is None:
        return None
    listing = settle(lambda: _attempt(table, recorded, item_id), f"listing {recorded.channel} {item_id}")
    push_untold(table, network, publish, listing)
    return listing


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
