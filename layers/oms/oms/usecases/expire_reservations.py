"""Expire reservations: give back what they held, once, whoever comes first."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import batched

from oms.inventory.model import Delta, Deltas, Reserved, add
from oms.inventory.network import Network
from oms.orders.placing import Placement
from oms.store.errors import Cancelled
from oms.store.placements import position_writes
from oms.store.reservations import end
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write

_TOGETHER = MOST_WRITES // 2
"""Rows ended in one transaction: each may be at another position."""


def given_back(rows: Sequence[Reserved]) -> Deltas:
    """What ending rows changes of their positions."""
    deltas: Deltas = {}
    for row in rows:
        add(deltas, row.sku, row.location, Delta(reserved=-row.units))
    return deltas


def ending_writes(rows: Sequence[Reserved], network: Network, why: Why) -> list[Write]:
    """End rows, and give their units back to the positions in the same transaction."""
    return [*position_writes(given_back(rows), rows, network, why), *(end(row) for row in rows)]


def expired_rows(placement: Placement, now: datetime) -> tuple[Reserved, ...]:
    """The rows of expired reservations that a placement ends."""
    return tuple(row for row in placement.ended if row.expires_at <= now)


def end_expired(table: Table, network: Network, rows: Sequence[Reserved], now: datetime) -> None:
    """End rows of expired reservations, too many for the transaction that needs them.

    Those that somebody else ends meanwhile may leave others of them where they are: read again.

    Raises:
        Busy: conflicts or throttling outlasted the retries.
    """
    for together in batched(rows, _TOGETHER, strict=False):
        why = Why("reservation_expired", together[0].reservation, "placing", now)
        with suppress(Cancelled):
            table.commit(*ending_writes(together, network, why))
