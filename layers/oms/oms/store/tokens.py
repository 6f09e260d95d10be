"""API tokens: what each may do, kept under the hash of its text: what the table holds opens no door."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from oms.store import keys
from oms.store.attributes import Item, millis, moment
from oms.store.keys import Key
from oms.store.table import Table
from oms.store.writes import put
from oms.values import frozen, replace

_TEXT = re.compile(r"oms_[A-Za-z0-9_-]{43}", re.ASCII)
_KEPT_AFTER_EXPIRY = timedelta(days=30)
"""How long an ended token stays listed before DynamoDB removes it."""


class Scope(StrEnum):
    """What a token may do; the API names one for each route."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    FULFILLMENT_READ = "fulfillment:read"
    FULFILLMENT_WRITE = "fulfillment:write"
    RETURNS_READ = "returns:read"
    RETURNS_WRITE = "returns:write"
    STOCK_READ = "stock:read"
    STOCK_WRITE = "stock:write"
    AVAILABILITY_READ = "availability:read"
    SOURCING_READ = "sourcing:read"
    RESERVATIONS_READ = "reservations:read"
    RESERVATIONS_WRITE = "reservations:write"
    CATALOGUE_READ = "catalogue:read"
    CATALOGUE_WRITE = "catalogue:write"
    CONFIGURATION_READ = "configuration:read"
    CONFIGURATION_WRITE = "configuration:write"
    SUBSCRIBERS_READ = "subscribers:read"
    SUBSCRIBERS_WRITE = "subscribers:write"


@frozen
class Token:
    """A token without its text. `digest` is the hex SHA-256 of the text; `name` says who uses it."""

    digest: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


def issue(
    table: Table, name: str, scopes: tuple[Scope, ...], valid: timedelta, now: datetime
) -> tuple[str, Token]:
    """Make a token.

    Args:
        table: the store.
        name: who uses it; stands in logs and in the reasons of what it changes.
        scopes: what it may do.
        valid: for how long.
        now: UTC.

    Returns:
        Its text, which is kept nowhere, and the token as stored.
    """
    text = f"oms_{secrets.token_urlsafe(32)}"
    token = Token(_digest(text), name, tuple(map(str, scopes)), now, now + valid)
    table.commit(put(keys.token(token.digest), _encode(token)))
    return text, token


def find(table: Table, text: str, now: datetime) -> Token | None:
    """The token of a text; None when it is malformed, unknown or expired. A malformed one costs no read."""
    if not _TEXT.fullmatch(text):
        return None
    item = table.get(keys.token(_digest(text)))
    token = _decode(item) if item else None
    return token if token and token.expires_at > now else None


def issued(table: Table) -> list[Token]:
    """Every token by name, those that ended lately included."""
    found: list[Key] = []
    after: Item | None = None
    while True:
        page, after = table.keys_in_index("GSI2", keys.TOKENS, after=after)
        found += page
        if after is None:
            return [_decode(item) for item in table.get_many(found)]


def revoke(table: Table, token: Token, now: datetime) -> Token:
    """End a token now; API Gateway may let it pass for as long as it caches answers (60 s)."""
    ended = replace(token, expires_at=min(token.expires_at, now))
    table.commit(put(keys.token(token.digest), _encode(ended)))
    return ended


def _digest(text: str) -> str:
    # The text is 256 random bits: nothing that a slow hash would protect.
    return hashlib.sha256(text.encode()).hexdigest()


def _encode(token: Token) -> Item:
    return {
        "t": "token",
        "sv": 1,
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": millis(token.created_at),
        "expires_at": millis(token.expires_at),
        "ttl": millis(token.expires_at + _KEPT_AFTER_EXPIRY) // 1000,
        "GSI2PK": keys.TOKENS,
        "GSI2SK": token.name,
    }


def _decode(item: Item) -> Token:
    stored = cast(dict[str, Any], item)
    return Token(
        digest=stored["PK"].removeprefix(keys.TOKEN),
        name=stored["name"],
        scopes=tuple(stored["scopes"]),
        created_at=moment(stored["created_at"]),
        expires_at=moment(stored["expires_at"]),
    )
