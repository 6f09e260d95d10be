"""Making an order's money add up: what is stated for the whole order is spread over its lines, once.

Everything is integer minor units. Spreading is by largest remainder, so the parts come to the whole exactly.
"""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from oms.channels.amounts import rounded
from oms.orders.commands import Line, PlaceOrder
from oms.payments.money import spread
from oms.values import replace


def with_discount(lines: Sequence[Line], rest: int) -> tuple[Line, ...]:
    """Spread an order's discount that no line carries yet, in proportion to what the lines still cost.

    A rest that is more than the lines cost is left out: no line may cost less than nothing.
    """
    net = _net(lines)
    if not 0 < rest <= sum(net):
        return tuple(lines)
    parts = spread(rest, net)
    return tuple(
        replace(line, discount=line.discount + part) for line, part in zip(lines, parts, strict=True)
    )


def with_tax(lines: Sequence[Line], rest: int, taxable: Sequence[bool]) -> tuple[Line, ...]:
    """Spread an order's tax that no line carries yet over the `taxable` lines, in proportion to their net."""
    if rest <= 0 or not lines:
        return tuple(lines)
    weights = [net if taxed else 0 for net, taxed in zip(_net(lines), taxable, strict=True)]
    parts = spread(rest, weights)
    return tuple(replace(line, tax=line.tax + part) for line, part in zip(lines, parts, strict=True))


def apportioned(exact: Sequence[Decimal], total: int | None = None) -> tuple[int, ...]:
    """Whole minor units for exact parts, by largest remainder, so that they come to the whole.

    Args:
        exact: the parts in minor units, of any number of decimals. A part that is nothing stays nothing.
        total: what they come to by the channel. Left out, or further from their sum than rounding explains
            (half a unit for each and for itself), it is their rounded sum.
    """
    whole = sum(exact, Decimal(0))
    if total is None or abs(total - whole) > Decimal(len(exact) + 1) / 2:
        total = rounded(whole)
    parts = [int(part.to_integral_value(ROUND_FLOOR)) for part in exact]
    some = [index for index, part in enumerate(exact) if part]
    missing = total - sum(parts)
    by_remainder = sorted(some, key=lambda index: (parts[index] - exact[index], index), reverse=missing < 0)
    for step in range(abs(missing) if some else 0):
        parts[by_remainder[step % len(some)]] += 1 if missing > 0 else -1
    return tuple(parts)


def flagged(order: PlaceOrder) -> PlaceOrder:
    """The order with `balanced` saying whether its parts come to its total, tax, discount and shipping.

    Sum of (amount - discount) + shipping - shipping discount + fees + duties + tip, plus tax unless prices
    include it, is the total.
    """
    shipping_discount = sum(delivery.shipping_discount for delivery in order.deliveries)
    total = (
        sum(line.amount - line.discount for line in order.lines)
        + order.shipping
        - shipping_discount
        + sum(fee.amount for fee in order.fees)
        + order.duties
        + order.tip
        + (0 if order.tax_included else order.tax)
    )
    taxes = (
        sum(line.tax for line in order.lines)
        + sum(delivery.shipping_tax for delivery in order.deliveries)
        + sum(fee.tax for fee in order.fees)
    )
    discount = sum(line.discount for line in order.lines)
    shipping = sum(delivery.shipping for delivery in order.deliveries)
    sums = (total, taxes, discount, shipping)
    return replace(order, balanced=sums == (order.total, order.tax, order.discount, order.shipping))


def settled(order: PlaceOrder) -> PlaceOrder:
    """The order `flagged`, with `tax_included` as its amounts show it where they contradict what it says.

    For channels that do not say whether prices include tax, or count it otherwise by country.
    """
    stated = flagged(order)
    other = flagged(replace(order, tax_included=not order.tax_included))
    return other if other.balanced and not stated.balanced else stated


def _net(lines: Sequence[Line]) -> list[int]:
    return [max(0, line.amount - line.discount) for line in lines]
