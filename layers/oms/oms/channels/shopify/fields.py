"""Fields that Shopify's resources share: money, names, addresses, and the wrappers around a resource."""

from collections.abc import Iterable
from decimal import Decimal

from oms.channels.amounts import rounded
from oms.channels.currencies import minor, scaled
from oms.channels.payload import Node
from oms.orders.commands import Address
from oms.problems import Code, Problem


def exact(node: Node, key: str, currency: str) -> Decimal:
    """Shop money in minor units, fractions kept: unit prices, and what apps compute, may have more decimals.

    Raises:
        Problem: there is none.
    """
    found = _stated(node, key)
    if found is None:
        raise Problem(Code.FIELD_MISSING, f"{node.at(key)} is required", node.at(key))
    return scaled(found[0], currency)


def money(node: Node, key: str, currency: str) -> int | None:
    """Shop money in whole minor units, from `key` or `key`_set; None when neither is there.

    Raises:
        Problem: it has more decimals than the currency.
    """
    found = _stated(node, key)
    return None if found is None else minor(found[0], currency, found[1])


def need_money(node: Node, key: str, currency: str) -> int:
    """As `money`.

    Raises:
        Problem: there is none, or it has more decimals than the currency.
    """
    value = money(node, key, currency)
    if value is None:
        raise Problem(Code.FIELD_MISSING, f"{node.at(key)} is required", node.at(key))
    return value


def _stated(node: Node, key: str) -> tuple[Decimal, str] | None:
    """The flat field, or the shop's side of the pair of shop and presentment money, and its path."""
    value = node.decimal(key)
    if value is not None:
        return value, node.at(key)
    both = node.child(f"{key}_set")
    shop = both.child("shop_money") if both else None
    value = shop.decimal("amount") if shop else None
    return None if shop is None or value is None else (value, shop.at("amount"))


def total_of(parts: Iterable[Node], key: str, currency: str) -> int:
    """What parts come to in whole minor units; fractions of them are rounded once, halves away from zero."""
    return rounded(sum((exact(part, key, currency) for part in parts), Decimal(0)))


def tax(taxed: Node, currency: str) -> int:
    """The sum of a thing's tax lines, in minor units."""
    return total_of(taxed.children("tax_lines"), "price", currency)


def name(person: Node) -> str | None:
    """First and last name of a customer or an address."""
    return " ".join(part for key in ("first_name", "last_name") if (part := person.text(key))) or None


def address(node: Node | None) -> Address | None:
    """A postal address; codes are preferred to names, which depend on the shop's language."""
    if node is None:
        return None
    return Address(
        name=node.text("name") or name(node),
        company=node.text("company"),
        line1=node.text("address1"),
        line2=node.text("address2"),
        city=node.text("city"),
        region=node.text("province_code") or node.text("province"),
        postal_code=node.text("zip"),
        country=node.text("country_code") or node.text("country"),
        phone=node.text("phone"),
        email=node.text("email"),
        latitude=_coordinate(node, "latitude"),
        longitude=_coordinate(node, "longitude"),
    )


def _coordinate(node: Node, key: str) -> str | None:
    degrees = node.decimal(key)
    return None if degrees is None else f"{degrees:f}"


def resources(body: Node, kind: str) -> tuple[Node, ...]:
    """The resources of a kind in a payload: under the kind's name, in a list under its plural, or bare.

    None when there is nothing under the name.
    """
    if body.names() in ((kind,), (f"{kind}s",)) and not any(map(body.has, body.names())):
        return ()
    if body.has(kind):
        return (body.need(Node.child, kind),)
    return body.children(f"{kind}s") if body.has(f"{kind}s") else body.items()
