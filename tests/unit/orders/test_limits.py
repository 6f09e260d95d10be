"""Limits of numbers: every one has some, and none is refused that is within them."""

from dataclasses import fields, replace
from typing import get_args, get_type_hints

import pytest

from oms.channels.generic.documents import COMMANDS
from oms.orders.commands import LISTING, Fee, Payment, PaymentState, PlaceOrder
from oms.orders.limits import LIMITS, LONGEST_NAME, MOST_MONEY, MOST_UNITS, require_limits
from oms.problems import Code, Problem
from tests.builders import command, line

ORDER = command(line("A", 2), fees=(Fee("wrapping", 100),))


def parts(kind: type) -> set[type]:
    """A dataclass with all that are inside of it."""
    inner = {
        part for hint in get_type_hints(kind).values() for part in (hint, *get_args(hint)) if part in FOUND
    }
    return {kind}.union(*map(parts, inner))


FOUND = {
    part
    for kind in COMMANDS.values()
    for hint in get_type_hints(kind).values()
    for part in (hint, *get_args(hint))
    if hasattr(part, "__dataclass_fields__")
}


def test_every_number_of_every_command_has_limits() -> None:
    numbers = {
        (kind, field.name)
        for command in COMMANDS.values()
        for kind in parts(command)
        for field in fields(kind)
        if int in (get_type_hints(kind)[field.name], *get_args(get_type_hints(kind)[field.name]))
    }
    assert numbers == {(kind, name) for kind, limits in LIMITS.items() for name in limits}


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (replace(ORDER, total=MOST_MONEY + 1), "total"),
        (replace(ORDER, total=-1), "total"),
        (replace(ORDER, tip=-MOST_MONEY - 1), "tip"),
        (replace(ORDER, fees=(Fee("a", 1), Fee("b", 10**18))), "fees[1].amount"),
        (replace(ORDER, payments=(Payment("card", -1, PaymentState.CAPTURED),)), "payments[0].amount"),
        (command(line("A", MOST_UNITS + 1)), "lines[0].quantity"),
        (command(line("A"), line("B", "1000000000000.5", number=2)), "lines[1].quantity"),
        (command(line("A", -1, amount=1000)), "lines[0].quantity"),
        (command(line("A", unit_price="1e16")), "lines[0].unit_price"),
        (command(line("A", shipped=-1)), "lines[0].shipped"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_beyond_its_limits_is_refused_by_the_name_of_its_field(order: PlaceOrder, field: str) -> None:
    with pytest.raises(Problem) as refused:
        require_limits(order)
    assert (refused.value.code, refused.value.field) == (Code.FIELD_INVALID, field)


def test_the_place_of_a_part_of_a_delivery_is_named_too() -> None:
    with pytest.raises(Problem) as refused:
        require_limits(replace(ORDER, total=-1), "[1]")
    assert refused.value.field == "[1].total"


def test_names_have_room_in_the_keys_of_the_store() -> None:
    longest = "ñ" * (LONGEST_NAME // 2)
    require_limits(command(line(longest), reservation=longest))
    require_limits(command(line(None, properties={LISTING: longest})))
    with pytest.raises(Problem) as refused:
        require_limits(command(line("A"), line(f"{longest}o", number=2)), "[1]")
    assert refused.value.field == "[1].lines[1].sku"


def test_what_is_just_within_them_is_taken() -> None:
    most = line("A", MOST_UNITS, unit_price="0.001", amount=-MOST_MONEY, shipped=None)
    require_limits(command(most, total=MOST_MONEY, tip=-MOST_MONEY, tax=0, payments=()))
