"""What the demo's customers order: Shopify orders/create payloads."""

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime

from infra.demo.retailer import CATALOGUE, ONLY_IN_STORES, SCARCE, Article

ORDERS = 20
BEYOND_STOCK = {"free": 3, "backorder": 2, "open": 3}
"""Units of the scarce sku that the order beyond stock finds free, may backorder, and leaves open."""

_CITIES = (
    ("Madrid", "28013", "ES", 40.4168, -3.7038),
    ("Barcelona", "08012", "ES", 41.3874, 2.1686),
    ("Lisboa", "1200-109", "PT", 38.7223, -9.1393),
    ("Lyon", "69002", "FR", 45.7640, 4.8357),
    ("Milano", "20121", "IT", 45.4642, 9.1900),
)


@dataclass(frozen=True, slots=True)
class Basket:
    """One order: what is in it, and what is special about it.

    `lines` are (article, quantity); `special` is one of `same_sku_twice`, `beyond_stock`, `store_only`,
    `duplicate`, `tampered`, or empty.
    """

    number: int
    channel_order_id: str
    lines: tuple[tuple[Article, int], ...]
    special: str

    @property
    def units(self) -> dict[str, int]:
        """Units by sku."""
        units: dict[str, int] = {}
        for article, quantity in self.lines:
            units[article.sku] = units.get(article.sku, 0) + quantity
        return units


_SPECIAL = {3: "duplicate", 7: "same_sku_twice", 11: "beyond_stock", 15: "store_only", 20: "tampered"}


def baskets(run: int) -> list[Basket]:
    """The 20 orders of a run: the same baskets every time, under order ids of their own.

    Args:
        run: a number that no other run has had (seconds since 1970).
    """
    chooser = random.Random(20)  # noqa: S311 (the same choice every time is what is wanted)
    ordinary = [article for article in CATALOGUE if article.sku not in (SCARCE, ONLY_IN_STORES)]
    by_sku = {article.sku: article for article in CATALOGUE}
    made = []
    for number in range(1, ORDERS + 1):
        special = _SPECIAL.get(number, "")
        chosen = chooser.sample(ordinary, 1 + number % 5)
        lines = [(article, chooser.randint(1, 3)) for article in chosen]
        if special == "same_sku_twice":
            lines = [(chosen[0], 1), (chosen[1], 2), (chosen[0], 2)]
        elif special == "beyond_stock":
            lines = [(by_sku[SCARCE], sum(BEYOND_STOCK.values()))]
        elif special == "store_only":
            lines = [(by_sku[ONLY_IN_STORES], 2)]
        made.append(Basket(number, f"{run}{number:03d}", tuple(lines), special))
    return made


def payload(basket: Basket) -> bytes:
    """The body of Shopify's orders/create webhook for a basket: paid, taxes included, shipping 4.95."""
    city, postal_code, country, latitude, longitude = _CITIES[basket.number % len(_CITIES)]
    goods = sum(article.price * quantity for article, quantity in basket.lines)
    total = goods + 495
    tax = sum(_included_tax(article.price * quantity) for article, quantity in basket.lines) + _included_tax(
        495
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    address = {
        "first_name": "Demo",
        "last_name": f"Customer {basket.number}",
        "address1": f"Calle de la Prueba {basket.number}",
        "city": city,
        "zip": postal_code,
        "country_code": country,
        "latitude": latitude,
        "longitude": longitude,
    }
    document = {
        "id": int(basket.channel_order_id),
        "name": f"#{basket.channel_order_id[-6:]}",
        "created_at": now,
        "updated_at": now,
        "currency": "EUR",
        "presentment_currency": "EUR",
        "taxes_included": True,
        "test": False,
        "cancelled_at": None,
        "financial_status": "paid",
        "fulfillment_status": None,
        "email": f"customer{basket.number}@example.com",
        "customer": {"id": 7000 + basket.number, "email": f"customer{basket.number}@example.com"},
        "shipping_address": address,
        "billing_address": address,
        "gateway": "shopify_payments",
        "payment_gateway_names": ["shopify_payments"],
        "subtotal_price": _euros(goods),
        "total_line_items_price": _euros(goods),
        "total_discounts": "0.00",
        "total_tax": _euros(tax),
        "total_price": _euros(total),
        "discount_applications": [],
        "tax_lines": [],
        "shipping_lines": [
            {
                "id": int(basket.channel_order_id) * 10,
                "code": "standard",
                "title": "Standard",
                "price": "4.95",
                "discounted_price": "4.95",
                "tax_lines": [{"title": "IVA", "rate": 0.21, "price": _euros(_included_tax(495))}],
                "discount_allocations": [],
            }
        ],
        "line_items": [
            {
                "id": int(basket.channel_order_id) * 10 + index,
                "sku": article.sku,
                "title": article.title,
                "quantity": quantity,
                "current_quantity": quantity,
                "fulfillable_quantity": quantity,
                "price": _euros(article.price),
                "grams": article.weight_g,
                "requires_shipping": True,
                "gift_card": False,
                "fulfillment_service": "manual",
                "fulfillment_status": None,
                "total_discount": "0.00",
                "discount_allocations": [],
                "tax_lines": [
                    {"title": "IVA", "rate": 0.21, "price": _euros(_included_tax(article.price * quantity))}
                ],
                "properties": [],
            }
            for index, (article, quantity) in enumerate(basket.lines, 1)
        ],
    }
    return json.dumps(document).encode()


def _included_tax(gross: int) -> int:
    """21 % VAT that a gross amount contains, in cents, rounded half up."""
    return (gross * 21 * 2 + 121) // (121 * 2)


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
