"""Fields that BigCommerce's resources share: wrappers, empty objects for null, dates, addresses."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from oms.channels.payload import Json, Node
from oms.orders.commands import Address


def resources(body: Node) -> tuple[Node, ...]:
    """The resources of an answer: bare or in a list (V2), or under `data` (V3)."""
    cleaned = Node(_cleaned(body.value), body.path)
    inner = cleaned.get("data")
    if cleaned.value is None or (inner is None and "data" in cleaned.names()):
        return ()
    return Node(inner, "data").items() if isinstance(inner, list | dict) else cleaned.items()


def _cleaned(value: Json) -> Json:
    """The value with null for {}, which stands for it, and without stray quotes in its names."""
    if isinstance(value, dict):
        return {key.strip('"'): _cleaned(inner) for key, inner in value.items()} or None
    return [_cleaned(inner) for inner in value if inner != {}] if isinstance(value, list) else value


def linked(node: Node, key: str) -> tuple[Node, ...] | None:
    """A part of an order that was read with it; None when there is only the link to it."""
    value = node.get(key)
    return node.children(key) if isinstance(value, list) else None


def time(node: Node, *keys: str) -> datetime | None:
    """The first of the times `keys` that is there, in UTC: RFC 2822 in V2, ISO 8601 in V3.

    Raises:
        Problem: it is neither.
    """
    for key in keys:
        text = node.text(key)
        if text is None:
            continue
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return node.time(key)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return None


def name(node: Node) -> str | None:
    """First and last name of an address."""
    return " ".join(part for key in ("first_name", "last_name") if (part := node.text(key))) or None


def address(node: Node | None) -> Address | None:
    """A postal address."""
    if node is None:
        return None
    return Address(
        name=name(node),
        company=node.text("company"),
        line1=node.text("street_1"),
        line2=node.text("street_2"),
        city=node.text("city"),
        region=node.text("state"),
        postal_code=node.text("zip"),
        country=node.text("country_iso2") or node.text("country"),
        phone=node.text("phone"),
        email=node.text("email"),
    )
