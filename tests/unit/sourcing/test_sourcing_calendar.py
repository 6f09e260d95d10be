"""On which day a location hands over what is ordered at a moment, and when it arrives."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from oms.problems import Problem
from oms.sourcing.calendar import Calendar, arrives, counts_from, hands_over, order_by

WEEKDAYS = (1, 2, 3, 4, 5)
MADRID = Calendar("Europe/Madrid", WEEKDAYS, ("2026-12-25",), {"*": "15:00", "express": "12:00"})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"time_zone": "Europe/Nowhere"}, "calendar.time_zone"),
        ({"time_zone": "/etc/passwd"}, "calendar.time_zone"),
        ({"time_zone": ""}, "calendar.time_zone"),
        ({"days": ()}, "calendar.days"),
        ({"days": (0, 1)}, "calendar.days"),
        ({"holidays": ("2026-12-25", "Christmas")}, "calendar.holidays[1]"),
        ({"holidays": ("2026-02-30",)}, "calendar.holidays[0]"),
        ({"cutoffs": {"express": "25:00"}}, "calendar.cutoffs.express"),
        ({"handling_days": -1}, "calendar.handling_days"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        Calendar(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("at", "service", "day"),
    [
        ("2026-11-23T13:59:59", None, "2026-11-23"),  # 14:59:59 in Madrid, a Monday
        ("2026-11-23T14:00:00", None, "2026-11-24"),  # the cut-off itself is too late
        ("2026-11-23T11:30:00", "express", "2026-11-24"),
        ("2026-11-23T10:59:00", "express", "2026-11-23"),
        ("2026-11-27T14:00:00", None, "2026-11-30"),  # a weekend lies between
        ("2026-11-28T08:00:00", None, "2026-11-30"),
        ("2026-12-24T20:00:00", None, "2026-12-28"),  # Christmas, then a weekend
        ("2026-11-22T23:30:00", None, "2026-11-23"),  # Monday there already
        ("2026-07-06T13:30:00", None, "2026-07-07"),  # 15:30 in summer
    ],
)
def test_an_order_counts_as_of_a_working_day_there(at: str, service: str | None, day: str) -> None:
    assert counts_from(MADRID, service, utc(at)) == date.fromisoformat(day)


def test_handling_and_lead_take_working_days() -> None:
    slow = Calendar("Europe/Madrid", WEEKDAYS, ("2026-12-25",), handling_days=1)
    assert hands_over(slow, None, utc("2026-12-23T09:00:00")) == date(2026, 12, 24)
    assert hands_over(slow, None, utc("2026-12-23T09:00:00"), lead_days=2) == date(2026, 12, 29)


@pytest.mark.parametrize(
    ("calendar", "at", "until"),
    [
        (MADRID, "2026-11-23T09:00:00", "2026-11-23T14:00:00"),
        (MADRID, "2026-11-23T15:00:00", "2026-11-24T14:00:00"),
        (MADRID, "2026-03-27T15:00:00", "2026-03-30T13:00:00"),  # the clock goes forward on the Sunday
        (Calendar(), "2026-11-23T09:00:00", "2026-11-24T00:00:00"),
    ],
)
def test_what_counts_as_of_the_same_day_ends_with_its_cut_off(
    calendar: Calendar, at: str, until: str
) -> None:
    assert order_by(calendar, None, utc(at)) == utc(until)


@pytest.mark.parametrize(
    ("days", "delivery", "arrival"),
    [
        (0, (1, 2, 3, 4, 5), "2026-11-27"),
        (1, (1, 2, 3, 4, 5), "2026-11-30"),
        (1, (6,), "2026-11-28"),
        (2, (6,), "2026-12-05"),
    ],
)
def test_a_carrier_counts_its_own_days(days: int, delivery: tuple[int, ...], arrival: str) -> None:
    assert arrives(date(2026, 11, 27), days, delivery) == date.fromisoformat(arrival)
