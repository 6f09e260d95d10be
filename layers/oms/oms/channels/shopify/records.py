"""Shopify's other resources as canonical records: money moved, parcels, returns, stock, listings, privacy."""

from collections.abc import Iterator
from datetime import datetime

from oms.channels.canonical import stamp
from oms.channels.currencies import require_currency
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.references import refund_named
from oms.channels.shopify.fields import money, name, need_money, resources
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import Customer, Fetch, Ignore
from oms.orders.records import (
    ChannelWorkLine,
    FulfillmentOrderRecorded,
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    Outcome,
    Parcel,
    PaymentKind,
    PaymentRecorded,
    PrivacyKind,
    PrivacyRequested,
    RefundLine,
    RefundRecorded,
    Restock,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    StockRecorded,
    TrackingRecorded,
    UnitsOfLine,
)

PAYMENT_KINDS = {
    "authorization": PaymentKind.AUTHORIZATION,
    "emv_authorization": PaymentKind.AUTHORIZATION,
    "sale": PaymentKind.SALE,
    "capture": PaymentKind.CAPTURE,
    "void": PaymentKind.VOID,
    "refund": PaymentKind.REFUND,
}
OUTCOMES = {
    "success": Outcome.SUCCESS,
    "pending": Outcome.PENDING,
    "awaiting_response": Outcome.PENDING,
    "failure": Outcome.FAILURE,
    "error": Outcome.FAILURE,
}
RESTOCKS = {
    "cancel": Restock.CANCEL,
    "return": Restock.RETURN,
    "no_restock": Restock.NONE,
}
FULFILLMENTS = {
    "pending": FulfillmentOutcome.PENDING,
    "open": FulfillmentOutcome.PENDING,
    "success": FulfillmentOutcome.SHIPPED,
    "cancelled": FulfillmentOutcome.CANCELLED,
    "error": FulfillmentOutcome.FAILED,
    "failure": FulfillmentOutcome.FAILED,
}
SHIPMENTS = {
    "label_printed": ShipmentState.LABELLED,
    "label_purchased": ShipmentState.LABELLED,
    "confirmed": ShipmentState.LABELLED,
    "carrier_picked_up": ShipmentState.HANDED_OVER,
    "in_transit": ShipmentState.IN_TRANSIT,
    "delayed": ShipmentState.IN_TRANSIT,
    "out_for_delivery": ShipmentState.OUT_FOR_DELIVERY,
    "attempted_delivery": ShipmentState.ATTEMPT_FAILED,
    "ready_for_pickup": ShipmentState.AT_PICKUP_POINT,
    "picked_up": ShipmentState.DELIVERED,
    "delivered": ShipmentState.DELIVERED,
    "failure": ShipmentState.EXCEPTION,
}
RETURNS = {
    "requested": ReturnStatus.REQUESTED,
    "open": ReturnStatus.OPEN,
    "declined": ReturnStatus.DECLINED,
    "canceled": ReturnStatus.CANCELLED,
    "cancelled": ReturnStatus.CANCELLED,
    "closed": ReturnStatus.CLOSED,
}


def payments(message: Inbound, body: Node) -> Iterator[Command]:
    """Transactions of orders: authorizations, captures, sales, voids, refunds."""
    for node in resources(body, "transaction"):
        kind = PAYMENT_KINDS.get(node.need(Node.text, "kind"))
        if kind is None:
            yield Ignore(f"a transaction of kind {node.text('kind')} moves no money of the order")
        elif not node.has("currency"):
            yield Fetch(message.channel, message.adapter, "order", node.need(Node.identifier, "order_id"))
        else:
            yield _payment(message, node, kind)


def _payment(message: Inbound, node: Node, kind: PaymentKind) -> PaymentRecorded:
    currency = _currency(node, "currency")
    return PaymentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=node.identifier("order_id"),
        payment_id=node.need(Node.identifier, "id", "admin_graphql_api_id"),
        parent_id=node.identifier("parent_id"),
        kind=kind,
        outcome=OUTCOMES.get(node.need(Node.text, "status"), Outcome.PENDING),
        amount=need_money(node, "amount", currency),
        currency=currency,
        method=node.text("gateway"),
        test=node.flag("test"),
        occurred_at=_time(message, node, "processed_at", "created_at"),
    )


def refunds(message: Inbound, body: Node) -> Iterator[Command]:
    """Refunds. One whose currency is not told cannot be read in minor units: its order is fetched instead."""
    for node in resources(body, "refund"):
        if not node.has("id"):
            yield Ignore("a refund that was only calculated")
            continue
        order_id = node.need(Node.identifier, "order_id")
        currency = _refund_currency(node)
        if currency is None:
            yield Fetch(message.channel, message.adapter, "order", order_id)
        else:
            yield _refund(message, node, order_id, currency)


