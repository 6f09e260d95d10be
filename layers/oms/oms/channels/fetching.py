"""Reading resources that a thin notification only names: the paths as data, by kind of channel and resource.

What takes more than reading one path is in the `fetch` module of the kind.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from importlib import import_module
from urllib.parse import quote, urlsplit

from oms.channels.exchange import Api
from oms.channels.payload import Json
from oms.problems import Code, Problem
from oms.values import frozen

SHOPIFY_API = "/admin/api/2025-07"
AMAZON_DATA = "BUYER,RECIPIENT,PROCEEDS,PROMOTION,FULFILLMENT,PAYMENT,CANCELLATION"
"""Data sets of an order (Orders API 2026-01-01): without them it says neither prices nor who ships."""


@frozen
class Fetched:
    """A resource as its API returned it; `topic` is the name that its adapter knows the shape by."""

    topic: str
    body: bytes


type Fetching = Callable[[Api, str], Iterator[Fetched]]
"""Reads a resource by its id, perhaps in several pages."""


def _at(path: str, topic: str) -> Fetching:
    """What stands at one path, in which `{id}` is the resource's id."""

    def fetch(api: Api, resource_id: str) -> Iterator[Fetched]:
        yield Fetched(topic, api.get(path.format(id=quote(resource_id, safe=""))).body)

    return fetch


def _at_named_address(topic: str, api: Api, resource_id: str) -> Iterator[Fetched]:
    """What stands at the address in a notification: read at the host that we know, whatever host it names."""
    address = urlsplit(resource_id)
    yield Fetched(topic, api.get(address.path + (f"?{address.query}" if address.query else "")).body)


def _by(module: str, function: str) -> Fetching:
    """A function of a kind's own module, imported when it is first needed."""

    def fetch(api: Api, resource_id: str) -> Iterator[Fetched]:
        found: Fetching = getattr(import_module(f"oms.channels.{module}.fetch"), function)
        return found(api, resource_id)

    return fetch


FETCHINGS: Mapping[tuple[str, str], Fetching] = {
    ("shopify", "order"): _at(f"{SHOPIFY_API}/orders/{{id}}.json", "rest_order"),
    ("shopify", "fulfillment_order"): _at(
        f"{SHOPIFY_API}/fulfillment_orders/{{id}}.json", "rest_fulfillment_order"
    ),
    ("shopify", "return"): _by("shopify", "fetch_return"),
    ("woocommerce", "order"): _at("/wp-json/wc/v3/orders/{id}", "rest_order"),
    ("magento", "order"): _at("/rest/V1/orders/{id}", "rest_order"),
    ("bigcommerce", "order"): _by("bigcommerce", "fetch_order"),
    ("bigcommerce", "product"): _at(
        "/v3/catalog/products/{id}?include=variants&include_fields=name,type,inventory_tracking,date_modified",
        "rest_v3_product",
    ),
    ("square", "order"): _at("/v2/orders/{id}", "rest_order"),
    ("square", "catalog"): _by("square", "fetch_catalog"),
    ("ebay", "order"): _at("/sell/fulfillment/v1/order/{id}", "rest_order"),
    ("amazon", "order"): _at(f"/orders/2026-01-01/orders/{{id}}?includedData={AMAZON_DATA}", "rest_order"),
    ("amazon", "fulfillment_order"): _at(
        "/fba/outbound/2020-07-01/fulfillmentOrders/{id}", "rest_fulfillment_order"
    ),
    ("stripe", "refunds"): _at("/v1/refunds?charge={id}&limit=100", "refund list"),
    ("shipengine", "tracking"): partial(_at_named_address, "API_TRACK"),
    **{
        ("shipstation", resource): partial(_at_named_address, topic)
        for resource, topic in (
            ("orders", "ORDER_NOTIFY"),
            ("shipments", "SHIP_NOTIFY"),
            ("fulfillments", "FULFILLMENT_SHIPPED"),
            ("tracking", "API_TRACK"),
        )
    },
}
"""Resources that notifications name, by kind of channel."""


def fetch(api: Api, resource: str, resource_id: str) -> tuple[Fetched, ...]:
    """A resource as its channel returns it.

    Args:
        api: of the channel.
        resource: as the kind's adapter names it in `Fetch`.
        resource_id: the channel's.

    Raises:
        Problem: `unsupported`, nothing reads such a resource; `channel_refused`, the channel did not answer
            with it.
        Unavailable: the channel gave no answer that counts.
    """
    fetching = FETCHINGS.get((api.kind, resource))
    if fetching is None:
        raise Problem(Code.UNSUPPORTED, f"nothing reads {resource} of {api.kind}", "resource")
    return tuple(fetching(api, resource_id))


def encoded(document: Json) -> bytes:
    """A document put together from several answers, its numbers as they were."""
    return json.dumps(document, default=_exactly).encode()


def _exactly(value: object) -> object:
    """A number with a fraction goes on as the text it was: readers take both, and a float would change it."""
    assert isinstance(value, Decimal), "what loads gives"
    return f"{value:f}"
