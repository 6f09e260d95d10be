"""eBay's order as a canonical order.

`value` is an amount converted for the seller; the sale was made in `convertedFromValue`, where that is given.
Tax that eBay collects and remits is no part of what the order comes to.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from oms.channels.amounts import exact, rounded, unit_price
from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.deliveries import DIGITAL, GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Inbound
from oms.channels.totals import settled, with_tax
from oms.orders.commands import (
    LISTING,
    Address,
    Customer,
    Delivery,
    Fee,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.values import frozen

METHODS = {
    "PREPARE_FOR_PICKUP": Method.PICKUP,
    "DIGITAL": Method.DIGITAL,
}
"""How instructions of a type reach the buyer; all others are shipped."""

PAYMENT_STATES = {
    "PAID": PaymentState.CAPTURED,
    "FULLY_REFUNDED": PaymentState.REFUNDED,
    "PARTIALLY_REFUNDED": PaymentState.CAPTURED,
    "PENDING": PaymentState.PENDING,
    "FAILED": PaymentState.PENDING,
}
"""By the payment status of the order."""

FEES = {"fee": "eBay fee", "adjustment": "adjustment"}
"""Charges of the pricing summary that are neither goods nor shipping."""


def order(message: Inbound, node: Node) -> PlaceOrder:
    """An order in full."""
    summary = node.child("pricingSummary") or Node({})
    items = node.children("lineItems")
    currency = _currency(summary, items)
    sale = _Sale.of(node, currency)
    lines = tuple(_line(item, sale) for item in items)
    taxed = sum(line.tax for line in lines)
    total_tax = _minor(summary, currency, "tax") if summary.has("tax") else taxed
    lines = with_tax(lines, total_tax - taxed, [True] * len(lines))
    duties = sum(_carriage(item, currency, "importCharges") for item in items)
    fees = [Fee(title, amount) for key, title in FEES.items() if (amount := _minor(summary, currency, key))]
    delivery = _delivery(node, sale, items, summary, duties)
    discount = sum(line.discount for line in lines)
    listed = sum(line.amount for line in lines) - discount + delivery.shipping - delivery.shipping_discount
    computed = listed + duties + sum(fee.amount for fee in fees) + total_tax
    total = _minor(summary, currency, "total") if summary.has("total") else computed
    return settled(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=node.need(Node.text, "orderId"),
            channel_version=stamp(node.need(Node.time, "lastModifiedDate", "creationDate")),
            order_number=node.need(Node.text, "salesRecordReference", "legacyOrderId", "orderId"),
            currency=currency,
            presentment_currency=currency,
            test=False,
            cancelled=sale.cancelled,
            placed_at=node.need(Node.time, "creationDate", "lastModifiedDate"),
            tax_included=False,
            customer=_customer(node),
            billing=_billing(node),
            deliveries=(delivery,),
            lines=lines,
            discount=discount,
            shipping=delivery.shipping,
            fees=tuple(fees),
            duties=duties,
            tip=0,
            tax=total_tax,
            total=total,
            payments=_payments(node, total),
            notes=_notes(node),
        )
    )


@frozen
class _Sale:
    """What lines and the delivery need to know of their order."""

    currency: str
    cancelled: bool
    refunded: bool
    instructions: Node

    @classmethod
    def of(cls, node: Node, currency: str) -> "_Sale":
        cancellation = node.child("cancelStatus") or Node({})
        return cls(
            currency=currency,
            cancelled=cancellation.text("cancelState") == "CANCELED",
            refunded=node.text("orderPaymentStatus") == "FULLY_REFUNDED",
            instructions=next(iter(node.children("fulfillmentStartInstructions")), Node({})),
        )

    @property
    def method(self) -> Method:
        return METHODS.get(self.instructions.text("fulfillmentInstructionsType") or "", Method.SHIP)

    @property
    def fulfilled_by(self) -> FulfilledBy:
        by_ebay = self.instructions.text("fulfillmentInstructionsType") == "FULFILLED_BY_EBAY"
        return FulfilledBy.CHANNEL if by_ebay else FulfilledBy.US


def _amount(node: Node | None, currency: str) -> Decimal:
    """An amount as it was sold, in minor units; 0 when there is none."""
    return (exact(node, currency, "convertedFromValue", "value") if node else None) or Decimal(0)


def _minor(node: Node, currency: str, key: str) -> int:
    return rounded(_amount(node.child(key), currency))


def _currency(summary: Node, items: Sequence[Node]) -> str:
    """The currency of the sale: that of the total, or of a line for lack of one."""
    amount = summary.child("total") or (items[0] if items else summary).need(Node.child, "lineItemCost")
    code = amount.need(Node.text, "convertedFromCurrency", "currency")
    return require_currency(code, amount.at("currency"))


def _line(item: Node, sale: _Sale) -> Line:
    quantity = item.quantity("quantity")
    units = int(Decimal(quantity).to_integral_value(ROUND_HALF_UP))
    # The cost is of the whole quantity, before discounts.
    cost = _amount(item.need(Node.child, "lineItemCost"), sale.currency)
    kind = LineKind.DIGITAL if sale.method is Method.DIGITAL else LineKind.PHYSICAL
    shipped = {"FULFILLED": units, "NOT_STARTED": 0}.get(item.text("lineItemFulfillmentStatus") or "")
    # A cancelled order may still be called fulfilled: that says nothing of what has left.
    cancelled = units if sale.cancelled else 0
    listing = [item.text("legacyItemId"), item.text("legacyVariationId")]
    return Line(
        channel_line_id=item.need(Node.text, "lineItemId"),
        kind=kind,
        fulfilled_by=sale.fulfilled_by,
        parent_line_id=None,
        delivery_id=GOODS if kind is LineKind.PHYSICAL else DIGITAL,
        sku=item.text("sku"),
        title=item.text("title") or "",
        quantity=quantity,
        unit_price=unit_price(cost / Decimal(quantity)) if Decimal(quantity) else 0,
        amount=rounded(cost),
        discount=_discount(item, cost, sale.currency),
        tax=_tax(item, sale.currency),
        requires_shipping=sale.method is Method.SHIP,
        cancelled=cancelled,
        refunded=units if sale.refunded else 0,
        shipped=None if sale.cancelled else shipped,
        properties=_properties(item, listing),
    )


def _properties(item: Node, listing: Sequence[str | None]) -> dict[str, str]:
    gift = item.child("giftDetails") or Node({})
    properties = {
        LISTING: ":".join(filter(None, listing)),
        "gift_message": gift.text("message") or "",
        "variation": ", ".join(
            f"{aspect.text('name')}: {aspect.text('value')}" for aspect in item.children("variationAspects")
        ),
    }
    return {name: value for name, value in properties.items() if value}


def _discount(item: Node, cost: Decimal, currency: str) -> int:
    """What promotions take off a line; the discounted cost says it best."""
    if item.has("discountedLineItemCost"):
        return rounded(cost - _amount(item.child("discountedLineItemCost"), currency))
    promotions = (promotion.child("discountAmount") for promotion in item.children("appliedPromotions"))
    return rounded(sum((abs(_amount(amount, currency)) for amount in promotions), Decimal(0)))


def _tax(item: Node, currency: str) -> int:
    """Tax that the seller collects: all taxes of a line but those that eBay remits itself."""
    stated = sum((_amount(tax.child("amount"), currency) for tax in item.children("taxes")), Decimal(0))
    remitted = (tax.child("amount") for tax in item.children("ebayCollectAndRemitTaxes"))
    return max(0, rounded(stated - sum((_amount(amount, currency) for amount in remitted), Decimal(0))))


def _carriage(item: Node, currency: str, *keys: str) -> int:
    cost = item.child("deliveryCost") or Node({})
    return sum(_minor(cost, currency, key) for key in keys)


def _delivery(node: Node, sale: _Sale, items: Sequence[Node], summary: Node, duties: int) -> Delivery:
    """The one delivery: in eBay's shipping programmes it goes to the hub, wherever the buyer lives."""
    shipping = sum(_carriage(item, sale.currency, "shippingCost", "handlingCost") for item in items)
    discount = abs(sum(_carriage(item, sale.currency, "discountAmount") for item in items))
    if summary.has("deliveryCost"):
        shipping = _minor(summary, sale.currency, "deliveryCost") - duties
    if summary.has("deliveryDiscount"):
        discount = abs(_minor(summary, sale.currency, "deliveryDiscount"))
    step = sale.instructions.child("shippingStep") or Node({})
    pickup = sale.instructions.child("pickupStep") or Node({})
    return Delivery(
        id=DIGITAL if sale.method is Method.DIGITAL else GOODS,
        method=sale.method,
        service=step.text("shippingServiceCode") or step.text("shippingCarrierCode"),
        ship_to=_address(step.child("shipTo"), "contactAddress"),
        location=pickup.text("merchantLocationKey"),
        shipping=shipping,
        shipping_discount=discount,
    )


