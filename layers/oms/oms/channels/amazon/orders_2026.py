"""Amazon's order of the Orders API 2026-01-01 as a canonical order.

One answer holds all of an order, if all was asked for: money and who ships are data sets of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from oms.orders.commands import Address, Customer, Delivery, Fetch, Ignore, Line, Method, PlaceOrder
from oms.values import replace

type Breakdown = Mapping[str, Node]
"""Amounts of an item or of an order by type: ITEM, SHIPPING, TAX, DISCOUNT, .."""


def orders(message: Inbound, body: Node) -> Iterator[Command]:
    """The orders in a payload, one command for each."""
    for node in body.objects():
        if node.has("orderId") and (node.has("orderItems") or node.has("lastUpdatedTime")):
            yield _order(message, node)


def _order(message: Inbound, node: Node) -> Command:
    order_id = node.need(Node.text, "orderId")
    channel = node.child("salesChannel") or Node({})
    if channel.text("channelName") == "NON_AMAZON":
        return Ignore(f"{order_id}: an order of another channel that Amazon ships")
    reached = status((node.child("fulfillment") or Node({})).text("fulfillmentStatus"))
    proceeds = node.child("proceeds") or Node({})
    if reached in UNPAID and not proceeds.has("grandTotal"):
        return Ignore(f"{order_id}: pending orders have no prices until the payment is verified")
    if _whole(node):
        return _placed(message, node, proceeds, reached)
    if reached in CANCELLED:
        return cancelled(message, order_id, node.need(Node.time, "lastUpdatedTime", "createdTime"))
    return Fetch(message.channel, message.adapter, "order", order_id)


def _whole(node: Node) -> bool:
    """Whether it is told what was ordered, who ships, and what was paid."""
    priced = node.has("proceeds") or any(_unit_price(item) for item in node.children("orderItems"))
    ships = (node.child("fulfillment") or Node({})).has("fulfilledBy")
    return node.has("orderItems") and ships and priced


def _placed(message: Inbound, node: Node, proceeds: Node, reached: str) -> PlaceOrder:
    items = node.children("orderItems")
    currency = _currency(node, proceeds, items)
    moneys = [_money(item, currency) for item in items]
    whole = _breakdown(proceeds)
    # Orders may state these only as a whole.
    shipping = sum(rounded(money.shipping) for money in moneys) or _sum(whole, "SHIPPING", currency)
    lines = tuple(
        _line(item, money, node, currency, reached) for item, money in zip(items, moneys, strict=True)
    )
    buyer = node.child("buyer") or Node({})
    executions = (node.child("payment") or Node({})).children("paymentExecutions")
    methods = dict.fromkeys(method for paid in executions if (method := paid.text("paymentMethod")))
    order = completed(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=node.need(Node.text, "orderId"),
            channel_version=stamp(node.need(Node.time, "lastUpdatedTime", "createdTime")),
            order_number=_number(node),
            currency=currency,
            presentment_currency=currency,
            test=False,
            cancelled=reached in CANCELLED,
            placed_at=node.need(Node.time, "createdTime", "lastUpdatedTime"),
            tax_included=False,
            customer=Customer(name=buyer.text("buyerName"), email=buyer.text("buyerEmail")),
            billing=None,
            deliveries=(_delivery(node, moneys, shipping),),
            lines=lines,
            discount=sum(line.discount for line in lines),
            shipping=shipping,
            fees=fees(moneys),
            duties=0,
            tip=_sum(whole, "DELIVERY_TIP", currency),
            tax=0,
            total=0,
            payments=(),
            purchase_order=buyer.text("buyerPurchaseOrderNumber"),
            notes=_notes(node),
        ),
        tax=_sum(whole, "TAX", currency) if "TAX" in whole else None,
        total=rounded(amount(proceeds.child("grandTotal"), currency)) if proceeds.has("grandTotal") else None,
    )
    return replace(order, payments=payments(methods, order.total, reached))


def _number(node: Node) -> str:
    aliases = (
        alias.text("aliasId")
        for alias in node.children("orderAliases")
        if alias.text("aliasType") == "SELLER_ORDER_ID"
    )
    return next(filter(None, aliases), None) or node.need(Node.text, "orderId")


def _currency(node: Node, proceeds: Node, items: Sequence[Node]) -> str:
    """Of the total, of an item's price, or of the marketplace for an order that costs nothing."""
    for money in (proceeds.child("grandTotal"), *(_unit_price(item) for item in items)):
        if money is not None and money.has("currencyCode"):
            return require_currency(money.need(Node.text, "currencyCode"), money.at("currencyCode"))
    channel = node.need(Node.child, "salesChannel")
    marketplace = channel.need(Node.text, "marketplaceId")
    if marketplace not in MARKETPLACES:
        raise channel.invalid("marketplaceId", "a marketplace whose currency is known")
    return MARKETPLACES[marketplace]


def _unit_price(item: Node) -> Node | None:
    price = (item.child("product") or Node({})).child("price")
    return price.child("unitPrice") if price else None


