"""The writes that the system makes, each with the condition that makes it safe to repeat or to race."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal

from oms.inventory.model import Delta, DemandChange, Position
from oms.inventory.movements import Redated
from oms.store import keys
from oms.store.attributes import Item, Value, millis
from oms.store.keys import Key
from oms.values import frozen

UNLIMITED = "unlimited"
"""Stored in place of a number when a backorder limit is explicitly unlimited."""


@frozen
class Write:
    """One conditional write.

    A put has an `item`, an update an `update` expression, a delete neither. In expressions every attribute is
    written `#name` and every value `:name`; `values` resolves the latter.
    """

    action: Literal["Put", "Update", "Delete"]
    key: Key
    item: Item | None = None
    update: str | None = None
    condition: str | None = None
    values: Mapping[str, Value] = field(default_factory=dict)


def create(key: Key, item: Item) -> Write:
    """Put an item that must not be there yet."""
    return Write("Put", key, item, condition="attribute_not_exists(#PK)")


def replace(key: Key, item: Item, seen: int) -> Write:
    """Put an item over the one whose version was `seen`; anybody else's write in between makes it fail."""
    return Write("Put", key, item, condition="#v = :seen", values={"seen": seen})


def put(key: Key, item: Item) -> Write:
    """Put an item whatever stands there."""
    return Write("Put", key, item)


def remove(key: Key) -> Write:
    """Remove an item; there may be none. What else is written with it has to hold the condition."""
    return Write("Delete", key)


@frozen
class Why:
    """Why a position changes: a reason, what it belongs to, who did it (a function, a token), when (UTC).

    A fact has also happened at a time, `occurred_at` (UTC), by the clock of whoever tells it, and may tell of
    earlier movements that what they moved had `redated` then, too.
    """

    reason: str
    ref: str
    actor: str
    at: datetime
    occurred_at: datetime | None = None
    redated: tuple[Redated, ...] = ()

    def stored(self) -> Item:
        """As kept on the position, from where the movement is written."""
        item: Item = {"reason": self.reason, "ref": self.ref, "actor": self.actor, "at": millis(self.at)}
        if self.occurred_at is not None and self.occurred_at != self.at:
            item["occurred_at"] = millis(self.occurred_at)
        return item | ({"redated": encode_redated(self.redated)} if self.redated else {})


def encode_redated(redated: Iterable[Redated]) -> Value:
    """What a write says of earlier movements: when they were dated, and the units."""
    return [[millis(one.was), dict(one.units)] for one in redated]


def move(
    sku: str,
    location: str,
    delta: Delta,
    why: Why,
    *,
    ended: int = 0,
    seen: Position | None = None,
    exact: bool = False,
    fact: bool = False,
) -> Write:
    """Add a vector of deltas to a position.

    Units newly promised must be uncommitted (beyond its safety stock), units given back or consumed must have
    been promised, unblocked ones blocked: otherwise the write fails. One that promises nothing and takes
    nothing back, a receipt, creates the position when there is none.

    Args:
        sku: whose position.
        location: where.
        delta: the change, summed over everything that the transaction does at this position.
        why: reason, reference and actor of the movement.
        ended: units of expired reservations that the change gives back, on top of which it promises others.
        seen: the position that the change was computed from, when it depends on the time of its last count:
            a count in between makes the write fail. So does a change of on_hand that is dated later: a count
            must not take it for one that happened before.
        exact: whether any other write in between makes it fail, too.
        fact: whether units are promised however few are uncommitted, as they have come for that.
    """
    changes = {"on_hand": delta.on_hand, "allocated": delta.allocated, "reserved": delta.reserved}
    changes |= {f"blocked_{reason}": units for reason, units in delta.blocked.items()}
    promised = delta.allocated + delta.reserved
    minimum = {name: -units for name, units in changes.items() if units < 0 and name != "on_hand"}
    if promised + ended > 0:
        minimum["uncommitted"] = promised + delta.safety
    elif delta.allocated > 0:  # a cart's own units: safe from nothing but a shelf that has become too short
        minimum["uncommitted"] = promised
    if fact:
        minimum.pop("uncommitted", None)
    adds = {name: units for name, units in changes.items() if units} | {
        "uncommitted": delta.uncommitted,
        "v": 1,
    }
    defaults: dict[str, Value] = {"t": "position", "sv": 1}
    defaults |= {"GSI2PK": keys.location_stock(location), "GSI2SK": sku}
    conditions = [f"#{name} >= :least_{name}" for name in minimum]
    values = adds | defaults | {f"least_{name}": units for name, units in minimum.items()}
    sets: dict[str, Value] = {"why": why.stored()}
    if delta.on_hand or why.redated:
        times = why.at, why.occurred_at, seen.moved_at if seen else None
        sets["moved_at"] = millis(max(time for time in times if time))
        if seen and not exact:  # somebody may have moved units meanwhile, with a clock that is ahead of ours
            conditions.append("(attribute_not_exists(#moved_at) OR #moved_at <= :moved_at)")
    values |= sets
    if seen is not None and exact:
        conditions.append("#v = :seen" if seen.v else "attribute_not_exists(#PK)")
        values |= {"seen": seen.v} if seen.v else {}
    elif seen is not None and seen.counted_at is not None:
        conditions.append("#counted_at = :counted_at")
        values["counted_at"] = millis(seen.counted_at)
    elif seen is not None:
        conditions.append("attribute_not_exists(#counted_at)")
    return Write(
        "Update",
        keys.position(sku, location),
        update="ADD "
        + ", ".join(f"#{name} :{name}" for name in adds)
        + " SET "
        + ", ".join(f"#{name} = :{name}" for name in sets)
        + ", "
        + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in defaults),
        condition=" AND ".join(conditions) or None,
        values=values,
    )


