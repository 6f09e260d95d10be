"""Shopify's topics: what is refused, ignored or fetched first, then what each records."""

import json
from datetime import UTC, datetime

import pytest

from oms.channels.headers import Headers
from oms.channels.shopify import ADAPTER
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import CancelOrder, Fetch, Ignore, PlaceOrder
from oms.orders.records import (
    ChannelWorkLine,
    FulfillmentOrderRecorded,
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    Outcome,
    Parcel,
    PaymentKind,
    PaymentRecorded,
    PrivacyKind,
    PrivacyRequested,
    RefundLine,
    RefundRecorded,
    Restock,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    StockRecorded,
    TrackingRecorded,
    UnitsOfLine,
)
from oms.problems import Code, Problem
from tests.unit.channels.shopify_samples import NOW, Fields, order, parse, without

AT = "2026-11-22T10:00:00+01:00"
AT_UTC = datetime(2026, 11, 22, 9, tzinfo=UTC)
EUR = {"currency_code": "EUR"}


def money(amount: str) -> Fields:
    return {"shop_money": {"amount": amount} | EUR, "presentment_money": {"amount": "9.99"} | EUR}


def test_a_delivery_without_a_topic_is_a_problem() -> None:
    with pytest.raises(Problem) as problem:
        ADAPTER.topic_of(Headers(), b"{}")
    assert problem.value.code is Code.TOPIC_UNKNOWN


@pytest.mark.parametrize(
    ("fields", "topic"),
    [
        ({"X-Shopify-Topic": "orders/create"}, "orders/create"),
        ({"shopify-topic": "orders/create"}, "orders/create"),
        ({"shopify-topic": "Order", "shopify-action": "update"}, "events/Order/update"),
        ({"shopify-topic": "Order"}, "events/Order/"),
    ],
)
def test_the_topic_is_in_the_headers_of_either_family(fields: dict[str, str], topic: str) -> None:
    assert ADAPTER.topic_of(Headers.of(fields), b"{}") == topic


@pytest.mark.parametrize(
    "topic",
    [
        "orders/risk_assessment_changed",
        "orders/shopify_protect_eligibility_changed",
        "draft_orders/create",
        "rest_draft_order_completed",
        "inventory_levels/disconnect",
        "products/delete",
        "locations/update",
        "app/uninstalled",
        "orders/of_tomorrow",
        "carts/update",
        "events/Product/update",
        "a topic of tomorrow",
        "",
    ],
)
def test_what_concerns_no_order_is_ignored_for_a_reason_without_being_read(topic: str) -> None:
    (command,) = parse(topic, b"not even JSON")
    assert isinstance(command, Ignore)
    assert command.reason.startswith(f"{topic}: ")


@pytest.mark.parametrize("topic", ["rest_order_count", "rest_line_item", "rest_shop"])
def test_an_answer_about_something_else_is_ignored(topic: str) -> None:
    (command,) = parse(topic, {"count": 3, "refunds": []})
    assert isinstance(command, Ignore)


