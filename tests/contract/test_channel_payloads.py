"""Every recorded payload becomes commands or is ignored for a reason, and orders keep what they say exactly.

The expectations are worked out here from the raw JSON, apart from the adapters.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from infra.cli.main import main
from oms.channels.registry import KINDS

PAYLOADS = Path(__file__).parents[3] / "shared" / "channels" / "payloads"
FILES = sorted(path for kind in KINDS for path in (PAYLOADS / kind).glob("*"))
WITHOUT_FRACTION = {"JPY", "KRW", "CLP"}


def shape(path: Path) -> str:
    """The name of a file's shape, which `parse` takes for a topic."""
    return path.name.partition("__")[0]


def raw(path: Path) -> Any:
    """The payload of a file, out of its capture."""
    document = json.loads(path.read_bytes(), parse_float=Decimal)
    return (
        document["body"]
        if isinstance(document, dict) and {"headers", "body"} <= document.keys()
        else document
    )


def orders(document: Any) -> Iterator[Any]:
    """The orders of Shopify that a payload holds in full."""
    found = document.get("orders") or [document.get("order") or document]
    yield from (order for order in found if "line_items" in order)


ORDER_FILES = [
    path
    for path in FILES
    if path.parent.name == "shopify"
    and shape(path).startswith(("webhook_orders_", "rest_order"))
    and shape(path) != "webhook_orders_delete"
    and isinstance(raw(path), dict)
    and any(orders(raw(path)))
]


@pytest.fixture(autouse=True)
def recorded() -> None:
    """These tests need the recorded payloads."""
    if not PAYLOADS.exists():
        pytest.skip("the recorded payloads are not there")


