"""What the lab has found, told by hand: each is a race that no other test had."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from infra.lab.memory_table import MemoryTable
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.orders.identity import order_id
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_money import record_money
from oms.usecases.record_rejection import record_rejection
from oms.usecases.release_order import release_order
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import NOW, command, line, network
from tests.shelves import fill, order_of

ID = order_id("shop-es", "5001")


class Interrupted:
    """A client during whose call of some number something else happens first."""

    def __init__(self, client: Any, number: int, happens: Callable[[], object]) -> None:
        self._client = client
        self._left = number
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                self._happens()
            return getattr(self._client, name)(**request)

        return call


def fact(kind: FactKind, *parcels: int) -> FulfillmentFact:
    later = NOW + timedelta(hours=1)
    packages = tuple(Package(f"p{n}", lines=(PackedUnits("1", 1),)) for n in parcels)
    return FulfillmentFact(f"{kind} {parcels}", kind, later, ID, "2-1", packages)


@pytest.mark.parametrize("number", range(1, 6))
def test_two_parcels_of_an_order_that_arrive_at_once_are_both_counted(number: int) -> None:
    memory: Any = MemoryTable("orders")
    table = Table(memory, "orders")
    fill(table, "A", wh_madrid=9)
    place_order(table, network(), command(line("A", 2)), NOW)
    release_order(table, network(), ID, NOW)
    record_fulfillment(table, fact(FactKind.SHIPPED, 1, 2), NOW)
    first, second = fact(FactKind.DELIVERED, 1), fact(FactKind.DELIVERED, 2)
    client: Any = Interrupted(memory, number, lambda: record_fulfillment(table, second, NOW))
    record_fulfillment(Table(client, "orders"), first, NOW)
    order = order_of(table, ID)
    assert [line.delivered for line in order.lines] == [2]
    assert order.closed_at is not None


def test_a_version_that_does_not_know_of_a_payment_yet_leaves_it_as_it_was_recorded() -> None:
    memory: Any = MemoryTable("orders")
    table = Table(memory, "orders")
    fill(table, "A", wh_madrid=9)
    unpaid = replace(command(line("A", 2)), payments=())
    order = place_order(table, network(), unpaid, NOW).order
    assert order.holds == ("payment",)
    total = order.total
    paid = PaymentRecorded(
        *("shop-es", "shopify", "5001", "p1", None, PaymentKind.SALE, Outcome.SUCCESS, total, "EUR"),
        method="card",
        test=False,
        occurred_at=NOW,
    )
    record_money(table, paid, NOW)
    place_order(table, network(), replace(unpaid, channel_version="2026-11-23T00:00:00Z"), NOW)
    kept = order_of(table, ID)
    assert (kept.captured, kept.holds) == (total, ())
    refund = RefundRecorded("shop-es", "shopify", "5001", "r1", "EUR", 100, (), 0, 0, 0, 0, 0, None, NOW)
    record_money(table, refund, NOW)
    place_order(table, network(), replace(unpaid, channel_version="2026-11-24T00:00:00Z"), NOW)
    assert (order_of(table, ID).captured, order_of(table, ID).refunded) == (total, 100)


def test_what_one_line_may_not_come_from_serves_another_line_of_the_same_sku() -> None:
    memory: Any = MemoryTable("orders")
    table = Table(memory, "orders")
    fill(table, "A", wh_madrid=3)
    place_order(table, network(), command(line("A", 1, number=1), line("A", 5, number=2)), NOW)
    (work,) = release_order(table, network(), ID, NOW)
    no = FulfillmentFact("m", FactKind.REJECTED, NOW + timedelta(hours=1), ID, work.id, reason="no_box")
    record_rejection(table, network(), replace(no, lines=(PackedUnits("1", 1),)), NOW)
    serve_waiting(table, network(), "A", NOW)
    first, second = order_of(table, ID).lines
    assert (first.open, second.open) == (1, 2)
    assert sum(entry.units for entry in second.entries) == 3
