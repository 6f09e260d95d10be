"""Incoming supply: what comes in of it, what a vendor changes of it."""

from datetime import datetime

from oms.inventory.model import Supply, SupplyKind
from oms.problems import Code, Problem
from oms.values import replace

_CLOSED = "closed"


def unannounced(sku: str, supply_id: str, location: str, at: datetime) -> Supply:
    """Supply that units have come in of before anybody said so: its announcement will find them there."""
    return Supply(sku, supply_id, SupplyKind.PURCHASE_ORDER, location, at, expected=0)


def received(supply: Supply, units: int) -> tuple[Supply, int]:
    """Supply after units of it have come in, and how many of these nobody expects.

    They are there all the same: more may come than was ordered, or after the rest was given up.
    """
    over = max(0, units - supply.outstanding)
    return replace(supply, received=supply.received + units, v=supply.v + 1), over


def announced(seen: Supply | None, wanted: Supply) -> Supply:
    """Supply as its vendor has it now: where it arrives, when, how much in all.

    Args:
        seen: as it stands; None when it is new.
        wanted: as announced; its counters and version do not matter.

    Returns:
        The supply to write; the one seen when it says the same already.

    Raises:
        Problem: it is closed, or another transfer's.
    """
    if seen is None:
        return replace(wanted, v=1)
    _check_purchase(seen)
    changed = replace(seen, location=wanted.location, due=wanted.due, expected=wanted.expected)
    if changed == seen:
        return seen
    if seen.closed:
        raise Problem(Code.STATE_REFUSED, f"supply {seen.id} of {seen.sku} is closed", state=_CLOSED)
    return replace(changed, v=seen.v + 1)


def closed(seen: Supply) -> Supply:
    """Supply of which no more comes: cancelled by its vendor, or given up short.

    Raises:
        Problem: a transfer's is closed by closing the transfer.
    """
    _check_purchase(seen)
    return seen if seen.closed else replace(seen, closed=True, v=seen.v + 1)


def _check_purchase(seen: Supply) -> None:
    if seen.kind is SupplyKind.TRANSFER:
        raise Problem(Code.STATE_REFUSED, f"supply {seen.id} belongs to a transfer", state=str(seen.kind))
