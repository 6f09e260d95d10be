"""Movements: how the counters of a position have come to be what they are, one write after another."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from oms.inventory.model import Position
from oms.values import frozen

type Counters = Mapping[str, int]
"""Units by counter: on_hand, blocked_<reason>, allocated, reserved, uncommitted; none that is 0."""


@frozen
class Redated:
    """Units of an earlier movement, dated `was` (UTC), that turn out to have come or gone before that.

    A fact that tells of an earlier one, a delivery of a shipment, may overtake it: only the earlier one knows
    when it happened.
    """

    was: datetime
    units: Counters


@frozen
class Movement:
    """One write of a position.

    Attributes:
        sku: whose position.
        location: where.
        v: the position's version since then.
        change: what the write has added to each counter.
        after: the counters since then.
        reason: why.
        ref: what it belongs to: an order, a fulfillment order, the time of a count.
        actor: who did it: a function, the name of a token.
        at: when it was written, UTC.
        occurred_at: when it happened, UTC, by the clock of whoever told it.
        redated: what of earlier movements happened then, too.
    """

    sku: str
    location: str
    v: int
    change: Counters
    after: Counters
    reason: str
    ref: str
    actor: str
    at: datetime
    occurred_at: datetime
    redated: tuple[Redated, ...] = ()

    def since(self, moment: datetime, name: str) -> int:
        """What of this movement has happened to a counter from a time on; what is redated may be undone."""
        gone = sum(one.units.get(name, 0) for one in self.redated if self.occurred_at < moment <= one.was)
        return (self.change.get(name, 0) if self.occurred_at >= moment else 0) - gone

    @property
    def before(self) -> Counters:
        """The counters until then."""
        return subtract(self.after, self.change)


@frozen
class Lost:
    """Writes of which no movement is left: how many, and what they have added to each counter together."""

    writes: int
    change: Counters


def counters(position: Position) -> Counters:
    """The counters of a position."""
    units = {
        "on_hand": position.on_hand,
        "allocated": position.allocated,
        "reserved": position.reserved,
        "uncommitted": position.uncommitted,
    }
    return _without_zeros(units | {f"blocked_{reason}": held for reason, held in position.blocked.items()})


def subtract(counted: Counters, other: Counters) -> Counters:
    """What has to be added to `other` to make it `counted`."""
    return _without_zeros(
        {name: counted.get(name, 0) - other.get(name, 0) for name in sorted({*counted, *other})}
    )


def lost_before(movement: Movement, earlier: Movement | None) -> Lost | None:
    """What is missing between a movement and the one known before it; None when nothing is.

    Every movement keeps what the counters were, so that what is missing is known in sum.

    Args:
        movement: the later one.
        earlier: of the same position; None when there is none before.
    """
    writes = movement.v - (earlier.v if earlier else 0) - 1
    change = subtract(movement.before, earlier.after if earlier else {})
    return Lost(writes, change) if writes or change else None


def with_losses(latest_first: Sequence[Movement]) -> list[tuple[Movement, Lost | None]]:
    """Movements of one position, each with what is missing right before it; the last is its first known."""
    earlier = [*latest_first, None][1:]
    return [
        (movement, lost_before(movement, before))
        for movement, before in zip(latest_first, earlier, strict=True)
    ]


def _without_zeros(units: Counters) -> Counters:
    return {name: held for name, held in units.items() if held}
