"""Codecs of what stands under a sku: catalogue entry, positions, demand, supply; and reading of all of it."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

from oms.inventory.codes import CodeKind, SkuCode
from oms.inventory.model import (
    Block,
    Capability,
    Component,
    Demand,
    Position,
    Price,
    SafetyStock,
    Sku,
    Stock,
    Supply,
    SupplyKind,
)
from oms.orders.commands import Method
from oms.orders.identity import shard
from oms.orders.kits import components
from oms.orders.work import WorkStage
from oms.store import keys, process
from oms.store.attributes import Item, Value, millis, moment
from oms.store.reservations import decode_reserved
from oms.store.table import Table
from oms.store.writes import UNLIMITED

_SUPPLY_KEPT = timedelta(days=90)


def read_stock(table: Table, skus: Iterable[str], *, consistent: bool = False) -> dict[str, Stock]:
    """Stock of every sku, one Query each, in parallel."""
    names = sorted(set(skus))
    if len(names) < 2:  # noqa: PLR2004 - a pool of threads for one query costs more than the query
        return {name: _read_one(table, name, consistent=consistent) for name in names}
    stocks = process.readers().map(lambda name: _read_one(table, name, consistent=consistent), names)
    return dict(zip(names, stocks, strict=True))


def read_wanted(table: Table, skus: Iterable[str], *, consistent: bool = False) -> dict[str, Stock]:
    """Stock of what somebody orders: of every sku, and of what the kits among them consist of.

    For these alone it takes a second round of queries.
    """
    stocks = read_stock(table, skus, consistent=consistent)
    parts = components(stocks)
    return stocks | read_stock(table, parts, consistent=consistent) if parts else stocks


def read_position(table: Table, sku: str, location: str) -> Position:
    """A position as it stands now; an empty one when there is none."""
    item = table.get(keys.position(sku, location))
    return decode_position(item) if item else Position(sku, location)


def read_positions(table: Table, skus: Iterable[str], location: str) -> dict[str, Position]:
    """Positions of several skus at a location as they stand now, by sku; empty ones where there are none."""
    names = sorted(set(skus))
    items = table.get_many((keys.position(sku, location) for sku in names), consistent=True)
    found = {held.sku: held for held in map(decode_position, items)}
    return {sku: found.get(sku, Position(sku, location)) for sku in names}


def read_places(table: Table, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Position]:
    """Positions as they stand now, by sku and location; empty ones where there are none."""
    empty = {place: Position(*place) for place in places}
    items = table.get_many((keys.position(*place) for place in empty), consistent=True)
    return empty | {(held.sku, held.location): held for held in map(decode_position, items)}


def read_skus(table: Table, skus: Iterable[str]) -> dict[str, Sku]:
    """Catalogue entries as they stand now, those that there are."""
    items = table.get_many(map(keys.sku_meta, skus), consistent=True)
    return {entry.sku: entry for entry in map(decode_sku, items)}


def read_supplies(table: Table, skus: Iterable[str], supply_id: str) -> dict[str, Supply]:
    """Incoming supply of several skus under one id as it stands now, by sku."""
    items = table.get_many((keys.supply(sku, supply_id) for sku in dict.fromkeys(skus)), consistent=True)
    return {supply.sku: supply for supply in map(decode_supply, items)}


def encode_sku(sku: Sku) -> Item:
    """A catalogue entry's attributes, without its key."""
    item: Item = {
        "t": "sku",
        "sv": 1,
        "v": sku.v,
        "title": sku.title,
        "unit": sku.unit,
        "scale": sku.scale,
        "weight_g": sku.weight_g,
        "tracked": sku.tracked,
    }
    optional: dict[str, Value | None] = {
        "hot_until": millis(sku.hot_until) if sku.hot_until else None,
        "requires": list(sku.requires) or None,
        "ships_with": sku.ships_with,
        "codes": [[str(code.kind), code.value] for code in sku.codes] or None,
        "kit": [[held.sku, held.per_bundle, held.weight] for held in sku.kit] or None,
        "safety_stock": [
            [rule.units, rule.location or "", str(rule.method or "")] for rule in sku.safety_stock
        ]
        or None,
        "prices": [[price.amount, price.currency, price.channel or ""] for price in sku.prices] or None,
    }
    if sku.first_release_at:
        optional["first_release_at"] = millis(sku.first_release_at)
        optional["GSI1PK"] = keys.work(WorkStage.FIRST_RELEASE, shard(sku.sku))
        optional["GSI1SK"] = keys.iso(sku.first_release_at)
    return item | {name: value for name, value in optional.items() if value is not None}


