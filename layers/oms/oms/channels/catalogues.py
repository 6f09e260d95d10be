"""Catalogues: everything that a channel sells, with the stock that it shows, as its API lists it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import batched
from urllib.parse import quote

from oms.channels.exchange import Api, Query, read
from oms.channels.payload import Node
from oms.channels.shopify.fetch import graphql
from oms.problems import Code, Problem

MOST_PAGES = 5000
"""A list that never ends is not read for ever."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing as its channel lists it.

    Attributes:
        item_id: what the channel counts its stock under.
        listing_id: what its orders name it by.
        product_id: what it is a variant of.
        sku: None when it has none there.
        title: as customers see it.
        stock: units that it may sell where we feed it; None when it does not count them there.
    """

    item_id: str
    listing_id: str | None
    product_id: str | None
    sku: str | None
    title: str | None
    stock: int | None


type Cataloguing = Callable[[Api], Iterator[Shown]]


def _pages(name: str) -> Iterator[int]:
    """Numbers of pages, for whoever stops at the last one.

    Raises:
        Problem: `channel_refused`, there are too many.
    """
    yield from range(1, MOST_PAGES + 1)
    raise Problem(Code.CHANNEL_REFUSED, f"the channel's list of {name} has more than {MOST_PAGES} pages")


_VARIANTS = """query ($after: String, $location: ID!) { productVariants(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes { id sku displayName product { id } inventoryItem { id tracked
    inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } } } } } }"""


def _shopify(api: Api) -> Iterator[Shown]:
    wanted: dict[str, object] = {"location": f"gid://shopify/Location/{api.value('location_id')}"}
    for _ in _pages("variants"):
        found = graphql(api, _VARIANTS, wanted).need(Node.child, "productVariants")
        for variant in found.children("nodes"):
            item = variant.need(Node.child, "inventoryItem")
            level = item.child("inventoryLevel") if item.flag("tracked") else None
            quantities = level.children("quantities") if level else ()
            yield Shown(
                item_id=item.need(Node.identifier, "id"),
                listing_id=variant.identifier("id"),
                product_id=variant.need(Node.child, "product").identifier("id"),
                sku=variant.text("sku"),
                title=(variant.text("displayName") or "").removesuffix(" - Default Title") or None,
                stock=quantities[0].integer("quantity") if quantities else None,
            )
        page = found.need(Node.child, "pageInfo")
        if not page.flag("hasNextPage"):
            return
        wanted["after"] = page.text("endCursor")


def _woocommerce(api: Api) -> Iterator[Shown]:
    for product in _numbered(api, "/wp-json/wc/v3/products"):
        name = product.need(Node.identifier, "id")
        variable = product.text("type") == "variable"
        variations = _numbered(api, f"/wp-json/wc/v3/products/{name}/variations") if variable else (product,)
        for sold in variations:
            counted = sold.get("manage_stock") is True
            yield Shown(
                item_id=sold.need(Node.identifier, "id"),
                listing_id=sold.need(Node.identifier, "id"),
                product_id=name,
                sku=sold.text("sku"),
                title=product.text("name"),
                stock=sold.integer("stock_quantity") if counted else None,
            )


def _numbered(api: Api, path: str, size: int = 100) -> Iterator[Node]:
    """A list of WooCommerce, page by page."""
    for page in _pages(path):
        found = read(api.get(path, {"per_page": size, "page": page})).items()
        yield from found
        if len(found) < size:
            return


_COUNTED_BY_MAGENTO = ("simple", "virtual", "downloadable")


def _magento(api: Api) -> Iterator[Shown]:
    """Products that are counted: the others stand for several of these."""
    source = api.values.get("source_code")
    for page in _pages("products"):
        query = {"searchCriteria[pageSize]": 100, "searchCriteria[currentPage]": page}
        listed = read(api.get("/rest/V1/products", query)).children("items")
        for product in listed:
            if product.text("type_id") not in _COUNTED_BY_MAGENTO:
                continue
            name, sku = product.need(Node.identifier, "id"), product.text("sku")
            stock = _stock_of_magento(api, sku, source) if sku else None
            yield Shown(name, name, name, sku, product.text("name"), stock)
        if len(listed) < 100:
            return


def _stock_of_magento(api: Api, sku: str, source: str | None) -> int | None:
    if source is None:
        item = read(api.get(f"/rest/V1/stockItems/{quote(sku, safe='')}"))
        return _whole(item, "qty") if item.flag("manage_stock") else None
    query: dict[str, str | int] = {}
    for number, (field, value) in enumerate((("sku", sku), ("source_code", source))):
        filtered = f"searchCriteria[filterGroups][{number}][filters][0]"
        query |= {f"{filtered}[field]": field, f"{filtered}[value]": value}
    items = read(api.get("/rest/V1/inventory/source-items", query)).children("items")
    return _whole(items[0], "quantity") if items else None


def _whole(node: Node, key: str) -> int | None:
    number = node.decimal(key)
    return None if number is None else int(number // 1)


def _bigcommerce(api: Api) -> Iterator[Shown]:
    for page in _pages("products"):
        query: Query = {"include": "variants", "limit": 250, "page": page}
        products = read(api.get("/v3/catalog/products", query)).children("data")
        for product in products:
            name = product.need(Node.identifier, "id")
            counted = product.text("inventory_tracking") != "none"
            for variant in product.children("variants"):
                variant_id = variant.need(Node.identifier, "id")
                yield Shown(
                    item_id=f"{name}/{variant_id}",
                    listing_id=variant_id,
                    product_id=name,
                    sku=variant.text("sku"),
                    title=product.text("name"),
                    stock=variant.integer("inventory_level") if counted else None,
                )
        if len(products) < 250:
            return


def _square(api: Api) -> Iterator[Shown]:
    for variations in batched(_variations_of_square(api), 100, strict=False):
        wanted = {
            "catalog_object_ids": [variation.need(Node.text, "id") for variation in variations],
            "location_ids": [api.value("location_id")],
            "states": ["IN_STOCK"],
        }
        answer = read(api.call("POST", "/v2/inventory/counts/batch-retrieve", wanted))
        counts = {
            count.text("catalog_object_id"): _whole(count, "quantity") for count in answer.children("counts")
        }
        for variation in variations:
            name, data = variation.need(Node.text, "id"), variation.need(Node.child, "item_variation_data")
            yield Shown(
                name, name, data.text("item_id"), data.text("sku"), data.text("name"), counts.get(name)
            )


def _variations_of_square(api: Api) -> Iterator[Node]:
    cursor: str | None = None
    for _ in _pages("items"):
        body = read(api.get("/v2/catalog/list", {"types": "ITEM"} | ({"cursor": cursor} if cursor else {})))
        for item in body.children("objects"):
            yield from item.need(Node.child, "item_data").children("variations")
        cursor = body.text("cursor")
        if cursor is None:
            return


def _ebay(api: Api) -> Iterator[Shown]:
    """Its inventory is kept by the seller's sku."""
    for page in _pages("inventory items"):
        query: Query = {"limit": 100, "offset": 100 * (page - 1)}
        items = read(api.get("/sell/inventory/v1/inventory_item", query)).children("inventoryItems")
        for item in items:
            sku = item.need(Node.text, "sku")
            there = (item.child("availability") or Node({})).child("shipToLocationAvailability")
            title = (item.child("product") or Node({})).text("title")
            yield Shown(sku, None, None, sku, title, there.integer("quantity") if there else None)
        if len(items) < 100:
            return


