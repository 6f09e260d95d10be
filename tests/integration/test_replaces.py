"""An order that replaces another (an edit at Magento): one of them is shipped, whichever comes first."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.sourcing.handler import handler as sourcing
from oms.events.publish import Queue
from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.orders.commands import Customer, PlaceOrder
from oms.orders.identity import order_id, shard
from oms.orders.replacing import cancelled_for
from oms.orders.status import OrderStatus, order_status
from oms.orders.work import WorkStage, work_stage
from oms.problems import Code, Problem
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_by_channel
from oms.usecases.check_ledger import check_ledger
from oms.usecases.lift_hold import lift_hold
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.settle_replacement import settle_replacement
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

LATER = NOW + timedelta(minutes=5)
OLD_ID, NEW_ID = (order_id("shop-es", number) for number in ("13@1", "14@1"))
OLD = command(line("A", 2), channel_order_id="13@1", order_number="000000013")
CANCELLED = replace(OLD, cancelled=True, channel_version="2026-11-22T09:35:00.000Z")
NEW = command(
    line("A", 3),
    channel_order_id="14@1",
    order_number="000000013-1",
    replaces="13@1",
    channel_version="2026-11-22T09:34:00.000Z",
)


def send(table: Table, *commands: PlaceOrder) -> None:
    for sent in commands:
        place_order(table, network(), sent, LATER)


def tell(table: Table, name: str, kind: FactKind, work: str = "2-1") -> None:
    packages = (Package("p1", "correos", None),) if kind is FactKind.SHIPPED else ()
    record_fulfillment(table, FulfillmentFact(f"m-{kind}", kind, LATER, name, work, packages), LATER)


def status(table: Table, name: str) -> OrderStatus:
    return order_status(order_of(table, name))


def codes(table: Table, name: str) -> list[str]:
    return [known.code for known in order_of(table, name).exceptions]


BY_NUMBER = replace(NEW, replaces="000000013")
OF_ANOTHER = command(
    line("A", 1), channel_order_id="13@2", order_number="000000013", customer=Customer(id="another")
)


def test_an_order_that_names_only_the_number_of_another_takes_its_place(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OF_ANOTHER, OLD, BY_NUMBER, BY_NUMBER, OLD)
    assert (status(table, OLD_ID), status(table, NEW_ID)) == (OrderStatus.CANCELLED, OrderStatus.PLACED)
    assert order_of(table, NEW_ID).replaces == OLD_ID
    assert status(table, order_id("shop-es", "13@2")) is OrderStatus.PLACED
    assert shelves(table, "A") == {"wh-madrid": (9, 4, 5)}


def test_an_order_that_names_only_a_number_waits_for_the_other_at_its_location(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OLD)
    release_order(table, network(), OLD_ID, LATER)
    send(table, BY_NUMBER)
    assert (order_of(table, NEW_ID).holds, release_order(table, network(), NEW_ID, LATER)) == (
        ("replaces",),
        (),
    )


@pytest.mark.parametrize(
    "new", [replace(BY_NUMBER, replaces="000000099"), replace(BY_NUMBER, customer=Customer())]
)
def test_a_number_that_nobody_knows_takes_no_place_of_another(table: Table, new: PlaceOrder) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OLD, new)
    assert (status(table, OLD_ID), status(table, NEW_ID)) == (OrderStatus.PLACED, OrderStatus.PLACED)


def test_no_order_has_no_replacement_to_settle(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        settle_replacement(table, NEW_ID, LATER)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "order_id")


@pytest.mark.parametrize("order", list(permutations([OLD, NEW, CANCELLED])))
def test_one_of_them_is_shipped_whichever_comes_first(table: Table, order: tuple[PlaceOrder, ...]) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, *order)
    send(table, *order)
    assert (status(table, OLD_ID), status(table, NEW_ID)) == (OrderStatus.CANCELLED, OrderStatus.PLACED)
    assert release_order(table, network(), OLD_ID, LATER) == ()
    assert len(release_order(table, network(), NEW_ID, LATER)) == 1
    assert shelves(table, "A") == {"wh-madrid": (9, 3, 6)}
    assert not check_ledger(table, segments=1).findings


def test_the_units_of_the_old_order_are_there_for_the_new_one(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    send(table, OLD, NEW)
    (only,) = order_of(table, NEW_ID).lines
    assert (only.allocated, only.open, only.backordered) == (3, 0, 0)


def test_no_version_of_the_old_order_brings_it_back(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OLD, NEW, replace(OLD, channel_version="2026-11-22T09:59:00.000Z", notes="late"))
    assert status(table, OLD_ID) is OrderStatus.CANCELLED


def test_a_test_order_replaces_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OLD, replace(NEW, test=True))
    assert status(table, OLD_ID) is OrderStatus.PLACED


def test_an_order_that_names_itself_replaces_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=3)
    send(table, replace(NEW, replaces=NEW.channel_order_id))
    assert (status(table, NEW_ID), codes(table, NEW_ID)) == (OrderStatus.PLACED, [])
    assert shelves(table, "A") == {"wh-madrid": (3, 3, 0)}


def held(table: Table) -> None:
    """The old order is with its location when the new one comes."""
    fill(table, "A", wh_madrid=9)
    send(table, OLD)
    release_order(table, network(), OLD_ID, LATER)
    send(table, NEW)


def test_while_a_location_has_the_old_order_the_new_one_is_held(table: Table) -> None:
    held(table)
    assert order_of(table, NEW_ID).holds == ("replaces",)
    assert work_stage(order_of(table, NEW_ID)) == (WorkStage.REPLACE, LATER)
    assert settle_replacement(table, NEW_ID, LATER) is None
    assert release_order(table, network(), NEW_ID, LATER) == ()


def test_when_the_location_gives_it_up_the_new_one_goes(table: Table) -> None:
    held(table)
    tell(table, OLD_ID, FactKind.CANCELLED)
    settled = settle_replacement(table, NEW_ID, LATER)
    assert settled is not None and settled.holds == ()
    assert settle_replacement(table, NEW_ID, LATER) is None
    assert len(release_order(table, network(), NEW_ID, LATER)) == 1


def test_when_the_location_ships_it_a_person_decides(table: Table) -> None:
    held(table)
    tell(table, OLD_ID, FactKind.SHIPPED)
    settled = settle_replacement(table, NEW_ID, LATER)
    assert settled is not None and codes(table, NEW_ID) == ["replaced_shipped"]
    assert settle_replacement(table, NEW_ID, LATER) is None
    assert work_stage(order_of(table, NEW_ID)) == (WorkStage.HELD, LATER)
    assert release_order(table, network(), NEW_ID, LATER) == ()
    lift_hold(table, NEW_ID, "replaces", LATER)
    assert codes(table, NEW_ID) == []
    assert len(release_order(table, network(), NEW_ID, LATER)) == 1


def test_one_that_has_been_shipped_before_holds_the_new_one_too(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, OLD)
    release_order(table, network(), OLD_ID, LATER)
    tell(table, OLD_ID, FactKind.SHIPPED)
    send(table, NEW)
    assert order_of(table, NEW_ID).holds == ("replaces",)
    settle_replacement(table, NEW_ID, LATER)
    assert (codes(table, OLD_ID), codes(table, NEW_ID)) == (["channel_cancelled"], ["replaced_shipped"])


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    def lived(on: Table) -> None:
        place_order(on, network(), NEW, LATER)

    fill(table, "A", wh_madrid=3)
    send(table, OLD)
    undisturbed = Faults()
    lived(Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        fill(fresh, "A", wh_madrid=3)
        send(fresh, OLD)
        try:
            lived(Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        except (Crash, ReadTimeoutError):
            lived(fresh)
        assert (status(fresh, OLD_ID), status(fresh, NEW_ID)) == (OrderStatus.CANCELLED, OrderStatus.PLACED)
        assert shelves(fresh, "A") == {"wh-madrid": (3, 3, 0)}
        table.client.delete_table(TableName=fresh.name)


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: object) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)  # type: ignore[arg-type]  # passed on as they are


def test_an_old_order_that_comes_at_the_same_moment_is_cancelled(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    place_order(Racing(table, lambda: send(table, OLD)), network(), NEW, LATER)
    assert (status(table, OLD_ID), status(table, NEW_ID)) == (OrderStatus.CANCELLED, OrderStatus.PLACED)


def test_the_clock_asks_for_it_and_sourcing_does_it(table: Table) -> None:
    held(table)
    tell(table, OLD_ID, FactKind.CANCELLED)
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://queue.example.test")
    assert sweep_due(table, queue, queue, Sweep(WorkStage.REPLACE, shard(NEW_ID)), LATER) == 1
    (asked,) = (json.loads(entry["MessageBody"]) for entry in receiver.taken)
    assert asked == {"type": "replace", "order_id": NEW_ID}
    body = json.dumps(asked)
    assert sourcing({"Records": [{"messageId": "m1", "body": body}]}, None) == {"batchItemFailures": []}
    assert order_of(table, NEW_ID).holds == ()


ONE = replace(OLD, replaces="14@1")
OTHER_WAY = replace(NEW, placed_at=ONE.placed_at + timedelta(microseconds=1700))
MUTUAL = {
    "the second is later": (ONE, OTHER_WAY),
    "the first is later": (replace(ONE, placed_at=OTHER_WAY.placed_at + timedelta(seconds=1)), OTHER_WAY),
    "within the millisecond": (ONE, replace(NEW, placed_at=ONE.placed_at + timedelta(microseconds=7))),
    "at once": (ONE, NEW),
}
"""Two orders that name each other as replaced."""


def survivors(table: Table) -> list[str]:
    return [name for name in (OLD_ID, NEW_ID) if status(table, name) is OrderStatus.PLACED]


def expected(one: PlaceOrder, other: PlaceOrder) -> list[str]:
    """The later, to the millisecond; of two at once the one whose id is greater."""
    apart = abs(one.placed_at - other.placed_at) >= timedelta(milliseconds=1)
    late = OLD_ID if one.placed_at > other.placed_at else NEW_ID
    return [late if apart else max(OLD_ID, NEW_ID)]


@pytest.mark.parametrize("which", MUTUAL)
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_that_name_each_other_the_later_stands_whichever_comes_first(
    table: Table, which: str, turned: bool
) -> None:
    fill(table, "A", wh_madrid=9)
    one, other = MUTUAL[which]
    order = [other, one] if turned else [one, other]
    for _ in range(2):
        send(table, *order, *order[::-1])
    assert survivors(table) == expected(one, other)
    (name,) = survivors(table)
    assert order_of(table, name).holds == ()
    assert len(release_order(table, network(), name, LATER)) == 1
    assert not check_ledger(table, segments=1).findings


@pytest.mark.parametrize("which", MUTUAL)
@pytest.mark.parametrize("turned", [False, True])
def test_so_it_does_when_they_come_at_the_same_moment(table: Table, which: str, turned: bool) -> None:
    fill(table, "A", wh_madrid=9)
    one, other = MUTUAL[which]
    first, second = (other, one) if turned else (one, other)
    place_order(Racing(table, lambda: send(table, second)), network(), first, LATER)
    send(table, one, other)
    assert survivors(table) == expected(one, other)


@pytest.mark.parametrize("turned", [False, True])
def test_both_know_of_the_other_before_either_is_there(table: Table, turned: bool) -> None:
    fill(table, "A", wh_madrid=9)
    for sent in (ONE, OTHER_WAY):
        cancel = cancelled_for(sent)
        assert cancel
        cancel_by_channel(table, network(), cancel, LATER)
    send(table, *([OTHER_WAY, ONE] if turned else [ONE, OTHER_WAY]))
    assert survivors(table) == [NEW_ID]


def test_what_the_channel_cancels_itself_stands_no_longer(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(
        table, ONE, OTHER_WAY, replace(OTHER_WAY, cancelled=True, channel_version="2026-11-22T09:59:00.000Z")
    )
    assert survivors(table) == []


def test_the_one_that_stands_waits_while_a_location_has_the_other(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    send(table, ONE)
    release_order(table, network(), OLD_ID, LATER)
    send(table, OTHER_WAY, ONE)
    assert order_of(table, NEW_ID).holds == ("replaces",)
    tell(table, OLD_ID, FactKind.CANCELLED)
    assert settle_replacement(table, NEW_ID, LATER) is not None
    assert survivors(table) == [NEW_ID]
