"""The APIs of channels as far as we cancel orders there and have money given back."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes_channels import ORDER
from tests.fakes_http import Asked, Says

CAPTURED = 3000
"""What the customer has paid, in cents."""


@dataclass
class FakeSale:
    """One order of a shop.

    Attributes:
        kind: whose rules the shop keeps.
        units: units of each line that are left.
        cancelled: whether it is.
        cancels: how often it was told to cancel it.
        given: what it has given back: a text that names the refund, and the amount in cents.
        keys: idempotency keys that it has seen.
        version: rises with every change, where the shop counts them.
    """

    kind: str
    units: dict[str, int] = field(default_factory=lambda: {"701": 2, "702": 1})
    cancelled: bool = False
    cancels: int = 0
    given: list[tuple[str, int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    version: int = 1
    edited: dict[str, int] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Says:
        """What it answers to a request."""
        return _ANSWERS[self.kind](self, asked, json.loads(asked.body) if asked.body else None)

    def cancel(self) -> None:
        """It is cancelled."""
        self.cancelled = True
        self.cancels += 1

    def give(self, name: str, amount: int) -> None:
        """It gives money back."""
        assert sum(given for _, given in self.given) + amount <= CAPTURED
        self.given.append((name, amount))

    @property
    def amounts(self) -> list[int]:
        """What it has given back."""
        return [amount for _, amount in self.given]


def cents(text: str) -> int:
    """A decimal amount of two places in cents."""
    whole, _, part = text.partition(".")
    assert len(part) == 2
    return int(whole) * 100 + int(part)


def _shopify(sale: FakeSale, asked: Asked, document: Any) -> Says:
    query, variables = document["query"], document["variables"]
    name = f"gid://shopify/Order/{ORDER}"
    done: dict[str, Any] = {"userErrors": []}
    if "orderCancel(" in query:
        assert (variables["orderId"], variables["restock"]) == (name, False)
        sale.cancel()
        return _data("orderCancel", {"job": {"id": "1"}, "orderCancelUserErrors": []})
    if "orderEditBegin(" in query:
        assert variables["id"] == name
        sale.edited = dict(sale.units)
        lines = [{"id": f"gid://shopify/CalculatedLineItem/{line}"} for line in sale.units]
        calculated = {"id": "gid://shopify/CalculatedOrder/1", "lineItems": {"nodes": lines}}
        return _data("orderEditBegin", {"calculatedOrder": calculated, **done})
    if "orderEditSetQuantity(" in query:
        sale.edited[variables["line"].rpartition("/")[2]] = variables["units"]
        return _data("orderEditSetQuantity", done)
    if "orderEditCommit(" in query:
        sale.units = dict(sale.edited)
        sale.cancels += 1
        return _data("orderEditCommit", done)
    if "refundCreate(" in query:
        wanted = variables["input"]
        amounts = [cents(each["amount"]) for each in wanted["transactions"]]
        assert {each["parentId"] for each in wanted["transactions"]} <= {"gid://t/1", "gid://t/2"}
        sale.give(wanted["note"], sum(amounts))
        return _data("refundCreate", done)
    if variables["id"] != name:
        return _data("order", None)
    nodes = [{"id": f"gid://shopify/LineItem/{line}", "currentQuantity": n} for line, n in sale.units.items()]
    order = {
        "cancelledAt": "2026-11-22T10:00:00Z" if sale.cancelled else None,
        "lineItems": {"nodes": nodes},
        "refunds": [{"note": note} for note, _ in sale.given],
        "transactions": [
            _transaction("gid://t/1", "SALE", 1000),
            _transaction("gid://t/2", "CAPTURE", CAPTURED - 1000),
            _transaction("gid://t/3", "SALE", CAPTURED, status="FAILURE"),
            *(_transaction(f"gid://r/{amount}", "REFUND", amount, "gid://t/2") for amount in sale.amounts),
        ],
    }
    return _data("order", order)


def _transaction(
    name: str, kind: str, amount: int, parent: str | None = None, status: str = "SUCCESS"
) -> dict[str, Any]:
    money = {"shopMoney": {"amount": f"{amount / 100:.2f}"}}
    above = {"parentTransaction": {"id": parent}} if parent else {}
    return {"id": name, "kind": kind, "status": status, "gateway": "bogus", "amountSet": money, **above}


def _data(name: str, value: object) -> Says:
    return Says(200, {"data": {name: value}})


def _woocommerce(sale: FakeSale, asked: Asked, document: Any) -> Says:
    path, _, _ = asked.path.partition("?")
    if (asked.method, path) == ("PUT", f"/wp-json/wc/v3/orders/{ORDER}"):
        assert document == {"status": "cancelled"}
        sale.cancel()
        return Says(200, {"id": int(ORDER)})
    if path != f"/wp-json/wc/v3/orders/{ORDER}/refunds":
        return Says(404, {"code": "rest_no_route"})
    if asked.method == "POST":
        assert document["api_refund"] is True
        sale.give(document["meta_data"][0]["value"], cents(document["amount"]))
        return Says(201, {"id": 1})
    return Says(200, [{"meta_data": [{"key": "_oms_refund", "value": name}]} for name, _ in sale.given])


def _magento(sale: FakeSale, asked: Asked, document: Any) -> Says:
    if asked.method == "GET" and asked.path.startswith(f"/rest/V1/orders/{ORDER}?"):
        return Says(200, {"state": "canceled" if sale.cancelled else "new"})
    if (asked.method, asked.path) != ("POST", f"/rest/V1/orders/{ORDER}/cancel"):
        return Says(404, {"message": "No such entity."})
    sale.cancel()
    return Says(200, True)


def _bigcommerce(sale: FakeSale, asked: Asked, document: Any) -> Says:
    if (asked.method, asked.path) == ("PUT", f"/v2/orders/{ORDER}"):
        assert document == {"status_id": 5}
        sale.cancel()
        return Says(200, {"id": int(ORDER)})
    actions = f"/v3/orders/{ORDER}/payment_actions"
    if asked.path == f"{actions}/refund_quotes":
        (item,) = document["items"]
        way = {"provider_id": "stripe", "amount": item["amount"], "offline": False}
        return Says(201, {"data": {"refund_methods": [[way]]}})
    if asked.path != f"{actions}/refunds":
        return Says(404, {"status": 404})
    if asked.method == "POST":
        (item,), (payment,) = document["items"], document["payments"]
        assert (payment["provider_id"], payment["amount"]) == ("stripe", item["amount"])
        sale.give(item["reason"], round(item["amount"] * 100))
        return Says(201, {"data": {"id": 1}})
    return Says(200, {"data": [{"items": [{"reason": name}]} for name, _ in sale.given]})


def _square(sale: FakeSale, asked: Asked, document: Any) -> Says:
    if (asked.method, asked.path) == ("POST", "/v2/refunds"):
        assert (document["payment_id"], document["amount_money"]["currency"]) == ("P2", "EUR")
        if document["idempotency_key"] not in sale.keys:
            sale.keys.add(document["idempotency_key"])
            sale.give(document["reason"], document["amount_money"]["amount"])
        return Says(200, {"refund": {"id": "R1"}})
    if asked.path != f"/v2/orders/{ORDER}":
        return Says(404, {"errors": [{"code": "NOT_FOUND"}]})
    if asked.method == "PUT":
        if document["order"]["version"] != sale.version:
            return Says(409, {"errors": [{"code": "VERSION_MISMATCH"}]})
        assert document["order"]["fulfillments"] == [{"uid": "F1", "state": "CANCELED"}]
        sale.version += 1
        sale.cancel()
    state = "CANCELED" if sale.cancelled else "PROPOSED"
    order = {
        "id": ORDER,
        "location_id": "L1",
        "version": sale.version,
        "fulfillments": [{"uid": "F1", "type": "SHIPMENT", "state": state}],
        "tenders": [
            {"id": "P1", "amount_money": {"amount": 1, "currency": "EUR"}},
            {"id": "P2", "amount_money": {"amount": CAPTURED - 1, "currency": "EUR"}},
        ],
        "refunds": [
            {"tender_id": "P2", "reason": name, "amount_money": {"amount": amount, "currency": "EUR"}}
            for name, amount in sale.given
        ],
    }
    return Says(200, {"order": order})


def _nothing(sale: FakeSale, asked: Asked, document: Any) -> Says:
    raise AssertionError(f"nobody asks {sale.kind} for {asked.path}")


_ANSWERS: Mapping[str, Callable[[FakeSale, Asked, Any], Says]] = {
    "shopify": _shopify,
    "woocommerce": _woocommerce,
    "magento": _magento,
    "bigcommerce": _bigcommerce,
    "square": _square,
    "ebay": _nothing,
    "amazon": _nothing,
}
