"""Exact integer money: what part of a total belongs to some of a line's units, and spreading a total.

All amounts are integers in the currency's minor unit.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

_UNIT_PRICE = Decimal("0.000001")
"""Of a unit price in minor units: what a division leaves beyond it nobody asks for."""


def share(total: int, kept: int, units: int) -> int:
    """The part of a line's `total` that `kept` of its `units` carry: floor(total * kept / units).

    Captures, refunds and cancellations are differences of this value as `kept` changes, so any sequence of
    them ends at exactly `total` and nothing needs to be stored per unit.

    Args:
        total: amount of the whole line in minor units; may be negative (a discount).
        kept: units kept, 0 to `units`.
        units: all units of the line, at least 1.

    Raises:
        ValueError: `kept` is outside 0..units.
    """
    if not 0 <= kept <= units or units == 0:
        raise ValueError(f"{kept} of {units} units")
    return total * kept // units


def spread(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `total` in proportion to `weights` by largest remainder, so that the parts add up to it exactly.

    Ties go to the earlier weight. When all weights are 0 they count as equal.

    Args:
        total: minor units, of either sign.
        weights: one non-negative weight per part, at least one.

    Raises:
        ValueError: no weights, or a negative one.
    """
    if not weights or min(weights) < 0:
        raise ValueError(f"cannot spread over weights {list(weights)}")
    if not any(weights):
        weights = [1] * len(weights)
    sign = -1 if total < 0 else 1
    whole = sum(weights)
    parts = [abs(total) * weight // whole for weight in weights]
    remainders = [abs(total) * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    for index in by_remainder[: abs(total) - sum(parts)]:
        parts[index] += 1
    return tuple(sign * part for part in parts)


def per_unit(amount: int, units: Decimal) -> int | str:
    """The price of one of several units, as lines have it: minor units, a decimal text when it is not whole.

    Args:
        amount: minor units of all of them.
        units: how many; of none each costs nothing.
    """
    price = (amount / units if units else Decimal(0)).quantize(_UNIT_PRICE, ROUND_HALF_UP).normalize()
    return int(price) if price == price.to_integral_value() else f"{price:f}"
