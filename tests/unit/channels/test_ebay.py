"""eBay: what cannot be read or names no order, then orders, programmes, notifications."""

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
from oms.orders.records import PrivacyKind, PrivacyRequested
from tests.unit.channels.deliveries import Fields, fault, only, parse
from tests.unit.channels.ebay_samples import SHIP_TO, gbp, instructions, item, order, usd


def summary(total: str, **amounts: Fields) -> Fields:
    return {"total": usd(total), **amounts}


def placed(payload: Fields) -> PlaceOrder:
    return only("ebay", payload, PlaceOrder)


def line(payload: Fields) -> Line:
    (found,) = placed(payload).lines
    return found


# ---- what cannot be read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (order(item(lineItemId=None)), "lineItems[0].lineItemId"),
        (order(item(lineItemCost=None)), "lineItems[0].lineItemCost"),
        (order(item(lineItemCost={"value": "free", "currency": "USD"})), "lineItems[0].lineItemCost.value"),
        (order(item("1", 1) | {"quantity": None}), "lineItems[0].quantity"),
        (order(creationDate=None, lastModifiedDate=None), "lastModifiedDate"),
        (order(creationDate="now"), "creationDate"),
        (order(pricingSummary={"total": {"value": "1.0"}}), "pricingSummary.total.convertedFromCurrency"),
        (order(pricingSummary={"total": {"value": "1.0", "currency": "$"}}), "pricingSummary.total.currency"),
        (order(lineItems="many"), "lineItems"),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("ebay", payload) == field


def test_a_dispute_that_names_an_order_and_its_lines_is_no_order() -> None:
    dispute = {"paymentDisputeId": "1", "orderId": "01-00001-00001", "lineItems": [{"lineItemId": "10001"}]}
    assert only("ebay", dispute, Ignore).reason


@pytest.mark.parametrize("payload", [{}, [], {"orders": [], "total": 0}, {"errors": [{"errorId": 1}]}])
def test_what_holds_no_order_is_ignored(payload: object) -> None:
    assert only("ebay", payload, Ignore).reason


# ---- orders ------------------------------------------------------------------------------------------------


def test_an_order_keeps_what_ebay_says() -> None:
    assert placed(order()) == PlaceOrder(
        channel="sample",
        adapter="ebay",
        channel_order_id="01-00001-00001",
        channel_version="2026-11-22T09:00:00.000Z",
        order_number="1001",
        currency="USD",
        presentment_currency="USD",
        test=False,
        cancelled=False,
        placed_at=datetime(2026, 11, 22, 8, 59, tzinfo=UTC),
        tax_included=False,
        customer=Customer(id="sample_buyer"),
        billing=None,
        deliveries=(
            Delivery(
                "d1",
                Method.SHIP,
                service="USPSPriority",
                ship_to=Address(
                    name="Sample Buyer",
                    line1="1 Sample Street",
                    line2="Flat 2",
                    city="San Jose",
                    region="CA",
                    postal_code="95131",
                    country="US",
                    phone="555-0100",
                    email="buyer@example.com",
                ),
                shipping=500,
            ),
        ),
        lines=(
            Line(
                channel_line_id="10001",
                kind=LineKind.PHYSICAL,
                fulfilled_by=FulfilledBy.US,
                parent_line_id=None,
                delivery_id="d1",
                sku="SKU-1",
                title="Article 1",
                quantity=2,
                unit_price=1000,
                amount=2000,
                shipped=0,
                properties={"listing_id": "110001"},
            ),
        ),
        discount=0,
        shipping=500,
        fees=(),
        duties=0,
        tip=0,
        tax=0,
        total=2500,
        payments=(Payment("EBAY", 2500, PaymentState.CAPTURED, "P1"),),
    )


