"""Release an order: hand its allocated units to their locations as fulfillment orders."""

from datetime import datetime

from oms.fulfillment.feeding import feed
from oms.fulfillment.model import FulfillmentOrder
from oms.fulfillment.release import release
from oms.inventory.network import Network
from oms.orders.model import Order, OrderBody, Stage
from oms.orders.work import releasable
from oms.problems import Code, Problem
from oms.sourcing.calendar import order_by
from oms.sourcing.load import day_of, full
from oms.store import keys
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.loads import read_loads
from oms.store.orders import decode_body, decode_order, encode_order
from oms.store.table import Table
from oms.store.transfers import encode_transfer
from oms.store.writes import create, replace
from oms.usecases.races import settle


def release_order(
    table: Table, network: Network, order_id: str, now: datetime
) -> tuple[FulfillmentOrder, ...]:
    """Release what is allocated and not held; a repeated call finds nothing left to release.

    What a customer will come for and another location has is brought to his store first, by a transfer.
    What a location with enough work for its day has allocated waits there for its next working day: it was
    chosen because it serves the order best, and whoever plans the backlog again may still move it.

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
    made = None
    while made is None:
        made = settle(lambda: _release(table, network, order_id, now), f"release of order {order_id}")
    return made


def _release(
    table: Table, network: Network, order_id: str, now: datetime
) -> tuple[FulfillmentOrder, ...] | None:
    """One transaction: of a transfer to the order's store, then None as more may follow; or of its work."""
    header = table.get(keys.header(order_id))
    body = table.get(keys.body(order_id))
    if header is None or body is None:
        raise Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order_id")
    order = decode_order(header)
    shown = decode_body(body)
    fed = feed(order, shown, network, now)
    if fed:
        aside, transfer = fed
        table.commit(
            replace(keys.header(order_id), encode_order(aside), order.v),
            create(keys.transfer(transfer.id), encode_transfer(transfer)),
        )
        return None
    full = _full(table, network, order, shown, now) if releasable(order) else {}
    released, fulfillment_orders = release(order, shown, network, now, full)
    if released is not order:
        creates = (
            create(keys.fulfillment_order(order_id, work.id), encode_fulfillment_order(work))
            for work in fulfillment_orders
        )
        table.commit(replace(keys.header(order_id), encode_order(released), order.v), *creates)
    return fulfillment_orders


def _full(
    table: Table, network: Network, order: Order, body: OrderBody, now: datetime
) -> dict[tuple[str, str | None], datetime]:
    """Until when locations have enough work for what they have of an order, by location and delivery."""
    days: dict[tuple[str, str | None], str] = {}
    for line in order.lines:
        service = body.services.get(line.delivery_id or "")
        for entry in line.entries:
            location = network.locations.get(entry.location)
            if entry.stage is Stage.ALLOCATED and location and location.capacity:
                days[entry.location, line.delivery_id] = day_of(location.calendar, service, now)
    loads = read_loads(table, sorted({(name, day) for (name, _), day in days.items()}), consistent=True)
    return {
        (name, delivery): order_by(network.locations[name].calendar, body.services.get(delivery or ""), now)
        for (name, delivery), day in days.items()
        if full(network.locations[name].capacity, {day: loads[name, day]}, day)
    }