@pytest.mark.parametrize(
    ("topic", "payload", "fetched"),
    [
        ("orders/edited", {"order_edit": {"id": 7, "order_id": 820982911946154508}}, ["order"]),
        ("returns/update", {"admin_graphql_api_id": "gid://shopify/Return/31"}, ["return"]),
        ("reverse_deliveries/attach_deliverable", {"id": 1, "return": {"id": 31}}, ["return"]),
        ("reverse_fulfillment_orders/dispose", {"id": 11}, ["reverse_fulfillment_order"]),
        ("order_transactions/create", {"id": 1, "order_id": 5, "kind": "sale", "amount": "1"}, ["order"]),
        ("refunds/create", {"id": 1, "order_id": 5, "refund_line_items": []}, ["order"]),
        ("fulfillments/create", {"id": 1, "order_id": 5, "status": "of tomorrow"}, ["order"]),
        ("fulfillments/create", {"id": 1, "order_id": 5, "status": None}, ["order"]),
        (
            "fulfillment_orders/moved",
            {
                "original_fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/1"},
                "moved_fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/2"},
                "fulfillment_order_line_items_requested": [{"id": "gid://shopify/X/3", "quantity": 1}],
            },
            ["fulfillment_order", "fulfillment_order"],
        ),
        (
            "fulfillment_holds/added",
            {
                "fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/1"},
                "fulfillment_hold": {"id": "gid://shopify/FulfillmentHold/9", "reason": "other"},
            },
            ["fulfillment_order"],
        ),
        (
            "fulfillment_orders/merged",
            {"fulfillment_order_merges": {"fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/1"}}},
            ["fulfillment_order"],
        ),
    ],
)
def test_what_says_too_little_is_fetched(topic: str, payload: Fields, fetched: list[str]) -> None:
    commands = parse(topic, payload)
    assert [command.resource for command in commands if isinstance(command, Fetch)] == fetched
    assert len(commands) == len(fetched)


def test_the_order_behind_an_edit_keeps_its_id_to_the_last_digit() -> None:
    (command,) = parse("orders/edited", {"order_edit": {"order_id": 820982911946154508}})
    assert command == Fetch("shop-es", "shopify", "order", "820982911946154508")


def test_every_order_that_an_answer_or_event_mentions_is_fetched_once() -> None:
    answer = {"data": {"orderUpdate": {"order": {"id": "gid://shopify/Order/1", "name": "#1"}}}}
    both = json.dumps([answer, answer, {"id": "gid://shopify/Order/2"}, {"id": "gid://shopify/OrderEdit/3"}])
    first, second = (Fetch("shop-es", "shopify", "order", number) for number in "12")
    assert parse("graphql_recording", both.encode()) == (first, second)
    headers = Headers([("shopify-resource-id", "gid://shopify/Order/4")])
    (command,) = parse("events/Order/update", {"topic": "Order", "action": "update"}, headers)
    assert command == Fetch("shop-es", "shopify", "order", "4")


def test_an_order_deleted_in_the_shop_is_cancelled_as_of_the_deletion() -> None:
    headers = Headers([("X-Shopify-Triggered-At", "2026-11-22T09:00:00.290670248Z")])
    (command,) = parse("orders/delete", {"id": 820982911946154508}, headers)
    at = AT_UTC.replace(microsecond=290670)
    assert command == CancelOrder(
        "shop-es", "shopify", "820982911946154508", "2026-11-22T09:00:00.290Z", "deleted", at
    )
    (undated,) = parse("orders/delete", {"id": 7})
    assert isinstance(undated, CancelOrder)
    assert undated.cancelled_at == NOW


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("rest_order", {"order": order()}),
        ("rest_order", order()),
        ("rest_orders", {"orders": [order()]}),
        ("rest_orders", [order()]),
        ("rest_order_with_transaction", {"order": order(transactions=[])}),
        ("rest_customer_orders", {"orders": [order()]}),
        ("rest_order_cancelled", order(order_number=1001)),
        ("rest_customer_orders", [order(order_number=1001)]),
        ("webhook_orders_create", order()),
        ("WEBHOOK_ORDERS_CREATE", order()),
    ],
)
def test_an_order_is_found_however_it_is_wrapped(topic: str, payload: object) -> None:
    assert parse(topic, payload) == parse("orders/create", order())
    assert isinstance(parse(topic, payload)[0], PlaceOrder)


@pytest.mark.parametrize("payload", [{"line_items": []}, [{"line_items": [{"id": 1}], "token": "t"}]])
def test_a_cart_is_no_order(payload: object) -> None:
    assert isinstance(parse("rest_checkouts", payload)[0], Ignore)


def test_one_line_for_each_order_of_a_list() -> None:
    numbers = [
        getattr(one, "order_number", None) for one in parse("rest_orders", [order(), order(name="#2")])
    ]
    assert numbers == ["#1001", "#2"]


