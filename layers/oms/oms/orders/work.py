"""The work queue: what the clock has to look at an order for, and when."""

from datetime import datetime, timedelta
from enum import StrEnum

from oms.orders.model import Order, Stage

OPEN_RETRY = timedelta(minutes=15)
"""How often units without a source are tried again."""


class WorkStage(StrEnum):
    """Stages of the work queue: what orders stand in, and reservations until somebody has ended them."""

    RELEASE = "release"
    OPEN = "open"
    EXPIRE = "expire"


def releasable(order: Order) -> bool:
    """Whether some allocated units may be handed to their locations: no hold stops the order."""
    return not order.holds and any(
        entry.stage is Stage.ALLOCATED for line in order.lines for entry in line.entries
    )


def work_stage(order: Order) -> tuple[WorkStage, datetime] | None:
    """The earliest work due on an order, or None when there is none.

    An item stands in the queue once: release comes before trying open units again.
    """
    if order.due_at is None:
        return None
    if releasable(order):
        return WorkStage.RELEASE, order.due_at
    if any(line.open for line in order.lines):
        return WorkStage.OPEN, order.due_at
    return None
