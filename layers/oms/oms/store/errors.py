"""Why a write did not happen."""

from oms.store.attributes import Item
from oms.store.writes import Write
from oms.values import frozen

CONDITION_FAILED = "ConditionalCheckFailed"


@frozen
class Reason:
    """A write whose condition did not hold: `item` is what stood there (None when nothing did)."""

    write: Write
    item: Item | None


class Cancelled(Exception):
    """At least one condition did not hold; nothing was written. `reasons` names the writes that failed."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__(", ".join(f"{reason.write.key.pk} {reason.write.key.sk}" for reason in reasons))
        self.reasons = reasons


class Busy(Exception):
    """Conflicts or throttling outlasted the retries in place: hand the work back to its queue."""
