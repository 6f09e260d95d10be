"""Codec of an entity's journal."""

from typing import Any, cast

from oms.orders.journal import JournalEntry
from oms.store.attributes import Value, millis, moment


def encode_journal(journal: tuple[JournalEntry, ...]) -> list[Value]:
    """A journal as stored: [version, time, kinds, data] an entry."""
    return [
        [entry.v, millis(entry.at), ",".join(entry.kinds), cast(Value, dict(entry.data))] for entry in journal
    ]


def decode_journal(stored: Value) -> tuple[JournalEntry, ...]:
    """A journal from its stored form."""
    entries = cast(list[list[Any]], stored)
    return tuple(
        JournalEntry(v, moment(at), tuple(kinds.split(",")) if kinds else (), data)
        for v, at, kinds, data in entries
    )
