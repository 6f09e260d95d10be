"""Movements in the store: derived from the images of a position, and kept apart from it."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from oms.inventory.model import Position
from oms.inventory.movements import Movement, Redated, counters, subtract
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.errors import Busy
from oms.store.stock import decode_position
from oms.store.table import Table
from oms.store.writes import encode_redated

OUT_OF_ORDER = timedelta(minutes=1)
"""How much earlier a later write may be dated: each has the time at which its command began."""


def movement_of(old: Item | None, new: Item) -> Movement | None:
    """The movement that a write of a position was; None when it left the version as it was.

    The same images always give the same movement, so that a repeated record does.

    Args:
        old: the item before, None when there was none.
        new: the item after.

    Raises:
        KeyError: the item does not say why.
    """
    after = decode_position(new)
    before = decode_position(old) if old else Position(after.sku, after.location)
    if after.v == before.v:
        return None
    why = cast(dict[str, Any], new["why"])
    return Movement(
        after.sku,
        after.location,
        after.v,
        subtract(counters(after), counters(before)),
        counters(after),
        why["reason"],
        why["ref"],
        why["actor"],
        moment(why["at"]),
        moment(why.get("occurred_at", why["at"])),
        decode_redated(why.get("redated", ())),
    )


def encode_movement(movement: Movement) -> Item:
    """A movement's attributes, without its key."""
    item: Item = {
        "t": "movement",
        "sv": 1,
        "change": dict(movement.change),
        "after": dict(movement.after),
        "reason": movement.reason,
        "ref": movement.ref,
        "actor": movement.actor,
        "at": millis(movement.at),
        "occurred_at": millis(movement.occurred_at),
    }
    return item | ({"redated": encode_redated(movement.redated)} if movement.redated else {})


def decode_movement(item: Item) -> Movement:
    """A movement from its item."""
    stored = cast(dict[str, Any], item)
    sku, _, location = stored["PK"].removeprefix(keys.MOVEMENT).rpartition("#")
    return Movement(
        sku=sku,
        location=location,
        v=int(stored["SK"]),
        at=moment(stored["at"]),
        occurred_at=moment(stored.get("occurred_at", stored["at"])),
        redated=decode_redated(stored.get("redated", ())),
        **{name: stored[name] for name in ("change", "after", "reason", "ref", "actor")},
    )


def decode_redated(stored: Iterable[tuple[int, dict[str, int]]]) -> tuple[Redated, ...]:
    """What a write says of earlier movements, as `oms.store.writes.encode_redated` keeps it."""
    return tuple(Redated(moment(was), units) for was, units in stored)


def keep_movements(table: Table, movements: Iterable[Movement]) -> None:
    """Store movements; to store one again changes nothing.

    Raises:
        Busy: throttling outlasted the retries; some may be stored.
    """
    table.put_many(
        {keys.movement(each.sku, each.location, each.v): encode_movement(each) for each in movements}
    )


def movements_back_to(table: Table, position: Position, since: datetime) -> Iterator[Movement]:
    """The movements of a position from its version back to all that was written since a time, latest first.

    Raises:
        Busy: one of them is missing; the stream brings it soon, unless it was lost.
    """
    v = position.v
    while v:
        wanted = v
        above = keys.movement(position.sku, position.location, v + 1)
        for item in table.latest(above.pk, before={"PK": above.pk, "SK": above.sk}):
            movement = decode_movement(item)
            if movement.v != v:
                break
            if movement.at < since - OUT_OF_ORDER:
                return
            yield movement
            v -= 1
        if v == wanted:
            raise Busy(f"movement {v} of {position.sku} at {position.location} is not there yet")
