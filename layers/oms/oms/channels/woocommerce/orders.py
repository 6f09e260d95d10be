"""WooCommerce's order resource as a canonical order.

Every topic holds the order as it is when the delivery is built, so orders are read by state. All amounts are
without tax, whatever `prices_include_tax` says of the shop's price list.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from oms.channels.amounts import exact, pieces, rounded, unit_price, whole
from oms.channels.canonical import version
from oms.channels.currencies import require_currency
from oms.channels.deliveries import DELIVERIES, DIGITAL, GOODS
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.totals import apportioned, flagged
from oms.channels.woocommerce.fields import address, listed, meta, name, part, plain, time
from oms.channels.woocommerce.records import refund
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
from oms.values import frozen

DRAFTS = {"auto-draft", "checkout-draft", "draft", "new"}
"""Statuses of carts that nobody has ordered yet."""

RANKS = {
    "pending": 0,
    "on-hold": 1,
    "failed": 1,
    "processing": 3,
    "completed": 4,
    "cancelled": 5,
    "refunded": 5,
}
OTHER_RANK = 2
"""Order of the statuses that follow one another within a second; plugins add any others."""

PAYABLE = {"processing", "completed"}
"""Statuses in which an order is to be delivered: paid, or to be paid on delivery."""

PAYMENT_STATES = {
    "cancelled": PaymentState.VOIDED,
    "failed": PaymentState.VOIDED,
    "refunded": PaymentState.REFUNDED,
    "trash": PaymentState.VOIDED,
}

GIFT_CARD_META = "wc_gc_giftcard"
"""How the meta data begin by which a line sells a gift card."""

BILLING = ("billing", "billing_address")
PICKUP_METHODS = {"local_pickup", "pickup_location"}
CREATED = ("date_created_gmt", "created_at", "date_created")
MODIFIED = ("date_modified_gmt", "updated_at", "date_modified", *CREATED)
PAID = ("date_paid_gmt", "date_paid")
COMPLETED = ("date_completed_gmt", "date_completed")


def order(message: Inbound, node: Node) -> Iterator[Command]:
    """An order, and the refunds that are given with it in full.

    One that lacks its lines or its currency is only a notice, and refunds that are only named need to be
    read: both ask for the order with its refunds in place of their summaries.
    """
    order_id = node.need(Node.identifier, "id")
    status = (node.text("status") or "").removeprefix("wc-")
    fetch = Fetch(message.channel, message.adapter, "order", order_id)
    if status in DRAFTS:
        yield Ignore(f"order {order_id} has the status {status}: nobody has ordered it yet")
        return
    if not node.has("line_items") or not node.text("currency"):
        yield fetch
        return
    refunds = listed(node, "refunds")
    sale = _Sale.of(node, status, refunds)
    yield _order(message, node, order_id, sale)
    full = [given for given in refunds if given.has("amount")]
    yield from (refund(message, given, order_id, sale.currency) for given in full)
    if len(full) < len(refunds):
        yield fetch


@frozen
class _Sale:
    """What a line needs to know of its order; `parts` are the lines that name a line as their container."""

    currency: str
    status: str
    cancelled: bool
    completed: bool
    carried_out: bool
    digital: bool
    refunded: dict[str, Decimal]
    parts: dict[str, list[Node]]

    @classmethod
    def of(cls, node: Node, status: str, refunds: Sequence[Node]) -> "_Sale":
        refunded: dict[str, Decimal] = {}
        for item in (item for given in refunds for item in listed(given, "line_items")):
            line_id = meta(item).get("_refunded_item_id", "")
            refunded[line_id] = refunded.get(line_id, Decimal(0)) + abs(
                item.decimal("quantity") or Decimal(0)
            )
        items = node.children("line_items")
        parts: dict[str, list[Node]] = {item.need(Node.identifier, "id"): [] for item in items}
        for item in items:
            container = _container_id(item)
            if container in parts:
                parts[container].append(item)
        return cls(
            currency=require_currency(node.need(Node.text, "currency"), node.at("currency")),
            status=status,
            cancelled=status in ("cancelled", "trash"),
            completed=status == "completed" or (status == "refunded" and any(map(node.text, COMPLETED))),
            # The till of WooCommerce's own apps; the shop's other ways to create orders ship them.
            carried_out=(node.text("created_via") or "").startswith("pos"),
            digital=node.has("needs_processing") and not node.flag("needs_processing"),
            refunded=refunded,
            parts=parts,
        )


def _order(message: Inbound, node: Node, order_id: str, sale: _Sale) -> Command:
    currency = sale.currency
    items = node.children("line_items")
    fees = [
        Fee(plain(fee, "name") or "fee", whole(fee, currency, "total"), whole(fee, currency, "total_tax"))
        for fee in listed(node, "fee_lines")
    ]
    goods = _goods(node, sale)
    taxes = [_tax(item, currency) for item in items]
    total_tax = exact(node, currency, "total_tax")
    charged = goods.shipping_tax + sum(fee.tax for fee in fees)
    line_taxes = apportioned(taxes, None if total_tax is None else rounded(total_tax) - charged)
    grosses = [_gross(item, currency) for item in items]
    amounts = apportioned(grosses)
    nets = [min(gross, _net(item, gross, currency)) for item, gross in zip(items, grosses, strict=True)]
    discounts = apportioned([gross - net for gross, net in zip(grosses, nets, strict=True)])
    lines = tuple(
        _line(item, amount, discount, tax, sale)
        for item, amount, discount, tax in zip(items, amounts, discounts, line_taxes, strict=True)
    )
    cards = _gift_cards(node, currency)
    due = whole(node, currency, "total")
    return flagged(
        PlaceOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=order_id,
            channel_version=version(
                time(node, MODIFIED, message.received_at), RANKS.get(sale.status, OTHER_RANK)
            ),
            order_number=node.need(Node.text, "number", "order_number", "id"),
            currency=currency,
            presentment_currency=currency,
            test=False,
            cancelled=sale.cancelled,
            placed_at=time(node, (*CREATED, *MODIFIED), message.received_at),
            tax_included=False,
            customer=_customer(node),
            billing=address(part(node, *BILLING)),
            deliveries=_deliveries(goods, lines),
            lines=lines,
            discount=sum(discounts),
            shipping=goods.shipping,
            fees=tuple(fees),
            duties=0,
            tip=0,
            tax=charged + sum(line_taxes) if total_tax is None else rounded(total_tax),
            # What gift cards have paid is taken off the total that is stated.
            total=due + sum(card.amount for card in cards),
            payments=(*cards, *_payments(node, due, sale)),
            source_location=node.text("created_via") if sale.carried_out else None,
            notes=plain(node, "customer_note", "note"),
        )
    )


def _gross(item: Node, currency: str) -> Decimal:
    """A line before discounts. A price that was raised by hand shows only in what is left after them."""
    found = [amount for key in ("subtotal", "total") if (amount := exact(item, currency, key)) is not None]
    return max(found) if found else (exact(item, currency, "price") or Decimal(0)) * _quantity(item)


def _net(item: Node, gross: Decimal, currency: str) -> Decimal:
    net = exact(item, currency, "total")
    return gross if net is None else net


def _tax(item: Node, currency: str) -> Decimal:
    """A line's tax: by its parts, which have more decimals, where they come to it."""
    stated = exact(item, currency, "total_tax")
    parts = [amount for tax in listed(item, "taxes") if (amount := exact(tax, currency, "total")) is not None]
    summed = sum(parts, Decimal(0))
    if stated is None or (parts and abs(stated - summed) < 1):
        return summed
    return stated


