"""Returns as they are kept: what was requested, what came in where, and what became of it.

Counters are the truth; the state of a return is a function of them. Quantities are integers in the sku's
smallest unit, times aware datetimes in UTC.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from oms.orders.journal import Journaled
from oms.values import frozen, replace

_ID_LENGTH = 12
"""60 bits: among ten million returns the chance that two numbers are equal is about 1 in 20,000."""


class Outcome(StrEnum):
    """What becomes of a returned unit: sold again, repaired, held for a closer look, or thrown away."""

    RESTOCK = "restock"
    REFURBISH = "refurbish"
    QUARANTINE = "quarantine"
    SCRAP = "scrap"


class ReturnState(StrEnum):
    """Where a return stands; `unannounced`: units came in that nobody has requested to return."""

    REQUESTED = "requested"
    UNANNOUNCED = "unannounced"
    RECEIVED = "received"
    DISPOSED = "disposed"


def return_id(order_id: str, reference: str) -> str:
    """A return's id, always the same for a reference: base32(sha256(order id, 0, reference))[:12]."""
    text = f"{order_id}\0{reference}".encode()
    return base64.b32encode(hashlib.sha256(text).digest())[:_ID_LENGTH].decode()


@frozen
class Place:
    """Units of a returned line at one location: how many it reported received, and what became of them."""

    location: str
    reported: int = 0
    disposed: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def arrived(self) -> int:
        """Units that have come in here: what was disposed of was received, even when the report is late."""
        return max(self.reported, sum(self.disposed.values()))

    def plus(self, units: int, outcome: Outcome | None) -> "Place":
        """This place with more units disposed of with an outcome, or reported when there is none."""
        if outcome is None:
            return replace(self, reported=self.reported + units)
        return replace(self, disposed={**self.disposed, outcome: self.disposed.get(outcome, 0) + units})


@frozen
class ReturnLine:
    """Units of an order line in a return: requested >= approved >= received.

    `rejected` are requested units that were not approved. Of those approved, `cancelled` and `expired` ones
    stay with the customer and may be requested again, `lost` ones disappeared on the way, `kept` ones are
    paid back without being sent. `sku` is None when the order does not have the line, or not its sku.
    """

    line_id: str
    sku: str | None
    reason: str | None = None
    requested: int = 0
    approved: int = 0
    rejected: int = 0
    cancelled: int = 0
    expired: int = 0
    lost: int = 0
    kept: int = 0
    places: tuple[Place, ...] = ()

    @property
    def claimed(self) -> int:
        """Units of the order line that no other return can ask for."""
        return self.approved - self.cancelled - self.expired

    @property
    def expected(self) -> int:
        """Units announced to come in, those that have included."""
        return self.claimed - self.lost - self.kept

    @property
    def arrived(self) -> int:
        """Units that have come in anywhere, announced or not."""
        return sum(place.arrived for place in self.places)

    @property
    def received(self) -> int:
        """Announced units that have come in: those that money is due for."""
        return min(self.expected, self.arrived)

    @property
    def unannounced(self) -> int:
        """Units that have come in beyond those announced."""
        return self.arrived - self.received

    @property
    def disposed(self) -> Mapping[Outcome, int]:
        """Units by what became of them, over all places."""
        sums: Counter[Outcome] = Counter()
        for place in self.places:
            sums.update(place.disposed)
        return sums

    def place(self, location: str) -> Place:
        """What is known of a location; an empty place when nothing has come in there."""
        return next((place for place in self.places if place.location == location), Place(location))

    def with_place(self, changed: Place) -> "ReturnLine":
        """This line with a place in the stead of what was known of its location."""
        others = tuple(place for place in self.places if place.location != changed.location)
        return replace(self, places=(*others, changed))


@frozen
class Return(Journaled):
    """A return. `id` is unique within the order and serves as its RMA number: what stands on the label.

    `reference` is the requester's own id of it.
    """

    order_id: str
    id: str
    reference: str
    lines: tuple[ReturnLine, ...] = ()

    @property
    def public_id(self) -> str:
        """The id that the outside uses: order id, a dash, the id within the order."""
        return f"{self.order_id}-{self.id}"

    @property
    def announced(self) -> bool:
        """Whether the return has been requested."""
        return any(line.requested for line in self.lines)

    @property
    def state(self) -> ReturnState:
        """Received from the first unit on; disposed when everything expected is there and dealt with."""
        arrived = sum(line.arrived for line in self.lines)
        if not arrived:
            return ReturnState.REQUESTED
        if not self.announced:
            return ReturnState.UNANNOUNCED
        missing = any(line.arrived < line.expected for line in self.lines)
        disposed = sum(sum(line.disposed.values()) for line in self.lines)
        return ReturnState.RECEIVED if missing or disposed < arrived else ReturnState.DISPOSED

    def line(self, line_id: str) -> ReturnLine | None:
        """The line of that id, or None."""
        return next((line for line in self.lines if line.line_id == line_id), None)

    def knows(self, message_id: str) -> bool:
        """Whether the fact of that message has been recorded."""
        return any(entry.data.get("message") == message_id for entry in self.journal)

    def with_lines(self, changed: Mapping[str, ReturnLine]) -> "Return":
        """This return with the lines of `changed` (by line id) in place of its own, new ones at the end."""
        lines = {line.line_id: line for line in self.lines} | dict(changed)
        return replace(self, lines=tuple(lines.values()))
