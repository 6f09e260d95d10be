"""Types of arguments that several commands take; what is wrong with a value is said in words."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import UTC, date, datetime


def whole(least: int, most: int, otherwise: str) -> Callable[[str], int]:
    """The type of whole numbers from `least` to `most`; of any other text `otherwise` is said."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise ArgumentTypeError(otherwise)
        return value

    return number


positive = whole(1, 10**9, "a whole number from 1 on")


def moment(text: str) -> datetime:
    """A time in ISO 8601; UTC when it has no offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no time like 2026-11-22T09:30:00Z") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def date_of(text: str) -> date:
    """A day in ISO 8601."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no day like 2026-11-22") from None
