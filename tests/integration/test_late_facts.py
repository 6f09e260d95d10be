"""Facts and counts that are told late, in any order: the books end up with what is really there.

The model is the shelf itself. Units come and go, somebody counts now and then, and each of these is told some
minutes later. A count has seen all that happened before it, told or not, and nothing that happened since, its
own millisecond included.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.lab.memory_table import Change, MemoryTable
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.model import Block, CountBasis, Delta, Position
from oms.inventory.network import Location
from oms.inventory.transfers import (
    Arrived,
    Known,
    OrderLineName,
    Transfer,
    TransferLine,
    TransferState,
    dispatch,
    make_ready,
    receive,
)
from oms.inventory.transfers import Change as Moved
from oms.orders.identity import order_id
from oms.returns.events import ReturnedUnits, ReturnFact
from oms.returns.model import Outcome
from oms.store import queries
from oms.store.attributes import Item
from oms.store.errors import Busy
from oms.store.stock import read_supplies
from oms.store.table import Table
from oms.store.transfers import find_transfer
from oms.store.writes import Why, Write, move
from oms.usecases.check_ledger import check_ledger
from oms.usecases.correct_stock import Correction, correct_stock
from oms.usecases.count_stock import Count, Counted, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.receive_stock import Receipt, ReceivedUnits, receive_stock
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_movements import record_movements
from oms.usecases.record_return import record_return
from oms.usecases.release_order import release_order
from oms.usecases.transfer_stock import change_transfer, plan_transfer
from tests.builders import MADRID, NOW, STORE, command, line, network
from tests.conflicts import Crash, Faults, deaths
from tests.shelves import fill, position
from tests.stream import lambda_form, record

HELD = 9
AT = "wh-madrid"
SKU = "LATE"
START = NOW - timedelta(hours=1)
"""When orders come in; everything else happens later."""

type Tell = Callable[[datetime], object]
"""Tells the system what has happened, at a time."""


@dataclass(slots=True)
class Happened:
    """What comes to the shelf (below 0: what leaves it) at a time, and of that what was promised."""

    at: datetime
    units: int
    promised: int = 0


@dataclass(frozen=True, slots=True)
class Leaving:
    """A transfer from the shelf, of units `for an order` or nobody's, and how many leave."""

    name: str
    kind: str
    units: int


