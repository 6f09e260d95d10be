"""Record a return: its request, what came in at a location, what became of it there."""

from datetime import datetime

from oms.inventory.model import Position
from oms.inventory.network import Network
from oms.problems import Code, Problem
from oms.returns.events import ReturnFact, ReturnRequest
from oms.returns.progress import Change, Known, record, request, skus_moved
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.queries import known_order
from oms.store.returns import encode_refund, encode_return, read_refunds, read_returns
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move, replace
from oms.usecases.races import settle
from oms.values import replace as changed


def record_return(
    table: Table, network: Network, message: ReturnRequest | ReturnFact, now: datetime
) -> Change:
    """Record what a message says of a return, once, in whatever order messages arrive.

    Write units, with L positions and items within 1 KB: a request 4, a receipt 6 + 2L, a disposition 2 + 2L;
    1 more for the return and for each position when they are new.

    Args:
        table: the store.
        network: names the locations.
        message: a request, or a fact.
        now: UTC.

    Returns:
        What has changed, with the order and the return as they are now; a repeated message changes nothing.

    Raises:
        Problem: there is no such order or location, or the request is refused.
        Busy: somebody else kept writing; hand the message back to its queue.
    """
    if isinstance(message, ReturnFact) and message.location not in network.locations:
        raise Problem(Code.NOT_FOUND, f"location {message.location} is not configured", "location")
    return settle(lambda: _record(table, message, now), f"message {message.message_id}")


def _record(table: Table, message: ReturnRequest | ReturnFact, now: datetime) -> Change:
    known = _known(table, message.order_id)
    positions: dict[str, Position] = {}
    if isinstance(message, ReturnRequest):
        change = request(known, message, now)
    else:
        skus = skus_moved(known.order, message)
        positions = {sku: read_position(table, sku, message.location) for sku in sorted(skus)}
        change = record(known, message, positions, now)
    writes = _writes(known, change, positions, message.occurred_at, now)
    if writes:
        table.commit(*writes)
    return change


def _writes(
    known: Known, change: Change, positions: dict[str, Position], at: datetime, now: datetime
) -> list[Write]:
    """Everything that a change writes; nothing when the message was recorded before."""
    after = change.return_
    before = known.returns.get(after.id)
    if after is before:
        return []
    key = keys.return_(after.order_id, after.id)
    writes = [replace(key, encode_return(after), before.v) if before else create(key, encode_return(after))]
    if change.order is not known.order:
        header = keys.header(after.order_id)
        writes.append(replace(header, encode_order(change.order), known.order.v))
    if change.refund:
        writes.append(create(keys.refund(after.order_id, change.refund.id), encode_refund(change.refund)))
    why = Why(f"return_{after.journal[-1].kinds[-1]}", after.public_id, "returns", now, at)
    for (sku, location), delta in sorted(change.deltas.items()):
        dated = changed(why, redated=change.redated.get(sku, ()))
        writes.append(move(sku, location, delta, dated, seen=positions[sku]))
    return writes


def _known(table: Table, order_id: str) -> Known:
    """The order with its returns and refunds; the header first, as `Known` demands."""
    return Known(
        known_order(table, order_id),
        read_returns(table, order_id, consistent=True),
        read_refunds(table, order_id, consistent=True),
    )
