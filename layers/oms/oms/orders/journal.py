"""The journal of an entity: one entry a write, from which its events are derived."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One write of an entity: its version, time (UTC), what happened, and the data its events need.

    `kinds` are the event types without the entity's name; one write may mean several things (a delivery that
    also closes the order).
    """

    v: int
    at: datetime
    kinds: tuple[str, ...]
    data: Mapping[str, object] = field(default_factory=dict)
