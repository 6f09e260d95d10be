"""Placing: from a canonical command and the stock seen to an order with sources, and what that changes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from oms.inventory.availability import covered_at, seen_at
from oms.inventory.model import Delta, Deltas, DemandChange, Position, Reserved, Sku, Stock, add
from oms.inventory.network import Channel, Network
from oms.inventory.reservations import Place, Reservation, ending
from oms.inventory.safety import safety_stock
from oms.orders.cancelling import CancelReason, CancelRequest, cancel
from oms.orders.claims import UNKNOWN, Reclaimed, promised, unknown, unlisted
from oms.orders.commands import (
    LISTING,
    Address,
    Delivery,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    PaymentState,
    PlaceOrder,
)
from oms.orders.expecting import sources
from oms.orders.holds import weighed
from oms.orders.identity import digest, order_id
from oms.orders.kits import Expanded, expand
from oms.orders.model import (
    BodyLine,
    Entry,
    OpenException,
    Order,
    OrderBody,
    OrderDelivery,
    OrderLine,
    Stage,
)
from oms.orders.records import PaymentRecorded
from oms.payments.refunds import Refund
from oms.returns.intercept import intercept
from oms.returns.model import Return
from oms.returns.progress import Known
from oms.sourcing.choose import Assignment
from oms.sourcing.deliveries import assignments_of, decide
from oms.sourcing.record import record
from oms.values import frozen, replace

ROOM = 97
"""Positions, demands and rows that fit into one transaction beside an order's header, body and cart."""

IN_TURN = "sourcing"
"""The hold of an order with lines whose turn has not come: it is too large for one transaction."""

_WAITING = ("#demand", "#backorder")
"""What is written for a sku beside positions when units of it wait."""

_FOUND = ("#removed", "#put")
"""Rows that are written at most for a sku that nobody knows: another's may take the place of its own."""


@frozen
class Placement:
    """A placed order with everything that must be written with it in one transaction.

    `ended` are the rows of reservations whose units it takes or gives back: expired ones that it needs, and
    those of `reservation`, the cart that has become this order. `absorbed` counts the commands in the stub
    that the order takes the place of. `refund` is due when units come cancelled, and paid, `returned` when
    they had left; `payments` and `refunds` are what was told before it came, that refund among them.
    """

    order: Order
    body: OrderBody
    deltas: Deltas
    demands: tuple[DemandChange, ...]
    ended: tuple[Reserved, ...] = ()
    reservation: Reservation | None = None
    absorbed: int = 0
    refund: Refund | None = None
    refunds: tuple[Refund, ...] = ()
    payments: tuple[PaymentRecorded, ...] = ()
    returned: Return | None = None


@frozen
class _Recalled:
    """An order that its channel has cancelled before it came, what is due, and what is to come back."""

    order: Order
    refund: Refund | None
    returned: Return | None