def decode_sku(item: Item) -> Sku:
    """A catalogue entry from its item."""
    stored = cast(dict[str, Any], item)
    names = ("title", "unit", "scale", "weight_g", "tracked", "v")
    return Sku(
        stored["PK"].removeprefix(keys.SKU),
        **{name: stored[name] for name in names},
        hot_until=moment(stored["hot_until"]) if "hot_until" in stored else None,
        requires=tuple(Capability(name) for name in stored.get("requires", ())),
        ships_with=stored.get("ships_with"),
        codes=tuple(SkuCode(CodeKind(kind), value) for kind, value in stored.get("codes", ())),
        kit=tuple(Component(*held) for held in stored.get("kit", ())),
        first_release_at=moment(stored["first_release_at"]) if "first_release_at" in stored else None,
        safety_stock=tuple(
            SafetyStock(units, location or None, Method(method) if method else None)
            for units, location, method in stored.get("safety_stock", ())
        ),
        prices=tuple(
            Price(amount, currency, channel or None) for amount, currency, channel in stored.get("prices", ())
        ),
    )


def decode_position(item: Item) -> Position:
    """A position from its item."""
    stored = cast(dict[str, Any], item)
    return Position(
        sku=stored["PK"].removeprefix(keys.SKU),
        location=stored["SK"].removeprefix(keys.POSITION),
        on_hand=stored.get("on_hand", 0),
        blocked={reason: units for reason in Block if (units := stored.get(f"blocked_{reason}"))},
        allocated=stored.get("allocated", 0),
        reserved=stored.get("reserved", 0),
        uncommitted=stored.get("uncommitted", 0),
        counted_at=moment(stored["counted_at"]) if "counted_at" in stored else None,
        v=stored["v"],
        counted_net=stored.get("counted_net", False),
        written_at=moment(stored["why"]["at"]) if "why" in stored else None,
        moved_at=moment(stored["moved_at"]) if "moved_at" in stored else None,
    )


def decode_demand(item: Item) -> Demand:
    """A pool's demand from its item."""
    stored = cast(dict[str, Any], item)
    limits = {name: stored.get(name, 0) for name in ("backorder_limit", "preorder_limit")}
    return Demand(
        sku=stored["PK"].removeprefix(keys.SKU),
        pool=stored["SK"].removeprefix(keys.DEMAND),
        waiting=stored.get("waiting", 0),
        **{name: None if limit == UNLIMITED else limit for name, limit in limits.items()},
    )


def encode_supply(supply: Supply) -> Item:
    """Incoming supply's attributes, without its key; DynamoDB removes it a while after nothing more comes."""
    item: Item = {
        "t": "supply",
        "sv": 1,
        "v": supply.v,
        "kind": str(supply.kind),
        "location": supply.location,
        "due": millis(supply.due),
        "expected": supply.expected,
        "received": supply.received,
        "promised": supply.promised,
        "closed": supply.closed,
    }
    return item if supply.outstanding else item | {"ttl": millis(supply.due + _SUPPLY_KEPT) // 1000}


def decode_supply(item: Item) -> Supply:
    """Incoming supply from its item."""
    stored = cast(dict[str, Any], item)
    counters = ("expected", "received", "promised", "closed", "v")
    return Supply(
        sku=stored["PK"].removeprefix(keys.SKU),
        id=stored["SK"].removeprefix(keys.SUPPLY),
        kind=SupplyKind(stored["kind"]),
        location=stored["location"],
        due=moment(stored["due"]),
        **{name: stored[name] for name in counters},
    )


def decode_stock(items: Iterable[Item]) -> Stock:
    """The stock of a sku from everything that stands in its partition."""
    types = ("sku", "position", "demand", "supply", "reserved")
    by_type: Mapping[str, list[Item]] = {name: [] for name in types}
    for item in items:
        by_type.get(cast(str, item["t"]), []).append(item)
    return Stock(
        sku=decode_sku(by_type["sku"][0]) if by_type["sku"] else None,
        positions=tuple(decode_position(item) for item in by_type["position"]),
        demands=tuple(decode_demand(item) for item in by_type["demand"]),
        supplies=tuple(decode_supply(item) for item in by_type["supply"]),
        reserved=tuple(decode_reserved(item) for item in by_type["reserved"]),
    )


def _read_one(table: Table, name: str, *, consistent: bool) -> Stock:
    return decode_stock(table.query(keys.sku(name), consistent=consistent))