def _breakdown(proceeds: Node) -> Breakdown:
    return {part.need(Node.text, "type"): part for part in proceeds.children("breakdowns")}


def _sum(parts: Breakdown, kind: str, currency: str) -> int:
    part = parts.get(kind)
    return rounded(amount(part.child("subtotal"), currency)) if part else 0


def _money(item: Node, currency: str) -> Money:
    """The amounts of an item, of its whole quantity; tax and discount say what they are of."""
    parts = _breakdown(item.child("proceeds") or Node({}))

    def of(kind: str, subtype: str | None = None) -> Decimal:
        part = parts.get(kind)
        if part is None:
            return Decimal(0)
        if subtype is None:
            return amount(part.child("subtotal"), currency)
        details = part.children("detailedBreakdowns")
        values = [detail.child("value") for detail in details if detail.text("subtype") == subtype]
        return sum((amount(value, currency) for value in values), Decimal(0))

    price, quantity = _unit_price(item), item.need(Node.integer, "quantityOrdered")
    shipping_tax, gift_wrap_tax = of("TAX", "SHIPPING"), of("TAX", "GIFT_WRAP")
    shipping_discount = abs(of("DISCOUNT", "SHIPPING"))
    return Money(
        item=of("ITEM") if "ITEM" in parts else amount(price, currency) * quantity,
        discount=abs(of("DISCOUNT")) - shipping_discount,
        tax=of("TAX") - shipping_tax - gift_wrap_tax,
        shipping=of("SHIPPING"),
        shipping_discount=shipping_discount,
        shipping_tax=shipping_tax,
        gift_wrap=of("GIFT_WRAP"),
        gift_wrap_tax=gift_wrap_tax,
        cash_on_delivery=of("COD_FEE"),
        other=of("OTHER"),
    )


def _line(item: Node, money: Money, node: Node, currency: str, reached: str) -> Line:
    product = item.need(Node.child, "product")
    progress = item.child("fulfillment") or Node({})
    quantity = item.need(Node.integer, "quantityOrdered")
    shipped, left = progress.integer("quantityFulfilled"), progress.integer("quantityUnfulfilled")
    if reached in CANCELLED:
        left = 0
    gift = (progress.child("packing") or Node({})).child("giftOption") or Node({})
    price = _unit_price(item)
    request = item.child("cancellation") or Node({})
    return line(
        line_id=item.need(Node.text, "orderItemId"),
        sku=product.text("sellerSku"),
        asin=product.text("asin"),
        title=product.text("title"),
        quantity=quantity,
        money=money,
        price=amount(price, currency) if price else None,
        by_amazon=(node.child("fulfillment") or Node({})).text("fulfilledBy") == "AMAZON",
        delivery_id=GOODS,
        shipped=shipped,
        cancelled=max(0, quantity - (shipped or 0) - left) if left is not None else 0,
        properties={
            "gift": "true" if gift.names() else "",
            "gift_message": gift.text("giftMessage") or "",
            "gift_wrap": gift.text("giftWrapLevel") or "",
            "cancel_requested": "true" if request.has("cancellationRequest") else "",
        },
    )


def _delivery(node: Node, moneys: Sequence[Money], shipping: int) -> Delivery:
    programs = node.get("programs")
    pickup = isinstance(programs, list) and "IN_STORE_PICK_UP" in programs
    recipient = node.child("recipient") or Node({})
    return Delivery(
        id=GOODS,
        method=Method.PICKUP if pickup else Method.SHIP,
        service=(node.child("fulfillment") or Node({})).text("fulfillmentServiceLevel"),
        ship_to=_address(recipient.child("deliveryAddress")),
        shipping=shipping,
        shipping_discount=sum(rounded(money.shipping_discount) for money in moneys),
        shipping_tax=sum(rounded(money.shipping_tax) for money in moneys),
    )


def _address(place: Node | None) -> Address | None:
    if place is None:
        return None
    more = [place.text("addressLine2"), place.text("addressLine3")]
    return Address(
        name=place.text("name"),
        company=place.text("companyName"),
        line1=place.text("addressLine1"),
        line2=", ".join(filter(None, more)) or None,
        city=place.text("city") or place.text("municipality"),
        region=place.text("stateOrRegion"),
        postal_code=place.text("postalCode"),
        country=place.text("countryCode"),
        phone=place.text("phone"),
    )


def _notes(node: Node) -> str | None:
    """What the recipient asks of the carrier, and the order that this one makes good."""
    preference = (node.child("recipient") or Node({})).child("deliveryPreference") or Node({})
    originals = [
        f"replacement of order {other.text('orderId')}"
        for other in node.children("associatedOrders")
        if other.text("associationType") in ("REPLACEMENT_ORIGINAL_ID", "EXCHANGE_ORIGINAL_ID")
    ]
    notes = [preference.text("dropOffLocation"), preference.text("addressInstruction"), *originals]
    return "\n".join(filter(None, notes)) or None
