"""Draws of the lab: spread evenly, and none tells anything of another, however alike their names are."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from math import prod

import pytest

from infra.lab.chance import Chance
from infra.lab.faults import AT_CALL, PROFILES, Faults

DRAWS = 20_000
CELLS = 8
MOST = 110.0
"""Of chi-squared with 63 degrees of freedom, above which one of 4,000 lies."""


def by_number() -> Iterator[tuple[float, float]]:
    chance = Chance(1)
    return pairwise(chance.draw("poll", f"OrdersQueue 1a2b3c4d.{number}", 0) for number in range(DRAWS))


def by_call() -> Iterator[tuple[float, float]]:
    chance = Chance(1)
    return pairwise(chance.draw(f"api count #1 call {number} get_item") for number in range(DRAWS))


def by_seed() -> Iterator[tuple[float, float]]:
    return pairwise(Chance(seed).draw("profile") for seed in range(DRAWS))


def by_purpose() -> Iterator[tuple[float, float]]:
    chance = Chance(1)
    return ((chance.draw("order", str(n), 0), chance.draw("batch", str(n), 0)) for n in range(DRAWS))


def by_attempt_in_two_seeds() -> Iterator[tuple[float, float]]:
    one, other = Chance(90_000), Chance(90_001)
    return ((one.draw("late", "x", n), other.draw("late", "x", n)) for n in range(DRAWS))


@pytest.mark.parametrize("pairs", [by_number, by_call, by_seed, by_purpose, by_attempt_in_two_seeds])
def test_two_draws_fall_anywhere_alike(pairs: Callable[[], Iterator[tuple[float, float]]]) -> None:
    seen = Counter((int(one * CELLS), int(other * CELLS)) for one, other in pairs())
    expected = seen.total() / CELLS**2
    assert len(seen) == CELLS**2
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < MOST


def test_every_draw_is_from_zero_up_to_one() -> None:
    drawn = [Chance(seed).draw("x") for seed in range(DRAWS)]
    assert 0 <= min(drawn) < 0.001
    assert 0.999 < max(drawn) < 1


@pytest.mark.parametrize("profile", PROFILES)
def test_each_kind_strikes_at_its_rate_whatever_else_does(profile: str) -> None:
    faults = Faults(Chance(7), PROFILES[profile])
    struck = Counter[tuple[str, ...]]()
    for number in range(DRAWS):
        name = f"intake #1 call {number}"
        strike = faults.at_call(name, faults.chance.two(name)[1])
        found = [kind for kind in AT_CALL if strike(kind)]
        struck.update((kind,) for kind in found)
        struck.update(combinations(found, 2))
    for kinds in (*((kind,) for kind in AT_CALL), *combinations(AT_CALL, 2)):
        expected = DRAWS * prod(PROFILES[profile].get(kind, 0) for kind in kinds)
        assert abs(struck[kinds] - expected) <= 5 * expected**0.5, kinds


def test_a_draw_is_the_same_in_every_process_and_on_every_machine() -> None:
    assert Chance(1).draw("poll", "a", 2) == pytest.approx(0.944653526879847)
