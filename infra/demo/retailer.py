"""A believable retailer: its channel, locations, catalogue and opening stock."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CHANNEL = "shop-es"
POOL = "iberia-and-neighbours"
CHANNEL_SECRET = "demo-shopify-client-secret"  # noqa: S105 (the demo's own channel)


@dataclass(frozen=True, slots=True)
class Place:
    """A location of the demo, with the configuration document that makes it one."""

    id: str
    document: dict[str, Any]


def _place(
    name: str, title: str, kind: str, country: str, at: tuple[float, float], connector: str | None
) -> Place:
    latitude, longitude = at
    document = {
        "name": title,
        "kind": kind,
        "owner": f"retail-{country.lower()}",
        "country": country,
        "latitude": latitude,
        "longitude": longitude,
        "priority": 100 if kind == "warehouse" else 200,
    }
    return Place(name, document | ({"connector": connector} if connector else {}))


PLACES = (
    _place("wh-getafe", "Getafe", "warehouse", "ES", (40.3057, -3.7329), "wms"),
    _place("wh-corbas", "Corbas", "warehouse", "FR", (45.6678, 4.9019), "wms"),
    _place("st-gracia", "Barcelona, Gràcia", "store", "ES", (41.4036, 2.1586), None),
    _place("st-serrano", "Madrid, Serrano", "store", "ES", (40.4290, -3.6874), None),
    _place("st-chiado", "Lisboa, Chiado", "store", "PT", (38.7107, -9.1425), None),
    _place("3pl-segrate", "Segrate", "3pl", "IT", (45.4896, 9.2960), "wms"),
)
"""Two warehouses and a 3PL behind the WMS queue, three stores whose staff poll the API."""

_ARTICLES = (
    ("LINEN-SHIRT", "Linen shirt", 240, 4990),
    ("WOOL-SWEATER", "Merino sweater", 410, 8950),
    ("CHINO", "Cotton chinos", 520, 5900),
    ("RAINCOAT", "Raincoat", 780, 12900),
    ("SNEAKER", "Canvas sneakers", 900, 6495),
    ("TOTE", "Canvas tote bag", 310, 1995),
    ("SCARF", "Wool scarf", 180, 3450),
    ("SOCKS", "Ribbed socks", 60, 790),
    ("BELT", "Leather belt", 210, 3990),
    ("CANDLE", "Fig candle", 450, 2475),
)
_VARIANTS = ("ECRU", "NAVY", "OLIVE", "BLACK")


@dataclass(frozen=True, slots=True)
class Article:
    """A sku of the demo; weight in grams, price in euro cents."""

    sku: str
    title: str
    weight_g: int
    price: int


CATALOGUE = tuple(
    Article(f"{code}-{variant}", f"{title}, {variant.lower()}", weight, price)
    for code, title, weight, price in _ARTICLES
    for variant in _VARIANTS
)
"""40 skus."""

SCARCE = CATALOGUE[-1].sku
"""The sku of which the demo orders more than there is."""

ONLY_IN_STORES = CATALOGUE[-2].sku
"""A sku that no warehouse has, so that stores ship too."""

OPENING = 60
"""Free units that a position is filled up to before the demo, when it has fewer than half of that."""


def stocked() -> Iterator[tuple[str, str]]:
    """Every (sku, location) that holds stock: overlapping assortments, so that some orders have to split."""
    for number, article in enumerate(CATALOGUE):
        if article.sku == SCARCE:
            continue
        if article.sku == ONLY_IN_STORES:
            yield from ((article.sku, store) for store in ("st-gracia", "st-chiado"))
            continue
        if number % 3 != 0:
            yield article.sku, "wh-getafe"
        if number % 3 != 1:
            yield article.sku, "wh-corbas"
        if number % 4 == 0:
            yield article.sku, "3pl-segrate"
        if number % 5 == 0:
            yield article.sku, "st-serrano"
