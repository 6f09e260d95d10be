"""Amazon's order of the Orders API v0 as a canonical order.

The order and its items are answers of different calls, so an order is placed when both are in the payload:
side by side, or the items inside of the order.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from oms.channels.amazon.sale import (
    CANCELLED,
    MARKETPLACES,
    UNPAID,
    Money,
    amount,
    cancelled,
    completed,
    fees,
    line,
    payments,
    status,
)
from oms.channels.amounts import rounded
from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.deliveries import GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.orders.commands import (
    Address,
    Customer,
    Delivery,
    Fetch,
    Ignore,
    Line,
    Method,
    PlaceOrder,
)
from oms.values import replace

PARTS = ("OrderStatus", "OrderItems", "ShippingAddress", "BuyerEmail", "BuyerName", "RegulatedInformation")
"""Fields that make an object with an order's id an answer about that order, and not a mention of it."""


def orders(message: Inbound, body: Node) -> Iterator[Command]:
    """The orders that a payload holds in full or in part, one command for each."""
    parts: dict[str, list[Node]] = {}
    for node in body.objects():
        if node.has("AmazonOrderId") and any(node.has(part) for part in PARTS):
            parts.setdefault(node.need(Node.text, "AmazonOrderId"), []).append(node)
    for order_id, nodes in parts.items():
        yield _order(message, order_id, nodes)


def _order(message: Inbound, order_id: str, nodes: Sequence[Node]) -> Command:
    header = next((node for node in nodes if node.has("OrderStatus")), None)
    pages = [node for node in nodes if node.has("OrderItems")]
    if header is None:
        return Fetch(message.channel, message.adapter, "order", order_id)
    if (header.text("SalesChannel") or "").startswith("Non-Amazon"):
        return Ignore(f"{order_id}: an order of another channel that Amazon ships")
    reached = status(header.text("OrderStatus"))
    if reached in UNPAID and not header.has("OrderTotal"):
        return Ignore(f"{order_id}: pending orders have no prices until the payment is verified")
    # Answers about buyers list the items too, without what was ordered.
    listed = [item for page in pages for item in page.children("OrderItems")]
    items = [item for item in listed if item.has("QuantityOrdered")]
    if not _whole(header, pages, items):
        if reached in CANCELLED:
            return cancelled(message, order_id, header.need(Node.time, "LastUpdateDate", "PurchaseDate"))
        return Fetch(message.channel, message.adapter, "order", order_id)
    return _placed(message, header, items)


def _whole(header: Node, pages: Sequence[Node], items: Sequence[Node]) -> bool:
    """Whether it is told who ships, and all items are there: no further page, all units that are counted."""
    units = sum(item.need(Node.integer, "QuantityOrdered") for item in items)
    counts = [header.integer(key) or 0 for key in ("NumberOfItemsShipped", "NumberOfItemsUnshipped")]
    more = any(page.has("NextToken") for page in pages)
    return header.has("FulfillmentChannel") and bool(items) and not more and units >= sum(counts)


def _placed(message: Inbound, header: Node, items: Sequence[Node]) -> PlaceOrder:
    currency = _currency(header, items)
    reached = status(header.text("OrderStatus"))
    void = reached in CANCELLED
    # Items that were cancelled on their own are listed with no units.
    kept = [item for item in items if item.integer("QuantityOrdered")] or items
    moneys = [_money(item, currency) for item in kept]
    lines = tuple(_line(item, money, header, void) for item, money in zip(kept, moneys, strict=True))
    total = rounded(amount(header.child("OrderTotal"), currency)) if header.has("OrderTotal") else None
    methods = header.get("PaymentMethodDetails")
    named = [str(method) for method in methods] if isinstance(methods, list) else []
    buyer = header.child("BuyerInfo") or header
    order = completed(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=header.need(Node.text, "AmazonOrderId"),
            channel_version=stamp(header.need(Node.time, "LastUpdateDate", "PurchaseDate")),
            order_number=header.need(Node.text, "SellerOrderId", "AmazonOrderId"),
            currency=currency,
            presentment_currency=currency,
            test=False,
            cancelled=void,
            placed_at=header.need(Node.time, "PurchaseDate", "LastUpdateDate"),
            tax_included=False,
            customer=Customer(name=buyer.text("BuyerName"), email=buyer.text("BuyerEmail")),
            billing=None,
            deliveries=(_delivery(header, items, moneys),),
            lines=lines,
            discount=sum(line.discount for line in lines),
            shipping=sum(rounded(money.shipping) for money in moneys),
            fees=fees(moneys),
            duties=0,
            tip=0,
            tax=0,
            total=0,
            payments=(),
            purchase_order=buyer.text("PurchaseOrderNumber"),
            notes=_notes(header),
        ),
        tax=None,
        total=total,
    )
    return replace(order, payments=payments(named, order.total, reached))


