"""Chance: every decision of a run is drawn from its seed and its own name.

A draw depends on nothing that was drawn before. So a history with one fault less is nearly the same history,
which is what makes a failing one small.
"""

import math
from collections.abc import Sequence
from zlib import crc32

_END = 1 << 32


class Chance:
    """Draws by name.

    Args:
        seed: of all of them.
    """

    def __init__(self, seed: object) -> None:
        self._seed = crc32(f"{seed}|".encode())

    def draw(self, *name: object) -> float:
        """A number from 0 up to 1."""
        text = str(name[0]) if len(name) == 1 else "|".join(map(str, name))
        # The checksum alone is no draw: names that are alike have sums that are. The mixing, by which each
        # bit of a sum decides on each of the number, is `lowbias32` of Chris Wellons' "hash prospector".
        number = crc32(text.encode(), self._seed)
        number = (number ^ number >> 16) * 0x7FEB352D & 0xFFFFFFFF
        number = (number ^ number >> 15) * 0x846CA68B & 0xFFFFFFFF
        return (number ^ number >> 16) / _END

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

    def two(self, name: str) -> tuple[float, float]:
        """Two numbers of one draw, of sixteen bits each."""
        high, low = divmod(int(self.draw(name) * _END), 1 << 16)
        return high / (1 << 16), low / (1 << 16)

    def delay(self, mean: float, *name: object) -> float:
        """Seconds until something happens, drawn: `waited`."""
        return waited(mean, self.draw(*name))


def waited(mean: float, drawn: float) -> float:
    """Seconds until something happens that happens at any time alike, by a number from 0 up to 1."""
    return -mean * math.log(1 - drawn)
