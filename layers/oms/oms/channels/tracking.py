"""Tracking events of every service by one reading, and a table for each: where it writes what, and how.

A payload becomes one record for each parcel in it: its state, at the time that the carrier gives for it.
States repeat and go backwards, so the time decides which is the latest, never the order of arrival.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.channels.shipments import shipments
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import TrackingRecorded
from oms.problems import Problem
from oms.values import frozen

type States = Mapping[str, ShipmentState]
"""By status, or by status and detail as `status/detail`, which counts first. Others tell nothing."""

_LABELLED = ShipmentState.LABELLED
_IN_TRANSIT = ShipmentState.IN_TRANSIT
_OUT = ShipmentState.OUT_FOR_DELIVERY
_DELIVERED = ShipmentState.DELIVERED
_ATTEMPT_FAILED = ShipmentState.ATTEMPT_FAILED
_PICKUP_POINT = ShipmentState.AT_PICKUP_POINT
_EXCEPTION = ShipmentState.EXCEPTION
_RETURNING = ShipmentState.RETURNING
_RETURNED = ShipmentState.RETURNED_TO_SENDER
_LOST = ShipmentState.LOST
_VOIDED = ShipmentState.VOIDED


@frozen
class Words:
    """Where a status stands, in a parcel or in an entry of its history: names joined by dots."""

    status: str
    detail: str
    times: tuple[str, ...]
    messages: tuple[str, ...] = ()


@frozen
class Form:
    """How a service writes a parcel; of several places the first that holds something counts.

    Attributes:
        number: the tracking number; an object with one and a status is a parcel.
        now: the state of the parcel, and when the service last changed it.
        history: the list of what the carrier reported.
        past: an entry of it.
        states: what the service's words mean.
        carrier, expected: the carrier's code, the expected delivery.
        order: the shop's id of the order, where the service was told.
        sent_ms: a field of the whole payload with the time of the event in Unix milliseconds.
    """

    number: str
    now: Words
    history: str
    past: Words
    states: States
    carrier: tuple[str, ...]
    expected: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    sent_ms: str | None = None


FORMS = {
    "easypost": Form(
        number="tracking_code",
        now=Words("status", "status_detail", ("updated_at", "created_at")),
        history="tracking_details",
        past=Words("status", "status_detail", ("datetime",), ("message", "description")),
        carrier=("carrier",),
        expected=("est_delivery_date",),
        states={
            "pre_transit": _LABELLED,
            "in_transit": _IN_TRANSIT,
            "in_transit/attempted_delivery": _ATTEMPT_FAILED,
            "in_transit/delivery_attempted": _ATTEMPT_FAILED,
            "in_transit/arrived_at_pickup_location": _PICKUP_POINT,
            "in_transit/out_for_delivery": _OUT,
            "in_transit/return": _RETURNING,
            "out_for_delivery": _OUT,
            "out_for_delivery/attempted_delivery": _ATTEMPT_FAILED,
            "out_for_delivery/delivery_attempted": _ATTEMPT_FAILED,
            "delivered": _DELIVERED,
            "available_for_pickup": _PICKUP_POINT,
            "return_to_sender": _RETURNING,
            "failure": _EXCEPTION,
            "failure/attempted_delivery": _ATTEMPT_FAILED,
            "failure/delivery_attempted": _ATTEMPT_FAILED,
            "failure/lost": _LOST,
            "failure/return": _RETURNING,
            "error": _EXCEPTION,
            "cancelled": _VOIDED,
        },
    ),
    "aftership": Form(
        number="tracking_number",
        now=Words(
            "tag",
            "subtag",
            ("checkpoint.checkpoint_time", "last_updated_at", "updated_at", "created_at"),
            ("subtag_message",),
        ),
        history="checkpoints",
        past=Words("tag", "subtag", ("checkpoint_time", "created_at"), ("message", "subtag_message")),
        carrier=("slug",),
        expected=(
            "courier_estimated_delivery_date.estimated_delivery_date",
            "aftership_estimated_delivery_date.estimated_delivery_date",
            "expected_delivery",
        ),
        order=("order_id",),
        states={
            "Pending": _LABELLED,
            "InfoReceived": _LABELLED,
            "InTransit": _IN_TRANSIT,
            "OutForDelivery": _OUT,
            "AttemptFail": _ATTEMPT_FAILED,
            "AvailableForPickup": _PICKUP_POINT,
            "Delivered": _DELIVERED,
            "Exception": _EXCEPTION,
            "Exception/Exception_010": _RETURNING,
            "Exception/Exception_011": _RETURNED,
            "Exception/Exception_013": _LOST,
            "Expired": _EXCEPTION,
        },
    ),
    "shippo": Form(
        number="tracking_number",
        now=Words(
            "tracking_status.status",
            "tracking_status.substatus.code",
            ("tracking_status.status_date", "tracking_status.object_updated"),
            ("tracking_status.status_details",),
        ),
        history="tracking_history",
        past=Words("status", "substatus.code", ("status_date", "object_updated"), ("status_details",)),
        carrier=("carrier",),
        expected=("eta",),
        states={
            "PRE_TRANSIT": _LABELLED,
            "TRANSIT": _IN_TRANSIT,
            "TRANSIT/out_for_delivery": _OUT,
            "TRANSIT/pickup_available": _PICKUP_POINT,
            "TRANSIT/delivery_attempted": _ATTEMPT_FAILED,
            "TRANSIT/notice_left": _ATTEMPT_FAILED,
            "TRANSIT/return_to_sender": _RETURNING,
            "DELIVERED": _DELIVERED,
            "RETURNED": _RETURNING,
            "FAILURE": _EXCEPTION,
            "FAILURE/delivery_attempted": _ATTEMPT_FAILED,
            "FAILURE/notice_left": _ATTEMPT_FAILED,
            "FAILURE/package_lost": _LOST,
            "FAILURE/return_to_sender": _RETURNING,
        },
    ),
    "shipengine": Form(
        number="tracking_number",
        now=Words(
            "status_code",
            "status_detail_code",
            (),
            ("status_description", "carrier_status_description"),
        ),
        history="events",
        past=Words(
            "status_code",
            "status_detail_code",
            ("occurred_at", "event_date", "carrier_occurred_at"),
            ("description",),
        ),
        carrier=("carrier_code",),
        expected=("estimated_delivery_date",),
        states={
            "AC": _LABELLED,
            "NY": _LABELLED,
            "IT": _IN_TRANSIT,
            "IT/OUT_FOR_DELIVERY": _OUT,
            "DE": _DELIVERED,
            "AT": _ATTEMPT_FAILED,
            "SP": _PICKUP_POINT,
            "EX": _EXCEPTION,
            "EX/LOST": _LOST,
            "EX/RETURN": _RETURNING,
            "EX/RETURN_TO_SENDER": _RETURNING,
            "EX/RETURNING_TO_SENDER": _RETURNING,
            "EX/RETURNED_TO_SENDER": _RETURNED,
        },
    ),
    "sendcloud": Form(
        number="tracking_number",
        # The parcel's own times are written day first, in the shop's zone.
        now=Words("status.id", "", (), ("status.message",)),
        history="",
        past=Words("", "", ()),
        carrier=("carrier.code",),
        order=("external_order_id",),
        sent_ms="timestamp",
        states={
            "1": _LABELLED,
            "3": _IN_TRANSIT,
            "4": _IN_TRANSIT,
            "5": _IN_TRANSIT,
            "6": _IN_TRANSIT,
            "7": _IN_TRANSIT,
            "8": _ATTEMPT_FAILED,
            "11": _DELIVERED,
            "12": _PICKUP_POINT,
            "13": _LABELLED,
            "15": _EXCEPTION,
            "22": ShipmentState.HANDED_OVER,
            "32": _OUT,
            "80": _EXCEPTION,
            "91": _IN_TRANSIT,
            "92": _OUT,
            "93": _DELIVERED,
            "1000": _LABELLED,
            "1998": _VOIDED,
            "2000": _VOIDED,
            "62989": _IN_TRANSIT,
            "62990": _IN_TRANSIT,
            "62991": _EXCEPTION,
            "62992": _RETURNED,
            "62996": _EXCEPTION,
            "62997": _EXCEPTION,
        },
    ),
}
FORMS["shipstation"] = FORMS["shipengine"]
"""By kind of channel. Words that no table lists (unknown, not yet known) tell nothing."""

THIN = {
    "shipstation": re.compile(r"https://(ssapi\d*\.shipstation|api\.shipstation|api\.shipengine)\.com/"),
    "shipengine": re.compile(r"https://api\.(shipengine|shipstation)\.com/"),
}
"""Addresses that a notification may name to be read: our credentials go there, so no other host will do."""

RESOURCES = {
    "ORDER_NOTIFY": "orders",
    "ITEM_ORDER_NOTIFY": "orders",
    "SHIP_NOTIFY": "shipments",
    "ITEM_SHIP_NOTIFY": "shipments",
    "FULFILLMENT_SHIPPED": "fulfillments",
    "FULFILLMENT_REJECTED": "fulfillments",
    "FULFILLMENT_SHIPPED_V2": "fulfillments",
    "FULFILLMENT_REJECTED_V2": "fulfillments",
    "API_TRACK": "tracking",
}
"""What stands at the address, by the type that the notification gives."""

_CARRIER_IN_URL = re.compile(r"carrier_code=(\w+)|/tracking/(\w+)/")


def _events(message: Inbound, body: Node) -> Iterator[Command]:
    form = FORMS[message.adapter]
    parcels = [node for node in body.objects() if _is_parcel(node, form)]
    for parcel in parcels:
        yield _tracked(message, parcel, body, form)
    if not parcels and message.adapter in THIN:
        yield from shipments(message, body)
        if body.has("resource_url"):
            yield _thin(message, body)


def _is_parcel(node: Node, form: Form) -> bool:
    kind = node.get("object")
    return (
        node.has(form.number)
        and _field(node, Node.text, form.now.status) is not None
        and (not isinstance(kind, str) or kind == "Tracker")
    )


def _thin(message: Inbound, body: Node) -> Command:
    topic = body.text("resource_type") or message.topic
    resource = RESOURCES.get(topic.upper())
    if resource is None:
        return Ignore(f"{topic}: says nothing of parcels")
    address = body.need(Node.text, "resource_url")
    if not THIN[message.adapter].match(address):
        raise body.invalid("resource_url", "an address of the vendor's API")
    return Fetch(message.channel, message.adapter, resource, address)


def _tracked(message: Inbound, parcel: Node, body: Node, form: Form) -> Command:
    state = _state(parcel, form.now, form.states)
    if state is None:
        return Ignore(f"{_field(parcel, Node.text, form.now.status)}: says nothing of where the parcel is")
    history = [node for node in _history(parcel, form) if _time(node, form.past)]
    latest = max(history, key=lambda node: _time(node, form.past) or message.received_at, default=None)
    # A state that the latest report does not give is the service's own (it waited too long), of its own time.
    reported = latest is not None and _state(latest, form.past, form.states) in (None, state)
    times = [_time(latest, form.past)] if latest is not None and reported else []
    times += [_time(parcel, form.now), body.unix_time(form.sent_ms, 1000) if form.sent_ms else None]
    if latest is not None:
        times.append(_time(latest, form.past))
    said = _field(latest, Node.text, *form.past.messages) if latest is not None and reported else None
    return TrackingRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=_field(parcel, Node.identifier, *form.order),
        fulfillment_id=None,
        carrier=_field(parcel, Node.text, *form.carrier) or _carrier_in(body.get("resource_url")),
        tracking_number=parcel.text(form.number),
        status=state,
        message=said or _field(parcel, Node.text, *form.now.messages),
        expected_at=_expected(parcel, form),
        occurred_at=next((time for time in times if time), message.received_at),
    )


def _history(parcel: Node, form: Form) -> tuple[Node, ...]:
    return parcel.children(form.history) if form.history else ()


def _state(node: Node, words: Words, states: States) -> ShipmentState | None:
    status = _field(node, Node.text, words.status) if words.status else None
    detail = _field(node, Node.text, words.detail) if words.detail else None
    return states.get(f"{status}/{detail}", states.get(status or ""))


def _time(node: Node, words: Words) -> datetime | None:
    return _field(node, Node.time, *words.times)


def _expected(parcel: Node, form: Form) -> datetime | None:
    """The expected delivery; services pass on what carriers write, which need not be a time."""
    try:
        return _field(parcel, Node.time, *form.expected)
    except Problem:
        return None


def _carrier_in(url: object) -> str | None:
    found = _CARRIER_IN_URL.search(url) if isinstance(url, str) else None
    return next(filter(None, found.groups()), None) if found else None


def _field[T](node: Node, read: Callable[[Node, str], T | None], *paths: str) -> T | None:
    """The first of the fields at `paths` that holds something; a place that is no object holds nothing."""
    for path in paths:
        *holders, key = path.split(".")
        inner = node
        for holder in holders:
            inner = Node(inner.get(holder), inner.at(holder))
        value = read(inner, key)
        if value is not None:
            return value
    return None


RULES: Rules = (("*", _events),)
"""Services put the same parcel into many topics and answers: what is in the payload decides."""
