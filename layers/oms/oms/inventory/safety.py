"""Safety stock: units that new orders leave where they are. Soft under a race, unlike `uncommitted >= 0`."""

from collections.abc import Iterable

from oms.inventory.model import Sku
from oms.inventory.network import Location
from oms.orders.commands import Method


def safety_stock(sku: Sku | None, location: Location, method: Method = Method.SHIP) -> int:
    """Units of a sku that an order must leave at a location.

    Of what the sku's entry says the most specific counts: for the location before for all of them, for the
    method before for any. Only where it says nothing, the location's own number does.

    Args:
        sku: its catalogue entry, if there is one.
        location: where.
        method: how the units shall reach the customer; who does not say is taken to have them shipped.
    """
    said = [
        rule
        for rule in (sku.safety_stock if sku else ())
        if rule.location in (None, location.id) and rule.method in (None, method)
    ]
    if not said:
        return location.safety_stock
    return max(said, key=lambda rule: (rule.location is not None, rule.method is not None)).units


def safety_at(sku: Sku | None, locations: Iterable[Location], method: Method = Method.SHIP) -> dict[str, int]:
    """Units of a sku that an order must leave, by location (see `safety_stock`)."""
    return {location.id: safety_stock(sku, location, method) for location in locations}


def least_safety_at(sku: Sku | None, locations: Iterable[Location]) -> dict[str, int]:
    """Units of a sku that an order must leave however it is delivered, by location."""
    return {
        location.id: min(safety_stock(sku, location, method) for method in Method) for location in locations
    }
