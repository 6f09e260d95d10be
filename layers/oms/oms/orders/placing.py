"""Placing: from a canonical command and the stock seen to an order with sources, and what that changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from oms.inventory.availability import seen_at
from oms.inventory.model import Delta, Deltas, DemandChange, Position, Reserved, Stock, add
from oms.inventory.network import Channel, Network
from oms.inventory.reservations import Reservation, ending
from oms.orders.claims import promised
from oms.orders.commands import (
    Address,
    Delivery,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    PaymentState,
    PlaceOrder,
)
from oms.orders.identity import digest, order_id
from oms.orders.model import (
    BodyLine,
    Entry,
    Order,
    OrderBody,
    OrderDelivery,
    OrderLine,
    Stage,
)
from oms.sourcing.choose import Assignment
from oms.sourcing.deliveries import assignments_of, decide


@dataclass(frozen=True, slots=True)
class Placement:
    """A placed order with everything that must be written with it in one transaction.

    `ended` are the rows of reservations whose units it takes or gives back: expired ones that it needs, and
    those of `reservation`, the cart that has become this order.
    """

    order: Order
    body: OrderBody
    deltas: Deltas
    demands: tuple[DemandChange, ...]
    ended: tuple[Reserved, ...] = ()
    reservation: Reservation | None = None


def enter(command: PlaceOrder, stocks: Mapping[str, Stock], now: datetime) -> Order:
    """The order as the channel states it, with every unit that we must source `open`.

    Units that the channel ships itself stand in an entry at `@channel` or `@vendor`; units taken at a till
    and goods that need no shipping enter as shipped and delivered; a test order and a cancelled one enter
    cancelled, so that neither reserves anything.

    Args:
        command: what the channel says.
        stocks: by sku; a sku that is missing or has no catalogue entry is unknown.
        now: time of exceptions, UTC.
    """
    void = command.cancelled or command.test
    authorized, captured, refunded = paid_amounts(command)
    order = Order(
        order_id=order_id(command.channel, command.channel_order_id),
        channel=command.channel,
        channel_version=command.channel_version,
        digest=digest(command),
        v=0,
        order_number=command.order_number,
        currency=command.currency,
        placed_at=command.placed_at,
        tax_included=command.tax_included,
        lines=(),
        deliveries=tuple(_delivery(delivery) for delivery in command.deliveries),
        total=command.total,
        shipping=command.shipping,
        charges=command.duties + command.tip + sum(fee.amount + fee.tax for fee in command.fees),
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        customer_key=f"{command.channel}#{command.customer.id}" if command.customer.id else None,
        test=command.test,
        holds=() if void else _holds(command, authorized + captured - refunded),
    )
    ids = {line.channel_line_id: str(number) for number, line in enumerate(command.lines, 1)}
    lines = []
    for number, line in enumerate(command.lines, 1):
        stock = stocks.get(line.sku) if line.sku else None
        parent = ids.get(line.parent_line_id) if line.parent_line_id else None
        entered = _line(line, str(number), parent, stock, void=void)
        lines.append(entered)
        if entered.ordered == 0 and Decimal(line.quantity):
            order = order.with_exception("quantity_unknown", entered.line_id, now)
        if entered.open and (stock is None or stock.sku is None):
            order = order.with_exception("sku_unknown", entered.line_id, now)
    if "address" in order.holds:
        order = order.with_exception("address_missing", order.order_id, now)
    if not command.balanced and not void:
        order = order.with_exception("totals_unbalanced", order.order_id, now)
    return replace(order, lines=tuple(lines))


def place(
    command: PlaceOrder,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
    reservation: Reservation | None = None,
) -> Placement:
    """Enter an order and give its units sources: allocated where stock is free, else backordered, else open.

    A reservation that holds at `now` becomes this order: its units come before what waits, wherever the order
    gets them from, and all of them are given back. Any other is nothing to this order.

    Args:
        command: what the channel says.
        channel: its configuration; names the pool and the grace before release.
        network: pools and locations.
        stocks: stock of every sku of the order, and of the reservation, as stored.
        now: time of the decision, UTC.
        reservation: the one that the command names.

    Returns:
        The order at version 1, its body, and the changes of positions and demand that belong to it.
    """
    cart = reservation if reservation and usable(reservation, command, now) else None
    seen = {sku: seen_at(stock, now, cart.id if cart else None) for sku, stock in stocks.items()}
    order = replace(enter(command, stocks, now), pool=channel.pool)
    units = {line.line_id: line.open for line in order.lines}
    deliveries = {delivery.id: delivery for delivery in command.deliveries}
    assignments = assign(order, units, deliveries, channel, network, seen)
    order = _allocate(order, assignments)
    order, demands = _wait(order, channel.pool, stocks, now)
    order, deltas = _sell_at_till(order, command, channel, now)
    taken = promised(order)
    for (sku, location), units in taken.items():
        add(deltas, sku, location, Delta(allocated=units))
    safety = {location.id: location.safety_stock for location in network.locations.values()}
    ended = ending(stocks, taken, safety, now, cart.id if cart else None)
    for row in ended:
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    order = order.written(now, "placed", data=_outcome(order))
    due = now + timedelta(minutes=channel.grace_minutes)
    return Placement(
        replace(order, due_at=due),
        body_of(command, order),
        deltas,
        demands,
        ended,
        cart.confirmed(order.order_id, now) if cart else None,
    )


def usable(reservation: Reservation, command: PlaceOrder, now: datetime) -> bool:
    """Whether a reservation can become this order: it still holds its units, and is of the same channel."""
    return reservation.holds_at(now) and reservation.cart.channel == command.channel


def left_by(placement: Placement, stocks: Mapping[str, Stock]) -> dict[str, Stock]:
    """The stock that the next order meets when `placement` was made from `stocks`."""
    left = dict(stocks)
    for (sku, location), delta in placement.deltas.items():
        stock = left.get(sku, Stock(None))
        held = next((known for known in stock.positions if known.location == location), None)
        left[sku] = stock.with_position((held or Position(sku, location)).moved(delta))
    for row in placement.ended:
        left[row.sku] = left[row.sku].without(row)
    for change in placement.demands:
        demand = left[change.sku].demand(change.pool)
        waiting = replace(demand, waiting=demand.waiting + change.waiting)
        left[change.sku] = left[change.sku].with_demand(waiting)
    return left


def paid_amounts(command: PlaceOrder) -> tuple[int, int, int]:
    """Authorized, captured and refunded amounts of a command's payments; what was refunded was captured."""
    sums = dict.fromkeys(PaymentState, 0)
    for payment in command.payments:
        sums[payment.state] += payment.amount
    refunded = sums[PaymentState.REFUNDED]
    return sums[PaymentState.AUTHORIZED], sums[PaymentState.CAPTURED] + refunded, refunded


