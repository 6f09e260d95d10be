"""Copies of frozen values."""

from dataclasses import field

import pytest

from oms.values import frozen, members, replace


@frozen(kw_only=True)
class Versioned:
    v: int = 0


@frozen
class Box(Versioned):
    name: str
    units: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        if self.units < 0:
            raise ValueError("units")


def test_a_copy_has_what_was_changed_and_all_else_of_its_base_too() -> None:
    box = replace(Box("a", 3, v=2), name="b")
    assert (box.name, box.units, box.v) == ("b", 3, 2)


def test_members_are_all_fields_as_they_are() -> None:
    assert members(Box("a", 3, v=2)) == {"v": 2, "name": "a", "units": 3}


def test_a_copy_is_checked_as_any_value_is() -> None:
    with pytest.raises(ValueError, match="units"):
        replace(Box("a"), units=-1)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        replace(Box("a"), colour="red")  # type: ignore[call-arg]


def test_a_value_of_one_field_is_copied_too() -> None:
    assert replace(Versioned(v=1), v=2) == Versioned(v=2)
    assert members(Versioned(v=1)) == {"v": 1}


def test_equal_values_are_the_same_key() -> None:
    assert {Box("a", 3, v=1): "first"}[Box("a", 5, v=1)] == "first"


def test_the_type_checker_holds_that_values_never_change() -> None:
    box = Box("a")
    box.name = "b"  # type: ignore[misc]  # not needed any more, this is an error
    assert box.name == "b"
