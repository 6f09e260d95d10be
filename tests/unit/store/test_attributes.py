"""Times as stored and as shown are cut off alike, so that one compares with the other."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from oms.store.attributes import millis, moment
from oms.store.keys import iso


@pytest.mark.parametrize("microsecond", [0, 400, 999, 1000, 499_500, 999_500, 999_999])
def test_a_time_is_the_same_whether_it_was_stored_or_not(microsecond: int) -> None:
    at = datetime(2026, 11, 22, 9, 30, 0, microsecond, tzinfo=UTC)
    assert iso(moment(millis(at))) == iso(at)
    assert millis(moment(millis(at))) == millis(at)


def test_an_offset_does_not_change_when_it_was() -> None:
    there = datetime(2026, 11, 22, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert moment(millis(there)) == there
