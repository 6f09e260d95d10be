"""Codec of payments: what was recorded of an order's money, each under its provider's id."""

import json
import zlib
from typing import cast

from oms.orders.records import PaymentRecorded
from oms.store import keys
from oms.store.attributes import Item
from oms.store.table import Table


def encode_payment(payment: PaymentRecorded) -> Item:
    """A payment's attributes, without its key."""
    # Most orders are placed without: not every function that places them pays for the codec of all commands.
    from oms.channels.canonical import to_document  # noqa: PLC0415

    document = json.dumps(to_document(payment), separators=(",", ":")).encode()
    return {"t": "payment", "sv": 1, "doc": zlib.compress(document, 9)}


def read_payments(table: Table, order_id: str) -> dict[str, PaymentRecorded]:
    """Every payment of an order, by its provider's id."""
    from oms.channels.generic.documents import restored  # noqa: PLC0415

    items = table.query(keys.order(order_id), keys.PAYMENT, consistent=True)
    documents = (json.loads(zlib.decompress(cast(bytes, item["doc"]))) for item in items)
    payments = (cast(PaymentRecorded, restored(document)) for document in documents)
    return {payment.payment_id: payment for payment in payments}