def _quantity(item: Node) -> Decimal:
    return Decimal(item.quantity("quantity"))


def _line(item: Node, amount: int, discount: int, tax: int, sale: _Sale) -> Line:
    line_id = item.need(Node.identifier, "id")
    quantity = _quantity(item)
    parent = _container_id(item)
    kind = _kind(item, sale)
    refunded = min(quantity, sale.refunded.get(line_id, Decimal(0)))
    if sale.status == "refunded":
        refunded = quantity
    kept = sale.completed or sale.carried_out
    cancelled = quantity if sale.cancelled else Decimal(0) if kept else refunded
    gross = _gross(item, sale.currency)
    return Line(
        channel_line_id=line_id,
        kind=kind,
        fulfilled_by=FulfilledBy.TAKEN if kind is LineKind.PHYSICAL and sale.carried_out else FulfilledBy.US,
        parent_line_id=parent if parent in sale.parts else None,
        delivery_id=DELIVERIES[kind],
        sku=item.text("sku"),
        title=plain(item, "name") or "",
        quantity=item.quantity("quantity"),
        unit_price=unit_price(gross / quantity if quantity else gross),
        amount=amount,
        discount=discount,
        tax=tax,
        requires_shipping=kind is LineKind.PHYSICAL,
        cancelled=pieces(cancelled),
        refunded=pieces(refunded),
        shipped=pieces(quantity) if sale.completed and not sale.cancelled else None,
        properties={key: value for key, value in meta(item).items() if key and not key.startswith("_")},
    )


