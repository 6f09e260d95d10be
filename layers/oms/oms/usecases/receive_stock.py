"""Receive stock: units that have come in at a location, announced or not."""

from collections.abc import Mapping
from datetime import datetime

from oms.inventory.model import Block, Delta, Deltas, Supply, SupplyKind, add
from oms.inventory.network import Network
from oms.inventory.supply import received, unannounced
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.inbox import Keep, keep_nothing
from oms.store.stock import encode_supply, read_positions, read_supplies
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move, replace
from oms.usecases.preconditions import check_id, check_past, check_sku, configured_location
from oms.usecases.races import settle
from oms.values import frozen


@frozen
class ReceivedUnits:
    """Units of a sku that have come in; blocked when they cannot be sold as they are."""

    sku: str
    units: int
    blocked: Block | None = None


@frozen
class Receipt:
    """What has come in at a location at `occurred_at` (UTC); of the supply of that id when it has one."""

    location: str
    lines: tuple[ReceivedUnits, ...]
    occurred_at: datetime
    ref: str
    actor: str
    supply: str | None = None


@frozen
class Received:
    """What a receipt has changed, by sku: the supply after it, and the units of it that nobody expects."""

    supplies: Mapping[str, Supply]
    over: Mapping[str, int]


def receive_stock(
    table: Table, network: Network, receipt: Receipt, now: datetime, keep: Keep[Received] = keep_nothing
) -> Received:
    """Record a receipt: a fact, never refused for what was expected.

    On hand rises, unless a later count has found the units there already; a position that is not there yet
    is made. Supply that nobody has announced is entered with nothing expected. Write units, with L skus:
    2 + 2L, with supply 2 + 4L; 1 more for each that is new.

    Args:
        table: the store.
        network: names the locations.
        receipt: what has come in.
        now: UTC.
        keep: enters the outcome into the inbox.

    Raises:
        Problem: the location is not configured, it is to happen in the future, a sku or the supply has a name
            that it cannot have, or the supply is a transfer's.
        Busy: somebody else kept writing; try again.
    """
    configured_location(network, receipt.location)
    check_past(receipt.occurred_at, now, "occurred_at")
    for index, line in enumerate(receipt.lines):
        check_sku(line.sku, f"lines[{index}].sku")
    return settle(lambda: _receive(table, receipt, now, keep), f"receipt {receipt.ref}")


def _receive(table: Table, receipt: Receipt, now: datetime, keep: Keep[Received]) -> Received:
    units: dict[str, int] = {}
    deltas: Deltas = {}
    for line in receipt.lines:
        units[line.sku] = units.get(line.sku, 0) + line.units
        blocked = {line.blocked: line.units} if line.blocked else {}
        add(deltas, line.sku, receipt.location, Delta(on_hand=line.units, blocked=blocked))
    before = read_supplies(table, units, receipt.supply) if receipt.supply else {}
    after: dict[str, Supply] = {}
    over: dict[str, int] = {}
    for sku, came in units.items() if receipt.supply else ():
        supply = before.get(sku) or _unannounced(receipt, sku)
        if supply.kind is SupplyKind.TRANSFER:
            raise Problem(Code.STATE_REFUSED, "units of a transfer are received by it", "supply")
        after[sku], over[sku] = received(supply, came)
    seen = read_positions(table, units, receipt.location)
    writes: list[Write] = []
    for (sku, location), delta in sorted(deltas.items()):
        reason = "over_received" if over.get(sku) else "received"
        why = Why(reason, receipt.supply or receipt.ref, receipt.actor, now, receipt.occurred_at)
        left = seen[sku].unseen(delta, receipt.occurred_at)
        if left.on_hand or left.blocked:
            writes.append(move(sku, location, left, why, seen=seen[sku]))
    writes += [supply_write(before.get(sku), supply) for sku, supply in after.items()]
    outcome = Received(after, {sku: units for sku, units in over.items() if units})
    writes += keep(outcome)
    if writes:
        table.commit(*writes)
    return outcome


def _unannounced(receipt: Receipt, sku: str) -> Supply:
    name = str(receipt.supply)
    check_id(name, "supply")
    return unannounced(sku, name, receipt.location, receipt.occurred_at)


def supply_write(before: Supply | None, after: Supply) -> Write:
    """Supply over the one that was seen, or where none was."""
    key = keys.supply(after.sku, after.id)
    return replace(key, encode_supply(after), before.v) if before else create(key, encode_supply(after))
