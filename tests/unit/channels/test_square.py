"""Square: what cannot be read or is no order, then tills, fulfillments, money, and the other resources."""

from datetime import UTC, datetime

import pytest

from oms.orders.commands import (
    Address,
    Customer,
    Delivery,
    Fee,
    Fetch,
    FulfilledBy,
    Ignore,
    Line,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.orders.records import (
    ListingRecorded,
    Outcome,
    PaymentKind,
    PaymentRecorded,
    RefundRecorded,
    ReturnedLine,
    ReturnRecorded,
    ReturnStatus,
    StockRecorded,
)
from tests.unit.channels.deliveries import Fields, fault, only, parse
from tests.unit.channels.signing import NOW
from tests.unit.channels.square_samples import AT, RECIPIENT, eur, item, order, shipment

AT_UTC = datetime(2026, 11, 22, 9, 0, 0, 123000, tzinfo=UTC)


def placed(payload: Fields) -> PlaceOrder:
    return only("square", {"order": payload}, PlaceOrder)


def line(payload: Fields) -> Line:
    (found,) = placed(payload).lines
    return found


# ---- what cannot be read, and what is no order -------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (order(item("line-1", "2", total_money=7, quantity=None)), "order.line_items[0].quantity"),
        (order(item(quantity="many")), "order.line_items[0].quantity"),
        (order(item(quantity="-1")), "order.line_items[0].quantity"),
        (order(item(base_price_money={"amount": 1.5})), "order.line_items[0].base_price_money.amount"),
        (order(total_money=None), "order.total_money"),
        (order(total_money={"amount": 5}), "order.total_money.currency"),
        (order(updated_at="now"), "order.updated_at"),
        (order(version="new"), "order.version"),
        (order(line_items=7), "order.line_items"),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("square", {"order": payload}) == field


@pytest.mark.parametrize(
    "payload",
    [
        {"order": order(state="DRAFT")},
        {"order": order(id=None)},
        {"type": "customer.created", "data": {"type": "customer", "object": {"customer": {"id": "C"}}}},
        {"type": "invoice.published", "data": {"type": "invoice", "object": {"invoice": {"id": "I"}}}},
        {"type": "terminal.refund.updated", "data": {"object": {"refund": {"id": "T", "status": "PENDING"}}}},
        {"type": "webhooks.test_notification", "data": {"type": "webhooks", "id": "x"}},
        {"orders": []},
        {},
    ],
)
def test_what_concerns_no_order_is_ignored(payload: Fields) -> None:
    assert only("square", payload, Ignore).reason


@pytest.mark.parametrize("name", ["order_created", "order_updated", "order_fulfillment_updated"])
def test_events_of_orders_only_name_them(name: str) -> None:
    named = {"order_id": "ORDER1", "version": 4, "state": "OPEN", "location_id": "STORE1"}
    payload = {"type": name.replace("_", "."), "data": {"type": name, "object": {name: named}}}
    fetch = only("square", payload, Fetch)
    assert (fetch.resource, fetch.resource_id) == ("order", "ORDER1")


def test_search_results_that_only_name_orders_are_to_be_read() -> None:
    entries = {"order_entries": [{"order_id": "A", "version": 1}, {"order_id": "B", "version": 1}]}
    fetches = [command for command in parse("square", entries) if isinstance(command, Fetch)]
    assert [fetch.resource_id for fetch in fetches] == ["A", "B"]


# ---- a sale at a till --------------------------------------------------------------------------------------


def test_a_sale_at_a_till_is_taken_there_and_keeps_what_square_says() -> None:
    assert placed(order()) == PlaceOrder(
        channel="sample",
        adapter="square",
        channel_order_id="ORDER1",
        channel_version="0000000004 2026-11-22T09:00:00.123Z",
        order_number="1001",
        currency="EUR",
        presentment_currency="EUR",
        test=False,
        cancelled=False,
        placed_at=datetime(2026, 11, 22, 8, 59, tzinfo=UTC),
        tax_included=False,
        customer=Customer(),
        billing=None,
        deliveries=(Delivery("d1", Method.CARRY_OUT, location="STORE1"),),
        lines=(
            Line(
                channel_line_id="line-1",
                kind=LineKind.PHYSICAL,
                fulfilled_by=FulfilledBy.TAKEN,
                parent_line_id=None,
                delivery_id="d1",
                sku=None,
                title="Coffee - Small",
                quantity=2,
                unit_price=500,
                amount=1000,
                requires_shipping=False,
                shipped=None,
                properties={"listing_id": "VARIATION1"},
            ),
        ),
        discount=0,
        shipping=0,
        fees=(),
        duties=0,
        tip=0,
        tax=0,
        total=1000,
        payments=(Payment("card", 1000, PaymentState.CAPTURED, "PAY1"),),
        source_location="STORE1",
    )


def test_versions_sort_as_square_counts_them() -> None:
    versions = [placed(order(version=version)).channel_version for version in (2, 9, 10, 100)]
    assert versions == sorted(versions)
    assert len({len(version) for version in versions}) == 1


def test_orders_that_square_does_not_count_are_told_apart_by_time() -> None:
    first = placed(order(version=None)).channel_version
    later = placed(order(version=None, updated_at="2026-11-22T09:00:00.124Z")).channel_version
    counted = placed(order(version=1)).channel_version
    assert first < later < counted
    assert len(first) == len(counted)


def test_an_order_without_times_is_of_when_it_was_received() -> None:
    bare = placed(order(version=None, created_at=None, updated_at=None))
    assert bare.placed_at == NOW
    assert bare.channel_version == "0000000000 2026-11-22T09:30:00.000Z"


@pytest.mark.parametrize(
    ("fields", "kind", "fulfilled_by", "delivery"),
    [
        ({"item_type": "GIFT_CARD"}, LineKind.GIFT_CARD, FulfilledBy.US, "d1"),
        ({"item_type": "CUSTOM_AMOUNT"}, LineKind.SERVICE, FulfilledBy.US, None),
        ({"item_type": None, "catalog_object_id": None}, LineKind.PHYSICAL, FulfilledBy.TAKEN, "d1"),
    ],
)
def test_what_a_line_sells(
    fields: Fields, kind: LineKind, fulfilled_by: FulfilledBy, delivery: str | None
) -> None:
    found = line(order(item(**fields)))
    assert (found.kind, found.fulfilled_by, found.delivery_id) == (kind, fulfilled_by, delivery)


def test_a_cancelled_order_cancels_its_units() -> None:
    cancelled = placed(order(state="CANCELED"))
    assert (cancelled.cancelled, cancelled.lines[0].cancelled) == (True, 2)


def test_quantities_may_be_parts_of_a_unit() -> None:
    found = line(order(item("line-1", "1.5", 500)))
    assert (found.quantity, found.amount) == ("1.5", 750)


def test_a_line_without_its_gross_costs_price_times_quantity() -> None:
    found = line(order(item(gross_sales_money=None)))
    assert found.amount == 1000


def test_lines_without_an_id_have_their_number() -> None:
    lines = placed(order(item(uid=None), item(uid=None))).lines
    assert [found.channel_line_id for found in lines] == ["1", "2"]


def test_modifiers_are_in_the_amount_and_named() -> None:
    modifiers = [{"name": "Oat milk", "total_price_money": eur(100)}, {"name": "Double"}]
    found = line(order(item(gross_sales_money=eur(1100), modifiers=modifiers), total_money=eur(1100)))
    assert (found.unit_price, found.amount) == (500, 1100)
    assert found.properties["modifiers"] == "Oat milk, Double"


# ---- money -------------------------------------------------------------------------------------------------


def test_discounts_taxes_tips_charges_and_rounding_come_to_the_total() -> None:
    taxed = item(total_discount_money=eur(100), total_tax_money=eur(90))
    service = {"name": "Service", "applied_money": eur(50), "total_tax_money": eur(5)}
    full = placed(
        order(
            taxed,
            taxes=[{"uid": "t", "type": "ADDITIVE"}],
            service_charges=[service],
            rounding_adjustment={"amount_money": eur(-2)},
            total_tax_money=eur(95),
            total_tip_money=eur(150),
            total_money=eur(1000 - 100 + 95 + 50 + 150 - 2),
        )
    )
    assert (full.discount, full.tax, full.tip, full.tax_included) == (100, 95, 150, False)
    assert full.fees == (Fee("Service", 50, 5), Fee("rounding", -2))
    assert full.balanced


def test_inclusive_taxes_are_in_the_prices() -> None:
    payload = order(item(total_tax_money=eur(174)), taxes=[{"type": "INCLUSIVE"}], total_tax_money=eur(174))
    assert (placed(payload).tax_included, placed(payload).balanced) == (True, True)


def test_where_square_takes_inclusive_tax_off_the_gross_it_is_added() -> None:
    payload = order(
        item(total_tax_money=eur(174), gross_sales_money=eur(826)),
        taxes=[{"type": "INCLUSIVE"}],
        total_tax_money=eur(174),
    )
    assert (placed(payload).tax_included, placed(payload).balanced) == (False, True)


def test_amounts_that_do_not_add_up_are_kept_and_flagged() -> None:
    odd = placed(order(total_money=eur(999)))
    assert (odd.total, odd.balanced) == (999, False)


@pytest.mark.parametrize(
    ("tenders", "payments"),
    [
        ([], [("unknown", 1000, PaymentState.PENDING)]),
        (
            [{"id": "T1", "type": "CASH", "amount_money": eur(400)}],
            [("cash", 400, PaymentState.CAPTURED), ("unknown", 600, PaymentState.PENDING)],
        ),
        (
            [{"type": "CARD", "amount_money": eur(1000), "card_details": {"status": "AUTHORIZED"}}],
            [("card", 1000, PaymentState.AUTHORIZED)],
        ),
        (
            [{"type": "CARD", "amount_money": eur(1000), "card_details": {"status": "VOIDED"}}],
            [("card", 1000, PaymentState.VOIDED), ("unknown", 1000, PaymentState.PENDING)],
        ),
        (
            [{"type": "SQUARE_GIFT_CARD", "amount_money": eur(1000)}],
            [("square_gift_card", 1000, PaymentState.CAPTURED)],
        ),
    ],
)
def test_tenders_are_payments_and_the_rest_is_due(
    tenders: list[Fields], payments: list[tuple[str, int, PaymentState]]
) -> None:
    found = placed(order(tenders=tenders)).payments
    assert [(payment.method, payment.amount, payment.state) for payment in found] == payments


# ---- fulfillments ------------------------------------------------------------------------------------------


def test_an_order_to_be_shipped_is_ours_and_pays_for_it() -> None:
    charge = {"name": "Shipping", "applied_money": eur(499), "total_tax_money": eur(87)}
    shipped = placed(
        order(
            item(),
            state="OPEN",
            fulfillments=[shipment()],
            service_charges=[charge],
            total_money=eur(1586),
            total_tax_money=eur(87),
        )
    )
    (delivery,) = shipped.deliveries
    assert (delivery.id, delivery.method, delivery.service, delivery.location) == (
        "F1",
        Method.SHIP,
        "Express",
        None,
    )
    assert delivery.ship_to == Address(
        name="Sample Buyer",
        line1="Calle Mayor 1",
        line2="2 B",
        city="Madrid",
        region="MD",
        postal_code="28013",
        country="ES",
        phone="+34 910 000 000",
        email="buyer@example.com",
    )
    assert (delivery.shipping, delivery.shipping_tax, shipped.balanced) == (499, 87, True)
    assert shipped.customer == Customer(None, "Sample Buyer", "buyer@example.com", "+34 910 000 000")
    (found,) = shipped.lines
    assert (found.fulfilled_by, found.delivery_id, found.requires_shipping) == (FulfilledBy.US, "F1", True)


@pytest.mark.parametrize(
    ("kind", "method", "location", "fulfilled_by"),
    [
        ("PICKUP", Method.PICKUP, "STORE1", FulfilledBy.US),
        ("DELIVERY", Method.SHIP, None, FulfilledBy.US),
        ("DIGITAL", Method.DIGITAL, None, FulfilledBy.US),
        ("IN_STORE", Method.CARRY_OUT, "STORE1", FulfilledBy.TAKEN),
    ],
)
def test_how_a_fulfillment_reaches_the_customer(
    kind: str, method: Method, location: str | None, fulfilled_by: FulfilledBy
) -> None:
    found = placed(order(fulfillments=[{"uid": "F1", "type": kind, "state": "PROPOSED"}]))
    (delivery,), (sold,) = found.deliveries, found.lines
    assert (delivery.method, delivery.location, sold.fulfilled_by) == (method, location, fulfilled_by)
    assert sold.kind is (LineKind.DIGITAL if kind == "DIGITAL" else LineKind.PHYSICAL)


@pytest.mark.parametrize(
    ("state", "order_state", "shipped", "cancelled"),
    [
        ("PROPOSED", "OPEN", 0, 0),
        ("PREPARED", "OPEN", 0, 0),
        ("COMPLETED", "COMPLETED", 2, 0),
        ("CANCELED", "CANCELED", 0, 2),
        ("COMPLETED", "CANCELED", 2, 0),
    ],
)
def test_what_has_been_handed_over(state: str, order_state: str, shipped: int, cancelled: int) -> None:
    found = line(order(state=order_state, fulfillments=[shipment(state)]))
    assert (found.shipped, found.cancelled) == (shipped, cancelled)


def test_lines_go_to_the_fulfillment_that_lists_them() -> None:
    pickup = {
        "uid": "F2",
        "type": "PICKUP",
        "state": "PROPOSED",
        "entries": [{"uid": "e", "line_item_uid": "line-2", "quantity": "2"}],
        "pickup_details": {"recipient": RECIPIENT},
    }
    both = placed(order(item(), item("line-2"), fulfillments=[shipment(), pickup]))
    assert [found.delivery_id for found in both.lines] == ["F1", "F2"]
    assert [delivery.method for delivery in both.deliveries] == [Method.SHIP, Method.PICKUP]


def test_a_fulfillment_that_was_given_up_for_another_does_not_count() -> None:
    found = placed(order(fulfillments=[shipment("FAILED"), shipment("PROPOSED", "F2")]))
    assert [delivery.id for delivery in found.deliveries] == ["F2"]
    assert found.lines[0].delivery_id == "F2"


# ---- other resources ---------------------------------------------------------------------------------------


def payment_event(**fields: object) -> Fields:
    payment: Fields = {
        "id": "PAY1",
        "order_id": "ORDER1",
        "source_type": "CARD",
        "status": "COMPLETED",
        "amount_money": eur(1000),
        "total_money": eur(1150),
        "updated_at": AT,
    }
    return {"type": "payment.updated", "data": {"type": "payment", "object": {"payment": payment | fields}}}


@pytest.mark.parametrize(
    ("status", "source", "kind", "outcome", "payment_id"),
    [
        ("APPROVED", "CARD", "authorization", "success", "PAY1"),
        ("PENDING", "CARD", "authorization", "pending", "PAY1"),
        ("FAILED", "CARD", "authorization", "failure", "PAY1"),
        ("COMPLETED", "CARD", "capture", "success", "PAY1:capture"),
        ("COMPLETED", "CASH", "sale", "success", "PAY1"),
        ("CANCELED", "CARD", "void", "success", "PAY1:void"),
    ],
)
def test_a_payment_in_each_state(status: str, source: str, kind: str, outcome: str, payment_id: str) -> None:
    record = only("square", payment_event(status=status, source_type=source), PaymentRecorded)
    later = kind in ("capture", "void")
    assert record == PaymentRecorded(
        channel="sample",
        adapter="square",
        channel_order_id="ORDER1",
        payment_id=payment_id,
        parent_id="PAY1" if later else None,
        kind=PaymentKind(kind),
        outcome=Outcome(outcome),
        amount=1150,
        currency="EUR",
        method=source.lower(),
        test=False,
        occurred_at=AT_UTC,
    )


def refund_event(**fields: object) -> Fields:
    refund: Fields = {
        "id": "PAY1_R1",
        "payment_id": "PAY1",
        "order_id": "ORDER1",
        "status": "COMPLETED",
        "amount_money": eur(500),
        "reason": "Cold",
        "updated_at": AT,
    }
    return {"type": "refund.updated", "data": {"type": "refund", "object": {"refund": refund | fields}}}


@pytest.mark.parametrize("status", ["PENDING", "COMPLETED"])
def test_a_refund_belongs_to_no_line(status: str) -> None:
    record = only("square", refund_event(status=status), RefundRecorded)
    assert (record.refund_id, record.channel_order_id, record.lines) == ("PAY1_R1", "ORDER1", ())
    assert (record.amount, record.adjustment, record.notes) == (500, 500, "Cold")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"status": "FAILED"}, Outcome.FAILURE),
        ({"status": "REJECTED"}, Outcome.FAILURE),
        ({"order_id": None}, Outcome.SUCCESS),
    ],
)
def test_a_refund_that_failed_or_names_no_order_is_a_payment(fields: Fields, outcome: Outcome) -> None:
    record = only("square", refund_event(**fields), PaymentRecorded)
    assert (record.kind, record.outcome, record.parent_id) == (PaymentKind.REFUND, outcome, "PAY1")


