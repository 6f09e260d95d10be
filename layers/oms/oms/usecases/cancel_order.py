"""Cancel an order or units of it: at once before release, afterwards by asking the locations."""

from collections.abc import Mapping
from datetime import datetime

from oms.fulfillment.recall import recall
from oms.inventory.network import Network
from oms.orders.cancelling import CancelRequest, by_channel, cancel
from oms.orders.claims import reclaimed
from oms.orders.commands import CancelOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.orders.replacing import outlives
from oms.payments.recording import settled_by
from oms.payments.refunds import Refund
from oms.returns.intercept import intercept
from oms.returns.model import Return
from oms.returns.progress import Known
from oms.store import keys, queries
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.inbox import Keep, keep_nothing
from oms.store.placements import reclaim_writes
from oms.store.returns import encode_return, read_refunds, read_returns
from oms.store.table import Table
from oms.store.writes import Why, Write, create, replace
from oms.usecases.park_command import order_or_parked
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle
from oms.usecases.record_money import refund_write
from oms.values import frozen


@frozen
class Cancelled:
    """What a request has changed: the order as it stands, units cancelled and asked for, the refund due.

    `exceptions` are the codes of those opened; `intercepted` is the return of what is on its way.
    """

    order: Order
    cancelled: int = 0
    asked: int = 0
    refund: Refund | None = None
    exceptions: tuple[str, ...] = ()
    intercepted: Return | None = None


def cancel_order(
    table: Table,
    network: Network,
    name: str,
    wish: CancelRequest,
    now: datetime,
    expected: int | None = None,
    keep: Keep[Cancelled] = keep_nothing,
) -> Cancelled:
    """Cancel what has not left; a repeated request for the whole order finds nothing left to cancel.

    Write units, with L positions: 2 for the header and 2 for each position, demand, row of what the order
    waits for, fulfillment order that is asked, and the refund.

    Args:
        table: the store.
        network: channels, pools and locations.
        name: id of the order.
        wish: what to cancel.
        now: UTC.
        expected: the version of the order that the caller has seen; None when it does not mind.
        keep: what else is written in the same transaction.

    Raises:
        Problem: there is no such order; it has another version; or the request is refused.
        Busy: the order kept changing; try again.
    """
    return settle(
        lambda: _cancel(table, network, name, wish, now, expected, keep), f"cancelling order {name}"
    )


def cancel_by_channel(
    table: Table, network: Network, command: CancelOrder, now: datetime
) -> Cancelled | None:
    """Cancel what has not left of an order that its channel has cancelled: a fact, so never refused.

    One that is older than the order as we have it, or that was carried out before, changes nothing; nor does
    one for an order that this one replaces itself, and outlives. When the order is not there yet, it waits
    for it.

    Args:
        table: the store.
        network: channels, pools and locations.
        command: what the channel says.
        now: UTC.

    Returns:
        What has changed; None: nothing is to be done before the order comes.

    Raises:
        Busy: the order kept changing; hand the command back to its queue.
    """
    name = order_id(command.channel, command.channel_order_id)
    wish = by_channel(command)

    def attempt() -> Cancelled | None:
        order = order_or_parked(table, name, command, now)
        if order is None:
            return None
        stands = outlives(name, order.placed_at, order.replaces, command)
        if stands or command.channel_version < order.channel_version:
            return Cancelled(order)
        result, writes = cancellation(table, network, order, order, wish, now)
        if writes:
            table.commit(*writes)
        return result

    return settle(attempt, f"cancelling order {name}")


def cancellation(
    table: Table,
    network: Network,
    stored: Order,
    order: Order,
    wish: CancelRequest,
    now: datetime,
) -> tuple[Cancelled, list[Write]]:
    """What a request changes, and everything that is written for it in one transaction.

    Args:
        table: the store; fulfillment orders, refunds and returns are read where they matter.
        network: channels, pools and locations.
        stored: the header as read; read first, so that the write fails when anything decided on has changed.
        order: the same with whatever else that transaction changes of it.
        wish: what to cancel.
        now: UTC.

    Raises:
        Problem: the request is refused.
    """
    name = order.order_id
    with_locations = any(entry.fulfillment_order for line in order.lines for entry in line.entries)
    works = {work.id: work for work in queries.fulfillment_orders(table, name)} if with_locations else {}
    refunds = read_refunds(table, name, consistent=True) if order.captured else {}
    settled = settlement(stored, order, refunds, now)
    writes = [refund_write(refunds[refund.id], refund) for refund in settled.values()]
    refunds |= settled
    change = cancel(order, works, refunds.values(), wish, now)
    final = change.order
    returned = None
    if change.refused and final is not order:
        returns = read_returns(table, name, consistent=True)
        returned = intercept(Known(final, returns, refunds), f"intercept {wish.channel}", now)
    if returned:
        final = returned.order
        writes.append(create(keys.return_(name, returned.return_.id), encode_return(returned.return_)))
    if change.refund:
        writes.append(refund_write(None, change.refund))
    for work_id, units in change.asked.items():
        asked = recall(works[work_id], units, str(wish.reason), now)
        key = keys.fulfillment_order(name, work_id)
        writes.append(replace(key, encode_fulfillment_order(asked), works[work_id].v))
    if final.v != stored.v:
        why = Why("order_cancelled", name, "orders", now)
        writes += reclaim_writes(stored, reclaimed(stored, final), why)
    opened = tuple(known.code for known in final.exceptions if known not in stored.exceptions)
    result = Cancelled(
        final,
        cancelled=sum(change.cancelled.values()),
        asked=sum(sum(units.values()) for units in change.asked.values()),
        refund=change.refund,
        exceptions=opened,
        intercepted=returned.return_ if returned else None,
    )
    return result, writes


def settlement(
    stored: Order, order: Order, refunds: Mapping[str, Refund], now: datetime
) -> dict[str, Refund]:
    """The refunds, by id, that are settled by what the channel has given back since the order was stored."""
    if order.refunded <= stored.refunded:
        return {}
    settled = settled_by(refunds.values(), stored.refunded, order.refunded, now)
    return {refund.id: refund for refund in settled}


def _cancel(
    table: Table,
    network: Network,
    name: str,
    wish: CancelRequest,
    now: datetime,
    expected: int | None,
    keep: Keep[Cancelled],
) -> Cancelled:
    order = queries.known_order(table, name)
    check_version(expected, order.v)
    result, writes = cancellation(table, network, order, order, wish, now)
    writes += keep(result)
    if writes:
        table.commit(*writes)
    return result
