"""Leave something about an order to a person, who finds it among the order's exceptions."""

from datetime import datetime

from oms.orders.model import Order
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.queries import known_order
from oms.store.table import Table
from oms.store.writes import replace
from oms.usecases.races import settle


def leave_to_person(table: Table, order_id: str, code: str, ref: str, now: datetime) -> Order:
    """Open an exception of an order, once. Write units: 2 for the header.

    Args:
        table: the store.
        order_id: ours.
        code: one of `oms.orders.model.EXCEPTIONS`.
        ref: what it concerns.
        now: UTC.

    Returns:
        The order as it stands.

    Raises:
        Problem: `not_found`.
        Busy: the order kept changing; hand the message back to its queue.
    """

    def attempt() -> Order:
        order = known_order(table, order_id)
        opened = order.with_exception(code, ref, now)
        if opened is order:
            return order
        written = opened.written(now)
        table.commit(replace(keys.header(order_id), encode_order(written), order.v))
        return written

    return settle(attempt, f"exception of order {order_id}")
