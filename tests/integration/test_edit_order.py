"""Editing on the table: what a newer version writes, crashes, races, repetitions, cost."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from botocore.exceptions import ReadTimeoutError

from oms.inventory.model import Component, Sku
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Address, Line, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.status import OrderStatus, kept_total, line_total, order_status
from oms.store import queries
from oms.store.meter import Meter
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.store.writes import Write
from oms.usecases.cancel_order import cancel_order
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import assert_balanced, fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
FIRST = command(line("A", 3), line("B", 1, number=2))
MOVED = Address(country="ES", postal_code="08001")
EDITED = replace(
    command(line("A", 2), line("C", 2, number=3)),
    channel_version="2026-11-22T09:45:00.000Z",
    deliveries=(replace(FIRST.deliveries[0], ship_to=MOVED),),
    payments=FIRST.payments,
)
"""One A less, no B any more, two of C that were not there; to another address."""


def stocked(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    fill(table, "B", wh_madrid=5)
    fill(table, "C", wh_madrid=5)


def send(table: Table, sent: PlaceOrder) -> Result:
    return place_order(table, network(), sent, NOW)


def together(table: Table, sent: PlaceOrder) -> Result:
    ((_, outcome),) = place_orders(table, network(), [sent], NOW)
    assert isinstance(outcome, Result)
    return outcome


def assert_edited(table: Table) -> None:
    """The order, its body, its money and the shelves are what the edit says."""
    found = queries.order_with_body(table, ID)
    assert found is not None
    order, body = found
    assert [(kept.sku, kept.allocated, kept.cancelled) for kept in order.lines] == [
        ("A", 2, 1),
        ("B", 0, 1),
        ("C", 2, 0),
    ]
    assert [shown.channel_line_id for shown in body.lines] == ["701", "702", "703"]
    assert body.ship_to["d1"] == MOVED
    assert (order.holds, order.exceptions) == ((), ())
    assert read_refunds(table, ID) == {}
    assert {sku: shelves(table, sku)["wh-madrid"] for sku in "ABC"} == {
        "A": (5, 2, 3),
        "B": (5, 0, 5),
        "C": (5, 2, 3),
    }
    assert_balanced(table, [ID], "ABC")


@pytest.mark.parametrize("again", [send, together], ids=["alone", "in the hot lane"])
def test_a_newer_version_is_applied_once(table: Table, again: Callable[[Table, PlaceOrder], Result]) -> None:
    stocked(table)
    send(table, FIRST)
    assert again(table, EDITED).verdict is Verdict.EDITED
    assert_edited(table)
    version = order_of(table, ID).v
    assert again(table, EDITED).verdict is Verdict.DUPLICATE
    assert again(table, FIRST).verdict is Verdict.STALE
    assert order_of(table, ID).v == version


def test_an_edit_that_comes_before_its_order_is_the_order(table: Table) -> None:
    stocked(table)
    assert send(table, EDITED).verdict is Verdict.PLACED
    assert send(table, FIRST).verdict is Verdict.STALE
    assert [(kept.sku, kept.allocated) for kept in order_of(table, ID).lines] == [("A", 2), ("C", 2)]


class Racing(Table):
    """A table on which somebody else does something just before an order is written over what was seen."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: Write) -> None:
        if self._races and any(write.values.get("seen") for write in writes):
            self._races.pop()()
        super().commit(*writes)


def test_an_edit_that_meets_a_release_asks_the_location(table: Table) -> None:
    stocked(table)
    send(table, FIRST)
    racing = Racing(table, lambda: release_order(table, network(), ID, NOW))
    result = send(racing, replace(EDITED, deliveries=FIRST.deliveries))
    assert result.verdict is Verdict.EDITED
    (work,) = queries.fulfillment_orders(table, ID)
    assert (work.recalled("1"), work.recalled("2")) == (1, 1)
    assert_balanced(table, [ID], "ABC")


def test_an_order_that_its_edit_empties_is_cancelled(table: Table) -> None:
    stocked(table)
    send(table, FIRST)
    send(table, replace(FIRST, lines=(), total=0, channel_version=EDITED.channel_version))
    assert order_status(order_of(table, ID)) is OrderStatus.CANCELLED
    assert sum(refund.amount for refund in read_refunds(table, ID).values()) == 4000
    assert_balanced(table, [ID], "ABC")


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    stocked(table)
    send(table, FIRST)
    undisturbed = Faults()
    send(Table(undisturbed.wrap(table.client), table.name), EDITED)
    assert_edited(table)
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        stocked(fresh)
        send(fresh, FIRST)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        with pytest.raises((Crash, ReadTimeoutError)):
            send(shaky, EDITED)
        send(fresh, EDITED)
        assert_edited(fresh)
        table.client.delete_table(TableName=fresh.name)


