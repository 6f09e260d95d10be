"""Judge an order that arrives again, and carry out what a newer version of it means."""

from datetime import datetime

from oms.inventory.model import Stock
from oms.inventory.network import Network
from oms.orders.claims import reclaimed, unlisted
from oms.orders.commands import PlaceOrder
from oms.orders.judgement import Verdict, judge, judged
from oms.orders.model import Order, OrderBody
from oms.orders.placing import IN_TURN
from oms.payments.refunds import late_refund
from oms.store import keys
from oms.store.orders import decode_body, encode_body, encode_order
from oms.store.placements import reclaim_writes
from oms.store.queries import known_order
from oms.store.returns import read_refunds
from oms.store.stock import read_wanted
from oms.store.table import Table
from oms.store.writes import Why, Write, put, replace
from oms.usecases.cancel_order import cancellation, settlement
from oms.usecases.races import settle
from oms.usecases.record_money import refund_write
from oms.usecases.source_order import source_order
from oms.values import frozen
from oms.values import replace as dataclass_replace


@frozen
class Judged:
    """What became of a command: the verdict, the order as it stands, codes of the exceptions opened."""

    verdict: Verdict
    order: Order
    opened: tuple[str, ...] = ()


def judge_order(table: Table, network: Network, order: Order, command: PlaceOrder, now: datetime) -> Judged:
    """Judge a command against the order that is there; anew whenever somebody else writes it first.

    Args:
        table: the store.
        network: channels, pools and locations.
        order: the header, as it has just been read.
        command: the order as it has arrived again.
        now: UTC.

    Raises:
        Busy: the order kept changing; hand the command back to its queue.
    """
    seen = [order]

    def attempt() -> Judged:
        current = seen.pop() if seen else known_order(table, order.order_id)
        newer = judged(current, command) in (Verdict.REFRESHED, Verdict.EDIT_RECEIVED)
        body, stocks = _looked_up(table, current, command) if newer else (None, {})
        judgement = judge(current, body, command, stocks, now)
        final = judgement.order
        writes: list[Write] = []
        if judgement.wish:
            done, writes = cancellation(table, network, current, final, judgement.wish, now)
            final = done.order
        elif judgement.left:
            why = Why("left_elsewhere", order.order_id, "orders", now)
            writes = reclaim_writes(current, reclaimed(current, final), why)
        elif final is not current:
            writes = [replace(keys.header(order.order_id), encode_order(final), current.v)]
        money = (final.captured, final.refunded) != (current.captured, current.refunded)
        if money and not judgement.wish:
            # What the channel has given back was due: nobody else may.
            refunds = read_refunds(table, order.order_id, consistent=True)
            settled = settlement(current, final, refunds, now)
            writes += (refund_write(refunds[refund.id], refund) for refund in settled.values())
            late = late_refund(current, final, (refunds | settled).values(), str(final.v), now)
            writes += [refund_write(None, late)] if late else []
        if judgement.body:
            writes.append(put(keys.body(order.order_id), encode_body(final, judgement.body)))
        if writes:
            table.commit(*writes)
        opened = tuple(known.code for known in final.exceptions if known not in current.exceptions)
        return Judged(judgement.verdict, final, opened)

    done = settle(attempt, f"order {order.order_id}")
    if IN_TURN in done.order.holds or unlisted(done.order):
        return dataclass_replace(done, order=source_order(table, network, order.order_id, now))
    return done


def _looked_up(table: Table, order: Order, command: PlaceOrder) -> tuple[OrderBody, dict[str, Stock]]:
    """The body of an order, and the stock of what a newer version has that the order has not."""
    item = table.get(keys.body(order.order_id))
    assert item is not None, "a body is written with its header"
    edits = judged(order, command) is Verdict.EDIT_RECEIVED and not command.test
    skus = {line.sku for line in command.lines if line.sku} if edits else set()
    return decode_body(item), read_wanted(table, skus, consistent=True)
