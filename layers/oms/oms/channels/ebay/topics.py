"""What eBay's notifications and answers hold."""

from collections.abc import Iterator

from oms.channels.ebay.orders import order
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Customer, Fetch, Ignore
from oms.orders.records import PrivacyKind, PrivacyRequested

OF_ORDERS = ("pricingSummary", "fulfillmentStartInstructions")
"""Fields that tell an order from what else names one and its lines, as disputes do."""


def _anything(message: Inbound, body: Node) -> Iterator[Command]:
    for node in body.objects():
        if node.has("orderId") and node.has("lineItems") and any(map(node.has, OF_ORDERS)):
            yield order(message, node)
        elif node.has("metadata") and node.has("notification"):
            yield _notification(message, node)


def _notification(message: Inbound, node: Node) -> Command:
    topic = node.need(Node.child, "metadata").need(Node.text, "topic")
    notification = node.need(Node.child, "notification")
    data = notification.child("data") or Node({})
    if topic == "MARKETPLACE_ACCOUNT_DELETION":
        return PrivacyRequested(
            channel=message.channel,
            adapter=message.adapter,
            kind=PrivacyKind.ERASE_CUSTOMER,
            # Orders name the buyer by this name, not by the id.
            customer=Customer(id=data.need(Node.text, "username", "userId")),
            orders=(),
            requested_at=notification.time("eventDate") or message.received_at,
        )
    named = next((inner.text("orderId") for inner in data.objects() if inner.has("orderId")), None)
    if named is None:
        return Ignore(f"{topic}: names no order")
    return Fetch(message.channel, message.adapter, "order", named)


RULES: Rules = (("*", _anything),)
"""Orders and notifications, wherever they stand in a payload."""
