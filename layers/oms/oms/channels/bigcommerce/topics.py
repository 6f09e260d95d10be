"""What each topic of BigCommerce holds, and what is left alone."""

from collections.abc import Iterator

from oms.channels.bigcommerce import records
from oms.channels.bigcommerce.fields import resources
from oms.channels.bigcommerce.orders import order
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Fetch


def _orders(message: Inbound, body: Node) -> Iterator[Command]:
    for node in resources(body):
        yield from order(message, node)


def _changed_order(message: Inbound, body: Node) -> Iterator[Command]:
    """A notification about an order or a part of it: the order is read with all its parts."""
    data = body.need(Node.child, "data")
    order_id = data.need(Node.identifier, "order_id", "orderId", "id")
    yield Fetch(message.channel, message.adapter, "order", order_id)


def _changed_product(message: Inbound, body: Node) -> Iterator[Command]:
    data = body.need(Node.child, "data")
    product_id = (data.child("sku") or data).identifier("product_id") or data.need(Node.identifier, "id")
    yield Fetch(message.channel, message.adapter, "product", product_id)


def _stock(message: Inbound, body: Node) -> Iterator[Command]:
    yield from records.stock(message, body.need(Node.child, "data"), body)


def _parts(message: Inbound, body: Node) -> Iterator[Command]:
    """Parts of orders on their own: the orders that they name are read whole."""
    named = [node.identifier("order_id") for node in resources(body)]
    for order_id in dict.fromkeys(named):
        if order_id is not None:
            yield Fetch(message.channel, message.adapter, "order", order_id)


OUTLIVED = "a sku outlives its listing"
CATALOGUE = "the catalogue is kept elsewhere"

RULES: Rules = (
    ("store_order_message_*", "messages are between the shop and its customer"),
    ("store_order_metafield_*", "metafields are for other apps"),
    ("store_order_*", _changed_order),
    ("store_channel_*_order_*", _changed_order),
    ("store_shipment_*", _changed_order),
    ("store_product_deleted", OUTLIVED),
    ("store_sku_deleted", OUTLIVED),
    ("store_product_inventory_*", _stock),
    ("store_sku_inventory_*", _stock),
    ("store_product_metafield_*", CATALOGUE),
    ("store_product_variant_*", CATALOGUE),
    ("store_product_*", _changed_product),
    ("store_sku_*", _changed_product),
    ("store_inventory_location_*", "locations are configured here"),
    ("store_cart_*", "a cart is no order yet"),
    ("store_customer_*", "customers come with their orders"),
    ("rest_order", _orders),
    ("rest_orders", _orders),
    ("rest_v2_order", _orders),
    ("rest_v2_orders", _orders),
    ("rest_v2_order_status*", "statuses are known by their numbers"),
    ("rest_v?_order*_shipments", records.fulfillments),
    ("rest_v?_order*_shipment", records.fulfillments),
    ("rest_v?_shipment*", records.fulfillments),
    ("rest_v3_*transaction*", records.payments),
    ("rest_v?_order*", _parts),
    ("rest_v3_*refund*", _parts),
    ("rest_v3_*product", records.products),
    ("rest_v3_*products", records.products),
    ("*", "not a topic that changes orders, stock or listings"),
)
"""What becomes of BigCommerce's topics."""
