"""Expire an unpaid order: it is cancelled when nobody has paid by the time that its channel gives."""

from datetime import datetime

from oms.inventory.network import Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.work import unpaid
from oms.store.queries import known_order
from oms.store.table import Table
from oms.usecases.cancel_order import Cancelled, cancellation
from oms.usecases.races import settle


def expire_unpaid(table: Table, network: Network, name: str, now: datetime) -> Cancelled | None:
    """Cancel an order whose time to pay is over.

    A payment at the same moment wins: it changes the order's version, and the next look finds it paid.

    Args:
        table: the store.
        network: channels, pools and locations.
        name: id of the order.
        now: UTC.

    Returns:
        What was cancelled; None when somebody has paid, or there is time left.

    Raises:
        Problem: there is no such order.
        Busy: the order kept changing; hand the message back to its queue.
    """

    def attempt() -> Cancelled | None:
        order = known_order(table, name)
        if not unpaid(order) or order.pays_until is None or now < order.pays_until:
            return None
        wish = CancelRequest(CancelReason.EXPIRED)
        result, writes = cancellation(table, network, order, order, wish, now)
        table.commit(*writes)
        return result

    return settle(attempt, f"the expiry of order {name}")