@dataclass
class Shelf:
    """A shelf with units, as it really is, and the table with what was told of it.

    The stream brings movements when it is told to (`catch_up`).
    """

    basis: CountBasis = CountBasis.PHYSICAL
    orders: int = 3
    transfers: tuple[str, ...] = ()
    history: list[Happened] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        memory: Any = MemoryTable("orders", on_change=self.changes.append)
        self.memory = memory
        self.table = Table(memory, "orders", pause=lambda seconds: None)
        self.places = network(replace(MADRID, count_basis=self.basis), STORE)
        self.returned = 0
        fill(self.table, SKU, wh_madrid=HELD)
        self.released = [self._order(number) for number in range(self.orders)]
        self.shipped: list[str] = []
        self.travelling: list[tuple[str, str]] = []
        self.received: list[str] = []
        self.ready: list[Leaving] = []
        self.sent: list[Leaving] = []
        self.promised = self.orders + sum(self._transfer(kind) for kind in self.transfers)

    def _transfer(self, kind: str) -> int:
        """A transfer to the store is ready: two units, of an order or nobody's; how many are promised."""
        name = f"t-{len(self.ready)}"
        self.ready.append(Leaving(name, kind, 2))
        bound = self._bound_order(name, MADRID) if kind == "for an order" else None
        self._claim(name, AT, "st-gracia", bound)
        return 2

    def _bound_order(self, name: str, location: Location) -> OrderLineName:
        wanted = command(line(SKU, 2), channel_order_id=f"moved-{name}")
        return OrderLineName(place_order(self.table, network(location), wanted, START).order.order_id, "1")

    def _claim(self, name: str, source: str, target: str, bound: OrderLineName | None) -> None:
        lines = (TransferLine("1", SKU, 2, bound),)
        plan_transfer(self.table, self.places, Transfer(name, source, target, START, lines), START)
        self.change(name, lambda known: make_ready(known, START))

    def change(self, name: str, decide: Callable[[Known], Moved], now: datetime = START) -> Transfer:
        """Something becomes of a transfer."""
        return change_transfer(self.table, name, decide, "test", now)

    def _order(self, number: int) -> tuple[str, str]:
        name = f"{SKU}-{number}"
        place_order(self.table, self.places, command(line(SKU), channel_order_id=name), START)
        (work,) = release_order(self.table, self.places, order_id("shop-es", name), START)
        return work.order_id, work.id

    @property
    def held(self) -> Position:
        return position(self.table, SKU, AT)

    @property
    def real(self) -> int:
        """Units that are really there."""
        return HELD + sum(one.units for one in self.history)

    def catch_up(self) -> None:
        """The stream's reader keeps the movements of all writes so far."""
        records = [
            record(change.sequence, lambda_form(change.new), lambda_form(change.old) if change.old else None)
            for change in self.changes
            if change.new is not None
        ]
        self.changes.clear()
        assert record_movements(self.table, records).failure is None

    def found_at(self, as_of: datetime) -> int:
        """What somebody finds who counts, on the location's basis."""
        before = [one for one in self.history if one.at < as_of]
        there = HELD + sum(one.units for one in before)
        promised = self.promised + sum(one.promised for one in before)
        return there - (promised if self.basis is CountBasis.NET else 0)

    def happen(self, kind: str, at: datetime, units: int = 1) -> Tell | None:
        """Something happens; how it will be told, if it can happen at all."""
        table, places = self.table, self.places
        match kind:
            case "receipt":
                self.history.append(Happened(at, units))
                came = Receipt(AT, (ReceivedUnits(SKU, units),), at, f"{at} {units}", "test")
                return lambda now: receive_stock(table, places, came, now)
            case "found" | "lost":
                sign = 1 if kind == "found" else -1
                self.history.append(Happened(at, sign))
                more = Correction(SKU, AT, Delta(on_hand=sign), kind, "test", at, "test")
                return lambda now: correct_stock(table, places, more, now)
            case "shipped" if self.released:
                self.history.append(Happened(at, -1, -1))
                name, work = self.released.pop()
                self.shipped.append(name)
                self.travelling.append((name, work))
                fact = FulfillmentFact(f"s-{name}", FactKind.SHIPPED, at, name, work, (Package("p1"),))
                return lambda now: record_fulfillment(table, fact, now)
            case "delivered" if self.travelling:
                name, work = self.travelling.pop()
                fact = FulfillmentFact(f"d-{name}", FactKind.DELIVERED, at, name, work, (Package("p1"),))
                return lambda now: record_fulfillment(table, fact, now)
            case "sent" if self.ready:
                moved = self.ready.pop()
                left = min(units, moved.units)
                self.history.append(Happened(at, -left, -left if moved.kind == "for an order" else -2))
                self.sent.append(replace(moved, units=left))
                return lambda now: self.change(
                    moved.name, lambda known: dispatch(known, {"1": left}, at, now), now
                )
            case "arrived" if self.sent:
                gone = self.sent.pop()
                arrived = (Arrived("1", gone.units),)
                return lambda now: self.change(gone.name, lambda known: receive(known, arrived, at, now), now)
            case "came" | "came for an order":
                name, bound = f"in-{len(self.history)}", None
                there = Why("receipt", name, "test", START)
                table.commit(move(SKU, "st-gracia", Delta(on_hand=2), there))
                if kind != "came":
                    bound = self._bound_order(name, STORE)
                self._claim(name, "st-gracia", AT, bound)
                self.change(name, lambda known: dispatch(known, None, START, START))
                self.history.append(Happened(at, 2, 2 if bound else 0))
                come = (Arrived("1", 2),)
                return lambda now: self.change(name, lambda known: receive(known, come, at, now), now)
            case "restock" | "scrap" if self.received:
                name, outcome = self.received.pop(), Outcome(kind)
                self.history += [Happened(at, -1)] if outcome is Outcome.SCRAP else []
                disposed = (ReturnedUnits("1", 1, outcome),)
                done = ReturnFact(f"o-{name}", at, name, "r-1", AT, disposed)
                return lambda now: record_return(table, places, done, now)
            case "returned" if self.shipped:
                self.history.append(Happened(at, 1))
                name = self.shipped.pop()
                self.received.append(name)
                back = ReturnFact(f"r-{name}", at, name, "r-1", AT, (ReturnedUnits("1", 1),))
                return lambda now: record_return(table, places, back, now)
        return None

    def count(self, as_of: datetime) -> Tell:
        """Somebody counts; what he found stands when he tells it."""
        return lambda now: self.tell_count(as_of, now)

    def tell_count(self, as_of: datetime, now: datetime, table: Table | None = None) -> Counted:
        found = Count(SKU, AT, self.found_at(as_of), as_of, "count", "test")
        return count_stock(table or self.table, self.places, found, now)

    def agrees(self) -> bool:
        """Whether the books say what is there, and add up."""
        held = self.held
        uncommitted = held.on_hand - sum(held.blocked.values()) - held.allocated
        assert check_ledger(self.table, segments=1).findings == ()
        promised = self.promised + sum(one.promised for one in self.history)
        return (held.on_hand, held.allocated) == (self.real, promised) and held.uncommitted == uncommitted


