"""What WooCommerce is told, through its REST API (v3)."""

from oms.channels.exchange import Api
from oms.channels.publishing import Level


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number on the product, or on its variation."""
    item, product = level.listing.item_id, level.listing.product_id
    within = f"/{product}/variations/{item}" if product and product != item else f"/{item}"
    stock = {"manage_stock": True, "stock_quantity": level.units}
    api.call("PUT", f"/wp-json/wc/v3/products{within}", stock)
