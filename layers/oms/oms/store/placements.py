"""What storing placed orders writes: each order's own items, and the stock that they all take from."""

from collections.abc import Iterable

from oms.inventory.model import Deltas, DemandChange, add
from oms.inventory.network import Network
from oms.orders.claims import Reclaimed, awaited
from oms.orders.model import Order
from oms.orders.placing import Placement
from oms.store import keys
from oms.store.orders import backorder_item, encode_body, encode_order
from oms.store.writes import Why, Write, create, move, put, remove, replace, wait


def order_writes(placement: Placement) -> list[Write]:
    """The order's header, its body, and what it waits for; none of it may be there yet."""
    order = placement.order
    return [
        create(keys.header(order.order_id), encode_order(order)),
        create(keys.body(order.order_id), encode_body(order, placement.body)),
        *waiting_writes(None, order),
    ]


def reclaim_writes(before: Order, change: Reclaimed, network: Network, why: Why) -> list[Write]:
    """An order's header over the one it was made from, what it waits for, and the stock that this changes."""
    order = change.order
    return [
        replace(keys.header(order.order_id), encode_order(order), before.v),
        *waiting_writes(before, order),
        *stock_writes([change], network, why),
    ]


def waiting_writes(before: Order | None, after: Order) -> list[Write]:
    """The rows by which an order is found under each sku that it waits for, where they have changed.

    They carry no conditions: whoever writes them writes the order's header too, and that one's holds.
    """
    old, new = (_waiting(order) if order else {} for order in (before, after))
    return [
        *(
            put(keys.backorder(after.order_id, sku), backorder_item(after, sku, units, after.placed_at))
            for sku, units in new.items()
            if old.get(sku) != units
        ),
        *(remove(keys.backorder(after.order_id, sku)) for sku in old if sku not in new),
    ]


def _waiting(order: Order) -> dict[str, int]:
    return {sku: units for (sku, _), units in awaited(order).items()}


def stock_writes(changes: Iterable[Placement | Reclaimed], network: Network, why: Why) -> list[Write]:
    """One update of every position and every demand, summed over the changes, in their order."""
    deltas: Deltas = {}
    demands: dict[tuple[str, str], DemandChange] = {}
    for made in changes:
        for (sku, location), delta in made.deltas.items():
            add(deltas, sku, location, delta)
        for change in made.demands:
            key = (change.sku, change.pool)
            demands[key] = demands[key] + change if key in demands else change
    return [
        *(
            move(sku, name, delta, why, safety_stock=_safety_stock(network, name))
            for (sku, name), delta in sorted(deltas.items())
        ),
        *(wait(change) for change in demands.values()),
    ]


def _safety_stock(network: Network, name: str) -> int:
    location = network.locations.get(name)
    return location.safety_stock if location else 0
