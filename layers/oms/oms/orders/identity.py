"""Identity of an order: its id, the digest of its content, its shard of the work queue."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from functools import lru_cache
from typing import cast

from oms.orders.commands import Line, PlaceOrder
from oms.values import members

SHARDS = 16
"""Number of shards of each stage of the work queue."""

_VOLATILE: Mapping[type, tuple[str, ...]] = {
    PlaceOrder: ("channel_version", "payments", "cancelled", "balanced", "reservation"),
    Line: ("shipped", "cancelled", "refunded"),
}


@lru_cache(maxsize=1024)
def order_id(channel: str, channel_order_id: str) -> str:
    """The order's id, always the same for an order: base32(sha256(channel, 0, channel's order id))[:26].

    Put-if-absent of the header under this id is the idempotency key of intake.
    """
    text = f"{channel}\0{channel_order_id}".encode()
    return base64.b32encode(hashlib.sha256(text).digest())[:26].decode()


def shard(order: str) -> str:
    """The two-digit shard of the work queue that an order id falls into: crc32 mod 16."""
    return f"{zlib.crc32(order.encode()) % SHARDS:02d}"


def digest(command: PlaceOrder) -> bytes:
    """12 bytes that are equal exactly when two commands order the same things on the same terms.

    Left out is what a channel changes without changing the order: its version, how far it has been paid,
    shipped, cancelled or refunded; and the reservation, which ends with the first of them.
    """
    return hashlib.sha256(_CONTENT.encode(command).encode()).digest()[:12]


def _plain(value: object) -> object:
    """What stands for a value in the digest; encoding by this is much faster than `dataclasses.asdict`."""
    if is_dataclass(value):
        found = members(value)
        for name in _VOLATILE.get(type(value), ()):
            del found[name]
        return found
    return value.isoformat() if isinstance(value, datetime) else dict(cast("Mapping[str, object]", value))


_CONTENT = json.JSONEncoder(sort_keys=True, check_circular=False, separators=(",", ":"), default=_plain)
