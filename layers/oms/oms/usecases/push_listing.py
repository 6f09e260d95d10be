"""Push stock: tell a channel how many of a listing may be sold, as it is when it is told.

What is told is read after the listing has been claimed, and only who has claimed it tells: whatever order
messages come in, the last statement is the latest truth. A message therefore carries no number.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oms.channels.exchange import Api, Unavailable
from oms.channels.listings import Listing
from oms.channels.publishing import Level, publishing
from oms.events.messages import Message, correlated
from oms.events.publish import Queue
from oms.inventory.network import Channel, Network
from oms.problems import Problem
from oms.sourcing.offering import Asker, offer
from oms.store.catalogue import kits_with
from oms.store.errors import Cancelled
from oms.store.keys import iso
from oms.store.listings import encode_listing, find_listing, key_of, listings_of
from oms.store.stock import read_wanted
from oms.store.table import Table
from oms.store.writes import replace as replacing
from oms.usecases.postponing import CHANNEL_WAITS_S, delayed, postponed

CLAIM = timedelta(seconds=90)
"""Longer than the function that claims may run."""

BUSY_S = 3
"""Until a listing that somebody else is telling of is looked at again."""

PACE = timedelta(seconds=6)
"""Between two statements about a listing, also of a shelf that is emptied and filled all the time."""

PLENTY = 9999
"""Told in place of no limit at all."""

_DEBOUNCE_S = 5


class Pushed(StrEnum):
    """What became of a message."""

    TOLD = "told"
    UNCHANGED = "unchanged"
    BUSY = "busy"
    PACED = "paced"
    POSTPONED = "postponed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message: which listing, how often it was tried, and for when it was postponed (UTC)."""

    channel: str
    item_id: str
    attempt: int = 0
    due_at: datetime | None = None


