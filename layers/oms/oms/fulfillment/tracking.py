"""Tracking: what carriers say of a parcel, in whatever order and however often they say it."""

from datetime import datetime, timedelta

from oms.fulfillment.model import Shipment, ShipmentState
from oms.values import replace

REUSED_AFTER = timedelta(days=120)
"""Carriers use a number again: what is said of it so long after a parcel has left means another parcel."""

_LEFT, _ARRIVED = 1, 2
_WEIGHTS = {
    ShipmentState.LABELLED: 0,
    ShipmentState.DELIVERED: _ARRIVED,
    ShipmentState.RETURNING: _ARRIVED,
    ShipmentState.RETURNED_TO_SENDER: _ARRIVED,
}
"""States that outweigh others, whatever the time: a parcel that is delivered is not on its way any more, and
one that goes back is on its way all the same; a label says nothing of a parcel that has left."""

_RANKS = {state: rank for rank, state in enumerate(ShipmentState)}


def track(shipment: Shipment, state: ShipmentState, at: datetime, now: datetime) -> Shipment:
    """The shipment after a carrier's word; unchanged when it is known, or later word is.

    Words are in one order: by weight, then by the carrier's time, then by state; the last of them counts, so
    the order in which they arrive does not matter. Delivered yields only to going back, and that to it; that
    it was delivered is taken down all the same, once.

    Args:
        shipment: as it stands.
        state: what the carrier says.
        at: when that was, UTC.
        now: time of the write, UTC.
    """
    latest = _order(state, at) > _order(shipment.state, shipment.state_at)
    known = any("delivered" in entry.kinds for entry in shipment.journal)
    arrives = state is ShipmentState.DELIVERED and not known
    if not latest and not arrives:
        return shipment
    moved = replace(shipment, state=state, state_at=at) if latest else shipment
    kinds = [kind for kind, happens in {"tracked": latest, "delivered": arrives}.items() if happens]
    return moved.written(now, *kinds, data={"state": str(state), "occurred_at": at.isoformat()})


def concerned(shipment: Shipment, at: datetime) -> bool:
    """Whether word of its tracking number at a time can be about this shipment."""
    return at - shipment.journal[0].at < REUSED_AFTER


def _order(state: ShipmentState, at: datetime) -> tuple[int, datetime, int]:
    return _WEIGHTS.get(state, _LEFT), at, _RANKS[state]