def wait(change: DemandChange) -> Write:
    """Add waiting units to a pool's demand; backordered ones only while the limit seen leaves room.

    Units that wait no longer (a negative number) must have been waiting: otherwise the write fails.
    """
    defaults: dict[str, Value] = {"t": "demand", "sv": 1}
    bounded = change.backordered > 0 and change.limit is not None
    values: dict[str, Value] = {"waiting": change.waiting} | defaults
    condition = None
    if bounded:
        name = "preorder_limit" if change.preorder else "backorder_limit"
        condition = f"#waiting <= :most AND #{name} = :limit"
        values |= {"most": (change.limit or 0) - change.backordered, "limit": change.limit or 0}
    elif change.waiting < 0:
        condition = "#waiting >= :least"
        values["least"] = -change.waiting
    return Write(
        "Update",
        keys.demand(change.sku, change.pool),
        update="ADD #waiting :waiting SET "
        + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in defaults),
        condition=condition,
        values=values,
    )


def limit(sku: str, pool: str, most: int | None, preorders: int | None = 0) -> Write:
    """Set how many units of a sku may wait in a pool, as backorders and pre-orders; None for any number."""
    values: dict[str, Value] = {
        "backorder_limit": UNLIMITED if most is None else most,
        "preorder_limit": UNLIMITED if preorders is None else preorders,
    }
    values |= {"waiting": 0, "t": "demand", "sv": 1}
    return Write(
        "Update",
        keys.demand(sku, pool),
        update="SET #backorder_limit = :backorder_limit, #preorder_limit = :preorder_limit, "
        + ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in ("waiting", "t", "sv")),
        values=values,
    )


def heat(sku: str, until: datetime) -> Write:
    """Mark a sku of the catalogue as hot until a time (UTC); its version stays, as nobody described it."""
    values: dict[str, Value] = {"hot_until": millis(until)}
    return Write(
        "Update",
        keys.sku_meta(sku),
        update="SET #hot_until = :hot_until",
        condition="attribute_exists(#PK)",
        values=values,
    )


def count(seen: Position, on_hand: int, as_of: datetime, why: Why, *, net: bool = False) -> Write:
    """Set what is on hand after a count, moving uncommitted by the difference.

    Args:
        seen: the position as read (version 0 when there is none yet); any write in between makes it fail.
        on_hand: units that are there now.
        as_of: when they were counted, UTC.
        why: reason, reference and actor of the movement.
        net: whether promised units were left out.
    """
    values: dict[str, Value] = {"on_hand": on_hand, "difference": on_hand - seen.on_hand, "one": 1}
    values |= {"counted_at": millis(as_of), "why": why.stored(), "t": "position", "sv": 1}
    values |= {"GSI2PK": keys.location_stock(seen.location), "GSI2SK": seen.sku}
    values["counted_net"] = net
    placed = ("on_hand", "counted_at", "counted_net", "why", "t", "sv", "GSI2PK", "GSI2SK")
    return Write(
        "Update",
        keys.position(seen.sku, seen.location),
        update="ADD #uncommitted :difference, #v :one SET "
        + ", ".join(f"#{name} = :{name}" for name in placed),
        condition="#v = :seen" if seen.v else "attribute_not_exists(#PK)",
        values=values | ({"seen": seen.v} if seen.v else {}),
    )
