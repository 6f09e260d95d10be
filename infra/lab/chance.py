"""Chance: every decision of a run is drawn from its seed and its own name.

A draw depends on nothing that was drawn before. So a history with one fault less is nearly the same history,
which is what makes a failing one small.
"""

import hashlib
import math
from collections.abc import Sequence

_BYTES = 6
"""Of each number, which a float holds exactly."""

_END = 1 << 8 * _BYTES


class Chance:
    """Draws by name.

    Args:
        seed: of all of them.
    """

    def __init__(self, seed: object) -> None:
        self._seeded = hashlib.blake2b(f"{seed}|".encode())

    def draw(self, *name: object) -> float:
        """A number from 0 up to 1."""
        return int.from_bytes(self._digest(*name)[:_BYTES]) / _END

    def drawn(self, likely: Sequence[tuple[int, float]], *name: object) -> list[int]:
        """Which of several things happen, up to ten of them for little more than the price of one.

        Args:
            likely: the number of each, from 0 to 9, and its likelihood.
            name: of the draw.
        """
        digest = self._digest(*name)
        return [
            number
            for number, likelihood in likely
            if int.from_bytes(digest[number * _BYTES : (number + 1) * _BYTES]) < likelihood * _END
        ]

    def _digest(self, *name: object) -> bytes:
        drawn = self._seeded.copy()
        drawn.update("|".join(map(str, name)).encode())
        return drawn.digest()

    def happens(self, likelihood: float, *name: object) -> bool:
        """Whether something of a likelihood happens."""
        return likelihood > 0 and self.draw(*name) < likelihood

    def below(self, most: int, *name: object) -> int:
        """A whole number from 0 up to `most`, which is left out."""
        return int(self.draw(*name) * most)

    def between(self, least: float, most: float, *name: object) -> float:
        """A number between two."""
        return least + (most - least) * self.draw(*name)

    def choice[T](self, choices: Sequence[T], *name: object) -> T:
        """One of several."""
        return choices[self.below(len(choices), *name)]

    def delay(self, mean: float, *name: object) -> float:
        """Seconds until something happens that happens at any time alike."""
        return -mean * math.log(1 - self.draw(*name))
