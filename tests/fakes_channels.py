"""The APIs of channels as far as we tell them something: each keeps what it was told, by its own rules."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes_http import Asked, Says

API: Mapping[str, str] = {
    "token": "t",
    "key": "ck",
    "secret": "cs",
    "location_id": "655441491",
    "seller_id": "A1",
    "marketplace_id": "A1RKKUPIHCS9HS",
}
"""Credentials and settings that are enough for every kind."""


PRODUCT = "632910392"
"""What the listing is a variant of, where that has an id of its own."""

OFFERS = [
    {"offerId": "7", "status": "PUBLISHED", "pricingSummary": {"price": {"value": "9", "currency": "GBP"}}},
    {"offerId": "8", "status": "PUBLISHED", "pricingSummary": {"price": {"value": "9", "currency": "EUR"}}},
    {"offerId": "9", "status": "UNPUBLISHED"},
]
"""Those of eBay's listing."""


@dataclass
class FakeChannel:
    """One shop.

    Attributes:
        kind: whose rules it keeps.
        item_id: what it counts the stock of its one listing under.
        product_id: what that is a variant of.
        levels: every level that it has been told, in their order.
        titles: every title.
        prices: every price, with the currency where it is told that too.
        variants: of the product that its listing is one of.
        version: of the product, where it counts them.
        keys: what it has been told under which key, where it knows repetitions by one.
    """

    kind: str
    item_id: str = "39072856"
    product_id: str | None = None
    levels: list[int] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    prices: list[str] = field(default_factory=list)
    variants: int = 1
    version: int = 1
    keys: set[str] = field(default_factory=set)

    def answer(self, asked: Asked) -> Says:
        """What it answers to a request."""
        document = json.loads(asked.body) if asked.body else None
        return _ANSWERS[self.kind](self, asked, document)

    @property
    def stock(self) -> int | None:
        """What it sells from."""
        return self.levels[-1] if self.levels else None


