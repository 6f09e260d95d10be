"""What events say of an entity: from what never changes of it, and from the data of the journal entry.

Nothing else may be read here: counters and states change, and an event that is derived again must be the
same. No event carries personal data.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from oms.fulfillment.model import FulfillmentOrder, Shipment
from oms.inventory.reservations import Reservation
from oms.inventory.transfers import Transfer
from oms.orders.model import Order
from oms.payments.refunds import Refund
from oms.returns.model import Return
from oms.store.keys import iso

type Json = None | bool | int | str | list[Json] | dict[str, Json]
type Data = dict[str, Json]
type Kept = Mapping[str, Any]
"""The data of a journal entry."""


def nothing(entity: object, kept: Kept) -> Data:
    """Nothing but the identity of the entity."""
    return {}


def identity_of_order(order: Order) -> Data:
    """What every event of an order says."""
    return {"channel": order.channel, "order_number": order.order_number}


def placed(order: Order, kept: Kept) -> Data:
    """What was ordered at first, and where each unit was: `ordered` and the sku of a line never change."""
    edits = (entry.data for entry in order.journal if "edited" in entry.kinds)
    unedited = {"lines_before": len(order.lines), "total_before": order.total}
    edit: Kept = next(edits, unedited)
    return {
        "placed_at": iso(order.placed_at),
        "currency": order.currency,
        "total": edit["total_before"],
        "test": order.test,
        "lines": [
            {
                "line_id": line.line_id,
                "sku": line.sku,
                "kind": str(line.kind),
                "units": line.ordered,
                "allocated": [
                    {"location": location, "units": units}
                    for line_id, location, units in kept["allocated"]
                    if line_id == line.line_id
                ],
                "backordered": kept["backordered"].get(line.line_id, 0),
                "open": kept["open"].get(line.line_id, 0),
            }
            for line in order.lines[: edit["lines_before"]]
        ],
    }


def hold(order: Order, kept: Kept) -> Data:
    """Which hold."""
    return {"hold": kept["hold"]}


def money(order: Order, kept: Kept) -> Data:
    """What was paid or given back, and what that comes to."""
    return {name: kept[name] for name in ("kind", "amount", "authorized", "captured", "refunded")}


def edited(order: Order, kept: Kept) -> Data:
    """The lines that are new, those with other amounts, and the total."""
    return {"added": kept["added"], "changed": kept["changed"], "total": kept["total"]}


def sourced(order: Order, kept: Kept) -> Data:
    """Units by line and the location that they were found at."""
    return {"lines": _at_locations(kept["allocated"])}


def reopened(order: Order, kept: Kept) -> Data:
    """Units by line and the location that they were taken back from, and why."""
    return {"reason": kept["reason"], "lines": _at_locations(kept["taken"])}


def expected(order: Order, kept: Kept) -> Data:
    """The lines that wait, when their last unit is expected, and what was told before."""

    def time(text: str) -> str | None:
        return iso(datetime.fromisoformat(text)) if text else None

    return {
        "lines": [
            {"line_id": name, "expected_at": time(now), "told_before": time(before)}
            for name, now, before in kept["expected"]
        ]
    }


def moved(order: Order, kept: Kept) -> Data:
    """Units by line and the location that they come from now, and where they were."""
    return {"from": kept["from"], "lines": _at_locations(kept["moved"])}


def replanned(order: Order, kept: Kept) -> Data:
    """Units by line and the location that they come from now, those where they were, and what that saves."""
    before, after = kept["cost"]
    return {
        "lines": _at_locations(kept["moved"]),
        "left": _at_locations(kept["from"]),
        "cost_before": before,
        "cost_after": after,
        "saved": kept["saved"],
    }


def position_short(order: Order, kept: Kept) -> Data:
    """The position."""
    sku, _, location = kept["position"].rpartition("@")
    return {"sku": sku, "location": location}


def transferred(order: Order, kept: Kept) -> Data:
    """The transfer."""
    return {"transfer": kept["transfer"]}


def released(order: Order, kept: Kept) -> Data:
    """The fulfillment orders made."""
    return {"fulfillment_orders": [f"{order.order_id}-{name}" for name in kept["fulfillment_orders"]]}


def cancelled(entity: Order | FulfillmentOrder, kept: Kept) -> Data:
    """The units cancelled, and why."""
    return {"lines": _units_of_lines(kept["cancelled"])} | _reason(kept)


def rejected(work: FulfillmentOrder, kept: Kept) -> Data:
    """The units that a location does not ship, and why."""
    return {"lines": _units_of_lines(kept["rejected"])} | _reason(kept)


def cancel_requested(order: Order, kept: Kept) -> Data:
    """The units that locations are asked to give up, and why."""
    return _reason(kept) | {
        "fulfillment_orders": [
            {"fulfillment_order": f"{order.order_id}-{name}", "lines": _units_of_lines(units)}
            for name, units in kept["asked"].items()
        ]
    }


def cancel_refused(entity: Order | FulfillmentOrder, kept: Kept) -> Data:
    """The units that were to be cancelled and are shipped all the same."""
    return {"lines": _units_of_lines(kept["refused"])}


def recalled(work: FulfillmentOrder, kept: Kept) -> Data:
    """The units that the location is asked to give up, and why."""
    return {"lines": _units_of_lines(kept["units"])} | _reason(kept)


def shipped(entity: Order | FulfillmentOrder, kept: Kept) -> Data:
    """The parcels that have left."""
    return {"shipments": [f"{entity.order_id}-{name}" for name in kept["shipments"]]}


def replaced(order: Order, kept: Kept) -> Data:
    """The order that it takes the place of."""
    return {"replaces": kept["replaces"]}


def fulfillment(order: Order, kept: Kept) -> Data:
    """The fulfillment of the channel that is in conflict."""
    return {"fulfillment": kept["fulfillment"]}


def delivered(order: Order, kept: Kept) -> Data:
    """The lines with units that have arrived."""
    return {"lines": [{"line_id": name, "delivered": units} for name, units in kept["delivered"].items()]}


def returned(order: Order, kept: Kept) -> Data:
    """The units that have come back as announced."""
    return {"lines": [{"line_id": name, "units": units} for name, units in kept["returned"].items()]}


def identity_of_work(work: FulfillmentOrder) -> Data:
    """What every event of a fulfillment order says."""
    return {"channel": work.channel, "order_number": work.order_number, "location": work.location}


def requested_work(work: FulfillmentOrder, kept: Kept) -> Data:
    """What the location has to ship, and how it reaches the customer."""
    return {
        "method": str(work.method),
        "lines": [{"line_id": line.line_id, "sku": line.sku, "units": line.requested} for line in work.lines],
    }


def identity_of_shipment(shipment: Shipment) -> Data:
    """What every event of a parcel says."""
    work = f"{shipment.order_id}-{shipment.fulfillment_order}"
    return {"fulfillment_order": work, "location": shipment.location}


def tracked(shipment: Shipment, kept: Kept) -> Data:
    """Where a parcel is, and since when, by the carrier's word."""
    return {"state": kept["state"], **occurred(shipment, kept)}


