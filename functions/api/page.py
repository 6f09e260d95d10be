"""The OpenAPI document as one page of HTML that needs nothing from the network, not even a script."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

type Json = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { white-space: pre-wrap; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .4rem 0; padding: .4rem .8rem; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 3.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-top: 1px solid #8883; }
nav a { margin-right: 1rem; }
"""


def render(document: Json) -> str:
    """The page of an OpenAPI document: every operation by tag, then every schema."""
    info = document["info"]
    tags = [tag["name"] for tag in document["tags"]]
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])}</h1>{_text(info['description'])}"
        f"{_text(document['components']['securitySchemes']['token']['description'])}"
        f'<nav>{links}<a href="#schemas">schemas</a><a href="openapi.json">openapi.json</a></nav>'
        + "".join(_section(tag, document) for tag in tags)
        + '<h2 id="schemas">schemas</h2>'
        + "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
        + "</body></html>"
    )


def _section(tag: str, document: Json) -> str:
    operations = (
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    )
    return f'<h2 id="{escape(tag)}">{escape(tag)}</h2>' + "".join(operations)


def _operation(method: str, path: str, operation: Json) -> str:
    scopes = [scope for requirement in operation["security"] for scope in requirement["token"]]
    access = f"Scope <code>{escape(scopes[0])}</code>." if scopes else "Public."
    rows = [
        (parameter["name"], parameter["in"], _type(parameter["schema"]), parameter.get("description", ""))
        for parameter in operation["parameters"]
    ]
    body = operation.get("requestBody")
    if body:
        rows.append(("body", "body", _type(body["content"]["application/json"]["schema"]), ""))
    answers = [
        (status, _type_of_answer(answer), answer["description"])
        for status, answer in operation["responses"].items()
    ]
    summary = escape(operation["summary"])
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {summary}</summary>"
        f"<p>{access}</p>{_text(operation.get('description', ''))}"
        + _table(rows)
        + _table(answers)
        + "</details>"
    )


def _type_of_answer(answer: Json) -> str:
    return " ".join(_type(content["schema"]) for content in answer.get("content", {}).values())


def _schema(name: str, schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        (member, "" if member in required else "optional", _type(kind), kind.get("description", ""))
        for member, kind in schema.get("properties", {}).items()
    ]
    kind = _table(rows) if rows else f"<p>{_type(schema)}</p>"
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"{_text(schema.get('description', ''))}{kind}</details>"
    )


def _type(schema: Json) -> str:
    """A schema in a few words, links to what it names."""
    match schema:
        case {"$ref": str(ref)}:
            name = escape(ref.rpartition("/")[2])
            return f'<a href="#{name}">{name}</a>'
        case {"anyOf": [*options]}:
            return " or ".join(map(_type, options))
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
        case {"const": value}:
            return f"<code>{escape(json.dumps(value))}</code>"
        case {"enum": [*values]}:
            return " ".join(f"<code>{escape(str(value))}</code>" for value in values)
    return " ".join(escape(str(schema[key])) for key in ("type", "format") if key in schema)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of cells; the first is a name, the last a text, those between are HTML."""
    cells = (
        f"<tr><td><code>{escape(name)}</code></td>"
        + "".join(f"<td>{cell}</td>" for cell in middle)
        + f"<td>{escape(text)}</td></tr>"
        for name, *middle, text in rows
    )
    return f"<table>{''.join(cells)}</table>" if rows else ""


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""
