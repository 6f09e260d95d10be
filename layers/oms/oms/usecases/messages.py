"""Messages of our own queues, read into facts of the domain; `events/*.json` has their schemas."""

from enum import StrEnum

from oms.channels.payload import Json, Node
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.orders.limits import MOST_UNITS
from oms.problems import Code, Problem
from oms.returns.events import RequestedUnits, ReturnedUnits, ReturnFact, ReturnRequest
from oms.returns.model import Outcome
from oms.store.attributes import Item

_ORDER_ID_LENGTH = 26
_PAGE_END = ("PK", "SK", "GSI1PK", "GSI1SK")


class ReturnEvent(StrEnum):
    """Types of messages on the return-events queue."""

    REQUESTED = "requested"
    RECEIVED = "received"
    DISPOSED = "disposed"


class Work(StrEnum):
    """Types of messages on the sourcing queue."""

    RELEASE = "release"
    EXPIRE = "expire"
    SOURCE = "source"
    SERVE = "serve"
    SHORTAGE = "shortage"
    UNPAID = "unpaid"
    ERASE = "erase"
    REPLACE = "replace"
    REOPTIMISE = "reoptimise"
    GIVE_UP = "give_up"
    EXPECT = "expect"


def parse_fulfillment_event(message: Json) -> FulfillmentFact:
    """A message of the fulfillment-events queue (`events/fulfillment_event.v1.json`).

    A shipped message without packages means one package, named after the message, with the message's lines.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    node = Node(message)
    if not isinstance(message, dict):
        raise Problem(Code.MESSAGE_INVALID, "the message is not a JSON object")
    message_id = node.need(Node.text, "message_id")
    kind = choice(node, "type", FactKind)
    order_id, name = _public_id(node, "fulfillment_order")
    v = node.integer("v")
    if v is not None and v < 1:
        raise node.invalid("v", "a version, 1 or higher")
    packages = tuple(_package(package) for package in node.children("packages"))
    if kind is FactKind.SHIPPED and not packages:
        packages = (Package(message_id, lines=_lines(node)),)
    return FulfillmentFact(
        message_id=message_id,
        kind=kind,
        occurred_at=node.need(Node.time, "occurred_at"),
        order_id=order_id,
        fulfillment_order=name,
        packages=packages,
        lines=_lines(node) if kind in (FactKind.CANCELLED, FactKind.REJECTED) else (),
        v=v,
        reason=node.text("reason"),
    )


def parse_return_event(message: Json) -> ReturnRequest | ReturnFact:
    """A message of the return-events queue (`events/return_event.v1.json`).

    A receipt without reference is one that nobody announced: its own message id is the reference.

    Raises:
        Problem: a field is missing or invalid; names it.
    """
    node = Node(message)
    if not isinstance(message, dict):
        raise Problem(Code.MESSAGE_INVALID, "the message is not a JSON object")
    message_id = node.need(Node.text, "message_id")
    kind = choice(node, "type", ReturnEvent)
    occurred_at = node.need(Node.time, "occurred_at")
    order_id = node.need(Node.text, "order_id")
    reference = node.text("reference") if kind is ReturnEvent.RECEIVED else node.need(Node.text, "reference")
    lines = node.children("lines")
    if node.has("lines") and not lines:
        raise node.invalid("lines", "a list of at least one line; leave it out for all that remains")
    if not lines:
        raise Problem(Code.FIELD_MISSING, "lines has to name at least one line", "lines")
    if kind is ReturnEvent.REQUESTED:
        asked = tuple(
            RequestedUnits(line.need(Node.text, "line_id"), units(line, "units"), line.text("reason"))
            for line in lines
        )
        return ReturnRequest(message_id, occurred_at, order_id, reference or message_id, asked)
    came = tuple(
        ReturnedUnits(
            line.need(Node.text, "line_id"),
            units(line, "units"),
            choice(line, "outcome", Outcome) if kind is ReturnEvent.DISPOSED else None,
        )
        for line in lines
    )
    location = node.need(Node.text, "location")
    return ReturnFact(message_id, occurred_at, order_id, reference or message_id, location, came)


def page_end(node: Node) -> Item:
    """Where a page of GSI1 ended, so that the next one begins after it.

    Raises:
        Problem: a part of the key is missing; names it.
    """
    return {name: node.need(Node.text, name) for name in _PAGE_END}


def choice[E: StrEnum](node: Node, key: str, allowed: type[E]) -> E:
    """A field that is one of the values of an enumeration.

    Raises:
        Problem: it is missing, or another value.
    """
    value = node.need(Node.text, key)
    try:
        return allowed(value)
    except ValueError:
        raise node.invalid(key, f"one of {', '.join(allowed)}") from None


def units(node: Node, key: str) -> int:
    """A positive whole number of units.

    Raises:
        Problem: it is missing, not positive, or beyond all limits.
    """
    number = node.need(Node.integer, key)
    if not 0 < number <= MOST_UNITS:
        raise node.invalid(key, "a positive number of units")
    return number


def _public_id(node: Node, key: str) -> tuple[str, str]:
    public_id = node.need(Node.text, key)
    order_id, dash, name = public_id.partition("-")
    if len(order_id) != _ORDER_ID_LENGTH or not dash or not name:
        raise node.invalid(key, "the id of a fulfillment order")
    return order_id, name


def _package(node: Node) -> Package:
    weight = node.integer("weight_g")
    if weight is not None and weight < 0:
        raise node.invalid("weight_g", "a weight in grams")
    return Package(
        package_id=node.need(Node.text, "package_id"),
        carrier=node.text("carrier"),
        tracking_number=node.text("tracking_number"),
        weight_g=weight,
        lines=_lines(node),
    )


def _lines(node: Node) -> tuple[PackedUnits, ...]:
    lines = node.children("lines")
    if node.has("lines") and not lines:
        raise node.invalid("lines", "a list of at least one line; leave it out for all that remains")
    return tuple(PackedUnits(line.need(Node.text, "line_id"), units(line, "units")) for line in lines)
