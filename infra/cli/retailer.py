"""What `oms sourcing simulate` reads: a retailer (network, catalogue, stock), its profiles, its orders."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from typing import Any, cast

from functions.api import validation
from functions.api.configuration import ChannelSettings, LocationSettings, PoolSettings, RateCardSettings
from functions.api.sourcing import ProfileBody
from infra.cli.instances import decode, documents
from oms.channels.payload import Node, loads
from oms.inventory.model import Capability, Sku
from oms.inventory.network import Channel, Location, Network, Pool
from oms.inventory.safety import safety_stock
from oms.orders.commands import Address, Delivery, Method
from oms.problems import Code, Problem
from oms.sourcing.cards import RateCard
from oms.sourcing.choose import Shelf
from oms.sourcing.profile import USUAL, Profile
from oms.sourcing.simulation import Recorded, RecordedLine
from oms.store.configuration import parse
from oms.usecases.profiles import check_names

BUILT_IN = "usual"
"""Names the profile that is built in, in place of a file."""


class Retailer:
    """A retailer as a file has it: one JSON object of objects, each by id.

    `channels`, `pools`, `locations` and `rate_cards` are documents as the API takes them. Of `skus` are read
    `weight_g`, `requires` and `ships_with`. `stock` are units by sku and location before the first order; a
    sku that is not in it is not counted.

    Attributes:
        network: channels, pools and locations.
        skus: the catalogue.

    Raises:
        Problem: the file is none of a retailer; names the field.
    """

    def __init__(self, path: str) -> None:
        document = _object(path)
        cards = {
            name: cast(RateCard, made).compiled()
            for name, made in _configured(document, "rate_cards", "rate_card", RateCardSettings)
        }
        locations: dict[str, Location] = {}
        for name, made in _configured(document, "locations", "location", LocationSettings):
            location = cast(Location, made)
            if location.rate_card is not None and location.rate_card not in cards:
                raise _invalid(f"locations.{name}.rate_card", f"there is no rate card {location.rate_card}")
            locations[name] = replace(location, rates=cards.get(location.rate_card or ""))
        pools: dict[str, Pool] = {}
        for name, made in _configured(document, "pools", "pool", PoolSettings):
            pools[name] = cast(Pool, made)
            for index, member in enumerate(pools[name].locations):
                if member not in locations:
                    raise _invalid(f"pools.{name}.locations[{index}]", f"there is no location {member}")
        channels: dict[str, Channel] = {}
        for name, made in _configured(document, "channels", "channel", ChannelSettings):
            channels[name] = cast(Channel, made)
            if channels[name].pool not in pools:
                raise _invalid(f"channels.{name}.pool", f"there is no pool {channels[name].pool}")
        self.network = Network(channels, pools, locations)
        self.skus = {name: _sku(name, node) for name, node in _nodes(document, "skus")}
        self._stock = {
            name: {place: _units(node, place) for place in node.names()}
            for name, node in _nodes(document, "stock")
        }

    def shelf(self) -> Shelf:
        """What could be taken before the first order: all that is there, less what locations keep back."""
        free: dict[str, Mapping[str, int] | None] = dict.fromkeys(self.skus)
        for sku, there in self._stock.items():
            free[sku] = {
                name: max(0, units - safety_stock(self.skus.get(sku), self.network.locations[name]))
                for name, units in there.items()
                if name in self.network.locations
            }
        return Shelf(free, {sku: sum(there.values()) for sku, there in free.items() if there is not None})


def read_profile(path: str, network: Network) -> Profile:
    """The profile of a file, as `PUT /sourcing/profiles/{version}` takes it; `usual` is the built-in one.

    Args:
        path: the file.
        network: what it may name.

    Raises:
        Problem: it is none; names the field.
    """
    if path == BUILT_IN:
        return USUAL

    def made() -> Profile:
        profile = Profile.of(_checked(ProfileBody, _object(path)))
        check_names(profile, network)
        return profile

    return _made(path, made)


def read_orders(path: str) -> Iterator[Recorded]:
    """The deliveries of a file, one JSON object a line.

    Raises:
        Problem: one is none; names the line and the field.
    """
    for number, text in documents(path):
        try:
            yield _recorded(Node(loads(text.encode())))
        except Problem as problem:
            raise Problem(problem.code, f"line {number}: {problem.detail}", problem.field) from None


def _recorded(node: Node) -> Recorded:
    to, method = node.child("ship_to"), node.text("method") or Method.SHIP
    if method not in tuple(Method):
        raise node.invalid("method", f"one of {', '.join(Method)}")
    lines = tuple(_line(line) for line in node.children("lines"))
    if not lines:
        raise Problem(Code.FIELD_MISSING, "an order has a line at least", "lines")
    promised = node.text("promised")
    return Recorded(
        id=node.need(Node.text, "id"),
        channel=node.need(Node.text, "channel"),
        at=node.need(Node.time, "placed_at"),
        delivery=Delivery(
            "", Method(method), node.text("service"), _address(to) if to else None, node.text("location")
        ),
        lines=lines,
        promised=None if promised is None else _day("promised", promised),
    )


def _day(field: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _invalid(field, f"{text} is no day like 2026-11-22") from None


def _line(node: Node) -> RecordedLine:
    properties = node.child("properties")
    return RecordedLine(
        node.need(Node.text, "sku"),
        _units(node, "units", least=1),
        node.integer("value") or 0,
        {name: properties.plain(name) for name in properties.names()} if properties else {},
    )


def _address(node: Node) -> Address:
    latitude, longitude = node.decimal("latitude"), node.decimal("longitude")
    return Address(
        country=node.text("country"),
        postal_code=node.text("postal_code"),
        city=node.text("city"),
        latitude=None if latitude is None else str(latitude),
        longitude=None if longitude is None else str(longitude),
    )


def _sku(name: str, node: Node) -> Sku:
    weight = _units(node, "weight_g") if node.has("weight_g") else 0
    listed = node.get("requires") or []
    if not isinstance(listed, list) or not set(map(str, listed)) <= set(Capability):
        raise node.invalid("requires", f"a list of {', '.join(Capability)}")
    requires = tuple(Capability(str(one)) for one in listed)
    return Sku(name, weight_g=weight, requires=requires, ships_with=node.text("ships_with"))


def _units(node: Node, key: str, least: int = 0) -> int:
    number = node.need(Node.integer, key)
    if number < least:
        raise node.invalid(key, f"a whole number from {least}")
    return number


def _object(path: str) -> dict[str, Any]:
    found = [decode(text) for _, text in documents(path)]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Problem(Code.BAD_REQUEST, f"{path} is to hold one JSON object")
    return found[0]


def _nodes(document: Mapping[str, Any], part: str) -> Iterator[tuple[str, Node]]:
    values = document.get(part, {})
    if not isinstance(values, dict):
        raise _invalid(part, "an object by id is expected")
    for name, value in values.items():
        if not isinstance(value, dict):
            raise _invalid(f"{part}.{name}", "an object is expected")
        yield name, Node(value, f"{part}.{name}")


def _configured(
    document: Mapping[str, Any], part: str, kind: str, settings: type
) -> Iterator[tuple[str, object]]:
    def made(name: str) -> object:
        return parse(kind, name, _checked(settings, document[part][name]))

    for name, _ in _nodes(document, part):
        yield name, _made(f"{part}.{name}", partial(made, name))


def _checked(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    """A document that the API would take as a body of this type, with what it leaves out."""
    return asdict(validation.body(kind, json.dumps(document).encode()))


def _made[T](field: str, make: Callable[[], T]) -> T:
    try:
        return make()
    except Problem as problem:
        path = f"{field}.{problem.field}" if problem.field else field
        raise Problem(problem.code, problem.detail, path) from None


def _invalid(field: str, detail: str) -> Problem:
    return Problem(Code.FIELD_INVALID, detail, field)
