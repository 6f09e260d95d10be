"""What an order claims of stock: the half of the ledger that orders keep."""

from collections import Counter
from dataclasses import field

from oms.inventory.model import Delta, Deltas, DemandChange, Reserved
from oms.orders.model import Order
from oms.sourcing.deliveries import Decisions
from oms.values import frozen

UNKNOWN = ("sku_unknown", "quantity_unknown", "kit_unknown")
"""Exceptions that keep a line pending until the catalogue knows what is meant."""

_MOST_UNKNOWN = 10
"""Skus that nobody knows by which one order is found; each of them takes room in its transactions."""


def promised(order: Order) -> Counter[tuple[str, str]]:
    """Units of the order's entries that positions count as allocated, by sku and location.

    Those that come by a supply are on no shelf yet.
    """
    claims: Counter[tuple[str, str]] = Counter()
    for line in order.lines:
        if line.touches_stock and line.sku is not None:
            for entry in line.entries:
                if entry.supply is None:
                    claims[line.sku, entry.location] += entry.units
    return claims


def awaited(order: Order) -> Counter[tuple[str, str]]:
    """Units that wait for a source, by sku and pool; those of pending lines are not asked for yet."""
    claims: Counter[tuple[str, str]] = Counter()
    for line in order.lines:
        units = line.open + line.backordered
        if units and line.sku is not None and order.pool is not None and not line.pending:
            claims[line.sku, order.pool] += units
    return claims


def unknown(order: Order) -> tuple[str, ...]:
    """Skus of pending lines that wait for the catalogue, the first ten: the clock looks after any others."""
    skus = dict.fromkeys(
        line.sku
        for line in order.lines
        if line.pending
        and line.sku is not None
        and any(known.ref == line.line_id and known.code in UNKNOWN for known in order.exceptions)
    )
    return tuple(skus)[:_MOST_UNKNOWN]


def listed(channel: str, listing: str) -> str:
    """The name under which orders wait for the sku of a listing, among the skus that others wait for."""
    return f"@{channel}/{listing}"


def unlisted(order: Order) -> tuple[str, ...]:
    """What lines of unknown sku wait for: their listings, the first ten, under the names of `listed`."""
    found = (line.listing for line in order.lines if line.pending and line.sku is None)
    return tuple(dict.fromkeys(listed(order.channel, name) for name in found if name))[:_MOST_UNKNOWN]


def sought(order: Order) -> Counter[str]:
    """Units by the skus under which the order stands in the queue: those that wait, and those nobody knows.

    Where nobody knows even the sku, it stands under the channel's listing.
    """
    units = Counter[str]()
    if not any(line.pending or line.open or line.backordered for line in order.lines):
        return units  # as nearly always
    for waits_for in (*unknown(order), *unlisted(order)):
        units[waits_for] = 0
    for line in order.lines:
        name = line.sku or (listed(order.channel, line.listing) if line.listing else None)
        if line.pending and name is not None and name in units:
            units[name] += line.open
    for (sku, _), waiting in awaited(order).items():
        units[sku] += waiting
    return units


@frozen
class Reclaimed:
    """An order that claims other stock than before, with what that changes of positions and demand.

    All of it is written in one transaction, the order over the version that it was made from. `ended` are the
    rows of expired reservations whose units are needed; what that changes is in `deltas`. `decisions` say why
    units come from where they come from, when they were given a source.
    """

    order: Order
    deltas: Deltas
    demands: tuple[DemandChange, ...]
    ended: tuple[Reserved, ...] = ()
    decisions: Decisions = field(default_factory=dict)


def reclaimed(before: Order, after: Order) -> Reclaimed:
    """An order after a change, with the difference of its claims.

    Units that leave a location are not a change of claims alone: the change of on_hand is not in it.
    """
    allocated, waiting = promised(after), awaited(after)
    allocated.subtract(promised(before))
    waiting.subtract(awaited(before))
    return Reclaimed(
        after,
        {place: Delta(allocated=units) for place, units in allocated.items() if units},
        tuple(DemandChange(sku, pool, units) for (sku, pool), units in waiting.items() if units),
    )
