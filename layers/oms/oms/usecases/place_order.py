"""Place an order: read stock, choose sources, and commit order and allocations in one transaction."""

from dataclasses import dataclass
from datetime import datetime

from oms.inventory.model import Stock
from oms.inventory.network import Channel, Network
from oms.inventory.reservations import Reservation
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict, judge
from oms.orders.model import Order
from oms.orders.placing import place
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Busy, Cancelled, Reason
from oms.store.orders import decode_order, encode_order
from oms.store.placements import order_writes, stock_writes
from oms.store.reservations import read_reservation
from oms.store.stock import decode_demand, decode_position, read_stock
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why
from oms.store.writes import replace as replace_item
from oms.usecases.end_reservations import make_room
from oms.usecases.heat import Heat, Hot

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


def place_order(
    table: Table, network: Network, command: PlaceOrder, now: datetime, heat: Heat | None = None
) -> Result:
    """Place an order that a channel has taken, once, however often the command arrives.

    Args:
        table: the store.
        network: channels, pools and locations.
        command: the order.
        now: UTC.
        heat: what the batch of orders knows of hot skus; an order that asks for one is not placed. None:
            place it whatever it asks for.

    Raises:
        Problem: the channel is not configured, or the order has more positions than one transaction takes.
        Hot: it belongs into the hot lane.
        Busy: the stock stayed contended; hand the command back to its queue.
    """
    channel = channel_of(command, network)
    # What a cart holds is only known from a consistent read.
    consistent = command.reservation is not None
    cart, stocks = _read(table, command, consistent=consistent)
    _check_heat(heat, stocks, now)
    for attempt in range(_TRIES):
        placement = place(command, channel, network, stocks, now, cart)
        if placement.demands and not consistent:
            # Only a consistent read may decide that units have to wait.
            consistent = True
            cart, stocks = _read(table, command, consistent=True)
            placement = place(command, channel, network, stocks, now, cart)
        why = Why("order_placed", placement.order.order_id, "intake", now)
        writes = [*order_writes(placement), *stock_writes([placement], network, why)]
        if len(writes) > MOST_WRITES:
            if not make_room(table, network, placement, now):
                raise too_large(len(writes))
            cart, stocks = _read(table, command, consistent=True)
            continue
        try:
            table.commit(*writes)
            opened = tuple(exception.code for exception in placement.order.exceptions)
            return Result(Verdict.PLACED, placement.order, refused=attempt, opened=opened)
        except Cancelled as cancelled:
            existing = known_orders(cancelled.reasons)
            if existing:
                return judge_again(table, existing[placement.order.order_id], command, now)
            consistent = attempt >= _QUICK_TRIES or bool(placement.ended or placement.reservation)
            if consistent:
                cart, stocks = _read(table, command, consistent=True)
            else:
                stocks = _corrected(stocks, cancelled.reasons)
        except Busy:
            _check_heat(heat, stocks, now)
            raise
    raise Busy(
        f"order {order_id(command.channel, command.channel_order_id)} lost {_TRIES} races for its stock"
    )


def _read(
    table: Table, command: PlaceOrder, *, consistent: bool
) -> tuple[Reservation | None, dict[str, Stock]]:
    """The reservation that an order names, and the stock of its skus and of the order's."""
    cart = read_reservation(table, command.reservation) if command.reservation else None
    skus = {line.sku for line in command.lines if line.sku} | {sku for sku, _ in (cart.held if cart else ())}
    return cart, read_stock(table, skus, consistent=consistent)


def channel_of(command: PlaceOrder, network: Network) -> Channel:
    """The configuration of a command's channel.

    Raises:
        Problem: there is none.
    """
    channel = network.channels.get(command.channel)
    if channel is None:
        raise Problem(Code.CHANNEL_UNKNOWN, f"channel {command.channel} is not configured", "channel")
    return channel


def too_large(writes: int) -> Problem:
    """What is wrong with an order that does not fit into one transaction."""
    return Problem(Code.UNSUPPORTED, f"an order that needs {writes} writes at once", "lines")


def known_orders(reasons: tuple[Reason, ...]) -> dict[str, Order]:
    """Orders that are there already, by id; this reason outranks all others."""
    return {
        order.order_id: order
        for reason in reasons
        if reason.write.key.sk == keys.HEADER_SK and reason.item
        for order in [decode_order(reason.item)]
    }


def _check_heat(heat: Heat | None, stocks: dict[str, Stock], now: datetime) -> None:
    lane = heat.lane(stocks, now) if heat else None
    if lane is not None:
        raise Hot(lane)


def _corrected(stocks: dict[str, Stock], reasons: tuple[Reason, ...]) -> dict[str, Stock]:
    """The stock seen, with the positions and demands that the lost race shows in their place."""
    corrected = dict(stocks)
    for item in (reason.item for reason in reasons if reason.item):
        if item["t"] == "position":
            position = decode_position(item)
            corrected[position.sku] = corrected[position.sku].with_position(position)
        elif item["t"] == "demand":
            demand = decode_demand(item)
            corrected[demand.sku] = corrected[demand.sku].with_demand(demand)
    return corrected


def judge_again(table: Table, order: Order, command: PlaceOrder, now: datetime) -> Result:
    """Judge a command against the order that is there; anew whenever somebody else writes it first."""
    while True:
        verdict, judged = judge(order, command, now)
        if judged is order:
            return Result(verdict, order)
        try:
            table.commit(replace_item(keys.header(order.order_id), encode_order(judged), order.v))
            opened = tuple(exception.code for exception in judged.exceptions[len(order.exceptions) :])
            return Result(verdict, judged, opened=opened)
        except Cancelled as cancelled:
            (moved,) = cancelled.reasons
            assert moved.item is not None, "orders are never deleted"
            order = decode_order(moved.item)
