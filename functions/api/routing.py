"""Routes as data, and finding the one that a request means."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from oms.problems import Code, Problem
from oms.store import inbox
from oms.store.inbox import Keep, Reply, Request
from oms.store.tokens import Scope
from oms.store.writes import Write
from oms.values import frozen

_LONGEST_PARAMETER = 200


@frozen
class Call[Query, Body]:
    """A request as an endpoint gets it, checked.

    Attributes:
        path: parameters of the path by name, decoded.
        query: the query, in the route's type; None when the route takes none.
        body: the body, in the route's type; None when the route takes none.
        raw: the body's bytes.
        expected: the version that If-Match names, None without the header.
        filters: path and query that a cursor belongs to.
        actor: name of the caller's token.
        now: UTC.
        request: what the inbox knows the call by; None when the route is not keyed.
    """

    path: Mapping[str, str]
    query: Query
    body: Body
    raw: bytes
    expected: int | None
    filters: str
    actor: str
    now: datetime
    request: Request | None = None

    def keeping[Result](self, show: "Callable[[Result], Answer[Any]]") -> Keep[Result]:
        """What the use case of a keyed route enters into the inbox: how its result is shown."""
        request = self.request
        assert request is not None, "the route is not keyed"

        def keep(result: Result) -> tuple[Write, ...]:
            answer = show(result)
            return (inbox.enter(request, Reply(answer.document, answer.v), self.now),)

        return keep


class Html(str):
    """A document that is a page, not JSON."""

    __slots__ = ()


@frozen
class Answer[Document]:
    """What an endpoint answers; `v` becomes the ETag."""

    document: Document
    v: int | None = None


@dataclass(frozen=True)
class Route[Query, Body, Document]:
    """A method and path, who may call it, what goes in and out, and the endpoint that does it.

    Attributes:
        scope: what the token must have; None for everybody.
        query: type of the query, whose fields are the parameters; None when there are none.
        body: type of the body; None when there is none.
        document: type of the answer's document.
        problems: what it refuses besides what every route does.
        versioned: whether its answers carry an ETag.
        keyed: whether only the caller can tell two requests from one: it takes an `Idempotency-Key`.
    """

    method: str
    path: str
    scope: Scope | None
    summary: str
    endpoint: Callable[[Call[Query, Body]], Answer[Document]]
    document: Any
    query: type[Query] | None = None
    body: type[Body] | None = None
    problems: tuple[Code, ...] = ()
    description: str = ""
    versioned: bool = False
    keyed: bool = False

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path between slashes; parameters in braces."""
        return tuple(self.path.split("/"))


type AnyRoute = Route[Any, Any, Any]


def find(routes: Iterable[AnyRoute], method: str, path: str) -> tuple[AnyRoute, dict[str, str]]:
    """The route of a method and path, and the parameters of the path, decoded.

    Args:
        routes: all there are.
        method: in capitals.
        path: percent-encoded, without the stage.

    Raises:
        Problem: `route_unknown`, or `field_invalid` for a parameter that no id can be.
    """
    segments = path.split("/")
    for route in routes:
        if route.method == method and len(route.segments) == len(segments):
            pairs = list(zip(route.segments, segments, strict=True))
            if all(value and name[:1] == "{" or name == value for name, value in pairs):
                return route, dict(_parameter(name, value) for name, value in pairs if name[:1] == "{")
    raise Problem(Code.ROUTE_UNKNOWN, f"there is no {method} {path[:_LONGEST_PARAMETER]}")


def _parameter(name: str, value: str) -> tuple[str, str]:
    name, value = name.strip("{}"), unquote(value)
    if len(value) > _LONGEST_PARAMETER or not value.isprintable():
        raise Problem(Code.FIELD_INVALID, f"{name} is not an id", name)
    return name, value
