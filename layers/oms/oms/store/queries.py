"""Look-ups for readers: an order and what belongs to it, lists by index, one page at a time.

The indexes hold keys alone, so a page is one Query and one BatchGetItem, both eventually consistent; what
stands under one order is read consistently, so that a caller sees what it has just written.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Literal

from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, Shipment
from oms.inventory.movements import Lost, Movement, with_losses
from oms.orders.model import Order, OrderBody
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item
from oms.store.fulfillment import decode_fulfillment_order, decode_shipment
from oms.store.keys import Key
from oms.store.movements import decode_movement
from oms.store.orders import decode_body, decode_order
from oms.store.stubs import is_stub
from oms.store.table import Table
from oms.values import frozen


@frozen
class Page[T]:
    """A part of a list; `after` is where it ended, None at the end of the list."""

    items: tuple[T, ...]
    after: Item | None = None


@frozen
class Span:
    """Which part of a list is wanted: `limit` items at most, beginning after where the page before ended."""

    limit: int
    after: Item | None = None


def order(table: Table, order_id: str) -> Order | None:
    """The header of an order; a stub is none."""
    item = table.get(keys.header(order_id))
    return decode_order(item) if item and not is_stub(item) else None


def known_order(table: Table, order_id: str) -> Order:
    """The header of an order that must be there.

    Raises:
        Problem: `not_found`.
    """
    found = order(table, order_id)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order_id")
    return found


def order_with_body(table: Table, order_id: str) -> tuple[Order, OrderBody] | None:
    """An order's header and body."""
    items = table.get_many((keys.header(order_id), keys.body(order_id)), consistent=True)
    if len(items) < 2:
        return None
    header, body = items
    return decode_order(header), decode_body(body)


def everything(table: Table, order_id: str) -> list[Item]:
    """All items of an order; none when it is not there."""
    return table.query(keys.order(order_id), consistent=True)


def orders_of_day(table: Table, day: date, span: Span) -> Page[Order]:
    """Orders placed on a day (UTC), latest first."""
    pk = keys.day(datetime.combine(day, time(), UTC))
    return _page(table, "GSI2", pk, span, decode_order, of=_header_of, descending=True)


def orders_of_customer(table: Table, customer_key: str, span: Span) -> Page[Order]:
    """Orders of a customer (the channel and its id of the customer), latest first."""
    return _page(table, "GSI2", keys.customer(customer_key), span, decode_order, descending=True)


def fulfillment_order(table: Table, order_id: str, name: str) -> FulfillmentOrder | None:
    """A fulfillment order by its id within the order."""
    item = table.get(keys.fulfillment_order(order_id, name))
    return decode_fulfillment_order(item) if item else None


def fulfillment_orders(table: Table, order_id: str) -> tuple[FulfillmentOrder, ...]:
    """Every fulfillment order of an order."""
    items = table.query(keys.order(order_id), keys.FULFILLMENT_ORDER, consistent=True)
    return tuple(map(decode_fulfillment_order, items))


def pick_list(table: Table, location: str, state: FulfillmentState, span: Span) -> Page[FulfillmentOrder]:
    """Fulfillment orders at a location in a state that has not ended, the earliest due first."""
    page = _page(table, "GSI1", keys.pick_list(location, state), span, decode_fulfillment_order)
    # The index follows a moment later: what has moved on since is another list's.
    return Page(tuple(work for work in page.items if work.state is state), page.after)


def shipments(table: Table, order_id: str) -> tuple[Shipment, ...]:
    """Every shipment of an order."""
    items = table.query(keys.order(order_id), keys.SHIPMENT, consistent=True)
    return tuple(map(decode_shipment, items))


def shipments_tracked(table: Table, tracking_number: str, span: Span) -> Page[Shipment]:
    """Shipments under a tracking number: several orders may share a parcel, and carriers reuse numbers."""
    return _page(table, "GSI2", keys.tracking(tracking_number), span, decode_shipment)


def movements(table: Table, sku: str, location: str, span: Span) -> Page[tuple[Movement, Lost | None]]:
    """Movements of a position, latest first, each with what is missing right before it."""
    # One more than wanted, to see whether anything is missing before the last.
    items = table.latest(keys.movements(sku, location), before=span.after, limit=span.limit + 1)
    known = with_losses([decode_movement(item) for item in items])[: span.limit]
    last = items[len(known) - 1] if len(items) > span.limit else None
    return Page(tuple(known), {name: last[name] for name in ("PK", "SK")} if last else None)


def _header_of(key: Key) -> Key:
    """The header beside an order's body, which stands in the list of its day."""
    return Key(key.pk, keys.HEADER_SK)


def _page[T](
    table: Table,
    index: Literal["GSI1", "GSI2"],
    pk: str,
    span: Span,
    decode: Callable[[Item], T],
    *,
    of: Callable[[Key], Key] = lambda key: key,
    descending: bool = False,
) -> Page[T]:
    found, after = table.keys_in_index(index, pk, after=span.after, limit=span.limit, descending=descending)
    return Page(tuple(map(decode, table.get_many(map(of, found)))), after)
