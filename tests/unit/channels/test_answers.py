"""What an API answers besides resources: errors, counts, nothing at all; and kinds that take in nothing."""

import pytest

from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import StockRecorded
from oms.problems import Code, Problem
from tests.unit.channels.deliveries import Fields, fault, only, parse
from tests.unit.channels.shopify_samples import order
from tests.unit.channels.signing import NOW, SECRET, URL

ANSWERS: dict[str, list[str]] = {
    "shopify": [
        *("rest_order", "rest_orders", "rest_variants_count", "rest_inventory_level", "rest_fulfillment"),
        *("rest_transaction", "rest_fulfillment_event", "rest_return", "rest_refund", "rest_product"),
    ],
    "woocommerce": ["rest_order", "rest_order_statuses", "rest_orders_totals", "rest_product"],
    "magento": ["rest_order", "rest_invoice", "rest_product", "rest_stock_item"],
    "bigcommerce": ["rest_v2_order", "rest_v2_order_shipments", "rest_v3_transactions", "rest_v3_products"],
}
"""Answers that hold a resource when all goes well, by kind."""

EMPTY: dict[str, object] = {
    "nothing": {},
    "an empty list": [],
    "a count": {"count": 3},
    "one value": 17,
    "errors": {"errors": {"base": ["is closed"]}},
    "an error": {"error": "Not Found", "status": 404},
    "a message": {"message": "The entity is not there.", "parameters": {"id": 9}, "trace": "#0"},
    "a list of errors": [{"status": 404, "message": "The resource is not there."}],
}


@pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize(("kind", "shape"), [(kind, shape) for kind in ANSWERS for shape in ANSWERS[kind]])
def test_an_answer_without_a_resource_is_ignored(kind: str, shape: str, answer: object) -> None:
    assert only(kind, answer, Ignore, shape).reason.startswith(f"{shape}: ")


@pytest.mark.parametrize("payload", [{"message": "order 7 is late"}, {"code": 404}])
def test_a_delivery_without_a_resource_is_a_problem(payload: Fields) -> None:
    assert fault("shopify", payload, "orders/create") == "id"


@pytest.mark.parametrize("body", [{}, []])
@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("shopify", "inventory_levels/update"),
        ("shopify", "orders/create"),
        ("shopify", "customers/redact"),
        ("woocommerce", "order.created"),
        ("bigcommerce", "store/order/created"),
        ("magento", "observer.sales_order_save_commit_after"),
        ("stripe", "charge.succeeded"),
    ],
)
def test_a_delivery_that_holds_nothing_at_all_is_ignored(kind: str, topic: str, body: object) -> None:
    assert only(kind, body, Ignore, topic).reason == f"{topic}: the payload is empty"


@pytest.mark.parametrize(
    ("kind", "topic", "body"),
    [
        ("shopify", "rest_order", {"order": None}),
        ("shopify", "rest_orders", {"orders": None}),
        ("shopify", "rest_inventory_level", {"inventory_levels": None}),
        ("woocommerce", "rest_order", {"data": None}),
        ("bigcommerce", "rest_v2_order", [{}]),
        ("bigcommerce", "rest_v2_order", {"data": None}),
    ],
)
def test_a_name_with_nothing_under_it_is_ignored(kind: str, topic: str, body: object) -> None:
    assert only(kind, body, Ignore, topic).reason.startswith(f"{topic}: ")


def test_a_resource_with_a_message_is_no_error() -> None:
    assert not isinstance(parse("shopify", order() | {"message": "for you"}, "rest_order")[0], Ignore)


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        ("rest_order_statuses", [{"slug": "pending", "name": "Pending payment", "total": 3}]),
        ("rest_order_receipt", {"data": {"receipt_url": "https://shop.example/receipt", "id": 7}}),
        ("rest_orders_totals", {"data": [{"slug": "processing", "total": 2}]}),
    ],
)
def test_what_woocommerce_answers_about_orders_is_no_order(shape: str, answer: object) -> None:
    assert only("woocommerce", answer, Ignore, shape)


@pytest.mark.parametrize(
    "answer", [{"items": None, "search_criteria": {}, "total_count": 0}, {"items": [], "total_count": 0}]
)
def test_a_search_of_magento_that_finds_nothing_is_ignored(answer: Fields) -> None:
    assert only("magento", answer, Ignore, "rest_orders")


ASKED: dict[str, Fields] = {
    "by lines": {"line_items_by_fulfillment_order": [{"fulfillment_order_id": 1046000780}]},
    "by its id": {"fulfillment_order": "gid://shopify/FulfillmentOrder/1046000780"},
    "by itself": {"fulfillment_order": {"id": 1046000780, "status": "open"}},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("shape", ["rest_fulfillment", "rest_fulfillment_send"])
def test_what_shopify_was_asked_to_fulfill_is_read(shape: str, asked: Fields) -> None:
    fetched = only("shopify", {"fulfillment": {"message": "packed", **asked}}, Fetch, shape)
    assert (fetched.resource, fetched.resource_id) == ("fulfillment_order", "1046000780")


def test_a_shipment_that_was_only_asked_for_is_ignored() -> None:
    asked = {
        "order_address_id": 1,
        "tracking_number": "1Z",
        "items": [{"order_product_id": 3, "quantity": 1}],
    }
    assert only("bigcommerce", asked, Ignore, "rest_v2_order_shipments")


@pytest.mark.parametrize(
    "payload",
    [
        {"Sku": "SKU-1", "FulfillmentChannelCode": "DEFAULT", "Quantity": 3},
        {"sku": "SKU-1", "fulfillmentChannelCode": "DEFAULT", "quantity": 3},
    ],
)
def test_amazon_writes_its_fields_in_two_ways(payload: Fields) -> None:
    notification = {"NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE", "Payload": payload}
    told = only("amazon", notification, StockRecorded)
    assert (told.item_id, told.location, told.available) == ("SKU-1", "DEFAULT", 3)


def test_an_order_of_amazon_whose_items_name_no_product_is_fetched() -> None:
    thin = {
        "orderId": "902-1",
        "fulfillment": {"fulfilledBy": "MERCHANT"},
        "orderItems": [{"orderItemId": "1"}],
    }
    assert only("amazon", {"orders": [thin]}, Fetch).resource_id == "902-1"


@pytest.mark.parametrize("document", [b"ISA*00*~ST*850*0001~", b"<DESADV/>", b"{}", b""])
def test_documents_of_edi_are_ignored_as_they_are(document: bytes) -> None:
    assert "translator" in only("edi", document, Ignore, "x12_850").reason


def test_edi_proves_itself_by_a_secret_in_the_address() -> None:
    edi = adapter("edi")
    edi.verify(Headers(), b"ISA", (SECRET,), url=f"{URL}?token={SECRET}", now=NOW)
    with pytest.raises(Problem) as refused:
        edi.verify(Headers(), b"ISA", (SECRET,), url=URL, now=NOW)
    assert refused.value.code is Code.SIGNATURE_INVALID
