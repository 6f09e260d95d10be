"""Privacy requests as they are kept: what was asked for, and what was done. The orders hold the data."""

from datetime import datetime
from typing import Any, cast

from oms.orders.records import PrivacyKind
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.table import Table
from oms.values import frozen


@frozen
class PrivacyRequest:
    """A request of a channel; `orders` are ours that it is about, `postponed` of them are not done yet.

    Nothing in it tells who has asked.
    """

    channel: str
    id: str
    kind: PrivacyKind
    orders: tuple[str, ...]
    postponed: int
    requested_at: datetime


def encode_request(request: PrivacyRequest) -> Item:
    """A request's attributes, without its key."""
    return {
        "t": "privacy_request",
        "sv": 1,
        "kind": str(request.kind),
        "orders": list(request.orders),
        "postponed": request.postponed,
        "at": millis(request.requested_at),
    }


def read_requests(table: Table, channel: str) -> list[PrivacyRequest]:
    """Every privacy request of a channel, the latest last."""
    items = cast(list[dict[str, Any]], table.query(keys.privacy_requests(channel)))
    requests = [
        PrivacyRequest(
            channel,
            stored["SK"],
            PrivacyKind(stored["kind"]),
            tuple(stored["orders"]),
            stored["postponed"],
            moment(stored["at"]),
        )
        for stored in items
    ]
    return sorted(requests, key=lambda request: request.requested_at)
