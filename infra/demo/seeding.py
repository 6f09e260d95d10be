"""Seeding: configuration, catalogue and stock of the demo's retailer, through the API."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from infra.demo.client import Api
from infra.demo.retailer import CATALOGUE, CHANNEL, OPENING, PLACES, POOL, stocked

_CLIENTS = 4
"""Clients at once, for most of what the demo does: each costs the local stack the start of a process."""


def in_parallel[T](work: Callable[[T], Any], items: Iterable[T], clients: int = _CLIENTS) -> list[Any]:
    """Answers of `work` for all items, in their order, from a few clients at once."""
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(work, items))


def seed(api: Api, opening: int = OPENING) -> dict[str, int]:
    """Configure the retailer and fill its shelves; what is there already stays.

    Args:
        api: of the stack.
        opening: free units that a position is filled up to when it has fewer than half of that.

    Returns:
        How many of each thing there are, and how many positions had to be filled up.
    """
    in_parallel(lambda place: api.put(f"/configuration/location/{place.id}", place.document), PLACES)
    api.put(f"/configuration/pool/{POOL}", {"locations": [place.id for place in PLACES]})
    api.put(f"/configuration/channel/{CHANNEL}", {"kind": "shopify", "pool": POOL})
    in_parallel(
        lambda article: api.put(
            f"/skus/{article.sku}", {"title": article.title, "weight_g": article.weight_g}
        ),
        CATALOGUE,
    )
    held = positions(api)
    low = [place for place in stocked() if held.get(place, {}).get("uncommitted", 0) < opening // 2]
    now = datetime.now(UTC).isoformat()

    def fill(place: tuple[str, str]) -> None:
        sku, location = place
        on_hand = held.get(place, {}).get("on_hand", 0) - held.get(place, {}).get("uncommitted", 0) + opening
        api.put(f"/stock/{sku}/{location}/count", {"on_hand": on_hand, "as_of": now})

    in_parallel(fill, low)
    return {"locations": len(PLACES), "skus": len(CATALOGUE), "positions_filled": len(low)}


def positions(api: Api) -> dict[tuple[str, str], dict[str, Any]]:
    """Every position of the catalogue by (sku, location), as the API shows it."""
    answers = in_parallel(lambda article: api.get(f"/stock/{article.sku}"), CATALOGUE)
    return {
        (answer["sku"], position["location"]): position
        for answer in answers
        for position in answer["positions"]
    }
