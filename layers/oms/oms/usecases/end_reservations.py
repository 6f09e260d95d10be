"""End reservations: released by their owner, cleared away after their time, or in the way of an order."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import batched

from oms.inventory.model import Delta, Deltas, Reserved, add
from oms.inventory.network import Network
from oms.inventory.reservations import Reservation, ReservationState
from oms.orders.placing import Placement
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Cancelled
from oms.store.placements import position_writes
from oms.store.reservations import encode_reservation, end, read_reservation, read_rows
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write, replace
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle

_TOGETHER = MOST_WRITES // 2
"""Rows ended in one transaction: each may be at another position."""


def release_cart(
    table: Table, network: Network, name: str, now: datetime, expected: int | None = None
) -> Reservation:
    """Give back what a reservation holds; one that is over already stays as it is.

    Args:
        table: the store.
        network: pools and locations.
        name: id of the reservation.
        now: UTC.
        expected: the version that the caller has seen; None for any.

    Raises:
        Problem: `not_found`, `version_mismatch`, or `state_refused` for one that has become an order.
        Busy: its positions stayed contended; try again.
    """
    attempt = partial(_release, table, name, now, expected)
    return settle(attempt, f"release of reservation {name}")


def expire_reservation(table: Table, network: Network, name: str, now: datetime) -> bool:
    """Clear a reservation away when its time is over.

    Returns:
        Whether this call has done so: not when it was extended, or has ended in any way, or never was.

    Raises:
        Busy: its positions stayed contended; hand the message back to its queue.
    """
    return settle(partial(_expire, table, name, now), f"expiry of reservation {name}")


def make_room(table: Table, network: Network, placement: Placement, now: datetime) -> bool:
    """End what would not fit into the transaction of a placement: expired rows, else the order's own cart.

    Returns:
        Whether anything has ended, so that the order has to be placed from what is there now.

    Raises:
        Busy: conflicts or throttling outlasted the retries.
    """
    expired = [row for row in placement.ended if row.expires_at <= now]
    for together in batched(expired, _TOGETHER, strict=False):
        why = Why("reservation_expired", together[0].reservation, "placing", now)
        with suppress(Cancelled):  # somebody else has ended one of them
            table.commit(*ending_writes(together, why))
    if not expired and placement.reservation:
        release_cart(table, network, placement.reservation.id, now)
    return bool(expired or placement.reservation)


def ending_writes(rows: Sequence[Reserved], why: Why) -> list[Write]:
    """End rows, and give their units back to the positions in the same transaction."""
    return [*position_writes(given_back(rows), rows, why), *(end(row) for row in rows)]


def given_back(rows: Iterable[Reserved]) -> Deltas:
    """What ending rows changes of their positions."""
    deltas: Deltas = {}
    for row in rows:
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    return deltas


def _release(table: Table, name: str, now: datetime, expected: int | None) -> Reservation:
    seen = read_reservation(table, name)
    if seen is None:
        raise Problem(Code.NOT_FOUND, f"reservation {name} is not there", "reservation")
    if seen.state in (ReservationState.RELEASED, ReservationState.EXPIRED):
        return seen
    check_version(expected, seen.v)
    if seen.state is ReservationState.CONFIRMED:
        detail = f"reservation {name} has become order {seen.order_id}"
        raise Problem(Code.STATE_REFUSED, detail, state=str(seen.state))
    return _end(table, seen, seen.released(now))


def _expire(table: Table, name: str, now: datetime) -> bool:
    seen = read_reservation(table, name)
    if seen is None or seen.state is not ReservationState.HELD or seen.holds_at(now):
        return False
    _end(table, seen, seen.expired(now))
    return True


def _end(table: Table, seen: Reservation, ended: Reservation) -> Reservation:
    """Write a reservation as ended, with the rows of it that are still there."""
    why = Why(f"reservation_{ended.state}", seen.id, "reservations", ended.journal[-1].at)
    header = replace(keys.reservation(seen.id), encode_reservation(ended), seen.v)
    table.commit(header, *ending_writes(read_rows(table, seen), why))
    return ended