def occurred(entity: Shipment | Return | Transfer, kept: Kept) -> Data:
    """When it happened, by the word of who reported it."""
    return {"occurred_at": iso(datetime.fromisoformat(kept["occurred_at"]))}


def parcel(shipment: Shipment, kept: Kept) -> Data:
    """Who carries what."""
    return {
        **occurred(shipment, kept),
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "weight_g": shipment.weight_g,
        "lines": [{"line_id": line.line_id, "sku": line.sku, "units": line.units} for line in shipment.lines],
    }


def identity_of_return(return_: Return) -> Data:
    """What every event of a return says."""
    return {"rma": return_.id, "reference": return_.reference}


def requested_return(return_: Return, kept: Kept) -> Data:
    """The units announced."""
    return {"lines": _return_lines(return_, kept["requested"])}


def received(return_: Return, kept: Kept) -> Data:
    """The units that have come in, when and where."""
    return {
        **occurred(return_, kept),
        "location": kept["location"],
        "lines": _return_lines(return_, kept["received"]),
    }


def disposed(return_: Return, kept: Kept) -> Data:
    """What becomes of units, when and where."""
    return {
        **occurred(return_, kept),
        "location": kept["location"],
        "lines": [
            {"line_id": name, "sku": _sku(return_, name), "outcome": outcome, "units": units}
            for name, outcome, units in kept["disposed"]
        ],
    }


