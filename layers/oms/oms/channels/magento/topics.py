"""What each topic of Magento holds, and what is left alone."""

from collections.abc import Iterator

from oms.channels.magento import records
from oms.channels.magento.fields import resources
from oms.channels.magento.orders import order
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules


def _orders(message: Inbound, body: Node) -> Iterator[Command]:
    for node in resources(body):
        yield from order(message, node, partial=False)


def _events(message: Inbound, body: Node) -> Iterator[Command]:
    """Orders as events and webhooks carry them: perhaps without what is stored apart from them."""
    for node in resources(body):
        if node.has("entity_id"):
            yield from order(message, node, partial=True)


def _by_shape(message: Inbound, body: Node) -> Iterator[Command]:
    """A webhook does not name its topic, nor do all answers about orders say more than that.

    An order has a number of its own, other resources name their order.
    """
    for node in resources(body):
        if node.has("entity_id") and node.has("increment_id") and not node.has("order_id"):
            yield from order(message, node, partial=True)
        else:
            yield from records.parts(message, node)


HISTORY = "comments are for the shop's staff"

RULES: Rules = (
    ("rest_writeback*", "a call of ours with the shop's answer"),
    ("rest_order", _orders),
    ("rest_orders", _orders),
    ("rest_invoice*", records.invoices),
    ("rest_creditmemo*", records.refunds),
    ("rest_shipment*", records.shipments),
    ("rest_stock_item*", records.stock),
    ("rest_source_item*", records.stock),
    ("rest_product", records.products),
    ("rest_products", records.products),
    ("rest_order_comment*", HISTORY),
    ("rest_order_*", _by_shape),
    ("rest_transaction*", records.parts),
    ("*sales_order_status_history_*", HISTORY),
    ("*sales_order_invoice_item_*", records.parts),
    ("*sales_order_invoice_*", records.invoices),
    ("*sales_order_creditmemo_item_*", records.parts),
    ("*sales_order_creditmemo_*", records.refunds),
    ("*sales_order_shipment_track_*", records.parts),
    ("*sales_order_shipment_item_*", records.parts),
    ("*sales_order_shipment_*", records.shipments),
    ("*sales_order_item_*", records.parts),
    ("*sales_order_address_*", records.parts),
    ("*sales_order_payment_*", records.parts),
    ("*sales_order_*", _events),
    ("*order_management_*", _events),
    ("*order_repository_*", _events),
    ("*cataloginventory_stock_item_*", records.stock),
    ("*source_item*_save*", records.stock),
    ("*catalog_product_delete_*", "a sku outlives its listing"),
    ("*catalog_product_save_*", records.products),
    ("webhook", _by_shape),
    ("*", "not a topic that changes orders, stock or listings"),
)
"""What becomes of Magento's topics: of its REST resources, of events by their types, of webhooks."""
