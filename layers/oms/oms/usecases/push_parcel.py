"""Push parcels: what the channel of an order is told of a parcel that has left."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from oms.channels.publishing import KINDS, Parcel
from oms.fulfillment.elsewhere import BY_CHANNEL
from oms.fulfillment.model import Shipment
from oms.inventory.network import Network
from oms.orders.commands import LineKind
from oms.orders.model import Order
from oms.store import keys, queries
from oms.store.fulfillment import decode_shipment
from oms.store.stock import read_skus
from oms.store.table import Table


def find_parcel(
    table: Table, network: Callable[[str], Network], order_id: str, shipment: str
) -> tuple[str, str, Parcel] | None:
    """A parcel as its channel is told of it.

    Args:
        table: the store.
        network: the channels as configured, that of an id among them.
        order_id: ours.
        shipment: the parcel's id within the order.

    Returns:
        The channel, its kind and the parcel; None when the channel is not told of parcels, or the order has
        no such parcel or nothing in it that the channel knows.
    """
    found = queries.order_with_body(table, order_id)
    item = table.get(keys.shipment(order_id, shipment))
    if found is None or item is None:
        return None
    order, body = found
    channel = network(order.channel).channels.get(order.channel)
    if channel is None or channel.kind not in KINDS:
        return None
    parcel = decode_shipment(item)
    if parcel.fulfillment_order == BY_CHANNEL:
        return None
    scales = {sku.sku: sku.scale for sku in read_skus(table, (line.sku for line in parcel.lines)).values()}
    theirs = {line.line_id: line.channel_line_id for line in body.lines}
    lines: Counter[str] = Counter()
    for line in parcel.lines:
        if line.line_id in theirs:
            lines[theirs[line.line_id]] += max(1, line.units // scales.get(line.sku, 1))
    if not lines:
        return None
    told = Parcel(
        order_id=body.channel_order_id,
        key=parcel.public_id,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        shipped_at=_shipped_at(parcel),
        lines=lines,
        completes=_nothing_left(order),
    )
    return channel.id, channel.kind, told


def _shipped_at(parcel: Shipment) -> datetime:
    told = (entry.data["occurred_at"] for entry in parcel.journal if "shipped" in entry.kinds)
    return next((datetime.fromisoformat(str(moment)) for moment in told), parcel.state_at)


def _nothing_left(order: Order) -> bool:
    ours = (line for line in order.lines if line.kind is LineKind.PHYSICAL)
    return not any(line.open or line.backordered or line.entries for line in ours)
