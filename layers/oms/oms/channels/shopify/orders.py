"""Shopify's order resource as a canonical order.

Orders are read by state, not by topic: every payload that holds a whole order becomes the same `place_order`,
and `updated_at` says which is newer, because topics overtake one another and repeat. Flat amounts are shop
money, in the order's `currency`; the buyer's currency is only named.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.deliveries import DELIVERIES, DIGITAL, GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.shopify.fields import address, exact, money, name, need_money, tax, total_of
from oms.channels.totals import flagged, with_discount, with_tax
from oms.orders.commands import (
    Customer,
    Delivery,
    Fee,
    Fetch,
    FulfilledBy,
    Line,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.values import frozen, replace

TOTALS = ("total_price", "total_price_set", "current_total_price", "current_total_price_set")

PAYMENT_STATES = {
    "pending": PaymentState.PENDING,
    "unpaid": PaymentState.PENDING,
    "authorized": PaymentState.AUTHORIZED,
    "paid": PaymentState.CAPTURED,
    "partially_refunded": PaymentState.CAPTURED,
    "refunded": PaymentState.REFUNDED,
    "voided": PaymentState.VOIDED,
    "expired": PaymentState.VOIDED,
}


def order(message: Inbound, node: Node) -> Command:
    """An order in full. One without lines or money is only a notice: an answer with a few of its fields."""
    order_id = node.need(Node.identifier, "id", "admin_graphql_api_id")
    priced = any(map(node.has, TOTALS)) and node.text("currency") is not None
    if not (node.has("line_items") and priced):
        return Fetch(message.channel, message.adapter, "order", order_id)
    sale = _Sale.of(node)
    currency = sale.currency
    items = node.children("line_items")
    lines = tuple(_line(item, sale) for item in items)
    deliveries = _deliveries(node, lines, sale)
    if not any(item.has("discount_allocations") for item in items):
        lines, deliveries = _with_order_discount(node, lines, deliveries, currency)
    carried = sum(line.tax for line in lines) + sum(delivery.shipping_tax for delivery in deliveries)
    total_tax = money(node, "total_tax", currency)
    if total_tax is None:
        total_tax = carried
    taxable = [not item.has("taxable") or item.flag("taxable") for item in items]
    lines = with_tax(lines, total_tax - carried, taxable)
    fees = money(node, "original_total_additional_fees", currency)
    total = money(node, "total_price", currency)
    if total is None:
        total = need_money(node, "current_total_price", currency)
    return flagged(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=order_id,
            channel_version=stamp(node.need(Node.time, "updated_at", "created_at", "processed_at")),
            order_number=node.need(Node.text, "name", "order_number", "id"),
            currency=currency,
            presentment_currency=node.text("presentment_currency") or currency,
            test=node.flag("test") or message.headers.get("x-shopify-test") == "true",
            cancelled=sale.cancelled,
            placed_at=node.need(Node.time, "created_at", "processed_at", "updated_at"),
            tax_included=node.flag("taxes_included"),
            customer=_customer(node),
            billing=address(node.child("billing_address")),
            deliveries=deliveries,
            lines=(*lines, *_bundles(items)),
            discount=sum(line.discount for line in lines),
            shipping=sum(delivery.shipping for delivery in deliveries),
            fees=(Fee("additional fees", fees),) if fees else (),
            duties=_duties(node, items, currency),
            tip=_tip(node, lines, currency),
            tax=total_tax,
            total=total,
            payments=_payments(node, total, currency),
            source_location=node.identifier("location_id"),
            purchase_order=node.text("po_number"),
            notes=_notes(node),
        )
    )


@frozen
class _Sale:
    """What a line needs to know of its order; `shipped` is None when no fulfillments are listed."""

    currency: str
    cancelled: bool
    carried_out: bool
    shipped: dict[str, int] | None
    refunds: dict[str, list[Node]]

    @classmethod
    def of(cls, node: Node) -> "_Sale":
        shipped: dict[str, int] = {}
        for fulfillment in node.children("fulfillments"):
            if fulfillment.text("status") == "success":
                for item in fulfillment.children("line_items"):
                    line_id = item.need(Node.identifier, "id")
                    shipped[line_id] = shipped.get(line_id, 0) + item.need(Node.integer, "quantity")
        refunds: dict[str, list[Node]] = {}
        for refund in node.children("refunds"):
            for item in refund.children("refund_line_items"):
                refunds.setdefault(item.need(Node.identifier, "line_item_id"), []).append(item)
        return cls(
            currency=require_currency(node.need(Node.text, "currency"), node.at("currency")),
            cancelled=node.text("cancelled_at") is not None,
            # A till that ships instead of handing over adds a shipping line.
            carried_out=node.text("source_name") == "pos" and not node.children("shipping_lines"),
            shipped=shipped if node.has("fulfillments") else None,
            refunds=refunds,
        )


def _line(item: Node, sale: _Sale) -> Line:
    line_id = item.need(Node.identifier, "id", "admin_graphql_api_id")
    quantity = item.quantity("quantity")
    unit_price = exact(item, "price", sale.currency)
    amount = (unit_price * Decimal(quantity)).to_integral_value(ROUND_HALF_UP)
    kind = _kind(item, sale)
    bundle = item.child("line_item_group")
    shipped, cancelled, refunded = _progress(item, line_id, int(Decimal(quantity)), sale)
    return Line(
        channel_line_id=line_id,
        kind=kind,
        fulfilled_by=_fulfilled_by(item, kind, sale),
        parent_line_id=_bundle_id(bundle) if bundle else None,
        delivery_id=DELIVERIES[kind],
        sku=item.text("sku"),
        title=item.text("name") or item.text("title") or "",
        quantity=quantity,
        unit_price=int(unit_price) if unit_price == int(unit_price) else f"{unit_price.normalize():f}",
        amount=int(amount),
        discount=_discount(item, money(item, "total_discount", sale.currency), sale.currency),
        tax=sum(tax(taxed, sale.currency) for taxed in (item, *item.children("duties"))),
        requires_shipping=_requires_shipping(item),
        cancelled=cancelled,
        refunded=refunded,
        shipped=shipped,
        properties=_attributes(item, "properties"),
    )


def _progress(item: Node, line_id: str, ordered: int, sale: _Sale) -> tuple[int | None, int, int]:
    """Units of a line shipped, cancelled and refunded.

    A refund of goods that have not left takes them off the order, whatever it says of stock; one of goods
    that have left does not. Which of the two shows in what is left to ship.
    """
    refunds = sale.refunds.get(line_id, [])
    refunded = sum(refund.need(Node.integer, "quantity") for refund in refunds)
    shipped = None if sale.shipped is None else sale.shipped.get(line_id, 0)
    if shipped is None and item.text("fulfillment_status") == "fulfilled":
        shipped = ordered
    waiting = max(0, ordered - (shipped or 0))
    current, left = item.integer("current_quantity"), item.integer("fulfillable_quantity")
    removed = refunded if current is None else max(0, ordered - current)
    if sale.cancelled:
        cancelled = waiting
    elif left is not None:
        cancelled = min(removed, max(0, waiting - left))
    else:
        # Payloads of before 2015: what is refunded beyond what has left can only be what has not.
        cancelled = min(waiting, max(0, removed - (shipped or 0)))
    return shipped, cancelled, min(refunded, ordered)


def _kind(item: Node, sale: _Sale) -> LineKind:
    # Only tips have these fields, which may be null.
    if isinstance(item.value, dict) and not {"tip", "tip_payment_gateway"}.isdisjoint(item.value):
        return LineKind.SERVICE
    if item.flag("gift_card"):
        return LineKind.GIFT_CARD
    # Goods sold over a counter need no shipping and leave the shelf all the same.
    handed_over = sale.carried_out and item.has("variant_inventory_management")
    return LineKind.PHYSICAL if _requires_shipping(item) or handed_over else LineKind.DIGITAL


def _fulfilled_by(item: Node, kind: LineKind, sale: _Sale) -> FulfilledBy:
    if sale.carried_out and kind is LineKind.PHYSICAL:
        return FulfilledBy.TAKEN
    return FulfilledBy.US if item.text("fulfillment_service") in (None, "manual") else FulfilledBy.CHANNEL


def _requires_shipping(item: Node) -> bool:
    return item.flag("requires_shipping") if item.has("requires_shipping") else True


def _bundle_id(group: Node) -> str:
    return f"group-{group.need(Node.identifier, 'id')}"


def _bundles(items: Sequence[Node]) -> Iterable[Line]:
    """A container for every bundle: the payload lists the parts with their money, each naming its whole."""
    groups = [group for item in items if (group := item.child("line_item_group"))]
    for bundle_id, group in {_bundle_id(group): group for group in groups}.items():
        yield Line(
            channel_line_id=bundle_id,
            kind=LineKind.CONTAINER,
            fulfilled_by=FulfilledBy.US,
            parent_line_id=None,
            delivery_id=GOODS,
            sku=group.text("variant_sku"),
            title=group.text("title") or "",
            quantity=group.quantity("quantity") if group.has("quantity") else 1,
            unit_price=0,
            amount=0,
            requires_shipping=False,
        )


def _deliveries(node: Node, lines: Sequence[Line], sale: _Sale) -> tuple[Delivery, ...]:
    """At most one delivery of goods and one of what needs no parcel; the first carries the shipping."""
    kinds = {line.delivery_id for line in lines}
    shipping = [line for line in node.children("shipping_lines") if not line.flag("is_removed")]
    method = _method(shipping, sale)
    services = [service for line in shipping if (service := line.text("title") or line.text("code"))]
    codes = [code for line in shipping if (code := line.text("code"))]
    at = node.identifier("location_id") or next(iter(codes), None)
    goods = Delivery(
        id=GOODS,
        method=method,
        service=" + ".join(services) or None,
        ship_to=address(node.child("shipping_address")),
        location=None if method is Method.SHIP else at,
        shipping=sum(need_money(line, "price", sale.currency) for line in shipping),
        shipping_discount=sum(_shipping_discount(line, sale.currency) for line in shipping),
        shipping_tax=sum(tax(line, sale.currency) for line in shipping),
    )
    digital = Delivery(DIGITAL, Method.DIGITAL)
    if DIGITAL not in kinds:
        return (goods,)
    return (goods, digital) if GOODS in kinds or shipping else (digital,)


def _method(shipping: Sequence[Node], sale: _Sale) -> Method:
    if sale.carried_out:
        return Method.CARRY_OUT
    marks = [line.text(key) or "" for line in shipping for key in ("delivery_category", "source")]
    words = ["".join(filter(str.isalpha, mark.lower())) for mark in marks]
    # A carrier's pickup point is an address to ship to.
    picked_up = any("pickup" in word and "point" not in word for word in words)
    return Method.PICKUP if picked_up else Method.SHIP


def _discount(node: Node, otherwise: int | None, currency: str) -> int:
    """The allocations; the thing's own discount field, partial or 0, counts only where there are none."""
    if node.has("discount_allocations"):
        return total_of(node.children("discount_allocations"), "amount", currency)
    return otherwise or 0


