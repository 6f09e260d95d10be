"""BigCommerce: thin notifications, then orders read with their parts: the odd first, then money, units."""

import json
from datetime import UTC, datetime

import pytest

from oms.channels.bigcommerce import ADAPTER
from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.orders.commands import Fetch, Ignore, LineKind, Method, PaymentState, PlaceOrder
from oms.orders.records import (
    FulfillmentRecorded,
    ListingRecorded,
    Outcome,
    PaymentKind,
    PaymentRecorded,
    RefundRecorded,
    StockRecorded,
    UnitsOfLine,
)
from oms.problems import Code, Problem

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

type Fields = dict[str, object]


def product(number: int = 1, price: str = "10.0000", **fields: object) -> Fields:
    """One product of an order, untaxed, to the address 51."""
    amounts = {f"{name}_{kind}_tax": price for name in ("price", "total") for kind in ("ex", "inc")}
    return {
        "id": number,
        "sku": f"SKU-{number}",
        "name": f"Article {number}",
        "type": "physical",
        "quantity": 1,
        "order_address_id": 51,
        "total_tax": "0.0000",
        "applied_discounts": [],
        **amounts,
    } | fields


def place(number: int = 51, cost: str = "0.0000") -> Fields:
    return {
        "id": number,
        "first_name": "A",
        "street_1": "1 High St",
        "country_iso2": "IE",
        "cost_ex_tax": cost,
    }


def order(*products: Fields, **fields: object) -> Fields:
    """A paid order of `products` (one article when none are given) without shipping; its total is 10.00."""
    return {
        "id": 250,
        "customer_id": 11,
        "status_id": 11,
        "date_created": "Sun, 22 Nov 2026 10:00:00 +0100",
        "date_modified": "Sun, 22 Nov 2026 09:00:01 +0000",
        "currency_code": "EUR",
        "default_currency_code": "EUR",
        "payment_method": "Card",
        "payment_status": "captured",
        "total_inc_tax": "10.0000",
        "total_tax": "0.0000",
        "products": list(products) or [product()],
        "shipping_addresses": [place()],
    } | fields


def parse(payload: object, topic: str = "rest_order") -> tuple[Command, ...]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ADAPTER.parse(Inbound("shop-es", "bigcommerce", topic, Headers(), body, NOW))


def placed(payload: object) -> PlaceOrder:
    command = parse(payload)[0]
    assert isinstance(command, PlaceOrder)
    return command


FETCH = Fetch("shop-es", "bigcommerce", "order", "250")
PRODUCT = Fetch("shop-es", "bigcommerce", "product", "206")


def hook(scope: str, **data: object) -> Fields:
    return {"scope": scope, "store_id": "1", "data": data, "hash": "h", "created_at": 1795339800}


def test_the_topic_is_the_scope() -> None:
    assert (
        ADAPTER.topic_of(Headers(), json.dumps(hook("store/order/created")).encode()) == "store/order/created"
    )
    for body in (b"{}", b'{"scope":""}', b'{"scope":7}'):
        with pytest.raises(Problem) as unknown:
            ADAPTER.topic_of(Headers(), body)
        assert unknown.value.code is Code.TOPIC_UNKNOWN


THIN: list[tuple[Fields, Command]] = [
    (hook("store/order/created", type="order", id=250), FETCH),
    (hook("store/order/statusUpdated", type="order", id="250", status={"new_status_id": 5}), FETCH),
    (hook("store/order/refund/created", type="order", id=250, refund={"refund_id": 3}), FETCH),
    (hook("store/order/transaction/created", type="transaction", order_id=250, transaction_id="9"), FETCH),
    (hook("store/channel/1/order/updated", order_id=250), FETCH),
    (hook("store/shipment/updated", type="shipment", id=12, orderId=250), FETCH),
    (hook("store/product/updated", type="product", id=206), PRODUCT),
    (hook("store/sku/created", type="sku", id=461, sku={"product_id": 206, "variant_id": 509}), PRODUCT),
    (
        hook(
            "store/sku/inventory/updated",
            type="sku",
            id=461,
            inventory={"product_id": 206, "method": "relative"},
        ),
        PRODUCT,
    ),
]


