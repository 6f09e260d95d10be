"""What eBay is told, through its Sell APIs."""

from oms.channels.exchange import Api, read
from oms.channels.publishing import Level
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number of the seller's sku; the answer tells for each."""
    wanted = {"sku": level.need("sku"), "shipToLocationAvailability": {"quantity": level.units}}
    answer = api.call("POST", "/sell/inventory/v1/bulk_update_price_quantity", {"requests": [wanted]})
    for told in read(answer).children("responses"):
        status = told.integer("statusCode") or 0
        if not 200 <= status < 300:
            raise Problem(Code.CHANNEL_REFUSED, f"the channel answered the quantity with {status}", "sku")