def count(**fields: object) -> Fields:
    return {
        "catalog_object_id": "VARIATION1",
        "catalog_object_type": "ITEM_VARIATION",
        "state": "IN_STOCK",
        "location_id": "STORE1",
        "quantity": "10",
        "calculated_at": AT,
    } | fields


def test_a_count_is_what_a_location_has() -> None:
    event = {"type": "inventory.count.updated", "data": {"object": {"inventory_counts": [count()]}}}
    assert only("square", event, StockRecorded) == StockRecorded(
        "sample", "square", "STORE1", "VARIATION1", 10, AT_UTC
    )


@pytest.mark.parametrize(("quantity", "available"), [("2.75", 2), ("-1", -1), ("-0.5", -1), ("0", 0)])
def test_parts_of_a_unit_are_not_available(quantity: str, available: int) -> None:
    assert only("square", {"counts": [count(quantity=quantity)]}, StockRecorded).available == available


def test_units_in_another_state_are_not_stock() -> None:
    assert only("square", {"counts": [count(state="WASTE")]}, Ignore).reason


def test_a_catalogue_item_lists_the_skus_of_its_variations() -> None:
    variation = {
        "id": "VARIATION1",
        "updated_at": AT,
        "item_variation_data": {"item_id": "ITEM1", "name": "Small", "sku": "SKU-1", "track_inventory": True},
    }
    expected = ListingRecorded(
        channel="sample",
        adapter="square",
        listing_id="VARIATION1",
        product_id="ITEM1",
        item_id="VARIATION1",
        sku="SKU-1",
        title="Small",
        barcode=None,
        tracked=True,
        requires_shipping=None,
        as_of=AT_UTC,
    )
    whole = {"type": "ITEM", "id": "ITEM1", "item_data": {"name": "Coffee", "variations": [variation]}}
    for payload in ({"objects": [whole]}, {"object": variation}, {"objects": [variation]}):
        assert only("square", payload, ListingRecorded) == expected


