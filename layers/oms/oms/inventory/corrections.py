"""Corrections of a position by people: what they may ask for, and what cannot be."""

from oms.inventory.model import Delta, Position
from oms.problems import Code, Problem


def check_possible(position: Position, delta: Delta) -> None:
    """Refuse a change after which less would be at a position than nothing.

    Units that are blocked are there: they can neither be taken nor blocked again. Promised units are no
    limit: who says that they are gone or damaged is believed, and the shortage is resolved.

    Args:
        position: as it stands.
        delta: what somebody asks for.

    Raises:
        Problem: `state_refused`.
    """
    after = position.moved(delta)
    for reason, units in after.blocked.items():
        if units < 0:
            left = position.blocked.get(reason, 0)
            raise Problem(Code.STATE_REFUSED, f"{left} units are blocked as {reason}", "units")
    left = position.on_hand - sum(position.blocked.values())
    if 0 > after.on_hand - sum(after.blocked.values()) < left:
        raise Problem(Code.STATE_REFUSED, f"{left} units are there that are not blocked", "units")
