"""Recorded orders, payments and parcels of marketplaces, tills and services keep what they say exactly.

The expectations are worked out here from the raw JSON, apart from the adapters.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_channel_payloads import PAYLOADS, parse, raw

pytestmark = pytest.mark.skipif(not PAYLOADS.exists(), reason="the recorded payloads are not there")

YEN = {"JPY", "KRW"}

STATES = {
    "easypost": {"pre_transit": "labelled", "in_transit": "in_transit", "delivered": "delivered"},
    "aftership": {"Pending": "labelled", "InTransit": "in_transit", "Delivered": "delivered"},
    "shippo": {"DELIVERED": "delivered", "TRANSIT": "in_transit"},
    "shipengine": {"DE": "delivered", "IT": "in_transit"},
}


def files(*kinds: str) -> list[Path]:
    return sorted(path for kind in kinds for path in (PAYLOADS / kind).glob("*.json"))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a value, in document order."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from objects(item)


def minor(amount: Any, currency: str) -> Decimal:
    return Decimal(amount) * (1 if currency in YEN else 100)


def orders(commands: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        command["channel_order_id"]: command for command in commands if command["command"] == "place_order"
    }


def same_total(order: dict[str, Any]) -> None:
    """The parts come to the total, or the order says that they do not."""
    lines, deliveries = order["lines"], order["deliveries"]
    assert order["discount"] == sum(line["discount"] for line in lines)
    assert order["shipping"] == sum(delivery["shipping"] for delivery in deliveries)
    taxes = sum(
        [line["tax"] for line in lines]
        + [delivery["shipping_tax"] for delivery in deliveries]
        + [fee["tax"] for fee in order["fees"]]
    )
    total = (
        sum(line["amount"] - line["discount"] for line in lines)
        + sum(delivery["shipping"] - delivery["shipping_discount"] for delivery in deliveries)
        + sum(fee["amount"] for fee in order["fees"])
        + order["duties"]
        + order["tip"]
        + (0 if order["tax_included"] else order["tax"])
    )
    assert order["balanced"] == ((total, taxes) == (order["total"], order["tax"]))


@pytest.mark.parametrize("path", files("ebay"), ids=lambda path: path.name)
def test_orders_of_ebay(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stated = [node for node in objects(raw(path)) if "orderId" in node and "lineItems" in node]
    placed = orders(parse(path, capsys))
    assert len(placed) == len(stated)
    for node in stated:
        order = placed[node["orderId"]]
        total = node["pricingSummary"]["total"]
        currency = total.get("convertedFromCurrency") or total["currency"]
        assert (order["currency"], order["order_number"]) == (currency, node["salesRecordReference"])
        assert order["total"] == minor(total.get("convertedFromValue") or total["value"], currency)
        assert order["balanced"]
        for line, item in zip(order["lines"], node["lineItems"], strict=True):
            cost = item["lineItemCost"]
            assert line["channel_line_id"] == item["lineItemId"]
            assert (line["sku"], line["quantity"]) == (item.get("sku"), item["quantity"])
            assert line["amount"] == minor(cost.get("convertedFromValue") or cost["value"], currency)
        same_total(order)


@pytest.mark.parametrize("path", files("square"), ids=lambda path: path.name)
def test_orders_of_square(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stated = [node for node in objects(raw(path)) if "line_items" in node and node.get("state") != "DRAFT"]
    placed = orders(parse(path, capsys))
    assert len(placed) == len(stated)
    for node in stated:
        order = placed[node["id"]]
        assert order["order_number"] == node.get("reference_id", node["id"])
        assert (order["total"], order["currency"]) == (
            node["total_money"]["amount"],
            node["total_money"]["currency"],
        )
        assert order["channel_version"].startswith(f"{node.get('version', 0):010d}")
        assert order["balanced"]
        for line, item in zip(order["lines"], node["line_items"], strict=True):
            assert (line["channel_line_id"], line["title"]) == (item["uid"], item["name"])
            assert Decimal(line["quantity"]) == Decimal(item["quantity"])
            assert line["unit_price"] == item["base_price_money"]["amount"]
            net = line["amount"] - line["discount"] + (0 if order["tax_included"] else line["tax"])
            assert net == item["total_money"]["amount"]
        same_total(order)


@pytest.mark.parametrize("path", files("amazon"), ids=lambda path: path.name)
def test_orders_of_amazon_in_2026(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stated = [node for node in objects(raw(path)) if "orderId" in node and "orderItems" in node]
    commands = parse(path, capsys)
    placed = orders(commands)
    for node in stated:
        order, total = placed[node["orderId"]], node["proceeds"]["grandTotal"]
        currency = total["currencyCode"]
        assert (order["currency"], order["total"]) == (currency, minor(total["amount"], currency))
        assert order["order_number"] == node["orderAliases"][0]["aliasId"]
        by = "channel" if node["fulfillment"]["fulfilledBy"] == "AMAZON" else "us"
        for line, item in zip(order["lines"], node["orderItems"], strict=True):
            price = minor(item["product"]["price"]["unitPrice"]["amount"], currency)
            assert (line["channel_line_id"], line["sku"]) == (
                item["orderItemId"],
                item["product"]["sellerSku"],
            )
            assert (line["quantity"], line["unit_price"]) == (item["quantityOrdered"], price)
            assert line["amount"] == price * item["quantityOrdered"]
            assert (line["fulfilled_by"], line["shipped"]) == (by, item["fulfillment"]["quantityFulfilled"])
        assert order["balanced"]
        same_total(order)


@pytest.mark.parametrize("path", files("amazon"), ids=lambda path: path.name)
def test_orders_of_amazon_in_v0(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = raw(path)
    items = {
        node["AmazonOrderId"]: node["OrderItems"]
        for node in objects(document)
        if {"AmazonOrderId", "OrderItems"} <= node.keys()
    }
    headers = [node for node in objects(document) if "AmazonOrderId" in node and "OrderStatus" in node]
    commands = parse(path, capsys)
    placed = orders(commands)
    fetched = {command["resource_id"] for command in commands if command["command"] == "fetch"}
    for node in headers:
        order_id = node["AmazonOrderId"]
        if node["OrderStatus"] == "Pending":
            assert order_id not in placed
        elif order_id not in items:
            assert order_id in fetched
        else:
            order, total = placed[order_id], node["OrderTotal"]
            assert order["total"] == minor(total["Amount"], total["CurrencyCode"])
            for line, item in zip(order["lines"], items[order_id], strict=True):
                price = item["ItemPrice"]
                assert (line["channel_line_id"], line["sku"]) == (item["OrderItemId"], item["SellerSKU"])
                assert line["quantity"] == item["QuantityOrdered"]
                assert line["amount"] == minor(price["Amount"], price["CurrencyCode"])
                assert line["properties"].get("gift") is None
            assert order["balanced"]
            same_total(order)
    if not headers:
        assert not placed.keys() & items.keys()


@pytest.mark.parametrize(
    "path", files("easypost", "aftership", "shippo", "shipengine"), ids=lambda path: path.name
)
def test_parcels(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kind = path.parent.name
    commands = parse(path, capsys)
    number, word = {
        "easypost": ("tracking_code", "status"),
        "aftership": ("tracking_number", "tag"),
        "shippo": ("tracking_number", "tracking_status"),
        "shipengine": ("tracking_number", "status_code"),
    }[kind]
    stated = [node for node in objects(raw(path)) if number in node and word in node]
    tracked = [command for command in commands if command["command"] == "tracking_recorded"]
    assert [command["tracking_number"] for command in tracked] == [node[number] for node in stated]
    for command, node in zip(tracked, stated, strict=True):
        status = node[word]["status"] if kind == "shippo" else node[word]
        assert command["status"] == STATES[kind][status]
        history = node.get("tracking_details") or node.get("events") or node.get("tracking_history") or []
        times = [
            entry.get("datetime") or entry.get("event_date") or entry.get("status_date") for entry in history
        ]
        if times:
            assert command["occurred_at"][:19] == max(times)[:19]


@pytest.mark.parametrize("path", files("stripe", "paypal"), ids=lambda path: path.name)
def test_payments(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every amount recorded is one that stands in the payload, under its own currency and id."""
    recorded = [command for command in parse(path, capsys) if command["command"] == "payment_recorded"]
    text = json.dumps(raw(path), default=str)
    for command in recorded:
        payment_id = command["payment_id"].partition(":")[0]
        assert f'"{payment_id}"' in text
        amount = command["amount"]
        shown = str(amount) if path.parent.name == "stripe" else f"{Decimal(amount) / 100:.2f}"
        assert shown in text
        assert command["currency"].lower() in text.lower()


def test_what_moves_money_is_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {
        path.name.partition("__")[0]: parse(path, capsys)[0]["command"] for path in files("stripe", "paypal")
    }
    moved = {name for name, command in kinds.items() if command == "payment_recorded"}
    assert moved == {"object_charge", "event_CHECKOUT_ORDER_COMPLETED", "verify_webhook_signature_request"}


def test_a_notification_that_only_points_to_shipments_is_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = files("shipstation")
    (command,) = parse(path, capsys)
    assert (command["command"], command["resource"]) == ("fetch", "shipments")
    assert command["resource_id"] == raw(path)["resource_url"]
