"""Codecs of the order's header, body and backorders.

A header is read and rewritten by every command, and DynamoDB charges by the KB, so names are short and what
is zero or empty is left out: a usual five-line order stays within 1 KB through its whole life.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from oms.orders.commands import Address, Customer, FulfilledBy, LineKind, Method
from oms.orders.identity import shard
from oms.orders.model import (
    BodyLine,
    Entry,
    OpenException,
    Order,
    OrderBody,
    OrderDelivery,
    OrderLine,
    Origin,
    Stage,
)
from oms.orders.work import work_stage
from oms.store import keys
from oms.store.attributes import Item, Value, millis, moment, packed, unpacked
from oms.store.journal import decode_journal, encode_journal
from oms.values import members

_COUNTERS = {
    "open": "op",
    "backordered": "bo",
    "shipped": "sh",
    "cancelled": "ca",
    "delivered": "de",
    "returned": "re",
    "amount": "a",
    "discount": "d",
    "tax": "x",
    "per_bundle": "pb",
}
_AMOUNTS = {
    "total": "to",
    "shipping": "sp",
    "charges": "cg",
    "authorized": "au",
    "captured": "cp",
    "refunded": "rf",
}


def encode_order(order: Order) -> Item:
    """The header's attributes, without its key."""
    item: Item = {
        "t": "order",
        "sv": 1,
        "v": order.v,
        "ch": order.channel,
        "cv": order.channel_version,
        "dg": order.digest,
        "no": order.order_number,
        "cu": order.currency,
        "at": millis(order.placed_at),
        "ln": [_encode_line(line) for line in order.lines],
        "dl": [_encode_delivery(delivery) for delivery in order.deliveries],
        "j": encode_journal(order.journal),
    }
    item |= {short: getattr(order, name) for name, short in _AMOUNTS.items() if getattr(order, name)}
    optional: dict[str, Value | None] = {
        "pool": order.pool,
        "ti": order.tax_included or None,
        "test": order.test or None,
        "hd": list(order.holds) or None,
        "ex": [[known.code, known.ref, millis(known.at)] for known in order.exceptions] or None,
        "due": millis(order.due_at) if order.due_at else None,
        "cl": millis(order.closed_at) if order.closed_at else None,
        "pu": millis(order.pays_until) if order.pays_until else None,
        "er": millis(order.erase_at) if order.erase_at else None,
        "rp": order.replaces,
    }
    if order.customer_key:
        optional |= {"GSI2PK": keys.customer(order.customer_key), "GSI2SK": keys.iso(order.placed_at)}
    work = work_stage(order)
    if work:
        stage, due = work
        optional |= {"GSI1PK": keys.work(stage, shard(order.order_id)), "GSI1SK": keys.iso(due)}
    return item | {name: value for name, value in optional.items() if value is not None}


def decode_order(item: Item) -> Order:
    """A header from its item, key included."""
    stored = cast(dict[str, Any], item)
    return Order(
        order_id=stored["PK"].removeprefix(keys.ORDER),
        channel=stored["ch"],
        channel_version=stored["cv"],
        digest=stored["dg"],
        v=stored["v"],
        order_number=stored["no"],
        currency=stored["cu"],
        placed_at=moment(stored["at"]),
        tax_included=stored.get("ti", False),
        lines=tuple(_decode_line(line) for line in stored["ln"]),
        deliveries=tuple(_decode_delivery(delivery) for delivery in stored["dl"]),
        pool=stored.get("pool"),
        customer_key=stored["GSI2PK"].removeprefix(keys.customer("")) if "GSI2PK" in stored else None,
        test=stored.get("test", False),
        holds=tuple(stored.get("hd", ())),
        exceptions=tuple(OpenException(code, ref, moment(at)) for code, ref, at in stored.get("ex", ())),
        journal=decode_journal(stored["j"]),
        due_at=moment(stored["due"]) if "due" in stored else None,
        closed_at=moment(stored["cl"]) if "cl" in stored else None,
        pays_until=moment(stored["pu"]) if "pu" in stored else None,
        erase_at=moment(stored["er"]) if "er" in stored else None,
        replaces=stored.get("rp"),
        **{name: stored.get(short, 0) for name, short in _AMOUNTS.items()},
    )


def encode_body(order: Order, body: OrderBody) -> Item:
    """The body's attributes, without its key: one compressed document, listed by day in GSI2."""
    return {
        "t": "body",
        "sv": 1,
        "doc": packed(_document(body)),
        "GSI2PK": keys.day(order.placed_at),
        "GSI2SK": keys.iso(order.placed_at),
    }


