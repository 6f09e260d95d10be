"""A chapter of the story: the last lamp is sold in one shop, and everybody outside hears of it.

Two shops list it. One sells it: the other has to show none, the parcel's number has to come back to the one,
and a subscriber has to be able to verify what it is told.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from infra.demo.baskets import Basket, payload
from infra.demo.client import Api, post_webhook, shopify_headers
from infra.demo.neighbours import LOCATION_ID, Neighbours
from infra.demo.retailer import POOL, Article

SHOPS = {"lamps-es": "shopify", "lamps-fr": "woocommerce"}
"""Channels of the chapter, with the kind of each."""

SECRET = "demo-lamps-secret"  # noqa: S105 (the demo's own channels)
EVENTS = ("order.placed", "shipment.shipped")
_WAREHOUSE = "wh-getafe"

type Wait = Callable[[Callable[[], int], int], None]
"""Waits until as many steps are done as are wanted, or nothing has happened for too long."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the world outside was told: seconds until the other shop showed none, the number, the events.

    `problems` is empty when it was told everything.
    """

    seconds: float | None
    tracking_number: str | None
    events: tuple[str, ...]
    problems: tuple[str, ...]


def connection(kind: str, url: str) -> dict[str, Any]:
    """The secret of a channel of the chapter, with its API at `url`."""
    api = {"url": url, "token": "demo", "key": "demo", "secret": "demo", "location_id": LOCATION_ID}
    return {"kind": kind, "secrets": [SECRET], "api": api}


@contextmanager
def shops_open(api: Api) -> Iterator[None]:
    """The chapter's channels, paused when it ends however it ends: their servers go with the demo, and nobody
    is to call them any more.
    """
    try:
        for name, kind in SHOPS.items():
            api.put(f"/configuration/channel/{name}", _channel(kind, paused=False))
        yield
    finally:
        for name, kind in SHOPS.items():
            api.put(f"/configuration/channel/{name}", _channel(kind, paused=True))


def _channel(kind: str, *, paused: bool) -> dict[str, Any]:
    return {"kind": kind, "pool": POOL, "paused": paused}


def sell_the_last(
    api: Api, world: Neighbours, url: str, run: int, wait: Wait, say: Callable[[str], None]
) -> Told:
    """Play the chapter while the shops are open.

    Args:
        api: of the stack.
        world: the servers of the shops and of the subscriber.
        url: where they stand.
        run: a number that no other run has had.
        wait: waits for steps.
        say: says what has happened.
    """
    sku = f"LAMP-{run}"
    api.put(f"/skus/{sku}", {"title": "Reading lamp", "weight_g": 900})
    now = datetime.now(UTC).isoformat(timespec="seconds")
    api.put(f"/stock/{sku}/{_WAREHOUSE}/count", {"on_hand": 1, "as_of": now})
    subscriber = {"url": f"{url}/hooks", "events": list(EVENTS)}
    world.secret = api.put(f"/subscribers/demo-{run}", subscriber)["secret"]
    try:
        _list(api, sku, run, now)
        return _sell(api, world, sku, run, wait, say)
    finally:
        api.put(f"/subscribers/demo-{run}", subscriber | {"active": False})


def _sell(api: Api, world: Neighbours, sku: str, run: int, wait: Wait, say: Callable[[str], None]) -> Told:
    wait(lambda: sum(world.shows(kind) == 1 for kind in SHOPS.values()), len(SHOPS))
    say("one lamp is left, and two shops show it: the Shopify shop sells it")

    basket = Basket(1, f"{run}900", ((Article(sku, "Reading lamp", 900, 5900), 1),), "")
    body = payload(basket)
    world.lines |= {str(line["id"]): line["quantity"] for line in json.loads(body)["line_items"]}
    sold_at = monotonic()
    post_webhook(api.url, "lamps-es", body, shopify_headers("orders/create", body, SECRET))
    wait(lambda: sum(world.shows(kind) == 0 for kind in SHOPS.values()), len(SHOPS))
    none_at = [at for at, level in world.stock["woocommerce"] if level == 0 and at > sold_at]
    seconds = none_at[0] - sold_at if none_at else None
    say("the WooCommerce shop shows none" + (f", {seconds:.1f} s after the sale" if seconds else ""))
    wait(lambda: len(world.parcels) + len(set(world.events)), 1 + len(EVENTS))
    number = world.parcels[0] if world.parcels else None
    events = tuple(sorted(set(world.events)))
    say(f"it is shipped, and Shopify knows the parcel as {number}")
    say(f"a subscriber has verified {' and '.join(events)}, with a Standard Webhooks library")
    return Told(seconds, number, events, tuple(_problems(world)))


def _list(api: Api, sku: str, run: int, now: str) -> None:
    """Both shops tell of their listing."""
    variant = {"id": run, "product_id": run, "sku": sku, "inventory_item_id": run, "title": "Default Title"}
    product = {"id": run, "title": "Reading lamp", "updated_at": now, "variants": [variant]}
    body = json.dumps(product).encode()
    post_webhook(api.url, "lamps-es", body, shopify_headers("products/update", body, SECRET))
    listed = {"id": run, "name": "Reading lamp", "sku": sku, "type": "simple", "date_modified_gmt": now[:19]}
    body = json.dumps(listed).encode()
    post_webhook(api.url, "lamps-fr", body, woocommerce_headers("product.updated", body))


def woocommerce_headers(topic: str, body: bytes) -> dict[str, str]:
    """The headers of a WooCommerce delivery: base64 of the HMAC-SHA256 of the body, and the topic."""
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).digest()
    return {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": base64.b64encode(signature).decode()}


def _problems(world: Neighbours) -> list[str]:
    problems = list(world.refused)
    problems += [
        f"the {kind} shop shows {world.shows(kind)} lamps, not 0"
        for kind in SHOPS.values()
        if world.shows(kind) != 0
    ]
    if len(world.parcels) != 1:
        problems.append(f"the shop that sold the lamp knows {len(world.parcels)} parcels of it, not 1")
    missing = sorted(set(EVENTS) - set(world.events))
    return problems + [f"the subscriber has not heard of {name}" for name in missing]
