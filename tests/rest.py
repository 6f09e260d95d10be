"""The REST API as tests call it: events of API Gateway in, answers out, each checked against the document."""

import base64
import json
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator

from functions.api.handler import handler
from functions.api.openapi import document
from functions.api.routes import ROUTES
from functions.api.routing import AnyRoute, Html, find
from oms.problems import Problem
from oms.store.tokens import Scope

EVENTS = Path(__file__).resolve().parents[1] / "events"


def event(name: str) -> dict[str, Any]:
    """A sample event of the project, by its file's name."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


@cache
def openapi() -> dict[str, Any]:
    """The document of all routes."""
    return document(ROUTES)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API; `document` is the decoded JSON, the text of a page."""

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def problem(self) -> tuple[int, str, str | None]:
        """Status, code and field of a refusal."""
        return self.status, self.document["code"], self.document.get("field")


class Rest:
    """A caller of the API, through the handler, with events as API Gateway makes them."""

    def get(self, path: str, /, *, scopes: Collection[str] = Scope, **query: str) -> Reply:
        """Call a GET; the parts of `path` are percent-encoded already."""
        return self.call("GET", path, query=query, scopes=scopes)

    def put(
        self, path: str, body: object, *, if_match: str | None = None, scopes: Collection[str] = Scope
    ) -> Reply:
        """Call a PUT with a JSON body."""
        headers = {"If-Match": if_match} if if_match is not None else {}
        return self.call("PUT", path, body=json.dumps(body).encode(), headers=headers, scopes=scopes)

    def post(self, path: str, body: object, *, key: str | None = None) -> Reply:
        """Call a POST with a JSON body; with an idempotency key, if there is one."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.call("POST", path, body=json.dumps(body).encode(), headers=headers)

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        scopes: Collection[str] | None = Scope,
    ) -> Reply:
        """Call a method and path with a token of `scopes`, or without one (None)."""
        made = deepcopy(event("api_get_order"))
        made |= {"httpMethod": method, "path": path, "pathParameters": {"proxy": path.removeprefix("/")}}
        made["headers"] |= headers or {}
        if query:
            made["queryStringParameters"] = query
            made["multiValueQueryStringParameters"] = {name: [value] for name, value in query.items()}
        if body is not None:
            made |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        if scopes is None:
            del made["requestContext"]["authorizer"]
        else:
            made["requestContext"]["authorizer"] |= {"name": "tests", "scopes": " ".join(scopes)}
        return self.send(made)

    def send(self, request: Mapping[str, Any]) -> Reply:
        """Hand an event to the function, and check that its answer is what the document promises."""
        answer: Any = handler(dict(request), None)
        json.dumps(answer)  # as the runtime does
        headers, text = answer["headers"], answer["body"]
        html = headers["Content-Type"].startswith("text/html")
        reply = Reply(answer["statusCode"], headers, text if html else json.loads(text))
        _check(reply, request)
        return reply


def path_of(route: AnyRoute, value: str = "x") -> str:
    """The route's path with `value` for each parameter."""
    return "/".join(quote(value) if part.startswith("{") else part for part in route.segments)


def _check(reply: Reply, request: Mapping[str, Any]) -> None:
    if reply.status == 200:
        path = f"/{(request['pathParameters'] or {}).get('proxy', request['resource'][1:])}"
        route, _ = find(ROUTES, request["httpMethod"], path)
        assert ("ETag" in reply.headers) == route.versioned
        if route.document is not Html:
            success = openapi()["paths"][route.path][route.method.lower()]["responses"]["200"]
            _validate(reply.document, success["content"]["application/json"]["schema"])
        return
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.document["status"] == reply.status
    _validate(reply.document, openapi()["components"]["schemas"]["ProblemDocument"])
    try:
        route, _ = find(ROUTES, request["httpMethod"], f"/{request['pathParameters']['proxy']}")
    except Problem as problem:
        assert reply.document["code"] == problem.code
        return
    promised = openapi()["paths"][route.path][route.method.lower()]["responses"]
    assert f"`{reply.document['code']}`" in promised[str(reply.status)]["description"]


def _validate(document: object, schema: Mapping[str, Any]) -> None:
    """Check a document, in which nothing may be that its schema does not name."""
    Draft202012Validator(_components() | _closed(schema)).validate(document)


@cache
def _components() -> dict[str, Any]:
    return {"components": _closed(openapi()["components"])}


def _closed(schema: Any) -> Any:
    """A schema whose objects have no members beyond those that it names."""
    if isinstance(schema, list):
        return [_closed(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(member) for name, member in schema.items()}
    if isinstance(closed.get("properties"), dict) and "type" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
