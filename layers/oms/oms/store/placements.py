"""What storing placed orders writes: each order's own items, and the stock that they all take from."""

from collections.abc import Iterable

from oms.inventory.model import Deltas, add
from oms.inventory.network import Network
from oms.orders.placing import DemandChange, Placement
from oms.store import keys
from oms.store.orders import backorder_item, encode_body, encode_order
from oms.store.writes import Why, Write, create, move, wait


def order_writes(placement: Placement) -> list[Write]:
    """The order's header, its body, and what it waits for; none of it may be there yet."""
    order = placement.order
    waiting = [change for change in placement.demands if change.backordered]
    return [
        create(keys.header(order.order_id), encode_order(order)),
        create(keys.body(order.order_id), encode_body(order, placement.body)),
        *(
            create(
                keys.backorder(order.order_id, change.sku),
                backorder_item(order, change.sku, change.backordered, order.placed_at),
            )
            for change in waiting
        ),
    ]


def stock_writes(placements: Iterable[Placement], network: Network, why: Why) -> list[Write]:
    """One update of every position and every demand, summed over the placements, in their order."""
    deltas: Deltas = {}
    demands: dict[tuple[str, str], DemandChange] = {}
    for placement in placements:
        for (sku, location), delta in placement.deltas.items():
            add(deltas, sku, location, delta)
        for change in placement.demands:
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
