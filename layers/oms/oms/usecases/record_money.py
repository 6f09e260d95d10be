"""Record what channels and providers say of an order's money: each payment and each refund once."""

from datetime import datetime
from typing import Any

from oms.inventory.network import Network
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.records import PaymentRecorded, RefundRecorded
from oms.payments.recording import Recorded, with_payment, with_refund
from oms.payments.refunds import Refund
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.payments import encode_payment, read_payments
from oms.store.returns import encode_refund, read_refunds
from oms.store.table import Table
from oms.store.writes import Write, create, put, replace
from oms.usecases.park_command import order_or_parked
from oms.usecases.races import settle
from oms.values import replace as dataclass_replace


def record_money(table: Table, record: PaymentRecorded | RefundRecorded, now: datetime) -> Order | None:
    """Record a payment event or a refund of a channel, once; one that comes before its order waits for it.

    Write units: header 2, payment or refund 2, and each refund that it settles 2.

    Args:
        table: the store.
        record: what was said.
        now: UTC.

    Returns:
        The order as it is then; None when the record was known, or changes nothing, or waits for its order.

    Raises:
        Problem: the record names no order.
        Busy: the order kept changing; hand the record back to its queue.
    """
    if record.channel_order_id is None:
        raise Problem(Code.UNSUPPORTED, "the payment names no order of its channel", "channel_order_id")
    name = order_id(record.channel, record.channel_order_id)
    return settle(lambda: _record(table, name, record, now), f"money of order {name}")


def refund_write(before: Refund | None, refund: Refund) -> Write:
    """A refund that is new, or over the one that it was made from."""
    key = keys.refund(refund.order_id, refund.id)
    return replace(key, encode_refund(refund), before.v) if before else create(key, encode_refund(refund))


def linked(record: PaymentRecorded | RefundRecorded, network: Network) -> PaymentRecorded | RefundRecorded:
    """A record of a channel that only takes money, as one of the channel that its orders are of."""
    channel = network.channels.get(record.channel)
    if channel is None or channel.orders_of is None:
        return record
    named = record.channel_order_id
    if named is not None and channel.order_prefix is not None:
        named = named.removeprefix(channel.order_prefix) or None
    changed: dict[str, Any] = {"channel": channel.orders_of, "channel_order_id": named}
    return dataclass_replace(record, **changed)


def _record(table: Table, name: str, record: PaymentRecorded | RefundRecorded, now: datetime) -> Order | None:
    order = order_or_parked(table, name, record, now)
    if order is None:
        return None
    refunds = read_refunds(table, name, consistent=True)
    recorded: Recorded | None
    payment: list[Write] = []
    if isinstance(record, PaymentRecorded):
        recorded = with_payment(order, read_payments(table, name), refunds.values(), record, now)
        payment = [put(keys.payment(name, record.payment_id), encode_payment(record))]
    else:
        recorded = with_refund(order, refunds, record, now)
    if recorded is None:
        return None
    table.commit(
        replace(keys.header(name), encode_order(recorded.order), order.v),
        *payment,
        *(refund_write(refunds.get(refund.id), refund) for refund in recorded.refunds),
    )
    return recorded.order
