"""Facts that are told late, among counts: whatever the delays, the books end up with what is really there.

The model is the shelf itself. Units come and go at a minute each; somebody counts now and then, and the count
is told at once; everything else is told some steps later, in any order. A count has seen all that happened
before it, told or not, so none of that may move the stock again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count as numbers

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.model import Delta
from oms.orders.identity import order_id
from oms.returns.events import ReturnedUnits, ReturnFact
from oms.store.table import Table
from oms.usecases.correct_stock import Correction, correct_stock
from oms.usecases.count_stock import Count, count_stock
from oms.usecases.place_order import place_order
from oms.usecases.receive_stock import Receipt, ReceivedUnits, receive_stock
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_return import record_return
from oms.usecases.release_order import release_order
from tests.builders import MADRID, NOW, command, line, network
from tests.shelves import fill, position

ORDERS = 3
HELD = 9
AT = "wh-madrid"
KINDS = st.sampled_from(["count", "receipt", "found", "shipped", "returned"])
STEPS = st.lists(st.tuples(KINDS, st.integers(1, 4), st.integers(0, 4)), min_size=2, max_size=10)
"""What happens, of how many units, and how many steps later it is told."""

_skus = (f"LATE-{number}" for number in numbers())


class Shelf:
    """A shelf with some units, as it really is, and what of it has not been told yet."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sku = next(_skus)
        self.real = HELD
        self.untold: list[tuple[int, Callable[[], object]]] = []
        fill(table, self.sku, wh_madrid=HELD)
        self.released = [self._order(number) for number in range(ORDERS)]
        self.shipped: list[str] = []

    def _order(self, number: int) -> tuple[str, str]:
        name = f"{self.sku}-{number}"
        place_order(self.table, network(MADRID), command(line(self.sku), channel_order_id=name), NOW)
        (work,) = release_order(self.table, network(MADRID), order_id("shop-es", name), NOW)
        return work.order_id, work.id

    def happen(self, kind: str, units: int, at: datetime) -> Callable[[], object] | None:
        """Something happens; how it will be told, if it can happen at all."""
        table, places = self.table, network(MADRID)
        match kind:
            case "count":
                found = Count(self.sku, AT, self.real, at, "count", "test")
                return lambda: count_stock(table, places, found, at)
            case "receipt":
                self.real += units
                came = Receipt(AT, (ReceivedUnits(self.sku, units),), at, "note", "test")
                return lambda: receive_stock(table, places, came, at)
            case "found":
                self.real += units
                more = Correction(self.sku, AT, Delta(on_hand=units), "found", "test", at, "test")
                return lambda: correct_stock(table, places, more, at)
            case "shipped" if self.released:
                self.real -= 1
                name, work = self.released.pop()
                self.shipped.append(name)
                fact = FulfillmentFact(f"s-{name}", FactKind.SHIPPED, at, name, work, (Package("p1"),))
                return lambda: record_fulfillment(table, fact, at)
            case "returned" if self.shipped:
                self.real += 1
                name = self.shipped.pop()
                back = ReturnFact(f"r-{name}", at, name, "r-1", AT, (ReturnedUnits("1", 1),))
                return lambda: record_return(table, places, back, at)
        return None


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(steps=[("receipt", 2, 4), ("count", 1, 0)])
@example(steps=[("found", 2, 4), ("count", 1, 0)])
@example(steps=[("shipped", 1, 4), ("count", 1, 0)])
@example(steps=[("shipped", 1, 0), ("returned", 1, 4), ("count", 1, 0)])
@given(steps=STEPS)
def test_what_happened_before_a_count_does_not_move_the_stock_again(
    table: Table, steps: list[tuple[str, int, int]]
) -> None:
    shelf = Shelf(table)
    for number, (kind, units, delay) in enumerate(steps):
        told = shelf.happen(kind, units, NOW + timedelta(minutes=number))
        if told:
            shelf.untold.append((number + (0 if kind == "count" else delay), told))
        for due, tell in [one for one in shelf.untold if one[0] <= number]:
            tell()
            shelf.untold.remove((due, tell))
    for _, tell in shelf.untold:
        tell()
    held = position(table, shelf.sku, AT)
    assert held.on_hand == shelf.real
    assert held.uncommitted == held.on_hand - sum(held.blocked.values()) - held.allocated