def identity_of_refund(refund: Refund) -> Data:
    """What every event of a refund says."""
    return_id = f"{refund.order_id}-{refund.return_id}" if refund.return_id else None
    return {"return": return_id, "currency": refund.currency}


def settled(refund: Refund, kept: Kept) -> Data:
    """How much."""
    return {"amount": kept["amount"]}


def due(refund: Refund, kept: Kept) -> Data:
    """How much, and for what."""
    return {
        "amount": kept["amount"],
        "lines": [
            {"line_id": line.line_id, "units": line.units, "amount": line.amount, "tax": line.tax}
            for line in refund.lines
        ],
    }


def _at_locations(units: Iterable[tuple[str, str, int]]) -> list[Json]:
    return [{"line_id": name, "location": location, "units": count} for name, location, count in units]


def _units_of_lines(units: Mapping[str, int]) -> list[Json]:
    return [{"line_id": name, "units": count} for name, count in units.items()]


def _reason(kept: Kept) -> Data:
    return {"reason": kept["reason"]}


def _return_lines(return_: Return, units: Mapping[str, int]) -> list[Json]:
    return [{"line_id": name, "sku": _sku(return_, name), "units": count} for name, count in units.items()]


def _sku(return_: Return, line_id: str) -> str | None:
    line = return_.line(line_id)
    return line.sku if line else None


def no_identity(entity: object) -> Data:
    """For what may change in every respect: its events say what they have to."""
    return {}


def claimed(transfer: Transfer, kept: Kept) -> Data:
    """The transfer as it is from then on: its plan does not change any more."""
    units = {line.line_id: line.units for line in transfer.lines}
    return _ends(transfer) | {"due": iso(transfer.due), "lines": _of_transfer(transfer, units)}


def dispatched(transfer: Transfer, kept: Kept) -> Data:
    """The units that have left, and when."""
    return _ends(transfer) | occurred(transfer, kept) | {"lines": _of_transfer(transfer, kept["sent"])}


def arrived(transfer: Transfer, kept: Kept) -> Data:
    """The units that have come in, and when."""
    skus = {line.line_id: line.sku for line in transfer.lines}
    lines: list[Json] = [
        {"line_id": line_id, "sku": skus[line_id], "units": units, "damaged": damaged}
        for line_id, units, damaged in kept["received"]
    ]
    return _ends(transfer) | occurred(transfer, kept) | {"lines": lines}


def lost(transfer: Transfer, kept: Kept) -> Data:
    """The units that are not expected any more."""
    return _ends(transfer) | {"lines": _of_transfer(transfer, kept["lost"])}


def stopped(transfer: Transfer, kept: Kept) -> Data:
    """What became of the units."""
    return _ends(transfer) | {"units": kept["fate"]}


def _ends(transfer: Transfer) -> Data:
    return {"source": transfer.source, "target": transfer.target}


def _of_transfer(transfer: Transfer, units: Mapping[str, int]) -> list[Json]:
    return [
        {"line_id": line.line_id, "sku": line.sku, "units": units[line.line_id]}
        for line in transfer.lines
        if units.get(line.line_id)
    ]


def identity_of_reservation(reservation: Reservation) -> Data:
    """What every event of a reservation says."""
    return {"channel": reservation.cart.channel}


def held(reservation: Reservation, kept: Kept) -> Data:
    """What is held from now on, and until when."""
    return {
        "expires_at": iso(datetime.fromisoformat(kept["until"])),
        "held": [{"sku": sku, "location": location, "units": units} for sku, location, units in kept["held"]],
    }


def confirmed(reservation: Reservation, kept: Kept) -> Data:
    """The order that it has become."""
    return {"order_id": kept["order_id"]}