@pytest.mark.parametrize(("payload", "command"), THIN)
def test_what_only_names_something_is_fetched(payload: Fields, command: Command) -> None:
    assert parse(payload, str(payload["scope"])) == (command,)


@pytest.mark.parametrize("data", [None, {}, {"type": "order"}])
def test_a_notification_that_names_nothing_is_a_problem(data: object) -> None:
    with pytest.raises(Problem) as problem:
        parse(hook("store/order/created") | {"data": data}, "store/order/created")
    assert problem.value.field in ("data", "data.order_id")


@pytest.mark.parametrize(
    "scope",
    [
        "store/order/message/created",
        "store/order/metafield/updated",
        "store/product/deleted",
        "store/sku/deleted",
        "store/cart/created",
        "store/customer/updated",
        "store/inventory/location/created",
        "store/app/uninstalled",
        "rest_v2_order_statuses",
    ],
)
def test_other_topics_are_ignored_without_being_read(scope: str) -> None:
    (command,) = parse(b"not JSON", scope)
    assert isinstance(command, Ignore)


@pytest.mark.parametrize("topic", ["rest_v2_order_shipments", "rest_v2_order_shipment", "rest_v2_shipment"])
def test_a_shipment_on_its_own_is_recorded(topic: str) -> None:
    shipment = {"id": 12, "order_id": 250, "items": [{"order_product_id": 15, "quantity": 1}]}
    (record,) = parse(shipment, topic)
    assert isinstance(record, FulfillmentRecorded)
    assert (record.channel_order_id, record.lines) == ("250", (UnitsOfLine("15", 1),))


@pytest.mark.parametrize("inventory", [{"product_id": 167, "variant_id": 9}, {"product_id": 167}])
def test_a_level_of_stock_is_recorded(inventory: Fields) -> None:
    level = inventory | {"method": "absolute", "value": 5}
    (stock,) = parse(
        hook("store/product/inventory/updated", id=167, inventory=level), "store/product/inventory/updated"
    )
    assert isinstance(stock, StockRecorded)
    assert stock.item_id == ("167/9" if "variant_id" in inventory else "167")
    assert (stock.available, stock.as_of) == (5, NOW)


BAD: dict[str, tuple[Fields, str]] = {
    "no id": (order(id=None), "id"),
    "an unknown status": (order(status_id=99), "status_id"),
    "a currency that is none": (order(default_currency_code="euro"), "default_currency_code"),
    "no currency": (order(default_currency_code="", currency_code={}), "currency_code"),
    "a total that is a word": (order(total_inc_tax="free"), "total_inc_tax"),
    "a date that is none": (order(date_created="soon"), "date_created"),
    "no date": (order(date_created="", date_modified={}), "date_created"),
    "a product without quantity": (order(product(quantity=None)), "products[0].quantity"),
}


@pytest.mark.parametrize(("payload", "field"), BAD.values(), ids=BAD.keys())
def test_an_order_that_cannot_be_understood_is_a_problem_that_names_the_field(
    payload: Fields, field: str
) -> None:
    with pytest.raises(Problem) as problem:
        parse(payload)
    assert problem.value.field == field


LINK = {
    "url": "https://api.bigcommerce.com/stores/x/v2/orders/250/products",
    "resource": "/orders/250/products",
}


@pytest.mark.parametrize("part", ["products", "shipping_addresses"])
@pytest.mark.parametrize("value", [LINK, None])
def test_an_order_that_only_links_to_its_parts_is_fetched(part: str, value: object) -> None:
    assert parse(order(**{part: value})) == (FETCH,)


@pytest.mark.parametrize("status", [{"status_id": 0}, {"status_id": None, "status": "Incomplete"}])
def test_an_incomplete_order_is_ignored_until_it_is_paid(status: Fields) -> None:
    (command,) = parse(order(**status))
    assert isinstance(command, Ignore)


@pytest.mark.parametrize(
    "topic", ["rest_v2_order_products", "rest_v2_order_coupons", "rest_v3_order_refunds"]
)
def test_parts_of_an_order_on_their_own_make_the_order_be_read(topic: str) -> None:
    assert parse([{"order_id": 250}, {"order_id": "250"}], topic) == (FETCH,)
    assert isinstance(parse([], topic)[0], Ignore)


