"""Our own commands from JSON: what `oms.channels.canonical` writes, read by the types of their fields."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
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
    hints = _hints(kind)
    for name in node.names():
        if name not in hints:
            raise Problem(Code.FIELD_INVALID, f"{node.at(name)} is no field of ours", node.at(name))
        inner = next((part for part in (hints[name], *get_args(hints[name])) if is_dataclass(part)), None)
        if isinstance(inner, type):
            listed = get_origin(hints[name]) is tuple
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


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _object(node: Node, kind: type, given: Mapping[str, object]) -> Any:
    """A dataclass from its JSON object; `given` are fields that the object has no say in."""
    values = {
        field.name: given[field.name]
        if field.name in given
        else _field(node, field, _hints(kind)[field.name])
        for field in fields(kind)
    }
    return kind(**values)


def _field(node: Node, field: "Field[Any]", hint: Any) -> object:
    if not _blank(node, field.name):
        return _value(node, field.name, hint)
    if field.default is not MISSING:
        return field.default
    if field.default_factory is not MISSING:
        return field.default_factory()
    if NoneType in get_args(hint):
        return None
    if field.name in MAY_BE_EMPTY:
        return ""
    if get_origin(hint) is tuple:
        return ()
    if hint is bool:
        return False
    raise Problem(Code.FIELD_MISSING, f"{node.at(field.name)} is required", node.at(field.name))


def _blank(node: Node, key: str) -> bool:
    value = node.get(key)
    return value is None or (isinstance(value, str) and not value.strip() and key not in MAY_BE_EMPTY)


def _value(node: Node, key: str, hint: Any) -> object:
    """A field that is there, by its type."""
    options = [option for option in get_args(hint) if option is not NoneType]
    if isinstance(hint, UnionType):
        return _number(node, key) if set(options) == {int, str} else _value(node, key, options[0])
    if get_origin(hint) is tuple:
        return _tuple(node, key, options[0])
    if get_origin(hint) is Mapping:
        mapping = node.need(Node.child, key)
        return {name: mapping.plain(name) for name in mapping.names()}
    if is_dataclass(hint):
        assert isinstance(hint, type), "hints name classes"
        return _object(node.need(Node.child, key), hint, {})
    if issubclass(hint, StrEnum):
        return _choice(node, key, hint)
    if hint is str:
        return node.need(Node.text, key) if key not in MAY_BE_EMPTY else node.text(key) or ""
    if hint is int:
        return node.need(Node.integer, key)
    return node.need(Node.time, key) if hint is datetime else node.flag(key)


def _tuple(node: Node, key: str, inner: Any) -> tuple[object, ...]:
    if is_dataclass(inner):
        assert isinstance(inner, type), "hints name classes"
        return tuple(_object(child, inner, {}) for child in node.children(key))
    values = node.get(key)
    if not isinstance(values, list):
        raise node.invalid(key, "a list")
    items = (Node({key: value}, node.path) for value in values)
    return tuple(item.need(Node.text, key) for item in items)


def _choice[E: StrEnum](node: Node, key: str, kind: type[E]) -> E:
    try:
        return kind(node.need(Node.text, key))
    except ValueError:
        raise node.invalid(key, f"one of {', '.join(kind)}") from None


def _number(node: Node, key: str) -> int | str:
    """An integer, or the decimal string of a number that is not whole."""
    number = node.need(Node.decimal, key)
    return int(number) if number == number.to_integral_value() else f"{number.normalize():f}"
