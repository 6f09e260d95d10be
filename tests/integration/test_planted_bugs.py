"""The lab finds what it is for: every planted bug, in few runs that are all well without it."""

from collections.abc import Iterator

import pytest

from infra.lab.simulation import Plan, lab, simulate
from tests.planted import BUGS, Bug, planted

ORDERS = 12
SEEDS = range(1, 9)
MOST_SEEDS = range(1, 61)
"""Among which a bug is found; most are by the first few, the rarest by one run of twenty."""


@pytest.fixture(scope="module", autouse=True)
def in_the_lab() -> Iterator[None]:
    with lab():
        yield


@pytest.mark.parametrize("seed", SEEDS)
def test_the_system_is_well_without_a_bug(seed: int) -> None:
    assert simulate(Plan(seed, ORDERS)).wrong == []


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    with planted(bug):
        assert any(simulate(Plan(seed, ORDERS)).wrong for seed in MOST_SEEDS), "no run found it"