def test_empty_objects_are_null_and_stray_quotes_are_no_part_of_a_name() -> None:
    command = placed(
        order(product(sku={}), **{'currency_code"': "EUR", "currency_code": None}, staff_notes={})
    )
    assert (command.lines[0].sku, command.presentment_currency, command.notes) == (None, "EUR", None)


def test_identity_times_and_currencies() -> None:
    command = placed(order(currency_code="USD", customer_id=0, customer_message="Hi", staff_notes="VIP"))
    assert (command.channel_order_id, command.order_number) == ("250", "250")
    assert command.placed_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert command.channel_version.startswith("2026-11-22T09:00:01.")
    assert (command.currency, command.presentment_currency) == ("EUR", "USD")
    assert (command.customer.id, command.notes, command.test) == (None, "Hi\nVIP", False)
    assert placed(order(payment_method="Test Payment Gateway")).test


def test_states_of_one_second_sort_by_how_far_they_have_come() -> None:
    versions = [placed(order(status_id=status)).channel_version for status in (1, 7, 11, 9, 3, 2, 10, 4)]
    assert versions == sorted(set(versions))


STATES: list[tuple[int, str, PaymentState]] = [
    (1, "", PaymentState.PENDING),
    (7, "authorized", PaymentState.PENDING),
    (7, "declined", PaymentState.VOIDED),
    (12, "captured", PaymentState.PENDING),
    (11, "", PaymentState.AUTHORIZED),
    (11, "authorized", PaymentState.AUTHORIZED),
    (11, "captured", PaymentState.CAPTURED),
    (11, "held for review", PaymentState.PENDING),
    (11, "void", PaymentState.VOIDED),
    (14, "partially refunded", PaymentState.CAPTURED),
    (4, "captured", PaymentState.REFUNDED),
    (5, "", PaymentState.VOIDED),
    (6, "authorized", PaymentState.VOIDED),
    (5, "captured", PaymentState.CAPTURED),
]


@pytest.mark.parametrize(("status", "payment", "state"), STATES)
def test_only_payable_states_are_paid_or_authorized(status: int, payment: str, state: PaymentState) -> None:
    command = placed(order(status_id=status, payment_status=payment))
    (paid,) = command.payments
    assert (paid.amount, paid.state) == (1000, state)
    assert command.cancelled is (status in (5, 6))


def test_redeemed_credits_are_payments() -> None:
    command = placed(order(store_credit_amount="3.0000", gift_certificate_amount="7.0000"))
    assert [(paid.method, paid.amount, paid.state) for paid in command.payments] == [
        ("store_credit", 300, PaymentState.CAPTURED),
        ("gift_certificate", 700, PaymentState.CAPTURED),
    ]


UNITS: list[tuple[int, Fields, tuple[int, int, int | None]]] = [
    (11, {}, (0, 0, 0)),
    (3, {"quantity_shipped": 1}, (0, 0, 1)),
    (11, {"quantity_refunded": 1}, (1, 1, 0)),
    (3, {"quantity_refunded": 2, "quantity_shipped": 2}, (1, 2, 2)),
    (2, {}, (0, 0, 3)),
    (10, {"quantity_refunded": 1}, (0, 1, 3)),
    (5, {"quantity_shipped": 1}, (2, 0, 1)),
    (4, {}, (3, 3, 0)),
]


@pytest.mark.parametrize(("status", "counts", "units"), UNITS)
def test_units_follow_the_counters_and_the_status(
    status: int, counts: Fields, units: tuple[int, int, int | None]
) -> None:
    (line,) = placed(order(product(quantity=3) | counts, status_id=status)).lines
    assert (line.cancelled, line.refunded, line.shipped) == units


def taxed(**fields: object) -> Fields:
    """One product of 10.00 at 21 %."""
    return product(price_inc_tax="12.1000", total_inc_tax="12.1000", total_tax="2.1000") | fields


