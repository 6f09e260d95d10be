"""Api: what people and programs ask of the system. Trigger: API Gateway, every path but the webhooks'.

The routes are data (`functions.api.routes`); each has an endpoint that calls a use case or a query and shows
the outcome. Whatever is refused is answered as `application/problem+json` with a stable code.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from functions.api.once import once
from functions.api.routes import ROUTES
from functions.api.routing import Answer, AnyRoute, Call, Html, find
from oms.problems import Code, Problem
from oms.runtime import logger
from oms.store.errors import Busy

type Event = Mapping[str, Any]
type Response = dict[str, object]

_HEADERS: Mapping[Code, Mapping[str, str]] = {
    Code.TOKEN_INVALID: {"WWW-Authenticate": "Bearer"},
    Code.UNAVAILABLE: {"Retry-After": "1"},
}


@logger.invocation("api")
def handler(event: dict[str, Any], context: object) -> Response:
    """Find the route, check scope and input, call the endpoint, show what it answers."""
    try:
        return _answered(_call(event))
    except Problem as problem:
        return _refused(problem)
    except Busy:
        return _refused(Problem(Code.UNAVAILABLE, "others keep writing the same thing"))
    except Exception as error:
        logger.note(error=logger.describe(error))
        return _refused(Problem(Code.INTERNAL, "it is logged under the id of this request"))


def _call(event: Event) -> Answer[Any]:
    path = _path(event)
    route, parameters = find(ROUTES, event["httpMethod"], path)
    logger.note(route=f"{route.method} {route.path}")
    actor = _authorized(event, route)
    query = _query(event)
    raw = _body(event) if route.body else b""
    checked_query, checked_body = _checked(route, query, raw)
    call = Call(
        path=parameters,
        query=checked_query,
        body=checked_body,
        raw=raw,
        expected=_expected(event),
        filters=_filters(path, query),
        actor=actor,
        now=datetime.now(UTC),
    )
    return once(route, call, path, _header(event, "idempotency-key")) if route.keyed else route.endpoint(call)


def _path(event: Event) -> str:
    """The path without stage and base path, percent-encoded as it was sent."""
    proxy = (event.get("pathParameters") or {}).get("proxy")
    return f"/{proxy}" if proxy else str(event["resource"])


def _authorized(event: Event, route: AnyRoute) -> str:
    """The name of the caller's token, which has the route's scope; empty for a public route.

    Raises:
        Problem: `token_invalid` or `scope_missing`.
    """
    if route.scope is None:
        return ""
    token = event["requestContext"].get("authorizer")
    if not token:
        raise Problem(Code.TOKEN_INVALID, "send a token as `Authorization: Bearer ..`")
    logger.note(token=token["name"])
    if route.scope not in token["scopes"].split():
        raise Problem(Code.SCOPE_MISSING, f"this takes the scope {route.scope}")
    return str(token["name"])


def _query(event: Event) -> dict[str, str]:
    """The parameters of the query.

    Raises:
        Problem: one is given twice: there is no telling which is meant.
    """
    given: Mapping[str, list[str]] = event.get("multiValueQueryStringParameters") or {}
    for name, values in given.items():
        if len(values) > 1:
            raise Problem(Code.FIELD_INVALID, f"{name} is given {len(values)} times", name)
    return {name: values[0] for name, values in given.items()}


def _checked(route: AnyRoute, query: Mapping[str, str], raw: bytes) -> tuple[Any, Any]:
    """Query and body in the route's types."""
    if not (route.query or route.body):
        return None, None
    # This loads pydantic, which costs as much as all the rest: routes without input do not pay for it.
    from functions.api import validation  # noqa: PLC0415

    return (
        validation.query(route.query, query) if route.query else None,
        validation.body(route.body, raw) if route.body else None,
    )


def _body(event: Event) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        raise Problem(Code.BAD_REQUEST, "the body is not base64, as it claims to be") from None


def _expected(event: Event) -> int | None:
    """The version that If-Match names as an ETag of ours, `"3"`; `"0"` for what is not there yet.

    Raises:
        Problem: it is something else.
    """
    tag = _header(event, "if-match")
    if tag is None:
        return None
    if not (tag[:1] == tag[-1:] == '"' and tag[1:-1].isdecimal()):
        raise Problem(Code.FIELD_INVALID, "If-Match takes one ETag as it was answered", "If-Match")
    return int(tag[1:-1])


def _header(event: Event, name: str) -> str | None:
    """The header of a name in small letters."""
    headers = {known.lower(): value for known, value in (event.get("headers") or {}).items()}
    return headers.get(name)


def _filters(path: str, query: Mapping[str, str]) -> str:
    """What a cursor belongs to: the list that was asked for, whatever the size of its pages."""
    kept = sorted((name, value) for name, value in query.items() if name not in {"cursor", "limit"})
    return f"{path}?{urlencode(kept)}"


def _answered(answer: Answer[Any]) -> Response:
    html = isinstance(answer.document, Html)
    headers = {"Content-Type": "text/html; charset=utf-8" if html else "application/json"}
    if answer.v is not None:
        headers["ETag"] = f'"{answer.v}"'
    body = answer.document if html else json.dumps(answer.document, ensure_ascii=False, default=asdict)
    return {"statusCode": 200, "headers": headers, "body": body}


def _refused(problem: Problem) -> Response:
    logger.note(code=str(problem.code))
    return {
        "statusCode": problem.status,
        "headers": {"Content-Type": "application/problem+json", **_HEADERS.get(problem.code, {})},
        "body": json.dumps(problem.body(), ensure_ascii=False),
    }
