"""What Square's events and answers hold: events of orders only name them, others hold what changed."""

from collections.abc import Callable, Iterator

from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.channels.square import records
from oms.channels.square.orders import order
from oms.orders.commands import Fetch, Ignore

THIN = ("order_created", "order_updated", "order_fulfillment_updated")
"""Objects of events that name an order and its version, and nothing of what is in it."""

DRAFT = "a draft becomes an order when it is paid"


def _event(message: Inbound, body: Node) -> Iterator[Command]:
    if (body.text("type") or "").startswith("terminal."):
        yield Ignore(f"{body.text('type')}: payments and refunds tell what the terminal did")
        return
    subject = body.need(Node.child, "data")
    content = subject.child("object") or Node({})
    for key in THIN:
        named = content.child(key)
        if named is not None:
            yield _fetch(message, named.need(Node.text, "order_id"))
    if content.has("catalog_version"):
        yield Fetch(message.channel, message.adapter, "catalog", body.need(Node.text, "merchant_id"))
    yield from _contents(message, content)


def _fetch(message: Inbound, order_id: str) -> Fetch:
    return Fetch(message.channel, message.adapter, "order", order_id)


def _orders(message: Inbound, node: Node) -> Iterator[Command]:
    if not (node.has("id") or node.has("order_id")):
        yield Ignore("an order that was only calculated")
        return
    if node.text("state") == "DRAFT":
        yield Ignore(f"order {node.text('id')}: {DRAFT}")
    elif node.has("line_items"):
        yield order(message, node)
    elif not node.has("returns"):
        yield _fetch(message, node.need(Node.text, "id", "order_id"))
    yield from records.returns(message, node)


def _catalogue(message: Inbound, node: Node) -> Iterator[Command]:
    if node.has("item_variation_data"):
        yield from records.listing(message, node)
    for variation in (node.child("item_data") or Node({})).children("variations"):
        yield from records.listing(message, variation)


READINGS: dict[str, Callable[[Inbound, Node], Iterator[Command]]] = {
    "order": _orders,
    "orders": _orders,
    "order_entries": _orders,
    "payment": records.payment,
    "payments": records.payment,
    "refund": records.refund,
    "refunds": records.refund,
    "inventory_counts": records.count,
    "counts": records.count,
    "catalog_object": _catalogue,
    "object": _catalogue,
    "objects": _catalogue,
}
"""By the key that holds a resource, or a list of them."""


def _contents(message: Inbound, body: Node) -> Iterator[Command]:
    for key, reading in READINGS.items():
        value = body.get(key)
        if isinstance(value, dict | list):
            for node in Node(value, body.at(key)).items():
                yield from reading(message, node)


def _anything(message: Inbound, body: Node) -> Iterator[Command]:
    if body.has("data") and body.has("type"):
        yield from _event(message, body)
    elif body.has("line_items"):
        yield from _orders(message, body)
    else:
        yield from _contents(message, body)
        yield from _contents(message, body.child("related_resources") or Node({}))


RULES: Rules = (
    ("invoice_*", "an invoice is paid by payments of its own"),
    ("*", _anything),
)
"""The keys in the payload decide; nearly all of Square's events concern neither orders nor stock."""
