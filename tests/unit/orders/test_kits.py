"""Kits: components for whatever is ordered as one, and every cent where it belongs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.inventory.model import Component, Sku, Stock
from oms.orders.commands import FulfilledBy, Line, LineKind
from oms.orders.kits import components, expand
from tests.builders import line, stock

SET = Sku("SET", kit=(Component("MUG", 2, 900), Component("SPOON", 1, 200)))
ENTRIES = {"SET": SET, "MUG": Sku("MUG", title="Mug"), "SPOON": Sku("SPOON", title="Spoon")}


def parts(ordered: Line, entries: dict[str, Sku] = ENTRIES) -> tuple[Line, ...]:
    return expand([ordered], entries).lines[1:]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": LineKind.CONTAINER},
        {"kind": LineKind.DIGITAL},
        {"fulfilled_by": FulfilledBy.CHANNEL},
        {"fulfilled_by": FulfilledBy.VENDOR},
        {"sku": None},
        {"sku": "MUG"},
        {"sku": "UNKNOWN"},
    ],
)
def test_what_does_not_take_a_kit_from_our_stock_stays_as_it_is(fields: Any) -> None:
    ordered = replace(line("SET", 1), **fields)
    expanded = expand([ordered], ENTRIES)
    assert (expanded.lines, expanded.per_bundle) == ((ordered,), {})


def test_the_channels_lines_keep_their_places_and_components_come_after_all() -> None:
    ordered = [line("SET", 1, number=1), line("MUG", 1, number=2), line("SET", 3, number=3)]
    expanded = expand(ordered, ENTRIES)
    assert [(part.channel_line_id, part.parent_line_id, part.sku) for part in expanded.lines] == [
        ("701", None, "SET"),
        ("702", None, "MUG"),
        ("703", None, "SET"),
        ("701/MUG", "701", "MUG"),
        ("701/SPOON", "701", "SPOON"),
        ("703/MUG", "703", "MUG"),
        ("703/SPOON", "703", "SPOON"),
    ]
    assert expanded.per_bundle == {"701/MUG": 2, "701/SPOON": 1, "703/MUG": 2, "703/SPOON": 1}


def test_the_kit_becomes_a_container_without_money_or_goods() -> None:
    container, *_ = expand([line("SET", 2, price=2000, discount=100, tax=300)], ENTRIES).lines
    assert (container.kind, container.quantity, container.requires_shipping) == (LineKind.CONTAINER, 2, False)
    assert (container.amount, container.discount, container.tax, container.unit_price) == (0, 0, 0, 0)


def test_units_of_the_channel_count_for_every_component() -> None:
    ordered = line("SET", 5, shipped=3, cancelled=1, refunded=2)
    assert [(part.quantity, part.shipped, part.cancelled, part.refunded) for part in parts(ordered)] == [
        (10, 6, 2, 4),
        (5, 3, 1, 2),
    ]
    assert {part.shipped for part in parts(line("SET", 1))} == {None}


def test_a_kit_taken_at_a_till_takes_its_components() -> None:
    taken = parts(line("SET", 1, fulfilled_by=FulfilledBy.TAKEN))
    assert {part.fulfilled_by for part in taken} == {FulfilledBy.TAKEN}


@pytest.mark.parametrize(("ordered", "units"), [("1.5", [3, "1.5"]), (0, [0, 0]), ("0.25", ["0.5", "0.25"])])
def test_a_part_of_a_kit_is_whole_where_it_can_be(ordered: int | str, units: list[int | str]) -> None:
    assert [part.quantity for part in parts(line("SET", ordered))] == units


def test_money_is_spread_by_weight_and_the_price_of_a_unit_follows() -> None:
    mug, spoon = parts(line("SET", 1, price=2000, discount=201, tax=312))
    assert (mug.amount, spoon.amount) == (1800, 200)
    assert (mug.discount, spoon.discount) == (181, 20)
    assert (mug.tax, spoon.tax) == (281, 31)
    assert (mug.unit_price, spoon.unit_price) == (900, 200)
    assert parts(line("SET", 3, price=1000))[0].unit_price == 450


def test_without_weights_every_component_counts_alike() -> None:
    alike = replace(SET, kit=(Component("MUG", 2), Component("SPOON", 1)))
    assert [part.amount for part in parts(line("SET", 1, price=1001), ENTRIES | {"SET": alike})] == [501, 500]


def test_a_component_that_nobody_knows_is_a_line_of_an_unknown_sku() -> None:
    _, spoon = parts(line("SET", 1), {"SET": SET, "MUG": Sku("MUG")})
    assert (spoon.sku, spoon.title) == ("SPOON", "SPOON")


AMOUNTS = st.integers(0, 10**6)
KITS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 500)), min_size=1, max_size=6)


@given(AMOUNTS, AMOUNTS, AMOUNTS, KITS)
def test_every_cent_is_somewhere_and_no_component_is_discounted_beyond_its_price(
    amount: int, discount: int, tax: int, kit: list[tuple[int, int]]
) -> None:
    discount = min(discount, amount)
    made = Sku("SET", kit=tuple(Component(f"C{n}", units, weight) for n, (units, weight) in enumerate(kit)))
    spread = parts(replace(line("SET", 1), amount=amount, discount=discount, tax=tax), {"SET": made})
    assert sum(part.amount for part in spread) == amount
    assert sum(part.discount for part in spread) == discount
    assert sum(part.tax for part in spread) == tax
    assert all(part.discount <= part.amount for part in spread)


def test_the_skus_that_kits_consist_of_are_told_as_far_as_they_are_missing() -> None:
    stocks = {"SET": Stock(SET), "MUG": stock("MUG", {}), "UNKNOWN": Stock(None)}
    assert components(stocks) == {"SPOON"}
    assert components({"MUG": stock("MUG", {})}) == set()
