"""What each topic of Shopify holds, and what is left alone."""

import re
from collections.abc import Iterator
from functools import partial

from oms.channels.canonical import stamp
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Reading, Rules
from oms.channels.shopify import records
from oms.channels.shopify.fields import resources
from oms.channels.shopify.orders import order
from oms.orders.commands import CancelOrder, Fetch
from oms.orders.records import PrivacyKind


def _orders(message: Inbound, body: Node) -> Iterator[Command]:
    for node in resources(body, "order"):
        yield order(message, node)


def _edited(message: Inbound, body: Node) -> Iterator[Command]:
    """An edit names lines and differences only: the order is read again."""
    edit = body.child("order_edit") or body
    yield Fetch(message.channel, message.adapter, "order", edit.need(Node.identifier, "order_id"))


def _deleted(message: Inbound, body: Node) -> Iterator[Command]:
    """An order removed from the shop's records is not to be shipped; newer than anything it said before."""
    at = records.triggered_at(message)
    yield CancelOrder(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=body.need(Node.identifier, "id", "admin_graphql_api_id"),
        channel_version=stamp(at),
        reason="deleted",
        cancelled_at=at,
    )


def _mentioned(message: Inbound, body: Node) -> Iterator[Command]:
    """Answers and events hold what a query asked for, perhaps not all: the orders they name are fetched."""
    named = message.headers.get("shopify-resource-id") or ""
    ids = re.findall(r"gid://shopify/Order/(\d+)", named + message.body.decode("utf-8", "replace"))
    for order_id in dict.fromkeys(ids):
        yield Fetch(message.channel, message.adapter, "order", order_id)


def _by_key(message: Inbound, body: Node) -> Iterator[Command]:
    """An answer of the REST API under a name of its own: the key around the resource tells what it is.

    Of what comes bare, only an order has lines and a number in the shop's row of orders.
    """
    key = next(iter(body.names()), "")
    reading = REST.get(key.removesuffix("s"))
    if reading is not None:
        yield from reading(message, body)
        return
    for node in body.items():
        if node.has("line_items") and node.has("order_number"):
            yield order(message, node)


REST: dict[str, Reading] = {
    "order": _orders,
    "transaction": records.payments,
    "refund": records.refunds,
    "fulfillment": records.fulfillments,
    "fulfillment_event": records.tracking,
    "fulfillment_order": records.fulfillment_orders,
    "original_fulfillment_order": records.fulfillment_orders,
    "return": records.returns,
    "inventory_level": records.stock,
    "inventory_item": records.items,
    "product": records.products,
    "product_listing": records.products,
    "variant": records.variants,
}
"""Resources of the REST Admin API by the key that holds them."""

ORDER_CHANGES = (
    *("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled"),
    "link_requested",
)
"""Topics of `orders/` that hold the whole order."""

DRAFT = "a draft becomes an order of its own when it is completed"

RULES: Rules = (
    ("orders_edited", _edited),
    ("orders_delete*", _deleted),
    ("orders_risk_assessment_changed", "risk is judged by our own holds"),
    ("orders_shopify_protect_*", "protection is between Shopify and the shop"),
    *((f"orders_{change}", _orders) for change in ORDER_CHANGES),
    ("order_transactions_*", records.payments),
    ("refunds_*", records.refunds),
    ("fulfillments_*", records.fulfillments),
    ("fulfillment_events_create", records.tracking),
    ("fulfillment_orders_*", records.fulfillment_orders),
    ("fulfillment_holds_*", records.fulfillment_orders),
    ("returns_*", records.returns),
    ("reverse_deliveries_*", records.changed_return),
    ("reverse_fulfillment_orders_*", records.dispositions),
    ("inventory_levels_disconnect", "positions are removed here, by a count"),
    ("inventory_levels_*", records.stock),
    ("inventory_items_delete", "a sku outlives its listing"),
    ("inventory_items_*", records.items),
    ("products_delete", "a sku outlives its listing"),
    ("products_*", records.products),
    ("product_listings_remove", "a sku outlives its listing"),
    ("product_listings_*", records.products),
    ("variants_*", records.variants),
    ("customers_data_request", partial(records.privacy, kind=PrivacyKind.EXPORT)),
    ("customers_redact", partial(records.privacy, kind=PrivacyKind.ERASE_CUSTOMER)),
    ("shop_redact", partial(records.privacy, kind=PrivacyKind.ERASE_SHOP)),
    ("draft_orders_*", DRAFT),
    ("locations_*", "locations are configured here"),
    ("events_order_*", _mentioned),
    ("graphql_*", _mentioned),
    ("rest_draft_order*", DRAFT),
    ("rest_order", _orders),
    ("rest_orders", _orders),
    ("rest_order_with_*", _orders),
    ("rest_order_transactions", records.payments),
    ("rest_transaction*", records.payments),
    ("rest_refund*", records.refunds),
    ("rest_fulfillment", records.fulfillments),
    ("rest_fulfillments", records.fulfillments),
    ("rest_fulfillment_event*", records.tracking),
    ("rest_fulfillment_order*", records.fulfillment_orders),
    ("rest_fulfillment_request", records.fulfillment_orders),
    ("rest_fulfillment_send", records.fulfillment_orders),
    ("rest_cancellation_request", records.fulfillment_orders),
    ("rest_inventory_level*", records.stock),
    ("rest_inventory_item*", records.items),
    ("rest_product", records.products),
    ("rest_products", records.products),
    ("rest_variant*", records.variants),
    ("rest_return*", records.returns),
    ("rest_*", _by_key),
    ("*", "not a topic that changes orders, stock or listings"),
)
"""What becomes of Shopify's topics."""
