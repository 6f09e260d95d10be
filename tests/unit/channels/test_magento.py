"""Magento: proof of origin and the challenge, then orders: what is odd first, then money, units, records."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from oms.channels.headers import Headers
from oms.channels.magento import ADAPTER
from oms.channels.protocol import Command, Inbound, Reply
from oms.orders.commands import Fetch, Ignore, LineKind, Method, PaymentState, PlaceOrder
from oms.orders.records import (
    FulfillmentRecorded,
    ListingRecorded,
    Outcome,
    PaymentRecorded,
    RefundRecorded,
    StockRecorded,
)
from oms.problems import Code, Problem

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BODY = '{"order":{"entity_id":9,"name":"Señal"}}'.encode()
EVENT = "com.adobe.commerce.observer.sales_order_save_commit_after"

type Fields = dict[str, object]


def item(number: int = 16, **fields: object) -> Fields:
    """One item of one article at 10.00, untaxed."""
    return {
        "item_id": number,
        "sku": f"SKU-{number}",
        "name": f"Article {number}",
        "product_type": "simple",
        "qty_ordered": 1,
        "qty_shipped": 0,
        "qty_canceled": 0,
        "qty_refunded": 0,
        "price": 10,
        "row_total": 10,
        "tax_amount": 0,
        "discount_amount": 0,
    } | fields


ADDRESS = {"firstname": "A", "lastname": "B", "street": ["1 High St", "2nd floor"], "country_id": "IE"}


def order(*items: Fields, **fields: object) -> Fields:
    """A paid order of `items` (one article when none are given) without shipping; its total is 10.00."""
    return {
        "entity_id": 9,
        "store_id": 1,
        "increment_id": "000000013",
        "state": "processing",
        "order_currency_code": "EUR",
        "created_at": "2026-11-22 09:00:00",
        "updated_at": "2026-11-22 09:00:01",
        "grand_total": 10,
        "subtotal": 10,
        "tax_amount": 0,
        "discount_amount": 0,
        "shipping_amount": 0,
        "total_paid": 10,
        "payment": {"method": "checkmo"},
        "items": list(items) or [item()],
        "extension_attributes": {
            "shipping_assignments": [{"shipping": {"address": ADDRESS, "method": "flatrate_flatrate"}}]
        },
    } | fields


def parse(payload: object, topic: str = "rest_order") -> tuple[Command, ...]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ADAPTER.parse(Inbound("shop-es", "magento", topic, Headers(), body, NOW))


def placed(payload: object, topic: str = "rest_order") -> PlaceOrder:
    (command,) = parse(payload, topic)
    assert isinstance(command, PlaceOrder)
    return command


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def sign(key: rsa.RSAPrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), hashes.SHA256())).decode()


def verify(headers: dict[str, str], keys: list[str], body: bytes = BODY) -> None:
    ADAPTER.verify(Headers.of(headers), body, keys, url="https://example.com/webhooks/shop-es", now=NOW)


WEBHOOK, FIRST, SECOND = (
    "X-Adobe-Commerce-Webhook-Signature",
    "x-adobe-digital-signature-1",
    "x-adobe-digital-signature-2",
)


def test_what_no_key_has_signed_is_refused(key: rsa.RSAPrivateKey) -> None:
    pem, raw, encoded = public(key), sign(key, BODY), sign(key, base64.b64encode(BODY))
    other = public(rsa.generate_private_key(65537, 2048))
    refused: list[tuple[dict[str, str], list[str], bytes]] = [
        ({}, [pem], BODY),
        ({WEBHOOK: ""}, [pem], BODY),
        ({WEBHOOK: "not base64"}, [pem], BODY),
        ({WEBHOOK: raw}, [pem], BODY),
        ({WEBHOOK: encoded}, [other], BODY),
        ({WEBHOOK: encoded}, [], BODY),
        ({WEBHOOK: encoded}, ["a secret that is no key"], BODY),
        ({WEBHOOK: encoded}, ["-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"], BODY),
        ({WEBHOOK: encoded}, [pem], BODY[:-1] + b"]"),
        ({FIRST: encoded}, [pem], BODY),
        ({FIRST: raw, SECOND: raw}, [other], BODY),
        ({FIRST: raw}, [pem], json.dumps(json.loads(BODY)).encode()),
        ({WEBHOOK: "eA==", FIRST: raw}, [pem], BODY),
    ]
    for headers, keys, body in refused:
        with pytest.raises(Problem) as problem:
            verify(headers, keys, body)
        assert problem.value.code is Code.SIGNATURE_INVALID


def test_webhooks_sign_the_base64_of_the_body_and_events_the_body_by_either_key(
    key: rsa.RSAPrivateKey,
) -> None:
    other = rsa.generate_private_key(65537, 2048)
    pem = public(key)
    verify({WEBHOOK: sign(key, base64.b64encode(BODY))}, [pem])
    verify({WEBHOOK: sign(key, base64.b64encode(BODY))}, [public(other), pem])
    verify({FIRST: sign(key, BODY)}, [pem])
    verify({FIRST: sign(other, BODY), SECOND: sign(key, BODY)}, [pem])


@pytest.mark.parametrize(
    ("method", "query"), [("POST", {"challenge": "x"}), ("GET", {}), ("GET", {"c": "x"})]
)
def test_anything_but_a_challenge_by_get_is_no_handshake(method: str, query: dict[str, str]) -> None:
    assert ADAPTER.handshake(method, query, Headers(), b"", [], url="") is None


def test_a_challenge_is_answered_as_json() -> None:
    reply = ADAPTER.handshake("GET", {"challenge": 'a"b<c>'}, Headers(), b"", [], url="")
    assert reply == Reply('{"challenge": "a\\"b<c>"}', "application/json")


BAD: dict[str, tuple[Fields, str]] = {
    "no entity": (order(entity_id=None), "entity_id"),
    "a currency that is none": (order(order_currency_code="euro"), "order_currency_code"),
    "a total that is a word": (order(grand_total="free"), "grand_total"),
    "items that are no list": (order(items={"0": {}}), "items"),
    "an item without quantity": (order(item(qty_ordered=None)), "items[0].qty_ordered"),
    "a time that is none": (order(updated_at="0000-00-00 00:00:00"), "updated_at"),
    "no time at all": (order(updated_at=None, created_at=None), "created_at"),
}


@pytest.mark.parametrize(("payload", "field"), BAD.values(), ids=BAD.keys())
def test_an_order_that_cannot_be_understood_is_a_problem_that_names_the_field(
    payload: Fields, field: str
) -> None:
    with pytest.raises(Problem) as problem:
        parse(payload)
    assert (problem.value.field or "").endswith(field)


FETCH = Fetch("shop-es", "magento", "order", "9")


@pytest.mark.parametrize("missing", ["store_id", "items", "order_currency_code", "grand_total"])
def test_an_order_that_lacks_what_an_order_needs_is_fetched(missing: str) -> None:
    assert parse(order(**{missing: None})) == (FETCH,)


@pytest.mark.parametrize("payload", [order(extension_attributes=None), order(item(item_id=None))])
def test_an_event_sent_while_the_order_is_being_saved_is_fetched(payload: Fields) -> None:
    assert parse({"type": EVENT, "data": {"value": payload}}, EVENT) == (FETCH,)


def test_topics_are_types_of_events_or_shapes() -> None:
    assert ADAPTER.topic_of(Headers(), json.dumps({"type": EVENT}).encode()) == EVENT
    assert ADAPTER.topic_of(Headers(), b'{"order":{}}') == "webhook"


WRAPPED: list[tuple[object, str]] = [
    ({"type": EVENT, "data": {"value": order(), "_metadata": {"storeId": "1"}}}, EVENT),
    ({"event_id": "e-1", "event": {"data": {"value": order()}}}, "webhook"),
    ({"order": order()}, "webhook"),
    ({"data": {"order": order()}}, "webhook"),
    ({"items": [order()], "search_criteria": {}, "total_count": 1}, "rest_orders"),
    ([order()], "rest_orders"),
    ({"items": [order()], "total_count": 1}, "rest_order_search"),
]


@pytest.mark.parametrize(("payload", "topic"), WRAPPED)
def test_orders_come_bare_in_events_in_searches_and_by_name(payload: object, topic: str) -> None:
    assert placed(payload, topic) == placed(order())


@pytest.mark.parametrize(
    "topic", ["rest_writeback", "com.adobe.commerce.observer.customer_save_commit_after", "rest_customer"]
)
def test_other_topics_are_ignored_for_a_reason(topic: str) -> None:
    (command,) = parse(b"[]", topic)
    assert isinstance(command, Ignore)


def test_an_order_number_that_repeats_in_another_store_is_another_order() -> None:
    first, second = placed(order()), placed(order(entity_id=10, store_id=2))
    assert (first.order_number, second.order_number) == ("000000013", "000000013")
    assert (first.channel_order_id, second.channel_order_id) == ("9@1", "10@2")


def test_an_edit_cancels_the_original_and_names_it_in_the_order_that_replaces_it() -> None:
    original = placed(
        order(item(qty_canceled=1), state="canceled", relation_child_real_id="000000013-1", total_paid=None)
    )
    edited = placed(
        order(
            entity_id=10,
            increment_id="000000013-1",
            relation_parent_id="9",
            relation_parent_real_id="000000013",
        )
    )
    assert (original.cancelled, original.lines[0].cancelled, original.replaces) == (True, 1, None)
    assert (edited.order_number, edited.replaces) == ("000000013-1", original.channel_order_id)
    assert placed(order(relation_parent_real_id="000000012")).replaces == "000000012"


def test_states_of_one_second_sort_by_how_far_they_have_come() -> None:
    states = ["new", "payment_review", "processing", "complete", "closed"]
    versions = [placed(order(state=state)).channel_version for state in states]
    assert versions == sorted(set(versions))


PAYMENTS: list[tuple[Fields, list[tuple[int, PaymentState]]]] = [
    ({"state": "new", "total_paid": None}, [(1000, PaymentState.PENDING)]),
    ({"state": "pending_payment", "total_paid": 0}, [(1000, PaymentState.PENDING)]),
    (
        {"state": "new", "total_paid": None, "payment": {"method": "cashondelivery"}},
        [(1000, PaymentState.AUTHORIZED)],
    ),
    ({"state": "processing", "total_paid": None}, [(1000, PaymentState.AUTHORIZED)]),
    (
        {"state": "processing", "total_paid": "4.0000"},
        [(400, PaymentState.CAPTURED), (600, PaymentState.AUTHORIZED)],
    ),
    ({"state": "complete"}, [(1000, PaymentState.CAPTURED)]),
    ({"state": "holded"}, [(1000, PaymentState.PENDING)]),
    ({"state": "payment_review"}, [(1000, PaymentState.PENDING)]),
    ({"state": "closed"}, [(1000, PaymentState.REFUNDED)]),
    ({"state": "canceled", "total_paid": None}, [(1000, PaymentState.VOIDED)]),
    ({"state": "a plugin's", "total_paid": None}, [(1000, PaymentState.PENDING)]),
    ({"state": "new", "grand_total": 0, "total_paid": None, "subtotal": 10, "discount_amount": -10}, []),
]


@pytest.mark.parametrize(("fields", "expected"), PAYMENTS)
def test_only_payable_states_are_paid_or_authorized(
    fields: Fields, expected: list[tuple[int, PaymentState]]
) -> None:
    assert [(paid.amount, paid.state) for paid in placed(order(**fields)).payments] == expected


def variant(**fields: object) -> Fields:
    return item(17, parent_item_id=16, row_total=0, tax_amount=0, **fields)


def test_a_configurable_product_is_one_line_with_the_money_of_the_parent_and_the_sku_of_the_variant() -> None:
    parent = item(product_type="configurable", sku="HOODIE", qty_ordered=2, price=5, qty_shipped=1)
    command = placed(order(parent, variant(sku="HOODIE-XS", qty_ordered=2)))
    (line,) = command.lines
    assert (line.channel_line_id, line.sku, line.kind) == ("16", "HOODIE-XS", LineKind.PHYSICAL)
    assert (line.quantity, line.unit_price, line.amount, line.shipped) == (2, 500, 1000, 1)
    assert command.balanced


def test_a_variant_whose_parent_is_only_in_it_is_still_one_line() -> None:
    parent = item(product_type="configurable")
    (line,) = placed(order(variant(sku="HOODIE-XS", parent_item=parent))).lines
    assert (line.channel_line_id, line.sku, line.amount) == ("16", "HOODIE-XS", 1000)


@pytest.mark.parametrize(
    ("rows", "amounts"), [((0, 0), [1000, 0, 0]), ((4, 6), [0, 400, 600])], ids=["fixed", "dynamic"]
)
def test_the_money_of_a_bundle_is_counted_once(rows: tuple[int, int], amounts: list[int]) -> None:
    parts = [
        item(17 + number, parent_item_id=16, row_total=row, price=row, qty_ordered=3)
        for number, row in enumerate(rows)
    ]
    command = placed(order(item(product_type="bundle", qty_shipped=1), *parts))
    assert [line.kind for line in command.lines] == [LineKind.CONTAINER, LineKind.PHYSICAL, LineKind.PHYSICAL]
    assert [line.parent_line_id for line in command.lines] == [None, "16", "16"]
    assert [line.amount for line in command.lines] == amounts
    assert [line.shipped for line in command.lines] == [1, 3, 3]
    assert command.balanced


def test_row_totals_kept_net_of_the_discount_are_not_discounted_twice() -> None:
    command = placed(
        order(item(row_total=8, discount_amount=2), discount_amount=-2, grand_total=8, total_paid=8)
    )
    (line,) = command.lines
    assert (line.amount, line.discount, command.discount, command.balanced) == (1000, 200, 200, True)


def test_a_discount_of_the_order_is_spread_and_shippings_own_stays_with_it() -> None:
    items = [item(1, row_total="6.0000", price="6.0000"), item(2, row_total=4, price=4)]
    command = placed(
        order(
            *items,
            shipping_amount=5,
            shipping_discount_amount=5,
            discount_amount=-8,
            grand_total=7,
        )
    )
    assert [line.discount for line in command.lines] == [180, 120]
    assert (command.shipping, command.deliveries[0].shipping_discount, command.balanced) == (500, 500, True)


def test_where_prices_include_tax_discounts_do_and_amounts_too() -> None:
    taxed = item(
        price=100,
        price_incl_tax=121,
        row_total=100,
        row_total_incl_tax=121,
        tax_amount=18.90,
        discount_amount=12.10,
        discount_tax_compensation_amount=2.10,
    )
    command = placed(
        order(
            taxed,
            subtotal=100,
            subtotal_incl_tax=121,
            tax_amount=19.75,
            shipping_amount=4.05,
            shipping_incl_tax=4.90,
            shipping_tax_amount=0.85,
            discount_amount=-12.10,
            grand_total=113.80,
        )
    )
    (line,) = command.lines
    assert (command.tax_included, line.amount, line.discount, line.tax) == (True, 12100, 1210, 1890)
    assert (command.shipping, command.tax, command.balanced) == (490, 1975, True)


def test_numbers_that_do_not_add_up_are_kept_and_flagged() -> None:
    command = placed(order(grand_total=11))
    assert (command.total, command.balanced, command.tax_included) == (1100, False, False)


def test_amounts_are_of_the_orders_currency_and_its_decimals() -> None:
    command = placed(
        order(
            item(price=1000, row_total=1000),
            order_currency_code="JPY",
            subtotal=1000,
            grand_total=1000,
            base_grand_total=7.5,
            base_currency_code="USD",
        )
    )
    assert (command.currency, command.total, command.lines[0].amount) == ("JPY", 1000, 1000)


def test_redeemed_credits_are_payments_and_part_of_the_total() -> None:
    extension = order()["extension_attributes"]
    assert isinstance(extension, dict)
    command = placed(
        order(
            grand_total=4,
            total_paid=4,
            customer_balance_amount=1,
            extension_attributes=extension | {"gift_cards_amount": 5},
        )
    )
    assert [(paid.method, paid.amount) for paid in command.payments] == [
        ("gift_card", 500),
        ("store_credit", 100),
        ("checkmo", 400),
    ]
    assert (command.total, command.balanced) == (1000, True)


def test_fixed_product_taxes_and_wrapping_are_fees() -> None:
    command = placed(order(item(weee_tax_applied_row_amount=2), grand_total=15, gw_items_price=3))
    assert [(fee.title, fee.amount) for fee in command.fees] == [
        ("fixed product tax", 200),
        ("gift wrapping", 300),
    ]
    assert command.balanced


UNITS: list[tuple[Fields, tuple[int, int, int | None]]] = [
    ({}, (0, 0, 0)),
    ({"qty_shipped": 2}, (0, 0, 2)),
    ({"qty_canceled": 1, "qty_shipped": 1}, (1, 0, 1)),
    ({"qty_refunded": 1}, (1, 1, 0)),
    ({"qty_refunded": 1, "qty_shipped": 2}, (0, 1, 2)),
    ({"qty_refunded": 2, "qty_shipped": 1}, (1, 2, 1)),
    ({"qty_refunded": 9, "qty_shipped": 9}, (0, 3, 3)),
    ({"qty_shipped": None}, (0, 0, None)),
]


@pytest.mark.parametrize(("counts", "units"), UNITS)
def test_units_follow_the_counters(counts: Fields, units: tuple[int, int, int | None]) -> None:
    (line,) = placed(order(item(qty_ordered=3, price=3, row_total=9) | counts)).lines
    assert (line.cancelled, line.refunded, line.shipped) == units


def test_a_quantity_may_be_a_part_and_an_order_for_nothing_still_ships() -> None:
    command = placed(order(item(qty_ordered="1.5000", price=0, row_total=0), subtotal=0, grand_total=0))
    (line,) = command.lines
    assert (line.quantity, line.kind, line.requires_shipping) == ("1.5", LineKind.PHYSICAL, True)
    assert command.balanced


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"is_virtual": "1"}, LineKind.DIGITAL),
        ({"product_type": "downloadable"}, LineKind.DIGITAL),
        ({"product_type": "giftcard", "is_virtual": 1}, LineKind.GIFT_CARD),
        ({"product_type": "giftcard", "is_virtual": 0}, LineKind.PHYSICAL),
        ({"product_type": "grouped"}, LineKind.PHYSICAL),
    ],
)
def test_kinds_of_products(fields: Fields, kind: LineKind) -> None:
    command = placed(order(item() | fields))
    assert [line.kind for line in command.lines] == [kind]
    method = Method.SHIP if kind is LineKind.PHYSICAL else Method.DIGITAL
    assert [delivery.method for delivery in command.deliveries] == [method]


def test_addresses_pickups_and_notes() -> None:
    (delivery,) = placed(order()).deliveries
    assert delivery.ship_to is not None
    assert (delivery.ship_to.name, delivery.ship_to.line1, delivery.ship_to.line2) == (
        "A B",
        "1 High St",
        "2nd floor",
    )
    command = placed(
        order(
            customer_note="Ring twice",
            payment={"method": "purchaseorder", "po_number": "PO-7"},
            extension_attributes={
                "pickup_location_code": "madrid",
                "gift_message": {"message": "Congratulations"},
                "shipping_assignments": [{"shipping": {"address": ADDRESS, "method": "instore_pickup"}}],
            },
        )
    )
    assert (command.deliveries[0].method, command.deliveries[0].location) == (Method.PICKUP, "madrid")
    assert (command.purchase_order, command.notes) == ("PO-7", "Ring twice\nCongratulations")


PART = {
    "entity_id": 4,
    "order_id": 9,
    "store_id": 1,
    "order_currency_code": "EUR",
    "created_at": "2026-11-22 09:10:00",
}


def test_invoices_are_captures() -> None:
    for state, outcome in ((1, Outcome.PENDING), (2, Outcome.SUCCESS), (3, Outcome.FAILURE)):
        (invoice,) = parse(PART | {"grand_total": 10, "state": state}, "rest_invoice")
        assert isinstance(invoice, PaymentRecorded)
        assert (invoice.channel_order_id, invoice.amount, invoice.outcome) == ("9@1", 1000, outcome)


def test_credit_memos_are_refunds_and_leave_out_the_items_of_variants() -> None:
    memo = PART | {
        "state": 2,
        "grand_total": 14.10,
        "shipping_amount": 1,
        "shipping_tax_amount": 0.21,
        "adjustment_positive": 3,
        "items": [
            {"order_item_id": 16, "qty": 1, "row_total": 10, "discount_amount": 2, "tax_amount": 1.68},
            {"order_item_id": 17, "qty": 1, "row_total": None},
        ],
        "comments": [{"comment": "Too small"}],
    }
    (refund,) = parse(memo, "rest_creditmemo")
    assert isinstance(refund, RefundRecorded)
    assert [(line.channel_line_id, line.quantity, line.amount, line.tax) for line in refund.lines] == [
        ("16", 1, 800, 168)
    ]
    assert (refund.amount, refund.shipping, refund.shipping_tax, refund.adjustment) == (1410, 100, 21, 321)
    (cancelled,) = parse(memo | {"state": 3}, "rest_creditmemo")
    assert isinstance(cancelled, Ignore)


def test_shipments_have_their_parcels_and_their_source() -> None:
    shipment = PART | {
        "items": [{"order_item_id": 16, "qty": "2.0000"}],
        "tracks": [{"track_number": "T1", "carrier_code": "ups"}, {"track_number": "T2", "title": "DHL"}],
        "extension_attributes": {"source_code": "madrid"},
    }
    (shipped,) = parse(shipment, "rest_shipment")
    assert isinstance(shipped, FulfillmentRecorded)
    assert [(line.channel_line_id, line.quantity) for line in shipped.lines] == [("16", 2)]
    assert [(parcel.carrier, parcel.tracking_number) for parcel in shipped.parcels] == [
        ("ups", "T1"),
        ("DHL", "T2"),
    ]
    assert (shipped.channel_order_id, shipped.location) == ("9@1", "madrid")


@pytest.mark.parametrize("topic", ["rest_invoice", "rest_creditmemo", "rest_shipment", "rest_transaction"])
def test_a_part_of_an_order_that_is_not_whole_makes_the_order_be_read(topic: str) -> None:
    assert parse({"entity_id": 4, "order_id": 9}, topic) == (FETCH,)


def test_products_and_stock() -> None:
    (listing,) = parse({"id": 181, "sku": "S", "name": "N", "type_id": "virtual"}, "rest_product")
    assert isinstance(listing, ListingRecorded)
    assert (listing.listing_id, listing.sku, listing.requires_shipping) == ("181", "S", False)
    (stock,) = parse(
        {"item_id": 1, "product_id": 181, "stock_id": 1, "qty": 30, "manage_stock": True}, "rest_stock_item"
    )
    assert isinstance(stock, StockRecorded)
    assert (stock.item_id, stock.location, stock.available) == ("181", "1", 30)
    (source,) = parse([{"sku": "S", "source_code": "madrid", "quantity": 2.5}], "rest_source_items")
    assert isinstance(source, StockRecorded)
    assert (source.item_id, source.location, source.available) == ("S", "madrid", 2)