def body_of(command: PlaceOrder, order: Order) -> OrderBody:
    """The part of an order that is only shown, never decided on."""
    return OrderBody(
        channel_order_id=command.channel_order_id,
        adapter=command.adapter,
        presentment_currency=command.presentment_currency,
        customer=command.customer,
        billing=command.billing,
        ship_to={delivery.id: delivery.ship_to for delivery in command.deliveries if delivery.ship_to},
        services={delivery.id: delivery.service for delivery in command.deliveries if delivery.service},
        lines=tuple(
            BodyLine(
                kept.line_id,
                line.channel_line_id,
                line.title,
                line.unit_price,
                line.quantity,
                line.properties,
            )
            for kept, line in zip(order.lines, command.lines, strict=True)
        ),
        payments=tuple(
            {"method": payment.method, "amount": payment.amount, "state": str(payment.state)}
            for payment in command.payments
        ),
        source_location=command.source_location,
        purchase_order=command.purchase_order,
        notes=command.notes,
    )


def _holds(command: PlaceOrder, paid: int) -> tuple[str, ...]:
    """Why an order keeps its allocations but is not released: nobody has paid, or nobody knows where to."""
    holds = ("payment",) if paid < command.total else ()
    return (*holds, "address") if _without_address(command) else holds


def _without_address(command: PlaceOrder) -> bool:
    shipped = {delivery.id for delivery in command.deliveries if delivery.method is Method.SHIP}
    addressed = {delivery.id for delivery in command.deliveries if delivery.ship_to not in (None, Address())}
    return any(
        line.kind is LineKind.PHYSICAL
        and line.fulfilled_by is FulfilledBy.US
        and line.delivery_id in shipped - addressed
        for line in command.lines
    )


def _delivery(delivery: Delivery) -> OrderDelivery:
    return OrderDelivery(
        delivery.id, delivery.method, delivery.location, delivery.shipping - delivery.shipping_discount
    )


