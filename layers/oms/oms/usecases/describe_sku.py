"""Describe a sku: enter it into the catalogue, or change its entry."""

from oms.channels.currencies import require_currency
from oms.inventory.codes import check_code
from oms.inventory.model import Sku
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.catalogue import kits_with, pointers
from oms.store.stock import decode_sku, encode_sku, read_skus
from oms.store.table import Table
from oms.store.writes import create
from oms.store.writes import replace as replace_item
from oms.usecases.preconditions import check_version
from oms.usecases.races import settle
from oms.values import replace


def describe_sku(table: Table, sku: Sku, expected: int | None = None) -> Sku:
    """Write a catalogue entry; one that says the same already is left as it is, whatever was expected.

    The components of a kit must be in the catalogue and no kits themselves, so that none contains itself.
    What points to the entry is written before it: a crash between leaves a pointer that nobody follows.

    Args:
        table: the store.
        sku: the entry; its version and heat are ignored.
        expected: the version that it replaces, 0 for none yet; None for any.

    Returns:
        The entry as it stands, with its version.

    Raises:
        Problem: `version_mismatch`, or `field_invalid` for a code that is none, a kit that cannot be, or a
            second number of safety stock or price for the same.
        Busy: somebody else kept writing; try again.
    """
    for number, code in enumerate(sku.codes):
        check_code(code, f"codes[{number}].value")
    for number, rule in enumerate(sku.safety_stock):
        if any(
            (rule.location, rule.method) == (said.location, said.method) for said in sku.safety_stock[:number]
        ):
            wrong = "says for the same location and method what an entry before says"
            raise Problem(Code.FIELD_INVALID, wrong, f"safety_stock[{number}]")
    for number, price in enumerate(sku.prices):
        require_currency(price.currency, f"prices[{number}].currency")
        said_before = ((said.currency, said.channel) for said in sku.prices[:number])
        if (price.currency, price.channel) in said_before:
            wrong = "says for the same currency and channel what an entry before says"
            raise Problem(Code.FIELD_INVALID, wrong, f"prices[{number}]")
    if sku.kit:
        _check_kit(table, sku)
    return settle(lambda: _describe(table, sku, expected), f"sku {sku.sku}")


def says_the_same(sku: Sku, seen: Sku) -> bool:
    """Whether an entry that is there says all that a new one would; version and heat are nobody's word."""
    return replace(sku, v=seen.v, hot_until=seen.hot_until) == seen


def _check_kit(table: Table, sku: Sku) -> None:
    names = [component.sku for component in sku.kit]
    known = read_skus(table, names)
    for number, name in enumerate(names):
        wrong = None
        if name == sku.sku:
            wrong = "a kit cannot contain itself"
        elif name in names[:number]:
            wrong = f"{name} is there twice: add its units up"
        elif name not in known:
            wrong = f"{name} is not in the catalogue"
        elif known[name].kit:
            wrong = f"{name} is a kit itself, and kits do not nest: name its components"
        if wrong:
            raise Problem(Code.FIELD_INVALID, wrong, f"kit[{number}].sku")
    holders = kits_with(table, sku.sku)
    if holders:
        wrong = f"{sku.sku} is a component of {holders[0].sku}, and kits do not nest"
        raise Problem(Code.FIELD_INVALID, wrong, "kit")


def _describe(table: Table, sku: Sku, expected: int | None) -> Sku:
    key = keys.sku_meta(sku.sku)
    item = table.get(key)
    seen = decode_sku(item) if item else None
    if seen is not None and says_the_same(sku, seen):
        return seen
    hot_until = seen.hot_until if seen else None
    v = seen.v if seen else 0
    check_version(expected, v)
    described = replace(sku, v=v + 1, hot_until=hot_until)
    entry = encode_sku(described)
    held = pointers(seen) if seen else {}
    table.put_many({to: item for to, item in pointers(described).items() if to not in held})
    table.commit(replace_item(key, entry, v) if item else create(key, entry))
    return described
