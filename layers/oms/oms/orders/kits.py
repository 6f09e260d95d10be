"""Kits: what is ordered as one and consists of several, expanded into its components at intake."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from decimal import Decimal

from oms.inventory.model import Sku, Stock
from oms.orders.commands import FulfilledBy, Line, LineKind
from oms.payments.money import per_unit, spread
from oms.values import frozen, replace


@frozen
class Expanded:
    """The lines of a command with those of components after them, all under ids of the channel's form.

    `per_bundle` has the units of each component line in a unit of its kit, by channel_line_id; quantities of
    these lines are in the sku's smallest unit already.
    """

    lines: tuple[Line, ...]
    per_bundle: Mapping[str, int] = field(default_factory=dict)


def components(stocks: Mapping[str, Stock]) -> set[str]:
    """The skus that the kits among some skus consist of, as far as they are not among them."""
    kits = (stock.sku.kit for stock in stocks.values() if stock.sku)
    return {component.sku for kit in kits for component in kit} - stocks.keys()


def expand(lines: Iterable[Line], entries: Mapping[str, Sku]) -> Expanded:
    """The lines of a command, those of kits that take from our stock made containers of their components.

    The money of a kit moves to its components: its amount by their weights, discount and tax by what each
    then costs, all by largest remainder, so that no component is discounted by more than its price. The
    channel's own lines keep their places, since its later messages count on them.

    Args:
        lines: as the channel has them.
        entries: of the catalogue, by sku; a component that is not there is a line of an unknown sku.
    """
    wholes: list[Line] = []
    parts: list[Line] = []
    per_bundle: dict[str, int] = {}
    for line in lines:
        sku = entries.get(line.sku) if line.sku else None
        if sku is None or not sku.kit or not _ours(line):
            wholes.append(line)
            continue
        wholes.append(_container(line))
        for part, units in _parts(line, sku, entries):
            parts.append(part)
            per_bundle[part.channel_line_id] = units
    return Expanded((*wholes, *parts), per_bundle)


def _ours(line: Line) -> bool:
    return line.kind is LineKind.PHYSICAL and line.fulfilled_by in (FulfilledBy.US, FulfilledBy.TAKEN)


def _container(line: Line) -> Line:
    return replace(
        line,
        kind=LineKind.CONTAINER,
        fulfilled_by=FulfilledBy.US,
        unit_price=0,
        amount=0,
        discount=0,
        tax=0,
        requires_shipping=False,
    )


def _parts(line: Line, kit: Sku, entries: Mapping[str, Sku]) -> Iterator[tuple[Line, int]]:
    amounts = spread(line.amount, [part.weight * part.per_bundle for part in kit.kit])
    discounts = spread(line.discount, [abs(amount) for amount in amounts])
    nets = [abs(amount - discount) for amount, discount in zip(amounts, discounts, strict=True)]
    taxes = spread(line.tax, nets)
    for part, amount, discount, tax in zip(kit.kit, amounts, discounts, taxes, strict=True):
        known, units = entries.get(part.sku), part.per_bundle
        quantity = Decimal(line.quantity) * units
        whole = quantity == quantity.to_integral_value()
        yield (
            replace(
                line,
                channel_line_id=f"{line.channel_line_id}/{part.sku}",
                parent_line_id=line.channel_line_id,
                sku=part.sku,
                title=known.title if known else part.sku,
                quantity=int(quantity) if whole else f"{quantity.normalize():f}",
                unit_price=per_unit(amount, quantity),
                amount=amount,
                discount=discount,
                tax=tax,
                cancelled=line.cancelled * units,
                refunded=line.refunded * units,
                shipped=None if line.shipped is None else line.shipped * units,
                properties={},
            ),
            units,
        )
