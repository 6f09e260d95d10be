"""Consolidation: work for several orders of one customer that may go in one parcel. Orders stay apart."""

import base64
import hashlib

from oms.orders.commands import Address, Method
from oms.orders.model import Order

_NAMES = ("name", "company", "line1", "line2", "city", "region", "postal_code", "country")
"""The parts of an address that a parcel is sent by."""


def consolidation_id(
    order: Order, method: Method, service: str | None, ship_to: Address | None, location: str, day: str
) -> str | None:
    """The id that work of a location has in common for a day, a customer, a service and an address.

    It follows from what the work is, so that orders need not know of each other, and a release that is
    repeated or races another gives the same. Each keeps its work, its money and its invoice.

    Args:
        order: whose.
        method: how it reaches the customer; what he comes for is no parcel.
        service: how it is shipped.
        ship_to: where to; case and blanks do not make it another address.
        location: that is given the work.
        day: the location's working day that the work counts as of, ISO 8601.

    Returns:
        The id; None when the customer or the street is not known.
    """
    if method is not Method.SHIP or order.customer_key is None or ship_to is None or not ship_to.line1:
        return None
    address = (" ".join((getattr(ship_to, name) or "").casefold().split()) for name in _NAMES)
    text = "\0".join((order.customer_key, service or "", location, day, *address))
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:26].decode()