def _kind(item: Node, sale: _Sale) -> LineKind:
    if any(key.startswith(GIFT_CARD_META) for key in meta(item)):
        return LineKind.GIFT_CARD
    if sale.digital:
        return LineKind.DIGITAL
    parts = sale.parts[item.need(Node.identifier, "id")]
    if any(map(_ships_itself, parts)):
        return LineKind.CONTAINER
    packed = _container_id(item) in sale.parts and not _ships_itself(item)
    return LineKind.SERVICE if packed else LineKind.PHYSICAL


def _container_id(item: Node) -> str | None:
    """The line of the bundle or composite that this line is a part of."""
    for key in ("bundled_by", "composite_parent"):
        container = item.identifier(key)
        if container not in (None, "0"):
            return container
    return None


def _ships_itself(part: Node) -> bool:
    """Whether a part is shipped as such; if not, it is packed in its container, which is what ships."""
    said = meta(part)
    return all(said.get(f"_{kind}_item_needs_shipping") != "no" for kind in ("bundled", "composite"))


def _goods(node: Node, sale: _Sale) -> Delivery:
    methods = listed(node, "shipping_lines")
    kinds = [method.text("method_id") or "" for method in methods]
    picked_up = bool(kinds) and set(kinds) <= PICKUP_METHODS
    services = [service for method in methods if (service := plain(method, "method_title", "method_id"))]
    costs, taxes = (
        rounded(sum((exact(method, sale.currency, key) or Decimal(0) for method in methods), Decimal(0)))
        for key in ("total", "total_tax")
    )
    stated, stated_tax = (exact(node, sale.currency, key) for key in ("shipping_total", "shipping_tax"))
    shipping = part(node, "shipping", "shipping_address")
    method = Method.CARRY_OUT if sale.carried_out else Method.PICKUP if picked_up else Method.SHIP
    return Delivery(
        id=GOODS,
        method=method,
        service=" + ".join(services) or None,
        ship_to=address(shipping) or address(part(node, *BILLING)),
        location=_pickup_location(methods[0]) if method is Method.PICKUP else None,
        shipping=costs if stated is None else rounded(stated),
        shipping_tax=taxes if stated_tax is None else rounded(stated_tax),
    )


def _pickup_location(method: Node) -> str:
    """The shop's name for a pickup method: `local_pickup:3` is its third one."""
    instance = method.text("instance_id")
    return ":".join(part for part in (method.text("method_id"), instance) if part)


def _deliveries(goods: Delivery, lines: Sequence[Line]) -> tuple[Delivery, ...]:
    """The delivery of goods, unless there is nothing in it and to pay for; one of what needs no parcel."""
    used = {line.delivery_id for line in lines}
    digital = (Delivery(DIGITAL, Method.DIGITAL),) if DIGITAL in used else ()
    return digital if digital and GOODS not in used and not goods.shipping else (goods, *digital)


def _gift_cards(node: Node, currency: str) -> tuple[Payment, ...]:
    """Redeemed gift cards. Their codes are money: only their ids are kept."""
    return tuple(
        Payment("gift_card", whole(card, currency, "amount"), PaymentState.CAPTURED, card.text("id"))
        for card in listed(node, "gift_cards")
    )


def _payments(node: Node, due: int, sale: _Sale) -> tuple[Payment, ...]:
    """What was or will be paid by the order's method. Only payable orders count as paid or authorized."""
    paid = any(map(node.text, PAID))
    if sale.status in PAYABLE or (sale.cancelled and paid):
        state = PaymentState.CAPTURED if paid else PaymentState.AUTHORIZED
    else:
        state = PAYMENT_STATES.get(sale.status, PaymentState.PENDING)
    method = node.text("payment_method") or node.text("payment_method_title") or "unknown"
    return (Payment(method, due, state, node.text("transaction_id")),) if due else ()


def _customer(node: Node) -> Customer:
    billing = part(node, *BILLING) or Node(None)
    customer_id = node.identifier("customer_id")
    return Customer(
        id=None if customer_id == "0" else customer_id,
        name=name(billing),
        email=billing.text("email"),
        phone=billing.text("phone"),
    )
