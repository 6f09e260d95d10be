"""What WooCommerce is told, through its REST API (v3)."""

from urllib.parse import quote

from oms.channels.exchange import Api, read
from oms.channels.listings import Listing
from oms.channels.publishing import Cancelled, Level, Parcel, Priced, Repayment, Titled, shared_title

_KEY = "_oms_refund"
"""Name of the refund's own field that says which of ours it is."""


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number on the product, or on its variation."""
    stock = {"manage_stock": True, "stock_quantity": level.units}
    api.call("PUT", _path(level.listing), stock)


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: of a product; variations have no names."""
    if _is_variation(titled.listing):
        raise shared_title()
    api.call("PUT", _path(titled.listing), {"name": titled.title})


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: the regular one, in the shop's currency; a sale is the shop's own."""
    api.call("PUT", _path(priced.listing), {"regular_price": priced.decimal})


def _is_variation(listing: Listing) -> bool:
    return listing.product_id not in (None, listing.item_id)


def _path(listing: Listing) -> str:
    of_product = f"{listing.product_id}/variations/" if _is_variation(listing) else ""
    return f"/wp-json/wc/v3/products/{of_product}{listing.item_id}"


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: what the shop's shipment-tracking extension keeps, and the last one
    completes the order. WooCommerce itself knows no parcels.
    """
    order = quote(parcel.order_id, safe="")
    if parcel.tracking_number is not None:
        path = f"/wp-json/wc-shipment-tracking/v3/orders/{order}/shipment-trackings"
        known = {each.text("tracking_number") for each in read(api.get(path)).items()}
        if parcel.tracking_number not in known:
            tracking = {
                "custom_tracking_provider": parcel.carrier or "",
                "tracking_number": parcel.tracking_number,
                "date_shipped": f"{parcel.shipped_at:%Y-%m-%d}",
            }
            api.call("POST", path, tracking, repeatable=False)
    if parcel.completes:
        api.call("PUT", f"/wp-json/wc/v3/orders/{order}", {"status": "completed"})


def push_cancel(api: Api, cancelled: Cancelled) -> None:
    """See `Publishing.push_cancel`: a status, of which there is one."""
    path = f"/wp-json/wc/v3/orders/{quote(cancelled.order_id, safe='')}"
    api.call("PUT", path, {"status": "cancelled"})


def push_refund(api: Api, repayment: Repayment) -> None:
    """See `Publishing.push_refund`: by the gateway that the order was paid with."""
    path = f"/wp-json/wc/v3/orders/{quote(repayment.order_id, safe='')}/refunds"
    given = read(api.get(path, {"per_page": 100})).items()
    fields = [field for each in given for field in each.children("meta_data")]
    if (_KEY, repayment.key) in {(field.text("key"), field.text("value")) for field in fields}:
        return
    refund = {
        "amount": repayment.decimal,
        "api_refund": True,
        "meta_data": [{"key": _KEY, "value": repayment.key}],
    }
    api.call("POST", path, refund, repeatable=False)
