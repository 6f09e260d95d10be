"""Push a listing: tell a channel the stock, title or price of what it lists, as it is when it is told.

What is told is read after it has been claimed, and only who has claimed it tells: whatever order messages
come in, the last statement is the latest truth. A message therefore carries no value. One aspect waits for no
other: a title that is refused keeps no stock from being told.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from oms.channels.exchange import Api, Unavailable
from oms.channels.listings import Listing, Told
from oms.channels.publishing import (
    Level,
    Priced,
    Titled,
    publishing,
    require_telling,
    written,
)
from oms.events.messages import Message, correlated
from oms.events.publish import Queue
from oms.inventory.model import Price, Stock
from oms.inventory.network import Aspect, Channel, Network
from oms.problems import Code, Problem
from oms.sourcing.offering import Asker, offer
from oms.store import keys
from oms.store.catalogue import kits_with
from oms.store.errors import Cancelled
from oms.store.keys import iso
from oms.store.listings import encode_told, find_listing_and_told, find_told, listings_of
from oms.store.stock import read_skus, read_wanted
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replacing
from oms.usecases.postponing import CHANNEL_WAITS_S, delayed, postponed
from oms.values import frozen, replace

CLAIM = timedelta(seconds=90)
"""Longer than the function that claims may run."""

BUSY = timedelta(seconds=3)
"""Until a listing that somebody else is telling of is looked at again, unless he has been for longer."""

PACE = timedelta(seconds=6)
"""Between two statements about a listing, also of a shelf that is emptied and filled all the time."""

PLENTY = 9999
"""Told in place of no limit at all."""

GATHERED_S = 3
"""How long changes of a sku are one message."""


type Value = int | str | Price
"""Units, a title, or a price."""


class Pushed(StrEnum):
    """What became of a message."""

    TOLD = "told"
    UNCHANGED = "unchanged"
    BUSY = "busy"
    PACED = "paced"
    POSTPONED = "postponed"
    UNSUPPORTED = "unsupported"
    DROPPED = "dropped"


@frozen
class Wanted:
    """A message: what of which listing, how often it was tried, and for when it was postponed (UTC)."""

    aspect: Aspect
    channel: str
    item_id: str
    attempt: int = 0
    due_at: datetime | None = None


STOCK = (Aspect.STOCK,)
EVERYTHING = tuple(Aspect)


def to_announce(sku: str, now: datetime, aspects: Collection[Aspect] = STOCK) -> Message:
    """Says that the stock of a sku, or more of it, has changed; what changes in three seconds is one message.

    The queue holds it for six seconds. So it is read after the last change that it stands for, also when the
    clock of who notices that is up to three seconds behind.

    Args:
        sku: which.
        now: when it was noticed, UTC.
        aspects: what may have changed.
    """
    return to_announce_once(sku, str(int(now.timestamp()) // GATHERED_S), aspects)


def to_announce_once(sku: str, cause: str, aspects: Collection[Aspect] = STOCK) -> Message:
    """The same, once for a cause within the five minutes that the queue remembers it."""
    group = hashlib.sha256(sku.encode()).hexdigest()  # a sku may hold what a group may not
    document = to_announce_now(sku).document
    if aspects == STOCK:
        return Message(document, correlated(sku), group=group, id=f"{sku}#{cause}")
    document = {**document, "aspects": list(aspects)}
    return Message(document, correlated(sku), group=group, id=f"{sku}#{cause}#{'+'.join(aspects)}")


def to_announce_now(sku: str) -> Message:
    """Says that the stock of a sku has changed in a way that cannot wait."""
    return Message({"task": "announce", "sku": sku}, correlated(sku))


def to_push(aspect: Aspect, channel: str, item_id: str, sku: str) -> Message:
    """Has a channel told of one listing."""
    return Message({"task": f"push_{aspect}", "channel": channel, "item_id": item_id}, correlated(sku))


def announce(
    table: Table, network: Network, queue: Queue, sku: str, aspects: Iterable[Aspect] = STOCK
) -> int:
    """Have every listing of a sku, and of the kits that it is in, told; none waits for another.

    Args:
        table: the store.
        network: says which channel is told what.
        queue: of `publisher`.
        sku: what has changed.
        aspects: in what.

    Returns:
        How many messages that takes.

    Raises:
        NotTakenError: the queue did not take everything.
    """
    skus = (sku, *(kit.sku for kit in kits_with(table, sku)))
    found = [key.pk.split("#", 2) for name in skus for key in listings_of(table, name)]
    wanted = [
        to_push(aspect, channel, item_id, sku)
        for _, channel, item_id in found
        for aspect in aspects
        if _is_told(network.channels.get(channel), aspect)
    ]
    queue.send(wanted)
    return len(wanted)


def _is_told(channel: Channel | None, aspect: Aspect) -> bool:
    """Whether a channel is told of an aspect at all; one that is paused is told when it is so no more."""
    return channel is not None and aspect in channel.publishes and not channel.paused


def push_untold(table: Table, network: Network, queue: Queue, listing: Listing) -> None:
    """Have a channel told of a listing what it is not certain to know of the listing's sku.

    Raises:
        NotTakenError: the queue did not take everything.
    """
    sku, channel = listing.sku, network.channels.get(listing.channel)
    if sku is None or channel is None:
        return
    known = {aspect: find_told(table, listing, aspect) for aspect in channel.publishes}
    queue.send(
        [
            to_push(aspect, listing.channel, listing.item_id, sku)
            for aspect, told in known.items()
            if told is None or told.sku != sku or told.value is None
        ]
    )


def forget_told(table: Table, channel: str, item_id: str, aspect: Aspect) -> None:
    """Take it for uncertain what a channel was told last: it shows something else.

    Raises:
        Cancelled: somebody else has written it.
    """
    _, told = find_listing_and_told(table, channel, item_id, aspect)
    if told is not None and told.value is not None:
        _write(table, replace(told, value=None))


def push_listing(
    table: Table,
    network: Network,
    opened: Callable[[str], Api],
    queue: Queue,
    document: Mapping[str, object],
    wanted: Wanted,
    now: datetime,
) -> Pushed:
    """Tell a channel of an aspect of a listing, unless it knows already.

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
    listing, known = find_listing_and_told(table, wanted.channel, wanted.item_id, wanted.aspect)
    channel = network.channels.get(wanted.channel)
    if listing is None or listing.sku is None or channel is None or not _is_told(channel, wanted.aspect):
        return Pushed.DROPPED
    told = known or _nothing(listing, wanted.aspect, listing.sku)
    if told.sku != listing.sku:
        told = replace(told, sku=listing.sku, value=None)
    if _superseded(told, wanted, now):
        return Pushed.DROPPED
    if told.claimed_until is not None and told.claimed_until > now:
        queue.send([_soon(document, told, now)])
        return Pushed.BUSY
    truth = value_of(table, network, channel, listing.sku, wanted.aspect, now)
    if truth is None or knows(channel, told.value, truth):
        return Pushed.UNCHANGED
    if told.value is not None and told.at and now < told.at + PACE:
        return _at_its_pace(table, queue, document, told, told.at + PACE, now)
    try:
        # What it is told now may arrive although we never hear so: until then nothing is certain.
        claimed = _write(table, replace(told, claimed_until=now + CLAIM, value=None))
    except Cancelled:
        queue.send([_soon(document, told, now)])
        return Pushed.BUSY
    truth = value_of(table, network, channel, listing.sku, wanted.aspect, now)
    try:
        if truth is not None:
            _tell(opened, channel, wanted.aspect, truth, listing, f"{listing.item_id}-{claimed.v}", now)
    except (Unavailable, Problem) as error:
        if isinstance(error, Problem) and error.code is Code.UNSUPPORTED:
            _write(table, replace(claimed, claimed_until=None, retry_at=None))
            return Pushed.UNSUPPORTED
        _later(table, queue, document, claimed, error, now)
        return Pushed.POSTPONED
    value = None if truth is None else remembered(truth)
    _write(table, replace(claimed, claimed_until=None, retry_at=None, value=value, at=now))
    return Pushed.UNCHANGED if truth is None else Pushed.TOLD