def _shipping_discount(line: Node, currency: str) -> int:
    discounted = money(line, "discounted_price", currency)
    off = None if discounted is None else need_money(line, "price", currency) - discounted
    return _discount(line, off, currency)


def _with_order_discount(
    node: Node, lines: tuple[Line, ...], deliveries: tuple[Delivery, ...], currency: str
) -> tuple[tuple[Line, ...], tuple[Delivery, ...]]:
    """Spread what orders of before 2018, which have no allocations, state for the whole order only."""
    first = deliveries[0]
    given = sum(line.discount for line in lines) + first.shipping_discount
    rest = (money(node, "total_discounts", currency) or 0) - given
    codes = {code.text("type") for code in node.children("discount_codes")}
    if codes == {"shipping"}:
        off = first.shipping_discount + min(max(0, rest), first.shipping - first.shipping_discount)
        return lines, (replace(first, shipping_discount=off), *deliveries[1:])
    return with_discount(lines, rest), deliveries


def _duties(node: Node, items: Sequence[Node], currency: str) -> int:
    """Duties on top of prices; 0 when prices include them."""
    if node.flag("duties_included"):
        return 0
    total = money(node, "original_total_duties", currency)
    if total is not None:
        return total
    amounts = [duty.child("shop_money") for item in items for duty in item.children("duties")]
    return sum(need_money(amount, "amount", currency) for amount in amounts if amount)


