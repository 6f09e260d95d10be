"""Release an order: hand its allocated units to their locations as fulfillment orders."""

from datetime import datetime

from oms.fulfillment.model import FulfillmentOrder
from oms.fulfillment.release import release
from oms.inventory.network import Network
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.orders import decode_body, decode_order, encode_order
from oms.store.table import Table
from oms.store.writes import create, replace
from oms.usecases.races import settle


def release_order(
    table: Table, network: Network, order_id: str, now: datetime
) -> tuple[FulfillmentOrder, ...]:
    """Release what is allocated and not held; a repeated call finds nothing left to release.

    Args:
        table: the store.
        network: names each location's connector.
        order_id: which order.
        now: UTC.

    Returns:
        The fulfillment orders that this call has made.

    Raises:
        Problem: there is no such order.
        Busy: the order kept changing; hand the message back to its queue.
    """
    return settle(lambda: _release(table, network, order_id, now), f"release of order {order_id}")


def _release(table: Table, network: Network, order_id: str, now: datetime) -> tuple[FulfillmentOrder, ...]:
    header = table.get(keys.header(order_id))
    body = table.get(keys.body(order_id))
    if header is None or body is None:
        raise Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order_id")
    order = decode_order(header)
    released, fulfillment_orders = release(order, decode_body(body), network, now)
    if fulfillment_orders:
        creates = (
            create(keys.fulfillment_order(order_id, work.id), encode_fulfillment_order(work))
            for work in fulfillment_orders
        )
        table.commit(replace(keys.header(order_id), encode_order(released), order.v), *creates)
    return fulfillment_orders
