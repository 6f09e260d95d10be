"""What no channel may send: refused by name where its writer reads that, kept aside where nobody does."""

import base64
import copy
import json
from collections import Counter
from typing import Any

import boto3
import pytest

from functions.intake.handler import handler as intake
from functions.webhooks import handler as webhooks
from oms.channels.canonical import to_document
from oms.store.ledger import scan
from oms.store.table import Table
from tests.builders import command, line
from tests.integration import test_mixed_channels as mixed
from tests.integration.test_webhooks import sample
from tests.shelves import order_of
from tests.unit.channels import shopify_samples

shop, inbound = mixed.shop, mixed.inbound

type Document = dict[str, Any]


def post(kind: str, document: object, **headers: str) -> tuple[int, Document]:
    """A channel delivers a document, signed: the status and the problem of the answer."""
    body = json.dumps(document).encode()
    kept = {"Content-Type": "application/json"} | headers | mixed.signed(kind, body)
    event = copy.deepcopy(sample()) | {
        "pathParameters": {"channel": f"a-{kind}"},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
        "headers": kept,
        "multiValueHeaders": {name: [value] for name, value in kept.items()},
    }
    answer: Any = webhooks.handler(event, None)
    return answer["statusCode"], json.loads(answer["body"] or "{}")


def shopify(topic: str, document: object) -> tuple[int, Document]:
    return post("shopify", document, **{"X-Shopify-Topic": topic})


