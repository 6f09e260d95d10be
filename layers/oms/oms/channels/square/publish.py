"""What Square is told, through its Inventory, Catalog, Orders and Refunds APIs.

`api` in the channel's secret names the location that we feed: `location_id`.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from oms.channels.canonical import stamp
from oms.channels.exchange import Api, read
from oms.channels.payload import Node
from oms.channels.publishing import Cancelled, Level, Parcel, Priced, Repayment, Titled, shared_title
from oms.problems import Code, Problem


def push_stock(api: Api, level: Level) -> None:
    """See `Publishing.push_stock`: a physical count, as of when it was true; its key makes it one."""
    count = {
        "catalog_object_id": level.listing.item_id,
        "state": "IN_STOCK",
        "location_id": api.value("location_id"),
        "quantity": str(level.units),
        "occurred_at": stamp(level.at),
    }
    change = {"type": "PHYSICAL_COUNT", "physical_count": count}
    changes = {"idempotency_key": level.key, "changes": [change], "ignore_unchanged_counts": True}
    api.call("POST", "/v2/inventory/changes/batch-create", changes)


def push_title(api: Api, titled: Titled) -> None:
    """See `Publishing.push_title`: that of the item, when it has no other variation."""

    def name(item: dict[str, Any]) -> None:
        if len(item["item_data"]["variations"]) > 1:
            raise shared_title()
        item["item_data"]["name"] = titled.title

    _change_object(api, titled.need("product_id"), titled.key, name)


def push_price(api: Api, priced: Priced) -> None:
    """See `Publishing.push_price`: of the variation, at every location that has no price of its own."""
    money = {"amount": priced.price.amount, "currency": priced.price.currency}

    def price(variation: dict[str, Any]) -> None:
        variation["item_variation_data"] |= {"pricing_type": "FIXED_PRICING", "price_money": money}

    _change_object(api, priced.listing.item_id, priced.key, price)


def _change_object(api: Api, name: str, key: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change an object of the catalogue, which takes whole ones alone: as it was read, or not at all.

    A version that has moved on meanwhile is refused, and the next try reads it again.
    """
    answer = api.get(f"/v2/catalog/object/{quote(name, safe='')}")
    read(answer).need(Node.child, "object")
    found = json.loads(answer.body)["object"]
    try:
        change(found)
    except (KeyError, TypeError):
        raise Problem(Code.CHANNEL_REFUSED, f"object {name} is no item that is sold", "object") from None
    changed = {"idempotency_key": _short(f"{key}#{found.get('version')}"), "object": found}
    api.call("POST", "/v2/catalog/object", changed)


def push_parcel(api: Api, parcel: Parcel) -> None:
    """See `Publishing.push_parcel`: on the order's shipment, which has room for one parcel: the last counts.

    The key makes it one; a version that has moved on meanwhile is refused, and the next try reads it again.
    """
    order = _order(api, parcel.order_id)
    shipments = [each for each in order.children("fulfillments") if each.text("type") == "SHIPMENT"]
    if not shipments:
        raise Problem(Code.CHANNEL_REFUSED, f"order {parcel.order_id} has no shipment", "fulfillments")
    details = {
        "carrier": parcel.carrier,
        "tracking_number": parcel.tracking_number,
        "shipped_at": stamp(parcel.shipped_at),
    }
    shipment: Mapping[str, object] = {
        "uid": shipments[0].need(Node.text, "uid"),
        "shipment_details": {name: value for name, value in details.items() if value is not None},
    } | ({"state": "COMPLETED"} if parcel.completes else {})
    _change(api, order, parcel.key, [shipment])


_ENDED = ("COMPLETED", "CANCELED", "FAILED")
_ENDED_BADLY = ("FAILED", "REJECTED")


def push_cancel(api: Api, cancelled: Cancelled) -> None:
    """See `Publishing.push_cancel`: what is to be fulfilled of the order; one that is paid stays open."""
    order = _order(api, cancelled.order_id)
    going = [each for each in order.children("fulfillments") if each.text("state") not in _ENDED]
    if going:
        ended = [{"uid": each.need(Node.text, "uid"), "state": "CANCELED"} for each in going]
        _change(api, order, f"cancel {cancelled.order_id}", ended)


def push_refund(api: Api, repayment: Repayment) -> None:
    """See `Publishing.push_refund`: of the first payment that has so much left; the key makes it one."""
    order = _order(api, repayment.order_id)
    given = [each for each in order.children("refunds") if each.text("status") not in _ENDED_BADLY]
    if any(repayment.key in (refund.text("reason") or "") for refund in given):
        return
    for tender in order.children("tenders"):
        name = tender.need(Node.text, "id")
        back = sum(_amount(refund) for refund in given if refund.text("tender_id") == name)
        if _amount(tender) - back >= repayment.amount:
            break
    else:
        raise Problem(Code.CHANNEL_REFUSED, "no payment of the order has so much to give back", "amount")
    refund = {
        "idempotency_key": _short(repayment.key),
        "payment_id": tender.text("payment_id") or name,
        "amount_money": {"amount": repayment.amount, "currency": repayment.currency},
        "reason": f"oms {repayment.key}",
    }
    api.call("POST", "/v2/refunds", refund)


def _order(api: Api, order_id: str) -> Node:
    return read(api.get(f"/v2/orders/{quote(order_id, safe='')}")).need(Node.child, "order")


def _change(api: Api, order: Node, key: str, fulfillments: Sequence[Mapping[str, object]]) -> None:
    """Change fulfillments of an order as it was read; of another version the channel refuses it."""
    version = order.integer("version")
    changed = {
        "location_id": order.need(Node.text, "location_id"),
        "version": version,
        "fulfillments": fulfillments,
    }
    path = f"/v2/orders/{quote(order.need(Node.text, 'id'), safe='')}"
    api.call("PUT", path, {"idempotency_key": _short(f"{key}#{version}"), "order": changed})


def _short(key: str) -> str:
    """A key of a length that Square takes."""
    return hashlib.sha256(key.encode()).hexdigest()[:40]


def _amount(node: Node) -> int:
    return node.need(Node.child, "amount_money").need(Node.integer, "amount")