def _currency(header: Node, items: Sequence[Node]) -> str:
    """Of the total, of an item's price, or of the marketplace for an order that costs nothing."""
    amounts = [header.child("OrderTotal"), *(item.child("ItemPrice") for item in items)]
    stated = next((node for node in amounts if node and node.has("CurrencyCode")), None)
    if stated is not None:
        return require_currency(stated.need(Node.text, "CurrencyCode"), stated.at("CurrencyCode"))
    marketplace = header.need(Node.text, "MarketplaceId")
    if marketplace not in MARKETPLACES:
        raise header.invalid("MarketplaceId", "a marketplace whose currency is known")
    return MARKETPLACES[marketplace]


def _money(item: Node, currency: str) -> Money:
    """The amounts of an item; Amazon states each for the whole quantity."""

    def of(key: str, node: Node = item) -> Decimal:
        return amount(node.child(key), currency)

    gift = item.child("BuyerInfo") or item
    return Money(
        item=of("ItemPrice"),
        discount=of("PromotionDiscount"),
        tax=of("ItemTax") - of("PromotionDiscountTax"),
        shipping=of("ShippingPrice"),
        shipping_discount=of("ShippingDiscount"),
        shipping_tax=of("ShippingTax") - of("ShippingDiscountTax"),
        gift_wrap=of("GiftWrapPrice", gift),
        gift_wrap_tax=of("GiftWrapTax", gift),
        cash_on_delivery=of("CODFee") - of("CODFeeDiscount"),
    )


def _line(item: Node, money: Money, header: Node, void: bool) -> Line:
    quantity = item.need(Node.integer, "QuantityOrdered")
    shipped = item.integer("QuantityShipped")
    gift = item.child("BuyerInfo") or item
    request = item.child("BuyerRequestedCancel") or Node({})
    return line(
        line_id=item.need(Node.text, "OrderItemId"),
        sku=item.text("SellerSKU"),
        asin=item.text("ASIN"),
        title=item.text("Title"),
        quantity=quantity,
        money=money,
        price=None,
        by_amazon=header.text("FulfillmentChannel") == "AFN",
        delivery_id=GOODS,
        shipped=shipped,
        cancelled=max(0, quantity - (shipped or 0)) if void else 0,
        properties={
            "gift": "true" if item.flag("IsGift") else "",
            "gift_message": gift.text("GiftMessageText") or "",
            "gift_wrap": gift.text("GiftWrapLevel") or "",
            # A request of the buyer's, which the seller may still refuse.
            "cancel_requested": "true" if request.flag("IsBuyerRequestedCancel") else "",
        },
    )


def _delivery(header: Node, items: Sequence[Node], moneys: Sequence[Money]) -> Delivery:
    pickup = header.flag("IsISPU")
    stores = (item.text("StoreChainStoreId") for item in items)
    return Delivery(
        id=GOODS,
        method=Method.PICKUP if pickup else Method.SHIP,
        service=header.text("ShipServiceLevel") or header.text("ShipmentServiceLevelCategory"),
        ship_to=_address(header.child("ShippingAddress")),
        location=next(filter(None, stores), None) if pickup else None,
        shipping=sum(rounded(money.shipping) for money in moneys),
        shipping_discount=sum(rounded(money.shipping_discount) for money in moneys),
        shipping_tax=sum(rounded(money.shipping_tax) for money in moneys),
    )


def _address(place: Node | None) -> Address | None:
    if place is None:
        return None
    more = [place.text("AddressLine2"), place.text("AddressLine3")]
    return Address(
        name=place.text("Name"),
        company=place.text("CompanyName"),
        line1=place.text("AddressLine1"),
        line2=", ".join(filter(None, more)) or None,
        city=place.text("City"),
        region=place.text("StateOrRegion"),
        postal_code=place.text("PostalCode"),
        country=place.text("CountryCode"),
        phone=place.text("Phone"),
    )


def _notes(header: Node) -> str | None:
    replaced = header.text("ReplacedOrderId")
    return f"replacement of order {replaced}" if replaced else None
