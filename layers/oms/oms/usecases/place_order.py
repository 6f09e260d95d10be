"""Place an order: read stock, choose sources, and commit order and allocations in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime

from oms.inventory.model import Stock
from oms.inventory.network import Network
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict, judge
from oms.orders.model import Order
from oms.orders.placing import Placement, place
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item
from oms.store.errors import Busy, Cancelled, Reason
from oms.store.orders import backorder_item, decode_order, encode_body, encode_order
from oms.store.stock import decode_demand, decode_position, read_stock
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write, create, move, wait
from oms.store.writes import replace as replace_item

_QUICK_TRIES = 3
"""Tries with what lost races show, before all stock is read again, consistently."""

_TRIES = 8


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command: the verdict, the order as it stands, and how often a position refused it.

    `opened` are the codes of exceptions that this command has opened.
    """

    verdict: Verdict
    order: Order
    refused: int = 0
    opened: tuple[str, ...] = ()


def place_order(table: Table, network: Network, command: PlaceOrder, now: datetime) -> Result:
    """Place an order that a channel has taken, once, however often the command arrives.

    Args:
        table: the store.
        network: channels, pools and locations.
        command: the order.
        now: UTC.

    Raises:
        Problem: the channel is not configured, or the order has more positions than one transaction takes.
        Busy: the stock stayed contended; hand the command back to its queue.
    """
    channel = network.channels.get(command.channel)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {command.channel} is not configured", "channel")
    skus = {line.sku for line in command.lines if line.sku}
    consistent = False
    stocks = read_stock(table, skus)
    for attempt in range(_TRIES):
        placement = place(command, channel, network, stocks, now)
        if placement.demands and not consistent:
            # Only a consistent read may decide that units have to wait.
            consistent = True
            stocks = read_stock(table, skus, consistent=True)
            placement = place(command, channel, network, stocks, now)
        writes = _writes(placement, network, now)
        if len(writes) > MOST_WRITES:
            raise Problem(Code.UNSUPPORTED, f"an order that needs {len(writes)} writes at once", "lines")
        try:
            table.commit(*writes)
            opened = tuple(exception.code for exception in placement.order.exceptions)
            return Result(Verdict.PLACED, placement.order, refused=attempt, opened=opened)
        except Cancelled as cancelled:
            existing = _header(cancelled.reasons)
            if existing is not None:
                return _judge(table, existing, command, now)
            consistent = attempt >= _QUICK_TRIES
            if consistent:
                stocks = read_stock(table, skus, consistent=True)
            else:
                stocks = _corrected(stocks, cancelled.reasons)
    raise Busy(
        f"order {order_id(command.channel, command.channel_order_id)} lost {_TRIES} races for its stock"
    )


def _writes(placement: Placement, network: Network, now: datetime) -> list[Write]:
    order = placement.order
    why = Why("order_placed", order.order_id, "intake", now)
    writes = [
        create(keys.header(order.order_id), encode_order(order)),
        create(keys.body(order.order_id), encode_body(order, placement.body)),
    ]
    for (sku, name), delta in sorted(placement.deltas.items()):
        location = network.locations.get(name)
        safety = location.safety_stock if location else 0
        writes.append(move(sku, name, delta, why, safety_stock=safety))
    for change in placement.demands:
        writes.append(wait(change))
        if change.backordered:
            item = backorder_item(order, change.sku, change.backordered, order.placed_at)
            writes.append(create(keys.backorder(order.order_id, change.sku), item))
    return writes


def _header(reasons: tuple[Reason, ...]) -> Item | None:
    """The order's header, if that it is there already is among the reasons; this outranks all others."""
    return next((reason.item for reason in reasons if reason.write.key.sk == keys.HEADER_SK), None)


def _corrected(stocks: dict[str, Stock], reasons: tuple[Reason, ...]) -> dict[str, Stock]:
    """The stock seen, with the positions and demands that the lost race shows in their place."""
    corrected = dict(stocks)
    for item in (reason.item for reason in reasons if reason.item):
        if item["t"] == "position":
            position = decode_position(item)
            stock = corrected[position.sku]
            others = tuple(known for known in stock.positions if known.location != position.location)
            corrected[position.sku] = replace(stock, positions=(*others, position))
        elif item["t"] == "demand":
            demand = decode_demand(item)
            stock = corrected[demand.sku]
            rest = tuple(known for known in stock.demands if known.pool != demand.pool)
            corrected[demand.sku] = replace(stock, demands=(*rest, demand))
    return corrected


def _judge(table: Table, item: Item, command: PlaceOrder, now: datetime) -> Result:
    """Judge a command against the order that is there; anew whenever somebody else writes it first."""
    while True:
        order = decode_order(item)
        verdict, judged = judge(order, command, now)
        if judged is order:
            return Result(verdict, order)
        try:
            table.commit(replace_item(keys.header(order.order_id), encode_order(judged), order.v))
            opened = tuple(exception.code for exception in judged.exceptions[len(order.exceptions) :])
            return Result(verdict, judged, opened=opened)
        except Cancelled as cancelled:
            moved = cancelled.reasons[0].item
            assert moved is not None, "orders are never deleted"
            item = moved
