"""Opens the APIs of channels: with the credentials in their secrets, and to no host but theirs."""

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from oms.channels.credentials import authorization, is_refreshed, token_in, token_request
from oms.channels.exchange import Api, Request, Response, needed
from oms.problems import Code, Problem
from oms.runtime.http import Client
from oms.runtime.secrets import ChannelSecret, ChannelSecrets
from oms.values import frozen, replace

EARLY_S = 60
"""A token is asked for anew this long before it ends."""

_UNAUTHORIZED = 401


@frozen
class _Token:
    text: str
    of: Mapping[str, str]
    until: float


class ChannelApis:
    """The APIs of the channels, opened when asked for; short-lived tokens are kept while they are good.

    Args:
        secrets: of the channels.
        client: carries what is sent.
        clock: monotonic seconds.
    """

    def __init__(
        self, secrets: ChannelSecrets, client: Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secrets = secrets
        self._client = client
        self._clock = clock
        self._tokens: dict[str, _Token] = {}

    def there_for(self, channel: str) -> bool:
        """Whether a channel has an API that we may call.

        Raises:
            BotoCoreError, ClientError, ValueError: its secret could not be read.
        """
        secret = self._secrets.get(channel)
        return secret is not None and bool(secret.api)

    def open(self, channel: str) -> Api:
        """The API of a channel.

        Credentials that it refuses are read again once, as they may have been replaced.

        Raises:
            Problem: `channel_unknown`, or `field_missing`: the channel's secret has no API.
            BotoCoreError, ClientError, ValueError: the secret could not be read.
        """
        secret = self._secrets.get(channel)
        if secret is None:
            raise Problem(Code.CHANNEL_UNKNOWN, f"channel {channel} has no secret", "channel")
        url = needed(secret.api, "url").rstrip("/")

        def send(request: Request) -> Response:
            answer = self._send(channel, secret, request)
            if answer.status != _UNAUTHORIZED:
                return answer
            self._tokens.pop(channel, None)
            latest = self._secrets.refreshed(channel) or secret
            if latest == secret and not is_refreshed(secret.api):
                return answer
            return self._send(channel, latest, request)

        return Api(secret.kind, url, secret.api, send)

    def _send(self, channel: str, secret: ChannelSecret, request: Request) -> Response:
        values = secret.api
        if is_refreshed(values):
            values = {**values, "token": self._token(channel, secret)}
        headers = {**request.headers, **authorization(secret.kind, values)}
        return self._client.send(replace(request, headers=headers), _hosts(secret.api, "url"))

    def _token(self, channel: str, secret: ChannelSecret) -> str:
        known = self._tokens.get(channel)
        if known is None or known.of != secret.api or known.until <= self._clock():
            request = token_request(secret.kind, secret.api)
            text, seconds = token_in(self._client.send(request, _hosts(secret.api, "token_url")))
            known = _Token(text, secret.api, self._clock() + seconds - EARLY_S)
            self._tokens[channel] = known
        return known.text


def _hosts(values: Mapping[str, str], member: str) -> frozenset[str]:
    """The one host that credentials may go to: that of the address in the channel's secret."""
    host = urlsplit(needed(values, member)).hostname
    return frozenset({host} if host else ())