def minute(number: int) -> datetime:
    return NOW + timedelta(minutes=number)


BASES = pytest.mark.parametrize("basis", CountBasis)
FACTS = ["receipt", "found", "lost", "shipped", "returned", "sent", "came", "came for an order"]
CHAINS = [("shipped", "delivered"), ("returned", "restock"), ("returned", "scrap"), ("sent", "arrived")]
"""Facts of which the later implies the earlier: told alone, it moves what both would."""


def prepared(basis: CountBasis, kind: str, transfer: str = "of nobody") -> Shelf:
    """A shelf where a fact can happen next."""
    shelf = Shelf(basis, transfers=(transfer,) if kind == "sent" else ())
    if kind == "returned":
        told = shelf.happen("shipped", START)
        assert told
        told(START)
    return shelf


@BASES
@pytest.mark.parametrize("kind", FACTS)
@pytest.mark.parametrize(
    "happens", [0, 5, 9], ids=["before the count", "in the same millisecond", "after it"]
)
@pytest.mark.parametrize("first", ["fact", "count"])
def test_a_fact_and_a_count_end_in_what_is_there_whichever_is_told_first(
    basis: CountBasis, kind: str, happens: int, first: str
) -> None:
    shelf = prepared(basis, kind)
    fact = shelf.happen(kind, minute(happens))
    assert fact
    told = [fact, shelf.count(minute(5))]
    for number, tell in enumerate(told if first == "fact" else told[::-1]):
        tell(minute(10 + number))
        shelf.catch_up()
    assert shelf.agrees()


@BASES
@pytest.mark.parametrize("kind", FACTS)
def test_a_fact_told_in_the_millisecond_of_the_count_is_not_in_it(basis: CountBasis, kind: str) -> None:
    shelf = prepared(basis, kind)
    fact = shelf.happen(kind, minute(5))
    assert fact
    fact(minute(5))
    shelf.catch_up()
    shelf.count(minute(5))(minute(6))
    assert shelf.agrees()


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_two_counts_and_what_happened_between_and_after_are_told_in_any_order(order: tuple[int, ...]) -> None:
    shelf = Shelf()
    shipped, came = shelf.happen("shipped", minute(2)), shelf.happen("receipt", minute(4), 3)
    assert shipped and came
    tells = [shelf.count(minute(1)), shipped, shelf.count(minute(3)), came]
    for number, which in enumerate(order):
        tells[which](minute(10 + number))
        shelf.catch_up()
    assert shelf.agrees()


@BASES
@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_fact_that_overtakes_the_one_before_it_moves_each_unit_once_whatever_is_counted_between(
    basis: CountBasis, chain: tuple[str, str], order: tuple[int, ...]
) -> None:
    shelf = prepared(basis, chain[0])
    earlier, later = (shelf.happen(kind, minute(at)) for kind, at in zip(chain, (2, 6), strict=True))
    assert earlier and later
    tells = [earlier, shelf.count(minute(4)), later, shelf.count(minute(8))]
    for number, which in enumerate(order):
        tells[which](minute(10 + number))
        shelf.catch_up()
    assert shelf.agrees()


@BASES
@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_so_it_does_when_all_counts_come_between(
    basis: CountBasis, chain: tuple[str, str], order: tuple[int, ...]
) -> None:
    shelf = prepared(basis, chain[0])
    earlier, later = (shelf.happen(kind, minute(at)) for kind, at in zip(chain, (2, 9), strict=True))
    came = shelf.happen("receipt", minute(5), 2)
    assert earlier and later and came
    tells = [earlier, shelf.count(minute(3)), came, shelf.count(minute(7))]
    later(minute(10))
    shelf.catch_up()
    for number, which in enumerate(order):
        tells[which](minute(11 + number))
        shelf.catch_up()
    assert shelf.agrees()


