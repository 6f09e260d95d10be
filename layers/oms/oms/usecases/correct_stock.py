"""Correct stock: what people find out about units at a position without counting all of them."""

from datetime import datetime

from oms.inventory.corrections import check_possible
from oms.inventory.model import Delta, Position
from oms.inventory.network import Network
from oms.store.inbox import Keep, keep_nothing
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, Write, move
from oms.usecases.preconditions import check_past, configured_location
from oms.usecases.races import settle
from oms.values import frozen


@frozen
class Correction:
    """What is different at a position, and why: units more or fewer, units blocked or no longer so.

    `occurred_at` is when they came or went (UTC): a count since has found that already.
    """

    sku: str
    location: str
    delta: Delta
    reason: str
    ref: str
    occurred_at: datetime
    actor: str


def correct_stock(
    table: Table,
    network: Network,
    correction: Correction,
    now: datetime,
    keep: Keep[Position] = keep_nothing,
) -> Position:
    """Change a position, and say why. Write units: 1; 4 with an entry in the inbox.

    Args:
        table: the store.
        network: names the locations.
        correction: what is different.
        now: UTC.
        keep: enters the outcome into the inbox.

    Returns:
        The position after it.

    Raises:
        Problem: the location is not configured, it is to happen in the future, or it cannot be.
        Busy: the position kept changing; try again.
    """
    configured_location(network, correction.location)
    check_past(correction.occurred_at, now, "occurred_at")
    what = f"correction of {correction.sku} at {correction.location}"
    return settle(lambda: _correct(table, correction, now, keep), what)


def _correct(table: Table, correction: Correction, now: datetime, keep: Keep[Position]) -> Position:
    seen = read_position(table, correction.sku, correction.location)
    delta = seen.unseen(correction.delta, correction.occurred_at)
    if not delta.on_hand and not any(delta.blocked.values()):
        return _kept(table, seen, [], keep)
    check_possible(seen, delta)
    why = Why(correction.reason, correction.ref, correction.actor, now, correction.occurred_at)
    write = move(correction.sku, correction.location, delta, why, seen=seen, exact=True)
    return _kept(table, seen.moved(delta), [write], keep)


def _kept(table: Table, outcome: Position, writes: list[Write], keep: Keep[Position]) -> Position:
    writes += keep(outcome)
    if writes:
        table.commit(*writes)
    return outcome
