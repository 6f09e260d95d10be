"""Subscribers: endpoints of others that public events are sent to, and how they are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.values import frozen, replace

KIND = "subscriber"
OVERLAP = timedelta(hours=24)
"""How long the secret before the last rotation signs too."""

EVERYTHING = "*"


@frozen
class Subscriber:
    """An endpoint and what it wants to know.

    Attributes:
        id: chosen by who subscribes.
        url: where events are posted to.
        events: types of events; `order.*` stands for all of an entity, `*` for all.
        active: whether anything is sent.
        generation: of its secret; each rotation makes a new one.
        rotated_at: when that was, UTC.
        failing_since: the first failure after the last success, UTC; None while it takes what it is sent.
        disabled_reason: why we made it inactive; None when we did not.
        v: version.
    """

    id: str
    url: str
    events: tuple[str, ...]
    active: bool = True
    generation: int = 1
    rotated_at: datetime | None = None
    failing_since: datetime | None = None
    disabled_reason: str | None = None
    v: int = 0

    def wants(self, event_type: str) -> bool:
        """Whether it is to be told of events of a type."""
        entity = event_type.partition(".")[0]
        return self.active and not {EVERYTHING, f"{entity}.*", event_type}.isdisjoint(self.events)

    def generations(self, now: datetime) -> tuple[int, ...]:
        """The secrets that sign now (UTC), the newest first."""
        overlapping = self.rotated_at is not None and now < self.rotated_at + OVERLAP
        return (self.generation, self.generation - 1) if overlapping else (self.generation,)

    def rotated(self, now: datetime) -> "Subscriber":
        """With a new secret."""
        return replace(self, generation=self.generation + 1, rotated_at=now)


def check_types(types: Sequence[str], field: str) -> None:
    """Refuse what is neither a public type of events nor a pattern of some.

    Raises:
        Problem: `field_invalid`, naming the entry.
    """
    from oms.events.catalogue import CATALOGUE, ENTITIES  # noqa: PLC0415 - who sends events has no need of it

    known = {EVERYTHING, *(f"{entity}.*" for entity in ENTITIES)}
    known |= {name for name, event in CATALOGUE.items() if event.public}
    for index, name in enumerate(types):
        if name not in known:
            detail = f"{name!r} is no public type of events, and no entity followed by .*"
            raise Problem(Code.FIELD_INVALID, detail, f"{field}[{index}]")


def encode_subscriber(subscriber: Subscriber) -> Item:
    """As stored."""
    item: dict[str, Any] = {
        "t": KIND,
        "sv": 1,
        "v": subscriber.v,
        "url": subscriber.url,
        "events": list(subscriber.events),
        "active": subscriber.active,
        "generation": subscriber.generation,
    }
    for name in ("rotated_at", "failing_since"):
        value: datetime | None = getattr(subscriber, name)
        if value is not None:
            item[name] = millis(value)
    if subscriber.disabled_reason is not None:
        item["disabled_reason"] = subscriber.disabled_reason
    return item


def decode_subscriber(item: Item) -> Subscriber:
    """From an item, key included."""
    stored = cast(Mapping[str, Any], item)
    return Subscriber(
        id=str(stored["SK"]),
        url=stored["url"],
        events=tuple(stored["events"]),
        active=stored["active"],
        generation=int(stored["generation"]),
        rotated_at=_moment(stored.get("rotated_at")),
        failing_since=_moment(stored.get("failing_since")),
        disabled_reason=stored.get("disabled_reason"),
        v=int(stored["v"]),
    )


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(int(value))


def partition() -> str:
    """Where all subscribers stand."""
    return keys.configuration(KIND, "").pk
