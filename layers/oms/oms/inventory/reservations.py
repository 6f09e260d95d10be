"""Reservations: what carts claim of positions for a time, and which claims end when units are taken. Pure.

A reservation is worth something until `expires_at` and nothing from then on, whether or not anybody has
cleared it away: readers add the units of expired rows back, and whoever needs those units ends the rows in
the transaction that takes them. What nobody needs, the clock clears away.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from oms.inventory.model import Reserved, Stock
from oms.orders.commands import Address, Method
from oms.orders.journal import Journaled
from oms.values import frozen, replace

type Place = tuple[str, str]
"""A sku and a location."""


class ReservationState(StrEnum):
    """What has become of a reservation: held until its time, given back, cleared away, or an order's."""

    HELD = "held"
    RELEASED = "released"
    EXPIRED = "expired"
    CONFIRMED = "confirmed"


@frozen
class CartLine:
    """Units of a sku that a cart wants; its smallest units."""

    sku: str
    units: int


@frozen
class Cart:
    """What a buyer has in his cart on a channel, and how it shall reach him, as far as that is known."""

    channel: str
    lines: tuple[CartLine, ...]
    method: Method = Method.SHIP
    location: str | None = None
    ship_to: Address | None = None


@frozen
class Reservation(Journaled):
    """The header of a reservation: the cart, and the units held for it by sku and location.

    `partial` says that it holds less than the cart wants. `order_id` is the order that it has become.
    """

    id: str
    cart: Cart
    expires_at: datetime
    held: Mapping[Place, int] = field(default_factory=dict)
    partial: bool = False
    state: ReservationState = ReservationState.HELD
    order_id: str | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether it still holds its units at `now` (UTC)."""
        return self.state is ReservationState.HELD and now < self.expires_at

    def state_at(self, now: datetime) -> ReservationState:
        """Its state at `now` (UTC): expired from its time on, whether or not it has been cleared away."""
        over = self.state is ReservationState.HELD and now >= self.expires_at
        return ReservationState.EXPIRED if over else self.state

    def confirmed(self, order_id: str, at: datetime) -> "Reservation":
        """This reservation once it has become an order."""
        over = replace(self, state=ReservationState.CONFIRMED, held={}, order_id=order_id)
        return over.written(at, "confirmed", data={"order_id": order_id})

    def released(self, at: datetime) -> "Reservation":
        """This reservation once its owner has given it back."""
        return replace(self, state=ReservationState.RELEASED, held={}).written(at, "released")

    def expired(self, at: datetime) -> "Reservation":
        """This reservation once it has been cleared away after its time."""
        return replace(self, state=ReservationState.EXPIRED, held={}).written(at, "expired")

    def rows(self) -> tuple[Reserved, ...]:
        """What is kept of it beside the positions."""
        return tuple(
            Reserved(sku, location, self.id, units, self.expires_at)
            for (sku, location), units in sorted(self.held.items())
        )


def ending(
    stocks: Mapping[str, Stock],
    taken: Mapping[Place, int],
    safety: Mapping[Place, int],
    now: datetime,
    reservation: str | None = None,
) -> tuple[Reserved, ...]:
    """The rows that end when units are taken: all of the cart's own, and the fewest expired ones that do.

    Args:
        stocks: as stored, expired rows and all.
        taken: units by sku and location; what an own row there holds is among them.
        safety: units that must stay uncommitted, by sku and location.
        now: UTC.
        reservation: the cart's own.
    """
    own = [row for stock in stocks.values() for row in stock.reserved if row.reservation == reservation]
    ended = list(own)
    for (sku, location), units in taken.items():
        position = next(held for held in stocks[sku].positions if held.location == location)
        kept = sum(row.units for row in own if (row.sku, row.location) == (sku, location))
        left = safety.get((sku, location), 0) if units > kept else 0
        short = units - kept + left - position.uncommitted
        expired = (
            row
            for row in stocks[sku].reserved
            if row.location == location and row.expires_at <= now and row.reservation != reservation
        )
        for row in sorted(expired, key=lambda row: (-row.units, row.reservation)):
            if short <= 0:
                break
            ended.append(row)
            short -= row.units
    return tuple(ended)
