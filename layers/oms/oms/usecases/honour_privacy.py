"""Honour a privacy request of a channel: tell what is held of a customer, or let it go."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime

from oms.orders.identity import order_id
from oms.orders.records import PrivacyKind, PrivacyRequested
from oms.store import keys, queries
from oms.store.ledger import scan
from oms.store.orders import decode_order
from oms.store.privacy import PrivacyRequest, encode_request
from oms.store.queries import Span
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.erase_order import Erased, erase_order

_PAGE = 100
_ID_LENGTH = 16


def honour_privacy(table: Table, request: PrivacyRequested, now: datetime) -> PrivacyRequest:
    """Keep a request with the orders that it is about, and erase them when that is asked for.

    To repeat it is harmless: it is kept under the same id, and what is erased stays so. Data is handed out
    by `oms privacy export`, and all of a shop is erased by `oms privacy erase-shop`: a person does both.

    Write units: 1, and what `erase_order` writes for each order.

    Args:
        table: the store.
        request: what the channel asks for.
        now: UTC.

    Raises:
        Busy: an order kept changing; hand the request back to its queue.
    """
    orders = tuple(dict.fromkeys(_orders(table, request)))
    erased = [erase_order(table, name, now) for name in orders if request.kind is PrivacyKind.ERASE_CUSTOMER]
    kept = PrivacyRequest(
        channel=request.channel,
        id=_id(request),
        kind=request.kind,
        orders=orders,
        postponed=erased.count(Erased.POSTPONED),
        requested_at=request.requested_at,
    )
    table.commit(put(keys.privacy_request(kept.channel, kept.id), encode_request(kept)))
    return kept


def erase_channel(
    table: Table, channel: str, now: datetime, on_page: Callable[[int], None] = lambda items: None
) -> dict[Erased, int]:
    """Erase every order of a channel; reads the whole table, so it is for operators alone.

    Args:
        table: the store.
        channel: which.
        now: UTC.
        on_page: told how many items have been looked at.

    Returns:
        Orders by what became of them.

    Raises:
        Busy: an order kept changing; try again.
    """
    counts = dict.fromkeys(Erased, 0)
    for item in scan(table, 0, 1, "order", on_page=on_page):
        if item["ch"] == channel:
            counts[erase_order(table, decode_order(item).order_id, now)] += 1
    return counts


def _orders(table: Table, request: PrivacyRequested) -> Iterator[str]:
    """The orders that it names and that are there, and all that are known as the customer's."""
    for name in request.orders:
        known = order_id(request.channel, name)
        if queries.order(table, known):
            yield known
    customer = request.customer
    span: Span | None = Span(_PAGE) if customer and customer.id else None
    while span and customer:
        page = queries.orders_of_customer(table, f"{request.channel}#{customer.id}", span)
        yield from (order.order_id for order in page.items)
        span = Span(_PAGE, page.after) if page.after else None


def _id(request: PrivacyRequested) -> str:
    """The same for a request whenever it is delivered, and nobody's name in it."""
    who = (request.customer.id if request.customer else None) or ""
    parts = (str(request.kind), who, *request.orders, request.requested_at.isoformat())
    return base64.b32encode(hashlib.sha256("\0".join(parts).encode()).digest())[:_ID_LENGTH].decode()