def _line(line: Line, line_id: str, parent: str | None, stock: Stock | None, *, void: bool) -> OrderLine:
    sku = stock.sku if stock else None
    scale = sku.scale if sku else 1
    quantity = _smallest_units(line.quantity, scale)
    shipped = min(quantity, (line.shipped or 0) * scale)
    cancelled = quantity - shipped if void else min(quantity - shipped, line.cancelled * scale)
    rest = quantity - shipped - cancelled
    entered = OrderLine(
        line_id=line_id,
        sku=line.sku,
        kind=line.kind,
        fulfilled_by=line.fulfilled_by,
        delivery_id=line.delivery_id,
        amount=line.amount,
        discount=line.discount,
        tax=line.tax,
        shipped=shipped,
        cancelled=cancelled,
        tracked=sku.tracked if sku else True,
        parent_line_id=parent,
    )
    if not rest:
        return entered
    if line.fulfilled_by is FulfilledBy.TAKEN or line.kind is not LineKind.PHYSICAL:
        return replace(entered, shipped=shipped + rest, delivered=rest)
    if line.fulfilled_by is FulfilledBy.US:
        return replace(entered, open=rest)
    elsewhere = Entry(f"1.{line_id}", f"@{line.fulfilled_by}", rest, Stage.IN_FULFILLMENT)
    return replace(entered, entries=(elsewhere,))


def _smallest_units(quantity: int | str, scale: int) -> int:
    """A channel's quantity in the sku's smallest units; 0 when the scale does not resolve its fraction."""
    units = Decimal(quantity) * scale
    return int(units) if units == units.to_integral_value() else 0


def assign(
    order: Order,
    units: Mapping[str, int],
    deliveries: Mapping[str, Delivery],
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    *,
    served: bool = False,
) -> list[Assignment]:
    """Choose locations for units of an order, delivery by delivery, from one shelf.

    Args:
        order: whose.
        units: how many of each line, by its id.
        deliveries: by id, with their addresses.
        channel: names the pool, and our location for each of its own.
        network: pools and locations.
        stocks: by sku; of a sku that is missing or that the catalogue does not know nothing is assigned.
        served: whether the units have waited, so that all that is free is theirs; new ones leave what others
            wait for.
    """
    decisions = decide(order, units, deliveries, network, stocks, order.placed_at, served=served)
    return assignments_of(decisions)


def _allocate(order: Order, assignments: Sequence[Assignment]) -> Order:
    """Turn open units into allocation entries."""
    changed: dict[str, OrderLine] = {}
    for number, assignment in enumerate(assignments, len(order.lines) + 1):
        line = changed.get(assignment.line_id) or order.line(assignment.line_id)
        assert line is not None, "assignments name lines of this order"
        entry = Entry(f"{order.v + 1}.{number}", assignment.location, assignment.units)
        changed[line.line_id] = replace(
            line, open=line.open - assignment.units, entries=(*line.entries, entry)
        )
    return order.with_lines(changed)


def _wait(
    order: Order, pool: str, stocks: Mapping[str, Stock], now: datetime
) -> tuple[Order, tuple[DemandChange, ...]]:
    """Backorder open units up to each sku's limit; what is beyond stays open, with an exception."""
    changes: dict[str, DemandChange] = {}
    changed: dict[str, OrderLine] = {}
    for line in order.lines:
        stock = stocks.get(line.sku) if line.sku else None
        if not line.open or line.sku is None or stock is None or stock.sku is None:
            continue
        demand = stock.demand(pool)
        change = changes.get(line.sku, DemandChange(line.sku, pool, 0, 0, demand.backorder_limit))
        limit = demand.backorder_limit
        room = line.open if limit is None else max(0, limit - demand.waiting - change.waiting)
        backordered = min(line.open, room)
        changed[line.line_id] = replace(line, open=line.open - backordered, backordered=backordered)
        changes[line.sku] = replace(
            change, waiting=change.waiting + line.open, backordered=change.backordered + backordered
        )
        if line.open > backordered:
            order = order.with_exception("stock_short", line.line_id, now)
    return order.with_lines(changed), tuple(changes.values())


def _sell_at_till(order: Order, command: PlaceOrder, channel: Channel, now: datetime) -> tuple[Order, Deltas]:
    """Units taken at a till have left the store's stock already: a fact, whatever the counters say."""
    deltas: Deltas = {}
    taken = [line for line in order.lines if line.fulfilled_by is FulfilledBy.TAKEN and line.touches_stock]
    store = channel.locations.get(command.source_location or "")
    for line in taken:
        if store is None:
            order = order.with_exception("location_unmapped", line.line_id, now)
        elif line.sku is not None and line.shipped:
            add(deltas, line.sku, store, Delta(on_hand=-line.shipped))
    return order, deltas


def _outcome(order: Order) -> dict[str, object]:
    """What the journal keeps of a placement: units by line and location, backordered and open by line."""
    return {
        "allocated": [
            [line.line_id, entry.location, entry.units] for line in order.lines for entry in line.entries
        ],
        "backordered": {line.line_id: line.backordered for line in order.lines if line.backordered},
        "open": {line.line_id: line.open for line in order.lines if line.open},
    }
