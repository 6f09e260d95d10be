"""Catalogues: what a channel sells, with the stock, title and price that it shows, as its API lists it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from decimal import Decimal
from itertools import batched
from urllib.parse import quote

from oms.channels.currencies import unscaled
from oms.channels.exchange import Api, Query, read
from oms.channels.payload import Node
from oms.channels.shopify.fetch import graphql
from oms.problems import Code, Problem
from oms.values import frozen

MOST_PAGES = 50_000
"""A list that never ends is not read for ever."""


@frozen
class Shown:
    """One thing as its channel lists it.

    Attributes:
        item_id: what the channel counts its stock under.
        listing_id: what its orders name it by.
        product_id: what it is a variant of.
        sku: None when it has none there.
        title: as customers see it.
        stock: units that it may sell where we feed it; None when it does not count them there.
        prices: what a unit costs, by currency, the shop's own without a name.
    """

    item_id: str
    listing_id: str | None
    product_id: str | None
    sku: str | None
    title: str | None
    stock: int | None
    prices: Mapping[str, Decimal] = field(default_factory=dict)

    def price(self, currency: str) -> Decimal | None:
        """What it costs in a currency, as far as the channel says; the shop's own is taken for it."""
        return self.prices.get(currency, self.prices.get(""))


type Page = tuple[Sequence[Shown], str | None]
"""A part of a list, and where the part after it begins; None at the end."""

type Cataloguing = Callable[[Api, str | None], Page]


def _after(number: int, found: int, size: int) -> str | None:
    """Where the page after a numbered one begins: the last one is not full."""
    return str(number + 1) if found == size else None


def _own(price: Decimal | None) -> Mapping[str, Decimal]:
    """A price in the shop's own currency."""
    return {} if price is None else {"": price}


_VARIANTS = """query ($after: String, $location: ID!) { productVariants(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes { id sku displayName price product { id } inventoryItem { id tracked
    inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } } } } } }"""


def _shopify(api: Api, after: str | None) -> Page:
    wanted: dict[str, object] = {"location": f"gid://shopify/Location/{api.value('location_id')}"}
    found = graphql(api, _VARIANTS, wanted | ({"after": after} if after else {}))
    variants = found.need(Node.child, "productVariants")
    end = variants.need(Node.child, "pageInfo")
    shown = list(map(_variant_of_shopify, variants.children("nodes")))
    return shown, end.text("endCursor") if end.flag("hasNextPage") else None


def _variant_of_shopify(variant: Node) -> Shown:
    item = variant.need(Node.child, "inventoryItem")
    level = item.child("inventoryLevel") if item.flag("tracked") else None
    quantities = level.children("quantities") if level else ()
    return Shown(
        item_id=item.need(Node.identifier, "id"),
        listing_id=variant.identifier("id"),
        product_id=variant.need(Node.child, "product").identifier("id"),
        sku=variant.text("sku"),
        title=(variant.text("displayName") or "").removesuffix(" - Default Title") or None,
        stock=quantities[0].integer("quantity") if quantities else None,
        prices=_own(variant.decimal("price")),
    )


_PRODUCTS_OF_WOOCOMMERCE = 20
"""Fewer than it would list at once: the variations of each are a list of their own."""


def _woocommerce(api: Api, after: str | None) -> Page:
    number, shown = int(after or 1), list[Shown]()
    query: Query = {"per_page": _PRODUCTS_OF_WOOCOMMERCE, "page": number}
    products = read(api.get("/wp-json/wc/v3/products", query)).items()
    for product in products:
        variable = product.text("type") == "variable"
        for sold in _variations_of_woocommerce(api, product) if variable else (product,):
            counted = sold.get("manage_stock") is True
            shown.append(
                Shown(
                    item_id=sold.need(Node.identifier, "id"),
                    listing_id=sold.need(Node.identifier, "id"),
                    product_id=product.need(Node.identifier, "id"),
                    sku=sold.text("sku"),
                    title=product.text("name"),
                    stock=sold.integer("stock_quantity") if counted else None,
                    prices=_own(sold.decimal("regular_price")),
                )
            )
    return shown, _after(number, len(products), _PRODUCTS_OF_WOOCOMMERCE)


def _variations_of_woocommerce(api: Api, product: Node) -> Iterator[Node]:
    path = f"/wp-json/wc/v3/products/{product.need(Node.identifier, 'id')}/variations"
    after: str | None = "1"
    while after is not None:
        found = read(api.get(path, {"per_page": 100, "page": after})).items()
        yield from found
        after = _after(int(after), len(found), 100)


