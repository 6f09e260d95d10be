"""What must hold after a soak, proved from the table itself."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from infra.soak.sales import Fate, Sale
from oms.fulfillment.model import Shipment
from oms.inventory.model import Position
from oms.orders.model import Order
from oms.orders.status import kept_total
from oms.payments.refunds import Refund, worth
from oms.returns.model import Return, ReturnState
from oms.store.attributes import Item
from oms.store.fulfillment import decode_shipment
from oms.store.ledger import scan
from oms.store.orders import decode_order
from oms.store.returns import decode_refund, decode_return
from oms.store.stock import decode_position
from oms.store.table import Table

_SEGMENTS = 4
_TOO_LATE = frozenset({"cancel_refused", "channel_cancelled"})
_TYPES = ("order", "position", "shipment", "return", "refund")


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is stored of orders and stock."""

    orders: Mapping[str, Order]
    positions: Sequence[Position]
    shipments: Sequence[Shipment]
    returns: Sequence[Return]
    refunds: Sequence[Refund]


def read_books(table: Table) -> Books:
    """Everything that is in the table now; at one moment only while nobody writes."""

    def read(segment: int) -> list[Item]:
        return list(scan(table, segment, _SEGMENTS, *_TYPES, on_page=lambda items: None))

    with ThreadPoolExecutor(_SEGMENTS) as pool:
        items = [item for part in pool.map(read, range(_SEGMENTS)) for item in part]
    by_type = {name: [item for item in items if item["t"] == name] for name in _TYPES}
    return Books(
        {order.order_id: order for order in map(decode_order, by_type["order"])},
        list(map(decode_position, by_type["position"])),
        list(map(decode_shipment, by_type["shipment"])),
        list(map(decode_return, by_type["return"])),
        list(map(decode_refund, by_type["refund"])),
    )


def unsettled(books: Books, made: Iterable[Sale], hot_sku: str) -> list[str]:
    """Orders that are not there, or have units on their way; only of the hot sku may some wait for stock."""
    found = []
    for sale in made:
        order = books.orders.get(sale.order_id)
        if order is None or any(
            line.ordered
            > line.delivered + line.cancelled + (line.open + line.backordered if line.sku == hot_sku else 0)
            for line in order.lines
        ):
            found.append(sale.order_id)
    return found


def figures(before: Books, after: Books, made: Sequence[Sale], returned: Iterable[str]) -> dict[str, int]:
    """What went wrong, counted; each figure has to be 0.

    Args:
        before: the table before the first order.
        after: the table when nothing moves any more.
        made: the orders that the system has taken.
        returned: ids of the orders of which one unit was sent back.
    """
    sold = {sale.order_id: sale for sale in made}
    ours = {name: after.orders[name] for name in sold if name in after.orders}
    return {
        "lost": len(sold) - len(ours),
        "strangers": len(after.orders.keys() - before.orders.keys() - sold.keys()),
        "units_duplicated": sum(_more_than_sold(ours[name], sold[name]) for name in ours),
        "parcels_duplicated": sum(
            abs(units) for units in _difference(_shipped(ours), _in_parcels(after, ours)).values()
        ),
        "oversold": sum(max(0, -position.uncommitted) for position in after.positions),
        "stock_off": sum(map(abs, _stock_off(before, after).values())),
        "not_cancelled": sum(
            _kept_units(ours[name])
            for name in ours
            if sold[name].fate is Fate.CANCELLED_BEFORE and not left_before_cancelled(ours[name])
        ),
        "returns_off": _returns_off(after, Counter(returned)),
        "refunds_off": sum(_refund_off(ours[name], after) for name in ours),
    }


def _more_than_sold(order: Order, sale: Sale) -> int:
    units: Counter[str] = Counter()
    for line in order.lines:
        units[str(line.sku)] += line.ordered
    return sum(map(abs, _difference(units, sale.basket.units).values()))


def _shipped(orders: Mapping[str, Order]) -> Counter[tuple[str, str]]:
    return Counter(
        {(name, line.line_id): line.shipped for name, order in orders.items() for line in order.lines}
    )


def _in_parcels(books: Books, orders: Mapping[str, Order]) -> Counter[tuple[str, str]]:
    units: Counter[tuple[str, str]] = Counter()
    for shipment in books.shipments:
        if shipment.order_id in orders:
            for line in shipment.lines:
                units[shipment.order_id, line.line_id] += line.units
    return units


def _stock_off(before: Books, after: Books) -> Counter[str]:
    """What on hand has changed by, beyond what was shipped and came back; by sku."""
    change: Counter[str] = Counter()
    for books, sign in ((before, -1), (after, 1)):
        for position in books.positions:
            change[position.sku] += sign * position.on_hand
        for order in books.orders.values():
            for line in order.lines:
                change[str(line.sku)] += sign * (line.shipped - line.returned)
    return change


def left_before_cancelled(order: Order) -> bool:
    """Whether a person is told that units had left before their cancellation was known.

    A worker that is killed keeps a cancellation from the others for a while, and its order overtakes it.
    """
    return any(known.code in _TOO_LATE for known in order.exceptions)


def _kept_units(order: Order) -> int:
    return sum(line.ordered - line.cancelled for line in order.lines)


def _returns_off(books: Books, returned: Counter[str]) -> int:
    """Returns that are not disposed of, missing, or one too many."""
    disposed = Counter(one.order_id for one in books.returns if one.state is ReturnState.DISPOSED)
    ours = Counter({name: disposed[name] for name in returned})
    return sum(map(abs, _difference(ours, returned).values()))


def _refund_off(order: Order, books: Books) -> int:
    """Minor units due beyond or below what came back or was cancelled: all orders are paid in whole."""
    due = sum(refund.amount for refund in books.refunds if refund.order_id == order.order_id)
    back = {line.line_id: line.returned for line in order.lines}
    unreturned = replace(order, lines=tuple(replace(line, returned=0) for line in order.lines))
    expected = sum(line.amount for line in worth(unreturned, back))
    return abs(due - expected - (order.total - kept_total(order)))


def _difference[K](one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) - other.get(key, 0) for key in one.keys() | other.keys()}