def _shopify(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    assert asked.path == "/admin/api/2025-07/graphql.json" and asked.headers["x-shopify-access-token"] == "t"
    query, variables = document["query"], document["variables"]
    if "hasOnlyDefaultVariant" in query:
        assert variables["id"] == f"gid://shopify/Product/{PRODUCT}"
        return Says(200, {"data": {"product": {"hasOnlyDefaultVariant": shop.variants == 1}}})
    if "productUpdate(" in query:
        assert variables["product"]["id"] == f"gid://shopify/Product/{PRODUCT}"
        shop.titles.append(variables["product"]["title"])
        return Says(200, {"data": {"productUpdate": {"userErrors": []}}})
    if "productVariantsBulkUpdate(" in query:
        (variant,) = variables["variants"]
        named = (variables["product"], variant["id"])
        assert named == (f"gid://shopify/Product/{PRODUCT}", "gid://shopify/ProductVariant/808950810")
        shop.prices.append(variant["price"])
        return Says(200, {"data": {"productVariantsBulkUpdate": {"userErrors": []}}})
    wanted = variables["input"]
    assert wanted["name"] == "available" and wanted["ignoreCompareQuantity"] is True
    (quantity,) = wanted["quantities"]
    errors = []
    if quantity["inventoryItemId"] != f"gid://shopify/InventoryItem/{shop.item_id}":
        errors = [{"code": "INVALID_INVENTORY_ITEM"}]
    elif quantity["locationId"] != "gid://shopify/Location/655441491":
        errors = [{"code": "INVALID_LOCATION"}]
    else:
        shop.levels.append(quantity["quantity"])
    return Says(200, {"data": {"inventorySetQuantities": {"userErrors": errors}}})


def _woocommerce(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    within = f"{shop.product_id}/variations/{shop.item_id}" if shop.product_id else shop.item_id
    if (asked.method, asked.path) != ("PUT", f"/wp-json/wc/v3/products/{within}"):
        return Says(404, {"code": "woocommerce_rest_product_invalid_id"})
    if "name" in document or "regular_price" in document:
        shop.titles += [document["name"]] if "name" in document else []
        shop.prices += [document["regular_price"]] if "regular_price" in document else []
        return Says(200, {"id": int(shop.item_id)})
    assert document["manage_stock"] is True
    shop.levels.append(document["stock_quantity"])
    return Says(200, {"id": int(shop.item_id), "stock_quantity": document["stock_quantity"]})


def _magento(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    if (asked.method, asked.path) == ("GET", "/rest/V1/stockItems/A%2FB"):
        return Says(200, {"item_id": 190, "product_id": int(shop.item_id), "qty": shop.stock})
    if (asked.method, asked.path) == ("PUT", "/rest/all/V1/products/A%2FB"):
        assert document["product"]["sku"] == SKU
        shop.titles.append(document["product"]["name"])
        return Says(200, {"sku": SKU})
    if (asked.method, asked.path) == ("POST", "/rest/V1/products/base-prices"):
        (price,) = document["prices"]
        assert (price["sku"], price["store_id"]) == (SKU, 0)
        shop.prices.append(f"{price['price']:.2f}")
        return Says(200, [])
    if (asked.method, asked.path) != ("PUT", "/rest/V1/products/A%2FB/stockItems/190"):
        return Says(404, {"message": "The product that was requested doesn't exist."})
    item = document["stockItem"]
    assert item["is_in_stock"] == (item["qty"] > 0)
    shop.levels.append(item["qty"])
    return Says(200, "190")


def _bigcommerce(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    product, _, variant = shop.item_id.partition("/")
    path = f"/v3/catalog/products/{product}"
    if asked.path == f"{path}/variants?include_fields=id&limit=2":
        return Says(200, {"data": [{"id": number} for number in range(min(2, shop.variants))]})
    if asked.method == "PUT" and asked.path in (path, f"{path}/variants/{variant}"):
        shop.titles += [document["name"]] if "name" in document else []
        shop.prices += [f"{document['price']:.2f}"] if "price" in document else []
        return Says(200, {"data": {}})
    assert (asked.method, asked.path) == ("PUT", "/v3/inventory/adjustments/absolute")
    (item,) = document["items"]
    if item.get("variant_id" if variant else "product_id") != int(variant or product):
        return Says(422, {"title": "Unprocessable Entity"})
    shop.levels.append(item["quantity"])
    return Says(200, {"transaction_id": "1"})


def _square(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    if asked.path.startswith("/v2/catalog/object"):
        return _catalogue_of_square(shop, asked, document)
    assert (asked.method, asked.path) == ("POST", "/v2/inventory/changes/batch-create")
    (change,) = document["changes"]
    count = change["physical_count"]
    if (count["catalog_object_id"], count["location_id"]) != (shop.item_id, "655441491"):
        return Says(404, {"errors": [{"code": "NOT_FOUND"}]})
    if document["idempotency_key"] not in shop.keys:
        shop.keys.add(document["idempotency_key"])
        shop.levels.append(int(count["quantity"]))
    return Says(200, {"counts": []})


def _catalogue_of_square(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    """Takes whole objects of the version that it has, each key once."""
    variation = {"id": shop.item_id, "type": "ITEM_VARIATION", "version": shop.version}
    variation["item_variation_data"] = {"item_id": PRODUCT, "sku": SKU, "name": "Regular"}
    item = {"id": PRODUCT, "type": "ITEM", "version": shop.version, "custom": 1.5}
    item["item_data"] = {"name": "Old", "variations": [variation] * shop.variants}
    kept = {PRODUCT: item, shop.item_id: variation}
    if asked.method == "GET":
        name = asked.path.rpartition("/")[2]
        return Says(200, {"object": kept[name]}) if name in kept else Says(404, {"errors": []})
    changed = document["object"]
    if document["idempotency_key"] in shop.keys:
        return Says(200, {"catalog_object": changed})
    if changed["version"] != shop.version:
        return Says(400, {"errors": [{"code": "VERSION_MISMATCH"}]})
    shop.keys.add(document["idempotency_key"])
    shop.version += 1
    if changed["type"] == "ITEM":
        assert changed["custom"] == 1.5
        shop.titles.append(changed["item_data"]["name"])
    else:
        data = changed["item_variation_data"]
        assert (data["sku"], data["pricing_type"]) == (SKU, "FIXED_PRICING")
        shop.prices.append(f"{data['price_money']['amount'] / 100:.2f} {data['price_money']['currency']}")
    return Says(200, {"catalog_object": changed})


def _ebay(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    if asked.path == "/sell/inventory/v1/offer?sku=A%2FB":
        return Says(200, {"offers": OFFERS})
    assert (asked.method, asked.path) == ("POST", "/sell/inventory/v1/bulk_update_price_quantity")
    (wanted,) = document["requests"]
    known = wanted["sku"] == "A/B"
    if known and "offers" in wanted:
        (offer,) = wanted["offers"]
        assert offer["offerId"] == "8"
        shop.prices.append(f"{offer['price']['value']} {offer['price']['currency']}")
    elif known:
        shop.levels.append(wanted["shipToLocationAvailability"]["quantity"])
    return Says(200, {"responses": [{"sku": wanted["sku"], "statusCode": 200 if known else 404}]})


def _amazon(shop: FakeChannel, asked: Asked, document: Any) -> Says:
    path = "/listings/2021-08-01/items/A1/A%2FB?marketplaceIds=A1RKKUPIHCS9HS"
    if (asked.method, asked.path) != ("PATCH", path):
        return Says(404, {"errors": [{"code": "NOT_FOUND"}]})
    (patch,) = document["patches"]
    (value,) = patch["value"]
    match patch["op"], patch["path"].removeprefix("/attributes/"):
        case "replace", "fulfillment_availability":
            shop.levels.append(value["quantity"])
        case "replace", "item_name":
            shop.titles.append(value["value"])
        case "merge", "purchasable_offer":
            assert value["audience"] == "ALL"
            ((schedule,),) = (price["schedule"] for price in value["our_price"])
            shop.prices.append(f"{schedule['value_with_tax']:.2f} {value['currency']}")
        case other:
            raise AssertionError(other)
    return Says(200, {"sku": "A/B", "status": "ACCEPTED", "submissionId": "1"})


_ANSWERS: Mapping[str, Callable[[FakeChannel, Asked, Any], Says]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
    "bigcommerce": _bigcommerce,
    "square": _square,
    "ebay": _ebay,
    "amazon": _amazon,
}

NO: Mapping[str, Says] = {
    "shopify": Says(200, {"data": {"inventorySetQuantities": {"userErrors": [{"code": "INVALID_ITEM"}]}}}),
    "woocommerce": Says(404, {"code": "woocommerce_rest_product_invalid_id"}),
    "magento": Says(404, {"message": "No such entity."}),
    "bigcommerce": Says(422, {"title": "Unprocessable Entity"}),
    "square": Says(404, {"errors": [{"code": "NOT_FOUND"}]}),
    "ebay": Says(200, {"responses": [{"sku": "A/B", "statusCode": 404}]}),
    "amazon": Says(200, {"sku": "A/B", "status": "INVALID", "issues": []}),
}
"""How each says that it has no such listing."""

SKU = "A/B"
"""A sku that has to be quoted in a path."""


# ---- Parcels -----------------------------------------------------------------------------------------------


@dataclass
class FakeOrder:
    """One order of a shop, and the parcels that the shop was told of.

    Attributes:
        kind: whose rules the shop keeps.
        ordered: units by line.
        parcels: tracking number and units by line of each parcel, in their order.
        completed: whether the shop takes it for shipped in full.
        version: rises with every change, where the shop counts them.
    """

    kind: str
    ordered: dict[str, int] = field(default_factory=lambda: {"701": 2, "702": 1})
    parcels: list[tuple[str | None, dict[str, int]]] = field(default_factory=list)
    completed: bool = False
    version: int = 1

    def answer(self, asked: Asked) -> Says:
        """What it answers to a request."""
        document = json.loads(asked.body) if asked.body else None
        return _OF_PARCELS[self.kind](self, asked, document)

    @property
    def left(self) -> dict[str, int]:
        """Units that are not in a parcel yet."""
        sent = [lines for _, lines in self.parcels]
        return {line: units - sum(each.get(line, 0) for each in sent) for line, units in self.ordered.items()}

    @property
    def numbers(self) -> list[str | None]:
        """Tracking numbers of the parcels."""
        return [number for number, _ in self.parcels]


ORDER = "5001"


def _shopify_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    variables = document["variables"]
    if "fulfillment" in variables:
        (work,) = variables["fulfillment"]["lineItemsByFulfillmentOrder"]
        assert work["fulfillmentOrderId"] == "gid://shopify/FulfillmentOrder/1"
        lines = {
            item["id"].rpartition("/")[2]: item["quantity"] for item in work["fulfillmentOrderLineItems"]
        }
        errors = [{"field": ["fulfillment"]} for line, units in lines.items() if units > order.left[line]]
        if not errors:
            tracking = variables["fulfillment"].get("trackingInfo") or {}
            order.parcels.append((tracking.get("number"), lines))
        return Says(200, {"data": {"fulfillmentCreate": {"userErrors": errors}}})
    if variables["id"] != f"gid://shopify/Order/{ORDER}":
        return Says(200, {"data": {"order": None}})
    items = [
        {
            "id": f"gid://shopify/FulfillmentOrderLineItem/{line}",
            "remainingQuantity": units,
            "lineItem": {"id": f"gid://shopify/LineItem/{line}"},
        }
        for line, units in order.left.items()
    ]
    plan = {"id": "gid://shopify/FulfillmentOrder/1", "lineItems": {"nodes": items}}
    known = [{"trackingInfo": [{"number": number}] if number else []} for number in order.numbers]
    found = {"fulfillments": known, "fulfillmentOrders": {"nodes": [plan]}}
    return Says(200, {"data": {"order": found}})


def _woocommerce_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if asked.path == f"/wp-json/wc/v3/orders/{ORDER}" and asked.method == "PUT":
        order.completed = document == {"status": "completed"}
        return Says(200, {"id": int(ORDER)})
    if asked.path != f"/wp-json/wc-shipment-tracking/v3/orders/{ORDER}/shipment-trackings":
        return Says(404, {"code": "rest_no_route"})
    if asked.method == "POST":
        assert document["date_shipped"] == "2026-11-22"
        order.parcels.append((document["tracking_number"], {}))
        return Says(201, {"tracking_id": "1"})
    return Says(200, [{"tracking_number": number} for number in order.numbers])


def _magento_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if asked.method == "GET":
        assert asked.path.startswith("/rest/V1/shipments?") and asked.path.endswith(f"value%5D={ORDER}")
        return Says(200, {"items": [{"tracks": [{"track_number": number}]} for number in order.numbers]})
    if asked.path != f"/rest/V1/order/{ORDER}/ship":
        return Says(404, {"message": "No such entity."})
    (track,) = document["tracks"]
    lines = {item["order_item_id"]: item["qty"] for item in document["items"]}
    order.parcels.append((track["track_number"], lines))
    return Says(200, "17")


def _bigcommerce_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if asked.path == f"/v2/orders/{ORDER}/products?limit=250":
        return Says(200, [{"id": int(line), "order_address_id": 3} for line in order.ordered])
    if not asked.path.startswith(f"/v2/orders/{ORDER}/shipments"):
        return Says(404, [{"status": 404}])
    if asked.method == "GET":
        known = [{"tracking_number": number} for number in order.numbers]
        return Says(200, known) if known else Says(204)
    assert document["order_address_id"] == 3
    lines = {str(item["order_product_id"]): item["quantity"] for item in document["items"]}
    order.parcels.append((document["tracking_number"], lines))
    return Says(201, {"id": 1})


def _square_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if asked.path != f"/v2/orders/{ORDER}":
        return Says(404, {"errors": [{"code": "NOT_FOUND"}]})
    if asked.method == "PUT":
        changed = document["order"]
        if changed["version"] != order.version:
            return Says(409, {"errors": [{"code": "VERSION_MISMATCH"}]})
        (shipment,) = changed["fulfillments"]
        assert (shipment["uid"], changed["location_id"]) == ("F1", "L1")
        order.parcels = [(shipment["shipment_details"]["tracking_number"], {})]
        order.completed = shipment.get("state") == "COMPLETED"
        order.version += 1
    fulfillments = [{"uid": "F1", "type": "SHIPMENT", "state": "PROPOSED"}]
    found = {"id": ORDER, "location_id": "L1", "version": order.version, "fulfillments": fulfillments}
    return Says(200, {"order": found})


def _ebay_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if asked.path != f"/sell/fulfillment/v1/order/{ORDER}/shipping_fulfillment":
        return Says(404, {"errors": [{"errorId": 32100}]})
    if asked.method == "POST":
        assert document["shippingCarrierCode"] == "correos"
        lines = {item["lineItemId"]: item["quantity"] for item in document["lineItems"]}
        order.parcels.append((document["trackingNumber"], lines))
        return Says(201)
    return Says(200, {"fulfillments": [{"shipmentTrackingNumber": number} for number in order.numbers]})


def _amazon_parcels(order: FakeOrder, asked: Asked, document: Any) -> Says:
    if (asked.method, asked.path) != ("POST", f"/orders/v0/orders/{ORDER}/shipmentConfirmation"):
        return Says(404, {"errors": [{"code": "NotFound"}]})
    package = document["packageDetail"]
    assert package["packageReferenceId"].isdecimal() and int(package["packageReferenceId"]) > 0
    lines = {item["orderItemId"]: item["quantity"] for item in package["orderItems"]}
    if package["trackingNumber"] not in order.numbers:
        order.parcels.append((package["trackingNumber"], lines))
    return Says(204)


_OF_PARCELS: Mapping[str, Callable[[FakeOrder, Asked, Any], Says]] = {
    "shopify": _shopify_parcels,
    "woocommerce": _woocommerce_parcels,
    "magento": _magento_parcels,
    "bigcommerce": _bigcommerce_parcels,
    "square": _square_parcels,
    "ebay": _ebay_parcels,
    "amazon": _amazon_parcels,
}
