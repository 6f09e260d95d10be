"""Push cancellations: what the channel of an order is told of units that we have cancelled.

What is told is read when it is told, as what is left; so it does not matter how often and in what order it
is told, nor that the channel reports it back.
"""

from collections.abc import Callable

from oms.channels.publishing import KINDS, Cancelled
from oms.inventory.network import Network
from oms.orders.editing import kept_by_us
from oms.store import queries
from oms.store.table import Table


def find_cancelled(
    table: Table, network: Callable[[str], Network], order_id: str
) -> tuple[str, str, Cancelled] | None:
    """What the channel of an order is to be told.

    Args:
        table: the store.
        network: the channels as configured, that of an id among them.
        order_id: ours.

    Returns:
        The channel, its kind and what is left; None when the channel is told of nothing, the order is not
        there, or the channel has cancelled whatever is cancelled.
    """
    found = queries.order_with_body(table, order_id)
    if found is None:
        return None
    order, body = found
    channel = network(order.channel).channels.get(order.channel)
    kept = kept_by_us(order, body)
    if channel is None or channel.kind not in KINDS or not kept:
        return None
    whole = all(line.cancelled == line.ordered for line in order.lines)
    return channel.id, channel.kind, Cancelled(body.channel_order_id, whole, kept)
