"""The whole life of an order on the table: its cost in write units, and a crash at every single call."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.orders.identity import order_id
from oms.orders.status import OrderStatus, order_status
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.meter import Meter, item_size
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import assert_balanced, fill, order_of, shelves

pytestmark = pytest.mark.moto

ID = order_id("shop-es", "5001")
PARCEL = Package("p1", "correos", "PQ4F6X0712345670108230Q")


def fact(kind: FactKind, *packages: Package) -> FulfillmentFact:
    later = NOW + timedelta(hours=1)
    return FulfillmentFact(f"message-{kind}", kind, later, ID, "2-1", packages)


def steps(lines: int) -> dict[str, Callable[[Table], object]]:
    """What happens to an order of so many lines, by the name of each use."""
    order = command(*(line(f"SKU-{number:04d}", 1, number=number) for number in range(1, lines + 1)))
    return {
        "place": lambda table: place_order(table, network(), order, NOW),
        "release": lambda table: release_order(table, network(), ID, NOW),
        "accept": lambda table: record_fulfillment(table, fact(FactKind.ACCEPTED), NOW),
        "ship": lambda table: record_fulfillment(table, fact(FactKind.SHIPPED, PARCEL), NOW),
        "deliver": lambda table: record_fulfillment(table, fact(FactKind.DELIVERED, PARCEL), NOW),
    }


def stocked(table: Table, lines: int) -> list[str]:
    skus = [f"SKU-{number:04d}" for number in range(1, lines + 1)]
    for sku in skus:
        fill(table, sku, wh_madrid=9)
    return skus


@pytest.mark.parametrize("lines", [1, 5, 10])
def test_a_life_costs_no_more_write_units_than_its_budget(table: Table, lines: int) -> None:
    stocked(table, lines)
    budget = {"place": 7 + 2 * lines, "release": 6, "accept": 3, "ship": 8 + 2 * lines, "deliver": 2}
    meter = Meter(table.client)
    for name, step in steps(lines).items():
        step(Table(meter.client(name), table.name))
    spent = {name: meter.bill.only(operation=name).writes for name in budget}
    # A header beyond 1 KB costs two units more in each transaction that writes it: beyond five lines it may.
    wide = 0 if lines <= 5 else 2
    for name, units in spent.items():
        assert units <= budget[name] + wide, f"{name}\n{meter.bill.only(operation=name)}"
    if lines <= 5:
        assert sum(spent.values()) <= 26 + 4 * lines


def test_the_header_of_a_usual_order_stays_within_a_kilobyte_for_life(table: Table) -> None:
    stocked(table, 5)
    for step in steps(5).values():
        step(table)
        answer = table.client.get_item(
            TableName=table.name, Key={"PK": {"S": f"O#{ID}"}, "SK": {"S": keys.HEADER_SK}}
        )
        assert item_size(answer["Item"]) <= 1024


def test_placing_reads_each_sku_once_and_writes_once(table: Table) -> None:
    stocked(table, 3)
    faults = Faults()
    steps(3)["place"](Table(faults.wrap(table.client), table.name))
    assert faults.calls == ["query", "query", "query", "transact_write_items"]


def calls_of_a_life() -> list[tuple[str, int]]:
    """Every call of every step with one line, found by the tests themselves: (step, number of the call)."""
    return [
        (step, number)
        for step, calls in {"place": 2, "release": 3, "accept": 2, "ship": 5, "deliver": 5}.items()
        for number in range(1, calls + 1)
    ]


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
@pytest.mark.parametrize(("crashing", "number"), calls_of_a_life())
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(
    table: Table, crashing: str, number: int, when: str
) -> None:
    (sku,) = stocked(table, 1)
    for name, step in steps(1).items():
        if name == crashing:
            faults = Faults(**{when: number})  # type: ignore[arg-type]
            with pytest.raises(Crash):
                step(Table(faults.wrap(table.client), table.name))
            assert_balanced(table, [ID], [sku])
        step(table)
        assert_balanced(table, [ID], [sku])
    assert order_status(order_of(table, ID)) is OrderStatus.CLOSED
    assert shelves(table, sku) == {"wh-madrid": (8, 0, 8)}
    assert len(table.query(keys.order(ID), keys.FULFILLMENT_ORDER)) == 1
    assert len(table.query(keys.order(ID), keys.SHIPMENT)) == 1


def test_the_crashes_cover_every_call(table: Table) -> None:
    stocked(table, 1)
    made = {}
    for name, step in steps(1).items():
        faults = Faults()
        step(Table(faults.wrap(table.client), table.name))
        made[name] = len(faults.calls)
    assert {name: max(number for step, number in calls_of_a_life() if step == name) for name in made} == made


def test_every_message_twice_changes_nothing_more(table: Table) -> None:
    (sku,) = stocked(table, 1)
    for step in steps(1).values():
        step(table)
        version = order_of(table, ID).v
        step(table)
        assert order_of(table, ID).v == version
    assert shelves(table, sku) == {"wh-madrid": (8, 0, 8)}


def test_a_delivery_that_overtakes_its_shipment_records_both(table: Table) -> None:
    (sku,) = stocked(table, 1)
    life = steps(1)
    for name in ("place", "release", "deliver", "ship", "accept"):
        life[name](table)
    order = order_of(table, ID)
    assert (order.lines[0].shipped, order.lines[0].delivered) == (1, 1)
    assert shelves(table, sku) == {"wh-madrid": (8, 0, 8)}


def test_a_delivery_of_nothing_known_is_refused_for_another_try(table: Table) -> None:
    stocked(table, 1)
    life = steps(1)
    life["place"](table)
    life["release"](table)
    with pytest.raises(Problem) as refused:
        record_fulfillment(table, fact(FactKind.DELIVERED), NOW)
    assert refused.value.code is Code.STATE_REFUSED
    life["ship"](table)
    assert record_fulfillment(table, fact(FactKind.DELIVERED), NOW).delivered == 1


@pytest.mark.parametrize("kind", [FactKind.ACCEPTED, FactKind.SHIPPED])
def test_a_fact_about_an_unknown_fulfillment_order_is_refused(table: Table, kind: FactKind) -> None:
    with pytest.raises(Problem) as refused:
        record_fulfillment(table, fact(kind, PARCEL), NOW)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "fulfillment_order")


def test_releasing_an_unknown_order_is_refused(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        release_order(table, network(), "X" * 26, NOW)
    assert refused.value.code is Code.NOT_FOUND


def test_the_delivery_of_a_parcel_that_nobody_shipped_is_refused(table: Table) -> None:
    stocked(table, 1)
    life = steps(1)
    for name in ("place", "release", "ship"):
        life[name](table)
    with pytest.raises(Problem) as refused:
        record_fulfillment(table, fact(FactKind.DELIVERED, Package("p9")), NOW)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "packages")