def _tip(node: Node, lines: Sequence[Line], currency: str) -> int:
    """What was tipped beyond the tips that are lines, which count as such."""
    received = money(node, "total_tip_received", currency) or 0
    return max(0, received - sum(line.amount for line in lines if line.kind is LineKind.SERVICE))


def _payments(node: Node, total: int, currency: str) -> tuple[Payment, ...]:
    """The order's payment state as payments; the single ones come as transactions."""
    status = node.text("financial_status")
    names = node.get("payment_gateway_names")
    gateways = [gateway for gateway in names if gateway] if isinstance(names, list) else []
    method = ", ".join(map(str, gateways)) or node.text("gateway") or "unknown"
    if status == "partially_paid":
        outstanding = money(node, "total_outstanding", currency) or 0
        parts = [(total - outstanding, PaymentState.CAPTURED), (outstanding, PaymentState.PENDING)]
    elif status == "paid":
        parts = [(_paid(node, total, currency), PaymentState.CAPTURED)]
    elif status in PAYMENT_STATES:
        parts = [(total, PAYMENT_STATES[status])]
    else:
        parts = []
    return tuple(Payment(method, amount, state) for amount, state in parts if amount)


def _paid(node: Node, total: int, currency: str) -> int:
    """What was paid of an order that is paid: without what was taken off before, and never given back.

    A negative outstanding amount is what was paid beyond what the order is worth now.
    """
    worth = money(node, "current_total_price", currency)
    beyond = max(0, -(money(node, "total_outstanding", currency) or 0))
    return total if worth is None else min(total, worth + beyond)


def _customer(node: Node) -> Customer:
    customer = node.child("customer") or Node(None)
    return Customer(
        id=customer.identifier("id"),
        name=name(customer),
        email=node.text("email") or node.text("contact_email") or customer.text("email"),
        phone=node.text("phone") or customer.text("phone"),
        locale=node.text("customer_locale"),
    )


def _attributes(node: Node, key: str) -> dict[str, str]:
    """Names and values: a list of pairs, or an object where an app has written one."""
    attributes = node.get(key)
    if isinstance(attributes, dict):
        return {name: Node(attributes).plain(name) for name in attributes}
    return {pair.text("name") or "": pair.plain("value") for pair in node.children(key)}


def _notes(node: Node) -> str | None:
    attributes = [f"{key}: {value}" for key, value in _attributes(node, "note_attributes").items()]
    note = node.text("note")
    return "\n".join([note, *attributes] if note else attributes) or None