def _refund_currency(node: Node) -> str | None:
    """The currency of a refund, which it only tells with an amount."""
    for amount in node.objects():
        if amount.has("amount") and (code := amount.text("currency_code") or amount.text("currency")):
            return require_currency(code, amount.at("currency"))
    return None


def _refund(message: Inbound, node: Node, order_id: str, currency: str) -> RefundRecorded:
    lines = tuple(_refund_line(item, currency) for item in node.children("refund_line_items"))
    shipping = node.children("refund_shipping_lines")
    adjustments = node.children("order_adjustments")
    # Adjustments are negative when the customer gets them. Before refund_shipping_lines, shipping was one.
    of_shipping = [part for part in adjustments if part.text("kind") == "shipping_refund" and not shipping]
    given = [
        need_money(payment, "amount", currency)
        for payment in node.children("transactions")
        if payment.text("kind") == "refund" and payment.text("status") in ("success", "pending")
    ]
    others = [part for part in adjustments if part.text("kind") != "shipping_refund"]
    return RefundRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=order_id,
        refund_id=node.need(Node.identifier, "id"),
        currency=currency,
        amount=sum(given),
        lines=lines,
        shipping=sum(money(part, "subtotal_amount", currency) or 0 for part in shipping)
        - sum(need_money(part, "amount", currency) for part in of_shipping),
        shipping_tax=sum(money(part, "tax_amount", currency) or 0 for part in shipping)
        - sum(money(part, "tax_amount", currency) or 0 for part in of_shipping),
        duties=money(node, "total_duties", currency) or 0,
        fees=money(node, "total_additional_fees", currency) or 0,
        adjustment=-sum(
            need_money(part, "amount", currency) + (money(part, "tax_amount", currency) or 0)
            for part in others
        ),
        notes=node.text("note"),
        occurred_at=_time(message, node, "processed_at", "created_at"),
        settles=refund_named(node.text("note")),
    )


def _refund_line(item: Node, currency: str) -> RefundLine:
    return RefundLine(
        channel_line_id=item.need(Node.identifier, "line_item_id"),
        quantity=item.need(Node.integer, "quantity"),
        amount=money(item, "subtotal", currency) or 0,
        tax=money(item, "total_tax", currency) or 0,
        restock=RESTOCKS.get(item.text("restock_type") or "", Restock.UNKNOWN),
        location=item.identifier("location_id"),
    )


def fulfillments(message: Inbound, body: Node) -> Iterator[Command]:
    """Fulfillments, and where the parcel is when the payload says so."""
    for node in resources(body, "fulfillment"):
        if not node.has("id") and _fulfillment_orders_in(node):
            # What was asked of the shop, not what it has made of it.
            yield from fulfillment_orders(message, node)
            continue
        order_id = node.need(Node.identifier, "order_id")
        status = node.text("status") or ""
        if status not in FULFILLMENTS:
            yield Fetch(message.channel, message.adapter, "order", order_id)
            continue
        updated_at = _time(message, node, "updated_at", "created_at")
        parcels = _parcels(node)
        yield FulfillmentRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=order_id,
            fulfillment_id=node.need(Node.identifier, "id", "admin_graphql_api_id"),
            channel_version=stamp(updated_at),
            status=FULFILLMENTS[status],
            location=node.identifier("location_id"),
            lines=tuple(
                UnitsOfLine(item.need(Node.identifier, "id"), item.need(Node.integer, "quantity"))
                for item in node.children("line_items")
            ),
            parcels=parcels,
            occurred_at=_time(message, node, "created_at", "updated_at"),
        )
        state = SHIPMENTS.get(node.text("shipment_status") or "")
        if state is not None:
            first = parcels[0] if parcels else Parcel(None, None, None)
            yield TrackingRecorded(
                channel=message.channel,
                adapter=message.adapter,
                channel_order_id=order_id,
                fulfillment_id=node.need(Node.identifier, "id", "admin_graphql_api_id"),
                carrier=first.carrier,
                tracking_number=first.tracking_number,
                status=state,
                message=None,
                expected_at=None,
                occurred_at=updated_at,
            )


def _parcels(node: Node) -> tuple[Parcel, ...]:
    """Every tracking number with the address at the same place of the other list."""
    numbers, urls = _texts(node, "tracking_numbers"), _texts(node, "tracking_urls")
    if not numbers and (number := node.text("tracking_number")):
        numbers, urls = [number], [node.text("tracking_url") or ""]
    addresses = [*urls, *[""] * len(numbers)]
    company = node.text("tracking_company")
    return tuple(
        Parcel(company, number, url or None) for number, url in zip(numbers, addresses, strict=False)
    )


