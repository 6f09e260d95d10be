"""Describe a sku: enter it into the catalogue, or change its entry."""

from dataclasses import replace

from oms.inventory.model import Sku
from oms.store import keys
from oms.store.stock import decode_sku, encode_sku
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replace_item
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle


def describe_sku(table: Table, sku: Sku, expected: int | None = None) -> Sku:
    """Write a catalogue entry; one that says the same already is left as it is, whatever was expected.

    Args:
        table: the store.
        sku: the entry; its version and heat are ignored.
        expected: the version that it replaces, 0 for none yet; None for any.

    Returns:
        The entry as it stands, with its version.

    Raises:
        Problem: `version_mismatch`.
        Busy: somebody else kept writing; try again.
    """
    return settle(lambda: _describe(table, sku, expected), f"sku {sku.sku}")


def _describe(table: Table, sku: Sku, expected: int | None) -> Sku:
    key = keys.sku_meta(sku.sku)
    item = table.get(key)
    seen = decode_sku(item) if item else None
    hot_until = seen.hot_until if seen else None
    if seen is not None and replace(sku, v=seen.v, hot_until=hot_until) == seen:
        return seen
    v = seen.v if seen else 0
    check_version(expected, v)
    described = replace(sku, v=v + 1, hot_until=hot_until)
    entry = encode_sku(described)
    table.commit(replace_item(key, entry, v) if item else create(key, entry))
    return described
