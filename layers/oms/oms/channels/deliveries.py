"""Deliveries of channels that know one address an order: goods in one, what needs no parcel in another."""

from oms.orders.commands import LineKind

GOODS = "d1"
DIGITAL = "d2"
"""Ids of an order's deliveries: by what they deliver, so that an edit leaves lines where they are."""

DELIVERIES = {
    LineKind.PHYSICAL: GOODS,
    LineKind.CONTAINER: GOODS,
    LineKind.DIGITAL: DIGITAL,
    LineKind.GIFT_CARD: DIGITAL,
    LineKind.SERVICE: None,
}