def _texts(node: Node, key: str) -> list[str]:
    values = node.get(key)
    if not isinstance(values, list | None):
        raise node.invalid(key, "a list")
    return [str(value) for value in values or [] if value]


def tracking(message: Inbound, body: Node) -> Iterator[Command]:
    """Events of a parcel on its way."""
    for node in resources(body, "fulfillment_event"):
        state = SHIPMENTS.get(node.need(Node.text, "status"))
        if state is None:
            yield Ignore(f"{node.text('status')} says nothing of where the parcel is")
            continue
        yield TrackingRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=node.identifier("order_id"),
            fulfillment_id=node.need(Node.identifier, "fulfillment_id"),
            carrier=None,
            tracking_number=None,
            status=state,
            message=node.text("message"),
            expected_at=node.time("estimated_delivery_at"),
            occurred_at=_time(message, node, "happened_at", "created_at"),
        )


def fulfillment_orders(message: Inbound, body: Node) -> Iterator[Command]:
    """Shopify's own plan. Webhooks give little but ids and a status: what they name is fetched."""
    found = _fulfillment_orders_in(body) or [
        node for node in body.items() if node.has("assigned_location_id")
    ]
    named = {node.need(Node.identifier, "id", "fulfillment_order_id"): node for node in found}
    for fulfillment_order_id, node in named.items():
        if node.has("line_items") and node.has("order_id"):
            yield _fulfillment_order(message, node)
        else:
            yield Fetch(message.channel, message.adapter, "fulfillment_order", fulfillment_order_id)


def _fulfillment_orders_in(body: Node) -> list[Node]:
    """Whatever stands under a key that ends in the resource's name (original_, moved_, ..), at any depth."""
    found: list[Node] = []
    for node in body.objects():
        for key in node.names():
            value = node.get(key)
            if key.endswith("fulfillment_order") and not isinstance(value, list):
                # Some only give its id.
                found.append(node.child(key) or Node(None) if isinstance(value, dict) else _named(node, key))
            elif key.endswith(("fulfillment_orders", "fulfillment_order")):
                found.extend(node.children(key))
    return [node for node in found if node.value]


def _named(node: Node, key: str) -> Node:
    fulfillment_order_id = node.identifier(key)
    return Node({"id": fulfillment_order_id} if fulfillment_order_id else None, node.at(key))


def _fulfillment_order(message: Inbound, node: Node) -> FulfillmentOrderRecorded:
    method = node.child("delivery_method")
    reasons = (hold.text("reason") for hold in node.children("fulfillment_holds"))
    return FulfillmentOrderRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=node.need(Node.identifier, "order_id"),
        fulfillment_order_id=node.need(Node.identifier, "id"),
        status=node.text("status"),
        request_status=node.text("request_status"),
        location=node.identifier("assigned_location_id"),
        method=method.text("method_type") if method else None,
        lines=tuple(
            ChannelWorkLine(
                item.need(Node.identifier, "id"),
                item.need(Node.identifier, "line_item_id"),
                item.need(Node.integer, "fulfillable_quantity", "quantity"),
            )
            for item in node.children("line_items")
        ),
        hold_reasons=tuple(reason for reason in reasons if reason),
    )


def returns(message: Inbound, body: Node) -> Iterator[Command]:
    """Returns. Some topics list the lines, some give a status, some only say that something has changed."""
    for node in resources(body, "return"):
        return_id = node.need(Node.identifier, "id", "admin_graphql_api_id")
        status = RETURNS.get((node.text("status") or "").lower())
        lines = [_returned_line(item) for item in node.children("return_line_items")] if status else []
        if status is None or None in lines:
            yield Fetch(message.channel, message.adapter, "return", return_id)
            continue
        order, decline = node.child("order"), node.child("decline")
        yield ReturnRecorded(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=order.identifier("id") if order else node.identifier("order_id"),
            return_id=return_id,
            status=status,
            lines=tuple(line for line in lines if line),
            reason=decline.text("reason") if decline else None,
            occurred_at=_time(message, node),
        )


def _returned_line(item: Node) -> ReturnedLine | None:
    """A line of a return; None when it does not say which line of the order it is."""
    line = (item.child("fulfillment_line_item") or item).child("line_item")
    channel_line_id = line.identifier("id") if line else item.identifier("line_item_id")
    if channel_line_id is None:
        return None
    return ReturnedLine(
        return_line_id=item.need(Node.identifier, "id", "admin_graphql_api_id"),
        channel_line_id=channel_line_id,
        quantity=item.need(Node.integer, "quantity"),
        reason=item.text("return_reason"),
        notes=item.text("customer_note") or item.text("return_reason_note"),
    )


