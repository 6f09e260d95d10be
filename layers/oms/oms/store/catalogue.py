"""Pointers to catalogue entries: by the codes on goods, and from a component to the kits that it is in.

A pointer is put before the entry that it points to, and never removed: what no longer holds is left out by
reading the entry itself.
"""

from collections.abc import Callable

from oms.inventory.codes import canonical
from oms.inventory.model import Sku
from oms.store import keys
from oms.store.attributes import Item
from oms.store.keys import Key
from oms.store.stock import decode_sku
from oms.store.table import Table

_CODE, _KIT = "code", "kit"
MOST_KITS = 100
"""Entries that share a code, or a component, of which is known."""


def pointers(sku: Sku) -> dict[Key, Item]:
    """The pointers to an entry."""
    item: Item = {"t": "pointer", "sv": 1}
    names = [(_CODE, canonical(code.value)) for code in sku.codes]
    names += [(_KIT, component.sku) for component in sku.kit]
    return {keys.pointer(kind, name, sku.sku): item for kind, name in names}


def skus_of_code(table: Table, code: str) -> list[Sku]:
    """The entries with a code."""
    wanted = canonical(code)
    return _pointed_to(
        table, _CODE, wanted, lambda sku: any(canonical(held.value) == wanted for held in sku.codes)
    )


def kits_with(table: Table, component: str) -> list[Sku]:
    """The kits that a sku is a component of."""
    return _pointed_to(table, _KIT, component, lambda sku: any(held.sku == component for held in sku.kit))


def _pointed_to(table: Table, kind: str, name: str, holds: Callable[[Sku], bool]) -> list[Sku]:
    names = [str(item["SK"]) for item in table.latest(keys.pointers(kind, name), limit=MOST_KITS)]
    items = table.get_many(map(keys.sku_meta, sorted(names)), consistent=True)
    return [sku for sku in map(decode_sku, items) if holds(sku)]