TRANSACTION: Fields = {
    "id": 120560818172775265,
    "order_id": 820982911946154508,
    "parent_id": None,
    "kind": "sale",
    "status": "success",
    "gateway": "card",
    "amount": "36.99",
    "currency": "EUR",
    "created_at": AT,
    "test": False,
}


def test_a_payment_is_recorded_to_the_cent() -> None:
    assert parse("order_transactions/create", TRANSACTION) == (
        PaymentRecorded(
            "shop-es",
            "shopify",
            "820982911946154508",
            "120560818172775265",
            None,
            PaymentKind.SALE,
            Outcome.SUCCESS,
            3699,
            "EUR",
            "card",
            False,
            AT_UTC,
        ),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": None}, "amount"),
        ({"amount": "x"}, "amount"),
        ({"currency": "euro"}, "currency"),
        ({"status": None}, "status"),
        ({"id": None}, "id"),
    ],
)
def test_a_payment_that_cannot_be_understood_names_the_field(fields: Fields, field: str) -> None:
    with pytest.raises(Problem) as problem:
        parse("order_transactions/create", TRANSACTION | fields)
    assert problem.value.field == field


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("pending", Outcome.PENDING), ("failure", Outcome.FAILURE), ("error", Outcome.FAILURE)],
)
def test_a_payment_that_did_not_succeed_says_so(status: str, outcome: Outcome) -> None:
    (command,) = parse("rest_transactions", {"transactions": [TRANSACTION | {"status": status}]})
    assert isinstance(command, PaymentRecorded)
    assert command.outcome is outcome


def test_change_given_at_a_till_moves_no_money_of_the_order() -> None:
    (command,) = parse("order_transactions/create", TRANSACTION | {"kind": "change"})
    assert isinstance(command, Ignore)


REFUND: Fields = {
    "id": 890088186047892319,
    "order_id": 820982911946154508,
    "created_at": AT,
    "note": "Damaged",
    "refund_line_items": [
        {
            "line_item_id": 866550311766439020,
            "quantity": 1,
            "restock_type": "return",
            "location_id": 905684977,
            "subtotal": 195.66,
            "total_tax": 3.98,
            "subtotal_set": money("195.66"),
        }
    ],
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "209.64", "currency": "EUR"},
        {"kind": "refund", "status": "failure", "amount": "209.64", "currency": "EUR"},
    ],
    "order_adjustments": [],
}


def refund(**fields: object) -> RefundRecorded:
    (command,) = parse("refunds/create", REFUND | fields)
    assert isinstance(command, RefundRecorded)
    return command


def test_a_refund_keeps_lines_and_money_apart() -> None:
    command = refund()
    assert command.lines == (RefundLine("866550311766439020", 1, 19566, 398, Restock.RETURN, "905684977"),)
    assert (command.amount, command.currency, command.refund_id) == (20964, "EUR", "890088186047892319")
    assert command.occurred_at == AT_UTC


@pytest.mark.parametrize(
    ("word", "restock"),
    [
        ("cancel", Restock.CANCEL),
        ("no_restock", Restock.NONE),
        ("legacy_restock", Restock.UNKNOWN),
        (None, Restock.UNKNOWN),
    ],
)
def test_a_refund_says_what_becomes_of_the_goods(word: str | None, restock: Restock) -> None:
    assert refund(refund_line_items=[{"line_item_id": 1, "quantity": 1, "restock_type": word}]).lines == (
        RefundLine("1", 1, 0, 0, restock),
    )


