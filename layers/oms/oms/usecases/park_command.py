"""Park what a channel says of an order that is not there yet: the order absorbs it when it comes."""

from datetime import datetime

from oms.orders.model import Order
from oms.orders.stubs import Early, Stub
from oms.store import keys
from oms.store.orders import decode_order
from oms.store.stubs import decode_stub, is_stub, park
from oms.store.table import Table


def order_or_parked(table: Table, order_id: str, command: Early, now: datetime) -> Order | None:
    """The order that a command is about, or None: then the command has been parked, once.

    Args:
        table: the store.
        order_id: which order.
        command: what the channel says.
        now: UTC.

    Raises:
        Cancelled: the order came in between, or another command; read again.
    """
    item = table.get(keys.header(order_id))
    if item is not None and not is_stub(item):
        return decode_order(item)
    seen = decode_stub(item) if item else Stub(order_id)
    stub = seen.with_command(command)
    if stub is not seen:
        table.commit(park(seen, stub, now))
    return None
