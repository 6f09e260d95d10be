"""Codecs of reservations: the header, and its rows beside the positions; what ending rows writes."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, cast

from oms.inventory.model import Reserved
from oms.inventory.reservations import Cart, CartLine, Reservation, ReservationState
from oms.orders.commands import Address, Method
from oms.orders.identity import shard
from oms.orders.work import WorkStage
from oms.store import keys
from oms.store.attributes import Item, Value, millis, moment
from oms.store.journal import decode_journal, encode_journal
from oms.store.table import Table
from oms.store.writes import Write

KEPT_FOR = timedelta(days=7)
"""How long it is remembered what became of a reservation; DynamoDB then deletes it at no cost."""


LONGEST_ID = 64
"""Letters of a reservation's id; whatever is longer names none."""


def read_reservation(table: Table, name: str) -> Reservation | None:
    """A reservation as it stands now."""
    item = table.get(keys.reservation(name)) if len(name) <= LONGEST_ID else None
    return decode_reservation(item) if item else None


def read_reservations(table: Table, names: Iterable[str]) -> dict[str, Reservation]:
    """The reservations that there are of those named, as they stand now, by id."""
    wanted = (keys.reservation(name) for name in names if len(name) <= LONGEST_ID)
    found = map(decode_reservation, table.get_many(wanted, consistent=True))
    return {reservation.id: reservation for reservation in found}


def read_rows(table: Table, reservation: Reservation) -> tuple[Reserved, ...]:
    """The rows that are there of those that a reservation has, as they stand now."""
    items = table.get_many(map(_key, reservation.rows()), consistent=True)
    return tuple(map(decode_reserved, items))


def encode_reservation(reservation: Reservation) -> Item:
    """A header's attributes, without its key; in the work queue until somebody has ended it."""
    cart = reservation.cart
    item: Item = {
        "t": "reservation",
        "sv": 1,
        "v": reservation.v,
        "ch": cart.channel,
        "st": str(reservation.state),
        "ln": [[line.sku, line.units] for line in cart.lines],
        "m": str(cart.method),
        "rw": [[sku, location, units] for (sku, location), units in sorted(reservation.held.items())],
        "exp": millis(reservation.expires_at),
        "j": encode_journal(reservation.journal[-1:]),  # nobody asks for the history of a cart
    }
    optional: dict[str, Value | None] = {
        "loc": cart.location,
        "part": reservation.partial or None,
        "order": reservation.order_id,
    }
    if cart.ship_to:
        optional["to"] = {name: part for name, part in asdict(cart.ship_to).items() if part is not None}
    if reservation.state is ReservationState.HELD:
        optional["GSI1PK"] = keys.work(WorkStage.EXPIRE, shard(reservation.id))
        optional["GSI1SK"] = keys.iso(reservation.expires_at)
    else:
        ended_at = reservation.journal[-1].at
        optional["ttl"] = millis(ended_at + KEPT_FOR) // 1000
    return item | {name: value for name, value in optional.items() if value is not None}


def decode_reservation(item: Item) -> Reservation:
    """A reservation from the item of its header, key included."""
    stored = cast(dict[str, Any], item)
    return Reservation(
        id=stored["PK"].removeprefix(keys.RESERVATION),
        cart=Cart(
            channel=stored["ch"],
            lines=tuple(CartLine(sku, units) for sku, units in stored["ln"]),
            method=Method(stored["m"]),
            location=stored.get("loc"),
            ship_to=Address(**stored["to"]) if "to" in stored else None,
        ),
        expires_at=moment(stored["exp"]),
        held={(sku, location): units for sku, location, units in stored["rw"]},
        partial=stored.get("part", False),
        state=ReservationState(stored["st"]),
        order_id=stored.get("order"),
        v=stored["v"],
        journal=decode_journal(stored["j"]),
    )


def encode_reserved(row: Reserved) -> Item:
    """A row's attributes, without its key."""
    return {"t": "reserved", "sv": 1, "units": row.units, "expires_at": millis(row.expires_at)}


def decode_reserved(item: Item) -> Reserved:
    """A row from its item."""
    stored = cast(dict[str, Any], item)
    reservation, location = stored["SK"].removeprefix(keys.RESERVED).split("#")
    return Reserved(
        sku=stored["PK"].removeprefix(keys.SKU),
        location=location,
        reservation=reservation,
        units=stored["units"],
        expires_at=moment(stored["expires_at"]),
    )


def hold(row: Reserved, seen: Reserved | None) -> Write:
    """Write a row, in place of the one seen; its units have to change on the position with it."""
    if seen is None:
        return Write("Put", _key(row), encode_reserved(row), condition="attribute_not_exists(#PK)")
    return Write("Put", _key(row), encode_reserved(row), condition=_AS_SEEN, values=_seen(seen))


def end(row: Reserved) -> Write:
    """Remove a row as it was seen; its units go back to the position with it, once."""
    return Write("Delete", _key(row), condition=_AS_SEEN, values=_seen(row))


_AS_SEEN = "#units = :units AND #expires_at = :expires_at"


def _seen(row: Reserved) -> dict[str, Value]:
    return {"units": row.units, "expires_at": millis(row.expires_at)}


def _key(row: Reserved) -> keys.Key:
    return keys.reserved(row.sku, row.reservation, row.location)
