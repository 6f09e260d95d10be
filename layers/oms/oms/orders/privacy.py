"""Privacy: what an order keeps of a person, and the order without it; its money, units and times stay."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from oms.orders.commands import LISTING, Address, Customer, PlaceOrder
from oms.orders.model import Order, OrderBody
from oms.values import replace

ERASED = "personal_data_erased"
"""Kind of the journal entry of what was erased."""


def still_needed(order: Order) -> bool:
    """Whether something has yet to be shipped, for which the customer's address is needed."""
    return any(line.open or line.backordered or line.entries for line in order.lines)


def held(order: Order, body: OrderBody) -> tuple[str, ...]:
    """Names of what an order keeps of a person, as `ship_to.d1.city`; never the values.

    A country alone is nobody's.
    """
    places = {"billing": body.billing, **{f"ship_to.{name}": place for name, place in body.ship_to.items()}}
    parts: dict[str, Customer | Address | None] = {"customer": body.customer, **places}
    names = [
        f"{part}.{name}"
        for part, value in parts.items()
        for name, text in (asdict(value) if value else {}).items()
        if text and name != "country"
    ]
    names += [name for name in ("notes", "purchase_order") if getattr(body, name)]
    names += [
        f"lines.{line.line_id}.{name}" for line in body.lines for name in line.properties if name != LISTING
    ]
    return (*names, *(["customer_key"] if order.customer_key else []))


def erased(body: OrderBody) -> OrderBody:
    """A body without anybody in it; of addresses the country stays, by which taxes are told."""
    return replace(
        body,
        customer=Customer(),
        billing=country_of(body.billing),
        ship_to={name: country_of(place) or Address() for name, place in body.ship_to.items()},
        purchase_order=None,
        notes=None,
        lines=tuple(replace(line, properties=_of_shop(line.properties)) for line in body.lines),
    )


def is_erased(order: Order) -> bool:
    """Whether what the order kept of a person was erased: no version of it may bring that back."""
    return any(ERASED in entry.kinds for entry in order.journal)


def nobodys(command: PlaceOrder) -> PlaceOrder:
    """A version of an order without anybody in it; what is still to be shipped then has no address."""
    return replace(
        command,
        customer=Customer(),
        billing=country_of(command.billing),
        deliveries=tuple(replace(delivery, ship_to=None) for delivery in command.deliveries),
        purchase_order=None,
        notes=None,
        lines=tuple(replace(line, properties=_of_shop(line.properties)) for line in command.lines),
    )


def country_of(place: Address | None) -> Address | None:
    """An address of which only the country is kept."""
    return Address(country=place.country) if place else None


def without_customer(order: Order, now: datetime) -> Order:
    """The header of an order whose body was erased."""
    return replace(order, customer_key=None, erase_at=None).written(now, ERASED)


def _of_shop(properties: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in properties.items() if name == LISTING}