def enter(command: PlaceOrder, stocks: Mapping[str, Stock], now: datetime) -> Order:
    """The order as the channel states it, with every unit that we must source `open`.

    Units that the channel ships itself stand in an entry at `@channel` or `@vendor`; units taken at a till
    and goods that need no shipping enter as shipped and delivered; a test order enters cancelled, so that it
    reserves nothing.

    Args:
        command: what the channel says.
        stocks: by sku; a sku that is missing or has no catalogue entry is unknown.
        now: time of exceptions, UTC.
    """
    name = order_id(command.channel, command.channel_order_id)
    authorized, captured, refunded = paid_amounts(command)
    holds = () if command.test else _holds(command, authorized + captured)
    expanded = _expanded(command, stocks)
    ids = {line.channel_line_id: str(number) for number, line in enumerate(expanded.lines, 1)}
    lines: list[OrderLine] = []
    opened: list[tuple[str, str]] = []
    for number, line in enumerate(expanded.lines, 1):
        stock = stocks.get(line.sku) if line.sku else None
        parent = ids.get(line.parent_line_id) if line.parent_line_id else None
        per_bundle = expanded.per_bundle.get(line.channel_line_id, 0)
        entered = _line(line, str(number), parent, stock, per_bundle, void=command.test)
        lines.append(entered)
        if code := _unknown(entered, line.quantity, stock.sku if stock else None):
            opened.append((code, entered.line_id))
    if "address" in holds:
        opened.append(("address_missing", name))
    if not command.balanced and not command.test:
        opened.append(("totals_unbalanced", name))
    return Order(
        order_id=name,
        channel=command.channel,
        channel_version=command.channel_version,
        digest=digest(command),
        v=0,
        order_number=command.order_number,
        currency=command.currency,
        placed_at=command.placed_at,
        tax_included=command.tax_included,
        lines=tuple(lines),
        deliveries=tuple(_delivery(delivery) for delivery in command.deliveries),
        total=command.total,
        shipping=command.shipping,
        charges=command.duties + command.tip + sum(fee.amount + fee.tax for fee in command.fees),
        authorized=authorized,
        captured=captured,
        refunded=refunded,
        customer_key=f"{command.channel}#{command.customer.id}" if command.customer.id else None,
        test=command.test,
        holds=holds,
        exceptions=tuple(OpenException(code, ref, now) for code, ref in opened),
    )


def place(
    command: PlaceOrder,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
    reservation: Reservation | None = None,
    recalled: CancelRequest | None = None,
) -> Placement:
    """Enter an order and give its units sources: allocated where stock is free, else backordered, else open.

    A reservation that holds at `now` becomes this order: its units come before what waits, wherever the order
    gets them from, and all of them are given back. Any other is nothing to this order.

    Args:
        command: what the channel says.
        channel: its configuration; names the pool and the grace before release.
        network: pools and locations.
        stocks: stock of every sku of the order, what its kits consist of included, and of the reservation,
            as stored.
        now: time of the decision, UTC.
        reservation: the one that the command names.
        recalled: what its channel has said of it before it came: it is placed, and cancelled at once, so that
            it ends as if that had come after it. An order that comes with cancelled units is its own recall.

    Returns:
        The order at its first version, or a later one when units of it are cancelled, its body, and the
        changes of positions and demand that belong to it.
    """
    cart = reservation if reservation and usable(reservation, command, now) else None
    recalled = recalled or _recall(command, stocks, now)
    entered = enter(_sold(command) if recalled else command, stocks, now)
    entered = replace(
        entered,
        pool=channel.pool,
        due_at=now + timedelta(minutes=channel.grace_minutes),
        pays_until=_pays_until(channel, now) if "payment" in entered.holds else None,
    )
    body = body_of(command, entered, _expanded(command, stocks).lines)
    gone = _recalled(entered.written(now, "placed"), recalled, now) if recalled else None
    order = gone.order if gone else entered
    # Whatever it is cancelled by, its units get their sources in its first write.
    sourced = source(
        replace(order, v=0) if gone else order, body, channel, network, stocks, now, cart.id if cart else None
    )
    order = weighed(None, sourced.order, now) if sourced.order.refunded else sourced.order
    if gone:
        first, *rest = order.journal
        first = replace(first, data=_outcome(order))
        order = replace(order, v=gone.order.v, journal=(first, *rest))
    else:
        order = order.written(now, "placed", data=_outcome(order))
    return Placement(
        order,
        replace(body, sourcing=tuple(record(sourced.decisions))),
        sourced.deltas,
        sourced.demands,
        sourced.ended,
        cart.confirmed(order.order_id, now) if cart else None,
        refund=gone.refund if gone else None,
        returned=gone.returned if gone else None,
    )


def _pays_until(channel: Channel, now: datetime) -> datetime | None:
    """From when it came, not from when it was placed: the news that it was paid may have waited with it."""
    return None if channel.payment_hours is None else now + timedelta(hours=channel.payment_hours)


