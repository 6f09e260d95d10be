"""Transfer stock: plan a transfer, claim its units, send it off, receive it, close or cancel it."""

from collections.abc import Callable
from datetime import datetime

from oms.inventory.network import Network
from oms.inventory.transfers import ALLOWED, Change, Known, Transfer, TransferCommand
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.inbox import Keep, keep_nothing
from oms.store.table import MOST_WRITES, Table
from oms.store.transfers import encode_transfer, find_transfer, read_known, transfer_writes
from oms.store.writes import Why, create
from oms.store.writes import replace as replace_item
from oms.usecases.preconditions import check_id, check_sku, check_version, configured_location
from oms.usecases.races import settle
from oms.values import replace

_WRITES = 3
"""What a line may write at once: its supply, and the positions at both ends."""

_WRITES_FOR_AN_ORDER = 6
"""One that belongs to an order writes that too, what it waits for, and the demand."""

_WRITES_BESIDES = 2
"""The transfer and the inbox."""


def plan_transfer(
    table: Table, network: Network, wanted: Transfer, now: datetime, expected: int | None = None
) -> Transfer:
    """Write a draft, or change it; one that says the same already is left as it is. Write units: 2.

    Args:
        table: the store.
        network: names the locations.
        wanted: the plan; its state and version do not matter.
        now: UTC.
        expected: the version that it replaces, 0 for none yet; None for any.

    Raises:
        Problem: its id or a sku cannot be one, a location is not configured or both are the same, it has too
            many lines, it is no draft any more, or `version_mismatch`.
        Busy: somebody else kept writing; try again.
    """
    check_id(wanted.id, "transfer")
    for index, line in enumerate(wanted.lines):
        check_sku(line.sku, f"lines[{index}].sku")
    configured_location(network, wanted.source, "source")
    configured_location(network, wanted.target, "target")
    needed = sum(_WRITES_FOR_AN_ORDER if line.order else _WRITES for line in wanted.lines)
    if needed + _WRITES_BESIDES > MOST_WRITES:
        raise Problem(Code.FIELD_INVALID, "more lines than can be moved in one transaction", "lines")
    if wanted.source == wanted.target:
        raise Problem(Code.FIELD_INVALID, "a transfer goes to another location", "target")
    return settle(lambda: _plan(table, wanted, now, expected), f"transfer {wanted.id}")


def _plan(table: Table, wanted: Transfer, now: datetime, expected: int | None) -> Transfer:
    key, seen = keys.transfer(wanted.id), find_transfer(table, wanted.id)
    if seen is None:
        check_version(expected, 0)
        planned = wanted.written(now, "planned")
        table.commit(create(key, encode_transfer(planned)))
        return planned
    if wanted.plan == seen.plan:
        return seen
    if seen.state not in ALLOWED[TransferCommand.CHANGE]:
        detail = f"transfer {seen.id} is {seen.state}: it is not planned any more"
        raise Problem(Code.STATE_REFUSED, detail, state=str(seen.state))
    check_version(expected, seen.v)
    planned = replace(wanted, state=seen.state, v=seen.v, journal=seen.journal).written(now, "planned")
    table.commit(replace_item(key, encode_transfer(planned), seen.v))
    return planned


def change_transfer(
    table: Table,
    name: str,
    decide: Callable[[Known], Change],
    actor: str,
    now: datetime,
    keep: Keep[Transfer] = keep_nothing,
) -> Transfer:
    """Carry out a command on a transfer (`oms.inventory.transfers`), in one transaction.

    Write units, with L skus: 2, 2 more when its state changes, 2L for each end whose positions change, 2L for
    the supply, 2 for an order, 2 for the inbox; 1 more for a position that is new.

    Args:
        table: the store.
        name: the transfer's id.
        decide: the command.
        actor: whose it is.
        now: UTC.
        keep: enters the outcome into the inbox.

    Raises:
        Problem: there is no such transfer, or the command is refused.
        Busy: somebody else kept writing; try again.
    """

    def attempt() -> Transfer:
        known = read_known(table, name)
        change = decide(known)
        entry = change.transfer.journal[-1]
        at = entry.data.get("occurred_at")
        happened = datetime.fromisoformat(str(at)) if at else None
        why = Why(f"transfer_{entry.kinds[-1]}", name, actor, now, happened)
        table.commit(*transfer_writes(known, change, why), *keep(change.transfer))
        return change.transfer

    return settle(attempt, f"transfer {name}")
