"""Checking queries and bodies against their types, by pydantic; imported when there is something to check."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from oms.problems import Code, Problem

_CODES = {"missing": Code.FIELD_MISSING, "json_invalid": Code.BAD_REQUEST}
_UNKNOWN_FIELD = "unexpected_keyword_argument"


def query(kind: type, parameters: Mapping[str, str]) -> Any:
    """The parameters of a query in their type: texts, numbers, dates, choices.

    Raises:
        Problem: a parameter is missing, unknown or invalid; names the first.
    """
    try:
        return _adapter(kind).validate_strings(dict(parameters), strict=True)
    except ValidationError as error:
        raise _problem(error, parameters) from None


def row(kind: type, texts: Mapping[str, Any]) -> Any:
    """A row of a file in its type, made of texts, and lists and objects of texts.

    Raises:
        Problem: a field is missing, unknown or invalid; names the first.
    """
    try:
        return _adapter(kind).validate_python(dict(texts), strict=False)
    except ValidationError as error:
        raise _problem(error, texts) from None


def body(kind: type, raw: bytes) -> Any:
    """A JSON body in its type. A number in quotes is no number, and a fraction no whole number.

    Raises:
        Problem: the body is not JSON, or a field is missing, unknown or invalid; names the first.
    """
    try:
        return _adapter(kind).validate_json(raw, strict=True)
    except ValidationError as error:
        raise _problem(error, raw) from None


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _problem(error: ValidationError, given: Mapping[str, Any] | bytes) -> Problem:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    code = _CODES.get(first["type"], Code.FIELD_INVALID)
    if code is Code.BAD_REQUEST:
        return Problem(code, f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
    field = _path(first["loc"], json.loads(given) if isinstance(given, bytes) else given) or "body"
    detail = "there is no such field" if first["type"] == _UNKNOWN_FIELD else first["msg"]
    return Problem(code, f"{field}: {detail}", field)


def _path(location: Sequence[str | int], given: Any) -> str:
    """Where an error is, as `lines[0].units`; without the names of a union's members between."""
    path = ""
    for index, part in enumerate(location):
        if isinstance(part, int):
            path += f"[{part}]"
            given = given[part]
        elif isinstance(given, Mapping) and (part in given or index == len(location) - 1):
            path += f".{part}"
            given = given.get(part)
    return path.removeprefix(".")
