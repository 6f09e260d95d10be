"""What requesters and locations tell us: the canonical form of messages on the return-events queue."""

from datetime import datetime

from oms.returns.model import Outcome
from oms.values import frozen


@frozen
class RequestedUnits:
    """Units of an order line that somebody wants to send back, and why (a code or a few words)."""

    line_id: str
    units: int
    reason: str | None = None


@frozen
class ReturnRequest:
    """A wish to return; it may be refused. `reference` is the requester's own id of the return.

    The reference makes a repeated request the same one, whatever its message id.
    """

    message_id: str
    occurred_at: datetime
    order_id: str
    reference: str
    lines: tuple[RequestedUnits, ...]


@frozen
class ReturnedUnits:
    """Units of an order line that came in or, with an outcome, that were disposed of."""

    line_id: str
    units: int
    outcome: Outcome | None = None


@frozen
class ReturnFact:
    """Returned units received or disposed of at a location; never refused, and recorded once by `message_id`.

    `reference` is that of the request; of units that nobody announced, the message id of their receipt.
    """

    message_id: str
    occurred_at: datetime
    order_id: str
    reference: str
    location: str
    lines: tuple[ReturnedUnits, ...]