def test_an_edit_costs_few_write_units(table: Table) -> None:
    """Header (its journal takes it beyond 1 KB), body, two positions; then header, position, decision.

    The header leaves the queue of releases while stock is asked for, and comes back.
    """
    stocked(table)
    send(table, FIRST)
    meter = Meter(table.client)
    send(Table(meter.client("edit"), table.name), EDITED)
    assert meter.bill.only(operation="edit").writes <= (4 + 2 + 4) + (4 + 2 + 2) + 8


def version(number: int, *lines: Line, **fields: object) -> PlaceOrder:
    """A later version; what was paid for the first is all that was ever paid."""
    at = f"2026-11-22T09:{45 + number}:00.000Z"
    return command(*lines, channel_version=at, **({"payments": FIRST.payments} | fields))


SEVERAL: dict[str, tuple[list[PlaceOrder], int, int]] = {
    "down and up again": ([version(1, line("A", 2)), version(2, line("A", 3))], 2000, 3000),
    "down and up beyond": ([version(1, line("A", 2)), version(2, line("A", 4))], 3000, 4000),
    "down, and another line up": (
        [
            version(1, line("A", 2), line("B", 1, number=2)),
            version(2, line("A", 2), line("B", 2, number=2)),
        ],
        4000,
        4000,
    ),
    "down, and a line more": (
        [
            version(1, line("A", 2), line("B", 1, number=2)),
            version(2, line("A", 2), line("B", 1, number=2), line("C", 2, number=3)),
        ],
        5000,
        5000,
    ),
    "up, down and up elsewhere": (
        [
            version(1, line("A", 4), line("B", 1, number=2)),
            version(2, line("A", 2), line("B", 1, number=2)),
            version(3, line("A", 2), line("B", 3, number=2)),
        ],
        5000,
        5000,
    ),
    "down by its own count, and up": (
        [
            version(1, line("A", 3, cancelled=1), line("B", 1, number=2), total=4000),
            version(2, line("A", 3, cancelled=1), line("B", 2, number=2), total=5000),
        ],
        4000,
        4000,
    ),
}
"""Versions after the first, what the units that are kept cost, and what its channel says they cost."""


@pytest.mark.parametrize("which", SEVERAL)
def test_what_is_owed_after_several_edits_is_what_the_kept_units_cost(table: Table, which: str) -> None:
    stocked(table)
    versions, ours, theirs = SEVERAL[which]
    send(table, FIRST)
    for one in versions:
        for _ in range(2):
            send(table, one)
    order = order_of(table, ID)
    assert kept_total(order) == ours
    back = theirs - ours  # what it wants back is left to a person
    assert ("edit" in order.holds) is bool(back)
    cost = {
        known.line_id: line_total(order, known) * known.cancelled // known.ordered for known in order.lines
    }
    assert order.total == ours + sum(cost.values())
    assert_balanced(table, [ID], "ABC")


@pytest.mark.parametrize("fields", [{"notes": "ring twice"}, {"shipping": 300, "total": 4300}])
def test_what_we_have_cancelled_is_not_owed_because_the_channel_still_has_it(
    table: Table, fields: dict[str, object]
) -> None:
    stocked(table)
    send(table, FIRST)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.INVENTORY, {"1": 1}), NOW)
    dearer = cast(int, fields.get("shipping", 0))
    delivered = replace(FIRST.deliveries[0], shipping=dearer)
    send(table, version(1, *FIRST.lines, **(fields | {"deliveries": (delivered,)})))
    order = order_of(table, ID)
    assert (order.total, kept_total(order)) == (4000 + dearer, 3000 + dearer)
    assert order.holds == ()


def test_a_kit_of_which_a_version_has_fewer_costs_as_much_less(table: Table) -> None:
    stocked(table)
    describe_sku(table, Sku("KIT", kit=(Component("A", 2, 2), Component("B", 1, 1))))
    kit = command(line("KIT", 3, price=900))
    send(table, kit)
    send(table, version(1, line("KIT", 2, price=900), payments=kit.payments))
    order = order_of(table, ID)
    assert (order.total, kept_total(order)) == (2700, 1800)
    assert sum(refund.amount for refund in read_refunds(table, ID).values()) == 900
