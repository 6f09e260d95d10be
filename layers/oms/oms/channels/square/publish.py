"""What Square is told, through its Inventory API.

`api` in the channel's secret names the location that we feed: `location_id`.
"""

import hashlib
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import Level, Parcel
from oms.problems import Code, Problem


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


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: on the order's shipment, which has room for one parcel: the last counts.

    The key makes it one; a version that has moved on meanwhile is refused, and the next try reads it again.
    """
    path = f"/v2/orders/{quote(parcel.order_id, safe='')}"
    order = read(api.get(path)).need(Node.child, "order")
    shipments = [each for each in order.children("fulfillments") if each.text("type") == "SHIPMENT"]
    if not shipments:
        raise Problem(Code.CHANNEL_REFUSED, f"order {parcel.order_id} has no shipment", "fulfillments")
    version = order.integer("version")
    details = {
        "carrier": parcel.carrier,
        "tracking_number": parcel.tracking_number,
        "shipped_at": stamp(parcel.shipped_at),
    }
    shipment = {
        "uid": shipments[0].need(Node.text, "uid"),
        "shipment_details": {name: value for name, value in details.items() if value is not None},
    } | ({"state": "COMPLETED"} if parcel.completes else {})
    changed = {
        "location_id": order.need(Node.text, "location_id"),
        "version": version,
        "fulfillments": [shipment],
    }
    key = hashlib.sha256(f"{parcel.key}#{version}".encode()).hexdigest()[:40]
    api.call("PUT", path, {"idempotency_key": key, "order": changed})
