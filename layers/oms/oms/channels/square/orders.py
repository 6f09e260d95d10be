"""Square's order as a canonical order.

Amounts are integers in minor units. An order without fulfillments is a sale at a till: what it lists has left
the shelf of that location. Square counts an order's versions only when it was made through its API, so the
version here is that count and the time of the last change together.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from oms.channels.canonical import stamp
from oms.channels.deliveries import GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Inbound
from oms.channels.square.fields import address, currency, money, name, time
from oms.channels.totals import settled
from oms.orders.commands import (
    LISTING,
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
    "PICKUP": Method.PICKUP,
    "SHIPMENT": Method.SHIP,
    "DELIVERY": Method.SHIP,
    "DIGITAL": Method.DIGITAL,
    "IN_STORE": Method.CARRY_OUT,
    "SIMPLE": Method.CARRY_OUT,
}
"""How a fulfillment of a type reaches the customer."""

ITEM_KINDS = {
    "GIFT_CARD": LineKind.GIFT_CARD,
    "CUSTOM_AMOUNT": LineKind.SERVICE,
    "DONATION": LineKind.SERVICE,
}
"""What a line sells, where it is not an item of the catalogue."""

TENDER_STATES = {
    "AUTHORIZED": PaymentState.AUTHORIZED,
    "CAPTURED": PaymentState.CAPTURED,
    "VOIDED": PaymentState.VOIDED,
    "FAILED": PaymentState.VOIDED,
}
"""States of a card; any other tender is money taken."""


def order(message: Inbound, node: Node) -> PlaceOrder:
    """An order in full."""
    at = currency(node, "total_money", "net_amount_due_money")
    updated = time(message, node, "updated_at", "closed_at", "created_at")
    sale = _Sale.of(node)
    items = node.children("line_items")
    lines = tuple(_line(item, str(number), sale) for number, item in enumerate(items, 1))
    charges = node.children("service_charges")
    carriage = [charge for charge in charges if _is_carriage(charge)]
    deliveries = _deliveries(sale, carriage)
    fees = [
        Fee(charge.text("name") or "service charge", _charged(charge), money(charge, "total_tax_money"))
        for charge in charges
        if charge not in carriage
    ]
    rounding = money(node.child("rounding_adjustment") or Node({}), "amount_money")
    fees += [Fee("rounding", rounding)] if rounding else []
    taxes = [tax.text("type") for tax in node.children("taxes")]
    total_tax = money(node, "total_tax_money")
    total = money(node, "total_money")
    return settled(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=node.need(Node.text, "id"),
            channel_version=f"{node.integer('version') or 0:010d} {stamp(updated)}",
            order_number=node.text("reference_id") or node.text("ticket_name") or node.need(Node.text, "id"),
            currency=at,
            presentment_currency=at,
            test=False,
            cancelled=sale.cancelled,
            placed_at=time(message, node, "created_at", "updated_at"),
            tax_included=bool(taxes) and all(kind == "INCLUSIVE" for kind in taxes),
            customer=_customer(node, sale),
            billing=None,
            deliveries=deliveries,
            lines=lines,
            discount=sum(line.discount for line in lines),
            shipping=sum(delivery.shipping for delivery in deliveries),
            fees=tuple(fees),
            duties=0,
            tip=money(node, "total_tip_money"),
            tax=total_tax,
            total=total,
            payments=_payments(node, total),
            source_location=sale.location,
            notes="\n".join(filter(None, [node.text("note"), *(item.text("note") for item in items)]))
            or None,
        )
    )


@frozen
class _Sale:
    """What lines and deliveries need to know of their order; `places` are fulfillments by line."""

    location: str | None
    cancelled: bool
    fulfillments: tuple[Node, ...]
    places: Mapping[str, Node]

    @classmethod
    def of(cls, node: Node) -> "_Sale":
        fulfillments = tuple(
            fulfillment
            for fulfillment in node.children("fulfillments")
            if fulfillment.text("state") not in ("CANCELED", "FAILED")
        ) or node.children("fulfillments")
        places = {
            entry.need(Node.text, "line_item_uid"): fulfillment
            for fulfillment in reversed(fulfillments)
            for entry in fulfillment.children("entries")
        }
        return cls(
            location=node.text("location_id"),
            cancelled=node.text("state") == "CANCELED",
            fulfillments=fulfillments,
            places=places,
        )

    def place(self, line_id: str) -> Node | None:
        """The fulfillment that hands over a line; None for a sale at a till."""
        return self.places.get(line_id) or next(iter(self.fulfillments), None)


def _line(item: Node, number: str, sale: _Sale) -> Line:
    line_id = item.text("uid") or number
    quantity = item.quantity("quantity")
    price = money(item, "base_price_money")
    amount = money(item, "gross_sales_money", "variation_total_price_money")
    if not (item.has("gross_sales_money") or item.has("variation_total_price_money")):
        amount = int((price * Decimal(quantity)).to_integral_value(ROUND_HALF_UP))
    place = sale.place(line_id)
    method = _method(place)
    kind = ITEM_KINDS.get(item.text("item_type") or "", LineKind.PHYSICAL)
    if kind is LineKind.PHYSICAL and method is Method.DIGITAL:
        kind = LineKind.DIGITAL
    taken = place is None or method is Method.CARRY_OUT
    handed_over = place is not None and place.text("state") == "COMPLETED"
    units = int(Decimal(quantity).to_integral_value(ROUND_HALF_UP))
    titles = [item.text("name"), item.text("variation_name")]
    listing = item.text("catalog_object_id")
    return Line(
        channel_line_id=line_id,
        kind=kind,
        fulfilled_by=FulfilledBy.TAKEN if taken and kind is LineKind.PHYSICAL else FulfilledBy.US,
        parent_line_id=None,
        delivery_id=None if kind is LineKind.SERVICE else _delivery_id(place),
        sku=None,
        title=" - ".join(title for title in titles if title),
        quantity=quantity,
        unit_price=price,
        amount=amount,
        discount=money(item, "total_discount_money"),
        tax=money(item, "total_tax_money"),
        requires_shipping=kind is LineKind.PHYSICAL and method is Method.SHIP,
        cancelled=units if sale.cancelled and not handed_over else 0,
        # What a till sells is entered as taken; no fulfillment says so.
        shipped=None if taken else units if handed_over else 0,
        properties=({LISTING: listing} if listing else {}) | _modifiers(item),
    )


def _modifiers(item: Node) -> dict[str, str]:
    named = [modifier.text("name") for modifier in item.children("modifiers")]
    return {"modifiers": ", ".join(filter(None, named))} if any(named) else {}


def _method(place: Node | None) -> Method:
    return METHODS.get(place.text("type") or "", Method.SHIP) if place else Method.CARRY_OUT


def _delivery_id(place: Node | None) -> str:
    return (place.text("uid") if place else None) or GOODS


def _deliveries(sale: _Sale, carriage: Sequence[Node]) -> tuple[Delivery, ...]:
    """One for each fulfillment, the first with the charges for shipping; one for a sale at a till."""
    deliveries = []
    for number, place in enumerate(sale.fulfillments or (None,)):
        method = _method(place)
        details = _details(place)
        charges = carriage if number == 0 else ()
        deliveries.append(
            Delivery(
                id=_delivery_id(place),
                method=method,
                service=details.text("shipping_type") or details.text("carrier") if details else None,
                ship_to=address(details.child("recipient")) if details else None,
                location=sale.location if method in (Method.PICKUP, Method.CARRY_OUT) else None,
                shipping=sum(_charged(charge) for charge in charges),
                shipping_tax=sum(money(charge, "total_tax_money") for charge in charges),
            )
        )
    return tuple(deliveries)


def _details(place: Node | None) -> Node | None:
    """`pickup_details`, `shipment_details`, .. of a fulfillment."""
    if place is None:
        return None
    named = (place.child(key) for key in place.names() if key.endswith("_details"))
    return next(filter(None, named), None)


def _is_carriage(charge: Node) -> bool:
    """Whether a service charge pays for shipping: only its name tells."""
    words = (charge.text("name") or "").lower()
    return "shipping" in words or "delivery" in words


def _charged(charge: Node) -> int:
    """A service charge without its tax."""
    return money(charge, "applied_money", "amount_money")


def _customer(node: Node, sale: _Sale) -> Customer:
    details = [_details(place) for place in sale.fulfillments]
    recipients = (detail.child("recipient") for detail in details if detail)
    recipient = next(filter(None, recipients), Node({}))
    return Customer(
        id=node.text("customer_id") or recipient.text("customer_id"),
        name=name(recipient),
        email=recipient.text("email_address"),
        phone=recipient.text("phone_number"),
    )


def _payments(node: Node, total: int) -> tuple[Payment, ...]:
    """The order's tenders; what they leave of an order's total is still to be paid."""
    payments = [_payment(tender) for tender in node.children("tenders")]
    paid = sum(payment.amount for payment in payments if payment.state is not PaymentState.VOIDED)
    if total > paid:
        payments.append(Payment("unknown", total - paid, PaymentState.PENDING))
    return tuple(payments)


def _payment(tender: Node) -> Payment:
    card = tender.child("card_details") or Node({})
    return Payment(
        method=(tender.text("type") or "other").lower(),
        amount=money(tender, "amount_money"),
        state=TENDER_STATES.get(card.text("status") or "", PaymentState.CAPTURED),
        reference=tender.text("payment_id") or tender.text("id"),
    )