def _nothing(listing: Listing, aspect: Aspect, sku: str) -> Told:
    return Told(listing.channel, listing.item_id, aspect, sku)


def _tell(
    opened: Callable[[str], Api],
    channel: Channel,
    aspect: Aspect,
    truth: Value,
    listing: Listing,
    key: str,
    now: datetime,
) -> None:
    require_telling(channel.kind, aspect)
    kind, api = publishing(channel.kind), opened(channel.id)
    match truth:
        case int():
            kind.push_stock(api, Level(listing, key, now, truth))
        case str():
            kind.push_title(api, Titled(listing, key, now, truth))
        case Price():
            kind.push_price(api, Priced(listing, key, now, truth))


def knows(channel: Channel, told: int | str | None, truth: Value) -> bool:
    """Whether the channel knows as much as it needs to: between two large numbers there is no difference."""
    known, large = remembered(truth), channel.stock_threshold
    if isinstance(known, int) and isinstance(told, int) and large is not None and min(told, known) > large:
        return True
    return told == known


def remembered(truth: Value) -> int | str:
    """What a channel is told as it is kept and shown: prices as `14.90 EUR`."""
    return f"{written(truth)} {truth.currency}" if isinstance(truth, Price) else truth


def _superseded(told: Told, wanted: Wanted, now: datetime) -> bool:
    """Whether another message will do: a change while a retry is on its way, a retry that is not the one."""
    if wanted.attempt:
        return told.retry_at is None or wanted.due_at is None or iso(told.retry_at) != iso(wanted.due_at)
    return told.retry_at is not None and now < told.retry_at