def to_announce(sku: str, now: datetime) -> Message:
    """Says that the stock of a sku has changed; those of one sku and five seconds are one message.

    The queue holds it for six seconds, so it is read after the last change that it stands for.

    Args:
        sku: whose stock.
        now: when it was noticed, UTC.
    """
    return to_announce_once(sku, str(int(now.timestamp()) // _DEBOUNCE_S))


def to_announce_once(sku: str, cause: str) -> Message:
    """The same, once for a cause within the five minutes that the queue remembers it."""
    group = hashlib.sha256(sku.encode()).hexdigest()  # a sku may hold what a group may not
    return Message({"task": "announce", "sku": sku}, correlated(sku), group=group, id=f"{sku}#{cause}")


def to_announce_now(sku: str) -> Message:
    """The same for what cannot wait."""
    return Message({"task": "announce", "sku": sku}, correlated(sku))


def to_push(channel: str, item_id: str, sku: str) -> Message:
    """Has a channel told of one listing."""
    return Message({"task": "push_stock", "channel": channel, "item_id": item_id}, correlated(sku))


def announce(table: Table, queue: Queue, sku: str) -> int:
    """Have every listing of a sku, and of the kits that it is in, told; none waits for another.

    Returns:
        How many there are.

    Raises:
        NotTakenError: the queue did not take everything.
    """
    skus = (sku, *(kit.sku for kit in kits_with(table, sku)))
    found = [key.pk.split("#", 2) for name in skus for key in listings_of(table, name)]
    queue.send([to_push(channel, item_id, sku) for _, channel, item_id in found])
    return len(found)


def push_stock(
    table: Table,
    network: Network,
    opened: Callable[[str], Api],
    queue: Queue,
    document: Mapping[str, object],
    wanted: Wanted,
    now: datetime,
) -> Pushed:
    """Tell a channel of a listing, unless it knows already.

    A channel that cannot be told is told later, by one message that stands for all changes until then.

    Args:
        table: the store.
        network: channels, pools and locations.
        opened: opens the API of a channel.
        queue: of `publisher`, for what comes back later.
        document: the message, for when it comes back.
        wanted: what it says.
        now: UTC.

    Raises:
        Problem, Unavailable: it was the last try.
        NotTakenError: the queue did not take the message for later.
    """
    listing = find_listing(table, wanted.channel, wanted.item_id)
    channel = network.channels.get(wanted.channel)
    if listing is None or listing.sku is None or channel is None or _superseded(listing, wanted, now):
        return Pushed.DROPPED
    if listing.claimed_until is not None and listing.claimed_until > now:
        queue.send([_soon(document, listing, now)])
        return Pushed.BUSY
    if knows(channel, listing.published, units_for_sale(table, network, channel, listing.sku, now)):
        return Pushed.UNCHANGED
    if listing.published is not None and listing.published_at and now < listing.published_at + PACE:
        return _at_its_pace(table, queue, document, listing, listing.published_at + PACE, now)
    try:
        # What it is told now may arrive although we never hear so: until then nothing is certain.
        claimed = _write(table, replace(listing, claimed_until=now + CLAIM, published=None))
    except Cancelled:
        queue.send([_soon(document, listing, now)])
        return Pushed.BUSY
    units = units_for_sale(table, network, channel, listing.sku, now)
    key = f"{listing.item_id}-{claimed.v}"
    try:
        publishing(channel.kind).push_stock(opened(channel.id), Level(claimed, units, key, now))
    except (Unavailable, Problem) as error:
        _later(table, queue, document, claimed, error, now)
        return Pushed.POSTPONED
    _write(table, replace(claimed, claimed_until=None, retry_at=None, published=units, published_at=now))
    return Pushed.TOLD


def knows(channel: Channel, published: int | None, units: int) -> bool:
    """Whether the channel knows as much as it needs to: between two large numbers there is no difference."""
    large = channel.stock_threshold
    return published is not None and (
        published == units or (large is not None and min(published, units) > large)
    )


def _superseded(listing: Listing, wanted: Wanted, now: datetime) -> bool:
    """Whether another message will do: a change while a retry is on its way, a retry that is not the one."""
    if wanted.attempt:
        return (
            listing.retry_at is None or wanted.due_at is None or iso(listing.retry_at) != iso(wanted.due_at)
        )
    return listing.retry_at is not None and now < listing.retry_at


def _at_its_pace(
    table: Table,
    queue: Queue,
    document: Mapping[str, object],
    listing: Listing,
    due: datetime,
    now: datetime,
) -> Pushed:
    """Have one message come back when the channel may be told again; it stands for all changes until then."""
    again = delayed(document, correlated(listing.sku or ""), due, now)
    queue.send([again])
    try:
        _write(table, replace(listing, retry_at=datetime.fromisoformat(str(again.document["due_at"]))))
    except Cancelled:
        return Pushed.BUSY  # whoever has written it is telling, and the message comes back after him
    return Pushed.PACED


def _later(
    table: Table,
    queue: Queue,
    document: Mapping[str, object],
    claimed: Listing,
    error: Unavailable | Problem,
    now: datetime,
) -> None:
    after_s = error.after_s if isinstance(error, Unavailable) else None
    again = postponed(document, correlated(claimed.sku or ""), now, CHANNEL_WAITS_S, after_s)
    retry_at = None
    if again is not None:
        queue.send([again])
        retry_at = datetime.fromisoformat(str(again.document["due_at"]))
    _write(table, replace(claimed, claimed_until=None, retry_at=retry_at))
    if again is None:
        raise error


def _soon(document: Mapping[str, object], listing: Listing, now: datetime) -> Message:
    fresh = {name: value for name, value in document.items() if name != "attempt"}
    return delayed(fresh, correlated(listing.sku or ""), now + timedelta(seconds=BUSY_S), now)


def _write(table: Table, changed: Listing) -> Listing:
    written = replace(changed, v=changed.v + 1)
    table.commit(replacing(key_of(written), encode_listing(written), changed.v))
    return written


def units_for_sale(table: Table, network: Network, channel: Channel, sku: str, now: datetime) -> int:
    """What the channel may sell now, in the unit that it sells, read consistently."""
    stocks = read_wanted(table, [sku], consistent=True)
    units = offer(stocks, sku, Asker(channel), network, now).ats
    known = stocks[sku].sku
    return PLENTY if units is None else min(PLENTY, units // (known.scale if known else 1))