def test_shipping_given_back_is_no_line_in_either_form() -> None:
    adjusted = refund(
        order_adjustments=[{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.50"}]
    )
    listed = refund(
        refund_shipping_lines=[{"subtotal_amount_set": money("5.00"), "tax_amount_set": money("0.50")}],
        order_adjustments=[{"kind": "shipping_refund", "amount": "-5.00", "tax_amount": "-0.50"}],
    )
    for command in (adjusted, listed):
        assert (command.shipping, command.shipping_tax, command.adjustment) == (500, 50, 0)


def test_money_given_back_for_no_line_is_an_adjustment() -> None:
    discrepancy = {"kind": "refund_discrepancy", "amount": "-5.85", "tax_amount": "0.00"}
    command = refund(refund_line_items=[], order_adjustments=[discrepancy])
    assert (command.lines, command.adjustment) == ((), 585)


def test_a_refund_that_was_only_calculated_is_ignored() -> None:
    (command,) = parse("rest_refund", {"refund": without(REFUND, "id", "order_id")})
    assert isinstance(command, Ignore)


FULFILLMENT: Fields = {
    "id": 123456,
    "order_id": 820982911946154508,
    "status": "success",
    "created_at": AT,
    "updated_at": "2026-11-22T10:30:00+01:00",
    "location_id": 905684977,
    "tracking_company": "Correos",
    "tracking_numbers": ["PK1", "PK2"],
    "tracking_urls": ["https://example.com/PK1"],
    "line_items": [{"id": 866550311766439020, "quantity": 2, "price": "not read"}],
}


def test_a_fulfillment_names_units_and_every_parcel() -> None:
    (command,) = parse("fulfillments/create", FULFILLMENT)
    assert isinstance(command, FulfillmentRecorded)
    assert (command.status, command.location) == (FulfillmentOutcome.SHIPPED, "905684977")
    assert command.lines == (UnitsOfLine("866550311766439020", 2),)
    assert command.parcels == (
        Parcel("Correos", "PK1", "https://example.com/PK1"),
        Parcel("Correos", "PK2", None),
    )
    assert (command.occurred_at, command.channel_version) == (AT_UTC, "2026-11-22T09:30:00.000Z")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", FulfillmentOutcome.PENDING),
        ("cancelled", FulfillmentOutcome.CANCELLED),
        ("failure", FulfillmentOutcome.FAILED),
    ],
)
def test_a_fulfillment_that_has_not_left_says_so(status: str, outcome: FulfillmentOutcome) -> None:
    (command,) = parse("rest_fulfillment", {"fulfillments": [FULFILLMENT | {"status": status}]})
    assert isinstance(command, FulfillmentRecorded)
    assert command.status is outcome


def test_a_fulfillment_that_tells_where_the_parcel_is_records_that_too() -> None:
    _, tracking = parse("fulfillments/update", FULFILLMENT | {"shipment_status": "delivered"})
    assert isinstance(tracking, TrackingRecorded)
    assert (tracking.status, tracking.tracking_number) == (ShipmentState.DELIVERED, "PK1")


def test_an_old_fulfillment_has_one_number() -> None:
    single = without(FULFILLMENT, "tracking_numbers", "tracking_urls") | {"tracking_number": "PK9"}
    (command,) = parse("rest_fulfillment", {"fulfillment": single})
    assert isinstance(command, FulfillmentRecorded)
    assert command.parcels == (Parcel("Correos", "PK9", None),)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("in_transit", ShipmentState.IN_TRANSIT),
        ("attempted_delivery", ShipmentState.ATTEMPT_FAILED),
        ("ready_for_pickup", ShipmentState.AT_PICKUP_POINT),
        ("picked_up", ShipmentState.DELIVERED),
        ("failure", ShipmentState.EXCEPTION),
    ],
)
def test_events_of_a_parcel_tell_its_state(word: str, status: ShipmentState) -> None:
    event = {"id": 1, "fulfillment_id": 123456, "order_id": 5, "status": word, "happened_at": AT}
    (command,) = parse("fulfillment_events/create", event)
    assert isinstance(command, TrackingRecorded)
    assert (command.status, command.fulfillment_id, command.occurred_at) == (status, "123456", AT_UTC)


def test_an_event_of_another_kind_is_ignored() -> None:
    (command,) = parse("fulfillment_events/create", {"fulfillment_id": 1, "status": "of tomorrow"})
    assert isinstance(command, Ignore)


