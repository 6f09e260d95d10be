"""Record what channels and providers say of an order's money: each payment and each refund once."""

import json
import zlib
from datetime import datetime
from typing import cast

from oms.channels.canonical import to_document
from oms.channels.generic.documents import restored
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.records import PaymentRecorded, RefundRecorded
from oms.payments.recording import Recorded, with_payment, with_refund
from oms.payments.refunds import Refund
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item
from oms.store.orders import encode_order
from oms.store.queries import known_order
from oms.store.returns import encode_refund, read_refunds
from oms.store.table import Table
from oms.store.writes import Write, create, put, replace
from oms.usecases.races import settle


def record_money(table: Table, record: PaymentRecorded | RefundRecorded, now: datetime) -> Order | None:
    """Record a payment event or a refund of a channel, once.

    Write units: header 2, payment or refund 2, and each refund that it settles 2.

    Args:
        table: the store.
        record: what was said.
        now: UTC.

    Returns:
        The order as it is then; None when the record was known, or changes nothing.

    Raises:
        Problem: the record names no order, or none that is there (it may come: worth another try).
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


def _record(table: Table, name: str, record: PaymentRecorded | RefundRecorded, now: datetime) -> Order | None:
    order = known_order(table, name)
    refunds = read_refunds(table, name, consistent=True)
    recorded: Recorded | None
    payment: list[Write] = []
    if isinstance(record, PaymentRecorded):
        recorded = with_payment(order, _payments(table, name), refunds.values(), record, now)
        document = json.dumps(to_document(record), separators=(",", ":")).encode()
        item: Item = {"t": "payment", "sv": 1, "doc": zlib.compress(document, 9)}
        payment = [put(keys.payment(name, record.payment_id), item)]
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


def _payments(table: Table, name: str) -> dict[str, PaymentRecorded]:
    items = table.query(keys.order(name), keys.PAYMENT, consistent=True)
    documents = (json.loads(zlib.decompress(cast(bytes, item["doc"]))) for item in items)
    payments = (cast(PaymentRecorded, restored(document)) for document in documents)
    return {payment.payment_id: payment for payment in payments}
