"""Giving payloads to adapters of any kind."""

import json

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.registry import adapter
from oms.problems import Problem
from tests.unit.channels.signing import NOW

type Fields = dict[str, object]


def parse(kind: str, payload: object, topic: str = "sample") -> tuple[Command, ...]:
    """What the adapter of a kind makes of a payload received at `NOW` by the channel `sample`."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return adapter(kind).parse(Inbound("sample", kind, topic, Headers(), body, NOW))


def only[T](kind: str, payload: object, expected: type[T], topic: str = "sample") -> T:
    """The one command that a payload becomes."""
    (command,) = parse(kind, payload, topic)
    assert isinstance(command, expected), command
    return command


def fault(kind: str, payload: object, topic: str = "sample") -> str | None:
    """The field that a payload is refused for."""
    try:
        commands = parse(kind, payload, topic)
    except Problem as problem:
        return problem.field
    raise AssertionError(f"not refused: {commands}")
