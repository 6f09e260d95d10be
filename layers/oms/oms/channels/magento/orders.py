"""Magento's order resource as a canonical order.

Amounts are in the order's currency; those of the shop's base currency stand beside them. Prices are given
without tax and with it. A configurable product comes as two items, the chosen variant below its parent, and
is one line; a bundle comes as a container above its parts.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from oms.channels.amounts import exact, pieces, unit_price, whole
from oms.channels.canonical import version
from oms.channels.currencies import require_currency
from oms.channels.deliveries import DELIVERIES, DIGITAL, GOODS
from oms.channels.magento.fields import address, count, extension, name, order_id, yes
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.totals import apportioned, flagged, with_discount, with_tax
from oms.orders.commands import (
    Address,
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
from oms.values import frozen

RANKS = {"payment_review": 1, "holded": 1, "processing": 2, "complete": 3, "closed": 4, "canceled": 4}
"""Order of the states that follow one another within a second; `new` and `pending_payment` come first."""

PAYABLE = {"processing", "complete"}
"""States in which an order is to be delivered, whatever is still due."""

HELD = {"payment_review", "holded"}
PAID_ON_DELIVERY = {"cashondelivery"}
FINAL = {"canceled": PaymentState.VOIDED, "closed": PaymentState.REFUNDED}
CREDITS = {
    "gift_card": "gift_cards_amount",
    "store_credit": "customer_balance_amount",
    "reward_points": "reward_currency_amount",
}
"""What has been redeemed and taken off the total, by the method that it is a payment by."""

WRAPPING = ("gw_price", "gw_items_price", "gw_card_price")
PICKUP = "instore_pickup"
VIRTUAL = {"virtual", "downloadable"}
NEEDED = ("items", "order_currency_code", "grand_total")


def order(message: Inbound, node: Node, *, partial: bool) -> Iterator[Command]:
    """An order in full. One that lacks what an order needs is only a notice: the answer is to read it.

    Args:
        message: the delivery.
        node: the order.
        partial: whether it may lack its shipping address, as events do, which are sent while it is saved.
    """
    entity = node.need(Node.identifier, "entity_id")
    channel_order_id = order_id(node, "entity_id")
    placed = not partial or yes(node, "is_virtual") or _place(node) is not None
    stored = all(map(node.has, NEEDED)) and all(item.has("item_id") for item in node.children("items"))
    if channel_order_id is None or not placed or not stored:
        yield Fetch(message.channel, message.adapter, "order", entity)
        return
    # What a discount takes off is with tax where prices are, and the order does not say where they are.
    sale = _Sale.of(message, node, channel_order_id)
    orders = [flagged(sale.order(tax_included=included)) for included in (False, True)]
    yield next((candidate for candidate in orders if candidate.balanced), orders[0])


@frozen
class _Item:
    """An item that becomes a line.

    `variant` is the chosen one of a configurable product; `container` the bundle that it is a part of; of the
    parts of a bundle, `priced` says whether they carry the money in place of it.
    """

    node: Node
    variant: Node | None = None
    container: Node | None = None
    parts: tuple[Node, ...] = ()
    priced: bool = True

    @property
    def id(self) -> str:
        """The id of the item."""
        return self.node.need(Node.identifier, "item_id")

    @property
    def ordered(self) -> Decimal:
        """Units ordered."""
        return Decimal(self.node.quantity("qty_ordered"))

    def counted(self, key: str) -> Decimal:
        """Units by the item's own count, by its variant's, or by its container's: not all are kept."""
        counts = [count(self.node, key)]
        if self.variant is not None:
            counts.append(count(self.variant, key))
        if self.container is not None and count(self.container, "qty_ordered"):
            counts.append(count(self.container, key) * self.ordered / count(self.container, "qty_ordered"))
        return min(max(counts), self.ordered)


def _items(node: Node) -> tuple[_Item, ...]:
    """The items as lines: variants within their parents, parts of bundles after their containers."""
    nodes = {item.need(Node.identifier, "item_id"): item for item in node.children("items")}
    for item in tuple(nodes.values()):
        parent = item.child("parent_item")
        if parent is not None and parent.has("item_id"):
            nodes.setdefault(parent.need(Node.identifier, "item_id"), parent)
    below: dict[str, list[Node]] = {}
    for item in nodes.values():
        above = item.identifier("parent_item_id")
        if above in nodes:
            below.setdefault(above, []).append(item)
    lines: list[_Item] = []
    for item_id, item in nodes.items():
        if item.identifier("parent_item_id") in nodes:
            continue
        parts = tuple(below.get(item_id, ()))
        if len(parts) == 1 and item.text("product_type") != "bundle":
            lines.append(_Item(item, variant=parts[0]))
            continue
        priced = any(count(part, "row_total") for part in parts)
        lines.append(_Item(item, parts=parts, priced=not priced))
        lines += [_Item(part, container=item, priced=priced) for part in parts]
    return tuple(lines)


