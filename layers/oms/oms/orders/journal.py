"""The journal of an entity: one entry a write, from which its events are derived."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Self

from oms.values import frozen, replace


@frozen
class JournalEntry:
    """One write of an entity: its version, time (UTC), what happened, and the data its events need.

    `kinds` are the event types without the entity's name; one write may mean several things (a delivery that
    also closes the order).
    """

    v: int
    at: datetime
    kinds: tuple[str, ...]
    data: Mapping[str, object] = field(default_factory=dict)


@frozen(kw_only=True)
class Journaled:
    """What every entity with a journal has: the version of its latest write, and an entry for each write."""

    v: int = 0
    journal: tuple[JournalEntry, ...] = ()

    def written(self, at: datetime, *kinds: str, data: Mapping[str, object] | None = None) -> Self:
        """This entity at its next version with one more journal entry."""
        entry = JournalEntry(self.v + 1, at, kinds, data or {})
        return replace(self, v=self.v + 1, journal=(*self.journal, entry))
