"""Reserve what a cart wants: hold it anew, for another time, or as much as it has become."""

from datetime import datetime, timedelta
from functools import partial

from oms.inventory.network import Network
from oms.inventory.reservations import Cart, Reservation, ReservationState
from oms.orders.reserving import Hold, reserve
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import millis, moment
from oms.store.placements import position_writes
from oms.store.reservations import encode_reservation, end, hold, read_reservation
from oms.store.stock import read_wanted
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write, create, replace
from oms.usecases.preconditions import check_id, check_version
from oms.usecases.races import settle
from oms.values import frozen

LONGEST = timedelta(days=1)
"""How long a cart may hold units from now on; it can be extended."""


@frozen
class Wish:
    """What shall be held, until when (UTC). With `partial` what there is will do when it is less."""

    cart: Cart
    expires_at: datetime
    partial: bool = False


def reserve_cart(
    table: Table, network: Network, name: str, wish: Wish, now: datetime, expected: int | None = None
) -> Reservation:
    """Make a reservation hold what a cart wants; the same wish again changes nothing.

    One that is held already changes by the difference, in one transaction; one that has expired or was
    released is held anew. Only stock that a new order could take is held: what waits comes first.

    Args:
        table: the store.
        network: channels, pools and locations.
        name: id of the reservation, its caller's own.
        wish: what it shall hold.
        now: UTC.
        expected: the version that the caller has seen, 0 for none yet; None for any.

    Returns:
        The reservation as it stands.

    Raises:
        Problem: a field is not what it should be; `stock_short` when there is too little; `state_refused` for
            a reservation that has become an order; `conflict` for one of another channel; `version_mismatch`.
        Busy: the stock stayed contended; try again.
    """
    check_id(name, "reservation")
    cart = wish.cart
    channel = network.channels.get(cart.channel)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {cart.channel} is not configured", "channel")
    if cart.location is not None and cart.location not in {*network.locations, *channel.locations}:
        raise Problem(Code.FIELD_INVALID, f"location {cart.location} is not configured", "location")
    if not now < wish.expires_at <= now + LONGEST:
        raise Problem(Code.FIELD_INVALID, "a cart holds units for up to 24 hours from now", "expires_at")
    attempt = partial(_reserve, table, network, name, wish, now, expected)
    return settle(attempt, f"reservation {name}")


def _reserve(
    table: Table, network: Network, name: str, wish: Wish, now: datetime, expected: int | None
) -> Reservation:
    cart, expires_at = wish.cart, moment(millis(wish.expires_at))
    seen = read_reservation(table, name) or Reservation(id=name, cart=cart, expires_at=now)
    if seen.holds_at(now) and (seen.cart, seen.expires_at) == (cart, expires_at):
        return seen
    if seen.cart.channel != cart.channel:
        raise Problem(Code.CONFLICT, f"reservation {name} is of channel {seen.cart.channel}", "channel")
    check_version(expected, seen.v)
    if seen.state is ReservationState.CONFIRMED:
        detail = f"reservation {name} has become order {seen.order_id}"
        raise Problem(Code.STATE_REFUSED, detail, state=str(seen.state))
    skus = {line.sku for line in cart.lines} | {sku for sku, _ in seen.held}
    stocks = read_wanted(table, skus, consistent=True)
    for number, line in enumerate(cart.lines):
        if stocks[line.sku].sku is None:
            raise Problem(
                Code.FIELD_INVALID, f"sku {line.sku} is not in the catalogue", f"lines[{number}].sku"
            )
    made = reserve(seen, cart, expires_at, network.channels[cart.channel], network, stocks, now)
    for number, units in made.missing.items():
        if not wish.partial:
            detail = f"of sku {cart.lines[number].sku} {units} units too few can be reserved"
            raise Problem(Code.STOCK_SHORT, detail, f"lines[{number}].units")
    writes = _writes(seen, made, now)
    if len(writes) > MOST_WRITES:
        raise Problem(Code.UNSUPPORTED, f"a reservation that needs {len(writes)} writes at once", "lines")
    table.commit(*writes)
    return made.reservation


def _writes(seen: Reservation, made: Hold, now: datetime) -> list[Write]:
    key, header = keys.reservation(seen.id), encode_reservation(made.reservation)
    why = Why("reserved", seen.id, "reservations", now)
    return [
        replace(key, header, seen.v) if seen.v else create(key, header),
        *position_writes(made.deltas, made.ended, why),
        *(hold(row, before) for row, before in made.rows),
        *(end(row) for row in made.gone),
    ]
