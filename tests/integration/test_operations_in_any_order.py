"""What people do to stock, among everything else that happens to it, in any order, against the same model.

Receipts, adjustments, blocks, supply, transfers and shortages join the orders, parcels, returns and counts of
`test_stock_in_any_order`; the invariants are the same, with what transfers claim.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from oms.inventory.model import Block, Delta, Supply, SupplyKind
from oms.inventory.transfers import (
    Arrived,
    Change,
    Fate,
    Known,
    OrderLineName,
    Transfer,
    TransferLine,
    TransferState,
    cancel,
    claimed,
    close,
    dispatch,
    make_ready,
    receive,
)
from oms.store.inbox import Keep, Reply, Request, enter, find_reply
from oms.store.stock import decode_supply
from oms.store.table import Table
from oms.store.transfers import decode_transfer, find_transfer
from oms.usecases.announce_supply import announce_supply, close_supply
from oms.usecases.correct_stock import Correction, correct_stock
from oms.usecases.receive_stock import Receipt, ReceivedUnits, receive_stock
from oms.usecases.resolve_shortage import resolve_shortage
from oms.usecases.transfer_stock import change_transfer, plan_transfer
from tests.integration.test_stock_in_any_order import AGO, ANY, NETWORK, PLACES, SKUS, UNITS, Shop

REASONS = st.sampled_from([Block.DAMAGED, Block.QUALITY_CONTROL])
SUPPLIES = st.sampled_from(["po-1", "po-2"])
DUE = timedelta(days=3)


class Stockroom(Shop):
    """The same retailer, with people in its stockrooms; their commands have keys, so they may be repeated."""

    def __init__(self) -> None:
        super().__init__()
        self.announced: set[tuple[str, str]] = set()
        self.transfers: list[str] = []

    @rule(
        sku=SKUS,
        location=PLACES,
        units=UNITS,
        blocked=st.none() | REASONS,
        supply=st.none() | SUPPLIES,
        ago=AGO,
    )
    def receive(
        self,
        sku: str,
        location: str,
        units: int,
        blocked: Block | None,
        supply: str | None,
        ago: timedelta,
    ) -> None:
        """Units come in, announced or not, some that nobody can sell."""
        at = self.now - ago
        came = Receipt(location, (ReceivedUnits(sku, units, blocked),), at, "note", "test", supply)
        assert self._once(lambda keep: receive_stock(self.table, NETWORK, came, self.now, keep))
        shelf = self._shelf(sku, location)
        shelf.move(units, at)
        if blocked:
            shelf.blocked[blocked] += units

    @rule(
        sku=SKUS,
        location=PLACES,
        units=st.integers(-4, 4).filter(bool),
        blocked=st.none() | REASONS,
        ago=AGO,
    )
    def adjust(self, sku: str, location: str, units: int, blocked: Block | None, ago: timedelta) -> None:
        """Somebody finds units, or that they are gone; what is not there cannot be taken."""
        delta = Delta(on_hand=units, blocked={blocked: units} if blocked else {})
        self._correct(sku, location, delta, self.now - ago)

    @rule(sku=SKUS, location=PLACES, units=st.integers(-4, 4).filter(bool), reason=REASONS)
    def block(self, sku: str, location: str, units: int, reason: Block) -> None:
        """Somebody blocks units, or lets them be sold again."""
        self._correct(sku, location, Delta(blocked={reason: units}), self.now)

    def _correct(self, sku: str, location: str, delta: Delta, at: datetime) -> None:
        shelf = self._shelf(sku, location)
        seen = shelf.counted_at is not None and shelf.counted_at > at
        on_hand = shelf.on_hand + (0 if seen else delta.on_hand)
        blocked = shelf.blocked + Counter()
        blocked.update(delta.blocked)
        left, before = on_hand - blocked.total(), shelf.on_hand - shelf.blocked.total()
        possible = min(blocked.values(), default=0) >= 0 and (left >= 0 or left >= before)
        correction = Correction(sku, location, delta, "found", "test", at, "test")
        made = self._once(lambda keep: correct_stock(self.table, NETWORK, correction, self.now, keep))
        assert made == possible
        if made:
            shelf.on_hand, shelf.blocked = on_hand, blocked

    @rule(sku=SKUS, supply=SUPPLIES, location=PLACES, units=UNITS)
    def announce_supply(self, sku: str, supply: str, location: str, units: int) -> None:
        """A vendor announces units once, before or after they come."""
        if (sku, supply) in self.announced:
            return
        self.announced.add((sku, supply))
        wanted = Supply(sku, supply, SupplyKind.PURCHASE_ORDER, location, self.now + DUE, units)
        closed = any(one.closed for one in self._supplies() if (one.sku, one.id) == (sku, supply))
        assert self._send(lambda: announce_supply(self.table, NETWORK, wanted)) is not closed

    @rule(sku=SKUS, supply=SUPPLIES)
    def close_supply(self, sku: str, supply: str) -> None:
        """No more of it comes."""
        self._send(lambda: close_supply(self.table, sku, supply))

    @rule(
        ends=st.permutations(["wh-lyon", "wh-madrid", "st-gracia"]),
        lines=st.lists(st.tuples(SKUS, UNITS), min_size=1, max_size=2),
        bound=st.none() | st.tuples(ANY, ANY),
    )
    def plan(self, ends: list[str], lines: list[tuple[str, int]], bound: tuple[int, int] | None) -> None:
        """A transfer is planned, perhaps of units that an order has."""
        planned = [TransferLine(str(number), *line) for number, line in enumerate(lines, 1)]
        if bound and self.placed:
            name = self.placed[bound[0] % len(self.placed)]
            ordered = self._order(name).lines
            line = ordered[bound[1] % len(ordered)]
            number = str(len(planned) + 1)
            planned.append(TransferLine(number, str(line.sku), 1, OrderLineName(name, line.line_id)))
        name = f"t-{len(self.transfers)}"
        made = Transfer(name, ends[0], ends[1], self.now + DUE, tuple(planned))
        self.transfers.append(name)
        assert self._send(partial(plan_transfer, self.table, NETWORK, made, self.now))

    @precondition(lambda self: self.transfers)
    @rule(which=ANY)
    def make_ready(self, which: int) -> None:
        self._move(which, make_ready, timedelta())

    @precondition(lambda self: self.transfers)
    @rule(which=ANY, fewer=st.booleans(), ago=AGO)
    def dispatch(self, which: int, fewer: bool, ago: timedelta) -> None:
        """A transfer leaves, perhaps without one of its units."""
        before = self._transfer(which)
        sent = {line.line_id: line.units for line in before.lines}
        if fewer:
            sent["1"] -= 1
        at = self.now - ago
        if self._move(which, lambda known, now: dispatch(known, sent, at, now), ago):
            for line in before.lines:
                self._shelf(line.sku, before.source).move(-sent[line.line_id], at)

    @precondition(lambda self: self.transfers)
    @rule(which=ANY, line=ANY, units=UNITS, damaged=st.integers(0, 4), ago=AGO)
    def arrive(self, which: int, line: int, units: int, damaged: int, ago: timedelta) -> None:
        """Units of a line come in, perhaps too many, perhaps before anybody says that they left."""
        before = self._transfer(which)
        came = before.lines[line % len(before.lines)]
        damaged = min(units, damaged)
        at = self.now - ago
        arrived = (Arrived(came.line_id, units, damaged),)
        if not self._move(which, lambda known, now: receive(known, arrived, at, now), ago):
            assert before.state is TransferState.DRAFT
            return
        if before.state is TransferState.READY:
            for sent in before.lines:
                self._shelf(sent.sku, before.source).move(-sent.units, at)
        shelf = self._shelf(came.sku, before.target)
        shelf.move(units, at)
        shelf.blocked[Block.DAMAGED] += damaged

    @precondition(lambda self: self.transfers)
    @rule(which=ANY)
    def close(self, which: int) -> None:
        self._move(which, close, timedelta())

    @precondition(lambda self: self.transfers)
    @rule(which=ANY, fate=st.sampled_from(Fate))
    def stop(self, which: int, fate: Fate) -> None:
        before = self._transfer(which)
        if not self._move(which, lambda known, now: cancel(known, fate, now), timedelta()):
            return
        for line in before.lines:
            shelf = self._shelf(line.sku, before.source)
            if before.state is TransferState.IN_TRANSIT and fate is Fate.PUT_BACK:
                shelf.on_hand += line.outstanding
            elif before.state is TransferState.READY and fate is Fate.WRITE_OFF:
                shelf.on_hand -= line.units

    @rule(sku=SKUS, location=PLACES)
    def resolve(self, sku: str, location: str) -> None:
        """What a position has promised beyond what is there gives way, but for held orders and work."""
        now = self.now
        resolve_shortage(self.table, sku, location, now)
        short = -self._position(sku, location).uncommitted
        self.sent.append(lambda: None)
        resolved = resolve_shortage(self.table, sku, location, now)
        assert (resolved.reopened, resolved.exceptions) == (0, 0)
        assert -self._position(sku, location).uncommitted == short

    def positions_and_orders_agree(self) -> None:
        """What positions have allocated is claimed by entries on their shelves, or by transfers."""
        stored = self.stored
        promised: Counter[tuple[str, str]] = Counter()
        coming: Counter[tuple[str, str]] = Counter()
        for order in stored.orders.values():
            for line in order.lines:
                for entry in line.entries:
                    if entry.supply:
                        coming[str(line.sku), entry.supply] += entry.units
                    else:
                        promised[str(line.sku), entry.location] += entry.units
        for item in self._items("transfer"):
            promised.update(claimed(decode_transfer(item)))
        for held in stored.positions:
            assert held.allocated == promised.pop((held.sku, held.location), 0)
            blocked = sum(held.blocked.values())
            assert held.uncommitted == held.on_hand - blocked - held.allocated - held.reserved
        assert not +promised
        for supply in self._supplies():
            assert supply.promised == coming.pop((supply.sku, supply.id), 0)
            if supply.kind is SupplyKind.TRANSFER:
                assert supply.closed == (self._of_supply(supply).state not in _ON_THE_WAY)
        assert not coming

    def _of_supply(self, supply: Supply) -> Transfer:
        transfer = find_transfer(self.table, supply.id.removeprefix("transfer:"))
        assert transfer is not None
        return transfer

    def _items(self, kind: str) -> list[dict[str, Any]]:
        return [dict(item) for item in self.stored.items if item["t"] == kind]

    def _supplies(self) -> list[Supply]:
        return [decode_supply(item) for item in self._items("supply")]

    def _order(self, name: str) -> Any:
        return self.stored.orders[f"O#{name}"]

    def _transfer(self, which: int) -> Transfer:
        found = find_transfer(self.table, self.transfers[which % len(self.transfers)])
        assert found is not None
        return found

    def _move(self, which: int, decide: Callable[[Known, datetime], Change], ago: timedelta) -> bool:
        name, now = self.transfers[which % len(self.transfers)], self.now
        return self._once(
            lambda keep: change_transfer(
                self.table, name, lambda known: decide(known, now), "test", now, keep
            )
        )

    def _once(self, command: Callable[[Keep[Any]], object]) -> bool:
        """Send a command that has a key of its own."""
        request = Request("test", f"k{len(self.sent)}-{self.now.isoformat()}", b"")
        now = self.now

        def send() -> None:
            if find_reply(self.table, request) is None:
                command(lambda outcome: (enter(request, Reply(None, None), now),))

        return self._send(send)


_ON_THE_WAY = (TransferState.IN_TRANSIT, TransferState.PARTIALLY_RECEIVED)


def test_stock_is_right_whatever_people_do_in_whatever_order(table: Table) -> None:
    machine = type("Stockroom", (Stockroom,), {"table": table, "TestCase": None})
    examples = settings().max_examples // 16
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=60))