def test_a_fulfillment_order_in_full_keeps_the_ids_that_shipments_are_reported_under() -> None:
    full = {
        "id": 1046000804,
        "order_id": 450789469,
        "status": "on_hold",
        "request_status": "accepted",
        "assigned_location_id": 24826418,
        "delivery_method": {"method_type": "pick_up"},
        "fulfillment_holds": [{"reason": "high_risk_of_fraud"}, {"reason": None}],
        "line_items": [
            {"id": 1072503300, "line_item_id": 518995019, "quantity": 3, "fulfillable_quantity": 2}
        ],
    }
    expected = FulfillmentOrderRecorded(
        "shop-es",
        "shopify",
        "450789469",
        "1046000804",
        "on_hold",
        "accepted",
        "24826418",
        "pick_up",
        (ChannelWorkLine("1072503300", "518995019", 2),),
        ("high_risk_of_fraud",),
    )
    assert parse("rest_fulfillment_order", {"fulfillment_order": full}) == (expected,)
    assert parse("rest_fulfillment_order", full) == (expected,)
    assert parse("rest_fulfillment_orders", {"fulfillment_orders": [full, full]}) == (expected,)


def test_a_fulfillment_order_topic_that_names_none_is_ignored() -> None:
    (command,) = parse("fulfillment_orders/of_tomorrow", {"id": 1})
    assert isinstance(command, Ignore)


RETURN: Fields = {
    "id": 123134564567890,
    "status": "requested",
    "order": {"id": 4783296544821},
    "return_line_items": [
        {
            "id": 987654321,
            "fulfillment_line_item": {"id": 1, "line_item": {"id": 4176556606960}},
            "quantity": 2,
            "return_reason": "size_too_small",
            "return_reason_note": "",
            "customer_note": "Too tight",
        }
    ],
}


def test_a_return_names_the_lines_of_the_order() -> None:
    headers = Headers([("X-Shopify-Triggered-At", AT)])
    (command,) = parse("returns/request", RETURN, headers)
    assert isinstance(command, ReturnRecorded)
    assert (command.channel_order_id, command.status) == ("4783296544821", ReturnStatus.REQUESTED)
    assert command.lines == (ReturnedLine("987654321", "4176556606960", 2, "size_too_small", "Too tight"),)
    assert command.occurred_at == AT_UTC


@pytest.mark.parametrize(
    ("topic", "status", "expected"),
    [
        ("returns/approve", "OPEN", ReturnStatus.OPEN),
        ("returns/cancel", "canceled", ReturnStatus.CANCELLED),
        ("returns/close", "closed", ReturnStatus.CLOSED),
        ("returns/reopen", "open", ReturnStatus.OPEN),
    ],
)
def test_a_return_that_only_changes_its_status_has_no_lines(
    topic: str, status: str, expected: ReturnStatus
) -> None:
    (command,) = parse(topic, {"id": 31, "order_id": 5, "status": status})
    assert isinstance(command, ReturnRecorded)
    assert (command.status, command.channel_order_id, command.lines) == (expected, "5", ())


def test_a_declined_return_says_why() -> None:
    declined = {"id": 31, "status": "declined", "decline": {"reason": "return_period_ended"}}
    (command,) = parse("returns/decline", declined)
    assert isinstance(command, ReturnRecorded)
    assert (command.status, command.reason) == (ReturnStatus.DECLINED, "return_period_ended")


def test_a_return_whose_lines_cannot_be_matched_is_fetched() -> None:
    (command,) = parse("returns/request", RETURN | {"return_line_items": [{"id": 1, "quantity": 1}]})
    assert command == Fetch("shop-es", "shopify", "return", "123134564567890")


