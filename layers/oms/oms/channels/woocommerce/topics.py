"""What each topic of WooCommerce holds, and what is left alone."""

from collections.abc import Iterator

from oms.channels.canonical import stamp
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Reading, Rules
from oms.channels.woocommerce import records
from oms.channels.woocommerce.fields import error, resources
from oms.channels.woocommerce.orders import order
from oms.orders.commands import CancelOrder, Ignore


def _or_error(reading: Reading) -> Reading:
    """A reading that also takes the error that the shop sends when its webhook's user may not read."""

    def read(message: Inbound, body: Node) -> Iterator[Command]:
        code = error(body)
        if code is None:
            yield from reading(message, body)
        else:
            yield Ignore(f"{message.topic}: the shop sent the error {code} in place of its payload")

    return read


def _orders(message: Inbound, body: Node) -> Iterator[Command]:
    for node in resources(body, "order"):
        # A batch, or a ping as JSON, is no order and may hold some.
        bare = node.has("id") or node.has("line_items")
        yield from order(message, node) if bare else _orders_among(message, node)


def _orders_among(message: Inbound, body: Node) -> Iterator[Command]:
    """Answers about orders of many names (statuses, receipts, batches): orders have lines and a status."""
    for node in body.objects():
        if node.has("line_items") and node.has("status"):
            yield from order(message, node)


def _deleted(message: Inbound, body: Node) -> Iterator[Command]:
    """An order that was thrown away is not to be shipped; only its id is told, and no time."""
    for node in resources(body, "order"):
        yield CancelOrder(
            channel=message.channel,
            adapter=message.adapter,
            channel_order_id=node.need(Node.identifier, "id"),
            channel_version=stamp(message.received_at),
            reason="deleted",
            cancelled_at=message.received_at,
        )


orders, products = _or_error(_orders), _or_error(records.products)

RULES: Rules = (
    ("ping", "a webhook that was just made"),
    ("order_deleted", _or_error(_deleted)),
    ("order_note*", "notes are for the shop's staff"),
    ("order_*", orders),
    ("product_deleted", "a sku outlives its listing"),
    ("product_*", products),
    ("coupon_*", "coupons are redeemed before an order comes"),
    ("customer_*", "customers come with their orders"),
    ("action_*", "the shop's own actions are not topics of ours"),
    ("rest_order_note*", "notes are for the shop's staff"),
    ("rest_order_refund*", _or_error(records.refunds)),
    ("rest_refund*", _or_error(records.refunds)),
    ("rest_order_shipment*", _or_error(records.parcels)),
    ("rest_order", orders),
    ("rest_orders", orders),
    ("rest_order_*", _or_error(_orders_among)),
    ("rest_orders_*", _or_error(_orders_among)),
    ("rest_product", products),
    ("rest_products", products),
    ("rest_product_variation*", products),
    ("shipment_tracking*", _or_error(records.parcels)),
    ("*", "not a topic that changes orders, stock or listings"),
)
"""What becomes of WooCommerce's topics."""
