"""Reservations: units that carts hold for a time, and what became of them."""

from typing import Annotated, Literal, TypedDict

from annotated_types import MaxLen, MinLen

from functions.api.fields import Closed, Doc, Moment, SomeUnits, Text, Time, utc
from functions.api.routing import Answer, Call, Route
from oms.inventory.reservations import Cart, CartLine, Reservation, ReservationState
from oms.orders.commands import Address, Method
from oms.problems import Code, Problem
from oms.store import process
from oms.store.keys import iso
from oms.store.reservations import read_reservation
from oms.store.tokens import Scope
from oms.usecases.end_reservations import release_cart
from oms.usecases.reserve_cart import Wish, reserve_cart
from oms.values import frozen


class WantedDocument(TypedDict):
    """Units of a sku in the cart."""

    sku: str
    units: int


class HeldDocument(TypedDict):
    """Units held for the cart at a location; those of skus whose stock is not counted are not among them."""

    sku: str
    location: str
    units: int


class ReservationDocument(TypedDict):
    """What a cart holds, and until when."""

    reservation: str
    channel: str
    state: Annotated[ReservationState, Doc("`expired` from `expires_at` on, to the millisecond.")]
    expires_at: Time
    lines: list[WantedDocument]
    held: list[HeldDocument]
    partial: Annotated[bool, Doc("Whether less is held than the cart wants.")]
    method: Method
    location: str | None
    order_id: Annotated[str | None, Doc("The order that it has become.")]
    v: int


@frozen
class CartLineBody(Closed):
    """Units of a sku that the cart wants."""

    sku: Text
    units: SomeUnits


@frozen
class ShipToBody(Closed):
    """Where the cart will be shipped to, as far as the buyer has said."""

    country: Annotated[str, MinLen(2), MaxLen(2), Doc("ISO 3166-1 alpha-2.")]
    postal_code: Text | None = None


@frozen
class ReservationBody(Closed):
    """What the cart shall hold, and until when."""

    channel: Text
    lines: Annotated[tuple[CartLineBody, ...], MinLen(1), MaxLen(100)]
    expires_at: Annotated[Moment, Doc("Up to 24 hours from now; ISO 8601, UTC without an offset.")]
    method: Literal["ship", "pickup"] = "ship"
    location: Annotated[Text | None, Doc("Where the buyer picks it up: our id, or the channel's own.")] = None
    ship_to: ShipToBody | None = None
    partial: Annotated[bool, Doc("Hold what there is, when it is less than the cart wants.")] = False


def _show(call: Call[None, None]) -> Answer[ReservationDocument]:
    name = call.path["reservation"]
    found = read_reservation(process.table(), name)
    if found is None:
        raise Problem(Code.NOT_FOUND, f"reservation {name} is not there", "reservation")
    return Answer(_document(found, found.state_at(call.now)), found.v)


def _reserve(call: Call[None, ReservationBody]) -> Answer[ReservationDocument]:
    body = call.body
    if body.method == "pickup" and body.location is None:
        raise Problem(Code.FIELD_MISSING, "a pickup has a location", "location")
    cart = Cart(
        channel=body.channel,
        lines=tuple(CartLine(line.sku, line.units) for line in body.lines),
        method=Method(body.method),
        location=body.location,
        ship_to=Address(country=body.ship_to.country, postal_code=body.ship_to.postal_code)
        if body.ship_to
        else None,
    )
    wish = Wish(cart, utc(body.expires_at), body.partial)
    name = call.path["reservation"]
    made = reserve_cart(process.table(), process.network(), name, wish, call.now, call.expected)
    return Answer(_document(made, made.state), made.v)


def _release(call: Call[None, None]) -> Answer[ReservationDocument]:
    name = call.path["reservation"]
    ended = release_cart(process.table(), process.network(), name, call.now, call.expected)
    return Answer(_document(ended, ended.state), ended.v)


def _document(reservation: Reservation, state: ReservationState) -> ReservationDocument:
    cart = reservation.cart
    holds = state is ReservationState.HELD
    return {
        "reservation": reservation.id,
        "channel": cart.channel,
        "state": state,
        "expires_at": iso(reservation.expires_at),
        "lines": [{"sku": line.sku, "units": line.units} for line in cart.lines],
        "held": [
            {"sku": row.sku, "location": row.location, "units": row.units}
            for row in (reservation.rows() if holds else ())
        ],
        "partial": reservation.partial,
        "method": cart.method,
        "location": cart.location,
        "order_id": reservation.order_id,
        "v": reservation.v,
    }


ROUTES = (
    Route(
        "GET",
        "/reservations/{reservation}",
        Scope.RESERVATIONS_READ,
        "Show what a cart holds",
        _show,
        ReservationDocument,
        problems=(Code.NOT_FOUND,),
        description="For seven days after its end it is known what became of it.",
        versioned=True,
    ),
    Route(
        "PUT",
        "/reservations/{reservation}",
        Scope.RESERVATIONS_WRITE,
        "Hold what a cart wants",
        _reserve,
        ReservationDocument,
        body=ReservationBody,
        problems=(
            Code.CHANNEL_UNKNOWN,
            Code.CONFLICT,
            Code.STATE_REFUSED,
            Code.STOCK_SHORT,
            Code.UNSUPPORTED,
            Code.VERSION_MISMATCH,
        ),
        description="Under an id of the caller's: another `expires_at` extends it, other lines change it by "
        "the difference. One that has expired or was released is held anew. All or nothing, without "
        "`partial`. An order that names it as its `reservation` takes over what it holds.",
        versioned=True,
    ),
    Route(
        "DELETE",
        "/reservations/{reservation}",
        Scope.RESERVATIONS_WRITE,
        "Release what a cart holds",
        _release,
        ReservationDocument,
        problems=(Code.NOT_FOUND, Code.STATE_REFUSED, Code.VERSION_MISMATCH),
        versioned=True,
    ),
)
