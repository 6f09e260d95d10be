"""Announce supply: what a vendor will deliver, where and when; and that no more of it comes."""

from collections.abc import Callable

from oms.inventory.model import Supply
from oms.inventory.network import Network
from oms.inventory.supply import announced, closed
from oms.problems import Code, Problem
from oms.store.stock import read_supplies
from oms.store.table import Table
from oms.usecases.preconditions import check_id, check_version, configured_location
from oms.usecases.races import settle
from oms.usecases.receive_stock import supply_write


def announce_supply(table: Table, network: Network, wanted: Supply, expected: int | None = None) -> Supply:
    """Enter a purchase order's units of a sku, or change them; what says the same already is left as it is.

    What has come in of it, announced or not, stays received. What waits for the sku is told when it is
    expected now: see `oms.usecases.expect_waiting`. Write units: 1.

    Args:
        table: the store.
        network: names the locations.
        wanted: the supply as its vendor has it.
        expected: the version that it replaces, 0 for none yet; None for any.

    Raises:
        Problem: its id cannot be one, the location is not configured, it is closed or a transfer's, or
            `version_mismatch`.
        Busy: somebody else kept writing; try again.
    """
    check_id(wanted.id, "supply")
    configured_location(network, wanted.location)
    return _change(table, wanted.sku, wanted.id, lambda seen: announced(seen, wanted), expected)


def close_supply(table: Table, sku: str, supply_id: str, expected: int | None = None) -> Supply:
    """Say that no more of a supply comes; what has come in stays. Write units: 1, none when it is closed.

    Raises:
        Problem: there is no such supply, it is a transfer's, or `version_mismatch`.
        Busy: somebody else kept writing; try again.
    """

    def close(seen: Supply | None) -> Supply:
        if seen is None:
            raise Problem(Code.NOT_FOUND, f"of {sku} there is no supply {supply_id}", "supply")
        return closed(seen)

    return _change(table, sku, supply_id, close, expected)


def _change(
    table: Table, sku: str, supply_id: str, change: Callable[[Supply | None], Supply], expected: int | None
) -> Supply:
    def attempt() -> Supply:
        seen = read_supplies(table, [sku], supply_id).get(sku)
        after = change(seen)
        if after != seen:
            check_version(expected, seen.v if seen else 0)
            table.commit(supply_write(seen, after))
        return after

    return settle(attempt, f"supply {supply_id} of {sku}")