def test_a_new_version_of_the_catalogue_is_to_be_read() -> None:
    version = {"catalog_version": {"updated_at": AT}}
    event = {"merchant_id": "M1", "type": "catalog.version.updated", "data": {"object": version}}
    assert only("square", event, Fetch).resource == "catalog"


def test_goods_brought_back_are_a_return_of_the_order_they_are_from() -> None:
    back = {
        "uid": "RET1",
        "source_order_id": "ORDER0",
        "return_line_items": [
            {"uid": "r1", "source_line_item_uid": "line-1", "quantity": "1", "note": "Torn"}
        ],
    }
    record = only("square", {"order": order(line_items=None, returns=[back])}, ReturnRecorded)
    assert (record.channel_order_id, record.return_id, record.status) == (
        "ORDER0",
        "RET1",
        ReturnStatus.CLOSED,
    )
    assert record.lines == (ReturnedLine("r1", "line-1", 1, None, "Torn"),)


def test_what_is_brought_back_of_a_unit_counts_as_one() -> None:
    item = {"uid": "r1", "source_line_item_uid": "line-1", "quantity": "1.25"}
    back = {"uid": "RET1", "source_order_id": "ORDER0", "return_line_items": [item]}
    record = only("square", {"order": order(line_items=None, returns=[back])}, ReturnRecorded)
    assert record.lines[0].quantity == 2


def test_an_exchange_is_a_sale_and_a_return() -> None:
    back = {
        "source_order_id": "ORDER0",
        "return_line_items": [{"uid": "r1", "source_line_item_uid": "l", "quantity": "1"}],
    }
    sale, record = parse("square", {"order": order(returns=[back])})
    assert isinstance(sale, PlaceOrder)
    assert isinstance(record, ReturnRecorded)
    assert record.return_id == "ORDER1:0"


def test_goods_of_no_known_order_are_ignored() -> None:
    back = {"uid": "RET1", "return_line_items": [{"uid": "r1", "quantity": "1"}]}
    assert only("square", {"order": order(line_items=None, returns=[back])}, Ignore).reason
