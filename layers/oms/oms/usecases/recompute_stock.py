"""Recompute stock: what channels may sell of every sku that a change of the configuration concerns, and what
else they are told of it.

The skus are those with a position at some location. They are announced page by page, location by location,
by a chain of messages: whatever a chain of another change does, none is longer than a page.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from oms.channels.payload import Node
from oms.events.messages import Message
from oms.events.publish import Queue
from oms.inventory.network import Aspect, Network
from oms.store import keys
from oms.store.attributes import Item
from oms.store.configuration import CACHE_S, decode_document
from oms.store.table import Table
from oms.usecases.postponing import delayed
from oms.usecases.push_listing import EVERYTHING, STOCK, to_announce_once
from oms.values import frozen

SETTLED = timedelta(seconds=CACHE_S + 5)
"""After a change: by then every process reads the configuration as it is now."""

PAGE = 100
PAGES = 5
"""Skus of a page, and pages of one message; another message reads those after them."""


@frozen
class Recompute:
    """What is to be announced anew.

    Attributes:
        cause: names the change: a sku is announced once for it, however many of its locations it concerns.
        pools: all of whose locations it concerns.
        locations: that it concerns besides, the first one begun.
        after: where the page before ended at the first location.
        aspects: what channels are told anew.
    """

    cause: str
    pools: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    after: Item | None = None
    aspects: tuple[Aspect, ...] = STOCK


def parse_recompute(document: Node) -> Recompute:
    """A message of ours.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    after = document.child("after")
    return Recompute(
        cause=document.need(Node.text, "cause"),
        pools=_names(document, "pools"),
        locations=_names(document, "locations"),
        after={name: after.need(Node.text, name) for name in after.names()} if after else None,
        aspects=parse_aspects(document),
    )


def parse_aspects(document: Node) -> tuple[Aspect, ...]:
    """What a message says that channels are to be told anew; stock when it does not say.

    Raises:
        Problem: it names something else.
    """
    names = _names(document, "aspects")
    if not set(names) <= set(Aspect):
        raise document.invalid("aspects", f"of {', '.join(Aspect)}")
    return tuple(map(Aspect, names)) or STOCK


def _names(document: Node, key: str) -> tuple[str, ...]:
    found = document.get(key) or []
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise document.invalid(key, "a list of ids")
    return tuple(map(str, found))


def to_recompute(old: Item | None, new: Item, now: datetime) -> list[Message]:
    """What follows from a change of a channel, pool or location, when it decides what is sold: a message.

    Of a location that is closed for some hours there is one more, for when it opens.

    Args:
        old: the configured thing as it was; None when it is new.
        new: as it is.
        now: UTC.
    """
    kind, name = str(new["PK"]).removeprefix("CFG#"), str(new["SK"])
    if kind not in _CONCERNED:
        return []
    before, after = (decode_document(item) if item else {} for item in (old, new))
    concerned = _CONCERNED[kind](name, before, after)
    if not any(concerned.values()):
        return []
    cause = f"{kind}#{name}#{new['v']!s}"
    times = {cause: now + SETTLED}
    opens = after.get("closed_until")
    if opens and opens != before.get("closed_until") and datetime.fromisoformat(opens) > now:
        times[f"{cause}#open"] = datetime.fromisoformat(opens)
    return [
        delayed({"task": "recompute", "cause": cause, **concerned}, name, at, now)
        for cause, at in times.items()
    ]


def _of_channel(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """While it is paused nothing is told; when it is so no more, everything that may have changed."""
    other = _differ(before, after, "publishes", "currency", "paused")
    if after.get("paused") or not (other or _differ(before, after, "pool", "buffer", "stock_threshold")):
        return {}
    pools = dict.fromkeys(document["pool"] for document in (before, after) if document)
    return {"pools": list(pools), "aspects": list(EVERYTHING if other else STOCK)}


def _of_pool(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    there = (set(document.get("locations", ())) for document in (before, after))
    return {"locations": sorted(set.symmetric_difference(*there))}


def _of_location(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    changed = before and _differ(
        before, after, "active", "kind", "capabilities", "safety_stock", "closed_until"
    )
    return {"locations": [name] if changed else []}


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], *names: str) -> bool:
    return any(before.get(name) != after.get(name) for name in names)


type _Concerned = Callable[[str, Mapping[str, Any], Mapping[str, Any]], dict[str, list[str]]]

_CONCERNED: Mapping[str, _Concerned] = {
    "channel": _of_channel,
    "pool": _of_pool,
    "location": _of_location,
}
"""Whose stock a change of a configured thing concerns, by its kind."""


def recompute_stock(table: Table, network: Network, ats: Queue, publish: Queue, wanted: Recompute) -> int:
    """Announce the skus that a change concerns, some pages of them; to do it again is harmless.

    Args:
        table: the store.
        network: pools and their locations.
        ats: the queue that gathers.
        publish: the queue of `publisher`, for the pages after these.
        wanted: which skus.

    Returns:
        How many skus were announced.

    Raises:
        NotTakenError: a queue did not take everything.
    """
    left = list(_locations(network, wanted))
    after, announced = wanted.after, 0
    for _ in range(PAGES):
        if not left:
            break
        page, after = table.keys_in_index("GSI2", keys.location_stock(left[0]), after=after, limit=PAGE)
        skus = (key.pk.removeprefix(keys.SKU) for key in page)
        ats.send([to_announce_once(sku, wanted.cause, wanted.aspects) for sku in skus])
        announced += len(page)
        if after is None:
            del left[0]
    if left:
        rest: dict[str, object] = {"task": "recompute", "cause": wanted.cause, "locations": left}
        rest |= {"after": after, "aspects": list(wanted.aspects)}
        publish.send([Message(rest, wanted.cause)])
    return announced


def _locations(network: Network, wanted: Recompute) -> Iterable[str]:
    of_pools = (network.pools[pool].locations for pool in wanted.pools if pool in network.pools)
    return dict.fromkeys((*wanted.locations, *(location for each in of_pools for location in each)))
