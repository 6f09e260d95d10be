"""Secrets: those that channels sign with, and the stack's own keys. Read at first use, never at import."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import field

from botocore.exceptions import BotoCoreError, ClientError

from oms.runtime import clients
from oms.runtime.logger import describe, log
from oms.values import frozen

CACHE_SECONDS = 300
REFRESH_SECONDS = 60
CACHED_NAMES = 1000

# The second is the answer for a secret that is waiting for its deletion.
_ABSENT = frozenset({"ResourceNotFoundException", "InvalidRequestException"})

type Fetch = Callable[[str], str | None]


def fetch(name: str) -> str | None:
    """The text of a Secrets Manager value, None when there is none of that name.

    Raises:
        ClientError: Secrets Manager refused or failed otherwise.
    """
    try:
        return clients.secrets().get_secret_value(SecretId=name)["SecretString"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _ABSENT:
            return None
        raise


@frozen
class ChannelSecret:
    """What only a channel and we know.

    Attributes:
        kind: of its adapter.
        secrets: every secret that may sign what it sends now.
        api: where its API stands and the credentials for it (`oms.channels.credentials`); empty without one.
    """

    kind: str
    secrets: tuple[str, ...]
    api: Mapping[str, str] = field(default_factory=dict)


@frozen
class _Entry:
    secret: ChannelSecret | None
    read_at: float


class ChannelSecrets:
    """The secrets of the channels, cached for 5 minutes, that a channel does not exist included.

    Args:
        prefix: of the names in Secrets Manager; the channel's name follows it.
        fetch: reads a value by its full name, None when there is none.
        clock: monotonic time in seconds.
    """

    def __init__(
        self, prefix: str, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._prefix = prefix
        self._fetch = fetch
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def get(self, channel: str) -> ChannelSecret | None:
        """The channel's secret, at most 5 minutes old; None for an unknown channel.

        Raises:
            BotoCoreError, ClientError: it could not be read, and no older answer is there to serve.
            ValueError: the stored value is not `{"kind": .., "secrets": [..]}`, perhaps with `"api": {..}`.
        """
        return self._read(channel, CACHE_SECONDS)

    def refreshed(self, channel: str) -> ChannelSecret | None:
        """The same after a signature did not match: read again, but at most once a minute and channel.

        Raises:
            BotoCoreError, ClientError, ValueError: as for `get`.
        """
        return self._read(channel, REFRESH_SECONDS)

    def _read(self, channel: str, max_age: float) -> ChannelSecret | None:
        now = self._clock()
        known = self._entries.pop(channel, None)  # put back last: the first entry is the oldest used
        if known is None or now - known.read_at >= max_age:
            known = _Entry(self._fetched(channel, known), now)
        self._entries[channel] = known
        if len(self._entries) > CACHED_NAMES:
            del self._entries[next(iter(self._entries))]
        return known.secret

    def _fetched(self, channel: str, known: _Entry | None) -> ChannelSecret | None:
        try:
            text = self._fetch(self._prefix + channel)
            return None if text is None else _channel_secret(text)
        except (BotoCoreError, ClientError, ValueError) as error:
            if known is None:
                raise
            # Some channels never send a message again: better the last known secret than none.
            log.warning("secret not refreshed", extra={"channel": channel, "error": describe(error)})
            return known.secret


def _channel_secret(text: str) -> ChannelSecret:
    value = json.loads(text)
    match value:
        case {"kind": str(kind), "secrets": [_, *_] as secrets} if all(
            isinstance(s, str) and s for s in secrets
        ):
            return ChannelSecret(kind, tuple(secrets), _api(value.get("api", {})))
    raise ValueError('a channel\'s secret must be {"kind": .., "secrets": [..]}')


def _api(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("api in a channel's secret must be an object of strings")
    return value


class Keys:
    """Keys of the stack, one for each purpose, all derived from one generated secret.

    Args:
        name: of the secret in Secrets Manager.
        fetch: reads a value by its full name, None when there is none.
    """

    def __init__(self, name: str, fetch: Fetch = fetch) -> None:
        self._name = name
        self._fetch = fetch
        self._root: bytes | None = None

    def key(self, purpose: str) -> bytes:
        """32 bytes that are the same for a purpose as long as the secret is.

        Raises:
            BotoCoreError, ClientError: the secret could not be read.
            LookupError: there is no such secret, or it is empty.
        """
        if self._root is None:
            text = self._fetch(self._name)
            if not text:
                raise LookupError(f"secret {self._name} is missing or empty")
            self._root = text.encode()
        return hmac.digest(self._root, purpose.encode(), hashlib.sha256)