def _recall(command: PlaceOrder, stocks: Mapping[str, Stock], now: datetime) -> CancelRequest | None:
    """What of an order is cancelled by its channel when it comes, as a request; None when nothing is."""
    wish = CancelRequest(CancelReason.OTHER, channel=command.channel_version)
    if command.test or command.cancelled:
        return None if command.test else wish
    if not any(line.cancelled for line in command.lines):
        return None
    lines = enter(command, stocks, now).lines
    # A container goes with its components.
    units = {line.line_id: line.cancelled for line in lines if line.kind is not LineKind.CONTAINER}
    units = {name: count for name, count in units.items() if count}
    return replace(wish, units=units) if units else None


def _sold(command: PlaceOrder) -> PlaceOrder:
    """An order as it was before its channel cancelled units of it."""
    return replace(command, lines=tuple(replace(line, cancelled=0) for line in command.lines))


def _recalled(placed: Order, wish: CancelRequest, now: datetime) -> _Recalled:
    """An order cancelled before any stock was asked for, with what follows for what was paid and has left."""
    gone = cancel(placed, {}, (), wish, now)
    asked = {
        line.line_id: replace(line, pending=False)
        for line in gone.order.lines
        if line.cancelled and not line.open
    }
    order, back = gone.order.with_lines(asked), None
    if gone.refused:
        refunds = {gone.refund.id: gone.refund} if gone.refund else {}
        back = intercept(Known(order, {}, refunds), f"intercept {wish.channel}", now)
    return _Recalled(back.order if back else order, gone.refund, back.return_ if back else None)


def usable(reservation: Reservation, command: PlaceOrder, now: datetime) -> bool:
    """Whether a reservation can become this order: it still holds its units, and is of the same channel."""
    return reservation.holds_at(now) and reservation.cart.channel == command.channel


def source(
    order: Order,
    body: OrderBody,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
    cart: str | None = None,
) -> Reclaimed:
    """Ask for the stock of pending lines, as many as a transaction has room for; the order's version stays.

    New lines take only what no waiting units need, and what their own cart holds. The order is held for as
    long as lines are pending that only want room; those that nobody knows are left to the catalogue.

    Args:
        order: as it stands.
        body: has the addresses, and each quantity as the channel has it.
        channel: its configuration.
        network: pools and locations.
        stocks: by sku, as stored; lines of a sku that is missing stay pending.
        now: UTC.
        cart: id of the reservation that becomes this order: all that it holds is taken or given back.
    """
    room = share = ROOM - len(_FOUND) * len((*unknown(order), *unlisted(order)))
    while True:
        sourced = _source(order, body, channel, network, stocks, now, cart, share)
        written = len(sourced.deltas) + len(sourced.ended) + len(_WAITING) * len(sourced.demands)
        if written <= room or share <= len(_WAITING) + 1:
            return sourced
        share //= 2


def _source(
    order: Order,
    body: OrderBody,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
    cart: str | None,
    room: int,
) -> Reclaimed:
    before = promised(order)
    order = _made_known(order, body, stocks, now)
    known = {sku for sku, stock in stocks.items() if stock.sku is not None}
    due = [line for line in order.lines if _in_turn(order, line) and (line.sku in known or _taken(line))]
    units = {line.line_id: line.open for line in due if line.open}
    seen = {sku: seen_at(stock, now, cart) for sku, stock in stocks.items()}
    decisions = decide(order, body, units, network, seen, now)
    assignments = assignments_of(decisions)
    till = channel.locations.get(body.source_location or "")
    due, assignments = _that_fit(due, assignments, till, room)
    order = _allocate(order, due, assignments)
    names = {line.line_id for line in due}
    order, deltas = _sell_at_till(order, names, till, now)
    taken = promised(order)
    taken.subtract(before)
    ended = take(deltas, +taken, order, stocks, network, now, cart)
    short = {line.line_id for line in order.lines if line.line_id in names and line.open and line.sku}
    demands: tuple[DemandChange, ...] = ()
    if short:  # most orders have all they want, and need not see what they leave
        left = left_by(Reclaimed(order, deltas, (), ended), stocks)
        order, demands = _wait(order, short, channel.pool, network, left, now)
    holds = tuple(hold for hold in order.holds if hold != IN_TURN)
    if any(_in_turn(order, line) for line in order.lines):
        holds = (*holds, IN_TURN)
    if holds != order.holds:
        order = replace(order, holds=holds)
    return Reclaimed(order, deltas, demands, ended, decisions)


