"""Races: a decision is made from what was read, and made again when somebody else has written first."""

from collections.abc import Callable

from oms.store.errors import Busy, Cancelled

TRIES = 8
"""Races that one command may lose before it goes back to where it came from."""


def settle[T](attempt: Callable[[], T], what: str, tries: int = TRIES) -> T:
    """Make an attempt, and again from a fresh read whenever it loses a race.

    Args:
        attempt: reads, decides and commits; lets `Cancelled` through when a condition did not hold.
        what: names what is attempted, for the error.
        tries: races that may be lost.

    Returns:
        What the attempt that got through returns.

    Raises:
        Busy: every attempt lost; hand the message back to its queue, or ask the caller to try again.
    """
    for _ in range(tries):
        try:
            return attempt()
        except Cancelled:
            continue
    raise Busy(f"{what} lost {tries} races")