def decode_body(item: Item) -> OrderBody:
    """A body from its item."""
    document = unpacked(item["doc"])
    document["customer"] = Customer(**document.get("customer", {}))
    document["billing"] = Address(**document["billing"]) if "billing" in document else None
    document["ship_to"] = {name: Address(**address) for name, address in document.get("ship_to", {}).items()}
    document["services"] = document.get("services", {})
    document["lines"] = tuple(BodyLine(**line) for line in document.get("lines", ()))
    document["payments"] = tuple(document.get("payments", ()))
    document["sourcing"] = tuple(document.get("sourcing", ()))
    return OrderBody(**document)


def backorder_item(order: Order, sku: str, units: int, promised: datetime) -> Item:
    """What an order waits for of one sku, listed under the sku by promised date."""
    return {
        "t": "backorder",
        "sv": 1,
        "units": units,
        "pool": order.pool or "",
        "GSI1PK": keys.backorders(sku),
        "GSI1SK": keys.iso(promised),
    }


def _encode_line(line: OrderLine) -> Value:
    stored: dict[str, Value] = {"i": line.line_id}
    stored |= {short: getattr(line, name) for name, short in _COUNTERS.items() if getattr(line, name)}
    optional: dict[str, Value | None] = {
        "s": line.sku,
        "k": None if line.kind is LineKind.PHYSICAL else str(line.kind),
        "f": None if line.fulfilled_by is FulfilledBy.US else str(line.fulfilled_by),
        "dl": line.delivery_id,
        "p": line.parent_line_id,
        "og": [line.origin.kind, line.origin.line_id or ""] if line.origin else None,
        "u": None if line.tracked else True,
        "w": line.pending or None,
        "ls": line.listing,
        "xa": millis(line.expected_at) if line.expected_at else None,
        "e": [_encode_entry(entry) for entry in line.entries] or None,
    }
    return stored | {name: value for name, value in optional.items() if value is not None}


def _decode_line(stored: Mapping[str, Any]) -> OrderLine:
    return OrderLine(
        line_id=stored["i"],
        sku=stored.get("s"),
        kind=LineKind(stored.get("k", LineKind.PHYSICAL)),
        fulfilled_by=FulfilledBy(stored.get("f", FulfilledBy.US)),
        delivery_id=stored.get("dl"),
        parent_line_id=stored.get("p"),
        origin=Origin(stored["og"][0], stored["og"][1] or None) if "og" in stored else None,
        tracked=not stored.get("u", False),
        pending=stored.get("w", False),
        listing=stored.get("ls"),
        expected_at=moment(stored["xa"]) if "xa" in stored else None,
        entries=tuple(_decode_entry(entry) for entry in stored.get("e", ())),
        **{name: stored.get(short, 0) for name, short in _COUNTERS.items()},
    )


_STAGES = {Stage.ALLOCATED: "a", Stage.IN_FULFILLMENT: "f", Stage.IN_TRANSFER: "t"}
_STAGE_OF = {short: stage for stage, short in _STAGES.items()}


def _encode_entry(entry: Entry) -> Value:
    stored: list[Value] = [entry.alloc_id, entry.location, entry.units, _STAGES[entry.stage]]
    if entry.fulfillment_order or entry.supply:
        stored.append(entry.fulfillment_order or "")
    if entry.supply:
        stored.append(entry.supply)
    return stored


def _decode_entry(stored: list[Any]) -> Entry:
    alloc_id, location, units, stage, *rest = stored
    fulfillment_order, supply = [*rest, "", ""][:2]
    return Entry(alloc_id, location, units, _STAGE_OF[stage], fulfillment_order or None, supply or None)


def _encode_delivery(delivery: OrderDelivery) -> Value:
    stored: list[Value] = [delivery.id, str(delivery.method), delivery.shipping]
    return [*stored, delivery.location] if delivery.location else stored


def _decode_delivery(stored: list[Any]) -> OrderDelivery:
    delivery_id, method, shipping, *location = stored
    return OrderDelivery(delivery_id, Method(method), location[0] if location else None, shipping)


def _document(body: OrderBody) -> dict[str, Any]:
    """A body without what is empty in it; a decision's record is without already."""
    stated = members(body)
    decisions = stated.pop("sourcing")
    document: dict[str, Any] = _sparse(stated)
    return document | ({"sourcing": decisions} if decisions else {})


_SCALARS = frozenset({str, int, bool})


def _sparse(value: Any) -> Any:
    """A document without its empty members; dataclasses become maps of their fields."""
    kind = type(value)
    if kind is list or kind is tuple:
        return [member if type(member) in _SCALARS else _sparse(member) for member in value]
    if kind is not dict:
        if value is None or isinstance(value, str):
            return value
        value = value if isinstance(value, Mapping) else members(value)
    kept = {}
    for name, member in value.items():
        if type(member) in _SCALARS:  # most are: a call for each would take longer than all the rest
            kept[name] = member
        elif member and (document := _sparse(member)):
            kept[name] = document
    return kept
