"""The catalogue of domain events: the only source of their names, versions, audience and data.

A type is `<entity>.<kind>`: the type of the item that was written, and a kind of the entry that the write
added to its journal. `oms.events.schema` has the catalogue as JSON Schema.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from oms.events import data
from oms.events.data import Data, Kept
from oms.fulfillment.model import FulfillmentOrder, Shipment, ShipmentState
from oms.inventory.reservations import Reservation
from oms.inventory.transfers import Fate, Transfer
from oms.orders.cancelling import CancelReason
from oms.orders.commands import LineKind, Method
from oms.orders.holds import RESOLVES
from oms.orders.model import POSITION_SHORT, Order
from oms.orders.records import PaymentKind
from oms.payments.refunds import Refund
from oms.returns.model import Outcome, Return
from oms.store.attributes import Item
from oms.store.fulfillment import decode_fulfillment_order, decode_shipment
from oms.store.orders import decode_order
from oms.store.reservations import decode_reservation
from oms.store.returns import decode_refund, decode_return
from oms.store.transfers import decode_transfer
from oms.values import frozen

SOURCE = "oms"
"""Who speaks: a bus carries the events of one stack."""

type Schema = Mapping[str, object]
"""A JSON Schema."""

type Members = Mapping[str, Schema]
"""The members of an object, all of them required, by name."""


@frozen
class EntityType[E]:
    """A kind of thing that keeps a journal.

    Attributes:
        decode: from its item, key included.
        members: what every event about it says.
        identity: these members of one of them.
    """

    decode: Callable[[Item], E]
    members: Members
    identity: Callable[[E], Data]


@frozen
class EventType[E]:
    """A type of event.

    Attributes:
        meaning: what has happened.
        members: what it says besides the members of its entity.
        read: these members, of an entity and the data of a journal entry.
        public: whether it goes on the bus; else it is only ours.
        version: of what it says; a change that could break a reader makes a new one.
    """

    meaning: str
    members: Members = field(default_factory=dict)
    read: Callable[[E, Kept], Data] = data.nothing
    public: bool = True
    version: int = 1


def an_object(members: Members) -> Schema:
    """The schema of an object with these members, and others that may be added."""
    return {"type": "object", "required": list(members), "properties": members}


def _list(members: Members) -> Schema:
    return {"type": "array", "items": an_object(members)}


def _one_of(values: type[StrEnum]) -> Schema:
    return {"enum": [str(value) for value in values]}


def _one_of_texts(values: Iterable[str]) -> Schema:
    return {"enum": list(values)}


_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_UNITS: Schema = {"type": "integer", "minimum": 0, "description": "In the sku's smallest unit."}
_AMOUNT: Schema = {"type": "integer", "description": "In minor units of the currency."}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "UTC."}
_TIME_OR_NULL: Schema = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "UTC; null: nobody knows.",
}
_IDS: Schema = {"type": "array", "minItems": 1, "items": _TEXT}
_SUMS = ("authorized", "captured", "refunded")
_LINE_IDS: Schema = {"type": "array", "items": _TEXT}

_LINE: Members = {"line_id": _TEXT, "sku": _TEXT, "units": _UNITS}
_PLACED_LINE: Members = {
    "line_id": _TEXT,
    "sku": {**_TEXT_OR_NULL, "description": "null while the channel's listing is not mapped."},
    "kind": _one_of(LineKind),
    "units": _UNITS,
    "allocated": _list({"location": _TEXT, "units": _UNITS}),
    "backordered": _UNITS,
    "open": {**_UNITS, "description": "Units accepted without a source."},
}
_ALLOCATED: Members = {"line_id": _TEXT, "location": _TEXT, "units": _UNITS}
_UNITS_OF_LINES = _list({"line_id": _TEXT, "units": _UNITS})
_REASON: Members = {"reason": _one_of(CancelReason)}
_RECALL: Members = {
    "reason": {
        **_one_of_texts([*CancelReason, POSITION_SHORT]),
        "description": "position_short: there are too few; what is given up is sourced again.",
    }
}
_HELD: Members = {
    "expires_at": _TIME,
    "held": _list({"sku": _TEXT, "location": _TEXT, "units": _UNITS}),
}
_RETURN_LINE: Members = {
    "line_id": _TEXT,
    "sku": {**_TEXT_OR_NULL, "description": "null when the order has no such line."},
    "units": _UNITS,
}
_OCCURRED: Members = {
    "occurred_at": {**_TIME, "description": "When, by the word of the location or carrier; UTC."}
}
_ENDS: Members = {"source": _TEXT, "target": _TEXT}

ENTITIES: Mapping[str, EntityType[Any]] = {
    "order": EntityType[Order](
        decode_order, {"channel": _TEXT, "order_number": _TEXT}, data.identity_of_order
    ),
    "fulfillment_order": EntityType[FulfillmentOrder](
        decode_fulfillment_order,
        {"channel": _TEXT, "order_number": _TEXT, "location": _TEXT},
        data.identity_of_work,
    ),
    "shipment": EntityType[Shipment](
        decode_shipment, {"fulfillment_order": _TEXT, "location": _TEXT}, data.identity_of_shipment
    ),
    "return": EntityType[Return](
        decode_return,
        {"rma": _TEXT, "reference": {**_TEXT, "description": "The requester's own id of the return."}},
        data.identity_of_return,
    ),
    "refund": EntityType[Refund](
        decode_refund,
        {
            "return": {**_TEXT_OR_NULL, "description": "null when it is for what was cancelled."},
            "currency": _TEXT,
        },
        data.identity_of_refund,
    ),
    "transfer": EntityType[Transfer](decode_transfer, {}, data.no_identity),
    "reservation": EntityType[Reservation](
        decode_reservation, {"channel": _TEXT}, data.identity_of_reservation
    ),
}
"""What keeps a journal, by the type (`t`) of its item."""

CATALOGUE: Mapping[str, EventType[Any]] = {
    "order.placed": EventType[Order](
        "An order has been stored, its units allocated, backordered or open.",
        {
            "placed_at": {**_TIME, "description": "When the channel took it; UTC."},
            "currency": _TEXT,
            "total": _AMOUNT,
            "test": {"type": "boolean"},
            "lines": _list(_PLACED_LINE),
        },
        data.placed,
    ),
    "order.conflict": EventType[Order](
        "The channel sent the version that we have with other content; the order stays as it is."
    ),
    "order.edit_received": EventType[Order](
        "The channel sent a newer version of which not everything could be applied: a person has to look."
    ),
    "order.hold_lifted": EventType[Order](
        "A person has lifted a hold; the order goes to its locations when no other is left.",
        {"hold": _one_of_texts(RESOLVES)},
        data.hold,
    ),
    "order.payment_recorded": EventType[Order](
        "Money was authorized, captured, voided or given back, by the word of the channel or a provider.",
        {
            "kind": _one_of(PaymentKind),
            "amount": _AMOUNT,
            **{name: {**_AMOUNT, "description": "So far, in all."} for name in _SUMS},
        },
        data.money,
    ),
    "order.edited": EventType[Order](
        "A newer version of the channel was applied; what it cancels has events of its own.",
        {
            "added": {**_LINE_IDS, "description": "New lines, or more units of others."},
            "changed": {**_LINE_IDS, "description": "Lines with other amounts."},
            "total": _AMOUNT,
        },
        data.edited,
    ),
    "order.refreshed": EventType[Order](
        "The channel sent a newer version with the same content; its payments were taken on.", public=False
    ),
    "order.sourced": EventType[Order](
        "Units that waited have been asked for again, and some have found a source.",
        {"lines": _list(_ALLOCATED)},
        data.sourced,
    ),
    "order.reopened": EventType[Order](
        "Units have lost their source and wait for another.",
        {"reason": _TEXT, "lines": _list(_ALLOCATED)},
        data.reopened,
    ),
    "order.expected": EventType[Order](
        "Units that wait are expected at another time than was told, or nobody knows when any more.",
        {"lines": _list({"line_id": _TEXT, "expected_at": _TIME_OR_NULL, "told_before": _TIME_OR_NULL})},
        data.expected,
    ),
    "order.moved": EventType[Order](
        "A person has decided that units come from another location.",
        {"from": _TEXT, "lines": _list(_ALLOCATED)},
        data.moved,
    ),
    "order.replanned": EventType[Order](
        "Units come from elsewhere than before: planned again together, some orders cost less.",
        {
            "lines": _list(_ALLOCATED),
            "left": _list(_ALLOCATED),
            "cost_before": _AMOUNT,
            "cost_after": _AMOUNT,
            "saved": {**_AMOUNT, "description": "by all orders that were planned again with it."},
        },
        data.replanned,
    ),
    "order.position_short": EventType[Order](
        "A location has fewer units than it was asked for; a person has to decide.",
        {"sku": _TEXT, "location": _TEXT},
        data.position_short,
    ),
    "order.position_found": EventType[Order](
        "The location has the units that it was asked for after all.",
        {"sku": _TEXT, "location": _TEXT},
        data.position_short,
    ),
    "order.transferred": EventType[Order](
        "Units are moved between locations for it: see the events of the transfer.",
        {"transfer": _TEXT},
        data.transferred,
    ),
    "order.released": EventType[Order](
        "Allocated units have become work for their locations.", {"fulfillment_orders": _IDS}, data.released
    ),
    "order.cancelled": EventType[Order](
        "Units are cancelled: they will not be shipped.",
        {"lines": _UNITS_OF_LINES, **_REASON},
        data.cancelled,
    ),
    "order.cancel_requested": EventType[Order](
        "Locations are asked not to ship units.",
        {"fulfillment_orders": _list({"fulfillment_order": _TEXT, "lines": _UNITS_OF_LINES}), **_REASON},
        data.cancel_requested,
    ),
    "order.cancel_refused": EventType[Order](
        "Units that were to be cancelled are shipped all the same: they had left, or their location says so.",
        {"lines": _UNITS_OF_LINES},
        data.cancel_refused,
    ),
    "order.shipped": EventType[Order](
        "Parcels have left; none is named when the channel only counts units that have.",
        {"shipments": _IDS},
        data.shipped,
    ),
    "order.fulfillment_conflict": EventType[Order](
        "The channel has shipped what a location is at work on, or has not shipped what it said: a person"
        " has to look, or need not any more.",
        {"fulfillment": {**_TEXT, "description": "The channel's id of it."}},
        data.fulfillment,
    ),
    "order.delivered": EventType[Order](
        "Units have arrived.",
        {"lines": _list({"line_id": _TEXT, "delivered": {**_UNITS, "description": "Units so far, in all."}})},
        data.delivered,
    ),
    "order.personal_data_erased": EventType[Order](
        "What it kept of a person is gone: whoever has copied it has to forget it as well."
    ),
    "order.erasure_postponed": EventType[Order](
        "What it keeps of a person is to go, and is needed until everything has left.", public=False
    ),
    "order.replacement_conflict": EventType[Order](
        "The order that it replaces was shipped: a person has to decide whether it is shipped as well.",
        {"replaces": _TEXT},
        data.replaced,
    ),
    "order.closed": EventType[Order]("Everything has arrived or was cancelled, and the money is even."),
    "order.return_requested": EventType[Order]("Units are to come back: see the event of the return."),
    "order.returned": EventType[Order](
        "Units have come back; the lines are those announced, none when a person has to look first.",
        {"lines": _list({"line_id": _TEXT, "units": _UNITS})},
        data.returned,
    ),
    "fulfillment_order.released": EventType[FulfillmentOrder](
        "A location has work to do.", {"method": _one_of(Method), "lines": _list(_LINE)}, data.requested_work
    ),
    "fulfillment_order.accepted": EventType[FulfillmentOrder]("The location has taken the work on."),
    "fulfillment_order.picking": EventType[FulfillmentOrder]("The location has begun to pick."),
    "fulfillment_order.packed": EventType[FulfillmentOrder]("The location has packed."),
    "fulfillment_order.ready_for_pickup": EventType[FulfillmentOrder]("The customer can come for it."),
    "fulfillment_order.cancel_requested": EventType[FulfillmentOrder](
        "The location is asked not to ship units.", {"lines": _UNITS_OF_LINES, **_RECALL}, data.recalled
    ),
    "fulfillment_order.cancelled": EventType[FulfillmentOrder](
        "The location does not ship units that it was asked to give up.",
        {"lines": _UNITS_OF_LINES, **_RECALL},
        data.cancelled,
    ),
    "fulfillment_order.cancel_refused": EventType[FulfillmentOrder](
        "The location ships units that it was asked to give up.",
        {"lines": _UNITS_OF_LINES},
        data.cancel_refused,
    ),
    "fulfillment_order.personal_data_erased": EventType[FulfillmentOrder](
        "Its address is gone, but for the country.", public=False
    ),
    "fulfillment_order.rejected": EventType[FulfillmentOrder](
        "The location says that it does not ship units; they wait for another source.",
        {"lines": _UNITS_OF_LINES, "reason": _TEXT},
        data.rejected,
    ),
    "fulfillment_order.shipped": EventType[FulfillmentOrder](
        "Parcels of this work have left.", {"shipments": _IDS}, data.shipped
    ),
    "shipment.shipped": EventType[Shipment](
        "A parcel has left its location.",
        {
            **_OCCURRED,
            "carrier": _TEXT_OR_NULL,
            "tracking_number": _TEXT_OR_NULL,
            "weight_g": {"type": ["integer", "null"], "description": "Grams."},
            "lines": _list(_LINE),
        },
        data.parcel,
    ),
    "shipment.dated": EventType[Shipment](
        "The location has said when a parcel left that was known only to have arrived.",
        _OCCURRED,
        data.occurred,
    ),
    "shipment.tracked": EventType[Shipment](
        "The carrier says where a parcel is.",
        {"state": _one_of(ShipmentState), **_OCCURRED},
        data.tracked,
    ),
    "shipment.delivered": EventType[Shipment]("A parcel has arrived.", _OCCURRED, data.occurred),
    "return.requested": EventType[Return](
        "Units are to come back.", {"lines": _list(_RETURN_LINE)}, data.requested_return
    ),
    "return.received": EventType[Return](
        "Units have come in at a location; no lines when their disposition has told of them before.",
        {**_OCCURRED, "location": _TEXT, "lines": _list(_RETURN_LINE)},
        data.received,
    ),
    "return.disposed": EventType[Return](
        "It is settled what becomes of units.",
        {**_OCCURRED, "location": _TEXT, "lines": _list({**_RETURN_LINE, "outcome": _one_of(Outcome)})},
        data.disposed,
    ),
    "refund.settled": EventType[Refund]("Money has been given back.", {"amount": _AMOUNT}, data.settled),
    "refund.due": EventType[Refund](
        "Money is to be given back.",
        {
            "amount": {**_AMOUNT, "description": "In minor units; less than the lines when less was paid."},
            "lines": _list(
                {
                    "line_id": _TEXT,
                    "units": _UNITS,
                    "amount": _AMOUNT,
                    "tax": {**_AMOUNT, "description": "Part of the amount, in minor units."},
                }
            ),
        },
        data.due,
    ),
    "transfer.planned": EventType[Transfer]("A transfer is planned, or its plan has changed.", public=False),
    "transfer.ready": EventType[Transfer](
        "The units of a transfer are kept at its source; its plan does not change any more.",
        {**_ENDS, "due": {**_TIME, "description": "When it arrives; UTC."}, "lines": _list(_LINE)},
        data.claimed,
    ),
    "transfer.dispatched": EventType[Transfer](
        "Units have left their location.", {**_ENDS, **_OCCURRED, "lines": _list(_LINE)}, data.dispatched
    ),
    "transfer.dated": EventType[Transfer](
        "The source has said when units left, and which, that were known only to have come in.",
        {**_ENDS, **_OCCURRED, "lines": _list(_LINE)},
        data.dispatched,
    ),
    "transfer.received": EventType[Transfer](
        "Units have come in at their target.",
        {**_ENDS, **_OCCURRED, "lines": _list({**_LINE, "damaged": _UNITS})},
        data.arrived,
    ),
    "transfer.closed_short": EventType[Transfer](
        "What has not come in is not expected any more.", {**_ENDS, "lines": _list(_LINE)}, data.lost
    ),
    "transfer.cancelled": EventType[Transfer](
        "The transfer is stopped.", {**_ENDS, "units": _one_of(Fate)}, data.stopped
    ),
    "reservation.held": EventType[Reservation](
        "Units are held for a cart, for the first time or again.", _HELD, data.held
    ),
    "reservation.changed": EventType[Reservation]("A cart holds other units than before.", _HELD, data.held),
    "reservation.extended": EventType[Reservation](
        "A cart holds the same units for another time.", _HELD, data.held, public=False
    ),
    "reservation.released": EventType[Reservation]("A cart has given back what it held."),
    "reservation.expired": EventType[Reservation]("What a cart held was cleared away after its time."),
    "reservation.confirmed": EventType[Reservation](
        "A cart has become an order, which took over what it held.", {"order_id": _TEXT}, data.confirmed
    ),
}
"""Every type of event, by name."""
