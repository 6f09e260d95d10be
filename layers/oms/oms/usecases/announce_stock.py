"""Announce changes of stock, titles and prices: to the channels that sell the sku, soon, or at once when a
shelf runs empty.

A change of the configuration is announced as one: `recompute_stock` finds the skus that it concerns.
"""

from collections.abc import Sequence
from datetime import datetime

from oms.events.messages import Message
from oms.events.publish import Queue
from oms.inventory.availability import free
from oms.inventory.network import Network
from oms.store import keys
from oms.store.attributes import Item, decode
from oms.store.stock import decode_position
from oms.usecases.push_listing import EVERYTHING, STOCK, to_announce, to_announce_now
from oms.usecases.recompute_stock import to_recompute
from oms.usecases.relay_changes import Change, Failure, deliver

_CONCERNING = (keys.POSITION, keys.DEMAND, keys.META_SK)


def announce_stock(
    network: Network,
    ats: Queue,
    publish: Queue,
    changes: Sequence[Change],
    now: datetime,
    failure: Failure | None = None,
) -> tuple[int, Failure | None]:
    """Announce the skus whose positions or demand have changed, and what is configured differently.

    The queue `ats` gathers the changes of a sku. A position that has lost its last free unit, or has its
    first one, does not wait for it: by then somebody would have bought what is not there.

    Crossings are judged by the safety stock of the locations: what a sku's entry says of it is not on the
    position, and such a crossing is told by the queue that gathers, some seconds later.

    Args:
        network: safety stock of the locations.
        ats: the queue that gathers.
        publish: the queue of `publisher`.
        changes: records of the stream.
        now: UTC.
        failure: the first change that something else failed for; nothing is announced from there on.

    Returns:
        How many messages were sent at least, and the first failure, which may be an earlier one. To announce
        a change again is harmless.
    """
    soon: dict[str, tuple[int, Message]] = {}
    at_once: dict[str, tuple[int, Message]] = {}
    for position, change in enumerate(changes[: failure.position] if failure else changes):
        images = change["dynamodb"]
        old, new = (decode(images[name]) if name in images else None for name in ("OldImage", "NewImage"))
        image = new or old
        if new is not None and new["t"] == "configuration":
            for recompute in to_recompute(old, new, now):
                at_once[str(recompute.document["cause"])] = (position, recompute)
            continue
        if image is None or not str(image["SK"]).startswith(_CONCERNING):
            continue
        sku = str(image["PK"]).removeprefix(keys.SKU)
        first, known = soon.get(sku, (position, None))
        described_anew = _is_described_anew(old, new)
        if known is None or described_anew:
            soon[sku] = (first, to_announce(sku, now, EVERYTHING if described_anew else STOCK))
        if str(image["SK"]).startswith(keys.POSITION) and _crosses(network, old, new):
            at_once.setdefault(sku, (position, to_announce_now(sku)))
    sent = 0
    for queue, messages in ((publish, at_once), (ats, soon)):
        taken, _, failure = deliver(list(messages.values()), queue.send, failure)
        sent += taken
    return sent, failure


def _is_described_anew(old: Item | None, new: Item | None) -> bool:
    """Whether an entry of the catalogue has another title or other prices; positions have neither."""
    before, after = (image or {} for image in (old, new))
    return any(before.get(name) != after.get(name) for name in ("title", "prices"))


def _crosses(network: Network, old: Item | None, new: Item | None) -> bool:
    before, after = (_free(network, image) for image in (old, new))
    return (before == 0) != (after == 0)


def _free(network: Network, image: Item | None) -> int:
    if image is None:
        return 0
    position = decode_position(image)
    location = network.locations.get(position.location)
    return free(position, location.safety_stock if location else 0)