def test_the_sale_was_made_in_the_money_that_was_converted() -> None:
    sold = placed(
        order(
            item(lineItemCost=gbp("16.00", "20.3"), deliveryCost={"shippingCost": gbp("4.00", "5.1")}),
            pricingSummary={"deliveryCost": gbp("4.00", "5.1"), "total": gbp("20.00", "25.4")},
        )
    )
    assert (sold.currency, sold.total, sold.shipping, sold.lines[0].amount) == ("GBP", 2000, 400, 1600)
    assert sold.balanced


def test_the_cost_of_a_line_is_of_its_whole_quantity() -> None:
    third = line(order(item("1", 3, lineItemCost=usd("10.00")), pricingSummary=summary("10.00")))
    assert (third.amount, third.unit_price) == (1000, "333.333333")


@pytest.mark.parametrize("sku", [None, "", " "])
def test_a_line_may_have_no_sku_but_names_its_listing(sku: str | None) -> None:
    found = line(order(item(sku=sku, legacyVariationId="7")))
    assert (found.sku, found.properties["listing_id"]) == (None, "110001:7")


@pytest.mark.parametrize(
    "fields",
    [
        {"discountedLineItemCost": usd("17.50")},
        {"appliedPromotions": [{"discountAmount": usd("1.50")}, {"discountAmount": usd("1.00")}]},
        {"appliedPromotions": [{"discountAmount": usd("-2.50")}]},
        {"discountedLineItemCost": usd("17.50"), "appliedPromotions": [{"discountAmount": usd("2.50")}]},
    ],
)
def test_what_promotions_take_off_a_line(fields: Fields) -> None:
    cheaper = placed(order(item(**fields), pricingSummary=summary("22.50", deliveryCost=usd("5.0"))))
    assert (cheaper.lines[0].discount, cheaper.discount, cheaper.balanced) == (250, 250, True)


def test_tax_that_ebay_remits_is_no_part_of_the_order() -> None:
    remitted = item(taxes=[{"amount": usd("1.65")}], ebayCollectAndRemitTaxes=[{"amount": usd("1.65")}])
    sold = placed(order(remitted))
    assert (sold.tax, sold.lines[0].tax, sold.total, sold.balanced) == (0, 0, 2500, True)


def test_tax_that_the_seller_collects_is_added_or_included_as_the_total_shows() -> None:
    taxed = item(taxes=[{"amount": usd("1.65")}])
    added = placed(order(taxed, pricingSummary=summary("26.65", deliveryCost=usd("5.0"), tax=usd("1.65"))))
    included = placed(order(taxed))
    assert (added.tax, added.tax_included, added.balanced) == (165, False, True)
    assert (included.tax, included.tax_included, included.balanced) == (165, True, True)


def test_tax_that_only_the_order_states_is_spread_over_the_lines() -> None:
    sold = placed(
        order(
            item("1", 1, lineItemCost=usd("10.00")),
            item("2", 1, lineItemCost=usd("20.00")),
            pricingSummary=summary("31.00", tax=usd("1.00"), deliveryCost=usd("0.0")),
        )
    )
    assert [found.tax for found in sold.lines] == [33, 67]
    assert sold.balanced


def test_a_discount_on_the_delivery_is_negative_in_the_summary() -> None:
    sold = placed(
        order(pricingSummary=summary("23.0", deliveryCost=usd("5.0"), deliveryDiscount=usd("-2.0")))
    )
    (delivery,) = sold.deliveries
    assert (delivery.shipping, delivery.shipping_discount, sold.balanced) == (500, 200, True)


def test_fees_and_adjustments_are_charged_beside() -> None:
    priced = summary("26.0", deliveryCost=usd("5.0"), fee=usd("2.0"), adjustment=usd("-1.0"))
    sold = placed(order(pricingSummary=priced))
    assert sold.fees == (Fee("eBay fee", 200), Fee("adjustment", -100))
    assert sold.balanced


def test_without_a_summary_the_lines_make_the_total() -> None:
    delivery = {"shippingCost": usd("5.0"), "handlingCost": usd("1.0"), "discountAmount": usd("2.0")}
    sold = placed(order(item(deliveryCost=delivery), pricingSummary=None))
    assert (sold.total, sold.shipping, sold.deliveries[0].shipping_discount) == (2400, 600, 200)


