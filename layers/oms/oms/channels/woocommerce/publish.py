"""What WooCommerce is told, through its REST API (v3)."""

from urllib.parse import quote

from oms.channels.exchange import Api, read
from oms.channels.publishing import Level, Parcel


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number on the product, or on its variation."""
    item, product = level.listing.item_id, level.listing.product_id
    within = f"/{product}/variations/{item}" if product and product != item else f"/{item}"
    stock = {"manage_stock": True, "stock_quantity": level.units}
    api.call("PUT", f"/wp-json/wc/v3/products{within}", stock)


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
