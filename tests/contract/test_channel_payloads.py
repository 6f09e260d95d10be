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
FILES = sorted(path for kind in KINDS for path in (PAYLOADS / kind).glob("*.json"))
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
    # The messages of EDI are not read by any kind of channel yet.
    recorded = {folder.name for folder in PAYLOADS.iterdir()} - {"edi"}
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
