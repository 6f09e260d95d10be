"""BigCommerce's order (V2) only links to its parts: it is read together with them."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from oms.channels.exchange import Api, Query, Response, read
from oms.channels.fetching import Fetched, encoded
from oms.channels.payload import Json
from oms.problems import Code, Problem

PAGE = 250
MOST_PAGES = 20
"""More than any order has; a list that never ends is not read for ever."""

LISTS: Mapping[str, str] = {
    "products": "/v2/orders/{id}/products",
    "shipping_addresses": "/v2/orders/{id}/shipping_addresses",
    "shipments": "/v2/orders/{id}/shipments",
}
"""Parts of an order that are lists, read page by page; 204 stands for an empty one."""

RECORDS: Mapping[str, str] = {
    "transactions": "/v3/orders/{id}/transactions",
    "refunds": "/v3/orders/{id}/payment_actions/refunds",
}
"""Parts of the newer API, which stand under `data`."""


def fetch_order(api: Api, resource_id: str) -> Iterator[Fetched]:
    """An order with its products, addresses, shipments, pickups, transactions and refunds."""
    number = quote(resource_id, safe="")
    order = read(api.get(f"/v2/orders/{number}")).value
    if not isinstance(order, dict):
        raise Problem(Code.CHANNEL_REFUSED, "the channel's answer is not an order")
    parts: dict[str, Json] = {}
    for key, path in LISTS.items():
        parts[key] = _pages(api, path.format(id=number))
    parts["consignments"] = _document(api.get(f"/v2/orders/{number}/consignments"))
    for key, path in RECORDS.items():
        found = _document(api.get(path.format(id=number)))
        parts[key] = found.get("data") if isinstance(found, dict) else None
    yield Fetched("rest_order", encoded({**order, **parts}))


def _pages(api: Api, path: str) -> Json:
    """Every page of a list."""
    items: list[Json] = []
    for page in range(1, MOST_PAGES + 1):
        query: Query = {"limit": PAGE, "page": page}
        found = _document(api.get(path, query))
        more = found if isinstance(found, list) else []
        items += more
        if len(more) < PAGE:
            return items
    raise Problem(Code.CHANNEL_REFUSED, f"the channel's list {path} has more than {MOST_PAGES} pages")


def _document(answer: Response) -> Json:
    return read(answer).value if answer.body.strip() else None
