"""What `oms sourcing record` writes: a retailer and its orders, as `oms sourcing simulate` reads them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

from oms.inventory.network import Network
from oms.orders.commands import FulfilledBy, LineKind
from oms.orders.model import Order, OrderBody, OrderLine
from oms.sourcing.deliveries import delivery_of
from oms.store import keys, queries
from oms.store.configuration import decode_document, document_of, read_network
from oms.store.keys import iso
from oms.store.orders import decode_body
from oms.store.queries import Span
from oms.store.stock import read_stock
from oms.store.table import Table

_PAGE = 100


def record_orders(table: Table, first: date, last: date, folder: Path) -> int:
    """Write `retailer.json` and `orders.jsonl`: what was ordered from one day to another (UTC), as placed.

    Stock is that of now, with what the orders were given where they were given it: what has come in since
    counts as there from the start. The promise is the day on which what was chosen then would arrive.

    Args:
        table: the store.
        first: the first day.
        last: the last day.
        folder: where to; made if it is not there.

    Returns:
        How many deliveries there are.
    """
    network = read_network(table)
    folder.mkdir(parents=True, exist_ok=True)
    given = Counter[tuple[str, str]]()
    skus: set[str] = set()
    count = 0
    with (folder / "orders.jsonl").open("w") as file:
        for order, body in _orders(table, first, last):
            given.update(_given(order))
            for document in _deliveries(order, body, network):
                skus.update(line["sku"] for line in document["lines"])
                file.write(json.dumps(document) + "\n")
                count += 1
    (folder / "retailer.json").write_text(json.dumps(_retailer(table, network, skus, given)))
    return count


def _orders(table: Table, first: date, last: date) -> Iterator[tuple[Order, OrderBody]]:
    """Orders of some days with their bodies, in the order in which they came."""
    for days in range((last - first).days + 1):
        found: list[Order] = []
        page = queries.orders_of_day(table, first + timedelta(days=days), Span(_PAGE))
        found += page.items
        while page.after:
            page = queries.orders_of_day(table, first + timedelta(days=days), Span(_PAGE, page.after))
            found += page.items
        found.sort(key=lambda order: (order.journal[0].at, order.order_id))
        for start in range(0, len(found), _PAGE):
            some = found[start : start + _PAGE]
            items = table.get_many(keys.body(order.order_id) for order in some)
            bodies = {item["PK"]: decode_body(item) for item in items}
            for order in some:
                body = bodies.get(keys.order(order.order_id))
                if body is not None and not order.test:
                    yield order, body


def _deliveries(order: Order, body: OrderBody, network: Network) -> Iterator[dict[str, Any]]:
    """The deliveries of an order that we had to find sources for, as `oms sourcing simulate` reads them."""
    properties = {line.line_id: dict(line.properties) for line in body.lines}
    for kept in order.deliveries:
        lines = [line for line in order.lines if line.delivery_id == kept.id and _is_sourced(line)]
        delivery = delivery_of(order, body, kept.id)
        channel = network.channels.get(order.channel)
        place = delivery.location or ""
        to = delivery.ship_to
        if lines:
            yield {
                "id": f"{order.order_id} {kept.id}",
                "channel": order.channel,
                "placed_at": iso(order.journal[0].at),
                "method": str(delivery.method),
                "service": delivery.service,
                "location": channel.locations.get(place, place) if channel and place else None,
                "ship_to": {
                    "country": to.country,
                    "postal_code": to.postal_code,
                    "city": to.city,
                    "latitude": to.latitude,
                    "longitude": to.longitude,
                }
                if to
                else None,
                "promised": _promised(body, kept.id),
                "lines": [
                    {
                        "sku": line.sku,
                        "units": line.ordered,
                        "value": line.amount - line.discount,
                        "properties": properties.get(line.line_id, {}),
                    }
                    for line in lines
                ],
            }


def _is_sourced(line: OrderLine) -> bool:
    ours = line.fulfilled_by is FulfilledBy.US and line.kind is LineKind.PHYSICAL
    return ours and line.sku is not None and line.ordered > 0


def _promised(body: OrderBody, delivery_id: str) -> str | None:
    """The day on which all of a delivery would arrive by the decision that it was placed with."""
    for decision in body.sourcing:
        if decision.get("delivery") == delivery_id and not decision.get("missing"):
            return max((one["arrives"] for one in decision["locations"] if one.get("ships")), default=None)
    return None


def _given(order: Order) -> Counter[tuple[str, str]]:
    """Units by sku and location that an order was given when it came, and still has or has been sent."""
    lines = {line.line_id: line for line in order.lines if line.touches_stock}
    left = {name: line.ordered - line.cancelled for name, line in lines.items()}
    given = Counter[tuple[str, str]]()
    allocated = cast(Iterable[tuple[str, str, int]], order.journal[0].data.get("allocated", ()))
    for line_id, location, units in allocated:
        kept = min(units, left.get(line_id, 0))
        if kept:
            left[line_id] -= kept
            given[lines[line_id].sku or "", location] += kept
    return given


def _retailer(
    table: Table, network: Network, skus: set[str], given: Counter[tuple[str, str]]
) -> dict[str, object]:
    stocks = read_stock(table, skus)
    cards = table.get(keys.snapshot("rate_card"))
    known = {name: stock.sku for name, stock in stocks.items() if stock.sku is not None}
    units: dict[str, dict[str, int]] = {}
    for name, sku in known.items():
        if sku.tracked:
            there = Counter({held.location: max(0, held.uncommitted) for held in stocks[name].positions})
            there.update({location: count for (of, location), count in given.items() if of == name})
            units[name] = {location: count for location, count in there.items() if count}
    return {
        "channels": {name: document_of(one) for name, one in network.channels.items()},
        "pools": {name: document_of(one) for name, one in network.pools.items()},
        "locations": {name: document_of(one) for name, one in network.locations.items()},
        "rate_cards": decode_document(cards) if cards else {},
        "skus": {
            name: {"weight_g": sku.weight_g, "requires": sku.requires, "ships_with": sku.ships_with}
            for name, sku in known.items()
        },
        "stock": units,
    }
