"""Feeding: what a customer will come for is brought to his store, by a transfer that belongs to his order."""

from datetime import UTC, datetime, time

from oms.inventory.network import Location, Network
from oms.inventory.transfers import OrderLineName, Transfer, TransferLine, TransferState
from oms.orders.commands import Method
from oms.orders.model import Order, OrderBody, OrderLine, Stage
from oms.orders.transferring import set_aside
from oms.orders.work import releasable
from oms.sourcing.calendar import arrives, hands_over, zone
from oms.sourcing.candidates import point_of
from oms.sourcing.places import distance_km

MOST_LINES = 16
"""Lines of one transfer: what its receipt writes for each fits into a transaction."""

_AT_STORE = (Method.PICKUP, Method.SHIP_TO_STORE)


def feed(order: Order, body: OrderBody, network: Network, now: datetime) -> tuple[Order, Transfer] | None:
    """Set aside, for a transfer to the store of a delivery, what is allocated for it at another location.

    From one location, for one delivery, and up to `MOST_LINES` lines: it is asked again until nothing is
    left. The units stay in their entries all the way, so that nobody else gets them; when they have come in,
    they are allocated at the store and released there.

    Args:
        order: the header.
        body: has the services.
        network: stores and their feeders.
        now: UTC.

    Returns:
        The order and the transfer, which is ready; None when nothing has to be brought, or the order is held.
    """
    if not releasable(order):
        return None
    for line in order.lines:
        store = _store(order, line, network)
        for entry in line.entries if store else ():
            source = network.locations.get(entry.location)
            if store and source and source.id != store.id and entry.stage is Stage.ALLOCATED:
                return _bring(order, body, line.delivery_id, source, store, network, now)
    return None


def _store(order: Order, line: OrderLine, network: Network) -> Location | None:
    """Our store where the customer comes for a line; None when it goes to him, or is not counted."""
    delivery = order.delivery(line.delivery_id)
    if delivery is None or delivery.method not in _AT_STORE or not line.touches_stock:
        return None
    channel = network.channels.get(order.channel)
    name = delivery.location or ""
    return network.locations.get(channel.locations.get(name, name) if channel else name)


def _bring(
    order: Order,
    body: OrderBody,
    delivery_id: str | None,
    source: Location,
    store: Location,
    network: Network,
    now: datetime,
) -> tuple[Order, Transfer]:
    after, lines = order, list[TransferLine]()
    for line in order.lines:
        there = [
            entry.units
            for entry in line.entries
            if entry.stage is Stage.ALLOCATED and entry.location == source.id
        ]
        if there and line.delivery_id == delivery_id and line.touches_stock and len(lines) < MOST_LINES:
            sku, units = line.sku or "", sum(there)
            after = set_aside(after, line.line_id, sku, source.id, units)
            owner = OrderLineName(order.order_id, line.line_id)
            lines.append(TransferLine(str(len(lines) + 1), sku, units, owner))
    transfer = Transfer(
        id=f"{order.order_id}-{order.v + 1}",
        source=source.id,
        target=store.id,
        due=_due(body.services.get(delivery_id or ""), source, store, network, now),
        lines=tuple(lines),
        state=TransferState.READY,
    )
    return (
        after.written(now, "transferred", data={"transfer": transfer.id}),
        transfer.written(now, "planned", "ready"),
    )


def _due(service: str | None, source: Location, store: Location, network: Network, now: datetime) -> datetime:
    """When what leaves now should be at the store, UTC: by the end of the day that sourcing reckons with."""
    way = network.profile.service(service)
    km = round(distance_km(point_of(source), point_of(store)))
    day = arrives(hands_over(source.calendar, service, now), way.transit_days(km), way.days)
    end = datetime.combine(day, time.max, zone(store.calendar.time_zone))
    return end.astimezone(UTC).replace(microsecond=0)
