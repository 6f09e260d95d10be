"""Judge an order that arrives again, and carry out what a newer version of it means."""

from dataclasses import dataclass
from datetime import datetime

from oms.inventory.network import Network
from oms.orders.commands import PlaceOrder
from oms.orders.judgement import Verdict, judge
from oms.orders.model import Order
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.queries import known_order
from oms.store.table import Table
from oms.store.writes import Write, replace
from oms.usecases.cancel_order import cancellation
from oms.usecases.races import settle


@dataclass(frozen=True, slots=True)
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
        judgement = judge(current, command, now)
        final = judgement.order
        writes: list[Write] = []
        if judgement.wish:
            done, writes = cancellation(table, network, current, final, judgement.wish, now)
            final = done.order
        elif final is not current:
            writes = [replace(keys.header(order.order_id), encode_order(final), current.v)]
        if writes:
            table.commit(*writes)
        opened = tuple(known.code for known in final.exceptions if known not in current.exceptions)
        return Judged(judgement.verdict, final, opened)

    return settle(attempt, f"order {order.order_id}")
