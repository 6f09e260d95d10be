"""Amounts of channels that write more decimals than their currency has: in minor units, exact, then whole."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

from oms.channels.currencies import scaled
from oms.channels.payload import Node

_UNIT_PRICE = Decimal("0.000001")
"""Of a unit price in minor units: what a division leaves beyond it is not the channel's."""


def exact(node: Node, currency: str, *keys: str) -> Decimal | None:
    """The first of the fields `keys` that is there, in minor units, fractions kept."""
    for key in keys:
        value = node.decimal(key)
        if value is not None:
            return scaled(value, currency)
    return None


def whole(node: Node, currency: str, *keys: str) -> int:
    """The same in whole minor units, halves rounded away from zero; 0 when none is there."""
    return rounded(exact(node, currency, *keys) or Decimal(0))


def rounded(units: Decimal) -> int:
    """Whole minor units, halves away from zero."""
    return int(units.to_integral_value(ROUND_HALF_UP))


def unit_price(units: Decimal) -> int | str:
    """A unit price in minor units as lines have it: an integer, or a decimal string."""
    price = units.quantize(_UNIT_PRICE, ROUND_HALF_UP).normalize()
    return int(price) if price == price.to_integral_value() else f"{price:f}"


def pieces(quantity: Decimal | int | str) -> int:
    """Whole units that hold a quantity: a part of a unit counts as one."""
    return int(Decimal(quantity).to_integral_value(ROUND_CEILING))