_COUNTED_BY_MAGENTO = ("simple", "virtual", "downloadable")


_PRODUCTS_OF_MAGENTO = 20
"""Fewer than it would list at once: the stock of each is asked for by itself."""


def _magento(api: Api, after: str | None) -> Page:
    """Products that are counted: the others stand for several of these."""
    number, shown = int(after or 1), list[Shown]()
    query: Query = {
        "searchCriteria[pageSize]": _PRODUCTS_OF_MAGENTO,
        "searchCriteria[currentPage]": number,
        "searchCriteria[sortOrders][0][field]": "entity_id",
        "searchCriteria[sortOrders][0][direction]": "ASC",
    }
    listed = read(api.get("/rest/V1/products", query))
    products = listed.children("items")
    for product in products:
        if product.text("type_id") in _COUNTED_BY_MAGENTO:
            name, sku = product.need(Node.identifier, "id"), product.text("sku")
            stock = _stock_of_magento(api, sku, api.values.get("source_code")) if sku else None
            prices = _own(product.decimal("price"))
            shown.append(Shown(name, name, name, sku, product.text("name"), stock, prices))
    # Past the last page it answers with the last one again.
    last = number * _PRODUCTS_OF_MAGENTO >= (listed.integer("total_count") or 0)
    return shown, None if last else str(number + 1)


def _stock_of_magento(api: Api, sku: str, source: str | None) -> int | None:
    if source is None:
        item = read(api.get(f"/rest/V1/stockItems/{quote(sku, safe='')}"))
        return _whole(item, "qty") if item.flag("manage_stock") else None
    query: dict[str, str | int] = {}
    for number, (name, value) in enumerate((("sku", sku), ("source_code", source))):
        filtered = f"searchCriteria[filterGroups][{number}][filters][0]"
        query |= {f"{filtered}[field]": name, f"{filtered}[value]": value}
    items = read(api.get("/rest/V1/inventory/source-items", query)).children("items")
    return _whole(items[0], "quantity") if items else None


