"""Configure: write a channel, pool, location or rate card, and the snapshot that all functions read."""

from collections.abc import Container, Mapping
from typing import Any

from oms.channels.currencies import require_currency
from oms.channels.publishing import require_telling
from oms.channels.registry import KINDS as CHANNEL_KINDS
from oms.inventory.network import Aspect, Channel, Location, Network, Pool
from oms.problems import Code, Problem
from oms.sourcing.cards import RateCard
from oms.store import keys
from oms.store.attributes import Item
from oms.store.configuration import Thing, decode_document, document_of, encode_document, read_network
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import Write, create, replace
from oms.usecases.preconditions import check_id, check_version
from oms.usecases.races import settle
from oms.values import frozen

_TRIES = 16
"""More than usual: everything of a kind is written with its one snapshot."""

_KIND: Mapping[type, str] = {Channel: "channel", Pool: "pool", Location: "location", RateCard: "rate_card"}


@frozen
class Configured:
    """A configured thing as it stands."""

    document: Mapping[str, Any]
    v: int


def configure(
    table: Table, thing: Thing, connectors: Container[str], expected: int | None = None
) -> Configured:
    """Write a thing and its kind's snapshot in one transaction; what is the same already is left as it is.

    What it names must be configured before: a pool's locations, a channel's pool and locations. Nothing is
    ever deleted (a location is made inactive), so a reference that holds now holds for good.

    Args:
        table: the store.
        thing: a channel, pool, location or rate card.
        connectors: names of the queues to locations that the stack has.
        expected: the version that it replaces, 0 for none yet; None for any.

    Raises:
        Problem: `version_mismatch`, `field_invalid` for a reference to what is not there, `field_missing` for
            prices without a currency, `unsupported` for what the kind cannot be told of.
        Busy: somebody else kept configuring; try again.
    """
    kind = _KIND[type(thing)]
    check_id(thing.id, "id")
    check_references(thing, read_network(table, consistent=True), connectors)
    return settle(lambda: _configure(table, kind, thing, expected), f"{kind} {thing.id}", _TRIES)


def _configure(table: Table, kind: str, thing: Thing, expected: int | None) -> Configured:
    key, snapshot_key = keys.configuration(kind, thing.id), keys.snapshot(kind)
    item, snapshot = table.get(key), table.get(snapshot_key)
    v = version(item)
    document = decode_document(encode_document(document_of(thing), v + 1))
    if item is not None and decode_document(item) == document:
        return Configured(document, v)
    check_version(expected, v)
    everything = (decode_document(snapshot) if snapshot else {}) | {thing.id: document}
    table.commit(_write(key, document, v), _write(snapshot_key, everything, version(snapshot)))
    return Configured(document, v + 1)


def check_references(thing: Thing, network: Network, connectors: Container[str]) -> None:
    """Refuse a thing that names something that is not configured.

    Raises:
        Problem: `field_invalid`, naming the field.
    """
    match thing:
        case Location():
            if thing.connector is not None:
                _known("connector", thing.connector, connectors, "connector")
            if thing.rate_card is not None:
                _known("rate card", thing.rate_card, network.rate_cards, "rate_card")
        case Pool():
            for index, location in enumerate(thing.locations):
                _known("location", location, network.locations, f"locations[{index}]")
        case Channel():
            _known("channel kind", thing.kind, CHANNEL_KINDS, "kind")
            _known("pool", thing.pool, network.pools, "pool")
            _check_publishing(thing)
            if thing.orders_of is not None:
                _known("channel", thing.orders_of, network.channels, "orders_of")
            for theirs, ours in thing.locations.items():
                _known("location", ours, network.locations, f"locations.{theirs}")


def _check_publishing(channel: Channel) -> None:
    if channel.currency is not None:
        require_currency(channel.currency, "currency")
    elif Aspect.PRICE in channel.publishes:
        raise Problem(Code.FIELD_MISSING, "a channel is told of prices in its currency", "currency")
    for index, aspect in enumerate(channel.publishes):
        if aspect is not Aspect.STOCK:
            require_telling(channel.kind, aspect, f"publishes[{index}]")


def version(item: Item | None) -> int:
    """The version of a stored thing; 0 when it is not there."""
    return int(str(item["v"])) if item else 0


def _known(what: str, name: str, there: Container[str], field: str) -> None:
    if name not in there:
        raise Problem(Code.FIELD_INVALID, f"{what} {name} is not configured", field)


def _write(key: Key, document: Mapping[str, Any], v: int) -> Write:
    item = encode_document(document, v + 1)
    return replace(key, item, v) if v else create(key, item)
