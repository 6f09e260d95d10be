"""Codec of stubs. A stub stands where the order's header will: whoever creates that one meets it."""

import json
import zlib
from datetime import datetime, timedelta
from typing import cast

from oms.orders.stubs import Early, Stub
from oms.store import keys
from oms.store.attributes import Item, millis
from oms.store.keys import Key
from oms.store.writes import Write, create

KEPT = timedelta(days=30)
"""How long what is said of an order that never comes is kept; DynamoDB removes it some time after."""


def is_stub(item: Item) -> bool:
    """Whether what stands in the place of a header is a stub."""
    return item["t"] == "stub"


def decode_stub(item: Item) -> Stub:
    """A stub from its item, key included."""
    # Stubs are rare: not every function that places orders pays for the codec of all commands.
    from oms.channels.generic.documents import restored  # noqa: PLC0415

    documents = json.loads(zlib.decompress(cast(bytes, item["doc"])))
    commands = tuple(cast(Early, restored(document)) for document in documents)
    return Stub(str(item["PK"]).removeprefix(keys.ORDER), commands)


def park(seen: Stub, stub: Stub, now: datetime) -> Write:
    """Write a stub over what was seen of it, an empty one when there was none; nobody may have come since.

    Args:
        seen: as it was read.
        stub: as it is to be.
        now: UTC.
    """
    from oms.channels.canonical import to_document  # noqa: PLC0415

    text = json.dumps([to_document(command) for command in stub.commands], separators=(",", ":"))
    item: Item = {
        "t": "stub",
        "sv": 1,
        "n": len(stub.commands),
        "doc": zlib.compress(text.encode(), 9),
        "ttl": millis(now + KEPT) // 1000,
    }
    key = keys.header(stub.order_id)
    return absorb(key, item, len(seen.commands)) if seen.commands else create(key, item)


def absorb(key: Key, item: Item, commands: int) -> Write:
    """Put an item over a stub that still has just so many commands."""
    return Write("Put", key, item, condition="#n = :n", values={"n": commands})