def _at_its_pace(
    table: Table,
    queue: Queue,
    document: Mapping[str, object],
    told: Told,
    due: datetime,
    now: datetime,
) -> Pushed:
    """Have one message come back when the channel may be told again; it stands for all changes until then."""
    again = delayed(document, correlated(told.sku), due, now)
    queue.send([again])
    try:
        _write(table, replace(told, retry_at=datetime.fromisoformat(str(again.document["due_at"]))))
    except Cancelled:
        return Pushed.BUSY  # whoever has written it is telling, and the message comes back after him
    return Pushed.PACED


def _later(
    table: Table,
    queue: Queue,
    document: Mapping[str, object],
    claimed: Told,
    error: Unavailable | Problem,
    now: datetime,
) -> None:
    after_s = error.after_s if isinstance(error, Unavailable) else None
    again = postponed(document, correlated(claimed.sku), now, CHANNEL_WAITS_S, after_s)
    retry_at = None
    if again is not None:
        queue.send([again])
        retry_at = datetime.fromisoformat(str(again.document["due_at"]))
    _write(table, replace(claimed, claimed_until=None, retry_at=retry_at))
    if again is None:
        raise error


def _soon(document: Mapping[str, object], told: Told, now: datetime) -> Message:
    """The message for a look that is put off for as long as the claim stands already, up to its end.

    Who claims for long is gone: messages, and their duplicates, that come back all the time would multiply.
    """
    fresh = {name: value for name, value in document.items() if name != "attempt"}
    left = told.claimed_until - now if told.claimed_until else timedelta()
    return delayed(fresh, correlated(told.sku), now + max(BUSY, min(left, CLAIM - left)), now)


def _write(table: Table, changed: Told) -> Told:
    kept = replace(changed, v=changed.v + 1)
    key, item = keys.listing_told(kept.channel, kept.item_id, kept.aspect), encode_told(kept)
    table.commit(replacing(key, item, changed.v) if changed.v else create(key, item))
    return kept


def value_of(
    table: Table, network: Network, channel: Channel, sku: str, aspect: Aspect, now: datetime
) -> Value | None:
    """What a channel is to know of a sku, read consistently; None when there is nothing that it could.

    What is not in the catalogue may be sold by others: that we have none of it is not for us to say.
    """
    if aspect is Aspect.STOCK:
        stocks = read_wanted(table, [sku], consistent=True)
        return _for_sale(stocks, network, channel, sku, now) if stocks[sku].sku else None
    known = read_skus(table, [sku]).get(sku)
    if known is None:
        return None
    return known.title or None if aspect is Aspect.TITLE else known.price_at(channel.id, channel.currency)


def units_for_sale(table: Table, network: Network, channel: Channel, sku: str, now: datetime) -> int:
    """What the channel may sell now, in the unit that it sells, read consistently."""
    return _for_sale(read_wanted(table, [sku], consistent=True), network, channel, sku, now)


def _for_sale(
    stocks: Mapping[str, Stock], network: Network, channel: Channel, sku: str, now: datetime
) -> int:
    units = offer(stocks, sku, Asker(channel), network, now).ats
    known = stocks[sku].sku
    return PLENTY if units is None else min(PLENTY, units // (known.scale if known else 1))
