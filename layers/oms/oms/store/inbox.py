"""The inbox: commands without a natural key, each under its sender's own key, beside what was answered.

A command is entered in the transaction that it makes, so it is there if and only if its effect is. A command
whose effect names it (an order, a message, a count by its time) needs no entry.
"""

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, cast

from oms.problems import Code, Problem
from oms.store import keys
from oms.store.attributes import Item, millis
from oms.store.table import Table
from oms.store.writes import Write, create
from oms.values import frozen

KEPT = timedelta(days=7)
"""How long a command is known again; DynamoDB removes it some time after."""

type Keep[Result] = Callable[[Result], Iterable[Write]]
"""What a use case writes besides, in the same transaction, so that its outcome is known again."""


@frozen
class Request:
    """A command: who sends it, the sender's key of it, and the SHA-256 of what it asks for."""

    source: str
    id: str
    digest: bytes


@frozen
class Reply:
    """What was answered: a JSON document, and the version of what it shows."""

    document: Any
    v: int | None


def keep_nothing(result: object) -> tuple[Write, ...]:
    """For a command that needs no entry in the inbox."""
    return ()


def enter(request: Request, reply: Reply, now: datetime) -> Write:
    """Enter a command with its answer, if it is not there yet."""
    text = json.dumps(reply.document, separators=(",", ":"), default=asdict)
    item: Item = {
        "t": "inbox",
        "sv": 1,
        "digest": request.digest,
        "doc": zlib.compress(text.encode(), 9),
        "ttl": millis(now + KEPT) // 1000,
    }
    return create(keys.inbox(request.source, request.id), item | ({} if reply.v is None else {"v": reply.v}))


def find_reply(table: Table, request: Request) -> Reply | None:
    """What the command was answered when it was done; None when it was not.

    Raises:
        Problem: `conflict`, when its sender has used the key for something else.
    """
    item = table.get(keys.inbox(request.source, request.id))
    if item is None:
        return None
    stored = cast(dict[str, Any], item)
    if stored["digest"] != request.digest:
        detail = f"key {request.id} stands for another request"
        raise Problem(Code.CONFLICT, detail, "Idempotency-Key")
    return Reply(json.loads(zlib.decompress(stored["doc"])), stored.get("v"))
