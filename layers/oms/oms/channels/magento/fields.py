"""Fields that Magento's resources share: wrappers, ids, 0 and 1 for booleans, addresses."""

from decimal import Decimal

from oms.channels.payload import Json, Node
from oms.orders.commands import Address

_WRAPPERS = (
    *("event", "data", "value"),
    *("order", "entity", "invoice", "shipment", "creditmemo", "product", "stockItem"),
)
"""What resources stand under in events; and by name, in calls and in webhooks."""


def resources(body: Node) -> tuple[Node, ...]:
    """The resources of a payload: bare, in a list, in the answer to a search, in an event, or by name."""
    node = body
    while (inner := _inside(node)) is not None:
        node = inner
    return () if _searched(node) else node.items()


def _inside(node: Node) -> Node | None:
    """What a wrapper holds; None when the node is none."""
    searched = _searched(node)
    keys = ("items",) if searched else () if node.has("entity_id") else _WRAPPERS
    for key in keys:
        value = node.get(key)
        if isinstance(value, dict) or (searched and isinstance(value, list)):
            return Node(value, node.at(key))
    return None


def _searched(node: Node) -> bool:
    return node.has("search_criteria") or node.has("total_count")


def order_id(node: Node, key: str) -> str | None:
    """The channel's id of an order: `entity_id@store_id`, because order numbers repeat between websites.

    None when either is missing: it must be the same in every payload.
    """
    entity, store = node.identifier(key), node.identifier("store_id")
    return f"{entity}@{store}" if entity and store else None


def yes(node: Node, key: str) -> bool:
    """A boolean, which is mostly written as 0 or 1."""
    return node.get(key) in (True, 1, "1", "true")


def extension(node: Node, key: str) -> Json:
    """A field that newer versions keep among a resource's extension attributes."""
    extensions = node.get("extension_attributes")
    value = extensions.get(key) if isinstance(extensions, dict) else None
    return node.get(key) if value is None else value


def count(node: Node, key: str) -> Decimal:
    """A quantity; 0 when there is none."""
    return node.decimal(key) or Decimal(0)


def name(node: Node, prefix: str = "") -> str | None:
    """First and last name of an address, or of a customer by the prefix `customer_`."""
    keys = (f"{prefix}{part}name" for part in ("first", "middle", "last"))
    return " ".join(part for key in keys if (part := node.text(key))) or None


def address(node: Node | None) -> Address | None:
    """A postal address; codes of regions are preferred to names."""
    if node is None:
        return None
    street = node.get("street")
    lines = street if isinstance(street, list) else (node.text("street") or "").split("\n")
    texts = [line.strip() for line in lines if isinstance(line, str) and line.strip()]
    return Address(
        name=name(node),
        company=node.text("company"),
        line1=texts[0] if texts else None,
        line2=", ".join(texts[1:]) or None,
        city=node.text("city"),
        region=node.text("region_code") or node.text("region"),
        postal_code=node.text("postcode"),
        country=node.text("country_id"),
        phone=node.text("telephone"),
        email=node.text("email"),
    )
