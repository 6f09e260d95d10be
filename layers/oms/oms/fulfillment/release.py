"""Release: allocated units become work for their locations."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from oms.fulfillment.consolidation import consolidation_id
from oms.fulfillment.model import FulfillmentOrder, FulfillmentState, RequestLine
from oms.inventory.network import Network
from oms.orders.commands import Method
from oms.orders.model import Entry, Order, OrderBody, OrderLine, Stage
from oms.orders.work import releasable
from oms.sourcing.calendar import Calendar
from oms.sourcing.load import day_of
from oms.values import replace

ACCEPT_WITHIN = timedelta(hours=4)
"""How long a location has to accept a fulfillment order before it counts as late."""


def release(
    order: Order,
    body: OrderBody,
    network: Network,
    now: datetime,
    full: Mapping[tuple[str, str | None], datetime] | None = None,
) -> tuple[Order, tuple[FulfillmentOrder, ...]]:
    """Hand every allocated unit of an order to its location: one fulfillment order per location and delivery.

    A held order, or one with nothing allocated, is returned unchanged with no fulfillment orders, so that a
    repeated release changes nothing.

    Args:
        order: the header.
        body: has the addresses.
        network: names each location's connector.
        now: UTC.
        full: until when locations have enough work, by location and delivery: what is allocated there stays,
            and the order is due again when the first of them begins another day.
    """
    if not releasable(order):
        return order, ()
    waiting = dict(full or {})
    groups: dict[tuple[str, str | None], str] = {}
    requested: dict[str, dict[str, RequestLine]] = {}
    changed: dict[str, OrderLine] = {}
    for line in order.lines:
        entries: list[Entry] = []
        for entry in line.entries:
            if entry.stage is not Stage.ALLOCATED:
                entries.append(entry)
                continue
            place = (entry.location, line.delivery_id)
            if place in waiting:
                entries.append(entry)
                continue
            name = groups.setdefault(place, f"{order.v + 1}-{len(groups) + 1}")
            lines = requested.setdefault(name, {})
            already = lines[line.line_id].requested if line.line_id in lines else 0
            lines[line.line_id] = RequestLine(line.line_id, line.sku or "", already + entry.units)
            entries.append(replace(entry, stage=Stage.IN_FULFILLMENT, fulfillment_order=name))
        changed[line.line_id] = replace(line, entries=tuple(entries))
    fulfillment_orders = tuple(
        _fulfillment_order(order, body, network, name, place, tuple(requested[name].values()), now)
        for place, name in groups.items()
    )
    again = min(waiting.values(), default=now)
    if not groups:
        return order if order.due_at == again else replace(order, due_at=again).written(now), ()
    released = replace(order.with_lines(changed), due_at=again)
    return released.written(
        now, "released", data={"fulfillment_orders": list(groups.values())}
    ), fulfillment_orders


def _fulfillment_order(
    order: Order,
    body: OrderBody,
    network: Network,
    name: str,
    place: tuple[str, str | None],
    lines: tuple[RequestLine, ...],
    now: datetime,
) -> FulfillmentOrder:
    location_id, delivery_id = place
    delivery = order.delivery(delivery_id)
    location = network.locations.get(location_id)
    method = delivery.method if delivery else Method.SHIP
    service, ship_to = body.services.get(delivery_id or ""), body.ship_to.get(delivery_id or "")
    day = day_of(location.calendar if location else Calendar(), service, now)
    return FulfillmentOrder(
        order_id=order.order_id,
        id=name,
        channel=order.channel,
        order_number=order.order_number,
        location=location_id,
        connector=location.connector if location else None,
        delivery_id=delivery_id or "",
        method=method,
        service=service,
        ship_to=ship_to,
        state=FulfillmentState.RELEASED,
        lines=lines,
        due_at=now + ACCEPT_WITHIN,
        consolidation_id=consolidation_id(order, method, service, ship_to, location_id, day),
    ).written(now, "released")
