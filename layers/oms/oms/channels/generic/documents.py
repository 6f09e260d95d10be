"""Our own commands from JSON: what `oms.channels.canonical` writes, read by the types of their fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from types import MappingProxyType, NoneType, UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.payload import Json, Node, loads
from oms.channels.protocol import Command, Inbound
from oms.channels.totals import flagged
from oms.orders.commands import CancelOrder, Fetch, Ignore, PlaceOrder
from oms.orders.limits import require_limits
from oms.orders.records import (
    FulfillmentOrderRecorded,
    FulfillmentRecorded,
    ListingRecorded,
    PaymentRecorded,
    PrivacyRequested,
    RefundRecorded,
    ReturnRecorded,
    StockRecorded,
    TrackingRecorded,
)
from oms.problems import Code, Problem
from oms.values import frozen, replace

COMMANDS: dict[str, type[Command]] = {
    kind.command: kind
    for kind in (
        PlaceOrder,
        CancelOrder,
        Fetch,
        Ignore,
        PaymentRecorded,
        RefundRecorded,
        FulfillmentRecorded,
        FulfillmentOrderRecorded,
        TrackingRecorded,
        ReturnRecorded,
        StockRecorded,
        ListingRecorded,
        PrivacyRequested,
    )
}
"""Commands by the name that `command` gives."""

MAY_BE_EMPTY = {"title"}
ONE_OF: dict[type[Command], tuple[str, ...]] = {
    TrackingRecorded: ("tracking_number", "channel_order_id"),
    ListingRecorded: ("item_id", "listing_id"),
}
"""Fields of which a command has one at least: without any nothing is found that it is about."""

VERSION_DIGITS = 20
"""Width of versions that are numbers, so that strings sort as the numbers do."""

_NOTHING: Mapping[str, object] = MappingProxyType({})

type Read = Callable[[Node, str], object]
"""Reads a field that is neither absent nor null; None when it is blank."""


@frozen
class _Shape:
    """How a dataclass is read, told once from the types of its fields.

    Attributes:
        known: what its object may hold.
        fields: of each field its name, how it is read, and what makes its value when it is blank; None when
            it must be there.
        parts: of each field that holds other dataclasses its name, which one, and whether it is a list.
    """

    known: frozenset[str]
    fields: tuple[tuple[str, Read, Callable[[], object] | None], ...]
    parts: tuple[tuple[str, type, bool], ...]


def commands(message: Inbound) -> tuple[Command, ...]:
    """The commands in a body, as those of the message's channel.

    Raises:
        Problem: the body is not JSON, or a field is missing, unknown or not what it should be; names the
            field.
    """
    nodes = _documents(message.body)
    if not any(node.value for node in nodes):
        return (Ignore("the body holds no command"),)
    return tuple(_command(message, node) for node in nodes)


def restored(document: Mapping[str, object]) -> Command:
    """A command from the document that `oms.channels.canonical.to_document` has made of it.

    Raises:
        Problem: it is not one.
    """
    node = Node(cast(Json, document))
    kind = COMMANDS[node.need(Node.text, "command")]
    kept = {name: document[name] for name in ("channel", "adapter", "channel_version") if name in document}
    command: Command = _object(node, kind, kept)
    return command


def _documents(body: bytes) -> tuple[Node, ...]:
    try:
        return Node(loads(body)).items()
    except Problem:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
    return tuple(
        node for number, line in enumerate(lines) for node in Node(loads(line), f"[{number}]").items()
    )


def _command(message: Inbound, node: Node) -> Command:
    if not node.has("command") and node.has("data"):
        node = node.need(Node.child, "data")
    name = node.need(Node.text, "command")
    kind = COMMANDS.get(name)
    if kind is None:
        raise node.invalid("command", f"one of {', '.join(COMMANDS)}")
    _require_known(node, kind)
    command: Command = _object(node, kind, {"channel": message.channel, "adapter": message.adapter})
    require_limits(command, node.path)
    names = ONE_OF.get(kind, ())
    if names and not any(getattr(command, one) for one in names):
        raise Problem(
            Code.FIELD_MISSING, f"{' or '.join(map(node.at, names))} is required", node.at(names[0])
        )
    if isinstance(command, PlaceOrder | CancelOrder | FulfillmentRecorded):
        command = replace(command, channel_version=_version(command.channel_version))
    return _checked(node, command) if isinstance(command, PlaceOrder) else command


def _require_known(node: Node, kind: type) -> None:
    """See that an object has no field but those of a dataclass: a misspelt one would be lost.

    Raises:
        Problem: it has; names the field.
    """
    shape = _shape(kind)
    for name in node.names():
        if name not in shape.known:
            raise Problem(Code.FIELD_INVALID, f"{node.at(name)} is no field of ours", node.at(name))
    for name, inner, listed in shape.parts:
        for part in node.children(name) if listed else filter(None, [node.child(name)]):
            _require_known(part, inner)


def _checked(node: Node, order: PlaceOrder) -> PlaceOrder:
    """The order flagged by its own numbers; its lines must name deliveries and lines that are there, once.

    Raises:
        Problem: a line names what is not there, two lines or deliveries have one id, or the currency is none.
    """
    require_currency(order.currency, node.at("currency"))
    deliveries = _names(node.children("deliveries"), [delivery.id for delivery in order.deliveries], "id")
    lines = _names(node.children("lines"), [line.channel_line_id for line in order.lines], "channel_line_id")
    for given, line in zip(node.children("lines"), order.lines, strict=True):
        for key, known in (("delivery_id", deliveries), ("parent_line_id", lines)):
            if (getattr(line, key) or None) not in {None, *known}:
                raise given.invalid(key, "in this order")
    return flagged(order)


def _names(nodes: Sequence[Node], names: Sequence[str], key: str) -> set[str]:
    """The names of things that are told apart by them.

    Raises:
        Problem: two of them have the same; names the field of the second.
    """
    known: set[str] = set()
    for node, name in zip(nodes, names, strict=True):
        if name in known:
            raise node.invalid(key, "different from that of another")
        known.add(name)
    return known


def _version(text: str) -> str:
    """A version in a form of fixed width: numbers and times sort as texts then."""
    if text.isdecimal():
        return text.zfill(VERSION_DIGITS)
    try:
        time = Node({"version": text}).time("version")
    except Problem:
        return text
    return text if time is None else stamp(time)


def _object(node: Node, kind: type, given: Mapping[str, object] = _NOTHING) -> Any:
    """A dataclass from its JSON object; `given` are fields that the object has no say in."""
    assert isinstance(node.value, dict), "whoever asks has looked"
    values: dict[str, object] = {}
    there = {name for name, value in node.value.items() if value is not None}
    for name, read, blank in _shape(kind).fields:
        value = given[name] if name in given else read(node, name) if name in there else None
        if value is None:
            if blank is None:
                raise Problem(Code.FIELD_MISSING, f"{node.at(name)} is required", node.at(name))
            value = blank()
        values[name] = value
    return kind(**values)


@cache
def _shape(kind: type) -> _Shape:
    hints = get_type_hints(kind)
    inner = {
        name: next((part for part in (hint, *get_args(hint)) if is_dataclass(part)), None)
        for name, hint in hints.items()
    }
    return _Shape(
        frozenset(hints),
        tuple(
            (field.name, _reader(field.name, hints[field.name]), _of_blank(field, hints[field.name]))
            for field in fields(kind)
        ),
        tuple(
            (name, part, get_origin(hints[name]) is tuple)
            for name, part in inner.items()
            if isinstance(part, type)
        ),
    )


def _of_blank(field: "Field[Any]", hint: Any) -> Callable[[], object] | None:
    """What makes the value of a field that is blank; None when it must not be."""
    if field.default is not MISSING:
        return lambda: field.default
    if field.default_factory is not MISSING:
        return field.default_factory
    if NoneType in get_args(hint):
        return lambda: None
    if field.name in MAY_BE_EMPTY:
        return str
    if get_origin(hint) is tuple:
        return tuple
    return bool if hint is bool else None


_SCALARS: Mapping[type, Read] = {str: Node.text, int: Node.integer, datetime: Node.time}


def _reader(name: str, hint: Any) -> Read:
    """What reads a field by its type."""
    options = [option for option in get_args(hint) if option is not NoneType]
    if isinstance(hint, UnionType) and set(options) != {int, str}:
        return _reader(name, options[0])
    if name in MAY_BE_EMPTY:
        return _text_or_empty
    return _SCALARS.get(hint) or partial(_unless_blank, _read_whole(hint, options))


def _read_whole(hint: Any, options: Sequence[Any]) -> Read:
    """What reads a field that is not blank and no scalar that knows by itself whether it is."""
    if isinstance(hint, UnionType):
        return _number
    if get_origin(hint) is tuple:
        inner = options[0]
        return partial(_objects, inner) if isinstance(inner, type) and is_dataclass(inner) else _texts
    if get_origin(hint) is Mapping:
        return _texts_by_name
    if isinstance(hint, type) and is_dataclass(hint):
        return partial(_child, hint)
    return Node.flag if hint is bool else partial(_choice, hint)


def _unless_blank(read: Read, node: Node, key: str) -> object:
    value = node.get(key)
    return None if isinstance(value, str) and not value.strip() else read(node, key)


def _text_or_empty(node: Node, key: str) -> str:
    return node.text(key) or ""


def _objects(kind: type, node: Node, key: str) -> tuple[object, ...]:
    return tuple(_object(child, kind) for child in node.children(key))


def _child(kind: type, node: Node, key: str) -> object:
    return _object(node.need(Node.child, key), kind)


def _texts(node: Node, key: str) -> tuple[str, ...]:
    values = node.get(key)
    if not isinstance(values, list):
        raise node.invalid(key, "a list")
    items = (Node({key: value}, node.path) for value in values)
    return tuple(item.need(Node.text, key) for item in items)


def _texts_by_name(node: Node, key: str) -> dict[str, str]:
    mapping = node.need(Node.child, key)
    return {name: mapping.plain(name) for name in mapping.names()}


def _choice[E: StrEnum](kind: type[E], node: Node, key: str) -> E:
    try:
        return kind(node.need(Node.text, key))
    except ValueError:
        raise node.invalid(key, f"one of {', '.join(kind)}") from None


def _number(node: Node, key: str) -> int | str:
    """An integer, or the decimal string of a number that is not whole."""
    number = node.need(Node.decimal, key)
    return int(number) if number == number.to_integral_value() else f"{number.normalize():f}"
