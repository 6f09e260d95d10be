"""When units that wait are expected: told when they begin to, and anew when what is announced changes.

Nothing ties announced units to an order. There is one queue, the oldest promise first, and whatever comes is
given out along it: so a date is where an order stands in the queue, and how much is announced before.
"""

from datetime import datetime

from oms.inventory.availability import all_free, covered_at, seen_at
from oms.inventory.model import Demand, Stock
from oms.inventory.network import Network
from oms.inventory.safety import safety_at
from oms.orders.commands import Method
from oms.orders.model import Order, OrderLine
from oms.sourcing.deliveries import capable
from oms.values import replace


def sources(
    order: Order, line: OrderLine, pool: str, network: Network, stock: Stock
) -> tuple[list[str], dict[str, int]]:
    """From where waiting units of a line can come, with the safety stock there."""
    sellable = network.sellable(pool)
    delivery = order.delivery(line.delivery_id)
    method = delivery.method if delivery else Method.SHIP
    at = delivery.location if delivery and method is Method.PICKUP else None
    locations = [name for name in capable(sellable, stock) if at in (None, name)]
    return locations, safety_at(stock.sku, sellable.values(), method)


def expect(order: Order, sku: str, network: Network, stock: Stock, before: int, now: datetime) -> Order:
    """The order with the dates at which its waiting units of a sku are expected as things stand now.

    Units that can be had already are about to be given out: what was told of them stays.

    Args:
        order: whose.
        sku: which.
        network: pools and locations.
        stock: of the sku, as stored.
        before: units that wait for it in older orders.
        now: UTC.

    Returns:
        The order at its next version; the same order if no date changes.
    """
    changed: dict[str, OrderLine] = {}
    told: list[list[object]] = []
    for line in order.lines:
        units = 0 if line.pending or line.sku != sku else line.open + line.backordered
        if not units or order.pool is None:
            continue
        locations, safety = sources(order, line, order.pool, network, stock)
        then = seen_at(stock, now)
        spare = max(0, all_free(then, locations, safety) - before)
        counted = then.sku is not None and then.sku.tracked
        if counted and spare < units:
            queue = replace(stock, demands=(Demand(sku, order.pool, waiting=before),))
            expected = covered_at(queue, locations, safety, units - spare, now)
            if expected != line.expected_at:
                changed[line.line_id] = replace(line, expected_at=expected)
                told.append([line.line_id, _text(expected), _text(line.expected_at)])
        before += units
    if not changed:
        return order
    return order.with_lines(changed).written(now, "expected", data={"expected": told})


def _text(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""
