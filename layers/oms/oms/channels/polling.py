"""Orders that have changed within some time, page by page: what finds the ones whose webhooks were lost.

Where a vendor numbers its pages, an order that changes while they are read moves to the end and pushes
another one over the edge of a page. Such lists are therefore read in the order of their changes, each page
from the last change of the page before; a change that two pages show is known to be the same.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from oms.channels.bigcommerce.fields import time as time_of_bigcommerce
from oms.channels.canonical import stamp
from oms.channels.exchange import Api, Query, read
from oms.channels.fetching import AMAZON_DATA, SHOPIFY_API, Fetched, encoded
from oms.channels.payload import Node
from oms.problems import Code, Problem
from oms.values import frozen

PAGE = 50


@frozen
class Window:
    """Which orders: changed from `since` to `until`, UTC; `after` is where the page before ended."""

    since: datetime
    until: datetime
    after: str | None = None


@frozen
class Found:
    """A page: each order by itself, and where it ended; None at the end of the list."""

    orders: tuple[Fetched, ...]
    after: str | None


type Polling = Callable[[Api, Window], Found]
type Timed = Callable[[Node], datetime | None]


def _alone(orders: Iterable[Node], wrapper: str | None = None) -> tuple[Fetched, ...]:
    """Each order as its own resource: one that cannot be read keeps no other from being taken in."""
    return tuple(
        Fetched("rest_order", encoded({wrapper: order.value} if wrapper else order.value)) for order in orders
    )


def _listed(body: Node, key: str) -> tuple[Node, ...]:
    """The orders of a list.

    Raises:
        Problem: `channel_refused`, it is something else, as an error that calls itself a success.
    """
    if not isinstance(body.get(key), list):
        raise Problem(Code.CHANNEL_REFUSED, "the channel's answer is not a list of orders", key)
    return body.children(key)


def _by_changes(path: str, query: Callable[[Window], Query], key: str | None, changed: Timed) -> Polling:
    """A list in the order of changes, read from the last change that is known."""

    def poll(api: Api, window: Window) -> Found:
        since = datetime.fromisoformat(window.after) if window.after else window.since
        here = Window(since, window.until)
        answer = api.get(path, query(here))
        body = read(answer) if answer.body.strip() else Node([])
        orders = _listed(body, key) if key else _listed(Node({"orders": body.value}), "orders")
        after = None
        if len(orders) >= PAGE:
            last = changed(orders[-1])
            if last is None or last <= since:
                detail = f"more than {PAGE} orders have changed within a second"
                raise Problem(Code.UNSUPPORTED, detail)
            after = stamp(last)
        return Found(_alone(orders), after)

    return poll


def _shopify(api: Api, window: Window) -> Found:
    query: dict[str, str | int] = {"limit": PAGE}
    if window.after:
        query["page_info"] = window.after
    else:
        between = {"updated_at_min": stamp(window.since), "updated_at_max": stamp(window.until)}
        query |= {"status": "any", "order": "updated_at asc", **between}
    answer = api.get(f"{SHOPIFY_API}/orders.json", query)
    following = re.search(
        r'<[^>]*[?&]page_info=([^&>]+)[^>]*>;\s*rel="next"', answer.headers.get("Link") or ""
    )
    return Found(_alone(_listed(read(answer), "orders"), "order"), following[1] if following else None)


def _square(api: Api, window: Window) -> Found:
    updated = {"start_at": stamp(window.since), "end_at": stamp(window.until)}
    wanted = {
        "location_ids": [api.value("location_id")],
        "limit": PAGE,
        "query": {
            "filter": {"date_time_filter": {"updated_at": updated}},
            "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
        },
    } | ({"cursor": window.after} if window.after else {})
    body = read(api.call("POST", "/v2/orders/search", wanted))
    return Found(_alone(body.children("orders"), "order"), body.text("cursor"))


def _ebay(api: Api, window: Window) -> Found:
    """Its pages are numbered, in no order of changes: each begins some orders before the last one ended."""
    offset = int(window.after or 0)
    changed = f"lastmodifieddate:[{stamp(window.since)}..{stamp(window.until)}]"
    query: Query = {"filter": changed, "limit": PAGE, "offset": offset}
    orders = _listed(read(api.get("/sell/fulfillment/v1/order", query)), "orders")
    return Found(_alone(orders), str(offset + PAGE - PAGE // 5) if len(orders) >= PAGE else None)


def _amazon(api: Api, window: Window) -> Found:
    query: dict[str, str | int] = {
        "marketplaceIds": api.value("marketplace_id"),
        "lastUpdatedAfter": stamp(window.since),
        "lastUpdatedBefore": stamp(window.until),
        "includedData": AMAZON_DATA,
        "maxResultsPerPage": PAGE,
    }
    if window.after:
        query["paginationToken"] = window.after
    body = read(api.get("/orders/2026-01-01/orders", query))
    page = body.child("pagination") or Node({})
    return Found(_alone(_listed(body, "orders")), page.text("nextToken"))


def _of_woocommerce(window: Window) -> Query:
    """The shop's `after` leaves the second itself out."""
    return {
        "modified_after": f"{window.since - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}",
        "modified_before": f"{window.until:%Y-%m-%dT%H:%M:%S}",
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "per_page": PAGE,
    }


def _of_magento(window: Window) -> Query:
    conditions = (("gteq", window.since), ("lteq", window.until))
    query: dict[str, str | int] = {
        "searchCriteria[sortOrders][0][field]": "updated_at",
        "searchCriteria[sortOrders][0][direction]": "ASC",
        "searchCriteria[pageSize]": PAGE,
    }
    for number, (condition, moment) in enumerate(conditions):
        filter_ = f"searchCriteria[filterGroups][{number}][filters][0]"
        query[f"{filter_}[field]"] = "updated_at"
        query[f"{filter_}[conditionType]"] = condition
        query[f"{filter_}[value]"] = f"{moment:%Y-%m-%d %H:%M:%S}"
    return query


def _of_bigcommerce(window: Window) -> Query:
    return {
        "min_date_modified": f"{window.since:%Y-%m-%dT%H:%M:%S}Z",
        "max_date_modified": f"{window.until:%Y-%m-%dT%H:%M:%S}Z",
        "sort": "date_modified:asc",
        "limit": PAGE,
    }


POLLINGS: Mapping[str, Polling] = {
    "shopify": _shopify,
    "woocommerce": _by_changes(
        "/wp-json/wc/v3/orders", _of_woocommerce, None, lambda order: order.time("date_modified_gmt")
    ),
    "magento": _by_changes("/rest/V1/orders", _of_magento, "items", lambda order: order.time("updated_at")),
    "bigcommerce": _by_changes(
        "/v2/orders", _of_bigcommerce, None, lambda order: time_of_bigcommerce(order, "date_modified")
    ),
    "square": _square,
    "ebay": _ebay,
    "amazon": _amazon,
}
"""By kind of channel. BigCommerce's orders come without their parts, and are fetched one by one."""


def changed_orders(api: Api, window: Window) -> Found:
    """A page of the orders that have changed within some time.

    Raises:
        Problem: `unsupported`, the kind has no such list; `channel_refused`; `field_missing`.
        Unavailable: the channel gave no answer that counts.
    """
    if api.kind not in POLLINGS:
        raise Problem(Code.UNSUPPORTED, f"{api.kind} has no list of changed orders", "kind")
    return POLLINGS[api.kind](api, window)
