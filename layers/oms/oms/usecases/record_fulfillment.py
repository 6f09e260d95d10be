"""Record what a location or carrier reports about a fulfillment order, from accepted to delivered."""

from collections.abc import Mapping
from datetime import datetime

from oms.fulfillment.elsewhere import explained, is_conflicting
from oms.fulfillment.events import FactKind, FulfillmentFact
from oms.fulfillment.model import FulfillmentOrder, Shipment
from oms.fulfillment.progress import (
    REACHED,
    Shipping,
    advance,
    date,
    deliver,
    overtaken,
    record_deliveries,
    ship,
    skus_shipped,
)
from oms.fulfillment.recall import ANSWERS, answer
from oms.orders.model import Order
from oms.payments.refunds import Refund
from oms.problems import Code, Problem
from oms.store import keys, queries
from oms.store.fulfillment import decode_told, encode_fulfillment_order, encode_shipment, encode_told
from oms.store.orders import encode_order
from oms.store.placements import reclaim_writes
from oms.store.returns import encode_refund, read_refunds
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move
from oms.store.writes import replace as replace_item
from oms.usecases.races import settle
from oms.values import frozen, replace


@frozen
class Recorded:
    """What a fact has changed; a repeated fact changes nothing.

    `cancelled` and `reopened` are units that a location has given up, by what becomes of them, `rejected`
    those that it does not ship; `exceptions` the codes of those opened.
    """

    accepted: bool = False
    shipped: int = 0
    delivered: int = 0
    cancelled: int = 0
    reopened: int = 0
    rejected: int = 0
    refund: Refund | None = None
    exceptions: tuple[str, ...] = ()


def record_fulfillment(table: Table, fact: FulfillmentFact, now: datetime) -> Recorded:
    """Record a fact, once, in whatever order facts arrive.

    A delivery of packages that nobody has reported as shipped records the shipment first, dated as it arrived
    until somebody says when it left; one that names no package means all parcels of the fulfillment order.

    Args:
        table: the store.
        fact: the message.
        now: UTC.

    Returns:
        What has changed.

    Raises:
        Problem: there is no such fulfillment order; nothing is known of what was delivered (the message is
            worth another try: its shipment may be on the way); or a location gives up what nobody asked for.
        Busy: somebody else kept writing; hand the message back to its queue.
    """
    what = f"message {fact.message_id}"
    if fact.kind in REACHED:
        return settle(lambda: _advance(table, fact, now), what)
    if fact.kind in ANSWERS:
        return settle(lambda: _answer(table, fact, now), what)
    recorded = settle(lambda: _ship(table, fact, now), what)
    if fact.kind is FactKind.SHIPPED:
        return recorded
    return replace(recorded, delivered=settle(lambda: _deliver(table, fact, now), what))


def _advance(table: Table, fact: FulfillmentFact, now: datetime) -> Recorded:
    work = _fulfillment_order(table, fact)
    moved = advance(work, fact.kind, now)
    if moved is work:
        return Recorded()
    key = keys.fulfillment_order(work.order_id, work.id)
    table.commit(replace_item(key, encode_fulfillment_order(moved), work.v))
    return Recorded(accepted=fact.kind is FactKind.ACCEPTED)


def _answer(table: Table, fact: FulfillmentFact, now: datetime) -> Recorded:
    order = queries.known_order(table, fact.order_id)
    work = _fulfillment_order(table, fact)
    refunds = read_refunds(table, order.order_id, consistent=True) if order.captured else {}
    answered = answer(order, work, refunds.values(), fact, now)
    if answered is None:
        return Recorded()
    refund, change = answered.refund, answered.change
    why = Why(answered.reason, work.public_id, "fulfillment", now)
    after = answered.fulfillment_order
    table.commit(
        replace_item(
            keys.fulfillment_order(order.order_id, work.id), encode_fulfillment_order(after), work.v
        ),
        *(reclaim_writes(order, change, why) if change.order is not order else ()),
        *([create(keys.refund(order.order_id, refund.id), encode_refund(refund))] if refund else []),
    )
    opened = change.order.exceptions[len(order.exceptions) :]
    return Recorded(
        cancelled=answered.cancelled,
        reopened=answered.reopened,
        refund=refund,
        exceptions=tuple(exception.code for exception in opened),
    )


