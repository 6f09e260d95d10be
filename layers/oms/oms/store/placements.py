"""What storing placed orders writes: each order's own items, and the stock that they all take from."""

from collections import Counter
from collections.abc import Iterable

from oms.inventory.model import Deltas, DemandChange, Reserved, add
from oms.orders.claims import Reclaimed, sought
from oms.orders.model import Order
from oms.orders.placing import Placement
from oms.store import keys
from oms.store.decisions import decision_writes
from oms.store.orders import backorder_item, encode_body, encode_order
from oms.store.payments import encode_payment
from oms.store.reservations import encode_reservation, end
from oms.store.returns import encode_refund, encode_return
from oms.store.stubs import absorb
from oms.store.writes import Why, Write, create, move, put, remove, replace, wait


def order_writes(placement: Placement) -> list[Write]:
    """The order's header, its body, and what it waits for; none of it may be there yet, but for a stub.

    With them the reservation that has become this order, over the version that was seen.
    """
    order, cart, payments = placement.order, placement.reservation, placement.payments
    refunds = placement.refunds or ([placement.refund] if placement.refund else [])
    back = placement.returned
    header, item = keys.header(order.order_id), encode_order(order)
    return [
        absorb(header, item, placement.absorbed) if placement.absorbed else create(header, item),
        create(keys.body(order.order_id), encode_body(order, placement.body)),
        *waiting_writes(None, order),
        *(create(keys.refund(order.order_id, one.id), encode_refund(one)) for one in refunds),
        *(put(keys.payment(order.order_id, paid.payment_id), encode_payment(paid)) for paid in payments),
        *([create(keys.return_(order.order_id, back.id), encode_return(back))] if back else ()),
        *([replace(keys.reservation(cart.id), encode_reservation(cart), cart.v - 1)] if cart else ()),
    ]


def reclaim_writes(before: Order, change: Reclaimed, why: Why) -> list[Write]:
    """An order's header over the one it was made from, what it waits for, and the stock that this changes.

    With them why units come from where they come from, if that was decided.
    """
    order = change.order
    return [
        replace(keys.header(order.order_id), encode_order(order), before.v),
        *waiting_writes(before, order),
        *decision_writes(order.order_id, order.v, change.decisions),
        *stock_writes([change], why),
    ]


def waiting_writes(before: Order | None, after: Order) -> list[Write]:
    """The rows by which an order is found under each sku that it waits for, where they have changed.

    It waits for stock, or for the catalogue to know the sku.

    They carry no conditions: whoever writes them writes the order's header too, and that one's holds.
    """
    old, new = sought(before) if before else Counter[str](), sought(after)
    return [
        *(
            put(keys.backorder(after.order_id, sku), backorder_item(after, sku, units, after.placed_at))
            for sku, units in new.items()
            if sku not in old or old[sku] != units
        ),
        *(remove(keys.backorder(after.order_id, sku)) for sku in old if sku not in new),
    ]


def stock_writes(changes: Iterable[Placement | Reclaimed], why: Why) -> list[Write]:
    """One update of every position and every demand, summed over the changes, in their order.

    Rows of reservations that end with them are removed.
    """
    deltas: Deltas = {}
    demands: dict[tuple[str, str], DemandChange] = {}
    rows: list[Reserved] = []
    for made in changes:
        rows += made.ended
        for (sku, location), delta in made.deltas.items():
            add(deltas, sku, location, delta)
        for change in made.demands:
            key = (change.sku, change.pool)
            demands[key] = demands[key] + change if key in demands else change
    return [
        *position_writes(deltas, rows, why),
        *(end(row) for row in rows),
        *(wait(change) for change in demands.values()),
    ]


def position_writes(deltas: Deltas, ended: Iterable[Reserved], why: Why) -> list[Write]:
    """One update of every position; rows of expired reservations that end with it have their units back."""
    expired = Counter[tuple[str, str]]()
    for row in ended:
        if row.expires_at <= why.at:
            expired[row.sku, row.location] += row.units
    return [
        move(sku, name, delta, why, ended=expired[sku, name]) for (sku, name), delta in sorted(deltas.items())
    ]
