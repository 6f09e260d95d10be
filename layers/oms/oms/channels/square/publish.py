"""What Square is told, through its Inventory API.

`api` in the channel's secret names the location that we feed: `location_id`.
"""

from oms.channels.canonical import stamp
from oms.channels.exchange import Api
from oms.channels.publishing import Level


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: a physical count, as of when it was true; its key makes it one."""
    count = {
        "catalog_object_id": level.listing.item_id,
        "state": "IN_STOCK",
        "location_id": api.value("location_id"),
        "quantity": str(level.units),
        "occurred_at": stamp(level.at),
    }
    change = {"type": "PHYSICAL_COUNT", "physical_count": count}
    changes = {"idempotency_key": level.key, "changes": [change], "ignore_unchanged_counts": True}
    api.call("POST", "/v2/inventory/changes/batch-create", changes)