def _whole(node: Node, key: str) -> int | None:
    number = node.decimal(key)
    return None if number is None else int(number // 1)


def _bigcommerce(api: Api, after: str | None) -> Page:
    number, shown = int(after or 1), list[Shown]()
    query: Query = {"include": "variants", "limit": 100, "page": number}
    products = read(api.get("/v3/catalog/products", query)).children("data")
    for product in products:
        name = product.need(Node.identifier, "id")
        counted = product.text("inventory_tracking") != "none"
        for variant in product.children("variants"):
            variant_id, own = variant.need(Node.identifier, "id"), variant.decimal("price")
            shown.append(
                Shown(
                    item_id=f"{name}/{variant_id}",
                    listing_id=variant_id,
                    product_id=name,
                    sku=variant.text("sku"),
                    title=product.text("name"),
                    stock=variant.integer("inventory_level") if counted else None,
                    prices=_own(product.decimal("price") if own is None else own),
                )
            )
    return shown, _after(number, len(products), 100)


def _square(api: Api, after: str | None) -> Page:
    query = {"types": "ITEM"} | ({"cursor": after} if after else {})
    body = read(api.get("/v2/catalog/list", query))
    titled = [
        (variation, _title_of_square(item.need(Node.child, "item_data"), variation))
        for item in body.children("objects")
        for variation in item.need(Node.child, "item_data").children("variations")
    ]
    counts: dict[str | None, int | None] = {}
    for batch in batched(titled, 100, strict=False):
        wanted = {
            "catalog_object_ids": [variation.need(Node.text, "id") for variation, _ in batch],
            "location_ids": [api.value("location_id")],
            "states": ["IN_STOCK"],
        }
        answer = read(api.call("POST", "/v2/inventory/counts/batch-retrieve", wanted))
        counts |= {
            count.text("catalog_object_id"): _whole(count, "quantity") for count in answer.children("counts")
        }
    shown = [_variation_of_square(variation, title, counts) for variation, title in titled]
    return shown, body.text("cursor")


def _title_of_square(item: Node, variation: Node) -> str | None:
    """An item with one variation is sold under its own name."""
    alone = len(item.children("variations")) == 1
    own = variation.need(Node.child, "item_variation_data").text("name")
    return (item.text("name") if alone else None) or own


def _variation_of_square(
    variation: Node, title: str | None, counts: Mapping[str | None, int | None]
) -> Shown:
    name, data = variation.need(Node.text, "id"), variation.need(Node.child, "item_variation_data")
    money = data.child("price_money")
    prices: dict[str, Decimal] = {}
    if money is not None:
        currency = money.need(Node.text, "currency")
        prices[currency] = unscaled(money.need(Node.integer, "amount"), currency)
    return Shown(name, name, data.text("item_id"), data.text("sku"), title, counts.get(name), prices)


_ITEMS_OF_EBAY = 20
"""Fewer than it would list at once: the offers of each are asked for by themselves."""


def _ebay(api: Api, after: str | None) -> Page:
    """Its inventory is kept by the seller's sku."""
    number, shown = int(after or 1), list[Shown]()
    query: Query = {"limit": _ITEMS_OF_EBAY, "offset": _ITEMS_OF_EBAY * (number - 1)}
    items = read(api.get("/sell/inventory/v1/inventory_item", query)).children("inventoryItems")
    for item in items:
        sku = item.need(Node.text, "sku")
        there = (item.child("availability") or Node({})).child("shipToLocationAvailability")
        title = (item.child("product") or Node({})).text("title")
        stock = there.integer("quantity") if there else None
        shown.append(Shown(sku, None, None, sku, title, stock, _prices_of_ebay(api, sku)))
    return shown, _after(number, len(items), _ITEMS_OF_EBAY)


def _prices_of_ebay(api: Api, sku: str) -> Mapping[str, Decimal]:
    """By currency; what has no offer is answered as if it were not there."""
    try:
        offers = read(api.get("/sell/inventory/v1/offer", {"sku": sku})).children("offers")
    except Problem:
        return {}
    found = [(offer.child("pricingSummary") or Node({})).child("price") for offer in offers]
    return {price.need(Node.text, "currency"): price.need(Node.decimal, "value") for price in found if price}


_SHIPPED_BY_SELLER = "DEFAULT"


def _amazon(api: Api, after: str | None) -> Page:
    """What the seller ships himself: the stock of everything else is counted by Amazon."""
    seller, shown = quote(api.value("seller_id"), safe=""), list[Shown]()
    query: dict[str, str | int] = {
        "marketplaceIds": api.value("marketplace_id"),
        "includedData": "summaries,fulfillmentAvailability,offers",
        "pageSize": 20,
    }
    body = read(
        api.get(f"/listings/2021-08-01/items/{seller}", query | ({"pageToken": after} if after else {}))
    )
    for item in body.children("items"):
        sku, summaries = item.need(Node.text, "sku"), item.children("summaries")
        for there in item.children("fulfillmentAvailability"):
            if there.text("fulfillmentChannelCode") == _SHIPPED_BY_SELLER:
                title = summaries[0].text("itemName") if summaries else None
                stock = there.integer("quantity")
                shown.append(Shown(sku, None, None, sku, title, stock, _prices_of_amazon(item)))
    return shown, (body.child("pagination") or Node({})).text("nextToken")


def _prices_of_amazon(item: Node) -> Mapping[str, Decimal]:
    """Of the offers to everybody, by currency."""
    found = [offer.child("price") for offer in item.children("offers") if offer.text("offerType") == "B2C"]
    return {
        price.need(Node.text, "currencyCode", "currency"): price.need(Node.decimal, "amount")
        for price in found
        if price
    }


_CATALOGUES: Mapping[str, Cataloguing] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
    "bigcommerce": _bigcommerce,
    "square": _square,
    "ebay": _ebay,
    "amazon": _amazon,
}


def page(api: Api, after: str | None = None) -> Page:
    """A part of what a channel sells.

    Args:
        api: of the channel.
        after: where it begins, as the part before it said.

    Raises:
        Problem: `unsupported`, the kind has no such list; `channel_refused`; `field_missing`.
        Unavailable: the channel gave no answer that counts.
    """
    if api.kind not in _CATALOGUES:
        raise Problem(Code.UNSUPPORTED, f"{api.kind} has no list of what it sells", "kind")
    return _CATALOGUES[api.kind](api, after)


def catalogue(api: Api) -> Iterator[Shown]:
    """Everything that a channel sells, as it is read page by page.

    Raises:
        Problem: as `page` does; `channel_refused` too when there is no end of pages.
        Unavailable: the channel gave no answer that counts.
    """
    after: str | None = None
    for _ in range(MOST_PAGES):
        shown, after = page(api, after)
        yield from shown
        if after is None:
            return
    raise Problem(Code.CHANNEL_REFUSED, f"the channel's list has more than {MOST_PAGES} pages")