@pytest.mark.parametrize(("available", "expected"), [(None, None), (0, 0), (-2, -2), ("7", 7)])
def test_stock_that_is_not_counted_is_not_nothing(available: object, expected: int | None) -> None:
    level = {
        "inventory_item_id": 271878346596884015,
        "location_id": 24826418,
        "available": available,
        "updated_at": AT,
    }
    for topic, payload in (
        ("inventory_levels/update", level),
        ("inventory_levels/connect", level),
        ("rest_inventory_level", {"inventory_level": level}),
        ("rest_inventory_levels", {"inventory_levels": [level]}),
    ):
        assert parse(topic, payload) == (
            StockRecorded("shop-es", "shopify", "24826418", "271878346596884015", expected, AT_UTC),
        )


def test_stock_without_a_location_is_a_problem() -> None:
    with pytest.raises(Problem) as problem:
        parse("inventory_levels/update", {"inventory_item_id": 1, "available": 3})
    assert problem.value.field == "location_id"


VARIANT: Fields = {
    "id": 642667041472713922,
    "product_id": 788032119674292922,
    "inventory_item_id": 43729076,
    "title": "Small",
    "sku": "SHIRT-S",
    "barcode": "4006381333931",
    "updated_at": AT,
}


def test_every_variant_of_a_product_is_a_listing() -> None:
    product = {
        "id": 788032119674292922,
        "title": "Shirt",
        "variants": [VARIANT, VARIANT | {"id": 2, "title": "Default Title", "sku": ""}],
    }
    first, second = parse("products/update", product)
    assert first == ListingRecorded(
        "shop-es",
        "shopify",
        "642667041472713922",
        "788032119674292922",
        "43729076",
        "SHIRT-S",
        "Shirt - Small",
        "4006381333931",
        None,
        None,
        AT_UTC,
    )
    assert isinstance(second, ListingRecorded)
    assert (second.listing_id, second.title, second.sku) == ("2", "Shirt", None)
    wrapped = {"product_listing": {"product_id": 1, "title": "Shirt", "variants": [VARIANT]}}
    assert parse("product_listings/add", wrapped) == (first,)


@pytest.mark.parametrize(("management", "tracked"), [("shopify", True), (None, False)])
def test_a_variant_tells_whether_its_stock_is_counted(management: str | None, tracked: bool) -> None:
    (command,) = parse("variants/in_stock", VARIANT | {"inventory_management": management})
    assert isinstance(command, ListingRecorded)
    assert command.tracked is tracked


def test_an_inventory_item_tells_the_sku_behind_stock() -> None:
    item = {"id": 271878346596884015, "sku": "SHIRT-S", "tracked": True, "updated_at": AT}
    (command,) = parse("inventory_items/update", item)
    assert isinstance(command, ListingRecorded)
    assert (command.listing_id, command.item_id, command.sku) == (None, "271878346596884015", "SHIRT-S")
    assert (command.tracked, command.requires_shipping) == (True, None)


PERSON = {"id": 191167, "email": "buyer@example.com", "phone": "555-625-1199"}


@pytest.mark.parametrize(
    ("topic", "payload", "kind", "orders"),
    [
        (
            "customers/data_request",
            {"customer": PERSON, "orders_requested": [299938, 820982911946154508]},
            PrivacyKind.EXPORT,
            ("299938", "820982911946154508"),
        ),
        (
            "customers/redact",
            {"customer": PERSON, "orders_to_redact": [299938]},
            PrivacyKind.ERASE_CUSTOMER,
            ("299938",),
        ),
        ("shop/redact", {"shop_id": 954889}, PrivacyKind.ERASE_SHOP, ()),
    ],
)
def test_privacy_requests_name_the_person_and_the_orders(
    topic: str, payload: Fields, kind: PrivacyKind, orders: tuple[str, ...]
) -> None:
    (command,) = parse(topic, payload)
    assert isinstance(command, PrivacyRequested)
    assert (command.kind, command.orders) == (kind, orders)
    assert (command.customer.id if command.customer else None) == (
        "191167" if "customer" in payload else None
    )