def take(
    deltas: Deltas,
    taken: Mapping[Place, int],
    order: Order,
    stocks: Mapping[str, Stock],
    network: Network,
    now: datetime,
    cart: str | None = None,
) -> tuple[Reserved, ...]:
    """Add units that an order takes to `deltas`, with the rows of reservations that this ends, and those."""
    safety = _safety(order, stocks, network)
    for (sku, location), count in taken.items():
        add(deltas, sku, location, Delta(allocated=count, safety=safety.get((sku, location), 0)))
    ended = ending(stocks, taken, safety, now, cart)
    for row in ended:
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    return ended


def _safety(order: Order, stocks: Mapping[str, Stock], network: Network) -> dict[Place, int]:
    """Units that an order leaves where it takes some; of two methods, what the one leaves that takes more."""
    least: dict[Place, int] = {}
    for line in order.lines:
        sku = stocks.get(line.sku or "", Stock(None)).sku
        delivery = order.delivery(line.delivery_id)
        method = delivery.method if delivery else Method.SHIP
        for entry in line.entries if sku else ():
            if location := network.locations.get(entry.location):
                units, place = safety_stock(sku, location, method), (line.sku or "", entry.location)
                least[place] = min(units, least.get(place, units))
    return least


def next_lines(order: Order) -> list[OrderLine]:
    """The pending lines to ask for next: those in turn, as many as may fit; else those that nobody knew."""
    turn = [line for line in order.lines if _in_turn(order, line)]
    return turn[:ROOM] or [line for line in order.lines if line.pending and line.sku]


def left_by(change: Placement | Reclaimed, stocks: Mapping[str, Stock]) -> dict[str, Stock]:
    """The stock that the next order meets when `change` was made from `stocks`."""
    left = dict(stocks)
    for (sku, location), delta in change.deltas.items():
        stock = left.get(sku, Stock(None))
        held = next((known for known in stock.positions if known.location == location), None)
        left[sku] = stock.with_position((held or Position(sku, location)).moved(delta))

    for row in change.ended:
        left[row.sku] = left[row.sku].without(row)
    for more in change.demands:
        demand = left[more.sku].demand(more.pool)
        waiting = replace(demand, waiting=demand.waiting + more.waiting)
        left[more.sku] = left[more.sku].with_demand(waiting)
    return left


def paid_amounts(command: PlaceOrder) -> tuple[int, int, int]:
    """Authorized, captured and refunded amounts of a command's payments; what was refunded was captured."""
    sums = dict.fromkeys(PaymentState, 0)
    for payment in command.payments:
        sums[payment.state] += payment.amount
    refunded = sums[PaymentState.REFUNDED]
    return sums[PaymentState.AUTHORIZED], sums[PaymentState.CAPTURED] + refunded, refunded


def _expanded(command: PlaceOrder, stocks: Mapping[str, Stock]) -> Expanded:
    return expand(command.lines, {name: stock.sku for name, stock in stocks.items() if stock.sku})


def body_of(command: PlaceOrder, order: Order, lines: Sequence[Line]) -> OrderBody:
    """The part of an order that is only shown, never decided on; `lines` are those that it was entered by."""
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
            for kept, line in zip(order.lines, lines, strict=True)
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


