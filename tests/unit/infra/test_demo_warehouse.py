"""The floor of the simulated warehouse: what it tells of its work, also when telling fails."""

from collections.abc import Mapping
from typing import Any

import pytest

from infra.demo.warehouse import Floor

WORK = "XI5CSKZB5W7S34XQJERWEU743F-2-1"


class Told(list[Mapping[str, Any]]):
    """What was reported; the reports numbered in `failing` are lost."""

    def __init__(self, *failing: int) -> None:
        super().__init__()
        self.failing = failing
        self.calls = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        self.calls += 1
        if self.calls in self.failing:
            raise ConnectionError("lost")
        self.append(event)

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self]


def test_work_that_is_asked_for_twice_is_done_once() -> None:
    told = Told()
    floor = Floor(told, 0)
    for _ in range(2):
        floor.take_on(WORK, {"1": 2})
        floor.send_off()
    assert told.kinds == ["accepted", "shipped", "delivered"]
    assert told[1]["packages"][0]["lines"] == [{"line_id": "1", "units": 2}]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_report_that_fails_is_made_again_as_the_same_message(lost: int) -> None:
    told = Told(lost)
    floor = Floor(told, 0)
    for _ in range(2):
        try:
            floor.take_on(WORK, {"1": 2})
            floor.send_off()
        except ConnectionError:
            continue
    assert list(dict.fromkeys(told.kinds)) == ["accepted", "shipped", "delivered"]
    assert len({event["message_id"] for event in told}) == 3
    assert not floor.held


@pytest.mark.parametrize(
    ("recalled", "shipped"),
    [({"1": 2, "2": 1}, None), ({"1": 1}, {"1": 1, "2": 1}), ({"2": 1}, {"1": 2})],
)
def test_what_is_recalled_in_time_does_not_leave(
    recalled: dict[str, int], shipped: dict[str, int] | None
) -> None:
    told = Told()
    floor = Floor(told, 60)
    floor.take_on(WORK, {"1": 2, "2": 1})
    floor.send_off()
    floor.stop(WORK, recalled)
    assert told.kinds == ["accepted", "cancelled"]
    assert (floor.held[WORK][1] if shipped else None) == shipped
    assert (WORK in floor.held) == bool(shipped)


def test_what_has_left_cannot_be_recalled() -> None:
    told = Told()
    floor = Floor(told, 0)
    floor.take_on(WORK, {"1": 2})
    floor.send_off()
    floor.stop(WORK, {"1": 2})
    assert told.kinds == ["accepted", "shipped", "delivered"]
