"""Announce what a channel says will come back: a return of ours under the channel's id, once approved."""

from datetime import datetime

from oms.inventory.network import Network
from oms.orders.cancelling import by_goods
from oms.orders.identity import order_id
from oms.orders.model import Order, OrderBody
from oms.orders.records import ReturnRecorded, ReturnStatus
from oms.problems import Code, Problem
from oms.returns.events import RequestedUnits, ReturnRequest
from oms.returns.model import Return, return_id
from oms.store.queries import order_with_body
from oms.store.returns import read_returns
from oms.store.table import Table
from oms.usecases.record_return import record_return


def announce_return(table: Table, network: Network, record: ReturnRecorded, now: datetime) -> Return | None:
    """Announce a return that its channel has approved, once: its id there is its reference here.

    Only what is approved will come; one that is asked for is told of again when it is. What has come in is
    for our locations to say, so a channel that closes a return that we know changes nothing.

    Args:
        table: the store.
        network: channels, pools and locations.
        record: what the channel says.
        now: UTC.

    Returns:
        The return; None when nothing is announced.

    Raises:
        Problem: `not_found`, the order is not there, or `state_refused`, more units than have left (both may
            come: worth another try); `unsupported`, the order or the units are not named, the channel calls
            off a return that is announced, or has taken back what nobody has announced.
        Busy: the order kept changing; hand the record back to its queue.
    """
    if record.status is ReturnStatus.REQUESTED or (record.status is ReturnStatus.CLOSED and not record.lines):
        return None
    if record.channel_order_id is None:
        raise Problem(Code.UNSUPPORTED, "the return names no order of its channel", "channel_order_id")
    name = order_id(record.channel, record.channel_order_id)
    known = read_returns(table, name, consistent=True).get(return_id(name, record.return_id))
    announced = known is not None and known.announced
    if record.status is not ReturnStatus.OPEN:
        if announced != (record.status is ReturnStatus.CLOSED):
            detail = f"return {record.return_id} is {record.status} at its channel: a person has to look"
            raise Problem(Code.UNSUPPORTED, detail, "status")
        return None
    if announced and not record.lines:
        return known
    if not record.lines:
        raise Problem(Code.UNSUPPORTED, "the return does not say what comes back", "lines")
    found = order_with_body(table, name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"order {name} is not there", "channel_order_id")
    lines = _requested(*found, record)
    message = ReturnRequest(f"channel.{record.return_id}", record.occurred_at, name, record.return_id, lines)
    return record_return(table, network, message, now).return_


def _requested(order: Order, body: OrderBody, record: ReturnRecorded) -> tuple[RequestedUnits, ...]:
    """The units by our lines: several may stand for one of the channel's, and a kit's come as components."""
    units: dict[str, int] = {}
    reasons: dict[str, str | None] = {}
    for index, returned in enumerate(record.lines):
        names = [line.line_id for line in body.lines if line.channel_line_id == returned.channel_line_id]
        ours = [line for line in order.lines if line.line_id in names]
        if not ours:
            detail = f"the order has no line {returned.channel_line_id}"
            raise Problem(Code.FIELD_INVALID, detail, f"lines[{index}].channel_line_id")
        left = returned.quantity
        for line in ours:
            # More than has left is asked for of the last one, which refuses it.
            taken = left if line is ours[-1] else min(left, line.shipped)
            left -= taken
            for part, share in by_goods(order, {line.line_id: taken} if taken else {}).items():
                units[part] = units.get(part, 0) + share
                reasons[part] = returned.reason
    return tuple(RequestedUnits(line, count, reasons[line]) for line, count in units.items())
