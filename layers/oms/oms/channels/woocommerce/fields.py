"""Fields that WooCommerce's resources share: wrappers, texts with HTML entities, meta data, addresses."""

from collections.abc import Iterable
from datetime import datetime
from html import unescape

from oms.channels.payload import Node
from oms.orders.commands import Address
from oms.problems import Problem

_PLACE = ("address_1", "address_2", "city", "postcode")


def resources(body: Node, kind: str) -> tuple[Node, ...]:
    """The resources of a kind: bare, in a list, or wrapped by a proxy in `data` or under the kind's name."""
    for key in (kind, f"{kind}s", "data"):
        inner = body.get(key)
        if isinstance(inner, list | dict):
            return Node(inner, body.at(key)).items()
        if body.names() == (key,):
            return ()
    return body.items()


def error(body: Node) -> str | None:
    """The code of an error that the shop sent in place of a resource: its webhook's user may not read it."""
    return body.text("code") if body.has("message") and not body.has("id") else None


def plain(node: Node, *keys: str) -> str | None:
    """The first of the texts `keys` that is there, its HTML entities resolved."""
    for key in keys:
        text = node.text(key)
        if text is not None:
            return unescape(text)
    return None


def meta(node: Node) -> dict[str, str]:
    """Meta data by key; of a key that occurs several times the last value."""
    return {pair.plain("key"): pair.plain("value") for pair in listed(node, "meta_data")}


def listed(node: Node, key: str) -> tuple[Node, ...]:
    """The objects of a list, which PHP writes as an object when its keys have gaps."""
    value = node.get(key)
    entries = list(value.values()) if isinstance(value, dict) else value
    objects = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return tuple(Node(entry, f"{node.at(key)}[{index}]") for index, entry in enumerate(objects))


def part(node: Node, *keys: str) -> Node | None:
    """The first of the objects `keys` that is there; PHP writes an empty one as a list."""
    values = ((key, node.get(key)) for key in keys)
    return next((Node(value, node.at(key)) for key, value in values if isinstance(value, dict)), None)


def name(node: Node) -> str | None:
    """First and last name of an address."""
    return " ".join(part for key in ("first_name", "last_name") if (part := plain(node, key))) or None


def address(node: Node | None) -> Address | None:
    """A postal address; None when it names no place: a country alone is the shop's default."""
    if node is None or not any(map(node.text, _PLACE)):
        return None
    return Address(
        name=name(node),
        company=plain(node, "company"),
        line1=plain(node, "address_1"),
        line2=plain(node, "address_2"),
        city=plain(node, "city"),
        region=node.text("state"),
        postal_code=node.text("postcode"),
        country=node.text("country"),
        phone=node.text("phone"),
        email=node.text("email"),
    )


def time(node: Node, keys: Iterable[str], otherwise: datetime) -> datetime:
    """The first of the times `keys` that can be read, in UTC; those not named gmt are in the shop's time."""
    for key in keys:
        try:
            found = node.time(key)
        except Problem:
            continue
        if found is not None:
            return found
    return otherwise