def changed_return(message: Inbound, body: Node) -> Iterator[Command]:
    """A parcel of a return got its label or number: the return tells the rest."""
    changed = body.need(Node.child, "return")
    return_id = changed.need(Node.identifier, "id", "admin_graphql_api_id")
    yield Fetch(message.channel, message.adapter, "return", return_id)


def dispositions(message: Inbound, body: Node) -> Iterator[Command]:
    """Goods of a return were disposed of in the shop; which return it was, only the resource tells."""
    resource_id = body.need(Node.identifier, "id", "admin_graphql_api_id")
    yield Fetch(message.channel, message.adapter, "reverse_fulfillment_order", resource_id)


def stock(message: Inbound, body: Node) -> Iterator[Command]:
    """Inventory levels. `available` null means that the shop does not count the item there, not 0."""
    for node in resources(body, "inventory_level"):
        yield StockRecorded(
            channel=message.channel,
            adapter=message.adapter,
            location=node.need(Node.identifier, "location_id"),
            item_id=node.need(Node.identifier, "inventory_item_id"),
            available=node.integer("available"),
            as_of=_time(message, node, "updated_at"),
        )


def products(message: Inbound, body: Node) -> Iterator[Command]:
    """Products and product listings: one record for each variant."""
    for product in resources(body, "product_listing" if body.has("product_listing") else "product"):
        for variant in product.children("variants"):
            yield _listing(message, variant, product)


def variants(message: Inbound, body: Node) -> Iterator[Command]:
    """Variants on their own."""
    for variant in resources(body, "variant"):
        yield _listing(message, variant, Node(None))


def _listing(message: Inbound, variant: Node, product: Node) -> ListingRecorded:
    titles = [product.text("title"), variant.text("title")]
    tracking = isinstance(variant.value, dict) and "inventory_management" in variant.value
    return ListingRecorded(
        channel=message.channel,
        adapter=message.adapter,
        listing_id=variant.need(Node.identifier, "id", "admin_graphql_api_id"),
        product_id=variant.identifier("product_id") or product.identifier("id"),
        item_id=variant.identifier("inventory_item_id"),
        sku=variant.text("sku"),
        title=" - ".join(title for title in titles if title and title != "Default Title") or None,
        barcode=variant.text("barcode"),
        tracked=variant.has("inventory_management") if tracking else None,
        requires_shipping=_flag(variant, "requires_shipping"),
        as_of=_time(message, variant, "updated_at"),
    )


def items(message: Inbound, body: Node) -> Iterator[Command]:
    """Inventory items: the sku behind the ids that inventory levels use."""
    for node in resources(body, "inventory_item"):
        yield ListingRecorded(
            channel=message.channel,
            adapter=message.adapter,
            listing_id=node.identifier("variant_id"),
            product_id=None,
            item_id=node.need(Node.identifier, "id", "admin_graphql_api_id"),
            sku=node.text("sku"),
            title=None,
            barcode=None,
            tracked=_flag(node, "tracked"),
            requires_shipping=_flag(node, "requires_shipping"),
            as_of=_time(message, node, "updated_at"),
        )


def privacy(message: Inbound, body: Node, kind: PrivacyKind) -> Iterator[Command]:
    """The three requests that every app must honour."""
    customer = body.child("customer")
    orders = body.get("orders_requested") or body.get("orders_to_redact")
    yield PrivacyRequested(
        channel=message.channel,
        adapter=message.adapter,
        kind=kind,
        customer=None
        if customer is None
        else Customer(
            id=customer.identifier("id"),
            name=name(customer),
            email=customer.text("email"),
            phone=customer.text("phone"),
        ),
        orders=tuple(str(order) for order in orders) if isinstance(orders, list) else (),
        requested_at=_time(message, body),
    )


def _time(message: Inbound, node: Node, *keys: str) -> datetime:
    """When something happened: the first of the fields `keys` that is there, else `triggered_at`."""
    for key in keys:
        time = node.time(key)
        if time is not None:
            return time
    return triggered_at(message)


def triggered_at(message: Inbound) -> datetime:
    """When the event behind a delivery happened, by its header; when it was received, for lack of one."""
    for header in ("x-shopify-triggered-at", "shopify-triggered-at"):
        time = Node({header: message.headers.get(header)}).time(header)
        if time is not None:
            return time
    return message.received_at


def _currency(node: Node, key: str) -> str:
    return require_currency(node.need(Node.text, key), node.at(key))


def _flag(node: Node, key: str) -> bool | None:
    return node.flag(key) if node.has(key) else None
