"""Codecs of fulfillment orders and shipments, and the reading of what belongs to an order."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from oms.fulfillment.elsewhere import Told
from oms.fulfillment.model import (
    FulfillmentOrder,
    FulfillmentState,
    Recall,
    RequestLine,
    Shipment,
    ShipmentState,
    ShippedLine,
)
from oms.orders.commands import Address, Method
from oms.store import keys
from oms.store.attributes import Item, Value, millis, moment
from oms.store.journal import decode_journal, encode_journal

_COUNTERS = {
    **{"picked": "pi", "packed": "pa", "shipped": "sh"},
    **{"rejected": "rj", "withdrawn": "wd", "unwanted": "uw", "presumed": "pr"},
}
ENDED = frozenset({FulfillmentState.CLOSED, FulfillmentState.CANCELLED})
"""States in which nobody has to look for a fulfillment order any more."""


def encode_fulfillment_order(work: FulfillmentOrder) -> Item:
    """A fulfillment order's attributes, without its key; under location and state in GSI1 until it ends."""
    item: Item = {
        "t": "fulfillment_order",
        "sv": 1,
        "v": work.v,
        "ch": work.channel,
        "no": work.order_number,
        "loc": work.location,
        "dl": work.delivery_id,
        "m": str(work.method),
        "st": str(work.state),
        "due": millis(work.due_at),
        "ln": [_encode_line(line) for line in work.lines],
        "j": encode_journal(work.journal),
    }
    if work.connector:
        item["con"] = work.connector
    if work.service:
        item["svc"] = work.service
    if work.ship_to:
        item["to"] = {name: value for name, value in asdict(work.ship_to).items() if value is not None}
    if work.consolidation_id:
        item["cid"] = work.consolidation_id
    if work.recalls:
        item["rc"] = [[recall.v, dict(recall.units), recall.reason] for recall in work.recalls]
        item["was"] = str(work.stage)
    if work.state not in ENDED:
        item["GSI1PK"] = keys.pick_list(work.location, work.state)
        item["GSI1SK"] = keys.iso(work.due_at)
    return item


def decode_fulfillment_order(item: Item) -> FulfillmentOrder:
    """A fulfillment order from its item, key included."""
    stored = cast(dict[str, Any], item)
    return FulfillmentOrder(
        order_id=stored["PK"].removeprefix(keys.ORDER),
        id=stored["SK"].removeprefix(keys.FULFILLMENT_ORDER),
        channel=stored["ch"],
        order_number=stored["no"],
        location=stored["loc"],
        connector=stored.get("con"),
        delivery_id=stored["dl"],
        method=Method(stored["m"]),
        service=stored.get("svc"),
        ship_to=Address(**stored["to"]) if "to" in stored else None,
        state=FulfillmentState(stored["st"]),
        lines=tuple(_decode_line(line) for line in stored["ln"]),
        due_at=moment(stored["due"]),
        consolidation_id=stored.get("cid"),
        recalls=tuple(Recall(v, units, reason) for v, units, reason in stored.get("rc", ())),
        before=FulfillmentState(stored["was"]) if "was" in stored else None,
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def encode_shipment(shipment: Shipment) -> Item:
    """A shipment's attributes, without its key; in GSI2 under its tracking number."""
    item: Item = {
        "t": "shipment",
        "sv": 1,
        "v": shipment.v,
        "fo": shipment.fulfillment_order,
        "loc": shipment.location,
        "st": str(shipment.state),
        "sa": millis(shipment.state_at),
        "ln": [[line.line_id, line.sku, line.units] for line in shipment.lines],
        "j": encode_journal(shipment.journal),
    }
    optional: dict[str, Value | None] = {
        "car": shipment.carrier,
        "tn": shipment.tracking_number,
        "w": shipment.weight_g,
    }
    if shipment.tracking_number:
        optional |= {"GSI2PK": keys.tracking(shipment.tracking_number), "GSI2SK": shipment.order_id}
    return item | {name: value for name, value in optional.items() if value is not None}


def decode_shipment(item: Item) -> Shipment:
    """A shipment from its item, key included."""
    stored = cast(dict[str, Any], item)
    return Shipment(
        order_id=stored["PK"].removeprefix(keys.ORDER),
        id=stored["SK"].removeprefix(keys.SHIPMENT),
        fulfillment_order=stored["fo"],
        location=stored["loc"],
        lines=tuple(ShippedLine(line_id, sku, units) for line_id, sku, units in stored["ln"]),
        state=ShipmentState(stored["st"]),
        state_at=moment(stored["sa"]),
        carrier=stored.get("car"),
        tracking_number=stored.get("tn"),
        weight_g=stored.get("w"),
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def encode_told(told: Told) -> Item:
    """What a channel has said of a fulfillment, without its key."""
    item: Item = {"t": "told", "sv": 1, "v": told.v, "cv": told.version}
    if told.shipment:
        item["sh"] = told.shipment
    if told.numbers:
        item["nu"] = list(told.numbers)
    if told.missing:
        item["mi"] = dict(told.missing)
    return item


def decode_told(item: Item) -> Told:
    """What a channel has said of a fulfillment from its item, key included."""
    stored = cast(dict[str, Any], item)
    name = stored["SK"].removeprefix(keys.TOLD)
    shipment, numbers, missing = stored.get("sh"), stored.get("nu", ()), stored.get("mi", {})
    return Told(name, stored["cv"], shipment, stored["v"], tuple(numbers), missing)


def _encode_line(line: RequestLine) -> Value:
    stored: dict[str, Value] = {"i": line.line_id, "s": line.sku, "q": line.requested}
    return stored | {short: getattr(line, name) for name, short in _COUNTERS.items() if getattr(line, name)}


def _decode_line(stored: Mapping[str, Any]) -> RequestLine:
    counters = {name: stored.get(short, 0) for name, short in _COUNTERS.items()}
    return RequestLine(stored["i"], stored["s"], stored["q"], **counters)