@BASES
@pytest.mark.parametrize("transfer", ["of nobody", "for an order"])
@pytest.mark.parametrize("left", [1, 2], ids=["a part", "all"])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_transfer_moves_each_unit_once_when_its_receipt_is_told_before_anybody_sent_it(
    basis: CountBasis, transfer: str, left: int, order: tuple[int, ...]
) -> None:
    shelf = prepared(basis, "sent", transfer)
    sent, arrived = shelf.happen("sent", minute(2), left), shelf.happen("arrived", minute(6))
    assert sent and arrived
    tells = [sent, shelf.count(minute(4)), arrived, shelf.count(minute(8))]
    for number, which in enumerate(order):
        tells[which](minute(10 + number))
        shelf.catch_up()
        assert check_ledger(shelf.table, segments=1).findings == ()
    assert shelf.agrees()
    (supply,) = read_supplies(shelf.table, [SKU], "transfer:t-0").values()
    assert (supply.expected, supply.received, supply.promised, supply.closed) == (left, left, 0, True)
    moved = find_transfer(shelf.table, "t-0")
    assert moved is not None
    assert (moved.state, moved.lines[0].sent, moved.lines[0].received) == (TransferState.RECEIVED, left, left)


def test_who_says_twice_when_a_parcel_left_changes_nothing_more() -> None:
    shelf = Shelf()
    left, arrived = shelf.happen("shipped", minute(2)), shelf.happen("delivered", minute(6))
    assert left and arrived
    shelf.count(minute(4))(minute(7))
    arrived(minute(8))
    assert shelf.held.on_hand == HELD - 2, "what was counted without it seems to have left again"
    left(minute(9))
    held = shelf.held
    (parcel,) = queries.shipments(shelf.table, shelf.shipped[0])
    for tell in (left, arrived, left):
        tell(minute(10))
    assert (shelf.held, queries.shipments(shelf.table, shelf.shipped[0])) == (held, (parcel,))
    assert [entry.kinds for entry in parcel.journal] == [("shipped",), ("delivered",), ("dated",)]
    assert shelf.agrees()


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_a_fact_that_is_dated_after_the_one_that_it_implies_dates_nothing(chain: tuple[str, str]) -> None:
    """The clocks of a location and a carrier are not the same."""
    shelf = prepared(CountBasis.PHYSICAL, chain[0])
    first, second = (shelf.happen(kind, minute(at), 2) for kind, at in zip(chain, (6, 5), strict=True))
    assert first and second
    second(minute(7))
    held = shelf.held
    first(minute(8))
    assert shelf.held == held


def test_units_disposed_of_at_several_times_are_all_received_when_their_receipt_says() -> None:
    shelf = Shelf(orders=1)
    name = place_order(
        shelf.table, shelf.places, command(line(SKU, 3), channel_order_id="three"), START
    ).order.order_id
    (work,) = release_order(shelf.table, shelf.places, name, START)
    fact = FulfillmentFact("s", FactKind.SHIPPED, START, name, work.id, (Package("p1"),))
    record_fulfillment(shelf.table, fact, START)

    def returned(message: str, at: int, told: int, *units: ReturnedUnits) -> None:
        back = ReturnFact(message, minute(at), name, "r-1", AT, units)
        for _ in range(2):
            record_return(shelf.table, shelf.places, back, minute(told))
        shelf.catch_up()

    returned("d1", 4, 10, ReturnedUnits("1", 1, Outcome.RESTOCK))
    returned("d2", 8, 11, ReturnedUnits("1", 1, Outcome.SCRAP))
    there = Count(SKU, AT, HELD, minute(6), "count", "test")
    count_stock(shelf.table, shelf.places, there, minute(12))
    returned("r1", 1, 13, ReturnedUnits("1", 1))
    returned("r2", 1, 14, ReturnedUnits("1", 2))
    assert shelf.held.on_hand == HELD - 1
    assert shelf.held.blocked == {Block.RETURNS: 1}
    later = Count(SKU, AT, HELD, minute(7), "count", "test")
    count_stock(shelf.table, shelf.places, later, minute(15))
    assert shelf.held.on_hand == HELD - 1


