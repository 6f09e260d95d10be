"""What is sold in a soak, and what becomes of each order: the same every time, under order ids of the run."""

import base64
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from typing import Any

from infra.demo.baskets import Basket, payload
from infra.demo.client import shopify_headers
from infra.demo.retailer import CATALOGUE, CHANNEL, CHANNEL_SECRET, SCARCE, Article
from oms.channels.standard_webhooks import key_of, signed
from oms.orders.identity import order_id

MARKET = "market"
KINDS = {CHANNEL: "shopify", "shop-pt": "shopify", MARKET: "generic"}
"""Channels with their kinds. All number their orders alike: two shops with the same order number."""

SECRETS = {
    CHANNEL: CHANNEL_SECRET,
    "shop-pt": "soak-shopify-client-secret",
    MARKET: f"whsec_{base64.b64encode(b'soak-market-signing-key').decode()}",
}
HOT_EVERY = 10
"""One order in so many asks for the hot sku too; there are units for six tenths of them."""

_HOT_STOCK, _HOT_BACKORDERS = 6, 2


class Fate(StrEnum):
    """What becomes of an order."""

    ORDINARY = auto()
    REPEATED = auto()
    CANCELLED_BY_CHANNEL = auto()
    CANCELLED_BEFORE = auto()
    CANCELLED_BY_AGENT = auto()
    RETURNED = auto()
    PUT_ASIDE = auto()


_FATES = {
    Fate.REPEATED: (20, 3),
    Fate.CANCELLED_BY_CHANNEL: (50, 17),
    Fate.CANCELLED_BEFORE: (100, 37),
    Fate.CANCELLED_BY_AGENT: (50, 7),
    Fate.RETURNED: (50, 9),
    Fate.PUT_ASIDE: (200, 15),
}
"""Which orders have a fate of their own: one in so many, beginning with that number."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One order, and what becomes of it.

    A `PUT_ASIDE` one lies among the dead letters of intake at first, and comes in when they are redriven.
    """

    channel: str
    fate: Fate
    basket: Basket

    @property
    def order_id(self) -> str:
        """The order's id in the system."""
        return order_id(self.channel, self.basket.channel_order_id)

    def placed(self) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of the webhook that brings it."""
        if KINDS[self.channel] == "shopify":
            return self._shopify("orders/create", payload(self.basket))
        return self._generic(_generic_order(self.basket))

    def cancelled(self) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of the webhook that cancels it, a minute after it was placed."""
        later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat(timespec="seconds")
        if KINDS[self.channel] == "shopify":
            document = json.loads(payload(self.basket))
            document |= {"cancelled_at": later, "updated_at": later, "cancel_reason": "customer"}
            return self._shopify("orders/cancelled", json.dumps(document).encode())
        return self._generic(
            {
                "command": "cancel_order",
                "channel_order_id": self.basket.channel_order_id,
                "channel_version": later,
                "reason": "customer",
                "cancelled_at": later,
            }
        )

    def _shopify(self, topic: str, body: bytes) -> tuple[bytes, Mapping[str, str]]:
        return body, shopify_headers(topic, body, SECRETS[self.channel])

    def _generic(self, document: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        body = json.dumps(document).encode()
        message_id = f"{document['command']}-{self.basket.channel_order_id}"
        return body, signed(message_id, body, [key_of(SECRETS[self.channel])], datetime.now(UTC))


def hot_article(run: int) -> Article:
    """The hot sku of a run: one of its own, so that nobody waits for it yet."""
    return Article(f"HOT-{run}", "Signed poster", 200, 2500)


def hot_limits(orders: int) -> tuple[int, int]:
    """How many units of the hot sku there are, and how many more may be backordered."""
    wanted = orders // HOT_EVERY
    return wanted * _HOT_STOCK // 10, wanted * _HOT_BACKORDERS // 10


def sales(run: int, orders: int) -> list[Sale]:
    """The orders of a run: of one to five lines, one in ten with the hot sku.

    Args:
        run: a number that no other run has had (seconds since 1970).
        orders: how many.
    """
    chooser = random.Random(5)  # noqa: S311 (the same choice every time is what is wanted)
    ordinary = [article for article in CATALOGUE if article.sku != SCARCE]
    made = []
    for number in range(1, orders + 1):
        lines = [(article, chooser.randint(1, 2)) for article in chooser.sample(ordinary, 1 + number % 5)]
        if number % HOT_EVERY == 1:
            lines.insert(0, (hot_article(run), 1))
        fates = (fate for fate, (every, first) in _FATES.items() if number % every == first)
        channel = list(KINDS)[number % len(KINDS)]
        basket = Basket(number, f"{run}{number // len(KINDS):05d}", tuple(lines), "")
        made.append(Sale(channel, next(fates, Fate.ORDINARY), basket))
    return made


def demand(made: Iterable[Sale]) -> Counter[str]:
    """Units that all orders together ask for, by sku."""
    units: Counter[str] = Counter()
    for sale in made:
        units.update(sale.basket.units)
    return units


def _generic_order(basket: Basket) -> dict[str, Any]:
    """The basket as our own canonical order: paid, prices with tax, shipped free to Madrid."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [
        {
            "channel_line_id": str(index),
            "kind": "physical",
            "fulfilled_by": "us",
            "parent_line_id": None,
            "delivery_id": "d1",
            "sku": article.sku,
            "title": article.title,
            "quantity": quantity,
            "unit_price": article.price,
            "amount": article.price * quantity,
            "discount": 0,
            "tax": 0,
            "requires_shipping": True,
        }
        for index, (article, quantity) in enumerate(basket.lines, 1)
    ]
    total = sum(article.price * quantity for article, quantity in basket.lines)
    address = {"name": "Soak Customer", "line1": "Calle de la Prueba 1", "city": "Madrid"}
    return {
        "command": "place_order",
        "channel_order_id": basket.channel_order_id,
        "channel_version": now,
        "order_number": f"#{basket.channel_order_id[-5:]}",
        "currency": "EUR",
        "presentment_currency": "EUR",
        "test": False,
        "cancelled": False,
        "placed_at": now,
        "tax_included": True,
        "customer": {"id": str(basket.number), "email": f"customer{basket.number}@example.com"},
        "billing": None,
        "deliveries": [
            {
                "id": "d1",
                "method": "ship",
                "service": "standard",
                "ship_to": address | {"postal_code": "28013", "country": "ES"},
                "shipping": 0,
                "shipping_discount": 0,
            }
        ],
        "lines": lines,
        "discount": 0,
        "shipping": 0,
        "fees": [],
        "duties": 0,
        "tip": 0,
        "tax": 0,
        "total": total,
        "payments": [{"method": "card", "amount": total, "state": "captured"}],
        "notes": None,
    }
