"""Safety stock: the most specific number counts, for whoever looks and for whoever takes."""

from dataclasses import replace

import pytest

from oms.inventory.model import Delta, Deltas, Position, SafetyStock, Sku, Stock, add
from oms.inventory.safety import least_safety_at, safety_stock
from oms.orders.commands import Delivery, Method
from oms.orders.placing import Placement, place
from oms.store.placements import stock_writes
from oms.store.writes import Why
from tests.builders import CHANNEL, MADRID, NOW, STORE, command, line, network

SHELF = replace(STORE, safety_stock=1)
ANY = SafetyStock(2)
SHIPPED = SafetyStock(3, method=Method.SHIP)
HERE = SafetyStock(4, "st-gracia")
SHIPPED_HERE = SafetyStock(5, "st-gracia", Method.SHIP)
ELSEWHERE = SafetyStock(9, "wh-madrid", Method.PICKUP)
PAIR = (
    Delivery("d1", Method.SHIP),
    Delivery("d2", Method.PICKUP, location="st-gracia"),
)


@pytest.mark.parametrize(
    ("rules", "shipped", "picked_up"),
    [
        ((), 1, 1),
        ((ELSEWHERE,), 1, 1),
        ((ANY,), 2, 2),
        ((SafetyStock(0),), 0, 0),
        ((SHIPPED,), 3, 1),
        ((SHIPPED, ANY), 3, 2),
        ((HERE, SHIPPED, ANY), 4, 4),
        ((SHIPPED_HERE, HERE, SHIPPED, ANY, ELSEWHERE), 5, 4),
        ((SHIPPED_HERE, ANY), 5, 2),
        ((SafetyStock(0, "st-gracia"), SHIPPED), 0, 0),
    ],
)
def test_the_most_specific_number_counts(
    rules: tuple[SafetyStock, ...], shipped: int, picked_up: int
) -> None:
    for said in (rules, rules[::-1]):
        sku = Sku("A", safety_stock=said)
        assert safety_stock(sku, SHELF, Method.SHIP) == safety_stock(sku, SHELF) == shipped
        assert safety_stock(sku, SHELF, Method.PICKUP) == picked_up
        assert least_safety_at(sku, [SHELF]) == {"st-gracia": min(shipped, picked_up)}


def test_of_a_sku_that_nobody_has_described_the_location_keeps_its_own() -> None:
    assert safety_stock(None, SHELF) == 1


def placed(*orders: str) -> Placement:
    """An order of 9 shipped and then 9 picked up, from a store with 6: shipping leaves 4, picking up 1."""
    sku = Sku("A", safety_stock=(SafetyStock(4, method=Method.SHIP), SafetyStock(1, method=Method.PICKUP)))
    stocks = {"A": Stock(sku, (Position("A", "st-gracia", on_hand=6, uncommitted=6, v=1),))}
    lines = [line("A", 9, number=number, delivery_id=name) for number, name in enumerate(orders)]
    sent = command(*lines, deliveries=PAIR)
    return place(sent, CHANNEL, network(MADRID, STORE), stocks, NOW)


@pytest.mark.parametrize(
    ("deliveries", "given", "condition"),
    [(("d1",), [2], 2 + 4), (("d2",), [5], 5 + 1), (("d1", "d2"), [2, 3], 5 + 1)],
)
def test_what_one_delivery_takes_is_gone_for_the_next_and_the_write_holds_both_to_the_least(
    deliveries: tuple[str, ...], given: list[int], condition: int
) -> None:
    placement = placed(*deliveries)
    assert [one.allocated for one in placement.order.lines] == given
    writes = stock_writes([placement], Why("test", "test", "test", NOW))
    (position,) = [write for write in writes if "#uncommitted >=" in (write.condition or "")]
    assert position.values["least_uncommitted"] == condition


@pytest.mark.parametrize(
    ("changes", "safety"),
    [
        ([Delta(allocated=1, safety=3), Delta(reserved=-1)], 3),
        ([Delta(reserved=-1), Delta(allocated=1, safety=3)], 3),
        ([Delta(allocated=1, safety=3), Delta(allocated=1, safety=2)], 2),
        ([Delta(allocated=1, safety=3), Delta(allocated=1)], 0),
        ([Delta(on_hand=1), Delta(allocated=-1)], 0),
    ],
)
def test_only_who_promises_has_a_say_in_what_a_sum_of_changes_leaves(
    changes: list[Delta], safety: int
) -> None:
    deltas: Deltas = {}
    for change in changes:
        add(deltas, "A", "wh", change)
    assert deltas["A", "wh"].safety == safety
