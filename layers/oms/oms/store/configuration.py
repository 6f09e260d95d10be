"""Configuration: single items, versioned, and the compiled snapshot that readers load and cache."""

import json
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any, cast

from oms.inventory.model import Capability, CountBasis
from oms.inventory.network import Aspect, Channel, Location, LocationKind, Network, Pool, ShortOrders
from oms.sourcing.calendar import Calendar
from oms.sourcing.cards import RateCard, Sheet, Zone
from oms.sourcing.load import Capacity
from oms.sourcing.profile import USUAL, Profile
from oms.sourcing.rates import Costs
from oms.store import keys
from oms.store.attributes import Item
from oms.store.table import Table
from oms.values import replace

type Thing = Channel | Pool | Location | RateCard
"""What can be configured."""

KINDS = ("channel", "pool", "location", "rate_card")
"""The kinds of things, as `read_network` reads them."""

PROFILE = "profile"
"""Kind of the sourcing profile's versions; its snapshot is the version that is active."""

CACHE_S = 30
"""How long a process trusts a snapshot."""


def encode_document(document: Mapping[str, Any], v: int) -> Item:
    """A configured thing, or a snapshot of all of a kind, as stored: one compressed JSON document."""
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    return {"t": "configuration", "sv": 1, "v": v, "doc": zlib.compress(text.encode(), 9)}


def decode_document(item: Item) -> dict[str, Any]:
    """The document of a configured thing or a snapshot."""
    return cast(dict[str, Any], json.loads(zlib.decompress(cast(bytes, item["doc"]))))


def parse(kind: str, name: str, document: Mapping[str, Any]) -> Thing:
    """The typed form of a configured thing.

    Raises:
        TypeError: a field is missing or unknown.
        ValueError: a field has a value that is not allowed.
        KeyError: the kind is unknown.
    """
    parsers: dict[str, Callable[[str, Mapping[str, Any]], Thing]] = {
        "channel": _channel,
        "pool": _pool,
        "location": _location,
        "rate_card": _rate_card,
    }
    return parsers[kind](name, document)


def document_of(thing: Thing) -> dict[str, Any]:
    """The document of a configured thing, without its id and what is compiled of others."""
    document = asdict(thing)
    del document["id"]
    for name in ("rates", "loads"):
        document.pop(name, None)
    return document


class NetworkReader:
    """Loads the network, at most once in CACHE_S seconds a process.

    Args:
        table: where it is kept.
        clock: monotonic seconds.
        read: reads it; what is configured alone by default.
    """

    def __init__(
        self,
        table: Table,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[Table], Network] | None = None,
    ) -> None:
        self._table = table
        self._clock = clock
        self._read = read or read_network
        self._network: Network | None = None
        self._loaded_at = 0.0

    def __call__(self, *channels: str) -> Network:
        """The network as of at most CACHE_S seconds ago; as of now where that does not know some channels."""
        known = self._network
        if (
            known is None
            or self._clock() - self._loaded_at > CACHE_S
            or not known.channels.keys() >= set(channels)
        ):
            known = self._network = self._read(self._table)
            self._loaded_at = self._clock()
        return known


def read_network(table: Table, *, consistent: bool = False) -> Network:
    """The network as stored now."""
    snapshots = [keys.snapshot(kind) for kind in (*KINDS, PROFILE)]
    found = {item["PK"]: item["doc"] for item in table.get_many(snapshots, consistent=consistent)}
    return _network(*(cast(bytes | None, found.get(snapshot.pk)) for snapshot in snapshots))


@lru_cache(maxsize=1)  # it is read twice a minute, and seldom another
def _network(*stored: bytes | None) -> Network:
    items: list[Item | None] = [{"doc": document} if document else None for document in stored]
    *documents, profile = items
    channels, pools, locations, cards = (decode_document(item) if item else {} for item in documents)
    tables = {name: _rate_card(name, document).compiled() for name, document in cards.items()}
    return Network(
        channels={name: _channel(name, document) for name, document in channels.items()},
        pools={name: _pool(name, document) for name, document in pools.items()},
        locations={
            name: replace(_location(name, document), rates=tables.get(document.get("rate_card")))
            for name, document in locations.items()
        },
        profile=decode_profile(profile),
        rate_cards=tables,
    )


def encode_profile(profile: Profile, v: int) -> Item:
    """A version of the sourcing profile, or the active one; `v` counts what was written under the key."""
    return encode_document(profile.document() | {"version": profile.v}, v)


def decode_profile(item: Item | None) -> Profile:
    """The version of the sourcing profile in an item; the one that is built in when there is none."""
    if item is None:
        return USUAL
    document = decode_document(item)
    return Profile.of(document, document["version"])


def _channel(name: str, document: Mapping[str, Any]) -> Channel:
    typed = dict(document)
    if "short_orders" in typed:
        typed["short_orders"] = ShortOrders(typed["short_orders"])
    if "publishes" in typed:
        typed["publishes"] = tuple(map(Aspect, typed["publishes"]))
    return Channel(id=name, **typed)


def _pool(name: str, document: Mapping[str, Any]) -> Pool:
    return Pool(id=name, **(dict(document) | {"locations": tuple(document["locations"])}))


def _location(name: str, document: Mapping[str, Any]) -> Location:
    typed = {field: _LOCATION_FIELDS.get(field, _same)(value) for field, value in document.items()}
    return Location(id=name, **typed)


def _rate_card(name: str, document: Mapping[str, Any]) -> RateCard:
    return RateCard(name, {service: _sheet(sheet) for service, sheet in document["services"].items()})


def _sheet(document: Mapping[str, Any]) -> Sheet:
    lists = {"up_to_g": tuple(document["up_to_g"]), "zones": tuple(map(_zone, document["zones"]))}
    return Sheet(**(dict(document) | lists))


def _zone(document: Mapping[str, Any]) -> Zone:
    names = ("prices", "countries", "postal_codes")
    lists = {name: tuple(document[name]) for name in names if name in document}
    return Zone(**(dict(document) | lists))


def _same(value: Any) -> Any:
    return value


def _optional[T](decode: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else decode(value)


def _calendar(document: Mapping[str, Any]) -> Calendar:
    lists = {field: tuple(document[field]) for field in ("days", "holidays") if field in document}
    return Calendar(**(dict(document) | lists))


def _capabilities(names: Iterable[str]) -> tuple[Capability, ...]:
    return tuple(Capability(name) for name in names)


_LOCATION_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "kind": LocationKind,
    "count_basis": CountBasis,
    "capabilities": _optional(_capabilities),
    "lead_days": lambda days: {Capability(name): number for name, number in days.items()},
    "calendar": _calendar,
    "costs": _optional(lambda document: Costs(**document)),
    "capacity": _optional(lambda document: Capacity(**document)),
}
"""How the fields of a location that are no plain values are read."""
