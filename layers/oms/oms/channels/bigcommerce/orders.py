"""BigCommerce's order resource (V2) as a canonical order.

The resource only links to its products and addresses. It is read together with them: `products` and
`shipping_addresses` hold the lists themselves, `consignments` tells of pickups, and `shipments`,
`transactions` and `refunds` may be there. All amounts are given with and without tax.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from oms.channels.amounts import exact, pieces, rounded, unit_price, whole
from oms.channels.bigcommerce import records
from oms.channels.bigcommerce.fields import address, linked, name, time
from oms.channels.canonical import version
from oms.channels.currencies import require_currency
from oms.channels.deliveries import DIGITAL, GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.totals import apportioned, flagged, with_discount
from oms.orders.commands import (
    Customer,
    Delivery,
    Fee,
    Fetch,
    FulfilledBy,
    Ignore,
    Line,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.payments.money import spread
from oms.values import frozen, replace

STATUSES = (
    "incomplete",
    "pending",
    "shipped",
    "partially shipped",
    "refunded",
    "cancelled",
    "declined",
    "awaiting payment",
    "awaiting pickup",
    "awaiting shipment",
    "completed",
    "awaiting fulfillment",
    "manual verification required",
    "disputed",
    "partially refunded",
)
"""Names of the statuses by their ids."""

UNPAID = {"pending", "awaiting payment", "manual verification required"}
"""Statuses in which nothing may be shipped yet, whatever has been authorized."""

CANCELLED = {"cancelled", "declined"}
ALL_SHIPPED = {"shipped", "completed"}
RANKS = {
    "pending": 0,
    "awaiting payment": 1,
    "manual verification required": 1,
    "awaiting fulfillment": 2,
    "awaiting shipment": 3,
    "awaiting pickup": 3,
    "partially shipped": 4,
    "shipped": 5,
    "completed": 6,
    "disputed": 6,
    "partially refunded": 6,
    "refunded": 7,
    "cancelled": 7,
    "declined": 7,
}
"""Order of the statuses that follow one another within a second."""

PAYMENT_STATES = {
    "captured": PaymentState.CAPTURED,
    "paid": PaymentState.CAPTURED,
    "partially refunded": PaymentState.CAPTURED,
    "refunded": PaymentState.REFUNDED,
    "void": PaymentState.VOIDED,
    "void pending": PaymentState.VOIDED,
    "declined": PaymentState.VOIDED,
    "pending": PaymentState.PENDING,
    "held for review": PaymentState.PENDING,
}
"""By `payment_status`. Any other, none included, is an order to be shipped before its money is captured."""

KINDS = {"digital": LineKind.DIGITAL, "giftcertificate": LineKind.GIFT_CARD}
CREDITS = {"store_credit": "store_credit_amount", "gift_certificate": "gift_certificate_amount"}
NOTES = ("customer_message", "staff_notes")
TEST_GATEWAY = "test payment gateway"


def order(message: Inbound, node: Node) -> Iterator[Command]:
    """An order with what was read with it; one that only links to its products or addresses is fetched."""
    order_id = node.need(Node.identifier, "id")
    status = _status(node)
    if status == "incomplete":
        yield Ignore(f"order {order_id} is incomplete: its buyer has not paid")
        return
    items, addresses = linked(node, "products"), linked(node, "shipping_addresses")
    if items is None or (addresses is None and any(_kind(item) is LineKind.PHYSICAL for item in items)):
        yield Fetch(message.channel, message.adapter, "order", order_id)
        return
    pickups = linked(node.child("consignments") or Node(None), "pickups")
    sale = _Sale(message, node, order_id, status, items, addresses or (), pickups or ())
    # Discounts are with tax in some shops and without it in others, and not every order says which.
    listed = node.flag("is_tax_inclusive_pricing")
    orders = [flagged(sale.order(tax_included=included)) for included in (listed, not listed)]
    yield next((candidate for candidate in orders if candidate.balanced), orders[0])
    for shipment in linked(node, "shipments") or ():
        yield records.fulfillment(message, shipment, order_id)
    for transaction in linked(node, "transactions") or ():
        yield records.payment(message, transaction, order_id, sale.currency)
    for refund in linked(node, "refunds") or ():
        yield records.refund(message, refund, order_id, sale.currency)


def _status(node: Node) -> str:
    number = node.integer("status_id")
    if number is None:
        return (node.text("status") or "pending").lower()
    if not 0 <= number < len(STATUSES):
        raise node.invalid("status_id", "a status of an order")
    return STATUSES[number]


def _kind(item: Node) -> LineKind:
    return KINDS.get(item.text("type") or "", LineKind.PHYSICAL)


@frozen
class _Sale:
    """An order and what was read with it."""

    message: Inbound
    node: Node
    order_id: str
    status: str
    items: tuple[Node, ...]
    addresses: tuple[Node, ...]
    pickups: tuple[Node, ...]

    @property
    def currency(self) -> str:
        """The currency that the buyer pays in; `currency_code` is the one that prices were shown in."""
        key = "default_currency_code" if self.node.text("default_currency_code") else "currency_code"
        return require_currency(self.node.need(Node.text, key), self.node.at(key))

    def order(self, *, tax_included: bool) -> PlaceOrder:
        """The order, its amounts with or without tax."""
        node, currency = self.node, self.currency
        kind = "inc_tax" if tax_included else "ex_tax"
        total_tax = whole(node, currency, "total_tax")
        fees = self._fees(kind)
        charged = whole(node, currency, "shipping_cost_tax") + sum(fee.tax for fee in fees)
        deliveries = self._deliveries(kind)
        lines = self._lines(kind, tuple(delivery.id for delivery in deliveries))
        carried = sum(line.discount for line in lines)
        discounts = whole(node, currency, "discount_amount") + whole(node, currency, "coupon_discount")
        lines = self._taxed(with_discount(lines, discounts - carried), total_tax - charged)
        total = whole(node, currency, "total_inc_tax")
        created = node.need(time, "date_created", "date_modified")
        return PlaceOrder(
            channel=self.message.channel,
            adapter=self.message.adapter,
            channel_order_id=self.order_id,
            channel_version=version(time(node, "date_modified") or created, RANKS.get(self.status, 0)),
            order_number=self.order_id,
            currency=currency,
            presentment_currency=node.text("currency_code") or currency,
            test=(node.text("payment_method") or "").lower() == TEST_GATEWAY,
            cancelled=self.status in CANCELLED,
            placed_at=created,
            tax_included=tax_included,
            customer=self._customer(),
            billing=address(node.child("billing_address")),
            deliveries=deliveries,
            lines=lines,
            discount=sum(line.discount for line in lines),
            shipping=sum(delivery.shipping for delivery in deliveries),
            fees=fees,
            duties=0,
            tip=0,
            tax=total_tax,
            total=total,
            payments=self._payments(total),
            notes="\n".join(text for key in NOTES if (text := node.text(key))) or None,
        )

    def _lines(self, kind: str, deliveries: tuple[str, ...]) -> tuple[Line, ...]:
        amounts = apportioned([self._amount(item, kind) for item in self.items])
        discounts = apportioned(
            [_total(linked(item, "applied_discounts") or (), self.currency) for item in self.items]
        )
        ids = {item.need(Node.identifier, "id") for item in self.items}
        return tuple(
            self._line(item, amount, discount, kind, deliveries, ids)
            for item, amount, discount in zip(self.items, amounts, discounts, strict=True)
        )

    def _amount(self, item: Node, kind: str) -> Decimal:
        total = exact(item, self.currency, f"total_{kind}", "base_total")
        return self._price(item, kind) * Decimal(item.quantity("quantity")) if total is None else total

    def _price(self, item: Node, kind: str) -> Decimal:
        return exact(item, self.currency, f"price_{kind}", "base_price") or Decimal(0)

    def _line(
        self, item: Node, amount: int, discount: int, kind: str, deliveries: tuple[str, ...], ids: set[str]
    ) -> Line:
        quantity = Decimal(item.quantity("quantity"))
        sells = _kind(item)
        named = (item.identifier("order_address_id"), _pickup_id(item.identifier("order_pickup_method_id")))
        goods = next((place for place in named if place in deliveries), deliveries[0])
        shipped = quantity if self.status in ALL_SHIPPED else item.decimal("quantity_shipped") or Decimal(0)
        refunded = min(quantity, item.decimal("quantity_refunded") or Decimal(0))
        if self.status == "refunded":
            refunded = quantity
        waiting = max(Decimal(0), quantity - shipped)
        parent = item.identifier("parent_order_product_id")
        return Line(
            channel_line_id=item.need(Node.identifier, "id"),
            kind=sells,
            fulfilled_by=FulfilledBy.US,
            parent_line_id=parent if parent in ids else None,
            delivery_id=goods if sells is LineKind.PHYSICAL else DIGITAL,
            sku=item.text("sku"),
            title=item.text("name") or "",
            quantity=item.quantity("quantity"),
            unit_price=unit_price(self._price(item, kind)),
            amount=amount,
            discount=discount,
            requires_shipping=sells is LineKind.PHYSICAL,
            # What is refunded before it has left is not wanted any more.
            cancelled=pieces(waiting if self.status in CANCELLED else min(waiting, refunded)),
            refunded=pieces(refunded),
            shipped=pieces(shipped),
            properties=_properties(item),
        )

    def _taxed(self, lines: tuple[Line, ...], tax: int) -> tuple[Line, ...]:
        """Spread the tax of the products: each states its own, but before discounts."""
        stated = [exact(item, self.currency, "total_tax") or Decimal(0) for item in self.items]
        taxes = apportioned(stated, tax)
        if lines and sum(taxes) != tax >= 0:
            nets = [max(0, line.amount - line.discount) for line in lines]
            weights = [max(0, rounded(part)) for part in stated]
            taxes = spread(tax, weights if any(weights) else nets)
        return tuple(replace(line, tax=part) for line, part in zip(lines, taxes, strict=True))

    def _deliveries(self, kind: str) -> tuple[Delivery, ...]:
        """One for each address with its part of the shipping, one for each pickup, one for the rest."""
        shipping, tax = (
            whole(self.node, self.currency, f"shipping_cost_{suffix}") for suffix in (kind, "tax")
        )
        kinds = {_kind(item) for item in self.items}
        digital = (Delivery(DIGITAL, Method.DIGITAL),) if kinds - {LineKind.PHYSICAL} else ()
        if not self.addresses and not self.pickups:
            goods = Delivery(GOODS, Method.SHIP, shipping=shipping, shipping_tax=tax)
            return (goods, *digital) if LineKind.PHYSICAL in kinds or shipping or not digital else digital
        costs = [max(0, whole(place, self.currency, f"cost_{kind}")) for place in self.addresses]
        costs += [0] * len(self.pickups)
        places = [
            Delivery(
                id=place.need(Node.identifier, "id"),
                method=Method.SHIP,
                service=place.text("shipping_method"),
                ship_to=address(place),
            )
            for place in self.addresses
        ] + [_pickup(pickup) for pickup in self.pickups]
        parts = zip(places, spread(shipping, costs), spread(tax, costs), strict=True)
        return (*(replace(place, shipping=cost, shipping_tax=part) for place, cost, part in parts), *digital)

    def _fees(self, kind: str) -> tuple[Fee, ...]:
        charges = [
            Fee(title, *(whole(self.node, self.currency, f"{title}_cost_{key}") for key in (kind, "tax")))
            for title in ("handling", "wrapping")
        ]
        others = [
            Fee(
                fee.text("display_name_customer") or fee.text("type") or "fee",
                # The documentation's own sample has the misspelt name.
                whole(fee, self.currency, f"cost_{kind}", f"cost_{kind.replace('ex_', 'exc_')}"),
                whole(fee, self.currency, "cost_tax"),
            )
            for fee in linked(self.node, "fees") or ()
        ]
        return tuple(fee for fee in (*charges, *others) if fee.amount or fee.tax)

    def _payments(self, total: int) -> tuple[Payment, ...]:
        """Store credit and gift certificates, which are redeemed at once, and what the rest is paid by."""
        credits = [
            Payment(method, amount, PaymentState.CAPTURED)
            for method, key in CREDITS.items()
            if (amount := whole(self.node, self.currency, key))
        ]
        rest = total - sum(credit.amount for credit in credits)
        status = (self.node.text("payment_status") or "").lower()
        state = PAYMENT_STATES.get(status, PaymentState.AUTHORIZED)
        if self.status in UNPAID and state is not PaymentState.VOIDED:
            state = PaymentState.PENDING
        elif self.status == "refunded":
            state = PaymentState.REFUNDED
        elif self.status in CANCELLED and state is not PaymentState.CAPTURED:
            state = PaymentState.VOIDED
        method = self.node.text("payment_method") or "unknown"
        reference = self.node.text("payment_provider_id")
        return (*credits, *((Payment(method, rest, state, reference),) if rest > 0 else ()))

    def _customer(self) -> Customer:
        billing = self.node.child("billing_address") or Node(None)
        customer_id = self.node.identifier("customer_id")
        return Customer(
            id=None if customer_id == "0" else customer_id,
            name=name(billing),
            email=billing.text("email"),
            phone=billing.text("phone"),
            locale=self.node.text("customer_locale"),
        )


def _pickup_id(consignment_id: str | None) -> str:
    return f"pickup-{consignment_id}"


def _pickup(pickup: Node) -> Delivery:
    location = pickup.child("location") or Node(None)
    return Delivery(
        id=_pickup_id(pickup.need(Node.identifier, "id")),
        method=Method.PICKUP,
        service=pickup.text("pickup_method_display_name"),
        location=location.identifier("id") or location.text("code"),
    )


def _total(parts: Sequence[Node], currency: str) -> Decimal:
    return sum((exact(part, currency, "amount") or Decimal(0) for part in parts), Decimal(0))


def _properties(item: Node) -> dict[str, str]:
    """The options that were chosen, and how the line is to be wrapped."""
    options = {
        option.plain("display_name"): option.plain("display_value")
        for option in linked(item, "product_options") or ()
    }
    wrapping = {key: text for key in ("wrapping_name", "wrapping_message") if (text := item.text(key))}
    return options | wrapping
