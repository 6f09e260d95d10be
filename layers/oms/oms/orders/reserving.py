"""Reserving: a cart gets what an order of the same things would get now, for a time."""

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from oms.inventory.model import Delta, Deltas, Reserved, Stock, add
from oms.inventory.network import Channel, Network
from oms.inventory.reservations import Cart, Place, Reservation, ReservationState, ending
from oms.inventory.safety import safety_stock
from oms.orders.claims import promised
from oms.orders.commands import Customer, Delivery, FulfilledBy, Line, LineKind, PlaceOrder
from oms.orders.placing import place
from oms.values import frozen, replace

_DELIVERY = "cart"


@frozen
class Hold:
    """A reservation with everything that must be written with it in one transaction.

    `rows` are those to write, each with the one in whose place it comes; `ended` are rows that are there no
    longer, or with another number of units; `gone` are those of them to remove. `missing` are units that are
    not to be had, by the number of the cart's line.
    """

    reservation: Reservation
    deltas: Deltas
    rows: tuple[tuple[Reserved, Reserved | None], ...]
    ended: tuple[Reserved, ...]
    gone: tuple[Reserved, ...]
    missing: Mapping[int, int]


def reserve(
    seen: Reservation,
    cart: Cart,
    expires_at: datetime,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> Hold:
    """Hold what a cart wants, from where an order of it would be sourced now; as far as it is to be had.

    What the cart holds already is its own, and stays where it is when only its time changes.

    Args:
        seen: the reservation as it stands; one that is over already and holds nothing for a new one.
        cart: what it shall hold.
        expires_at: until when, UTC.
        channel: the cart's.
        network: pools and locations.
        stocks: stock of every sku that it holds or shall hold, as stored.
        now: UTC.
    """
    before = {
        (row.sku, row.location): row
        for stock in stocks.values()
        for row in stock.reserved
        if row.reservation == seen.id
    }
    held: Mapping[Place, int] = {at: row.units for at, row in before.items()}
    missing: Mapping[int, int] = {}
    extended = seen.holds_at(now) and held == seen.held and cart == seen.cart and not seen.partial
    if not extended:
        held, missing = _sourced(seen, cart, channel, network, stocks, now)
    reservation = replace(
        seen,
        cart=cart,
        expires_at=expires_at,
        held=held,
        partial=bool(missing),
        state=ReservationState.HELD,
        order_id=None,
    )
    kind = "extended" if extended else "changed" if seen.holds_at(now) else "held"
    reservation = reservation.written(now, kind, data=_kept(reservation))
    after = {(row.sku, row.location): row for row in reservation.rows()}
    safety = {
        (sku, location): safety_stock(stocks[sku].sku, network.locations[location], cart.method)
        for sku, location in held
        if location in network.locations
    }
    others = [row for row in ending(stocks, held, safety, now, seen.id) if row.reservation != seen.id]
    moved = [row for at, row in before.items() if held.get(at) != row.units]
    deltas: Deltas = {}
    for at, row in after.items():
        if at not in before or before[at].units != row.units:
            add(deltas, *at, Delta(reserved=row.units, safety=safety.get(at, 0)))
    for row in (*others, *moved):
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    return Hold(
        reservation,
        deltas,
        rows=tuple((row, before.get(at)) for at, row in after.items() if row != before.get(at)),
        ended=(*others, *moved),
        gone=(*others, *(row for at, row in before.items() if at not in after)),
        missing=missing,
    )


def _kept(reservation: Reservation) -> dict[str, object]:
    """What the journal keeps of a wish that was granted: units by sku and location, and until when."""
    rows = [[row.sku, row.location, row.units] for row in reservation.rows()]
    return {"held": rows, "until": reservation.expires_at.isoformat()}


def _sourced(
    seen: Reservation,
    cart: Cart,
    channel: Channel,
    network: Network,
    stocks: Mapping[str, Stock],
    now: datetime,
) -> tuple[Mapping[Place, int], Mapping[int, int]]:
    """Units by sku and location that an order of the cart would get, and those missing by line."""
    smallest = {
        sku: replace(stock, sku=replace(stock.sku, scale=1)) if stock.sku else stock
        for sku, stock in stocks.items()
    }
    order = place(_as_order(seen.id, cart, now), channel, network, smallest, now, seen).order
    missing: dict[int, int] = {}
    for number, line in enumerate(order.lines):
        # Of a kit as many are missing as its scarcest component is short of.
        wanted = int(line.parent_line_id) - 1 if line.per_bundle and line.parent_line_id else number
        units = ceil((line.open + line.backordered) / (line.per_bundle or 1))
        if units:
            missing[wanted] = max(units, missing.get(wanted, 0))
    return promised(order), missing


def _as_order(name: str, cart: Cart, now: datetime) -> PlaceOrder:
    """The order that a cart would be; nothing of it is kept but its sources."""
    lines = (
        Line(
            channel_line_id=str(number),
            kind=LineKind.PHYSICAL,
            fulfilled_by=FulfilledBy.US,
            parent_line_id=None,
            delivery_id=_DELIVERY,
            sku=line.sku,
            title="",
            quantity=line.units,
            unit_price=0,
            amount=0,
        )
        for number, line in enumerate(cart.lines)
    )
    return PlaceOrder(
        channel=cart.channel,
        adapter="",
        channel_order_id=name,
        channel_version="",
        order_number="",
        currency="",
        presentment_currency="",
        test=False,
        cancelled=False,
        placed_at=now,
        tax_included=True,
        customer=Customer(),
        billing=None,
        deliveries=(Delivery(_DELIVERY, cart.method, ship_to=cart.ship_to, location=cart.location),),
        lines=tuple(lines),
        discount=0,
        shipping=0,
        fees=(),
        duties=0,
        tip=0,
        tax=0,
        total=0,
        payments=(),
    )