def parse(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The commands that `oms channel parse` prints for a file."""
    kind = path.parent.name
    status = main(["channel", "parse", "--channel", kind, "--topic", shape(path), str(path)])
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_all_recorded_payloads_are_looked_at() -> None:
    recorded = {folder.name for folder in PAYLOADS.iterdir()}
    assert {path.parent.name for path in FILES} == recorded
    assert recorded <= set(KINDS)
    assert ORDER_FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_payload_becomes_commands_or_is_ignored_for_a_reason(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = parse(path, capsys)
    assert commands
    assert all(command["reason"] for command in commands if command["command"] == "ignore")


@pytest.mark.parametrize("path", ORDER_FILES, ids=lambda path: path.name)
def test_orders_keep_what_they_say_exactly(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = parse(path, capsys)
    for order, command in zip(orders(raw(path)), commands, strict=True):
        scale = 1 if order["currency"] in WITHOUT_FRACTION else 100
        assert command["command"] == "place_order"
        assert command["channel_order_id"] == str(order["id"])
        assert command["order_number"] == order["name"]
        assert command["currency"] == order["currency"]
        assert command["total"] == Decimal(order["total_price"]) * scale
        assert command["tax"] == Decimal(order["total_tax"] or 0) * scale
        assert command["test"] == (order["test"] or "headers" in json.loads(path.read_bytes()))
        assert command["cancelled"] == (order["cancelled_at"] is not None)
        assert [line["channel_line_id"] for line in command["lines"]] == [
            str(line["id"]) for line in order["line_items"]
        ]
        for printed, line in zip(command["lines"], order["line_items"], strict=True):
            price = Decimal(line["price"]) * scale
            assert printed["sku"] == (line["sku"] or None)
            assert printed["quantity"] == line["quantity"]
            assert printed["unit_price"] == price
            assert printed["amount"] == price * line["quantity"]
            if "discount_allocations" in line:
                allocated = sum(Decimal(part["amount"]) for part in line["discount_allocations"])
                assert printed["discount"] == allocated * scale
            if line.get("tax_lines"):
                assert printed["tax"] == sum(Decimal(tax["price"]) for tax in line["tax_lines"]) * scale


@pytest.mark.parametrize("path", ORDER_FILES, ids=lambda path: path.name)
def test_lines_come_to_the_orders_totals_or_the_order_is_flagged(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in parse(path, capsys):
        lines, deliveries = command["lines"], command["deliveries"]
        assert command["discount"] == sum(line["discount"] for line in lines)
        total = (
            sum(line["amount"] - line["discount"] for line in lines)
            + sum(delivery["shipping"] - delivery["shipping_discount"] for delivery in deliveries)
            + sum(fee["amount"] for fee in command["fees"])
            + command["duties"]
            + command["tip"]
            + (0 if command["tax_included"] else command["tax"])
        )
        assert command["balanced"] == (total == command["total"])


def test_only_canned_samples_do_not_balance(capsys: pytest.CaptureFixture[str]) -> None:
    flagged = {
        path.name
        for path in ORDER_FILES
        for command in parse(path, capsys)
        if not command["balanced"] and not command["test"]
    }
    assert flagged == {"rest_order__Shopify-shopify_python_api.json"}


WOOCOMMERCE_ORDERS = [
    path
    for path in FILES
    if path.parent.name == "woocommerce" and shape(path) in ("rest_order", "webhook_order_created")
]
MAGENTO_ORDERS = [path for path in FILES if path.parent.name == "magento" and shape(path) == "rest_order"]


def of_woocommerce(document: Any) -> list[Any]:
    """The orders of WooCommerce that a payload holds, drafts left out."""
    inner = document.get("data", document)
    found = inner if isinstance(inner, list) else [inner]
    return [order for order in found if order["status"] != "auto-draft"]


def cents(amount: Any) -> Decimal:
    """An amount of a currency with two decimals in minor units."""
    return Decimal(str(amount)) * 100


@pytest.mark.parametrize("path", WOOCOMMERCE_ORDERS, ids=lambda path: path.name)
def test_woocommerces_orders_keep_what_they_say_exactly(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [command for command in parse(path, capsys) if command["command"] == "place_order"]
    for order, command in zip(of_woocommerce(raw(path)), commands, strict=True):
        cards = sum(cents(card["amount"]) for card in order.get("gift_cards", []))
        assert command["channel_order_id"] == str(order["id"])
        assert command["order_number"] == order["number"]
        assert command["currency"] == order["currency"]
        assert command["total"] == cents(order["total"]) + cards
        assert command["tax"] == cents(order["total_tax"])
        assert command["shipping"] == cents(order["shipping_total"])
        assert command["cancelled"] == (order["status"] == "cancelled")
        for printed, line in zip(command["lines"], order["line_items"], strict=True):
            assert printed["channel_line_id"] == str(line["id"])
            assert printed["sku"] == (str(line["sku"]) if line["sku"] else None)
            assert Decimal(printed["quantity"]) == line["quantity"]
            assert printed["amount"] == cents(line["subtotal"])
            assert printed["discount"] == cents(line["subtotal"]) - cents(line["total"])
            assert printed["tax"] == cents(line["total_tax"])
            price = Decimal(printed["unit_price"]) * line["quantity"]
            assert abs(price - printed["amount"]) < Decimal("0.001")


def test_only_edited_samples_of_woocommerce_do_not_balance(capsys: pytest.CaptureFixture[str]) -> None:
    flagged = {
        path.name.partition("__")[2].removeprefix("woocommerce-woocommerce-ios__")
        for path in WOOCOMMERCE_ORDERS
        for command in parse(path, capsys)
        if command["command"] == "place_order" and not command["balanced"]
    }
    assert flagged == {
        "bundle.json",
        "faulty_meta.json",
        "fees.json",
        "list_deleted_products.json",
        "standard_fee_coupon_fractional_qty.json",
    }


@pytest.mark.parametrize("path", MAGENTO_ORDERS, ids=lambda path: path.name)
def test_magentos_orders_keep_what_they_say_exactly(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = raw(path)
    (command,) = parse(path, capsys)
    assert command["command"] == "place_order"
    assert command["channel_order_id"] == f"{order['entity_id']}@{order['store_id']}"
    assert command["order_number"] == order["increment_id"]
    assert command["currency"] == order["order_currency_code"]
    assert command["total"] == cents(order["grand_total"])
    assert command["tax"] == cents(order["tax_amount"])
    assert command["discount"] == -cents(order["discount_amount"])
    assert command["shipping"] == cents(order["shipping_amount"])
    assert command["cancelled"] == (order["state"] == "canceled")
    assert command["balanced"]
    tops = [item for item in order["items"] if "parent_item_id" not in item]
    for line, item in zip(command["lines"], tops, strict=True):
        assert line["channel_line_id"] == str(item["item_id"])
        assert line["sku"] == item["sku"]
        assert line["quantity"] == item["qty_ordered"]
        assert line["unit_price"] == cents(item["price"])
        assert line["amount"] == cents(item["price"]) * item["qty_ordered"]
        assert line["discount"] == cents(item["discount_amount"])
        assert line["tax"] == cents(item["tax_amount"])
        assert (line["shipped"], line["cancelled"]) == (item["qty_shipped"], item["qty_canceled"])


def test_an_order_that_an_edit_has_cancelled_leaves_nothing_to_ship(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (path,) = (path for path in MAGENTO_ORDERS if "edit" in path.name)
    (command,) = parse(path, capsys)
    assert command["cancelled"]
    assert all(line["cancelled"] == line["quantity"] for line in command["lines"])


def test_bigcommerce_only_names_what_has_changed(capsys: pytest.CaptureFixture[str]) -> None:
    for path in (path for path in FILES if path.parent.name == "bigcommerce"):
        document = raw(path)
        (command,) = parse(path, capsys)
        if shape(path).startswith(("webhook_store_order", "webhook_store_shipment", "webhook_store_channel")):
            data = document["data"]
            named = data.get("order_id") or data.get("orderId") or data["id"]
            expected = ("ignore", None) if "message" in path.name else ("fetch", str(named))
            assert (command["command"], command.get("resource_id")) == expected
        elif shape(path) == "rest_v2_order":
            assert (command["command"], command["resource_id"]) == ("fetch", str(document["id"]))
