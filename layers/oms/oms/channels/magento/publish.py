"""What Magento is told, through its REST API."""

from urllib.parse import quote

from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import Level


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
