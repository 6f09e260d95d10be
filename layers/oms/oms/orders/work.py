"""The work queue: what the clock has to look at an order for, and when."""

from datetime import datetime, timedelta
from enum import StrEnum

from oms.orders.model import Order, Stage
from oms.orders.replacing import waits_for_other

OPEN_RETRY = timedelta(minutes=15)
"""How often what waits is tried again."""


class WorkStage(StrEnum):
    """Stages of the work queue: of orders, of reservations that somebody has to end, of new skus.

    What is held stands there to be found, as it may have to give its units up; the clock asks nothing for it.
    """

    RELEASE = "release"
    OPEN = "open"
    EXPIRE = "expire"
    FIRST_RELEASE = "first_release"
    UNPAID = "unpaid"
    ERASE = "erase"
    REPLACE = "replace"
    HELD = "held"


def releasable(order: Order) -> bool:
    """Whether some allocated units may be handed to their locations: no hold stops the order."""
    return not order.holds and _unreleased(order)


def waits(order: Order) -> bool:
    """Whether units of an order have no source."""
    return any(line.open or line.backordered or line.pending for line in order.lines)


def work_stage(order: Order) -> tuple[WorkStage, datetime] | None:
    """The earliest work due on an order, or None when there is none.

    An item stands in the queue once: release comes before trying again what waits, and that before a hold.
    One that waits for stock is looked at with what waits, whatever else it waits for.
    """
    if order.due_at is None:
        return None
    if releasable(order):
        return WorkStage.RELEASE, order.due_at
    if waits(order):
        return WorkStage.OPEN, order.due_at
    if unpaid(order) and order.pays_until:
        return WorkStage.UNPAID, order.pays_until
    if waits_for_other(order):
        return WorkStage.REPLACE, order.due_at
    if _unreleased(order):
        return WorkStage.HELD, order.due_at
    return (WorkStage.ERASE, order.erase_at) if order.erase_at else None


def unpaid(order: Order) -> bool:
    """Whether an order is held until somebody has paid, and will not be for good."""
    return order.pays_until is not None and "payment" in order.holds


def _unreleased(order: Order) -> bool:
    return any(entry.stage is Stage.ALLOCATED for line in order.lines for entry in line.entries)
