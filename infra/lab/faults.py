"""Faults: what goes wrong in a run, how often, and a list of what did."""

import itertools
import operator
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.lab.chance import Chance


class Crash(BaseException):
    """The process ended here. Not an Exception: no handler of the code under test may survive it."""


MEANINGS: Mapping[str, str] = {
    "crash before": "the process ends before a call",
    "crash after": "the process ends after a call, whose answer nobody sees",
    "lost": "the call is made and its answer lost: the caller sees a timeout",
    "twice": "the answer is lost and the client makes the call once more, as boto3 does",
    "throttled": "the service refuses the call for now",
    "down": "the service refuses this call and all others of the invocation",
    "conflict": "another transaction is in the way of some items",
    "refused": "some entries of a batch are not taken",
    "stale": "an eventually consistent read sees an item as it was",
    "duplicate": "a message is delivered twice, although the first delivery is confirmed",
    "slow": "an invocation takes so long that it may run into its timeout",
}
"""Every kind of fault."""

AT_CALL = (*("crash before", "crash after", "lost", "twice", "throttled", "down", "conflict", "refused"),)
"""Those that strike at a call to a service."""

PROFILES: Mapping[str, Mapping[str, float]] = {
    "calm": {"stale": 0.1, "duplicate": 0.05},
    "stale": {"stale": 0.9, "duplicate": 0.1},
    "usual": {
        **{"crash before": 0.005, "crash after": 0.008, "lost": 0.008, "twice": 0.01, "throttled": 0.01},
        **{"down": 0.005, "conflict": 0.04, "refused": 0.1, "stale": 0.2, "duplicate": 0.1, "slow": 0.02},
    },
    "rough": {
        **{"crash before": 0.02, "crash after": 0.03, "lost": 0.03, "twice": 0.03, "throttled": 0.04},
        **{"down": 0.02, "conflict": 0.1, "refused": 0.3, "stale": 0.4, "duplicate": 0.2, "slow": 0.05},
    },
    "contended": {
        **{"conflict": 0.6, "stale": 0.6, "duplicate": 0.2, "crash after": 0.01, "lost": 0.01},
        **{"throttled": 0.05, "refused": 0.2},
    },
}
"""How likely each kind is, at each of its opportunities. A run has one profile."""

_WEIGHTS = ("calm", "stale", "stale", "usual", "usual", "rough", "rough", "contended", "contended")


@dataclass(slots=True)
class Faults:
    """Decides whether a fault strikes, by name.

    Attributes:
        chance: of the run.
        rates: likelihood by kind.
        allowed: names of those that may strike; None for any.
        on: False while the system is left to come to rest.
        struck: names of those that did, in their order.
    """

    chance: Chance
    rates: Mapping[str, float]
    allowed: frozenset[str] | None = None
    on: bool = True
    struck: list[str] = field(default_factory=list)
    _first: tuple[float, ...] = ()  # how likely it is that a kind, or one before it, strikes at a call

    def __post_init__(self) -> None:
        missed = itertools.accumulate((1 - self.rates.get(kind, 0) for kind in AT_CALL), operator.mul)
        self._first = tuple(1 - share for share in missed)

    def strike(self, kind: str, *name: object) -> bool:
        """Whether a fault strikes at the opportunity of that name."""
        return self.on and self._drawn(kind, *name) and self._may(kind, " ".join(map(str, name)))

    def at_call(self, name: str, drawn: float) -> Callable[[str], bool]:
        """Tells of each kind of `AT_CALL` whether it strikes at a call; `never` when none does.

        One number decides on the first of them that does, which is mostly none; those after it are drawn.

        Args:
            name: of the call.
            drawn: that number, from 0 up to 1.
        """
        if not self.on:
            return never
        first = bisect_right(self._first, drawn)
        if first == len(AT_CALL):
            return never
        due = {AT_CALL[first]}
        due.update(kind for kind in AT_CALL[first + 1 :] if self._drawn(kind, name))
        return lambda kind: kind in due and self._may(kind, name)

    def _drawn(self, kind: str, *name: object) -> bool:
        return self.chance.happens(self.rates.get(kind, 0), kind, *name)

    def _may(self, kind: str, name: str) -> bool:
        told = f"{kind}: {name}"
        if self.allowed is not None and told not in self.allowed:
            return False
        self.struck.append(told)
        return True


def never(kind: str) -> bool:
    """Strikes nowhere."""
    return False


def faults_of(chance: Chance, allowed: frozenset[str] | None) -> Faults:
    """The faults of a run, of a profile that its seed decides."""
    return Faults(chance, PROFILES[chance.choice(_WEIGHTS, "profile")], allowed)