def test_amounts_that_do_not_add_up_are_kept_and_flagged() -> None:
    sold = placed(order(pricingSummary=summary("99.0", deliveryCost=usd("5.0"))))
    assert (sold.total, sold.balanced) == (9900, False)


# ---- programmes, pickup, digital goods ---------------------------------------------------------------------


def test_goods_for_abroad_go_to_ebays_hub_with_its_reference() -> None:
    hub = instructions(
        ebaySupportedFulfillment=True,
        finalDestinationAddress={"city": "Sydney", "countryCode": "AU"},
        shippingStep={"shipTo": SHIP_TO, "shipToReferenceId": "REF-7", "shippingServiceCode": "USPSPriority"},
    )
    cost = {"shippingCost": usd("5.0"), "importCharges": usd("3.0"), "shippingIntermediationFee": usd("0.8")}
    sold = placed(
        order(
            item(deliveryCost=cost),
            fulfillmentStartInstructions=[hub],
            pricingSummary=summary("28.0", deliveryCost=usd("8.0")),
        )
    )
    (delivery,) = sold.deliveries
    assert delivery.ship_to is not None
    assert delivery.ship_to.country == "US"
    assert (delivery.shipping, sold.duties, sold.balanced) == (500, 300, True)
    assert sold.notes == "ship-to reference: REF-7\nfinal destination: AU"


@pytest.mark.parametrize(
    ("kind", "method", "line_kind", "fulfilled_by", "delivery_id"),
    [
        ("PREPARE_FOR_PICKUP", Method.PICKUP, LineKind.PHYSICAL, FulfilledBy.US, "d1"),
        ("DIGITAL", Method.DIGITAL, LineKind.DIGITAL, FulfilledBy.US, "d2"),
        ("FULFILLED_BY_EBAY", Method.SHIP, LineKind.PHYSICAL, FulfilledBy.CHANNEL, "d1"),
        ("SELLER_DEFINED", Method.SHIP, LineKind.PHYSICAL, FulfilledBy.US, "d1"),
    ],
)
def test_how_an_order_reaches_the_buyer(
    kind: str, method: Method, line_kind: LineKind, fulfilled_by: FulfilledBy, delivery_id: str
) -> None:
    steps = instructions(kind, pickupStep={"merchantLocationKey": "STORE-1"})
    sold = placed(order(fulfillmentStartInstructions=[steps]))
    (delivery,), (found,) = sold.deliveries, sold.lines
    assert (delivery.method, found.kind, found.fulfilled_by) == (method, line_kind, fulfilled_by)
    assert delivery.id == found.delivery_id == delivery_id
    assert delivery.location == "STORE-1"


def test_an_order_without_instructions_is_shipped() -> None:
    assert placed(order(fulfillmentStartInstructions=None)).deliveries[0].method is Method.SHIP


# ---- states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "shipped"), [("NOT_STARTED", 0), ("FULFILLED", 2), ("IN_PROGRESS", None)])
def test_what_has_left(status: str, shipped: int | None) -> None:
    assert line(order(item(lineItemFulfillmentStatus=status))).shipped == shipped


@pytest.mark.parametrize("status", ["NOT_STARTED", "FULFILLED"])
def test_a_cancelled_order_may_still_be_called_fulfilled(status: str) -> None:
    cancelled = placed(
        order(
            item(lineItemFulfillmentStatus=status),
            cancelStatus={"cancelState": "CANCELED"},
            orderFulfillmentStatus="FULFILLED",
        )
    )
    (found,) = cancelled.lines
    assert (cancelled.cancelled, found.cancelled, found.shipped) == (True, 2, None)


@pytest.mark.parametrize("state", ["NONE_REQUESTED", "IN_PROGRESS"])
def test_an_order_is_not_cancelled_before_that_is_done(state: str) -> None:
    assert placed(order(cancelStatus={"cancelState": state})).cancelled is False


