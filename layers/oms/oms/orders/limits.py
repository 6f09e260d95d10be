"""Limits of what channels say: how many units, how much money, what is never below nothing, how long a name.

A number beyond them is a mistake, whoever made it. They are far above what anybody sells, and far within what
the store keeps exactly (38 digits) and every reader of JSON does (2^53). Names by which things are found are
in the store's keys, which have room for 1024 bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from decimal import Decimal
from functools import cache
from typing import NamedTuple, get_args, get_type_hints

from oms.orders.commands import LISTING, Delivery, Fee, Line, Payment, PlaceOrder
from oms.orders.records import (
    ChannelWorkLine,
    FulfillmentRecorded,
    ListingRecorded,
    Parcel,
    PaymentRecorded,
    RefundLine,
    RefundRecorded,
    ReturnedLine,
    ReturnRecorded,
    StockRecorded,
    TrackingRecorded,
    UnitsOfLine,
)
from oms.problems import Code, Problem

MOST_UNITS = 10**12
"""What a quantity may be at most, in the unit that the channel sells."""

MOST_MONEY = 10**15
"""What an amount may be at most, in minor units."""

LONGEST_NAME = 900
"""Bytes (UTF-8) of a name that stands in keys at most; what stands before it has room too."""


class Limit(NamedTuple):
    """The least and the most that a number may be, and what such a number is called."""

    least: int
    most: int
    name: str


UNITS = Limit(0, MOST_UNITS, "a quantity of at most 10^12")
COUNT = Limit(-MOST_UNITS, MOST_UNITS, "a number of units of at most 10^12")
MONEY = Limit(0, MOST_MONEY, "an amount of at most 10^15 minor units")
AMOUNT = Limit(-MOST_MONEY, MOST_MONEY, "an amount of at most 10^15 minor units, of either sign")

LIMITS: Mapping[type, Mapping[str, Limit]] = {
    PlaceOrder: {"total": MONEY} | dict.fromkeys(("discount", "shipping", "duties", "tip", "tax"), AMOUNT),
    Delivery: dict.fromkeys(("shipping", "shipping_discount", "shipping_tax"), AMOUNT),
    Line: dict.fromkeys(("quantity", "cancelled", "refunded", "shipped"), UNITS)
    | dict.fromkeys(("unit_price", "amount", "discount", "tax"), AMOUNT),
    Fee: dict.fromkeys(("amount", "tax"), AMOUNT),
    Payment: {"amount": MONEY},
    PaymentRecorded: {"amount": MONEY},
    RefundRecorded: {"amount": MONEY}
    | dict.fromkeys(("shipping", "shipping_tax", "duties", "fees", "adjustment"), AMOUNT),
    RefundLine: {"quantity": UNITS, "amount": MONEY, "tax": MONEY},
    UnitsOfLine: {"quantity": UNITS},
    ChannelWorkLine: {"quantity": UNITS},
    ReturnedLine: {"quantity": UNITS},
    StockRecorded: {"available": COUNT},
}
"""The limits of every number in a command. Of either sign is what may take off a price, or correct a sum."""

NAMES: Mapping[type, tuple[str, ...]] = {
    PlaceOrder: ("reservation",),
    Line: ("sku",),
    PaymentRecorded: ("payment_id",),
    RefundRecorded: ("refund_id",),
    FulfillmentRecorded: ("fulfillment_id",),
    Parcel: ("tracking_number",),
    TrackingRecorded: ("tracking_number",),
    ReturnRecorded: ("return_id",),
    ListingRecorded: ("listing_id", "item_id", "sku"),
}
"""What things are found by."""


def require_limits(command: object, path: str = "") -> None:
    """See that all numbers and names in a command are within their limits.

    Args:
        command: a command, or a part of one.
        path: where it stands in what was sent; empty when it is all of it.

    Raises:
        Problem: `field_invalid`, names the field of the command.
    """
    for name, part in _parts(command):  # sums come after what they are of
        require_limits(part, f"{path}.{name}" if path else name)
    for name, limit in LIMITS.get(type(command), {}).items():
        value = getattr(command, name)
        number = Decimal(value) if isinstance(value, str) else value
        if number is not None and not limit.least <= number <= limit.most:
            field = f"{path}.{name}" if path else name
            raise Problem(Code.FIELD_INVALID, f"{str(value)[:40]} is not {limit.name}", field)
    for name, text in _names_in(command):
        if len(text.encode()) > LONGEST_NAME:
            field = f"{path}.{name}" if path else name
            raise Problem(Code.FIELD_INVALID, f"{text[:40]!r}.. is longer than {LONGEST_NAME} bytes", field)


def _names_in(command: object) -> Iterator[tuple[str, str]]:
    """The names that a command itself has, with their places."""
    for name in NAMES.get(type(command), ()):
        if text := getattr(command, name):
            yield name, text
    if isinstance(command, Line) and LISTING in command.properties:
        yield f"properties.{LISTING}", command.properties[LISTING]


def _parts(command: object) -> Iterator[tuple[str, object]]:
    """The dataclasses inside of one, with their places."""
    kind: type = type(command)
    for name in _places(kind):
        value = getattr(command, name)
        if isinstance(value, tuple):
            yield from ((f"{name}[{number}]", part) for number, part in enumerate(value))
        elif type(value) in LIMITS:
            yield name, value


@cache
def _places(kind: type) -> tuple[str, ...]:
    """The fields that may hold dataclasses."""
    hints = get_type_hints(kind) if is_dataclass(kind) else {}
    return tuple(name for name, hint in hints.items() if any(map(is_dataclass, (hint, *get_args(hint)))))
