"""What eBay is told, through its Sell APIs."""

import re
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import Level, Parcel, Priced
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number of the seller's sku; the answer tells for each."""
    sku = level.need("sku")
    _update(api, {"sku": sku, "shipToLocationAvailability": {"quantity": level.units}}, "quantity")


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: of every published offer of the seller's sku in the currency."""
    sku = priced.need("sku")
    price = {"value": priced.decimal, "currency": priced.price.currency}
    offers = [
        {"offerId": offer.need(Node.text, "offerId"), "price": price}
        for offer in read(api.get("/sell/inventory/v1/offer", {"sku": sku})).children("offers")
        if offer.text("status") == "PUBLISHED" and _currency(offer) == priced.price.currency
    ]
    if not offers:
        raise Problem(Code.CHANNEL_REFUSED, f"the channel has no offer in {priced.price.currency}", "sku")
    _update(api, {"sku": sku, "offers": offers}, "price")


def _currency(offer: Node) -> str | None:
    summary = offer.child("pricingSummary") or Node({})
    return (summary.child("price") or Node({})).text("currency")


def _update(api: Api, wanted: dict[str, object], what: str) -> None:
    answer = api.call("POST", "/sell/inventory/v1/bulk_update_price_quantity", {"requests": [wanted]})
    for told in read(answer).children("responses"):
        status = told.integer("statusCode") or 0
        if not 200 <= status < 300:
            raise Problem(Code.CHANNEL_REFUSED, f"the channel answered the {what} with {status}", "sku")


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
