"""What becomes of a payload by its topic: adapters list their topics in rules, which are data."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from oms.channels.payload import Json, Node, loads
from oms.channels.protocol import Command, Inbound
from oms.orders.commands import Ignore
from oms.orders.limits import require_limits

type Reading = Callable[[Inbound, Node], Iterator[Command]]
"""Reads the body of a payload; yields nothing when it concerns none of what we keep."""

type Rules = tuple[tuple[str, Reading | str], ...]
"""Patterns of topics, each with how they are read or why they are ignored; the last one is `*`.

Topics are compared in lower case, with _ for / and dots; stored REST answers are named `rest_<resource>`,
stored webhooks `webhook_<topic>`.
"""


_ERRORS = ("errors", "error", "message", "Message")
_AROUND_ERRORS = {
    *("code", "status", "status_code", "title", "type", "name", "detail", "details", "data", "links"),
    *("parameters", "trace", "debug_id", "information_link", "instance", "meta", "request_id"),
}
"""What stands beside an error, and never beside a resource without its id."""


def read(message: Inbound, rules: Rules) -> tuple[Command, ...]:
    """See `Adapter.parse`: the first of the rules whose pattern matches the topic decides.

    An answer that holds no resource (an error, a count, nothing at all) changes nothing, whatever was asked
    for.

    Raises:
        Problem: it cannot be understood, or a number is beyond its limits; names the field.
    """
    topic = message.topic.lower().removeprefix("webhook_").replace("/", "_").replace(".", "_")
    reading = next(reading for pattern, reading in rules if fnmatchcase(topic, pattern))
    if isinstance(reading, str):
        return (Ignore(f"{message.topic}: {reading}"),)
    body = loads(message.body)
    empty = "the payload is empty" if body in ({}, []) else None
    if topic.startswith("rest_"):
        empty = _holds_nothing(body) or empty
    if empty is not None:
        return (Ignore(f"{message.topic}: {empty}"),)
    commands = tuple(reading(message, Node(body)))
    for command in commands:
        require_limits(command)
    return commands or (Ignore(f"{message.topic}: the payload names nothing that concerns an order"),)


def _holds_nothing(body: Json) -> str | None:
    """Why the answer of an API holds no resource; None when it may hold one."""
    if not isinstance(body, dict | list):
        return "the answer is a single value"
    if not body:
        return "the answer is empty"
    answers = [body] if isinstance(body, dict) else [entry for entry in body if isinstance(entry, dict)]
    if isinstance(body, dict) and body.keys() == {"count"}:
        return "the answer is a count"
    if answers and all(map(_is_error, answers)):
        return "the answer is an error"
    return None


def _is_error(answer: dict[str, Json]) -> bool:
    return any(map(answer.get, _ERRORS)) and answer.keys() <= {*_ERRORS, *_AROUND_ERRORS}