_SHIPPED_BY_SELLER = "DEFAULT"


def _amazon(api: Api) -> Iterator[Shown]:
    """What the seller ships himself: the stock of everything else is counted by Amazon."""
    seller = quote(api.value("seller_id"), safe="")
    query: dict[str, str | int] = {
        "marketplaceIds": api.value("marketplace_id"),
        "includedData": "summaries,fulfillmentAvailability",
        "pageSize": 20,
    }
    for _ in _pages("listings"):
        body = read(api.get(f"/listings/2021-08-01/items/{seller}", query))
        for item in body.children("items"):
            sku = item.need(Node.text, "sku")
            summaries = item.children("summaries")
            for there in item.children("fulfillmentAvailability"):
                if there.text("fulfillmentChannelCode") == _SHIPPED_BY_SELLER:
                    title = summaries[0].text("itemName") if summaries else None
                    yield Shown(sku, None, None, sku, title, there.integer("quantity"))
        token = (body.child("pagination") or Node({})).text("nextToken")
        if token is None:
            return
        query["pageToken"] = token


_CATALOGUES: Mapping[str, Cataloguing] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
    "bigcommerce": _bigcommerce,
    "square": _square,
    "ebay": _ebay,
    "amazon": _amazon,
}


def catalogue(api: Api) -> Iterator[Shown]:
    """Everything that a channel sells, as it is read page by page.

    Raises:
        Problem: `unsupported`, the kind has no such list; `channel_refused`; `field_missing`.
        Unavailable: the channel gave no answer that counts.
    """
    if api.kind not in _CATALOGUES:
        raise Problem(Code.UNSUPPORTED, f"{api.kind} has no list of what it sells", "kind")
    return _CATALOGUES[api.kind](api)