def _line(
    line: Line, line_id: str, parent: str | None, stock: Stock | None, per_bundle: int, *, void: bool
) -> OrderLine:
    sku = stock.sku if stock else None
    scale = sku.scale if sku and not per_bundle else 1
    quantity = _smallest_units(line.quantity, scale)
    shipped = min(quantity, (line.shipped or 0) * scale)
    cancelled = quantity - shipped if void else min(quantity - shipped, line.cancelled * scale)
    rest = quantity - shipped - cancelled
    taken = line.fulfilled_by is FulfilledBy.TAKEN
    ours = line.fulfilled_by is FulfilledBy.US and line.kind is LineKind.PHYSICAL
    asked = rest if ours else 0
    entered = OrderLine(
        line_id=line_id,
        sku=line.sku,
        kind=line.kind,
        fulfilled_by=line.fulfilled_by,
        delivery_id=line.delivery_id,
        amount=line.amount,
        discount=line.discount,
        tax=line.tax,
        open=asked,
        shipped=shipped,
        cancelled=cancelled,
        tracked=sku.tracked if sku else True,
        listing=None if line.sku else line.properties.get(LISTING),
        parent_line_id=parent,
        per_bundle=per_bundle,
        pending=asked > 0 or (taken and shipped > 0),
    )
    if not rest or ours:
        return entered
    if taken or line.kind is not LineKind.PHYSICAL:
        return replace(entered, shipped=shipped + rest, delivered=rest, pending=taken)
    elsewhere = Entry(f"1.{line_id}", f"@{line.fulfilled_by}", rest, Stage.IN_FULFILLMENT)
    return replace(entered, entries=(elsewhere,))


def _unknown(line: OrderLine, quantity: int | str, sku: Sku | None) -> str | None:
    """The exception of a line whose sku or whose quantity nobody knows."""
    if line.pending and isinstance(quantity, str) and Decimal(quantity) * _scale(line, sku) % 1:
        return "quantity_unknown"
    return "sku_unknown" if line.open and sku is None else None


def _scale(line: OrderLine, sku: Sku | None) -> int:
    """The sku's smallest units in one of the channel's; components are in smallest units already."""
    return sku.scale if sku and not line.per_bundle else 1


def _made_known(order: Order, body: OrderBody, stocks: Mapping[str, Stock], now: datetime) -> Order:
    """The order with the quantities of lines that the catalogue has come to know, in smallest units.

    What it has come to know as a kit stays pending: components are entered with their order, or never.
    """
    quantities = {line.line_id: line.quantity for line in body.lines}
    for line in order.lines:
        stock = stocks.get(line.sku) if line.sku else None
        codes = {known.code for known in order.exceptions if known.ref == line.line_id}
        if not line.pending or stock is None or stock.sku is None or not codes.intersection(UNKNOWN):
            continue
        sku, quantity = stock.sku, quantities[line.line_id]
        scale = _scale(line, sku)
        units = _smallest_units(quantity, scale)
        cancelled = min(units, line.cancelled * scale)
        shipped = min(units - cancelled, units if _taken(line) else line.shipped * scale)
        delivered = shipped if _taken(line) else line.delivered
        made = replace(line, open=units - cancelled - shipped, shipped=shipped, cancelled=cancelled)
        made = replace(made, delivered=delivered, tracked=sku.tracked)
        made, code = (line, "kit_unknown") if sku.kit else (made, _unknown(made, quantity, sku))
        if code in codes:
            continue
        for resolved in UNKNOWN:
            order = order.without_exception(resolved, line.line_id)
        if code:
            order = order.with_exception(code, line.line_id, now)
        order = order.with_lines({line.line_id: made})
    return order


def _in_turn(order: Order, line: OrderLine) -> bool:
    """Whether a pending line waits for nothing but room in a transaction."""
    return bool(line.pending and (line.open or _taken(line))) and not any(
        known.ref == line.line_id and known.code in UNKNOWN for known in order.exceptions
    )


def _taken(line: OrderLine) -> bool:
    """Whether a line tells of units that have left a store's shelf already."""
    return line.fulfilled_by is FulfilledBy.TAKEN and line.touches_stock


