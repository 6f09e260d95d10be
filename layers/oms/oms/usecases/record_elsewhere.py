"""Record what a channel says of its fulfillments: units that have left without a word of our locations."""

from collections.abc import Mapping
from datetime import datetime

from oms.fulfillment.elsewhere import News, news
from oms.inventory.model import Delta, Position, add
from oms.inventory.network import Network
from oms.orders.claims import reclaimed
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.records import FulfillmentRecorded
from oms.problems import Code, Problem
from oms.store import keys, queries
from oms.store.fulfillment import decode_told, encode_shipment, encode_told
from oms.store.orders import encode_order
from oms.store.placements import waiting_writes
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move, replace, wait
from oms.usecases.races import settle
from oms.values import frozen


@frozen
class Recorded:
    """What a fulfillment has changed: units by line that count as shipped, codes of the exceptions opened.

    `known` is the parcel of ours that it is.
    """

    order: Order
    shipped: int = 0
    known: str | None = None
    exceptions: tuple[str, ...] = ()


def record_elsewhere(
    table: Table, network: Network, record: FulfillmentRecorded, now: datetime
) -> Recorded | None:
    """Record what a channel says of a fulfillment, once; parcels that we have told it of change nothing.

    Write units: 1 for what was said; when units have left elsewhere also 2 for the header, 2 for the parcel,
    2 for each position and demand, and the rows of what the order waits for.

    Args:
        table: the store.
        network: knows what the channel calls our locations.
        record: what it says.
        now: UTC.

    Returns:
        What has changed; None when it was known.

    Raises:
        Problem: `not_found`, there is no such order (it may come: worth another try).
        Busy: the order kept changing; hand the record back to its queue.
    """
    name = order_id(record.channel, record.channel_order_id)
    return settle(lambda: _record(table, network, name, record, now), f"a fulfillment of order {name}")


def _record(
    table: Table, network: Network, name: str, record: FulfillmentRecorded, now: datetime
) -> Recorded | None:
    found = queries.order_with_body(table, name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"order {name} is not there", "order_id")
    order, body = found
    told = {
        one.fulfillment_id: one
        for one in map(decode_told, table.query(keys.order(name), keys.TOLD, consistent=True))
    }
    channel = network.channels.get(record.channel)
    location = channel.locations.get(record.location or "") if channel else None
    skus = {line.sku for line in order.lines if line.sku and line.touches_stock} if location else set()
    positions = {sku: read_position(table, sku, location or "") for sku in sorted(skus)}
    changed = news(order, body, queries.shipments(table, name), told, positions, record, location, now)
    if changed is None:
        return None
    key, item = keys.told(name, record.fulfillment_id), encode_told(changed.told)
    seen = told.get(record.fulfillment_id)
    writes = [replace(key, item, seen.v) if seen else create(key, item)]
    if changed.order is not order:
        why = Why("left_elsewhere", name, "orders", now, record.occurred_at)
        writes += [
            replace(keys.header(name), encode_order(changed.order), order.v),
            *waiting_writes(order, changed.order),
            *_stock(order, changed, location, positions, why),
        ]
    if changed.shipment:
        writes.append(create(keys.shipment(name, changed.shipment.id), encode_shipment(changed.shipment)))
    table.commit(*writes)
    before = {(known.code, known.ref) for known in order.exceptions}
    return Recorded(
        changed.order,
        shipped=sum(line.shipped for line in changed.order.lines) - sum(line.shipped for line in order.lines),
        known=None if changed.shipment else changed.told.shipment,
        exceptions=tuple(
            known.code for known in changed.order.exceptions if (known.code, known.ref) not in before
        ),
    )


def _stock(
    order: Order, changed: News, location: str | None, positions: Mapping[str, Position], why: Why
) -> list[Write]:
    """What the order no longer claims is given back, and what has left a shelf of ours is there no more."""
    claims = reclaimed(order, changed.order)
    deltas = dict(claims.deltas)
    for (sku, place), delta in changed.on_hand.items():
        add(deltas, sku, place, delta)
    moves = [
        move(sku, place, delta, why, seen=positions[sku] if place == location else None)
        for (sku, place), delta in sorted(deltas.items())
        if delta != Delta()
    ]
    return [*moves, *(wait(change) for change in claims.demands)]
