"""The workers on their sample trigger events: from a queued delivery to a delivered parcel."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from functions.fulfillment import handler as fulfillment
from functions.intake import handler as intake
from functions.sourcing import handler as sourcing
from oms.channels.envelope import seal, unseal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.orders.commands import PlaceOrder
from oms.orders.identity import order_id
from oms.orders.status import OrderStatus, order_status
from oms.store import keys
from oms.store.table import Table
from tests.shelves import fill, order_of

pytestmark = pytest.mark.moto

EVENTS = Path(__file__).parents[2] / "events"

type Event = dict[str, Any]


def sample(name: str) -> Event:
    event: Event = json.loads((EVENTS / name).read_text())
    return event


def placed_by(event: Event) -> PlaceOrder:
    delivery = unseal(event["Records"][0]["body"])
    (command,) = adapter(delivery.adapter).parse(delivery)
    assert isinstance(command, PlaceOrder)
    return command


def metrics_of(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """What the invocations so far have counted, by name."""
    counted: dict[str, int] = {}
    for text in capsys.readouterr().out.splitlines():
        written = json.loads(text)
        for directive in written.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                counted[metric["Name"]] = counted.get(metric["Name"], 0) + written[metric["Name"]]
    return counted


def failed(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def stocked(table: Table) -> Table:
    """Enough of everything that the sample orders."""
    for line in placed_by(sample("intake.json")).lines:
        if line.sku:
            fill(table, line.sku, wh_madrid=50)
    return table


def test_the_samples_tell_one_story_to_its_end(stocked: Table, capsys: pytest.CaptureFixture[str]) -> None:
    command = placed_by(sample("intake.json"))
    for handler, name in (
        (intake.handler, "intake.json"),
        (sourcing.handler, "sourcing.json"),
        (fulfillment.handler, "fulfillment.json"),
    ):
        for _ in range(2):
            assert failed(handler(sample(name), None)) == []
    order = order_of(stocked, order_id(command.channel, command.channel_order_id))
    assert (order.total, order.currency, order_status(order)) == (
        command.total,
        command.currency,
        OrderStatus.CLOSED,
    )
    counted = metrics_of(capsys)
    assert {name: counted[name] for name in ("OrdersPlaced", "OrdersDuplicate", "OrdersReleased")} == {
        "OrdersPlaced": 1,
        "OrdersDuplicate": 1,
        "OrdersReleased": 1,
    }
    assert (counted["ShipmentsShipped"], counted["ShipmentsDelivered"]) == (1, 1)
    assert counted["FulfillmentOrdersAccepted"] == 1
    assert counted["UnitsAllocated"] == sum(line.quantity for line in command.lines if line.requires_shipping)  # type: ignore[misc]


def test_an_order_beyond_stock_is_counted_and_durable(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    command = placed_by(sample("intake.json"))
    for line in command.lines:
        if line.sku:
            fill(table, line.sku)
    assert failed(intake.handler(sample("intake.json"), None)) == []
    counted = metrics_of(capsys)
    assert counted["UnitsOpen"] >= 1
    assert counted["ExceptionsOpened"] >= 1
    assert order_of(table, order_id(command.channel, command.channel_order_id)).lines[0].open


def test_word_of_a_parcel_that_nobody_knows_is_kept_for_the_dead_letter_queue(stocked: Table) -> None:
    webhook = sample("easypost_tracker_updated.json")
    headers = Headers.of(webhook["multiValueHeaders"])
    event = sample("intake.json")
    event["Records"][0]["body"] = seal(
        "parcels", adapter("easypost"), headers, webhook["body"].encode(), datetime.now(UTC)
    )
    assert failed(intake.handler(event, None)) == [event["Records"][0]["messageId"]]


def test_one_bad_message_does_not_hold_up_the_others(stocked: Table) -> None:
    event = sample("intake.json")
    for body in ("not json", "{}", json.dumps({"channel": "shop-es", "kind": "ghost"})):
        event["Records"].append(copy.deepcopy(event["Records"][0]) | {"body": body, "messageId": body})
    bad = [record["messageId"] for record in event["Records"][1:]]
    assert failed(intake.handler(event, None)) == bad
    assert stocked.get(keys.header(order_id("shop-es", placed_by(event).channel_order_id)))


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("[]", "message_invalid", None),
        ("nonsense", "bad_request", None),
        ('{"type":"accepted"}', "field_missing", "message_id"),
        ('{"message_id":"m","type":"eaten"}', "field_invalid", "type"),
        (
            '{"message_id":"m","type":"accepted","fulfillment_order":"short-1"}',
            "field_invalid",
            "fulfillment_order",
        ),
    ],
)
def test_a_message_that_cannot_be_understood_fails_alone_and_names_its_field(
    table: Table, capsys: pytest.CaptureFixture[str], body: str, code: str, field: str | None
) -> None:
    event = sample("fulfillment.json")
    event["Records"] = [event["Records"][0] | {"body": body}]
    assert failed(fulfillment.handler(event, None)) == [event["Records"][0]["messageId"]]
    errors = [json.loads(text).get("error") for text in capsys.readouterr().out.splitlines()]
    (error,) = [error for error in errors if error]
    assert (error["code"], error["field"]) == (code, field)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"v": 0}, "v"),
        ({"packages": [{}]}, "packages[0].package_id"),
        ({"packages": [{"package_id": "p", "lines": []}]}, "packages[0].lines"),
        ({"packages": [{"package_id": "p", "weight_g": -1}]}, "packages[0].weight_g"),
        (
            {"packages": [{"package_id": "p", "lines": [{"line_id": "1", "units": 0}]}]},
            "packages[0].lines[0].units",
        ),
        ({"packages": [{"package_id": "p", "lines": [{"units": 1}]}]}, "packages[0].lines[0].line_id"),
    ],
)
def test_a_bad_field_is_named_with_its_path(
    table: Table, capsys: pytest.CaptureFixture[str], change: dict[str, Any], field: str
) -> None:
    event = sample("fulfillment.json")
    message = json.loads(event["Records"][1]["body"]) | change
    event["Records"] = [event["Records"][1] | {"body": json.dumps(message)}]
    assert len(failed(fulfillment.handler(event, None))) == 1
    errors = [json.loads(text).get("error") for text in capsys.readouterr().out.splitlines()]
    assert [error["field"] for error in errors if error] == [field]


def test_the_sample_messages_follow_their_schema() -> None:
    schema = json.loads((EVENTS / "fulfillment_event.v1.json").read_text())
    for record in sample("fulfillment.json")["Records"]:
        jsonschema.validate(json.loads(record["body"]), schema)


@pytest.mark.parametrize("body", ['{"type":"dance","order_id":"X"}', '{"type":"release"}', "{}"])
def test_work_that_is_not_understood_fails_alone(table: Table, body: str) -> None:
    event = sample("sourcing.json")
    event["Records"].append(event["Records"][0] | {"body": body, "messageId": "other"})
    assert failed(sourcing.handler(event, None)) == [event["Records"][0]["messageId"], "other"]
