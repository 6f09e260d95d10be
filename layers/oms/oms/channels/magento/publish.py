"""What Magento is told, through its REST API."""

from urllib.parse import quote

from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import Cancelled, Level, Parcel, Priced, Titled
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number.

    Shops with several sources (inventory management) name ours as `source_code` in the channel's secret;
    others have one stock item for each product, which is asked for.
    """
    sku = level.need("sku")
    source = api.values.get("source_code")
    if source:
        item = {"sku": sku, "source_code": source, "quantity": level.units, "status": int(level.units > 0)}
        api.call("POST", "/rest/V1/inventory/source-items", {"sourceItems": [item]})
        return
    name = quote(sku, safe="")
    number = read(api.get(f"/rest/V1/stockItems/{name}")).need(Node.identifier, "item_id")
    stock = {"qty": level.units, "is_in_stock": level.units > 0}
    path = f"/rest/V1/products/{name}/stockItems/{quote(number, safe='')}"
    api.call("PUT", path, {"stockItem": stock})


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: of all store views that have none of their own."""
    sku = titled.need("sku")
    product = {"product": {"sku": sku, "name": titled.title}}
    api.call("PUT", f"/rest/all/V1/products/{quote(sku, safe='')}", product)


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: the base price of all websites; the answer lists what was wrong."""
    price = {"price": priced.number, "store_id": 0, "sku": priced.need("sku")}
    if read(api.call("POST", "/rest/V1/products/base-prices", {"prices": [price]})).items():
        raise Problem(Code.CHANNEL_REFUSED, "the channel does not take the price", "price")


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: a shipment of the order, with a track if there is a number."""
    entity, _, _ = parcel.order_id.partition("@")
    where = {"field": "order_id", "value": entity}
    query = {f"searchCriteria[filterGroups][0][filters][0][{name}]": text for name, text in where.items()}
    shipments = read(api.get("/rest/V1/shipments", query)).children("items")
    numbers = [track.text("track_number") for each in shipments for track in each.children("tracks")]
    if parcel.tracking_number is not None and parcel.tracking_number in numbers:
        return
    track = {
        "track_number": parcel.tracking_number,
        "title": parcel.carrier or "",
        "carrier_code": "custom",
    }
    shipment = {
        "items": [{"order_item_id": line, "qty": units} for line, units in parcel.lines.items()],
        "notify": True,
        "tracks": [track] if parcel.tracking_number is not None else [],
    }
    path = f"/rest/V1/order/{quote(entity, safe='')}/ship"
    api.call("POST", path, shipment, repeatable=False)


def push_cancel(api: Api, cancelled: Cancelled) -> None:
    """See `Publishing.push_cancel`: Magento cancels what is not invoiced, and says so."""
    entity, _, _ = cancelled.order_id.partition("@")
    path = f"/rest/V1/orders/{quote(entity, safe='')}"
    if read(api.get(path, {"fields": "state"})).text("state") == "canceled":
        return
    if read(api.call("POST", f"{path}/cancel", repeatable=False)).value is not True:
        raise Problem(Code.CHANNEL_REFUSED, "the channel does not cancel the order", "order")
