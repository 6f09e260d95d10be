"""What BigCommerce is told, through its Catalog, Inventory and Orders APIs."""

from urllib.parse import quote

from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import (
    Cancelled,
    Level,
    Parcel,
    Priced,
    Repayment,
    Statement,
    Titled,
    shared_title,
)
from oms.problems import Code, Problem

LOCATION = "1"
"""The location that every store has; `location_id` in the channel's secret names another."""


_CANCELLED = 5
"""Id of that status of an order."""


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: an absolute number, of a product or of its variant."""
    product, variant = _numbers(level)
    item = {
        "location_id": int(api.values.get("location_id", LOCATION)),
        "variant_id" if variant else "product_id": int(variant or product),
        "quantity": level.units,
    }
    stated = {"reason": level.key, "items": [item]}
    api.call("PUT", "/v3/inventory/adjustments/absolute", stated)


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: that of the product, when it has no other variant."""
    product, _ = _numbers(titled)
    path = f"/v3/catalog/products/{product}"
    if len(read(api.get(f"{path}/variants", {"include_fields": "id", "limit": 2})).children("data")) > 1:
        raise shared_title()
    api.call("PUT", path, {"name": titled.title})


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: of the variant, or of the product; in the store's default currency."""
    product, variant = _numbers(priced)
    path = f"/v3/catalog/products/{product}" + (f"/variants/{variant}" if variant else "")
    api.call("PUT", path, {"price": priced.number})


def _numbers(statement: Statement) -> tuple[str, str]:
    """The product of a listing and its variant, if the listing is one."""
    product, slash, variant = statement.listing.item_id.partition("/")
    if not product.isdecimal() or (slash and not variant.isdecimal()):
        raise Problem(Code.FIELD_INVALID, "the listing's item is no product of BigCommerce", "item_id")
    return product, variant


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: a shipment to the address that its lines go to."""
    order = f"/v2/orders/{quote(parcel.order_id, safe='')}"
    if parcel.tracking_number in {
        each.text("tracking_number") for each in _listed(api, f"{order}/shipments")
    }:
        return
    addresses = {
        line.need(Node.identifier, "id"): line.integer("order_address_id")
        for line in _listed(api, f"{order}/products")
    }
    lines = {line: units for line, units in parcel.lines.items() if line in addresses}
    if not lines:
        raise Problem(Code.CHANNEL_REFUSED, f"order {parcel.order_id} has none of these lines", "lines")
    shipment = {
        "order_address_id": addresses[next(iter(lines))],
        "tracking_number": parcel.tracking_number or "",
        "shipping_method": parcel.carrier or "",
        "items": [{"order_product_id": int(line), "quantity": units} for line, units in lines.items()],
    }
    api.call("POST", f"{order}/shipments", shipment, repeatable=False)


def push_cancel(api: Api, cancelled: Cancelled) -> None:
    """See `Publishing.push_cancel`: a status, of which there is one."""
    api.call("PUT", f"/v2/orders/{quote(cancelled.order_id, safe='')}", {"status_id": _CANCELLED})


def push_refund(api: Api, repayment: Repayment) -> None:
    """See `Publishing.push_refund`: of the order as a whole, by the first way that the shop offers for it."""
    path = f"/v3/orders/{quote(repayment.order_id, safe='')}/payment_actions"
    given = read(api.get(f"{path}/refunds")).children("data")
    reasons = [item.text("reason") for refund in given for item in refund.children("items")]
    if repayment.key in reasons:
        return
    item = {
        "item_type": "ORDER",
        "item_id": int(repayment.order_id),
        "amount": float(repayment.decimal),
        "reason": repayment.key,
    }
    quoted = read(api.call("POST", f"{path}/refund_quotes", {"items": [item]})).need(Node.child, "data")
    ways = quoted.get("refund_methods")
    if not isinstance(ways, list) or not ways:
        raise Problem(Code.CHANNEL_REFUSED, "the channel has no way to give so much back", "amount")
    payments = [
        {
            "provider_id": way.need(Node.text, "provider_id"),
            "amount": float(way.need(Node.decimal, "amount")),
            "offline": way.flag("offline"),
        }
        for way in Node(ways[0], "refund_methods[0]").items()
    ]
    api.call("POST", f"{path}/refunds", {"items": [item], "payments": payments}, repeatable=False)


def _listed(api: Api, path: str) -> tuple[Node, ...]:
    """A list of the older API, for which no content stands for an empty one."""
    answer = api.get(path, {"limit": 250})
    return read(answer).items() if answer.body.strip() else ()
