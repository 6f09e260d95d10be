"""Shopify's order as a canonical order: what is wrong or flagged first, then money, units, deliveries."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels.headers import Headers
from oms.orders.commands import Fetch, FulfilledBy, LineKind, Method, PaymentState, PlaceOrder
from oms.problems import Problem
from tests.unit.channels.shopify_samples import (
    Fields,
    item,
    line,
    order,
    parse,
    placed,
    shipping_line,
    without,
)

TEST_NOTIFICATION = order(
    item(1, price="199.00", total_discount="0.00", discount_allocations=[{"amount": "5.00"}]),
    item(2, price="199.00", total_discount="5.00", discount_allocations=[{"amount": "5.00"}]),
    test=True,
    cancelled_at="2026-11-22T10:00:00+01:00",
    financial_status="voided",
    fulfillment_status="pending",
    total_discounts="20.00",
    total_price="388.00",
    shipping_lines=[shipping_line("10.00")],
)


BAD: dict[str, tuple[Fields, str]] = {
    "no id": (without(order(), "id"), "id"),
    "a currency that is none": (order(currency="euro"), "currency"),
    "a total that is a word": (order(total_price="free"), "total_price"),
    "a total finer than a cent": (order(total_price="10.001"), "total_price"),
    "yen with a fraction": (order(currency="JPY", total_price="10.5"), "total_price"),
    "no time at all": (without(order(), "created_at", "updated_at"), "updated_at"),
    "a time that is none": (order(updated_at="soon"), "updated_at"),
    "lines that are no list": (order(line_items={"0": item()}), "line_items"),
    "a line that is no object": (order(line_items=[item(), None]), "line_items[1]"),
    "a line without id": (order(without(item(), "id")), "line_items[0].id"),
    "a line without quantity": (order(item(), item(2, quantity=None)), "line_items[1].quantity"),
    "a negative quantity": (order(item(quantity=-1)), "line_items[0].quantity"),
    "a line without price": (order(without(item(), "price")), "line_items[0].price"),
    "a price that is a list": (order(item(price=[])), "line_items[0].price"),
    "a discount without amount": (
        order(item(discount_allocations=[{"amount": None}])),
        "line_items[0].discount_allocations[0].amount",
    ),
    "shipping without a price": (
        order(shipping_lines=[{"title": "Standard"}]),
        "shipping_lines[0].price",
    ),
    "a fulfilled quantity that is a word": (
        order(fulfillments=[{"status": "success", "line_items": [{"id": 1, "quantity": "two"}]}]),
        "fulfillments[0].line_items[0].quantity",
    ),
    "an address that is a text": (order(shipping_address="Calle del Arenal 8"), "shipping_address"),
}


@pytest.mark.parametrize(("payload", "field"), BAD.values(), ids=BAD.keys())
def test_an_order_that_cannot_be_understood_is_a_problem_that_names_the_field(
    payload: Fields, field: str
) -> None:
    with pytest.raises(Problem) as problem:
        parse("orders/create", payload)
    assert problem.value.field == field


@pytest.mark.parametrize("payload", ["text", 7, None, [[]]])
def test_a_payload_of_another_form_is_a_problem(payload: object) -> None:
    with pytest.raises(Problem):
        parse("orders/create", payload)


@pytest.mark.parametrize("payload", [[], {"orders": []}])
def test_a_list_without_orders_is_ignored(payload: object) -> None:
    (command,) = parse("rest_orders", payload)
    assert command.command == "ignore"


def test_shopifys_own_test_notification_is_void_and_keeps_its_numbers_flagged() -> None:
    command = placed(TEST_NOTIFICATION)
    assert (command.test, command.cancelled, command.balanced) == (True, True, False)
    assert (command.total, command.discount, command.shipping) == (38800, 1000, 1000)
    assert [one.cancelled for one in command.lines] == [1, 1]


def test_a_delivery_marked_as_a_test_makes_a_test_order() -> None:
    (command,) = parse("orders/create", order(), Headers([("X-Shopify-Test", "true")]))
    assert isinstance(command, PlaceOrder)
    assert command.test


@pytest.mark.parametrize("missing", ["line_items", "currency", "total_price"])
def test_an_order_without_lines_or_money_is_fetched(missing: str) -> None:
    notice = without(order(), missing)
    assert parse("orders/updated", notice) == (Fetch("shop-es", "shopify", "order", "820982911946154508"),)


@pytest.mark.parametrize(
    "topic",
    [
        *("orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled"),
        "orders/link_requested",
    ],
)
def test_the_same_state_is_the_same_command_whatever_the_topic(topic: str) -> None:
    payload = order(cancelled_at="2026-11-22T10:00:00+01:00")
    assert placed(payload, topic) == placed(payload, "orders/partially_fulfilled")


def test_identity_times_and_version() -> None:
    command = placed(order(item(sku="  "), item(2, sku=None), item(3, sku=12345), total_price="30.00"))
    assert command.channel_order_id == "820982911946154508"
    assert command.order_number == "#1001"
    assert command.channel_version == "2026-11-22T09:00:01.000Z"
    assert command.placed_at == datetime(2026, 11, 22, 9, tzinfo=UTC)
    assert [one.channel_line_id for one in command.lines] == [str(9007199254740993 + n) for n in (1, 2, 3)]
    assert [one.sku for one in command.lines] == [None, None, "12345"]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:01Z"),
        ("2026-11-22T23:59:59-05:00", "2026-11-23T06:00:00+01:00"),
        ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00.5Z"),
    ],
)
def test_versions_sort_as_texts_do(older: str, newer: str) -> None:
    first, second = (placed(order(updated_at=at)).channel_version for at in (older, newer))
    assert first < second
    assert len(first) == len(second)


def test_numbers_as_texts_and_texts_as_numbers_are_read_alike() -> None:
    odd = order(item(quantity="2", price=5, requires_shipping="true", taxable="true"), total_price=10)
    plain = order(item(quantity=2, price="5.00"), total_price="10.00")
    assert placed(odd) == placed(plain)


def test_amounts_are_shop_money_and_the_buyers_currency_is_only_named() -> None:
    paid_in_dollars = {
        "shop_money": {"amount": "10.00", "currency_code": "EUR"},
        "presentment_money": {"amount": "11.70", "currency_code": "USD"},
    }
    payload = order(
        without(item(price_set=paid_in_dollars), "price"),
        total_price=None,
        total_price_set=paid_in_dollars,
        presentment_currency="USD",
    )
    command = placed(payload)
    assert (command.currency, command.presentment_currency) == ("EUR", "USD")
    assert (command.lines[0].unit_price, command.total, command.balanced) == (1000, 1000, True)


def test_a_currency_without_a_fraction_has_none() -> None:
    command = placed(order(item(price="3300", quantity=2), currency="JPY", total_price="6600", total_tax="0"))
    assert (command.lines[0].unit_price, command.lines[0].amount, command.total) == (3300, 6600, 6600)


def test_a_price_finer_than_a_cent_stays_a_text_and_the_amount_is_whole() -> None:
    only = line(order(item(price="0.335", quantity=3), total_price="1.01"))
    assert (only.unit_price, only.amount) == ("33.5", 101)


def test_taxes_and_discounts_finer_than_a_cent_are_rounded_once() -> None:
    taxes = [{"price": "0.105"}, {"price": "0.102"}]
    only = line(order(item(discount_allocations=[{"amount": "1.004"}, {"amount": "0.004"}], tax_lines=taxes)))
    assert (only.tax, only.discount) == (21, 101)


DISCOUNTS: dict[str, tuple[Fields, int]] = {
    "allocations count, the line's own field does not": (
        item(total_discount="0.00", discount_allocations=[{"amount": "1.41"}, {"amount": "0.50"}]),
        191,
    ),
    "an empty list of allocations is none": (item(total_discount="5.00", discount_allocations=[]), 0),
    "without the list the line's own field counts": (
        without(item(total_discount="5.00"), "discount_allocations"),
        500,
    ),
    "allocations told in both currencies": (
        item(discount_allocations=[{"amount_set": {"shop_money": {"amount": "2.00"}}}]),
        200,
    ),
}


@pytest.mark.parametrize(("only", "discount"), DISCOUNTS.values(), ids=DISCOUNTS.keys())
def test_the_discount_of_a_line(only: Fields, discount: int) -> None:
    assert line(order(only)).discount == discount


def old(*items: Fields, **fields: object) -> Fields:
    """An order of before allocations, when discounts and taxes were stated for the whole."""
    return order(
        *(without(one, "discount_allocations", "tax_lines") for one in items),
        tax_lines=[{"price": fields.get("total_tax", "0.00")}],
        **fields,
    )


def test_an_old_orders_discount_and_tax_are_spread_over_its_lines() -> None:
    payload = old(
        item(1, price="10.00", quantity=2),
        item(2, price="10.00"),
        item(3, price="0.00"),
        total_discounts="1.00",
        total_tax="2.00",
        total_price="31.00",
    )
    command = placed(payload)
    assert [one.discount for one in command.lines] == [67, 33, 0]
    assert [one.tax for one in command.lines] == [133, 67, 0]
    assert command.balanced


def test_an_old_orders_tax_falls_on_what_is_taxable() -> None:
    command = placed(old(item(1, taxable=False), item(2), total_tax="2.00", total_price="22.00"))
    assert [one.tax for one in command.lines] == [0, 200]


def test_an_old_orders_shipping_code_takes_off_the_shipping() -> None:
    payload = old(
        item(),
        shipping_lines=[{"title": "Standard", "price": "5.00"}],
        discount_codes=[{"code": "FREE", "amount": "5.00", "type": "shipping"}],
        total_discounts="5.00",
    )
    command = placed(payload)
    assert (command.discount, command.shipping, command.deliveries[0].shipping_discount) == (0, 500, 500)
    assert command.balanced


def test_a_discount_greater_than_the_goods_is_flagged_and_no_line_goes_below_nothing() -> None:
    command = placed(old(item(), total_discounts="15.00", total_price="0.00"))
    assert (command.lines[0].discount, command.balanced) == (0, False)


def test_taxes_of_lines_and_shipping_come_to_the_orders_tax() -> None:
    payload = order(
        item(1, tax_lines=[{"price": "0.60"}, {"price": 0.40}]),
        item(2, tax_lines=[]),
        shipping_lines=[shipping_line(tax_lines=[{"price": "0.50"}])],
        total_tax="1.50",
        total_price="26.50",
    )
    command = placed(payload)
    assert [one.tax for one in command.lines] == [100, 0]
    assert (command.deliveries[0].shipping_tax, command.tax, command.balanced) == (50, 150, True)


def test_taxes_that_come_to_more_than_the_orders_are_kept_and_flagged() -> None:
    command = placed(order(item(tax_lines=[{"price": "2.00"}]), total_tax="1.00", total_price="11.00"))
    assert (command.lines[0].tax, command.tax, command.balanced) == (200, 100, False)


def test_tax_included_in_prices_is_not_added() -> None:
    command = placed(order(item(tax_lines=[{"price": "1.74"}]), taxes_included=True, total_tax="1.74"))
    assert (command.tax_included, command.tax, command.balanced) == (True, 174, True)


def test_a_discount_on_shipping_is_not_a_discount_on_lines() -> None:
    free = shipping_line(discounted_price="0.00", discount_allocations=[{"amount": "5.00"}])
    command = placed(order(shipping_lines=[free], total_discounts="5.00"))
    assert (command.discount, command.shipping, command.deliveries[0].shipping_discount) == (0, 500, 500)
    assert command.balanced


def test_several_charges_for_shipping_are_one_delivery_and_removed_ones_are_gone() -> None:
    charges = [
        shipping_line("5.00"),
        shipping_line("2.50", title="Cold chain"),
        shipping_line("9.00", is_removed=True),
    ]
    (delivery,) = placed(order(shipping_lines=charges)).deliveries
    assert (delivery.shipping, delivery.service) == (750, "Standard + Cold chain")


CHARGES: dict[str, Fields] = {
    "a tip": {"total_tip_received": "2.00"},
    "duties": {"original_total_duties_set": {"shop_money": {"amount": "2.00", "currency_code": "EUR"}}},
    "fees": {
        "original_total_additional_fees_set": {"shop_money": {"amount": "2.00", "currency_code": "EUR"}}
    },
}


@pytest.mark.parametrize("fields", CHARGES.values(), ids=CHARGES.keys())
def test_tips_duties_and_fees_are_part_of_the_total(fields: Fields) -> None:
    command = placed(order(total_price="12.00", **fields))
    assert command.tip + command.duties + sum(fee.amount for fee in command.fees) == 200
    assert command.balanced


def test_duties_listed_by_line_count_unless_prices_include_them() -> None:
    duty = {"shop_money": {"amount": "2.00", "currency_code": "EUR"}, "tax_lines": [{"price": "0.20"}]}
    on_top = placed(order(item(duties=[duty]), total_price="12.20", total_tax="0.20"))
    included = placed(order(item(duties=[duty]), duties_included=True, total_tax="0.20", total_price="10.20"))
    assert (on_top.duties, on_top.lines[0].tax, on_top.balanced) == (200, 20, True)
    assert (included.duties, included.balanced) == (0, True)


@pytest.mark.parametrize("mark", [{"tip": {"payment_gateway": "card"}}, {"tip_payment_gateway": None}])
def test_a_tip_that_is_a_line_counts_once(mark: Fields) -> None:
    tip = item(2, price="2.00", requires_shipping=False, **mark)
    command = placed(order(item(), tip, total_tip_received="2.00", total_price="12.00"))
    assert [one.kind for one in command.lines] == [LineKind.PHYSICAL, LineKind.SERVICE]
    assert (command.tip, command.lines[1].delivery_id, command.balanced) == (0, None, True)


UNITS: dict[str, tuple[Fields, Fields, tuple[int | None, int, int]]] = {
    # line, order, (shipped, cancelled, refunded)
    "nothing has happened": (item(quantity=3, current_quantity=3, fulfillable_quantity=3), {}, (0, 0, 0)),
    "fulfillments are not told": (item(quantity=3), {"fulfillments": None}, (None, 0, 0)),
    "fulfilled, by the line's word alone": (
        item(quantity=3, fulfillment_status="fulfilled", fulfillable_quantity=0),
        {"fulfillments": None},
        (3, 0, 0),
    ),
    "two have left, one parcel failed": (
        item(quantity=3, current_quantity=3, fulfillable_quantity=1),
        {"fulfillments": [("success", 1), ("success", 1), ("failure", 1), ("cancelled", 1)]},
        (2, 0, 0),
    ),
    "one refunded before it left": (
        item(quantity=3, current_quantity=2, fulfillable_quantity=2),
        {"refunds": [("cancel", 1)]},
        (0, 1, 1),
    ),
    "one refunded before it left, its stock kept back": (
        item(quantity=3, current_quantity=2, fulfillable_quantity=2),
        {"refunds": [("no_restock", 1)]},
        (0, 1, 1),
    ),
    "one sent back": (
        item(quantity=3, current_quantity=2, fulfillable_quantity=0),
        {"fulfillments": [("success", 3)], "refunds": [("return", 1)]},
        (3, 0, 1),
    ),
    "one sent back and one never sent": (
        item(quantity=3, current_quantity=1, fulfillable_quantity=0),
        {"fulfillments": [("success", 2)], "refunds": [("return", 1), ("cancel", 1)]},
        (2, 1, 2),
    ),
    "an edit took one away without a refund": (
        item(quantity=3, current_quantity=2, fulfillable_quantity=2),
        {},
        (0, 1, 0),
    ),
    "an old order refunded before it left": (item(quantity=3), {"refunds": [(None, 1)]}, (0, 1, 1)),
    "an old order refunded after it left": (
        item(quantity=3),
        {"fulfillments": [("success", 3)], "refunds": [(None, 1)]},
        (3, 0, 1),
    ),
    "the order is cancelled with one unit gone": (
        item(quantity=3, current_quantity=3, fulfillable_quantity=2),
        {"fulfillments": [("success", 1)], "cancelled_at": "2026-11-22T10:00:00Z"},
        (1, 2, 0),
    ),
}


@pytest.mark.parametrize(("only", "fields", "expected"), UNITS.values(), ids=UNITS.keys())
def test_units_shipped_cancelled_and_refunded(
    only: Fields, fields: Fields, expected: tuple[int | None, int, int]
) -> None:
    result = line(order(only, **fields | history(only, fields)))
    assert (result.shipped, result.cancelled, result.refunded) == expected
    assert result.quantity == 3


def history(only: Fields, fields: Fields) -> Fields:
    """Fulfillments and refunds of a line, written out of pairs of a word and a number of units."""
    written: Fields = {}
    fulfillments, refunds = fields.get("fulfillments"), fields.get("refunds")
    if isinstance(fulfillments, Sequence):
        written["fulfillments"] = [
            {"status": status, "line_items": [{"id": only["id"], "quantity": units}]}
            for status, units in fulfillments
        ]
    if isinstance(refunds, Sequence):
        written["refunds"] = [
            {"refund_line_items": [{"line_item_id": only["id"], "quantity": units, "restock_type": restock}]}
            for restock, units in refunds
        ]
    return written


KINDS: dict[str, tuple[Fields, LineKind, FulfilledBy, str | None]] = {
    "goods": (item(), LineKind.PHYSICAL, FulfilledBy.US, "d1"),
    "goods of an old order": (without(item(), "requires_shipping"), LineKind.PHYSICAL, FulfilledBy.US, "d1"),
    "a download": (item(requires_shipping=False), LineKind.DIGITAL, FulfilledBy.US, "d2"),
    "a gift card": (item(gift_card=True, requires_shipping=False), LineKind.GIFT_CARD, FulfilledBy.US, "d2"),
    "goods that another service ships": (
        item(fulfillment_service="sample-3pl"),
        LineKind.PHYSICAL,
        FulfilledBy.CHANNEL,
        "d1",
    ),
}


@pytest.mark.parametrize(("only", "kind", "by", "delivery"), KINDS.values(), ids=KINDS.keys())
def test_what_a_line_sells_and_who_ships_it(
    only: Fields, kind: LineKind, by: FulfilledBy, delivery: str | None
) -> None:
    command = placed(order(only))
    assert (command.lines[0].kind, command.lines[0].fulfilled_by) == (kind, by)
    assert [one.id for one in command.deliveries] == [command.lines[0].delivery_id] == [delivery]


def test_goods_and_downloads_are_two_deliveries_and_the_goods_carry_the_shipping() -> None:
    payload = order(
        item(1, requires_shipping=False), item(2), shipping_lines=[shipping_line()], total_price="25.00"
    )
    goods, digital = placed(payload).deliveries
    assert (goods.method, goods.shipping) == (Method.SHIP, 500)
    assert (digital.method, digital.shipping, digital.ship_to) == (Method.DIGITAL, 0, None)


def test_what_a_till_hands_over_is_taken_from_that_store() -> None:
    payload = order(
        item(1, requires_shipping=False, variant_inventory_management="shopify"),
        item(2),
        source_name="pos",
        location_id=905684977,
        total_price="20.00",
    )
    command = placed(payload)
    assert {one.fulfilled_by for one in command.lines} == {FulfilledBy.TAKEN}
    assert {one.kind for one in command.lines} == {LineKind.PHYSICAL}
    assert [(one.method, one.location) for one in command.deliveries] == [(Method.CARRY_OUT, "905684977")]
    assert command.source_location == "905684977"


def test_what_a_till_ships_is_shipped_by_us() -> None:
    command = placed(order(source_name="pos", location_id=905684977, shipping_lines=[shipping_line("0.00")]))
    assert command.lines[0].fulfilled_by is FulfilledBy.US
    assert [(one.method, one.location) for one in command.deliveries] == [(Method.SHIP, None)]


@pytest.mark.parametrize(
    ("fields", "method"),
    [
        ({"delivery_category": "pick_up"}, Method.PICKUP),
        ({"delivery_category": "LOCAL_PICKUP"}, Method.PICKUP),
        ({"source": "Local Pickup"}, Method.PICKUP),
        ({"delivery_category": "pickup_point"}, Method.SHIP),
        ({"delivery_category": "shipping"}, Method.SHIP),
        ({"title": "Pickup truck delivery"}, Method.SHIP),
    ],
)
def test_only_a_mark_of_shopify_makes_a_pickup(fields: Fields, method: Method) -> None:
    (delivery,) = placed(order(shipping_lines=[shipping_line("0.00", **fields)])).deliveries
    assert delivery.method is method
    assert delivery.location == ("STD" if method is Method.PICKUP else None)


def test_a_bundle_is_a_container_and_its_parts_carry_the_money() -> None:
    group = {"id": 77, "title": "Tea set", "quantity": 1, "variant_sku": "SET-1"}
    payload = order(
        item(1, line_item_group=group), item(2, line_item_group=group), item(3), total_price="30.00"
    )
    *parts, single, container = placed(payload).lines
    assert [part.parent_line_id for part in parts] == [container.channel_line_id] * 2
    assert single.parent_line_id is None
    assert (container.kind, container.sku, container.amount) == (LineKind.CONTAINER, "SET-1", 0)
    assert placed(payload).balanced


PAYMENTS: list[tuple[Fields, list[tuple[str, int]]]] = [
    ({"financial_status": "pending"}, [("pending", 1000)]),
    ({"financial_status": "authorized"}, [("authorized", 1000)]),
    ({"financial_status": "paid"}, [("captured", 1000)]),
    ({"financial_status": "partially_refunded"}, [("captured", 1000)]),
    ({"financial_status": "refunded"}, [("refunded", 1000)]),
    ({"financial_status": "voided"}, [("voided", 1000)]),
    (
        {"financial_status": "partially_paid", "total_outstanding": "4.00"},
        [("captured", 600), ("pending", 400)],
    ),
    ({"financial_status": "paid", "current_total_price": "7.00"}, [("captured", 700)]),
    (
        {"financial_status": "paid", "current_total_price": "7.00", "total_outstanding": "-3.00"},
        [("captured", 1000)],
    ),
    ({"financial_status": "paid", "current_total_price": "12.00"}, [("captured", 1000)]),
    ({"financial_status": None}, []),
    ({"financial_status": "something new"}, []),
    ({"financial_status": "paid", "total_price": "0.00"}, []),
]


@pytest.mark.parametrize(("fields", "expected"), PAYMENTS)
def test_payments_follow_the_payment_state(fields: Fields, expected: list[tuple[str, int]]) -> None:
    payments = placed(order(**fields)).payments
    assert [(payment.state, payment.amount) for payment in payments] == [
        (PaymentState(state), amount) for state, amount in expected
    ]


def test_a_redeemed_gift_card_is_one_of_the_payments() -> None:
    (payment,) = placed(order(payment_gateway_names=["gift_card", "card"])).payments
    assert payment.method == "gift_card, card"


@pytest.mark.parametrize("cancelled_at", [None, "", " "])
def test_an_order_is_cancelled_only_by_a_time(cancelled_at: str | None) -> None:
    assert not placed(order(cancelled_at=cancelled_at)).cancelled


@pytest.mark.parametrize(
    "properties",
    [[{"name": "Engraving", "value": "Ñ"}, {"name": "Size", "value": 2}], {"Engraving": "Ñ", "Size": 2}],
)
def test_what_an_app_attaches_to_a_line_is_kept_as_text(properties: object) -> None:
    assert line(order(item(properties=properties))).properties == {"Engraving": "Ñ", "Size": "2"}


def test_people_addresses_and_notes() -> None:
    address = {"first_name": "Ñu", "last_name": "買手", "address1": "神宮前 1-2-3", "zip": 1500001}
    payload = order(
        shipping_address=address | {"country": "Japan", "country_code": "JP", "latitude": 35.6702},
        billing_address=None,
        customer={"id": 7300000000000000021, "first_name": "Ñu", "email": "other@example.com"},
        email="",
        contact_email="buyer@example.com",
        customer_locale="ja-JP",
        note="のし紙",
        note_attributes=[{"name": "gift", "value": True}],
        po_number="PO-9",
    )
    command = placed(payload)
    ship_to = command.deliveries[0].ship_to
    assert ship_to is not None
    assert (ship_to.name, ship_to.country, ship_to.postal_code) == ("Ñu 買手", "JP", "1500001")
    assert (ship_to.latitude, ship_to.longitude, command.billing) == ("35.6702", None, None)
    assert command.customer.id == "7300000000000000021"
    assert (command.customer.name, command.customer.email) == ("Ñu", "buyer@example.com")
    assert (command.notes, command.purchase_order) == ("のし紙\ngift: true", "PO-9")


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 99)), min_size=1, max_size=12),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
    st.booleans(),
)
def test_any_order_whose_total_is_right_balances_to_the_cent(
    goods: list[tuple[int, int]], discount: int, tax: int, shipping: int, included: bool
) -> None:
    gross = sum(price * quantity for price, quantity in goods)
    discount = min(discount, gross)
    total = gross - discount + shipping + (0 if included else tax)
    payload = old(
        *(item(n, price=f"{p / 100:.2f}", quantity=q) for n, (p, q) in enumerate(goods)),
        total_discounts=f"{discount / 100:.2f}",
        total_tax=f"{tax / 100:.2f}",
        total_price=f"{total / 100:.2f}",
        taxes_included=included,
        shipping_lines=[{"title": "Standard", "price": f"{shipping / 100:.2f}"}],
    )
    command = placed(payload)
    assert command.balanced
    assert sum(one.discount for one in command.lines) == command.discount == discount
    assert sum(one.tax for one in command.lines) == command.tax == tax
    assert all(0 <= one.discount <= one.amount for one in command.lines)
    assert not placed(payload | {"total_price": f"{(total + 1) / 100:.2f}"}).balanced
