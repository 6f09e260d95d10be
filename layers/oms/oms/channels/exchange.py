"""Calls of somebody else's API as data, and what an adapter is given to make them with.

Adapters say what to ask and read what comes back; who carries a request, how often and how long, is not
their business: they are handed a `Send`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import urlencode

from oms.channels.headers import Headers
from oms.channels.payload import Node, loads
from oms.problems import Code, Problem
from oms.values import frozen

type Query = Mapping[str, str | int]
type Document = Mapping[str, object]


@frozen
class Request:
    """One call.

    Attributes:
        method: in capitals.
        url: absolute.
        headers: as they are sent.
        body: the bytes that are sent.
        repeatable: whether to make it twice does what making it once does; else a call whose answer was lost
            is not made again.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    repeatable: bool = True


@frozen
class Response:
    """An answer, whatever its status; the body is what was left of it after decompression."""

    status: int
    headers: Headers
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300


type Send = Callable[[Request], Response]
"""Carries a request; raises `Unavailable` when no answer that counts was to be had."""


class Unavailable(Exception):
    """A host gave no answer that counts: it may do so later.

    Args:
        detail: what happened, without what was sent.
        after_s: seconds that it wants to be left alone, None when it did not say.
    """

    def __init__(self, detail: str, after_s: float | None = None) -> None:
        super().__init__(detail)
        self.after_s = after_s


@frozen
class Api:
    """The API of one channel, opened: credentials are added to whatever is sent.

    Attributes:
        kind: of the channel.
        url: where its paths begin, without a slash at the end.
        values: settings of the API beside the credentials, as the channel's secret has them.
        send: carries a request, with the credentials.
    """

    kind: str
    url: str
    values: Mapping[str, str]
    send: Send

    def get(self, path: str, query: Query | None = None) -> Response:
        """Read what stands at a path.

        Raises:
            Problem: `channel_refused`, the channel did not answer with it.
            Unavailable: the channel gave no answer that counts.
        """
        return self.call("GET", path, query=query)

    def call(
        self,
        method: str,
        path: str,
        document: Document | None = None,
        *,
        query: Query | None = None,
        repeatable: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Call a path, with a JSON document as the body if there is one.

        Raises:
            Problem: `channel_refused`, the channel said no.
            Unavailable: the channel gave no answer that counts.
        """
        url = self.url + path + (f"?{urlencode(query)}" if query else "")
        body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode()
        sent = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        answer = self.send(Request(method, url, sent | dict(headers or {}), body, repeatable))
        if not answer.good:
            raise refused(answer, f"{method} {path}")
        return answer

    def value(self, name: str) -> str:
        """A setting that the kind's API cannot do without.

        Raises:
            Problem: the channel's secret does not have it.
        """
        return needed(self.values, name)


def needed(values: Mapping[str, str], name: str) -> str:
    """A member of `api` in a channel's secret.

    Raises:
        Problem: `field_missing`.
    """
    if not values.get(name):
        raise Problem(Code.FIELD_MISSING, f"the channel's secret has no api.{name}", f"api.{name}")
    return values[name]


def refused(answer: Response, what: str) -> Problem:
    """The problem of an answer that says no; its body is left out, as it may quote what was sent."""
    return Problem(Code.CHANNEL_REFUSED, f"the channel answered {what} with {answer.status}")


def read(answer: Response) -> Node:
    """The JSON document of an answer.

    Raises:
        Problem: `channel_refused`, it is not JSON, as a page that stands in for a shop that is down.
    """
    try:
        return Node(loads(answer.body))
    except Problem:
        raise Problem(Code.CHANNEL_REFUSED, "the channel's answer is not JSON") from None