def _address(contact: Node | None, key: str) -> Address | None:
    place = contact.child(key) if contact else None
    if contact is None or place is None:
        return None
    phone = contact.child("primaryPhone") or Node({})
    return Address(
        name=contact.text("fullName"),
        company=contact.text("companyName"),
        line1=place.text("addressLine1"),
        line2=place.text("addressLine2"),
        city=place.text("city"),
        region=place.text("stateOrProvince"),
        postal_code=place.text("postalCode"),
        country=place.text("countryCode"),
        phone=phone.text("phoneNumber"),
        email=contact.text("email"),
    )


def _customer(node: Node) -> Customer:
    buyer = node.child("buyer") or Node({})
    registered = buyer.child("buyerRegistrationAddress") or Node({})
    return Customer(
        id=buyer.text("username"),
        name=registered.text("fullName"),
        email=registered.text("email"),
    )


def _billing(node: Node) -> Address | None:
    buyer = node.child("buyer") or Node({})
    return _address(buyer.child("buyerRegistrationAddress"), "contactAddress")


def _payments(node: Node, total: int) -> tuple[Payment, ...]:
    """The state of the whole order: the single payments leave out what eBay keeps."""
    summary = node.child("paymentSummary") or Node({})
    payments = summary.children("payments")
    methods = dict.fromkeys(method for payment in payments if (method := payment.text("paymentMethod")))
    state = PAYMENT_STATES.get(node.text("orderPaymentStatus") or "")
    if state is None or not total:
        return ()
    reference = payments[0].text("paymentReferenceId") if len(payments) == 1 else None
    return (Payment(", ".join(methods) or "ebay", total, state, reference),)


def _notes(node: Node) -> str | None:
    """The buyer's words, and what a parcel to eBay's hub must carry."""
    notes = [node.text("buyerCheckoutNotes")]
    for instructions in node.children("fulfillmentStartInstructions"):
        step = instructions.child("shippingStep") or Node({})
        final = instructions.child("finalDestinationAddress") or Node({})
        reference, country = step.text("shipToReferenceId"), final.text("countryCode")
        notes.append(f"ship-to reference: {reference}" if reference else None)
        notes.append(f"final destination: {country}" if country else None)
    return "\n".join(filter(None, notes)) or None
