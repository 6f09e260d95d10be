"""What Amazon is told, through the Selling Partner API.

`api` in the channel's secret names whose listings these are: `seller_id` and `marketplace_id`.
"""

import zlib
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, read
from oms.channels.publishing import Level, Parcel
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number of the seller's sku that the seller ships."""
    seller, sku = (quote(text, safe="") for text in (api.value("seller_id"), level.need("sku")))
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": level.units}]
    patch = {"op": "replace", "path": "/attributes/fulfillment_availability", "value": value}
    answer = api.call(
        "PATCH",
        f"/listings/2021-08-01/items/{seller}/{sku}",
        {"productType": "PRODUCT", "patches": [patch]},
        query={"marketplaceIds": api.value("marketplace_id")},
    )
    status = read(answer).text("status")
    if status != "ACCEPTED":
        raise Problem(Code.CHANNEL_REFUSED, f"the channel answered the quantity with {status}", "sku")


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: a confirmed package; its reference, a number, makes it one."""
    package = {
        "packageReferenceId": str(zlib.crc32(parcel.key.encode()) or 1),
        "carrierCode": "Other",
        "carrierName": parcel.carrier or "Other",
        "trackingNumber": parcel.tracking_number or "",
        "shipDate": stamp(parcel.shipped_at),
        "orderItems": [{"orderItemId": line, "quantity": units} for line, units in parcel.lines.items()],
    }
    path = f"/orders/v0/orders/{quote(parcel.order_id, safe='')}/shipmentConfirmation"
    confirmed = {"marketplaceId": api.value("marketplace_id"), "packageDetail": package}
    api.call("POST", path, confirmed)
