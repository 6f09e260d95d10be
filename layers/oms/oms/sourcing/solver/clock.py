"""The time budget of one solution."""

from collections.abc import Callable


class OutOfTime(Exception):
    """The budget is spent: answer with the best plan so far."""


class Deadline:
    """A moment by which to stop.

    Args:
        seconds: the budget from now on; None for no end.
        clock: the time in seconds, from any start.
    """

    def __init__(self, seconds: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = None if seconds is None else clock() + seconds

    def check(self) -> None:
        """Raise OutOfTime once the budget is spent."""
        if self._end is not None and self._clock() >= self._end:
            raise OutOfTime
