"""Domain events, derived from what a write has left in the store: no outbox, no second write."""

from collections.abc import Mapping
from datetime import datetime

from oms.events.catalogue import CATALOGUE, ENTITIES, SOURCE
from oms.events.data import Data
from oms.orders.journal import Journaled
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item
from oms.values import frozen


@frozen
class Event:
    """Something that has happened to an entity.

    Attributes:
        type: a name in the catalogue.
        subject: public id of the entity.
        v: version of the entity that it came with.
        time: of the write, UTC.
        order_id: the order that the entity is or belongs to, or the reservation; what correlates events.
        data: as the catalogue has it for the type.
    """

    type: str
    subject: str
    v: int
    time: datetime
    order_id: str
    data: Data

    @property
    def id(self) -> str:
        """Unique, and the same whenever the event is derived again: consumers know repetitions by it."""
        return f"{self.subject}#{self.v}#{self.type}"

    @property
    def public(self) -> bool:
        """Whether it goes on the bus."""
        return CATALOGUE[self.type].public

    def document(self) -> Data:
        """As a CloudEvents 1.0 document (`events/event.v1.json`)."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": self.type,
            "subject": self.subject,
            "time": keys.iso(self.time),
            "v": self.v,
            "schemaversion": CATALOGUE[self.type].version,
            "correlationid": self.order_id,
            "data": self.data,
        }


def events(old: Item | None, new: Item) -> tuple[Event, ...]:
    """The events of one change: those of the journal entries that the new image has and the old one had not.

    Args:
        old: the item before, None when there was none.
        new: the item after.

    Raises:
        Problem: the journal has a kind that the catalogue does not know.
    """
    return events_of_journal(new, since_v=_version(old))


def events_of_journal(image: Item, since_v: int = 0) -> tuple[Event, ...]:
    """The events of an entity after a version, from its item alone; items without a journal have none.

    Raises:
        Problem: the journal has a kind that the catalogue does not know.
    """
    return with_events(image, since_v)[1]


def with_events(image: Item, since_v: int) -> tuple[Journaled | None, tuple[Event, ...]]:
    """An entity with its events after a version; None of what keeps no journal, or is no later than that.

    Raises:
        Problem: the journal has a kind that the catalogue does not know.
    """
    if "j" not in image or _version(image) <= since_v:
        return None, ()
    prefix = str(image["t"])
    entity_type = ENTITIES.get(prefix)
    if entity_type is None:
        raise Problem(Code.INTERNAL, f"{prefix} keeps a journal and is not in the catalogue of events")
    entity: Journaled = entity_type.decode(image)
    identity = entity_type.identity(entity)
    order_id, subject = _ids(image)
    derived = []
    for entry in (entry for entry in entity.journal if entry.v > since_v):
        for name in (f"{prefix}.{kind}" for kind in entry.kinds):
            if name not in CATALOGUE:
                raise Problem(Code.INTERNAL, f"{name} is not in the catalogue of events")
            data = identity | CATALOGUE[name].read(entity, entry.data)
            derived.append(Event(name, subject, entry.v, entry.at, order_id, data))
    return entity, tuple(derived)


def _version(image: Mapping[str, object] | None) -> int:
    v = image.get("v", 0) if image else 0
    assert isinstance(v, int), "versions are numbers"
    return v


def _ids(image: Item) -> tuple[str, str]:
    """The order's id, and the public id of the entity: for all but the order itself followed by its own.

    What belongs to no order has its own id for both.
    """
    _, _, order_id = str(image["PK"]).partition("#")
    _, _, name = str(image["SK"]).partition("#")
    return order_id, f"{order_id}-{name}" if name else order_id