@frozen
class _Sale:
    """An order on its way to becoming one of ours."""

    message: Inbound
    node: Node
    channel_order_id: str
    currency: str
    state: str
    items: tuple[_Item, ...]

    @classmethod
    def of(cls, message: Inbound, node: Node, channel_order_id: str) -> "_Sale":
        currency = require_currency(
            node.need(Node.text, "order_currency_code"), node.at("order_currency_code")
        )
        state = node.text("state") or node.text("status") or "new"
        return cls(message, node, channel_order_id, currency, state, _items(node))

    def order(self, *, tax_included: bool) -> PlaceOrder:
        """The order, its amounts with or without tax."""
        node = self.node
        total_tax = self.money("tax_amount")
        goods = self._goods(tax_included=tax_included)
        discount = abs(self.money("discount_amount")) - goods.shipping_discount
        lines = self._lines(tax_included, total_tax - goods.shipping_tax)
        lines = with_discount(lines, discount - sum(line.discount for line in lines))
        lines = with_tax(
            lines, total_tax - goods.shipping_tax - sum(line.tax for line in lines), [True] * len(lines)
        )
        credits = self._credits()
        created = node.need(Node.time, "created_at", "updated_at")
        grand_total = self.money("grand_total")
        return PlaceOrder(
            channel=self.message.channel,
            adapter=self.message.adapter,
            channel_order_id=self.channel_order_id,
            channel_version=version(node.time("updated_at") or created, RANKS.get(self.state, 0)),
            order_number=node.need(Node.text, "increment_id", "entity_id"),
            currency=self.currency,
            presentment_currency=self.currency,
            test=False,
            cancelled=self.state == "canceled",
            placed_at=created,
            tax_included=tax_included,
            customer=self._customer(),
            billing=address(node.child("billing_address") or _of_type(node, "billing")),
            deliveries=_deliveries(goods, lines),
            lines=lines,
            discount=sum(line.discount for line in lines),
            shipping=goods.shipping,
            fees=self._fees(),
            duties=0,
            tip=0,
            tax=total_tax,
            total=grand_total + sum(credit.amount for credit in credits),
            payments=(*credits, *self._payments(grand_total)),
            purchase_order=(node.child("payment") or Node(None)).text("po_number"),
            replaces=self._replaces(),
            notes=self._notes(),
        )

    def money(self, key: str) -> int:
        """An amount of the order in whole minor units; 0 when there is none."""
        return whole(Node({key: extension(self.node, key)}), self.currency, key)

    def _lines(self, tax_included: bool, tax: int) -> tuple[Line, ...]:
        suffix = "_incl_tax" if tax_included else ""
        amounts = apportioned(self._amounts(suffix))
        discounts = apportioned(self._carried("discount_amount"))
        taxes = apportioned(self._carried("tax_amount"), tax)
        return tuple(
            self._line(item, amount, discount, part, suffix)
            for item, amount, discount, part in zip(self.items, amounts, discounts, taxes, strict=True)
        )

    def _amounts(self, suffix: str) -> list[Decimal]:
        """Row totals, where they come to the subtotal; some shops keep them net of discounts."""
        rows = [exact(item.node, self.currency, f"row_total{suffix}") or Decimal(0) for item in self.items]
        tops = [row for row, item in zip(rows, self.items, strict=True) if item.container is None]
        subtotal = exact(self.node, self.currency, f"subtotal{suffix}")
        by_price = subtotal is not None and abs(sum(tops) - subtotal) > Decimal(len(tops) + 1) / 2
        if by_price:
            rows = [self._price(item, suffix) * item.ordered for item in self.items]
        return [row if item.priced else Decimal(0) for row, item in zip(rows, self.items, strict=True)]

    def _price(self, item: _Item, suffix: str) -> Decimal:
        return exact(item.node, self.currency, f"price{suffix}", "price") or Decimal(0)

    def _carried(self, key: str) -> list[Decimal]:
        """An amount of each line; of a bundle and its parts, only those that have the money."""
        return [
            (exact(item.node, self.currency, key) or Decimal(0)) if item.priced else Decimal(0)
            for item in self.items
        ]

    def _line(self, item: _Item, amount: int, discount: int, tax: int, suffix: str) -> Line:
        node = item.node
        kind = self._kind(item)
        shipped, refunded, cancelled = map(item.counted, ("qty_shipped", "qty_refunded", "qty_canceled"))
        # Whatever is refunded beyond what has left can only be what has not.
        withdrawn = cancelled + max(Decimal(0), refunded - shipped)
        if self.state == "canceled":
            withdrawn = item.ordered - shipped
        return Line(
            channel_line_id=item.id,
            kind=kind,
            fulfilled_by=FulfilledBy.US,
            parent_line_id=item.container.identifier("item_id") if item.container is not None else None,
            delivery_id=DELIVERIES[kind],
            sku=(item.variant or node).text("sku") or node.text("sku"),
            title=node.text("name") or "",
            quantity=node.quantity("qty_ordered"),
            unit_price=unit_price(self._price(item, suffix) if item.priced else Decimal(0)),
            amount=amount,
            discount=discount,
            tax=tax,
            requires_shipping=kind is LineKind.PHYSICAL,
            cancelled=pieces(min(withdrawn, item.ordered - shipped)),
            refunded=pieces(refunded),
            shipped=pieces(shipped) if node.has("qty_shipped") else None,
        )

    def _kind(self, item: _Item) -> LineKind:
        product_type = item.node.text("product_type") or ""
        if item.parts:
            return LineKind.CONTAINER
        virtual = yes(item.node, "is_virtual") or yes(self.node, "is_virtual") or product_type in VIRTUAL
        if product_type == "giftcard" and virtual:
            return LineKind.GIFT_CARD
        return LineKind.DIGITAL if virtual else LineKind.PHYSICAL

    def _goods(self, *, tax_included: bool) -> Delivery:
        shipping = _shipping(self.node)
        method = shipping.text("method") or self.node.text("shipping_method") or ""
        location = extension(self.node, "pickup_location_code")
        picked_up = method == PICKUP or isinstance(location, str)
        return Delivery(
            id=GOODS,
            method=Method.PICKUP if picked_up else Method.SHIP,
            service=self.node.text("shipping_description") or method or None,
            ship_to=_place(self.node),
            location=location if isinstance(location, str) else None,
            shipping=self.money("shipping_incl_tax" if tax_included else "shipping_amount"),
            shipping_discount=abs(self.money("shipping_discount_amount")),
            shipping_tax=self.money("shipping_tax_amount"),
        )

    def _fees(self) -> tuple[Fee, ...]:
        """Taxes that are fixed by product, which come on top of its price, and gift wrapping."""
        tops = [item.node for item in self.items if item.container is None]
        fixed = sum(whole(item, self.currency, "weee_tax_applied_row_amount") for item in tops)
        fees = (Fee("fixed product tax", fixed), Fee("gift wrapping", sum(map(self.money, WRAPPING))))
        return tuple(fee for fee in fees if fee.amount)

    def _credits(self) -> tuple[Payment, ...]:
        amounts = {method: self.money(key) for method, key in CREDITS.items()}
        return tuple(
            Payment(method, amount, PaymentState.CAPTURED) for method, amount in amounts.items() if amount
        )

    def _payments(self, total: int) -> tuple[Payment, ...]:
        """What has been paid, and what is due: authorized in the states in which the order is delivered."""
        payment = self.node.child("payment") or Node(None)
        method = payment.text("method") or "unknown"
        reference = payment.text("last_trans_id")
        if self.state in HELD:
            parts = [(total, PaymentState.PENDING)]
        elif self.state == "closed":
            parts = [(total, PaymentState.REFUNDED)]
        else:
            paid = min(total, self.money("total_paid"))
            agreed = self.state in PAYABLE or method in PAID_ON_DELIVERY
            due = PaymentState.AUTHORIZED if agreed else PaymentState.PENDING
            parts = [(paid, PaymentState.CAPTURED), (total - paid, FINAL.get(self.state, due))]
        return tuple(Payment(method, amount, state, reference) for amount, state in parts if amount)

    def _customer(self) -> Customer:
        node = self.node
        billing = node.child("billing_address") or _of_type(node, "billing") or Node(None)
        return Customer(
            id=node.identifier("customer_id"),
            name=name(node, "customer_") or name(billing),
            email=node.text("customer_email") or billing.text("email"),
            phone=billing.text("telephone"),
        )

    def _replaces(self) -> str | None:
        """The order that an edit has cancelled for this one: by its id, or by its number."""
        entity = self.node.identifier("relation_parent_id")
        store = self.node.identifier("store_id")
        return f"{entity}@{store}" if entity else self.node.text("relation_parent_real_id")

    def _notes(self) -> str | None:
        gift = extension(self.node, "gift_message")
        texts = [self.node.text("customer_note"), Node(gift).text("message")]
        return "\n".join(text for text in texts if text) or None


def _shipping(node: Node) -> Node:
    """The shipping of the only assignment: an order for several addresses is several orders."""
    assignments = extension(node, "shipping_assignments")
    first = assignments[0] if isinstance(assignments, list) and assignments else None
    return Node(first).child("shipping") or Node(None)


def _place(node: Node) -> Address | None:
    named = _shipping(node).child("address") or node.child("shipping_address")
    return address(named or _of_type(node, "shipping"))


def _of_type(node: Node, kind: str) -> Node | None:
    """An address of an event's list of them."""
    return next((place for place in node.children("addresses") if place.text("address_type") == kind), None)


def _deliveries(goods: Delivery, lines: Sequence[Line]) -> tuple[Delivery, ...]:
    """The delivery of goods, unless there is nothing in it and to pay for; one of what needs no parcel."""
    used = {line.delivery_id for line in lines}
    digital = (Delivery(DIGITAL, Method.DIGITAL),) if DIGITAL in used else ()
    return digital if digital and GOODS not in used and not goods.shipping else (goods, *digital)