@pytest.mark.parametrize(
    ("status", "state", "refunded"),
    [
        ("PAID", PaymentState.CAPTURED, 0),
        ("PARTIALLY_REFUNDED", PaymentState.CAPTURED, 0),
        ("FULLY_REFUNDED", PaymentState.REFUNDED, 2),
        ("PENDING", PaymentState.PENDING, 0),
        ("FAILED", PaymentState.PENDING, 0),
    ],
)
def test_how_far_an_order_has_been_paid(status: str, state: PaymentState, refunded: int) -> None:
    sold = placed(order(orderPaymentStatus=status))
    assert [payment.state for payment in sold.payments] == [state]
    assert sold.lines[0].refunded == refunded


def test_number_version_and_buyer_fall_back() -> None:
    sold = placed(order(salesRecordReference=None, lastModifiedDate=None, buyer=None))
    assert (sold.order_number, sold.channel_version) == ("110001-1", "2026-11-22T08:59:00.000Z")
    assert sold.customer == Customer()


def test_the_buyers_registered_address_bills() -> None:
    registered = {
        "fullName": "Sample Buyer",
        "contactAddress": {"countryCode": "GB"},
        "email": "b@example.com",
    }
    sold = placed(order(buyer={"username": "sample_buyer", "buyerRegistrationAddress": registered}))
    assert sold.billing is not None
    assert (sold.billing.name, sold.billing.country) == ("Sample Buyer", "GB")
    assert sold.customer == Customer("sample_buyer", "Sample Buyer", "b@example.com")


def test_gifts_variations_and_words_of_the_buyer_are_kept() -> None:
    sold = placed(
        order(
            item(
                giftDetails={"message": "Happy day"},
                variationAspects=[{"name": "Size", "value": "L"}, {"name": "Colour", "value": "Red"}],
            ),
            buyerCheckoutNotes="Ring twice",
        )
    )
    assert sold.lines[0].properties == {
        "listing_id": "110001",
        "gift_message": "Happy day",
        "variation": "Size: L, Colour: Red",
    }
    assert sold.notes == "Ring twice"


def test_an_answer_with_several_orders_is_one_command_each() -> None:
    answer = {"total": 2, "orders": [order(), order(orderId="01-00001-00002")]}
    ids = [command.channel_order_id for command in parse("ebay", answer) if isinstance(command, PlaceOrder)]
    assert ids == ["01-00001-00001", "01-00001-00002"]


# ---- notifications -----------------------------------------------------------------------------------------


def notification(topic: str, data: Fields) -> Fields:
    return {
        "metadata": {"topic": topic, "schemaVersion": "1.0"},
        "notification": {"notificationId": "n-1", "eventDate": "2026-11-22T09:00:00.000Z", "data": data},
    }


def test_a_closed_account_is_to_be_erased() -> None:
    data: Fields = {"username": "sample_buyer", "userId": "u-1", "eiasToken": "x"}
    assert only(
        "ebay", notification("MARKETPLACE_ACCOUNT_DELETION", data), PrivacyRequested
    ) == PrivacyRequested(
        channel="sample",
        adapter="ebay",
        kind=PrivacyKind.ERASE_CUSTOMER,
        customer=Customer(id="sample_buyer"),
        orders=(),
        requested_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
    )


def test_a_notification_of_an_order_only_names_it() -> None:
    data: Fields = {"order": {"orderId": "01-00001-00001"}}
    fetch = only("ebay", notification("ORDER_CONFIRMATION", data), Fetch)
    assert (fetch.resource, fetch.resource_id) == ("order", "01-00001-00001")


def test_other_notifications_are_ignored() -> None:
    reason = only("ebay", notification("PRIORITY_LISTING_REVISION", {"itemId": "1"}), Ignore).reason
    assert "PRIORITY_LISTING_REVISION" in reason
