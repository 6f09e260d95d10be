"""Moving by a person: units that are promised at one location come from another one instead."""

from collections.abc import Mapping
from datetime import datetime

from oms.inventory.availability import offered, seen_at
from oms.inventory.model import Deltas, Stock
from oms.inventory.network import Network
from oms.inventory.safety import safety_at
from oms.orders.claims import Reclaimed, reclaimed
from oms.orders.commands import FulfilledBy, Method
from oms.orders.model import Entry, Order, OrderLine, Stage
from oms.orders.placing import take
from oms.problems import Code, Problem
from oms.values import frozen, replace


@frozen
class MoveRequest:
    """Units of a line that shall come from `to` instead of `origin`; None for all that are not released."""

    line_id: str
    origin: str
    to: str
    units: int | None = None


def move(
    order: Order, wish: MoveRequest, network: Network, stocks: Mapping[str, Stock], now: datetime
) -> Reclaimed:
    """Move an allocation, by the rules that every order takes stock by: what others may not take, it may not.

    Args:
        order: whose; it has the line.
        wish: what to move, and where to.
        network: pools and locations.
        stocks: of the line's sku, as stored.
        now: UTC.

    Returns:
        The order with the units at their new location, and what that changes of both positions.

    Raises:
        Problem: `state_refused` when fewer units are allocated there, with what they are instead;
            `field_invalid` for a location that cannot be their source; `stock_short` when it has too few.
    """
    line = order.line(wish.line_id)
    assert line is not None, "the line is one of the order's"
    units = _movable(line, wish)
    stock = stocks.get(line.sku or "", Stock(None))
    delivery = order.delivery(line.delivery_id)
    method = delivery.method if delivery else Method.SHIP
    _check_target(order, wish, method, network, stock)
    if line.touches_stock:
        safety = safety_at(stock.sku, [network.locations[wish.to]], method)
        there = offered(seen_at(stock, now), safety).get(wish.to, 0)
        if there < units:
            detail = f"of sku {line.sku} {there} units are free at {wish.to}"
            raise Problem(Code.STOCK_SHORT, detail, "units")
    kept, left = list[Entry](), units
    for entry in line.entries:
        fewer = min(left, entry.units) if _is_movable(entry, wish.origin) else 0
        left -= fewer
        if fewer < entry.units:
            kept.append(replace(entry, units=entry.units - fewer))
    kept.append(Entry(f"{order.v + 1}.1", wish.to, units))
    moved = order.with_lines({line.line_id: replace(line, entries=tuple(kept))})
    data = {"moved": [[line.line_id, wish.to, units]], "from": wish.origin}
    change = reclaimed(order, moved.written(now, "moved", data=data))
    deltas: Deltas = {place: delta for place, delta in change.deltas.items() if delta.allocated < 0}
    taken = {place: delta.allocated for place, delta in change.deltas.items() if delta.allocated > 0}
    ended = take(deltas, taken, change.order, stocks, network, now)
    return replace(change, deltas=deltas, ended=ended)


def _is_movable(entry: Entry, origin: str) -> bool:
    return entry.location == origin and entry.stage is Stage.ALLOCATED and entry.supply is None


def _movable(line: OrderLine, wish: MoveRequest) -> int:
    """How many units move.

    Raises:
        Problem: `state_refused`.
    """
    at_hand = 0
    if line.fulfilled_by is FulfilledBy.US:
        at_hand = sum(entry.units for entry in line.entries if _is_movable(entry, wish.origin))
    units = at_hand if wish.units is None else wish.units
    if 0 < units <= at_hand:
        return units
    stages = [entry.stage for entry in line.entries if entry.location == wish.origin]
    gone = next((str(stage) for stage in stages if stage is not Stage.ALLOCATED), None)
    counters = ("backordered", "open", "shipped", "cancelled")
    instead = gone or next((name for name in counters if getattr(line, name)), "allocated")
    state = "allocated" if at_hand else instead
    detail = f"{at_hand} units of line {line.line_id} are allocated at {wish.origin} and not released"
    raise Problem(Code.STATE_REFUSED, detail, "units" if at_hand else "from_location", state)


def _check_target(order: Order, wish: MoveRequest, method: Method, network: Network, stock: Stock) -> None:
    location = network.sellable(order.pool or "").get(wish.to)
    wrong = None
    if wish.to == wish.origin:
        wrong = "the units are there already"
    elif location is None:
        wrong = f"{wish.to} is no active location of pool {order.pool}"
    elif not set(stock.sku.requires if stock.sku else ()) <= set(location.can):
        wrong = f"{wish.to} cannot do what the sku requires"
    elif method is Method.PICKUP:
        wrong = "the customer picks the units up where they are: edit the order at its channel"
    if wrong:
        raise Problem(Code.FIELD_INVALID, wrong, "to_location")