@pytest.mark.parametrize("said", [True, False, None])
@pytest.mark.parametrize(
    ("total", "tax", "included"), [("10.8900", "1.8900", False), ("11.1000", "1.9300", True)]
)
def test_the_reading_of_the_amounts_that_adds_up_is_taken(
    said: object, total: str, tax: str, included: bool
) -> None:
    command = placed(
        order(
            taxed(),
            is_tax_inclusive_pricing=said,
            discount_amount="1.0000",
            total_inc_tax=total,
            total_tax=tax,
        )
    )
    (line,) = command.lines
    assert (command.tax_included, command.balanced) == (included, True)
    assert (line.amount, line.discount) == (1210 if included else 1000, 100)
    assert line.tax == command.tax


def test_numbers_that_do_not_add_up_are_kept_and_flagged_as_the_order_says() -> None:
    command = placed(order(taxed(), is_tax_inclusive_pricing=True, total_inc_tax="20.0000", total_tax="2.1"))
    assert (command.total, command.tax_included, command.balanced) == (2000, True, False)


def test_four_decimals_come_to_the_whole() -> None:
    parts = [product(number, "3.3333", quantity=1) for number in (1, 2, 3)]
    command = placed(order(*parts))
    assert sorted(line.amount for line in command.lines) == [333, 333, 334]
    assert command.lines[0].unit_price == "333.33"
    assert command.balanced


def test_applied_discounts_stay_on_their_lines_and_the_rest_is_spread() -> None:
    applied = [{"amount": "1.5900", "target": "order"}, {"amount": "0.4100"}]
    lines = [product(1, applied_discounts=applied), product(2)]
    command = placed(
        order(*lines, discount_amount="2.0000", coupon_discount="1.0000", total_inc_tax="17.0000")
    )
    assert [line.discount for line in command.lines] == [244, 56]
    assert (command.discount, command.balanced) == (300, True)


def test_taxes_before_discounts_are_brought_to_the_tax_of_the_order() -> None:
    lines = [taxed(), product(2)]
    command = placed(order(*lines, discount_amount="4.0000", total_inc_tax="17.6800", total_tax="1.6800"))
    assert [line.tax for line in command.lines] == [168, 0]
    assert command.balanced


def test_handling_wrapping_and_fees_are_fees() -> None:
    fees = [{"display_name_customer": "Eco fee", "cost_exc_tax": "1.0000", "cost_tax": "0.2100"}]
    command = placed(
        order(
            handling_cost_ex_tax="2.0000",
            wrapping_cost_ex_tax="3.0000",
            fees=fees,
            total_tax="0.2100",
            total_inc_tax="16.2100",
        )
    )
    assert [(fee.title, fee.amount, fee.tax) for fee in command.fees] == [
        ("handling", 200, 0),
        ("wrapping", 300, 0),
        ("Eco fee", 100, 21),
    ]
    assert command.balanced


def test_each_address_is_a_delivery_with_its_part_of_the_shipping() -> None:
    lines = [product(1), product(2, order_address_id=52), product(3, order_address_id=0)]
    command = placed(
        order(
            *lines,
            shipping_addresses=[place(51, "1.0000"), place(52, "2.0000")],
            shipping_cost_ex_tax="4.0000",
            total_inc_tax="34.0000",
        )
    )
    assert [(delivery.id, delivery.shipping) for delivery in command.deliveries] == [("51", 133), ("52", 267)]
    assert [line.delivery_id for line in command.lines] == ["51", "52", "51"]
    assert command.balanced


def test_pickups_are_deliveries_at_their_location() -> None:
    consignments = {"pickups": [{"id": 13, "pickup_method_display_name": "Store", "location": {"id": 2}}]}
    lines = [product(1, order_pickup_method_id=13, order_address_id=0)]
    command = placed(order(*lines, shipping_addresses=[], consignments=consignments))
    (delivery,) = command.deliveries
    assert (delivery.method, delivery.location) == (Method.PICKUP, "2")
    assert [line.delivery_id for line in command.lines] == [delivery.id]


