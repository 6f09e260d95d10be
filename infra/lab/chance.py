"""Chance: every decision of a run is drawn from its seed and its own name.

A draw depends on nothing that was drawn before. So a history with one fault less is nearly the same history,
which is what makes a failing one small.
"""

import hashlib
import math
from collections.abc import Sequence


class Chance:
    """Draws by name.

    Args:
        seed: of all of them.
    """

    def __init__(self, seed: object) -> None:
        self._seed = f"{seed}|"

    def draw(self, *name: object) -> float:
        """A number from 0 up to 1."""
        text = self._seed + "|".join(map(str, name))
        digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
        return int.from_bytes(digest) / (1 << 56)

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
