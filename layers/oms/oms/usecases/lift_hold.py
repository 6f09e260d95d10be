"""Lift a hold of an order: what is allocated may go to its locations then."""

from datetime import datetime

from oms.orders.holds import lift
from oms.orders.model import Order
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.queries import known_order
from oms.store.table import Table
from oms.store.writes import replace
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle


def lift_hold(table: Table, name: str, hold: str, now: datetime, expected: int | None = None) -> Order:
    """Lift a hold, once: a repeated request finds it lifted. Write units: 1, and 2 of the work queue.

    Args:
        table: the store.
        name: id of the order.
        hold: which.
        now: UTC.
        expected: the version of the order that the caller has seen; None when it does not mind.

    Returns:
        The order as it stands.

    Raises:
        Problem: there is no such order or hold, `version_mismatch`, or the hold ends by itself.
        Busy: the order kept changing; try again.
    """

    def attempt() -> Order:
        order = known_order(table, name)
        lifted = lift(order, hold, now)
        if lifted is not order:
            check_version(expected, order.v)
            table.commit(replace(keys.header(name), encode_order(lifted), order.v))
        return lifted

    return settle(attempt, f"the hold of order {name}")