@pytest.mark.parametrize("chain", CHAINS[:-1], ids="-".join)  # a dispatch is known again by its key alone
@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_who_dies_while_telling_when_units_left_or_came_is_repeated_as_if_nothing_had_happened(
    chain: tuple[str, str], when: str
) -> None:
    for _, faulty in deaths(when, at_least=3):
        shelf = prepared(CountBasis.PHYSICAL, chain[0])
        earlier, later = (shelf.happen(kind, minute(at)) for kind, at in zip(chain, (2, 6), strict=True))
        assert earlier and later
        shelf.count(minute(4))(minute(7))
        later(minute(8))
        table, client = shelf.table, shelf.table.client
        table.client = faulty(table).client
        with contextlib.suppress(Crash):
            earlier(minute(9))
        table.client = client
        earlier(minute(10))
        assert shelf.agrees()


def test_units_promised_since_a_net_count_are_not_added_back() -> None:
    shelf = Shelf(CountBasis.NET)
    late = command(line(SKU, 2), channel_order_id="later")
    place_order(shelf.table, shelf.places, late, minute(5))
    shelf.catch_up()
    shelf.count(minute(4))(minute(6))
    held = shelf.held
    assert (held.on_hand, held.allocated, held.uncommitted) == (HELD, 5, HELD - 5)


def test_an_order_that_is_dated_before_a_net_count_does_not_hide_one_that_is_dated_after_it() -> None:
    shelf = Shelf(CountBasis.NET)
    counted = minute(5) - timedelta(seconds=10)
    for name, units, now in (("after", 2, minute(5)), ("before", 1, minute(5) - timedelta(seconds=30))):
        place_order(shelf.table, shelf.places, command(line(SKU, units), channel_order_id=name), now)
    shelf.catch_up()
    found = Count(SKU, AT, HELD - shelf.promised - 1, counted, "count", "test")
    count_stock(shelf.table, shelf.places, found, minute(6))
    assert (shelf.held.on_hand, shelf.held.allocated) == (HELD, shelf.promised + 3)


def test_a_movement_that_is_not_there_yet_makes_a_late_count_wait_and_changes_nothing() -> None:
    shelf = Shelf()
    shelf.catch_up()
    for kind in ("receipt", "shipped"):
        told = shelf.happen(kind, minute(2))
        assert told
        told(minute(3))
    before = shelf.held
    with pytest.raises(Busy, match=f"movement {before.v} of {SKU} at {AT} is not there yet"):
        shelf.count(minute(1))(minute(4))
    del shelf.changes[: next(n for n, one in enumerate(shelf.changes) if one.key.sk == f"P#{AT}") + 1]
    shelf.catch_up()
    with pytest.raises(Busy, match=f"movement {before.v - 1} of"):
        shelf.count(minute(1))(minute(5))
    assert shelf.held == before


def test_a_count_that_nothing_followed_reads_no_movements() -> None:
    shelf = Shelf()
    told = shelf.happen("shipped", minute(1))
    assert told
    told(minute(2))
    faults = Faults()
    table = Table(faults.wrap(shelf.memory), "orders", pause=lambda seconds: None)
    shelf.tell_count(minute(3), minute(4), table)
    assert faults.calls == ["get_item", "update_item"]
    assert shelf.agrees()


def test_orders_since_a_physical_count_make_it_read_no_movements() -> None:
    shelf = Shelf()
    place_order(shelf.table, shelf.places, command(line(SKU), channel_order_id="later"), minute(5))
    shelf.count(minute(4))(minute(6))
    assert (shelf.held.on_hand, shelf.held.allocated) == (HELD, 4)


def test_of_a_long_history_every_page_is_read() -> None:
    shelf = Shelf()
    for number in range(230):
        told = shelf.happen("found" if number % 3 else "receipt", minute(number), 2)
        assert told
        told(minute(number))
        shelf.catch_up()
    shelf.count(minute(7))(minute(230))
    assert shelf.agrees()


def test_a_later_write_that_is_dated_earlier_hides_nothing() -> None:
    """A command that began before the count may commit after one that began later."""
    shelf = Shelf()
    came = shelf.happen("receipt", minute(2), 3)
    assert came
    came(minute(2) + timedelta(seconds=5))
    shelf.happen("found", minute(1))
    found = Correction(SKU, AT, Delta(on_hand=1), "found", "test", minute(1), "test")
    correct_stock(shelf.table, shelf.places, found, minute(2) - timedelta(seconds=5))
    shelf.catch_up()
    shelf.count(minute(2))(minute(3))
    assert shelf.agrees()


