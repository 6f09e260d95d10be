"""Cursors: where a page ended, opaque to the caller and signed, so that nobody makes up his own."""

import base64
import binascii
import hashlib
import hmac
import json
from functools import cache

from oms.problems import Code, Problem
from oms.runtime import settings
from oms.runtime.secrets import Keys
from oms.store.attributes import Item
from oms.store.queries import Span

_MAC_BYTES = 16


def encode(after: Item | None, filters: str) -> str | None:
    """The cursor of where a page ended; None for the end of the list.

    Args:
        after: keys of the last item, as the store gave them.
        filters: path and query of the list: the cursor is good for no other.
    """
    if after is None:
        return None
    text = json.dumps(after, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(text, filters) + text).rstrip(b"=").decode()


def span(limit: int, cursor: str | None, filters: str) -> Span:
    """The part of a list that begins where the cursor was given.

    Raises:
        Problem: `cursor_invalid`.
    """
    if cursor is None:
        return Span(limit)
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        data = b""
    mac, text = data[:_MAC_BYTES], data[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(text, filters)):
        raise Problem(Code.CURSOR_INVALID, "take `next` of the page before, with the same filters", "cursor")
    return Span(limit, json.loads(text))


def _mac(text: bytes, filters: str) -> bytes:
    message = filters.encode() + b"\0" + text
    return hmac.digest(_keys().key("cursors"), message, hashlib.sha256)[:_MAC_BYTES]


@cache
def _keys() -> Keys:
    return Keys(settings.read(settings.Api).keys_secret)
