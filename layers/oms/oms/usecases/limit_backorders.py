"""Limit backorders and pre-orders: how many units of a sku may wait in a pool."""

from oms.inventory.model import Demand
from oms.inventory.network import Network
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.stock import decode_demand
from oms.store.table import Table
from oms.store.writes import limit


def limit_backorders(
    table: Table, network: Network, sku: str, pool: str, most: int | None, preorders: int | None = 0
) -> Demand:
    """Set the limits; what waits already stays, also beyond a lower limit.

    Args:
        table: the store.
        network: knows the pools.
        sku: of which.
        pool: where.
        most: units that may wait once the sku has been released; None for any number.
        preorders: units that may wait before; None for any number.

    Returns:
        The demand as it stands.

    Raises:
        Problem: the pool is not configured.
    """
    if pool not in network.pools:
        raise Problem(Code.NOT_FOUND, f"pool {pool} is not configured", "pool")
    table.commit(limit(sku, pool, most, preorders))
    item = table.get(keys.demand(sku, pool))
    assert item is not None, "demands are never deleted"
    return decode_demand(item)
