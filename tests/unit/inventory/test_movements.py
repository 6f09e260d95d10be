"""Movements: what a write has changed, and what is missing between those that are known."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from oms.inventory.model import Block, Delta, Position
from oms.inventory.movements import Lost, Movement, Redated, counters, subtract, with_losses
from oms.store.attributes import Item
from oms.store.movements import decode_movement, encode_movement, movement_of
from oms.store.writes import Why
from tests.builders import NOW

BEGINNING = Position("A#1", "wh-madrid", on_hand=9, uncommitted=9, v=1)


def image(position: Position, reason: str = "receipt") -> Item:
    """A position as stored, with why."""
    why = Why(reason, "po-7", "api", NOW + timedelta(minutes=position.v))
    return {
        "PK": f"SKU#{position.sku}",
        "SK": f"P#{position.location}",
        "t": "position",
        "v": position.v,
        "why": why.stored(),
        **counters(position),
    }


def movement(old: Position | None, new: Position) -> Movement:
    made = movement_of(image(old) if old else None, image(new))
    assert made is not None
    return made


def history(*deltas: Delta) -> list[Movement]:
    """The movements of a position that is received and then changed, latest first."""
    before, made = BEGINNING, [movement(None, BEGINNING)]
    for delta in deltas:
        after = before.moved(delta)
        made.insert(0, movement(before, after))
        before = after
    return made


SOLD, SHIPPED = Delta(allocated=2), Delta(on_hand=-2, allocated=-2)
RECEIVED, BROKEN = Delta(on_hand=5), Delta(blocked={Block.DAMAGED: 1})


def test_a_position_that_does_not_say_why_is_refused() -> None:
    silent = image(BEGINNING)
    del silent["why"]
    with pytest.raises(KeyError, match="why"):
        movement_of(None, silent)


def test_a_write_that_makes_no_version_is_no_movement() -> None:
    assert movement_of(image(BEGINNING), image(BEGINNING)) is None


def test_a_count_that_finds_what_was_known_is_a_movement_all_the_same() -> None:
    counted = replace(BEGINNING, v=2, counted_at=NOW)
    made = movement(BEGINNING, counted)
    assert (made.v, made.change, made.after) == (2, {}, {"on_hand": 9, "uncommitted": 9})


@pytest.mark.parametrize(
    ("delta", "change"),
    [
        (SOLD, {"allocated": 2, "uncommitted": -2}),
        (RECEIVED, {"on_hand": 5, "uncommitted": 5}),
        (BROKEN, {"blocked_damaged": 1, "uncommitted": -1}),
        (Delta(reserved=3), {"reserved": 3, "uncommitted": -3}),
    ],
)
def test_a_movement_has_every_counter_that_changed_and_who_when_and_why(
    delta: Delta, change: dict[str, int]
) -> None:
    made = movement(BEGINNING, BEGINNING.moved(delta))
    assert made.change == change
    assert subtract(made.after, made.change) == made.before == counters(BEGINNING)
    assert (made.reason, made.ref, made.actor) == ("receipt", "po-7", "api")
    assert (made.sku, made.location, made.v, made.at) == ("A#1", "wh-madrid", 2, NOW + timedelta(minutes=2))


def test_a_counter_that_a_repair_alone_changed_shows() -> None:
    wrong = replace(BEGINNING, uncommitted=8)
    assert movement(wrong, replace(BEGINNING, v=2)).change == {"uncommitted": 1}


def test_a_movement_comes_back_from_the_store_as_it_went_in() -> None:
    made = movement(BEGINNING, BEGINNING.moved(BROKEN))
    stored = encode_movement(made) | {"PK": "MV#A#1#wh-madrid", "SK": "000000000002"}
    assert decode_movement(stored) == made


def test_of_a_complete_history_nothing_is_missing() -> None:
    assert [lost for _, lost in with_losses(history(SOLD, SHIPPED, RECEIVED, BROKEN))] == [None] * 5


@pytest.mark.parametrize(
    ("gone", "shown"),
    [
        ({2}, {3: Lost(1, {"allocated": 2, "uncommitted": -2})}),
        ({2, 3}, {4: Lost(2, {"on_hand": -2, "uncommitted": -2})}),
        ({1}, {2: Lost(1, {"on_hand": 9, "uncommitted": 9})}),
        (
            {2, 4},
            {3: Lost(1, {"allocated": 2, "uncommitted": -2}), 5: Lost(1, {"on_hand": 5, "uncommitted": 5})},
        ),
        ({5}, {}),
    ],
    ids=["one", "two in a row", "the first", "two apart", "the last, which nothing shows"],
)
def test_what_is_missing_is_known_in_sum(gone: set[int], shown: dict[int, Lost]) -> None:
    left = [made for made in history(SOLD, SHIPPED, RECEIVED, BROKEN) if made.v not in gone]
    assert {made.v: lost for made, lost in with_losses(left) if lost} == shown


def test_counters_that_changed_without_a_version_are_missing_too() -> None:
    later, *rest = history(SOLD)
    tampered = replace(later, after=subtract(later.after, {"on_hand": 1}))
    assert with_losses([tampered, *rest])[0][1] == Lost(0, {"on_hand": -1})


@pytest.mark.parametrize(("counted", "happened"), [(1, -2), (2, -2), (3, 2), (8, 2), (9, 0)])
def test_what_is_redated_happened_when_it_is_said_and_not_when_it_was_dated(
    counted: int, happened: int
) -> None:
    """Two units that left at 2, and two that an earlier movement had leave at 8: who sums up has both."""

    def minute(number: int) -> datetime:
        return NOW + timedelta(minutes=number)

    told = Redated(minute(8), {"on_hand": -2})
    why = Why("shipped", "O-1", "fulfillment", minute(9), minute(2), (told,))
    after = BEGINNING.moved(Delta(on_hand=-2))
    made = movement_of(image(BEGINNING), image(after) | {"why": why.stored()})
    assert made is not None
    assert made.redated == (told,)
    assert decode_movement(encode_movement(made) | {"PK": "MV#A#1#wh-madrid", "SK": f"{made.v:012d}"}) == made
    assert made.since(minute(counted), "on_hand") == happened
