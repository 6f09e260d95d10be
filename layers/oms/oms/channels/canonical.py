"""The JSON form of commands: their fields under their own names, after `command` with the command's name."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime

from oms.channels.protocol import Command

type Document = None | bool | int | str | list[Document] | dict[str, Document]


def to_document(command: Command) -> dict[str, Document]:
    """A command as a JSON document; times become UTC strings ending in Z."""
    return {"command": command.command} | _fields(command)


def stamp(time: datetime) -> str:
    """A time as UTC ISO 8601 with milliseconds and Z: of one width, so that strings sort as times do."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def version(modified: datetime, rank: int) -> str:
    """A version of a resource whose times have whole seconds, in the form of `stamp`.

    A payment often follows its order within the second. The milliseconds then tell the states of one second
    apart.

    Args:
        modified: the channel's time.
        rank: how far the state has come, 0 to 999; higher ones come later.
    """
    return stamp(modified.replace(microsecond=rank * 1000))


def _fields(value: object) -> dict[str, Document]:
    assert is_dataclass(value), "commands are made of dataclasses"
    return {field.name: _document(getattr(value, field.name)) for field in fields(value)}


def _document(value: object) -> Document:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, tuple):
        return [_document(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _document(item) for key, item in value.items()}
    return _fields(value)
