"""Orders as Shopify writes them, small, every field replaceable; and delivering one to the adapter."""

import json
from datetime import UTC, datetime

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.shopify import ADAPTER
from oms.orders.commands import Line, PlaceOrder

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

type Fields = dict[str, object]


def item(number: int = 1, **fields: object) -> Fields:
    """One line of one article at 10.00."""
    return {
        "id": 9007199254740993 + number,
        "title": f"Article {number}",
        "sku": f"SKU-{number}",
        "quantity": 1,
        "price": "10.00",
        "requires_shipping": True,
        "tax_lines": [],
        "discount_allocations": [],
    } | fields


def shipping_line(price: str = "5.00", **fields: object) -> Fields:
    """One charge for shipping."""
    return {"title": "Standard", "code": "STD", "price": price, "discounted_price": price} | fields


def order(*items: Fields, **fields: object) -> Fields:
    """A paid order of `items` (one article when none are given) without shipping; its total is 10.00."""
    return {
        "id": 820982911946154508,
        "name": "#1001",
        "currency": "EUR",
        "created_at": "2026-11-22T10:00:00+01:00",
        "updated_at": "2026-11-22T10:00:01+01:00",
        "taxes_included": False,
        "total_price": "10.00",
        "total_tax": "0.00",
        "financial_status": "paid",
        "payment_gateway_names": ["card"],
        "line_items": list(items) or [item()],
        "shipping_lines": [],
        "fulfillments": [],
        "refunds": [],
    } | fields


def without(fields: Fields, *names: str) -> Fields:
    """The same without some of its fields."""
    return {name: value for name, value in fields.items() if name not in names}


def parse(topic: str, payload: object, headers: Headers | None = None) -> tuple[Command, ...]:
    """What the adapter makes of a payload delivered under a topic at `NOW`."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ADAPTER.parse(Inbound("shop-es", "shopify", topic, headers or Headers(), body, NOW))


def placed(payload: Fields, topic: str = "orders/create") -> PlaceOrder:
    """The one order that a payload becomes."""
    (command,) = parse(topic, payload)
    assert isinstance(command, PlaceOrder)
    return command


def line(payload: Fields) -> Line:
    """The one line of the order that a payload becomes."""
    (only,) = placed(payload).lines
    return only
