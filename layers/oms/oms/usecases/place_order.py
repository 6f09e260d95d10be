"""Place an order: read stock, choose sources, and commit order and allocations in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from oms.inventory.model import Stock
from oms.inventory.network import Network
from oms.inventory.reservations import Reservation
from oms.orders.claims import unknown, unlisted
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.line_ids import told_apart
from oms.orders.model import Order
from oms.orders.placing import IN_TURN, Placement, left_by, place
from oms.orders.replacing import in_place_of
from oms.orders.stubs import Stub, absorbed, recalled
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item, encode
from oms.store.errors import Busy, Cancelled, Reason
from oms.store.meter import item_size
from oms.store.orders import decode_order
from oms.store.placements import order_writes, stock_writes
from oms.store.queries import known_order
from oms.store.reservations import read_reservation
from oms.store.stock import decode_demand, decode_position, read_wanted
from oms.store.stubs import decode_stub, is_stub
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write
from oms.usecases.end_reservations import make_room
from oms.usecases.heat import Heat, Hot
from oms.usecases.judge_order import judge_order
from oms.usecases.refuse_short import refuse_short
from oms.usecases.serve_waiting import serve_missed
from oms.usecases.settle_replacement import give_way
from oms.usecases.source_order import channel_of, source_order
from oms.values import frozen, replace

_QUICK_TRIES = 3
"""Tries with what lost races show, before all stock is read again, consistently."""

_TRIES = 8

MOST_BYTES = 300_000
"""Size of a header or body when it is placed: an item takes 400 KB, and the journal of a header grows."""


@frozen
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

    The order that it replaces, if any, is cancelled before; while that may still be shipped, it is held.

    Args:
        table: the store.
        network: channels, pools and locations.
        command: the order.
        now: UTC.
        heat: what the batch of orders knows of hot skus; an order that asks for one is not placed. None:
            place it whatever it asks for.

    Raises:
        Problem: the channel is not configured, or the order is larger than the store can keep.
        Hot: it belongs into the hot lane.
        Busy: the stock stayed contended; hand the command back to its queue.
    """
    command = told_apart(command)
    channel = channel_of(command.channel, network)
    replaced, may_ship = give_way(table, network, command, now)
    # What a cart holds is only known from a consistent read.
    consistent = command.reservation is not None
    cart, stocks = _read(table, command, consistent=consistent)
    _check_heat(heat, stocks, now)
    stub: Stub | None = None
    for attempt in range(_TRIES):
        wish = recalled(command, stub) if stub else None
        placement = place(command, channel, network, stocks, now, cart, wish)
        if placement.demands and not consistent:
            # Only a consistent read may decide that units have to wait.
            consistent = True
            cart, stocks = _read(table, command, consistent=True)
            placement = place(command, channel, network, stocks, now, cart, wish)
        placement = absorbed(placement, stub, now) if stub else placement
        if replaced:
            placement = replace(placement, order=in_place_of(placement.order, replaced, may_ship=may_ship))
        order = placement.order
        why = Why("order_placed", order.order_id, "intake", now)
        own = order_writes(placement)
        check_size(own)
        writes = [*own, *stock_writes([placement], why)]
        if len(writes) > MOST_WRITES:
            make_room(table, network, placement, now)
            cart, stocks = _read(table, command, consistent=True)
            continue
        try:
            table.commit(*writes)
        except Cancelled as cancelled:
            existing = known_orders(cancelled.reasons)
            if existing:
                return judge_again(table, network, existing[order.order_id], command, now)
            stub = known_stubs(cancelled.reasons).get(order.order_id, stub)
            consistent = attempt >= _QUICK_TRIES or bool(placement.ended or placement.reservation)
            if consistent:
                cart, stocks = _read(table, command, consistent=True)
            else:
                stocks = _corrected(stocks, cancelled.reasons)
        except Busy:
            _check_heat(heat, stocks, now)
            raise
        else:
            opened = tuple(exception.code for exception in order.exceptions)
            order = _finish(table, network, placement, stocks, now)
            return Result(Verdict.PLACED, order, refused=attempt, opened=opened)
    raise Busy(
        f"order {order_id(command.channel, command.channel_order_id)} lost {_TRIES} races for its stock"
    )


def _read(
    table: Table, command: PlaceOrder, *, consistent: bool
) -> tuple[Reservation | None, dict[str, Stock]]:
    """The reservation that an order names, and the stock of its skus and of the order's."""
    cart = read_reservation(table, command.reservation) if command.reservation else None
    skus = {line.sku for line in command.lines if line.sku} | {sku for sku, _ in (cart.held if cart else ())}
    return cart, read_wanted(table, skus, consistent=consistent)


def _finish(
    table: Table, network: Network, placement: Placement, stocks: dict[str, Stock], now: datetime
) -> Order:
    """What remains to be done once an order is there; whoever comes after a crash does it later."""
    order = placement.order
    if IN_TURN in order.holds or unlisted(order):
        order = source_order(table, network, order.order_id, now)
    left = left_by(placement, stocks)
    skus = (*(change.sku for change in placement.demands), *unknown(placement.order))
    waits = {sku: left[sku] for sku in skus}
    if serve_missed(table, network, waits, [order.order_id], now):
        order = known_order(table, order.order_id)
    return refuse_short(table, network, order, now)


def check_size(writes: Sequence[Write]) -> None:
    """Refuse an order that the store cannot keep: its lines stand in one item.

    Raises:
        Problem: it has too many lines, or too much is said of them.
    """
    items = [write.item for write in writes if write.item]
    if max(map(_roughly, items)) > MOST_BYTES and max(item_size(encode(item)) for item in items) > MOST_BYTES:
        raise Problem(Code.UNSUPPORTED, f"an order larger than {MOST_BYTES} bytes", "lines")


def _roughly(item: Item) -> int:
    """As many bytes as an item takes, or more: to measure each exactly takes many times as long."""
    return len(repr(item).encode())


def known_orders(reasons: tuple[Reason, ...]) -> dict[str, Order]:
    """Orders that are there already, by id; this reason outranks all others."""
    return {
        order.order_id: order
        for reason in reasons
        if reason.write.key.sk == keys.HEADER_SK and reason.item and not is_stub(reason.item)
        for order in [decode_order(reason.item)]
    }


def known_stubs(reasons: tuple[Reason, ...]) -> dict[str, Stub]:
    """Stubs in the place of orders, by id: what was said of them before they came."""
    return {
        stub.order_id: stub
        for reason in reasons
        if reason.write.key.sk == keys.HEADER_SK and reason.item and is_stub(reason.item)
        for stub in [decode_stub(reason.item)]
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


def judge_again(table: Table, network: Network, order: Order, command: PlaceOrder, now: datetime) -> Result:
    """Judge a command against the order that is there; anew whenever somebody else writes it first.

    An order that was not finished, as whoever placed it crashed, is sourced on first, or refused.

    Raises:
        Busy: the order kept changing; hand the command back to its queue.
    """
    if IN_TURN in order.holds:
        order = source_order(table, network, order.order_id, now)
    order = refuse_short(table, network, order, now)
    judged = judge_order(table, network, order, command, now)
    return Result(judged.verdict, judged.order, opened=judged.opened)