def test_kinds_parts_and_options() -> None:
    options = [{"display_name": "Size", "display_value": "S"}]
    command = placed(
        order(
            product(1, product_options=options, wrapping_message="For you"),
            product(2, "0.0000", parent_order_product_id=1),
            product(3, "0.0000", type="digital", order_address_id=0),
            product(4, "0.0000", type="giftcertificate", parent_order_product_id=99),
        )
    )
    assert [line.kind for line in command.lines] == [
        LineKind.PHYSICAL,
        LineKind.PHYSICAL,
        LineKind.DIGITAL,
        LineKind.GIFT_CARD,
    ]
    assert [line.parent_line_id for line in command.lines] == [None, "1", None, None]
    assert command.lines[0].properties == {"Size": "S", "wrapping_message": "For you"}
    assert [delivery.method for delivery in command.deliveries] == [Method.SHIP, Method.DIGITAL]


def test_a_digital_order_needs_no_address() -> None:
    command = placed(order(product(type="digital"), shipping_addresses=None))
    assert [delivery.method for delivery in command.deliveries] == [Method.DIGITAL]


PARTS: Fields = {
    "shipments": [
        {
            "id": 12,
            "date_created": "Sun, 22 Nov 2026 09:10:00 +0000",
            "tracking_number": "T1",
            "tracking_carrier": "ups",
            "items": [{"order_product_id": 1, "quantity": 1}],
        }
    ],
    "transactions": [
        {
            "id": 7,
            "event": "capture",
            "status": "ok",
            "amount": 10.0,
            "date_created": "2026-11-22T09:05:00+00:00",
        },
        {"id": 8, "event": "capture", "status": "error", "amount": 10, "currency": "EUR"},
        {"id": 9, "event": "rumour"},
    ],
    "refunds": [
        {
            "id": 3,
            "total_amount": 12.5,
            "reason": "Late",
            "items": [
                {"item_type": "PRODUCT", "item_id": 1, "quantity": 1, "requested_amount": "10.00"},
                {"item_type": "SHIPPING", "item_id": 51, "quantity": 1, "requested_amount": 2},
            ],
        }
    ],
}


def test_parts_that_were_read_with_the_order_are_recorded() -> None:
    _, shipment, paid, failed, other, refund = parse(order(**PARTS))
    assert isinstance(shipment, FulfillmentRecorded)
    assert (shipment.channel_order_id, shipment.parcels[0].tracking_number) == ("250", "T1")
    assert isinstance(paid, PaymentRecorded)
    assert (paid.kind, paid.outcome, paid.amount, paid.currency) == (
        PaymentKind.CAPTURE,
        Outcome.SUCCESS,
        1000,
        "EUR",
    )
    assert isinstance(failed, PaymentRecorded)
    assert failed.outcome is Outcome.FAILURE
    assert isinstance(other, Ignore)
    assert isinstance(refund, RefundRecorded)
    assert (refund.amount, refund.shipping, refund.adjustment) == (1250, 200, 50)
    assert [(line.channel_line_id, line.amount) for line in refund.lines] == [("1", 1000)]


def test_transactions_on_their_own_need_their_currency() -> None:
    payment = {"data": [{"id": 7, "order_id": "250", "event": "purchase", "amount": 1, "currency": "JPY"}]}
    (recorded,) = parse(payment, "rest_v3_order_transactions")
    assert isinstance(recorded, PaymentRecorded)
    assert (recorded.amount, recorded.kind) == (1, PaymentKind.SALE)
    del payment["data"][0]["currency"]
    assert parse(payment, "rest_v3_order_transactions") == (FETCH,)


def test_products_of_the_catalogue_are_listed_by_variant() -> None:
    variants = [{"id": 509, "sku": "S-1", "upc": "123"}, {"id": 510, "sku": "S-2"}]
    found = parse(
        {"data": {"id": 206, "name": "N", "type": "digital", "variants": variants}}, "rest_v3_product"
    )
    assert [(listing.sku, listing.item_id) for listing in found if isinstance(listing, ListingRecorded)] == [
        ("S-1", "206/509"),
        ("S-2", "206/510"),
    ]
    (alone,) = parse([{"id": 206, "sku": "S"}], "rest_v3_products")
    assert isinstance(alone, ListingRecorded)
    assert (alone.listing_id, alone.item_id, alone.requires_shipping) == ("206", "206", None)
