"""What BigCommerce is told, through its Inventory API (V3)."""

from oms.channels.exchange import Api
from oms.channels.publishing import Level
from oms.problems import Code, Problem

LOCATION = "1"
"""The location that every store has; `location_id` in the channel's secret names another."""


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number, of a product or of its variant."""
    product, _, variant = level.listing.item_id.partition("/")
    number = variant or product
    if not number.isdecimal():
        raise Problem(Code.FIELD_INVALID, "the listing's item is no product of BigCommerce", "item_id")
    item = {
        "location_id": int(api.values.get("location_id", LOCATION)),
        "variant_id" if variant else "product_id": int(number),
        "quantity": level.units,
    }
    stated = {"reason": level.key, "items": [item]}
    api.call("PUT", "/v3/inventory/adjustments/absolute", stated)
