"""The OpenAPI 3.1 document, made from the routes: paths, types, scopes and problems have no other source.

`python -m functions.api.openapi` prints what `infra/docs/openapi.json` holds.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, NotRequired, TypedDict

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from functions.api.once import LONGEST_KEY
from functions.api.routes import ROUTES
from functions.api.routing import AnyRoute, Html
from oms.problems import STATUSES, Code
from oms.store.inbox import KEPT
from oms.store.tokens import Scope

type Json = dict[str, Any]

_REFS = "#/components/schemas/{model}"
_SECURITY = "token"
_PUBLIC_PROBLEMS = (Code.INTERNAL, Code.UNAVAILABLE)
_INTRODUCTION = """\
What an omnichannel retailer's people and programs ask of the order management system.

Quantities are integers in the smallest unit of the sku, money is in integer minor units beside its currency,
times are UTC in ISO 8601, ids are texts. An answer about one thing has its version as `ETag`; `If-Match` with
it makes a write conditional (`"0"`: only if it is not there yet). Every write may be repeated: the same write
changes nothing and succeeds. Where only you can tell a repetition from a second request, `Idempotency-Key`
does: a new key for each request, the same one when you send it again. Lists come in pages: ask again with
`cursor` = `next` until `next` is null. What is refused is answered as `application/problem+json`; its `code`
is stable.
"""


class ProblemDocument(TypedDict):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    code: Code
    detail: str
    field: NotRequired[str]
    state: NotRequired[str]


class _Schemas(GenerateJsonSchema):
    """JSON Schemas without titles that only repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def document(routes: Iterable[AnyRoute]) -> Json:
    """The OpenAPI document of `routes`."""
    routes = tuple(routes)
    wanted: dict[Any, Any] = {ProblemDocument: "serialization"}
    for route in routes:
        wanted |= {kind: "validation" for kind in (route.query, route.body) if kind}
        wanted |= {route.document: "serialization"} if route.document is not Html else {}
    schemas, definitions = TypeAdapter.json_schemas(
        [(kind, mode, TypeAdapter(kind)) for kind, mode in wanted.items()],
        ref_template=_REFS,
        schema_generator=_Schemas,
    )
    schema_of = {kind: schema for (kind, _), schema in schemas.items()}
    components = definitions["$defs"]
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    asked = {route.query.__name__ for route in routes if route.query}
    return {
        "openapi": "3.1.1",
        "info": {"title": "Order management", "version": "1", "description": _INTRODUCTION},
        "servers": [{"url": ".", "description": "The stage that this document was read from."}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, routes))],
        "paths": paths,
        "components": {
            "schemas": {name: components[name] for name in sorted(components.keys() - asked)},
            "responses": {
                "Problem": {
                    "description": "Refused.",
                    "content": {"application/problem+json": {"schema": schema_of[ProblemDocument]}},
                }
            },
            "securitySchemes": {
                _SECURITY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": f"`oms token create` makes one. Scopes: {', '.join(Scope)}.",
                }
            },
        },
    }


def _operation(route: AnyRoute, schema_of: Mapping[Any, Json], components: Mapping[str, Json]) -> Json:
    operation: Json = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "tags": [_tag(route)],
        "summary": route.summary,
        "security": [{_SECURITY: [str(route.scope)]}] if route.scope else [],
        "parameters": [*_path_parameters(route), *_query_parameters(route, components), *_headers(route)],
        "responses": {"200": _success(route, schema_of), **_problems(route)},
    }
    if route.description:
        operation["description"] = route.description
    if route.body:
        content = {"application/json": {"schema": schema_of[route.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _tag(route: AnyRoute) -> str:
    return route.segments[1]


def _path_parameters(route: AnyRoute) -> list[Json]:
    return [
        {"name": name.strip("{}"), "in": "path", "required": True, "schema": {"type": "string"}}
        for name in route.segments
        if name.startswith("{")
    ]


def _query_parameters(route: AnyRoute, components: Mapping[str, Json]) -> list[Json]:
    if route.query is None:
        return []
    schema = components[route.query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, **_described(member)}
        for name, member in schema["properties"].items()
    ]


def _described(member: Json) -> Json:
    """A parameter's schema and description; one that may be left out is never null."""
    schema = {name: value for name, value in member.items() if name != "description"}
    options = [option for option in schema.pop("anyOf", ()) if option != {"type": "null"}]
    if options:
        schema = schema | (options[0] if len(options) == 1 else {"anyOf": options})
    if schema.get("default", ...) is None:
        del schema["default"]
    described: Json = {"schema": schema}
    return described | ({"description": member["description"]} if "description" in member else {})


def _headers(route: AnyRoute) -> list[Json]:
    headers: list[Json] = []
    if Code.VERSION_MISMATCH in route.problems:
        description = 'ETag of the version that this replaces; "0" for none yet.'
        schema: Json = {"type": "string", "pattern": '^"[0-9]+"$'}
        headers += [{"name": "If-Match", "in": "header", "description": description, "schema": schema}]
    if route.keyed:
        description = (
            f"Your own key of this request; sent again within {KEPT.days} days, it is answered alike."
        )
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
        header = {"name": "Idempotency-Key", "in": "header", "required": True}
        headers += [{**header, "description": description, "schema": schema}]
    return headers


def _success(route: AnyRoute, schema_of: Mapping[Any, Json]) -> Json:
    if route.document is Html:
        return {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    success: Json = {
        "description": "Done.",
        "content": {"application/json": {"schema": schema_of[route.document]}},
    }
    if route.versioned:
        etag = {"description": "Version of the thing, in quotes.", "schema": {"type": "string"}}
        success["headers"] = {"ETag": etag}
    return success


def _problems(route: AnyRoute) -> Json:
    """What may be refused, by status; the codes stand in the description."""
    codes = {*route.problems, *_PUBLIC_PROBLEMS}
    if route.scope:
        codes |= {Code.TOKEN_INVALID, Code.SCOPE_MISSING}
    if route.body:
        codes |= {Code.BAD_REQUEST, Code.FIELD_MISSING}
    if route.body or route.query or "{" in route.path:
        codes |= {Code.FIELD_INVALID}
    if route.keyed:
        codes |= {Code.CONFLICT, Code.FIELD_MISSING, Code.FIELD_INVALID}
    if route.query and any(field.default is MISSING for field in fields(route.query)):
        codes |= {Code.FIELD_MISSING}
    by_status: dict[int, list[Code]] = {}
    for code in sorted(codes):
        by_status.setdefault(STATUSES[code][0], []).append(code)
    return {
        str(status): {
            "$ref": "#/components/responses/Problem",
            "description": "; ".join(f"`{code}`: {STATUSES[code][1]}" for code in by_status[status]),
        }
        for status in sorted(by_status)
    }


def text() -> str:
    """The document of all routes as it is checked in."""
    return json.dumps(document(ROUTES), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")
