"""Load: the work that locations are given for a day, and how much of it each of them can do."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from oms.problems import Code, Problem
from oms.sourcing.calendar import Calendar, counts_from
from oms.values import frozen


@frozen
class Capacity:
    """What a location can do on one of its working days; None is any number.

    Attributes:
        orders: fulfillment orders.
        units: units in them.

    Raises:
        Problem: field_invalid, when one is below 1.
    """

    orders: int | None = None
    units: int | None = None

    def __post_init__(self) -> None:
        for name in ("orders", "units"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise Problem(Code.FIELD_INVALID, f"capacity.{name} is below 1", f"capacity.{name}")


@frozen
class Load:
    """The fulfillment orders that a location was given for a day, and the units in them."""

    orders: int = 0
    units: int = 0


class Full(NamedTuple):
    """What a location has enough of for a day: which measure, how much it was given, its limit."""

    measure: str
    measured: int
    limit: int


def day_of(calendar: Calendar, service: str | None, at: datetime) -> str:
    """The local working day, ISO 8601, that work counts as of which a location is given at `at`."""
    return counts_from(calendar, service, at).isoformat()


def full(capacity: Capacity | None, loads: Mapping[str, Load], day: str) -> Full | None:
    """What a location has enough of for a day; None while it takes more.

    The last work that it takes may go beyond its units: else nobody would ever do what is more than a day's.
    """
    if capacity is None or day not in loads:
        return None
    load = loads[day]
    for measure, measured, limit in (
        ("orders", load.orders, capacity.orders),
        ("units", load.units, capacity.units),
    ):
        if limit is not None and measured >= limit:
            return Full(measure, measured, limit)
    return None
