"""Once: commands that only their sender can name are done once and answered alike however often they come."""

import hashlib
import json
from typing import Any

from functions.api.routing import Answer, AnyRoute, Call
from oms.problems import Code, Problem
from oms.store import process
from oms.store.errors import Busy
from oms.store.inbox import Request, find_reply
from oms.values import replace

LONGEST_KEY = 100


def once(route: AnyRoute, call: Call[Any, Any], path: str, key: str | None) -> Answer[Any]:
    """Call the endpoint of a keyed route, or answer as it did when it was called with this key before.

    Args:
        route: a keyed one; its endpoint hands `call.keeping(..)` to its use case.
        call: the request.
        path: that was asked for.
        key: what the header `Idempotency-Key` says, None without it.

    Raises:
        Problem: `field_missing` or `field_invalid` for the key, `conflict` when it stands for another
            request, or what the endpoint refuses.
    """
    if key is None:
        raise Problem(Code.FIELD_MISSING, "this takes a key of yours for each request", "Idempotency-Key")
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        detail = f"a key has up to {LONGEST_KEY} printable ASCII characters"
        raise Problem(Code.FIELD_INVALID, detail, "Idempotency-Key")
    said = json.dumps([route.method, path, json.loads(call.raw or b"null")], sort_keys=True)
    request = Request(call.actor, key, hashlib.sha256(said.encode()).digest())
    reply = find_reply(process.table(), request)
    if reply is None:
        try:
            return route.endpoint(replace(call, request=request))
        except (Problem, Busy):
            # The same request may have got through beside this one.
            reply = find_reply(process.table(), request)
            if reply is None:
                raise
    return Answer(reply.document, reply.v)
