"""Codec of the decisions by which units of an order got a source after it was placed.

Those that it was placed with stand in its body. Later ones are items of their own, by the version of the
order that they made: whoever makes that version writes them in the same transaction, so that none is there
twice, or without what it has changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oms.sourcing.deliveries import Decisions
from oms.sourcing.record import record
from oms.store import keys
from oms.store.attributes import Item, packed, unpacked
from oms.store.table import Table
from oms.store.writes import Write, create

type Records = Sequence[Mapping[str, Any]]
"""What was decided about the deliveries of an order, as `oms.sourcing.record` has it."""


def decision_writes(order_id: str, v: int, decisions: Decisions) -> list[Write]:
    """What keeps the decisions that made a version of an order; nothing when nothing was decided."""
    if not decisions:
        return []
    return [create(keys.decision(order_id, v), encode_decisions(record(decisions)))]


def encode_decisions(records: Records) -> Item:
    """The item's attributes, without its key."""
    return {"t": "decision", "sv": 1, "doc": packed(records)}


def decode_decisions(item: Item) -> Records:
    """The records from their item."""
    records: Records = unpacked(item["doc"])
    return records


def decisions_of(table: Table, order_id: str, versions: Iterable[int]) -> dict[int, Records]:
    """The decisions that made some versions of an order, by version; read consistently."""
    wanted = {keys.decision(order_id, v): v for v in versions}
    items = table.get_many(wanted, consistent=True)
    return {wanted[keys.Key(str(item["PK"]), str(item["SK"]))]: decode_decisions(item) for item in items}