@pytest.mark.parametrize("kind", ["receipt", "shipped", "found"])
def test_a_fact_that_another_overtakes_while_it_is_written_does_not_hide_that_from_a_count(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    earlier, later = shelf.happen(kind, minute(2)), shelf.happen("shipped", minute(6))
    assert earlier and later
    commit = shelf.table.commit

    def overtaken(*writes: Write) -> None:
        monkeypatch.undo()
        later(minute(7))
        commit(*writes)

    monkeypatch.setattr(shelf.table, "commit", overtaken)
    earlier(minute(3))
    shelf.catch_up()
    shelf.count(minute(4))(minute(8))
    assert shelf.agrees()


def test_a_fact_from_a_location_whose_clock_is_ahead_is_dated_as_it_is_told() -> None:
    """The location's count has the same clock: only so can the two be compared."""
    shelf = Shelf()
    shipped = shelf.happen("shipped", minute(5))
    assert shipped
    shipped(minute(5) - timedelta(seconds=2))
    shelf.catch_up()
    shelf.count(minute(5) - timedelta(seconds=1))(minute(6))
    assert shelf.agrees()


@pytest.mark.parametrize("before", [True, False], ids=["before it", "after it"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_late_count_that_crashes_at_any_call_is_repeated_as_if_nothing_had_happened(
    before: bool, number: int
) -> None:
    shelf = Shelf()
    told = shelf.happen("shipped", minute(2))
    assert told
    told(minute(3))
    shelf.catch_up()
    faults = Faults(crash_before=number) if before else Faults(crash_after=number)
    table = Table(faults.wrap(shelf.memory), "orders", pause=lambda seconds: None)
    with pytest.raises(Crash):
        shelf.tell_count(minute(1), minute(4), table)
    written = number == 3 and not before
    shelf.catch_up()
    assert shelf.tell_count(minute(1), minute(5)).applied is not written
    assert faults.calls[:3] == ["get_item", "query", "update_item"][:number]
    assert shelf.agrees()


def test_a_fact_that_comes_between_reading_and_writing_is_counted_in() -> None:
    shelf = Shelf()
    first, second = shelf.happen("receipt", minute(2)), shelf.happen("shipped", minute(3))
    assert first and second
    first(minute(4))
    shelf.catch_up()
    tells = [second]

    class Rival(Table):
        def latest(self, pk: str, *, before: Item | None = None, limit: int = 100) -> list[Item]:
            items = super().latest(pk, before=before, limit=limit)
            for tell in tells:
                tells.remove(tell)
                tell(minute(5))
                shelf.catch_up()
            return items

    shelf.tell_count(minute(1), minute(6), Rival(shelf.memory, "orders", pause=lambda seconds: None))
    assert tells == []
    assert shelf.agrees()


KINDS = st.sampled_from(["count", *FACTS, "delivered", "restock", "scrap", "arrived"])
STEPS = st.lists(
    st.tuples(KINDS, st.integers(1, 4), st.integers(0, 5), st.booleans(), st.booleans()),
    min_size=2,
    max_size=14,
)
"""What happens, of how many units, how many steps later it is told, whether in the same millisecond as the
step before, and whether the stream catches up."""


@BASES
@example(
    steps=[
        ("shipped", 1, 4, False, True),
        ("count", 1, 0, False, True),
        ("delivered", 1, 0, False, True),
    ]
)
@example(steps=[("receipt", 2, 4, False, True), ("count", 1, 0, False, True)])
@example(steps=[("count", 1, 4, False, True), ("shipped", 1, 0, False, True)])
@example(steps=[("count", 1, 2, False, False), ("shipped", 1, 0, False, False), ("found", 1, 0, True, False)])
@given(steps=STEPS)
def test_whatever_is_told_late_the_books_end_with_what_is_there(
    basis: CountBasis, steps: list[tuple[str, int, int, bool, bool]]
) -> None:
    shelf = Shelf(basis, transfers=("for an order", "of nobody"))
    untold: list[tuple[int, Tell]] = []

    def tell_due(step: int) -> None:
        for one in sorted(untold, key=lambda one: one[0]):
            if one[0] <= step:
                try:
                    one[1](minute(step + 1))
                except Busy:
                    assert shelf.changes, "nothing is under way"
                else:
                    untold.remove(one)

    at = minute(0)
    for step, (kind, units, delay, at_once, streams) in enumerate(steps):
        at = at if at_once else minute(step)
        told = shelf.count(at) if kind == "count" else shelf.happen(kind, at, units)
        if told:
            untold.append((step + delay, told))
        tell_due(step)
        if streams:
            shelf.catch_up()
    while untold:
        shelf.catch_up()
        tell_due(len(steps) + 5)
    assert shelf.agrees()