def take_in(url: str) -> list[str]:
    """Intake reads the queue; bodies of the messages that failed, which stay until they are put aside."""
    sqs = boto3.client("sqs")
    (record,) = sample("intake.json")["Records"]
    failed = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for one in messages:
            answer = intake({"Records": [record | {"messageId": "m", "body": one["Body"]}]}, None)
            failed += [one["Body"]] if answer["batchItemFailures"] else []
            if not answer["batchItemFailures"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return failed


def orders(table: Table) -> list[Any]:
    return list(scan(table, 0, 1, "order", on_page=lambda number: None))


def order(*changed: Document, **fields: object) -> Document:
    """An order in our own words, its only line as it is and those that differ from it."""
    whole: Document = json.loads(json.dumps(to_document(command(line("SHOES"), channel_order_id="7001"))))
    (first,) = whole["lines"]
    return whole | {"lines": [first, *(first | change for change in changed)]} | fields


def changed(**fields: object) -> Document:
    """The order with fields of its line changed."""
    whole = order()
    return whole | {"lines": [whole["lines"][0] | fields]}


REFUND: Document = {
    "command": "refund_recorded",
    "channel_order_id": "7001",
    "refund_id": "r1",
    "currency": "EUR",
    "amount": 100,
    "lines": [],
    "shipping": 0,
    "shipping_tax": 0,
    "duties": 0,
    "fees": 0,
    "adjustment": 0,
    "occurred_at": "2026-11-22T09:30:00Z",
}
PAYMENT: Document = {
    "command": "payment_recorded",
    "channel_order_id": "7001",
    "payment_id": "p1",
    "kind": "sale",
    "outcome": "success",
    "amount": 100,
    "currency": "EUR",
    "occurred_at": "2026-11-22T09:30:00Z",
}
GIVEN_BACK = {"channel_line_id": "701", "quantity": 1, "amount": 100, "tax": 0, "restock": "none"}

BAD: dict[str, tuple[object, str]] = {
    "more units than there are": (changed(quantity=10**18), "lines[0].quantity"),
    "more parts of them": (changed(quantity="1000000000000000000.5"), "lines[0].quantity"),
    "a number that nothing could keep": (changed(quantity=10**40), "lines[0].quantity"),
    "a negative quantity": (changed(quantity=-1), "lines[0].quantity"),
    "a price beyond all money": (changed(unit_price=10**18), "lines[0].unit_price"),
    "an amount beyond it": (changed(amount=-(10**18)), "lines[0].amount"),
    "a total beyond it": (order(total=10**16), "total"),
    "a negative total": (order(total=-1), "total"),
    "a negative payment": (
        order(payments=[{"method": "card", "amount": -1, "state": "captured"}]),
        "payments[0].amount",
    ),
    "a negative refund": (REFUND | {"amount": -100}, "amount"),
    "a refund of negative units": (
        REFUND | {"lines": [GIVEN_BACK | {"quantity": -1}]},
        "lines[0].quantity",
    ),
    "a refund beyond all money": (REFUND | {"amount": 10**18}, "amount"),
    "a negative payment event": (PAYMENT | {"amount": -100}, "amount"),
    "a second command that is bad": ([order(), PAYMENT | {"amount": -100}], "[1].amount"),
    "the same line twice": (order({}), "lines[1].channel_line_id"),
    "the same delivery twice": (
        order(deliveries=order()["deliveries"] * 2),
        "deliveries[1].id",
    ),
    "a misspelt field": (order(shiping=499), "shiping"),
    "a misspelt field of a line": (changed(qty=2), "lines[0].qty"),
    "a misspelt field of an address": (
        order(billing={"postcode": "28013"}),
        "billing.postcode",
    ),
    "a field that has no value": (PAYMENT | {"ammount": None}, "ammount"),
    "a sku longer than any": (changed(sku="x" * 901), "lines[0].sku"),
    "a sku of many bytes": (changed(sku="ñ" * 451), "lines[0].sku"),
    "a listing longer than any": (
        changed(sku=None, properties={"listing_id": "x" * 901}),
        "lines[0].properties.listing_id",
    ),
    "a cart longer than any": (order(reservation="x" * 901), "reservation"),
    "a payment with a longer name": (PAYMENT | {"payment_id": "p" * 901}, "payment_id"),
    "a refund with a longer name": (REFUND | {"refund_id": "r" * 901}, "refund_id"),
    "a command of nobody": (PAYMENT | {"command": "pay"}, "command"),
}


@pytest.mark.parametrize(("document", "field"), BAD.values(), ids=BAD)
def test_who_writes_our_commands_is_told_what_is_wrong_and_nothing_is_kept(
    inbound: str, shop: Table, document: object, field: str
) -> None:
    status, problem = post("generic", document)
    assert (status, problem["code"], problem["field"]) == (422, "field_invalid", field)
    assert take_in(inbound) == []
    assert orders(shop) == []


def test_what_is_no_json_is_told_too(inbound: str) -> None:
    assert post("generic", "place_order")[0] == 422
    assert take_in(inbound) == []


def test_a_command_without_a_mistake_is_taken_and_executed(inbound: str, shop: Table) -> None:
    own = changed(properties={"engraving": "for Ada", "shelf": 7})
    assert post("generic", [own, PAYMENT, REFUND]) == (200, {})
    assert take_in(inbound) == []
    assert len(orders(shop)) == 1


def bought(**fields: Any) -> Document:
    return shopify_samples.order(shopify_samples.item(**{"sku": "SHOES"} | fields))


VENDORS: dict[str, tuple[str, Document]] = {
    "more units than there are": ("orders/create", bought(quantity=10**18)),
    "a price beyond all money": ("orders/create", bought(price="10000000000000000.00")),
    "a sku longer than any": ("orders/create", bought(sku="x" * 901)),
    "a negative payment": (
        "order_transactions/create",
        {"id": 1, "order_id": 2, "kind": "sale", "status": "success", "amount": "-5.00", "currency": "EUR"}
        | {"created_at": "2026-11-22T09:00:00Z"},
    ),
}


@pytest.mark.parametrize(("topic", "document"), VENDORS.values(), ids=VENDORS)
def test_what_a_vendor_sends_is_kept_aside_whatever_it_says(
    inbound: str, shop: Table, topic: str, document: Document
) -> None:
    assert shopify(topic, document) == (200, {})
    assert len(take_in(inbound)) == 1
    assert orders(shop) == []


def twice(units: int, minute: int = 0) -> Document:
    """An order of a vendor that has given two of its lines one id."""
    item = shopify_samples.item(sku="SHOES", quantity=1, id=7)
    other = shopify_samples.item(sku="SOCKS", quantity=units, id=7)
    return shopify_samples.order(item, other, updated_at=f"2026-11-22T09:{minute:02}:00Z")


def test_two_lines_under_one_id_keep_their_units_when_the_order_comes_again(
    inbound: str, shop: Table
) -> None:
    for version in (twice(2), twice(2), twice(2, 10), twice(3, 20)):
        assert shopify("orders/updated", version) == (200, {})
        assert take_in(inbound) == []
    ((_, found),) = [(one, order_of(shop, str(one["PK"]).removeprefix("O#"))) for one in orders(shop)]
    kept: Counter[str | None] = Counter()
    for each in found.lines:
        kept[each.sku] += each.ordered - each.cancelled
    assert kept == {"SHOES": 1, "SOCKS": 3}
    assert "channel_edit" not in {known.code for known in found.exceptions}
