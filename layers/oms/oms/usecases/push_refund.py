"""Push refunds: have the channel that took the money give back what is due.

Only of channels that are configured to, as money that is given back twice does not come again: whoever else
may listen to `refund.due` has to leave these alone. Ours stays due until the channel says that it has.
"""

from collections.abc import Callable

from oms.channels.publishing import Repayment
from oms.inventory.network import Network
from oms.orders.model import Order
from oms.payments.refunds import Refund, RefundState
from oms.store import keys, queries
from oms.store.returns import decode_refund
from oms.store.table import Table


def find_repayment(
    table: Table, network: Callable[[str], Network], order_id: str, refund_id: str
) -> tuple[str, str, Repayment] | None:
    """What the channel of an order is to give back.

    Args:
        table: the store.
        network: the channels as configured, that of an id among them.
        order_id: ours.
        refund_id: the refund's id within the order.

    Returns:
        The channel, its kind and the money; None when it is not due any more, when it follows from what the
        channel itself has cancelled, or the channel is not asked to give money back.
    """
    found = queries.order_with_body(table, order_id)
    item = table.get(keys.refund(order_id, refund_id))
    if found is None or item is None:
        return None
    (order, body), refund = found, decode_refund(item)
    channel = network(order.channel).channels.get(order.channel)
    due = refund.state is RefundState.DUE and not _of_channel(order, refund)
    if channel is None or not channel.gives_refunds or not due:
        return None
    paid_in = body.presentment_currency
    repayment = Repayment(body.channel_order_id, refund.public_id, refund.amount, refund.currency, paid_in)
    return channel.id, channel.kind, repayment


def _of_channel(order: Order, refund: Refund) -> bool:
    """Whether a refund is for what the channel has cancelled: it has the money, and knows."""
    versions = [entry.v for entry in order.journal if "channel" in entry.data]
    return refund.return_id is None and refund.id in {f"cancel.{v}" for v in versions}
