"""Fields that Square's resources share: money in minor units, times, addresses."""

from datetime import datetime

from oms.channels.currencies import require_currency
from oms.channels.payload import Node
from oms.channels.protocol import Inbound
from oms.orders.commands import Address


def money(node: Node, *keys: str) -> int:
    """The first of the amounts that is there, in minor units; 0 when none is."""
    for key in keys:
        amount = node.child(key)
        value = amount.integer("amount") if amount else None
        if value is not None:
            return value
    return 0


def currency(node: Node, *keys: str) -> str:
    """The currency of the first of the amounts that is there.

    Raises:
        Problem: none is.
    """
    amount = node.need(Node.child, *keys)
    return require_currency(amount.need(Node.text, "currency"), amount.at("currency"))


def time(message: Inbound, node: Node, *keys: str) -> datetime:
    """The first of the times that is there; when it was received, for lack of one."""
    return next((at for key in keys if (at := node.time(key))), message.received_at)


def name(person: Node) -> str | None:
    """What a recipient or a customer is called."""
    parts = [person.text(key) for key in ("given_name", "first_name", "family_name", "last_name")]
    return person.text("display_name") or " ".join(filter(None, parts)) or None


def address(recipient: Node | None) -> Address | None:
    """Where a recipient lives; None when no address is given."""
    place = recipient.child("address") if recipient else None
    if recipient is None or place is None:
        return None
    lines = [place.text(f"address_line_{number}") for number in (2, 3)]
    return Address(
        name=name(recipient) or name(place),
        company=place.text("organization"),
        line1=place.text("address_line_1"),
        line2=", ".join(filter(None, lines)) or None,
        city=place.text("locality"),
        region=place.text("administrative_district_level_1"),
        postal_code=place.text("postal_code"),
        country=place.text("country"),
        phone=recipient.text("phone_number"),
        email=recipient.text("email_address"),
    )
