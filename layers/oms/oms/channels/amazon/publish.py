"""What Amazon is told, through the Selling Partner API.

`api` in the channel's secret names whose listings these are: `seller_id` and `marketplace_id`.
"""

import zlib
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, Document, read
from oms.channels.publishing import Level, Parcel, Priced, Statement, Titled
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number of the seller's sku that the seller ships."""
    value = {"fulfillment_channel_code": "DEFAULT", "quantity": level.units}
    _patch(api, level, "replace", "fulfillment_availability", value)


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: what the seller calls it; Amazon may show what another seller does."""
    value = {"value": titled.title, "marketplace_id": api.value("marketplace_id")}
    _patch(api, titled, "replace", "item_name", value)


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: of the offer to everybody, with tax; what else the offer says stays."""
    value = {
        "marketplace_id": api.value("marketplace_id"),
        "currency": priced.price.currency,
        "audience": "ALL",
        "our_price": [{"schedule": [{"value_with_tax": priced.number}]}],
    }
    _patch(api, priced, "merge", "purchasable_offer", value)


def _patch(api: Api, statement: Statement, op: str, attribute: str, value: Document) -> None:
    seller, sku = (quote(text, safe="") for text in (api.value("seller_id"), statement.need("sku")))
    patch = {"op": op, "path": f"/attributes/{attribute}", "value": [value]}
    answer = api.call(
        "PATCH",
        f"/listings/2021-08-01/items/{seller}/{sku}",
        {"productType": "PRODUCT", "patches": [patch]},
        query={"marketplaceIds": api.value("marketplace_id")},
    )
    status = read(answer).text("status")
    if status != "ACCEPTED":
        raise Problem(Code.CHANNEL_REFUSED, f"the channel answered {attribute} with {status}", "sku")


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
