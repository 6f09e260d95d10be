"""When a location works, and on which day it hands over what is ordered at a given moment."""

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from oms.problems import Code, Problem
from oms.values import frozen

EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
"""ISO weekdays, Monday is 1."""

ANY_SERVICE = "*"
"""Stands for every service that is not named itself."""


@frozen
class Calendar:
    """When a location works.

    Attributes:
        time_zone: IANA name; days and cut-offs are local to it.
        days: ISO weekdays on which it hands parcels over.
        holidays: dates on which it does not, ISO 8601.
        cutoffs: by service (`*` for the others), the local time `HH:MM` from which on an order counts as of
            the next working day; a service without one has no cut-off.
        handling_days: working days between the day that an order counts as of and the day it leaves.

    Raises:
        Problem: field_invalid, naming the field.
    """

    time_zone: str = "UTC"
    days: tuple[int, ...] = EVERY_DAY
    holidays: tuple[str, ...] = ()
    cutoffs: Mapping[str, str] = field(default_factory=dict)
    handling_days: int = 0

    def __post_init__(self) -> None:
        zone(self.time_zone)
        if not self.days or not set(self.days) <= set(EVERY_DAY):
            raise _invalid("days", "takes one or more ISO weekdays, 1 to 7")
        if self.handling_days < 0:
            raise _invalid("handling_days", "is below 0")
        for index, holiday in enumerate(self.holidays):
            _check(date.fromisoformat, holiday, f"holidays[{index}]")
        for service, cutoff in self.cutoffs.items():
            _check(time.fromisoformat, cutoff, f"cutoffs.{service}")

    def works_on(self, day: date) -> bool:
        """Whether parcels are handed over on a day."""
        return day.isoweekday() in self.days and not (self.holidays and day.isoformat() in self.holidays)

    def cutoff(self, service: str | None) -> time | None:
        """The local time from which on an order of a service counts as of the next working day."""
        text = self.cutoffs.get(service or ANY_SERVICE, self.cutoffs.get(ANY_SERVICE))
        return time.fromisoformat(text) if text else None


def counts_from(calendar: Calendar, service: str | None, at: datetime) -> date:
    """The working day that an order counts as of.

    Args:
        calendar: of the location.
        service: decides the cut-off.
        at: when the order is known, aware.
    """
    local = at.astimezone(zone(calendar.time_zone))
    cutoff = calendar.cutoff(service)
    late = cutoff is not None and local.time() >= cutoff
    return _working(calendar, local.date() + timedelta(days=late))


def hands_over(calendar: Calendar, service: str | None, at: datetime, lead_days: int = 0) -> date:
    """The local day on which what is ordered at a moment leaves.

    Args:
        calendar: of the location.
        service: decides the cut-off.
        at: when the order is known, aware.
        lead_days: working days that making the goods takes besides the usual handling.
    """
    day = counts_from(calendar, service, at)
    for _ in range(calendar.handling_days + lead_days):
        day = _working(calendar, day + timedelta(days=1))
    return day


def order_by(calendar: Calendar, service: str | None, at: datetime) -> datetime:
    """Until when an order counts as of the same day as one made at `at`: the cut-off, or midnight; UTC."""
    day = counts_from(calendar, service, at)
    cutoff = calendar.cutoff(service)
    end = datetime.combine(day, cutoff) if cutoff else datetime.combine(day + timedelta(days=1), time())
    return end.replace(tzinfo=zone(calendar.time_zone)).astimezone(UTC)


def arrives(left: date, transit_days: int, days: tuple[int, ...]) -> date:
    """The day on which a parcel arrives.

    Args:
        left: the day on which it leaves.
        transit_days: days on the road, counted on the carrier's days alone.
        days: ISO weekdays on which the carrier delivers.
    """
    day = left
    for _ in range(transit_days):
        day += timedelta(days=1)
        while day.isoweekday() not in days:
            day += timedelta(days=1)
    return day


def zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        Problem: field_invalid, when there is none.
    """
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - most cold starts need none

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise _invalid("time_zone", "names no time zone") from None


def _working(calendar: Calendar, day: date) -> date:
    """The first working day from `day` on."""
    while not calendar.works_on(day):
        day += timedelta(days=1)
    return day


def _check(parse: Callable[[str], object], text: str, name: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise _invalid(name, f"is not one: {error}") from None


def _invalid(name: str, detail: str) -> Problem:
    return Problem(Code.FIELD_INVALID, f"calendar.{name} {detail}", f"calendar.{name}")
