"""What eBay is told, through its Sell APIs."""

import re
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, read
from oms.channels.publishing import Level, Parcel
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number of the seller's sku; the answer tells for each."""
    wanted = {"sku": level.need("sku"), "shipToLocationAvailability": {"quantity": level.units}}
    answer = api.call("POST", "/sell/inventory/v1/bulk_update_price_quantity", {"requests": [wanted]})
    for told in read(answer).children("responses"):
        status = told.integer("statusCode") or 0
        if not 200 <= status < 300:
            raise Problem(Code.CHANNEL_REFUSED, f"the channel answered the quantity with {status}", "sku")


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: a shipping fulfillment; eBay takes letters and digits of the number."""
    path = f"/sell/fulfillment/v1/order/{quote(parcel.order_id, safe='')}/shipping_fulfillment"
    number = re.sub("[^A-Za-z0-9]", "", parcel.tracking_number or "")
    known = {each.text("shipmentTrackingNumber") for each in read(api.get(path)).children("fulfillments")}
    if number and number in known:
        return
    fulfillment: dict[str, object] = {
        "lineItems": [{"lineItemId": line, "quantity": units} for line, units in parcel.lines.items()],
        "shippedDate": stamp(parcel.shipped_at),
    }
    if number:
        fulfillment |= {"trackingNumber": number, "shippingCarrierCode": parcel.carrier or "OTHER"}
    api.call("POST", path, fulfillment, repeatable=False)
