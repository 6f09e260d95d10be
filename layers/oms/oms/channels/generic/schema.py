"""The JSON Schema of our own commands: `python -m oms.channels.generic.schema > events/command.v1.json`."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from oms.channels.generic.documents import COMMANDS, MAY_BE_EMPTY
from oms.orders.limits import LIMITS, LONGEST_NAME, NAMES

type Schema = dict[str, Any]

_OF_DELIVERY = ("channel", "adapter")
_DECIMAL = "^-?[0-9]+(\\.[0-9]+)?$"


def schema() -> Schema:
    """One schema for all commands: each is an object with its own fields and no others."""
    parts: dict[str, Schema] = {}
    branches = [_object(kind, parts) for kind in COMMANDS.values()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:oms:schema:command.v1",
        "title": "Command",
        "description": "What channels of the kind generic send, and what `oms channel parse` prints. Amounts "
        "are minor units of the currency, times have an offset or are UTC. Who sends is known by the "
        "signature: channel and adapter are not read. A field that may be left out may be null. Of your own "
        "you may add properties to lines, and nothing else: a field that is not here is refused.",
        "oneOf": branches,
        "$defs": parts,
    }


def _object(kind: type, parts: dict[str, Schema]) -> Schema:
    hints = get_type_hints(kind)
    name = getattr(kind, "command", None)
    properties: dict[str, Schema] = {"command": {"const": name}} if name else {}
    required = ["command"] if name else []
    for field in fields(kind):
        described = _type(hints[field.name], parts, LIMITS.get(kind, {}).get(field.name), field.name)
        if field.name in NAMES.get(kind, ()):
            described |= {"maxLength": LONGEST_NAME}
        needed = _needed(field, hints[field.name])
        properties[field.name] = described if needed else {"anyOf": [described, {"type": "null"}]}
        required += [field.name] if needed else []
    meaning = (kind.__doc__ or "").strip().splitlines()[0]
    return {
        "title": name or kind.__name__,
        "description": meaning,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _needed(field: "Field[Any]", hint: Any) -> bool:
    given = field.default is not MISSING or field.default_factory is not MISSING
    empty = NoneType in get_args(hint) or get_origin(hint) is tuple or hint is bool
    return not (given or empty or field.name in (*_OF_DELIVERY, *MAY_BE_EMPTY))


def _type(hint: Any, parts: dict[str, Schema], limit: Any, name: str) -> Schema:
    options = [option for option in get_args(hint) if option is not NoneType]
    if isinstance(hint, UnionType) and set(options) != {int, str}:
        return _type(options[0], parts, limit, name)
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _type(options[0], parts, None, name)}
    if get_origin(hint) is Mapping:
        return {"type": "object"}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in parts:
            parts[hint.__name__] = _object(hint, parts)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, UnionType):
        return {"anyOf": [_integer(limit), {"type": "string", "pattern": _DECIMAL}]}
    if hint is int:
        return _integer(limit)
    if hint is bool:
        return {"type": "boolean"}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if issubclass(hint, StrEnum):
        return {"enum": [str(member) for member in hint]}
    return {"type": "string"} if name in MAY_BE_EMPTY else {"type": "string", "minLength": 1}


def _integer(limit: Any) -> Schema:
    return {"type": "integer", "minimum": limit.least, "maximum": limit.most}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