def _that_fit(
    due: Sequence[OrderLine], assignments: Sequence[Assignment], till: str | None, room: int
) -> tuple[list[OrderLine], list[Assignment]]:
    """The first of the lines that there is room for, with their assignments.

    Of a line that has more sources than that as many are left out as it takes; the rest of it waits.
    """
    by_line: dict[str, list[Assignment]] = {}
    for assignment in assignments:
        by_line.setdefault(assignment.line_id, []).append(assignment)
    touched: set[tuple[str, str | None]] = set()
    lines: list[OrderLine] = []
    fit: list[Assignment] = []
    for line in due:
        found = by_line.get(line.line_id, [])
        if not touched:
            found = found[: room - len(_WAITING)]
        sku = line.sku or ""
        places: set[tuple[str, str | None]] = set()
        if line.tracked:
            places |= {(sku, assignment.location) for assignment in found}
        if line.open > sum(assignment.units for assignment in found):
            places |= {(sku, item) for item in _WAITING}
        if _taken(line):
            places.add((sku, till))
        if len(touched | places) > room:
            break
        touched |= places
        lines.append(line)
        fit += found
    return lines, fit


def _smallest_units(quantity: int | str, scale: int) -> int:
    """A channel's quantity in the sku's smallest units, rounded up while its scale does not resolve it."""
    return quantity * scale if isinstance(quantity, int) else ceil(Decimal(quantity) * scale)


def _allocate(order: Order, due: Sequence[OrderLine], assignments: Sequence[Assignment]) -> Order:
    """Turn open units of lines whose turn has come into allocation entries."""
    entries: dict[str, list[Entry]] = {line.line_id: [] for line in due}
    for number, assignment in enumerate(assignments, len(order.lines) + 1):
        entry = Entry(f"{order.v + 1}.{number}", assignment.location, assignment.units)
        entries[assignment.line_id].append(entry)
    return order.with_lines(
        {
            line.line_id: replace(
                line,
                pending=False,
                open=line.open - sum(entry.units for entry in entries[line.line_id]),
                entries=(*line.entries, *entries[line.line_id]),
            )
            for line in due
        }
    )


def _wait(
    order: Order,
    names: Collection[str],
    pool: str,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> tuple[Order, tuple[DemandChange, ...]]:
    """Backorder open units of lines up to each sku's limit; what is beyond stays open, with an exception.

    What waits before a sku's first release counts as backordered too: it is a pre-order. All that waits is
    expected when the supply that is announced covers it, behind what waits already.
    """
    changes: dict[str, DemandChange] = {}
    changed: dict[str, OrderLine] = {}
    for line in order.lines:
        if line.line_id not in names or line.sku is None:
            continue
        stock = stocks[line.sku]
        demand = stock.demand(pool)
        ahead = not stock.is_released(now)
        limit = demand.preorder_limit if ahead else demand.backorder_limit
        change = changes.get(line.sku, DemandChange(line.sku, pool, 0, 0, limit, preorder=ahead))
        room = line.open if limit is None else max(0, limit - demand.waiting - change.waiting)
        backordered = min(line.open, room)
        locations, safety = sources(order, line, pool, network, stock)
        changed[line.line_id] = replace(
            line,
            open=line.open - backordered,
            backordered=backordered,
            expected_at=covered_at(stock, locations, safety, change.waiting + line.open, now),
        )
        changes[line.sku] = replace(
            change, waiting=change.waiting + line.open, backordered=change.backordered + backordered
        )
        if line.open > backordered:
            order = order.with_exception("stock_short", line.line_id, now)
    return order.with_lines(changed), tuple(changes.values())


def _sell_at_till(
    order: Order, names: Collection[str], till: str | None, now: datetime
) -> tuple[Order, Deltas]:
    """Units taken at a till have left the store's stock already: a fact, whatever the counters say."""
    deltas: Deltas = {}
    for line in order.lines:
        if not _taken(line) or line.line_id not in names:
            continue
        if till is None:
            order = order.with_exception("location_unmapped", line.line_id, now)
        elif line.sku is not None:
            add(deltas, line.sku, till, Delta(on_hand=-line.shipped))
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
