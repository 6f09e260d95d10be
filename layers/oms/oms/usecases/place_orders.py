"""Place many orders in few transactions: the group commit of the hot lane."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import chain
from math import ceil

from botocore.exceptions import ClientError

from oms.inventory.model import Stock
from oms.inventory.network import Channel, Network
from oms.inventory.reservations import Reservation
from oms.orders.claims import unknown, unlisted
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.line_ids import told_apart
from oms.orders.model import Order
from oms.orders.placing import IN_TURN, Placement, left_by, place
from oms.problems import Problem
from oms.store import keys
from oms.store.errors import Busy, Cancelled
from oms.store.placements import order_writes, stock_writes
from oms.store.queries import known_order
from oms.store.reservations import read_reservations
from oms.store.stock import read_wanted
from oms.store.table import MOST_WRITES, Table
from oms.store.writes import Why, Write
from oms.usecases.end_reservations import make_room
from oms.usecases.place_order import Result, check_size, judge_again, known_orders, known_stubs, place_order
from oms.usecases.refuse_short import refuse_short
from oms.usecases.serve_waiting import serve_missed
from oms.usecases.source_order import channel_of, source_order
from oms.values import frozen

_TRIES = 8
"""Transactions in a row that may be refused for want of stock."""

_MOST_ORDERS = (MOST_WRITES - 1) // 2
"""Orders that a transaction takes: a header and a body each, beside one position."""

_INVALID = ("ValidationException", "TransactionCanceledException")
"""What the table still raises of these says that a request is not one that DynamoDB takes."""


@frozen
class Refused:
    """An order that cannot be placed however often it is tried, and why."""

    error: Exception


type Outcome = Result | Refused


@frozen
class _Candidate:
    """An order that waits for its transaction; `number` is its place among the commands."""

    number: int
    order_id: str
    command: PlaceOrder
    channel: Channel


@frozen
class _Member:
    """An order in a group: its placement, the writes of its own, and the stock that it leaves to the next."""

    candidate: _Candidate
    placement: Placement
    writes: list[Write]
    left: Mapping[str, Stock]


type _Done = list[tuple[_Candidate, Outcome]]


def place_orders(
    table: Table, network: Network, commands: Sequence[PlaceOrder], now: datetime
) -> Iterator[tuple[int, Outcome]]:
    """Place orders as `place_order` would one after the other, as many in a transaction as it takes.

    The orders of a group are placed in memory against one shelf; then they are created together, with one
    update of each position. Those that turn out to be there already are judged and leave the group; where
    stock was short it is read again; and the group is formed anew. An order that DynamoDB does not take is
    found by halving the group.

    Args:
        table: the store.
        network: channels, pools and locations.
        commands: the orders, in the order in which they get their stock; one may be there several times.
        now: UTC.

    Returns:
        The place of each command with what became of it, as soon as that is known.

    Raises:
        Busy: the stock stayed contended; hand back the commands of which nothing was said.
    """
    lane = _Lane(table, network, now)
    first: dict[str, _Candidate] = {}
    repeats: list[_Candidate] = []
    for number, command in enumerate(commands):
        try:
            channel = channel_of(command.channel, network)
        except Problem as problem:
            yield number, Refused(problem)
            continue
        name = order_id(command.channel, command.channel_order_id)
        candidate = _Candidate(number, name, told_apart(command), channel)
        if first.setdefault(candidate.order_id, candidate) is not candidate:
            repeats.append(candidate)
    there: dict[str, Order] = {}
    for candidate, outcome in lane.place(first.values()):
        if isinstance(outcome, Result):
            there[candidate.order_id] = outcome.order
        yield candidate.number, outcome
    for repeat in repeats:
        if repeat.order_id in there:
            result = judge_again(table, network, there[repeat.order_id], repeat.command, now)
            there[repeat.order_id] = result.order
            yield repeat.number, result
        else:  # the first was refused, but this one may have other content
            yield from ((one.number, outcome) for one, outcome in lane.place([repeat]))


class _Lane:
    """Forms groups of orders and commits them."""

    def __init__(self, table: Table, network: Network, now: datetime) -> None:
        self._table = table
        self._network = network
        self._now = now
        self._stocks: dict[str, Stock] = {}
        self._carts: dict[str, Reservation] = {}
        self._most = _MOST_ORDERS
        self._lost = 0

    def place(self, candidates: Iterable[_Candidate]) -> Iterator[tuple[_Candidate, Outcome]]:
        queue = list(candidates)
        self._read_carts(one.command.reservation for one in queue)
        in_carts = (sku for cart in self._carts.values() for sku, _ in cart.held)
        self._read(chain(in_carts, (line.sku for one in queue for line in one.command.lines if line.sku)))
        with ThreadPoolExecutor(1) as sender:
            group, done = self._group(queue, self._stocks)
            while queue:
                ahead, foreseen = None, False
                writes = _writes(group, self._now) if group else []
                if len(writes) > MOST_WRITES:
                    self._make_room(group[0])
                elif group:
                    sent = sender.submit(self._table.commit, *writes)
                    # What follows is formed meanwhile, as if this group got through: most do.
                    ahead = self._group(queue[len(group) :], group[-1].left)
                    done, foreseen = self._outcomes(group, sent)
                yield from done
                gone = {candidate.number for candidate, _ in done}
                queue = [candidate for candidate in queue if candidate.number not in gone]
                group, done = ahead if ahead and foreseen else self._group(queue, self._stocks)

    def _read(self, skus: Iterable[str]) -> None:
        """Read stock consistently: only what such a read shows may decide that units have to wait."""
        self._stocks |= read_wanted(self._table, skus, consistent=True)

    def _read_carts(self, names: Iterable[str | None]) -> None:
        self._carts |= read_reservations(self._table, filter(None, names))

    def _group(self, queue: Sequence[_Candidate], stocks: Mapping[str, Stock]) -> tuple[list[_Member], _Done]:
        """The beginning of the queue that a transaction takes; or the first that cannot be placed.

        Transactions share the queue evenly: while one is sent the next is formed, and after a short last one
        there would be nothing left to form.
        """
        group: list[_Member] = []
        touched: set[tuple[str, str, str]] = set()
        own = 0
        for candidate in queue[: min(self._most, _even_share(len(queue)))]:
            try:
                member = self._placed(candidate, stocks)
            except Exception as error:  # whatever is wrong with it, the others are placed
                return [], [(candidate, Refused(error))]
            touched |= {("P", *place) for place in member.placement.deltas}
            touched |= {("D", change.sku, change.pool) for change in member.placement.demands}
            own += len(member.writes) + len(member.placement.ended)
            # A sale at a till is a fact, and what a cart holds is its own: summed with other promises either
            # would make their condition too weak.
            taken = any(delta.on_hand for delta in member.placement.deltas.values())
            apart = taken or member.placement.reservation is not None
            if group and (own + len(touched) > MOST_WRITES or apart):
                break
            group.append(member)
            stocks = member.left
            if apart:
                break
        return group, []

    def _placed(self, candidate: _Candidate, stocks: Mapping[str, Stock]) -> _Member:
        command = candidate.command
        cart = self._carts.get(command.reservation) if command.reservation else None
        placement = place(command, candidate.channel, self._network, stocks, self._now, cart)
        writes = order_writes(placement)
        check_size(writes)
        return _Member(candidate, placement, writes, left_by(placement, stocks))

    def _make_room(self, member: _Member) -> None:
        """Let what has expired leave before an order that does not fit into a transaction with it."""
        make_room(self._table, self._network, member.placement, self._now)
        self._read_carts([member.candidate.command.reservation])
        self._read(row.sku for row in member.placement.ended)

    def _outcomes(self, group: Sequence[_Member], sent: Future[None]) -> tuple[_Done, bool]:
        """What became of the orders of a group, nothing when it has to be formed anew.

        Returns:
            The outcomes, and whether the group has left just the stock that was foreseen.
        """
        try:
            sent.result()
        except Cancelled as cancelled:
            return self._cancelled(group, cancelled), False
        except ClientError as error:
            if error.response["Error"]["Code"] not in _INVALID:
                raise
            self._most = len(group) // 2 or _MOST_ORDERS
            return ([(group[0].candidate, Refused(error))] if len(group) == 1 else []), False
        self._stocks = dict(group[-1].left)
        placements = [member.placement for member in group]
        carts = [placement.reservation for placement in placements if placement.reservation]
        self._carts |= {cart.id: cart for cart in carts}
        refusals, self._lost = self._lost, 0
        finished = self._finish(group)
        done: _Done = [
            (
                member.candidate,
                Result(
                    Verdict.PLACED,
                    order,
                    refused=refusals if member is group[0] else 0,
                    opened=tuple(exception.code for exception in member.placement.order.exceptions),
                ),
            )
            for member, order in zip(group, finished, strict=True)
        ]
        return done, not carts and finished == [placement.order for placement in placements]

    def _finish(self, group: Sequence[_Member]) -> list[Order]:
        """What remains to be done once orders are there; whoever comes after a crash does it later."""
        orders = [member.placement.order for member in group]
        awaited = {
            member.candidate.order_id: {
                *(change.sku for change in member.placement.demands),
                *unknown(member.placement.order),
            }
            for member in group
        }
        seen = {sku: self._stocks[sku] for sku in set[str]().union(*awaited.values())}
        waiting = [name for name, skus in awaited.items() if skus]
        large = [order for order in orders if IN_TURN in order.holds or unlisted(order)]
        for order in large:
            source_order(self._table, self._network, order.order_id, self._now)
        served = serve_missed(self._table, self._network, seen, waiting, self._now)
        found = [known_order(self._table, order.order_id) for order in orders] if large or served else orders
        final = [refuse_short(self._table, self._network, order, self._now) for order in found]
        if final != orders:
            self._read(self._stocks)
        return final

    def _cancelled(self, group: Sequence[_Member], cancelled: Cancelled) -> _Done:
        """Judge the orders that are there already, and read again what was short."""
        touched = [reason.write.key.pk for reason in cancelled.reasons]
        short = {pk.removeprefix(keys.SKU) for pk in touched if pk.startswith(keys.SKU)}
        carts = [pk.removeprefix(keys.RESERVATION) for pk in touched if pk.startswith(keys.RESERVATION)]
        if short or carts:
            self._lost += 1
            if self._lost == _TRIES:
                raise Busy(f"{len(group)} orders lost {_TRIES} races for their stock") from cancelled
            self._read_carts(carts)
            self._read(short)
        known, stubs = known_orders(cancelled.reasons), known_stubs(cancelled.reasons)
        return [
            *(self._alone(member.candidate) for member in group if member.candidate.order_id in stubs),
            *(
                (
                    member.candidate,
                    judge_again(
                        self._table,
                        self._network,
                        known[member.candidate.order_id],
                        member.candidate.command,
                        self._now,
                    ),
                )
                for member in group
                if member.candidate.order_id in known
            ),
        ]

    def _alone(self, candidate: _Candidate) -> tuple[_Candidate, Outcome]:
        """Place an order by itself: of one that comes after what was said of it there are few."""
        result = place_order(self._table, self._network, candidate.command, self._now)
        self._read(line.sku for line in candidate.command.lines if line.sku)
        return candidate, result


def _even_share(orders: int) -> int:
    """Orders in each of as few transactions as so many orders need."""
    return ceil(orders / ceil(orders / _MOST_ORDERS)) if orders else 0


def _writes(group: Sequence[_Member], now: datetime) -> list[Write]:
    """Everything that a group writes."""
    placements = [member.placement for member in group]
    name = placements[0].order.order_id
    ref = name if len(group) == 1 else f"{name}+{len(group) - 1}"
    stock = stock_writes(placements, Why("order_placed", ref, "hot_lane", now))
    return [*(write for member in group for write in member.writes), *stock]