def _ship(table: Table, fact: FulfillmentFact, now: datetime) -> Recorded:
    known = _shipments(table, fact.order_id)
    for shipment in _named(known, fact) if fact.kind is FactKind.SHIPPED else ():
        if overtaken(shipment, fact):
            _date(table, shipment, fact, now)
    if known.keys() >= {f"{fact.fulfillment_order}.{package.package_id}" for package in fact.packages}:
        return Recorded()
    work = _fulfillment_order(table, fact)
    order = queries.known_order(table, fact.order_id)
    positions = {sku: read_position(table, sku, work.location) for sku in sorted(skus_shipped(work, fact))}
    shipping = ship(order, work, known, positions, fact, now)
    if shipping is None:
        return Recorded()
    why = Why("shipped", work.public_id, "fulfillment", now, fact.occurred_at)
    after, told = _explained(table, shipping)
    table.commit(
        replace_item(keys.header(order.order_id), encode_order(after), order.v),
        *told,
        replace_item(
            keys.fulfillment_order(order.order_id, work.id),
            encode_fulfillment_order(shipping.fulfillment_order),
            work.v,
        ),
        *(
            create(keys.shipment(order.order_id, shipment.id), encode_shipment(shipment))
            for shipment in shipping.shipments
        ),
        *(
            move(sku, location, delta, why, seen=positions[sku])
            for (sku, location), delta in sorted(shipping.deltas.items())
        ),
    )
    opened = shipping.order.exceptions[len(order.exceptions) :]
    return Recorded(shipped=len(shipping.shipments), exceptions=tuple(exception.code for exception in opened))


def _explained(table: Table, shipping: Shipping) -> tuple[Order, list[Write]]:
    """The order after what was shipped, which may explain what its channel had said before."""
    order = shipping.order
    found = queries.order_with_body(table, order.order_id) if is_conflicting(order) else None
    if found is None:
        return order, []
    items = table.query(keys.order(order.order_id), keys.TOLD, consistent=True)
    after, changed = explained(order, found[1], map(decode_told, items), shipping.shipments)
    written = [
        replace_item(keys.told(order.order_id, one.fulfillment_id), encode_told(one), one.v - 1)
        for one in changed
    ]
    return after, written


def _date(table: Table, shipment: Shipment, fact: FulfillmentFact, now: datetime) -> None:
    """Take down when a parcel left that was known only to have arrived."""
    skus = {line.sku for line in shipment.lines}
    positions = {sku: read_position(table, sku, shipment.location) for sku in sorted(skus)}
    dated = date(shipment, positions, fact, now)
    work = f"{shipment.order_id}-{shipment.fulfillment_order}"
    why = Why("shipped", work, "fulfillment", now, fact.occurred_at)
    table.commit(
        replace_item(
            keys.shipment(shipment.order_id, shipment.id), encode_shipment(dated.shipment), shipment.v
        ),
        *(
            move(sku, location, delta, replace(why, redated=dated.redated[sku]), seen=positions[sku])
            for (sku, location), delta in sorted(dated.deltas.items())
        ),
    )


def _named(known: Mapping[str, Shipment], fact: FulfillmentFact) -> list[Shipment]:
    names = (f"{fact.fulfillment_order}.{package.package_id}" for package in fact.packages)
    return [known[name] for name in names if name in known]


def _deliver(table: Table, fact: FulfillmentFact, now: datetime) -> int:
    """Mark the parcels first, then count them on the order: the repetition mends a crash in between.

    The header is read before the parcels: of two deliveries at a time that have not seen each other's mark,
    one then loses the race for it, and counts both.
    """
    order = queries.known_order(table, fact.order_id)
    shipments = _shipments(table, fact.order_id)
    named = {f"{fact.fulfillment_order}.{package.package_id}" for package in fact.packages}
    parcels = named or {
        name for name, shipment in shipments.items() if shipment.fulfillment_order == fact.fulfillment_order
    }
    if not parcels:
        raise Problem(Code.STATE_REFUSED, "nothing has been shipped, and no package is named", "packages")
    if not named <= shipments.keys():
        unknown = ", ".join(sorted(named - shipments.keys()))
        raise Problem(
            Code.NOT_FOUND, f"nobody has shipped {unknown}, and nothing is left to ship", "packages"
        )
    delivered = 0
    for name in sorted(parcels):
        arrived = deliver(shipments[name], fact, now)
        if arrived is not shipments[name]:
            key = keys.shipment(fact.order_id, name)
            table.commit(replace_item(key, encode_shipment(arrived), shipments[name].v))
            shipments[name] = arrived
            delivered += 1
    counted = record_deliveries(order, shipments, now)
    if counted is not order:
        table.commit(replace_item(keys.header(order.order_id), encode_order(counted), order.v))
    return delivered


def _fulfillment_order(table: Table, fact: FulfillmentFact) -> FulfillmentOrder:
    work = queries.fulfillment_order(table, fact.order_id, fact.fulfillment_order)
    if work is None:
        name = f"{fact.order_id}-{fact.fulfillment_order}"
        raise Problem(Code.NOT_FOUND, f"fulfillment order {name} is not there", "fulfillment_order")
    return work


def _shipments(table: Table, order_id: str) -> dict[str, Shipment]:
    return {shipment.id: shipment for shipment in queries.shipments(table, order_id)}
