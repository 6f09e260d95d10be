"""Amazon: what is not told in full, what is not ours, then orders of both versions, and notifications."""

import json
from datetime import UTC, datetime

import pytest

from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import (
    Address,
    CancelOrder,
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
    FulfillmentOutcome,
    FulfillmentRecorded,
    ListingRecorded,
    Parcel,
    StockRecorded,
    TrackingRecorded,
    UnitsOfLine,
)
from tests.unit.channels.amazon_samples import (
    AT,
    ORDER_ID,
    SHIPMENT,
    eur,
    gbp,
    header,
    item,
    item_2026,
    items,
    order_2026,
    outsourced,
    part,
    v0,
)
from tests.unit.channels.deliveries import Fields, fault, only, parse

AT_UTC = datetime(2026, 11, 22, 9, tzinfo=UTC)
PLACED_UTC = datetime(2026, 11, 22, 8, 59, tzinfo=UTC)


def placed(payload: Fields) -> PlaceOrder:
    return only("amazon", payload, PlaceOrder)


def line(payload: Fields) -> Line:
    (found,) = placed(payload).lines
    return found


# ---- v0: not in full, not ours -----------------------------------------------------------------------------

OTHER = items() | {"AmazonOrderId": "902-0000002-0000002"}


@pytest.mark.parametrize(
    "payload",
    [
        {"payload": header()},
        {"payload": items()},
        {"payload": {"AmazonOrderId": ORDER_ID, "ShippingAddress": {"City": "Madrid"}}},
        {"payload": {"AmazonOrderId": ORDER_ID, "BuyerEmail": "x@example.com"}},
        {"payload": {"AmazonOrderId": ORDER_ID, "RegulatedInformation": {"Fields": []}}},
        v0(listed=items(NextToken="more")),
        v0(listed=items(item("1", 1))),
        v0(head=header(FulfillmentChannel=None)),
    ],
    ids=[
        "no items",
        "no order",
        "address",
        "buyer",
        "regulated",
        "a page of items",
        "units missing",
        "channel",
    ],
)
def test_an_order_that_is_not_told_in_full_is_to_be_read(payload: Fields) -> None:
    fetch = only("amazon", payload, Fetch)
    assert (fetch.resource, fetch.resource_id) == ("order", ORDER_ID)


def test_answers_about_the_buyer_list_items_that_are_none() -> None:
    buyers = {"AmazonOrderId": ORDER_ID, "OrderItems": [{"OrderItemId": "05015851154158", "BuyerInfo": {}}]}
    assert only("amazon", {"order": header(), "buyers": buyers}, Fetch).resource_id == ORDER_ID
    assert placed(v0() | {"buyers": buyers}) == placed(v0())


def test_items_of_another_order_are_not_taken_for_its_own() -> None:
    fetches = [command for command in parse("amazon", v0(listed=OTHER)) if isinstance(command, Fetch)]
    assert [fetch.resource_id for fetch in fetches] == [ORDER_ID, "902-0000002-0000002"]


@pytest.mark.parametrize("status", ["Pending", "PendingAvailability"])
def test_a_pending_order_without_prices_waits_for_its_payment(status: str) -> None:
    pending = header(OrderStatus=status, OrderTotal=None)
    unpriced = items(item(ItemPrice=None, ItemTax=None))
    for payload in ({"payload": pending}, v0(pending, unpriced)):
        assert "pending" in only("amazon", payload, Ignore).reason


def test_an_order_of_another_channel_that_amazon_ships_is_not_imported() -> None:
    assert only("amazon", v0(head=header(SalesChannel="Non-Amazon ES")), Ignore).reason


def test_a_cancelled_order_of_which_no_more_is_told_is_cancelled() -> None:
    cancel = only("amazon", {"payload": header(OrderStatus="Canceled", OrderTotal=None)}, CancelOrder)
    assert cancel == CancelOrder("sample", "amazon", ORDER_ID, "2026-11-22T09:00:00.000Z", None, AT_UTC)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (v0(listed=items(item(OrderItemId=None))), "items.payload.OrderItems[0].OrderItemId"),
        (v0(listed=items(item(QuantityOrdered="two"))), "items.payload.OrderItems[0].QuantityOrdered"),
        (v0(listed=items(item(ItemPrice=eur("free")))), "items.payload.OrderItems[0].ItemPrice.Amount"),
        (
            v0(listed=items(item(ShippingPrice=eur("1.00", "GBP")))),
            "items.payload.OrderItems[0].ShippingPrice.CurrencyCode",
        ),
        (v0(head=header(OrderTotal=eur("1.00", "euro"))), "order.payload.OrderTotal.CurrencyCode"),
        (v0(head=header(PurchaseDate="now")), "order.payload.PurchaseDate"),
        (
            v0(header(OrderTotal=None, MarketplaceId="X"), items(item(ItemPrice=None))),
            "order.payload.MarketplaceId",
        ),
    ],
)
def test_an_order_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("amazon", payload) == field


@pytest.mark.parametrize("payload", [{}, [], {"payload": {"Orders": []}}, {"reportId": "1"}])
def test_what_holds_no_order_is_ignored(payload: object) -> None:
    assert only("amazon", payload, Ignore).reason


def test_a_mention_of_an_order_is_not_an_order() -> None:
    events = {"payload": {"FinancialEvents": {"List": [{"AmazonOrderId": ORDER_ID, "PostedDate": AT}]}}}
    assert only("amazon", events, Ignore).reason


# ---- v0: orders --------------------------------------------------------------------------------------------


def test_an_order_of_v0_keeps_what_amazon_says() -> None:
    assert placed(v0()) == PlaceOrder(
        channel="sample",
        adapter="amazon",
        channel_order_id=ORDER_ID,
        channel_version="2026-11-22T09:00:00.000Z",
        order_number=ORDER_ID,
        currency="EUR",
        presentment_currency="EUR",
        test=False,
        cancelled=False,
        placed_at=PLACED_UTC,
        # 39.98 - 2.00 + 4.99 is the total: in Europe prices include tax.
        tax_included=True,
        customer=Customer(name="Buyer", email="x@marketplace.amazon.es"),
        billing=None,
        deliveries=(
            Delivery(
                "d1",
                Method.SHIP,
                service="Std ES Dom",
                ship_to=Address(
                    name="Sample Buyer",
                    line1="Calle Mayor 1",
                    line2="2 B, Portal 3",
                    city="Madrid",
                    region="Madrid",
                    postal_code="28013",
                    country="ES",
                    phone="+34 910 000 000",
                ),
                shipping=499,
                shipping_tax=87,
            ),
        ),
        lines=(
            Line(
                channel_line_id="05015851154158",
                kind=LineKind.PHYSICAL,
                fulfilled_by=FulfilledBy.US,
                parent_line_id=None,
                delivery_id="d1",
                sku="SKU-1",
                title="Article 1",
                quantity=2,
                unit_price=1999,
                amount=3998,
                discount=200,
                tax=694,
                shipped=0,
                properties={"listing_id": "B00551Q3CS"},
            ),
        ),
        discount=200,
        shipping=499,
        fees=(),
        duties=0,
        tip=0,
        tax=781,
        total=4297,
        payments=(Payment("Standard", 4297, PaymentState.CAPTURED),),
        purchase_order="PO-7",
    )


def test_items_may_stand_inside_of_the_order() -> None:
    assert placed({"payload": {"Orders": [header(OrderItems=[item()])]}}) == placed(v0())


def test_tax_that_is_added_makes_the_total() -> None:
    american = v0(header(OrderTotal=eur("50.78")))
    assert (placed(american).tax_included, placed(american).balanced) == (False, True)


def test_amounts_that_do_not_add_up_are_kept_and_flagged() -> None:
    odd = placed(v0(header(OrderTotal=eur("99.99"))))
    assert (odd.total, odd.balanced) == (9999, False)


def test_what_amazon_ships_from_its_own_stock_is_not_ours() -> None:
    assert line(v0(header(FulfillmentChannel="AFN"))).fulfilled_by is FulfilledBy.CHANNEL


def test_the_price_is_of_the_whole_quantity() -> None:
    third = line(v0(header(NumberOfItemsUnshipped=3), items(item("1", 3, ItemPrice=eur("10.00")))))
    assert (third.amount, third.unit_price) == (1000, "333.333333")


@pytest.mark.parametrize(
    ("stated", "gift"), [("false", None), ("true", "true"), (False, None), (True, "true")]
)
def test_a_gift_is_one_only_when_amazon_says_true(stated: object, gift: str | None) -> None:
    assert line(v0(listed=items(item(IsGift=stated)))).properties.get("gift") == gift


def test_gift_wrap_and_cash_on_delivery_are_charged_beside() -> None:
    wrapped = item(
        BuyerInfo={"GiftWrapPrice": eur("3.00"), "GiftWrapTax": eur("0.52"), "GiftMessageText": "For you"},
        CODFee=eur("5.00"),
        CODFeeDiscount=eur("1.00"),
    )
    sold = placed(v0(header(OrderTotal=eur("49.97")), items(wrapped)))
    assert sold.fees == (Fee("gift wrap", 300, 52), Fee("cash on delivery", 400))
    assert sold.lines[0].properties["gift_message"] == "For you"
    assert sold.balanced


def test_taxes_of_discounts_are_taken_off_the_taxes() -> None:
    discounted = item(
        PromotionDiscountTax=eur("0.35"), ShippingDiscount=eur("4.99"), ShippingDiscountTax=eur("0.87")
    )
    sold = placed(v0(header(OrderTotal=eur("37.98")), items(discounted)))
    (delivery,) = sold.deliveries
    assert (sold.lines[0].tax, delivery.shipping_tax, delivery.shipping_discount) == (659, 0, 499)
    assert sold.balanced


@pytest.mark.parametrize(
    ("status", "shipped", "cancelled", "state"),
    [
        ("Unshipped", 0, 0, PaymentState.CAPTURED),
        ("PartiallyShipped", 1, 0, PaymentState.CAPTURED),
        ("Shipped", 2, 0, PaymentState.CAPTURED),
        ("Canceled", 0, 2, PaymentState.CAPTURED),
        ("InvoiceUnconfirmed", 0, 0, PaymentState.PENDING),
        ("Pending", 0, 0, PaymentState.PENDING),
    ],
)
def test_how_far_an_order_has_come(status: str, shipped: int, cancelled: int, state: PaymentState) -> None:
    sold = placed(v0(header(OrderStatus=status), items(item(QuantityShipped=shipped))))
    (found,) = sold.lines
    assert (found.shipped, found.cancelled, sold.cancelled) == (shipped, cancelled, status == "Canceled")
    assert sold.payments[0].state is state


def test_an_item_that_was_cancelled_on_its_own_has_no_units() -> None:
    sold = placed(v0(listed=items(item(), item("2", 0, ItemPrice=None))))
    assert [found.channel_line_id for found in sold.lines] == ["05015851154158"]


def test_a_request_to_cancel_is_noted_not_obeyed() -> None:
    requested = {"IsBuyerRequestedCancel": "true", "BuyerCancelReason": "Found cheaper"}
    found = line(v0(listed=items(item(BuyerRequestedCancel=requested))))
    assert (found.cancelled, found.properties["cancel_requested"]) == (0, "true")


def test_an_order_for_a_store_is_picked_up_there() -> None:
    sold = placed(v0(header(IsISPU="true"), items(item(StoreChainStoreId="STORE-1"))))
    (delivery,) = sold.deliveries
    assert (delivery.method, delivery.location) == (Method.PICKUP, "STORE-1")


def test_a_replacement_costs_nothing_in_the_marketplaces_currency() -> None:
    free = item(ItemPrice=None, ItemTax=None, ShippingPrice=None, ShippingTax=None, PromotionDiscount=None)
    sold = placed(v0(header(OrderTotal=None, ReplacedOrderId="902-0000000-0000000"), items(free)))
    assert (sold.currency, sold.total, sold.payments, sold.balanced) == ("EUR", 0, (), True)
    assert sold.notes == "replacement of order 902-0000000-0000000"
    assert sold.replaces is None


def test_a_yen_has_no_fraction() -> None:
    yen = item("1", 2, ItemPrice=eur("2360", "JPY")) | dict.fromkeys(
        ("ItemTax", "ShippingPrice", "ShippingTax", "PromotionDiscount")
    )
    sold = placed(v0(header(OrderTotal=eur("2360", "JPY")), items(yen)))
    assert (sold.currency, sold.total, sold.lines[0].unit_price, sold.balanced) == ("JPY", 2360, 1180, True)


# ---- 2026-01-01 --------------------------------------------------------------------------------------------


def fulfillment(status: str = "UNSHIPPED", by: str | None = "MERCHANT") -> Fields:
    return {"fulfillmentStatus": status, "fulfilledBy": by}


def test_an_order_of_2026_keeps_what_amazon_says() -> None:
    assert placed({"order": order_2026()}) == PlaceOrder(
        channel="sample",
        adapter="amazon",
        channel_order_id=ORDER_ID,
        channel_version="2026-11-22T09:00:00.000Z",
        order_number="UK-1001",
        currency="GBP",
        presentment_currency="GBP",
        test=False,
        cancelled=False,
        placed_at=PLACED_UTC,
        tax_included=False,
        customer=Customer(name="Buyer", email="x@example.com"),
        billing=None,
        deliveries=(
            Delivery(
                "d1",
                Method.SHIP,
                service="STANDARD",
                ship_to=Address(
                    name="Sample Buyer",
                    company="Sample Ltd",
                    line1="1 High Street",
                    line2="Unit 4",
                    city="Manchester",
                    postal_code="M1 2AB",
                    country="GB",
                    phone="+44 161 000 0000",
                ),
                shipping=1000,
                shipping_tax=100,
            ),
        ),
        lines=(
            Line(
                channel_line_id="20212345678901",
                kind=LineKind.PHYSICAL,
                fulfilled_by=FulfilledBy.US,
                parent_line_id=None,
                delivery_id="d1",
                sku="SKU-1",
                title="Article 1",
                quantity=3,
                unit_price=2999,
                amount=8997,
                tax=300,
                shipped=0,
                properties={"listing_id": "B08DFPV54V"},
            ),
        ),
        discount=0,
        shipping=1000,
        fees=(),
        duties=0,
        tip=0,
        tax=400,
        total=10397,
        payments=(Payment("amazon", 10397, PaymentState.CAPTURED),),
        purchase_order="PO-7",
    )


BARE = item_2026(proceeds=None, product={"asin": "B08DFPV54V", "sellerSku": "SKU-1"})


@pytest.mark.parametrize(
    "payload",
    [
        order_2026(fulfillment=None),
        order_2026(fulfillment=fulfillment(by=None)),
        order_2026(BARE, proceeds=None),
    ],
    ids=["nothing of who ships", "status alone", "no money"],
)
def test_an_order_asked_for_without_all_its_data_sets_is_to_be_read(payload: Fields) -> None:
    assert only("amazon", {"order": payload}, Fetch).resource_id == ORDER_ID


@pytest.mark.parametrize(
    "payload",
    [
        order_2026(fulfillment=fulfillment("PENDING"), proceeds=None),
        order_2026(fulfillment=fulfillment("PENDING_AVAILABILITY"), proceeds={}),
        order_2026(salesChannel={"channelName": "NON_AMAZON"}),
    ],
)
def test_what_is_pending_or_of_another_channel_is_ignored(payload: Fields) -> None:
    assert only("amazon", {"order": payload}, Ignore).reason


def test_an_order_of_2026_without_its_items_is_to_be_read() -> None:
    assert only("amazon", {"orders": [order_2026(orderItems=None)]}, Fetch).resource_id == ORDER_ID


def test_a_cancelled_order_of_2026_of_which_no_more_is_told_is_cancelled() -> None:
    payload = order_2026(fulfillment=fulfillment("CANCELLED", by=None))
    assert only("amazon", {"order": payload}, CancelOrder).channel_order_id == ORDER_ID


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (order_2026(item_2026(quantityOrdered=None)), "order.orderItems[0].quantityOrdered"),
        (order_2026(item_2026(product=None)), "order.orderItems[0].product"),
        (
            order_2026(proceeds={"grandTotal": gbp("1.00", "pounds")}),
            "order.proceeds.grandTotal.currencyCode",
        ),
        (order_2026(lastUpdatedTime="now"), "order.lastUpdatedTime"),
        (order_2026(item_2026(part("", "1.00"))), "order.orderItems[0].proceeds.breakdowns[0].type"),
    ],
)
def test_an_order_of_2026_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("amazon", {"order": payload}) == field


def test_what_amazon_ships_is_not_ours_in_2026_either() -> None:
    sold = line({"orders": [order_2026(fulfillment=fulfillment("SHIPPED", "AMAZON"))]})
    assert sold.fulfilled_by is FulfilledBy.CHANNEL


def test_discounts_gift_wrap_and_tips_come_to_the_total() -> None:
    parts = [
        part("ITEM", "89.97"),
        part("SHIPPING", "10.00"),
        part("GIFT_WRAP", "3.00"),
        part("COD_FEE", "2.00"),
        part("OTHER", "1.00"),
        part("DISCOUNT", "-14.00", ITEM="-9.00", SHIPPING="-5.00"),
        part("TAX", "5.00", ITEM="3.00", SHIPPING="1.00", GIFT_WRAP="1.00"),
    ]
    tip = {"type": "DELIVERY_TIP", "status": "FINALIZED", "subtotal": gbp("5.00")}
    total = gbp("101.97")
    sold = placed(
        {"order": order_2026(item_2026(*parts), proceeds={"grandTotal": total, "breakdowns": [tip]})}
    )
    (delivery,) = sold.deliveries
    assert (sold.discount, delivery.shipping_discount, sold.tip) == (900, 500, 500)
    assert sold.fees == (Fee("gift wrap", 300, 100), Fee("cash on delivery", 200), Fee("other", 100))
    assert (sold.tax, sold.lines[0].tax, sold.balanced) == (500, 300, True)


def test_what_only_the_order_states_counts_too() -> None:
    whole = {
        "grandTotal": gbp("103.97"),
        "breakdowns": [part("ITEM", "89.97"), part("SHIPPING", "10.00"), part("TAX", "4.00")],
    }
    sold = placed({"order": order_2026(item_2026(proceeds=None), proceeds=whole)})
    assert (sold.shipping, sold.tax, sold.lines[0].amount, sold.lines[0].tax) == (1000, 400, 8997, 400)
    assert sold.balanced


@pytest.mark.parametrize(
    ("status", "done", "left", "shipped", "cancelled"),
    [
        ("UNSHIPPED", 0, 3, 0, 0),
        ("PARTIALLY_SHIPPED", 1, 2, 1, 0),
        ("PARTIALLY_SHIPPED", 1, 1, 1, 1),
        ("SHIPPED", 3, 0, 3, 0),
        ("CANCELLED", 0, 3, 0, 3),
        ("CANCELLED", 1, 0, 1, 2),
        ("UNSHIPPED", None, None, None, 0),
    ],
)
def test_units_that_are_neither_sent_nor_to_be_sent_are_cancelled(
    status: str, done: int | None, left: int | None, shipped: int | None, cancelled: int
) -> None:
    progress = {"quantityFulfilled": done, "quantityUnfulfilled": left}
    sold = placed({"order": order_2026(item_2026(fulfillment=progress), fulfillment=fulfillment(status))})
    (found,) = sold.lines
    assert (found.shipped, found.cancelled, sold.cancelled) == (shipped, cancelled, status == "CANCELLED")


def test_gifts_pickup_wishes_and_originals_are_kept() -> None:
    gift = {
        "quantityUnfulfilled": 3,
        "packing": {"giftOption": {"giftMessage": "For you", "giftWrapLevel": "A"}},
    }
    wishes = {"deliveryPreference": {"dropOffLocation": "Front desk"}}
    original = {"orderId": "902-0000000-0000000", "associationType": "REPLACEMENT_ORIGINAL_ID"}
    sold = placed(
        {
            "order": order_2026(
                item_2026(fulfillment=gift, cancellation={"cancellationRequest": {"requester": "BUYER"}}),
                programs=["IN_STORE_PICK_UP"],
                recipient=wishes,
                associatedOrders=[original],
                payment={"paymentExecutions": [{"paymentMethod": "CreditCard"}]},
            )
        }
    )
    assert sold.lines[0].properties == {
        "listing_id": "B08DFPV54V",
        "gift": "true",
        "gift_message": "For you",
        "gift_wrap": "A",
        "cancel_requested": "true",
    }
    assert sold.deliveries[0].method is Method.PICKUP
    assert sold.notes == "Front desk\nreplacement of order 902-0000000-0000000"
    assert sold.payments[0].method == "CreditCard"


# ---- notifications and fulfilment by Amazon ----------------------------------------------------------------


def notification(kind: str, payload: Fields) -> Fields:
    return {
        "NotificationVersion": "1.0",
        "NotificationType": kind,
        "EventTime": AT,
        "Payload": payload,
        "NotificationMetadata": {"NotificationId": "n-1"},
    }


CHANGED = notification(
    "ORDER_CHANGE", {"OrderChangeNotification": {"AmazonOrderId": ORDER_ID, "Summary": {}}}
)


CAMEL: Fields = {"notificationType": "ORDER_CHANGE", "payload": {"change": {"amazonOrderId": ORDER_ID}}}


@pytest.mark.parametrize(
    "payload",
    [
        CHANGED,
        CAMEL,
        {"detail-type": "ORDER_CHANGE", "detail": CHANGED},
        {"Type": "Notification", "Message": json.dumps(CHANGED)},
        {"Records": [{"messageId": "m-1", "body": json.dumps(CHANGED)}]},
        {"Records": [{"body": json.dumps({"Message": json.dumps(CHANGED)})}]},
    ],
    ids=["bare", "camel case", "event bus", "topic", "queue", "topic in a queue"],
)
def test_a_changed_order_is_only_named_also_inside_of_what_carries_it(payload: Fields) -> None:
    assert only("amazon", payload, Fetch).resource_id == ORDER_ID


@pytest.mark.parametrize("status", ["Pending", "Shipped", "Canceled"])
def test_what_a_notification_quotes_of_an_order_is_not_the_order(status: str) -> None:
    quoted = {"AmazonOrderId": ORDER_ID, "OrderStatus": status, "PurchaseDate": 1795338000633}
    payload = notification("ORDER_STATUS_CHANGE", {"OrderStatusChangeNotification": quoted})
    assert only("amazon", payload, Fetch).resource_id == ORDER_ID


@pytest.mark.parametrize(
    ("payload", "topic"),
    [
        (CHANGED, "ORDER_CHANGE"),
        ({"detail-type": "x", "detail": CHANGED}, "ORDER_CHANGE"),
        ({"Type": "Notification", "Message": json.dumps(CHANGED)}, "Notification"),
    ],
)
def test_a_delivery_names_its_topic_whatever_carries_it(payload: Fields, topic: str) -> None:
    assert adapter("amazon").topic_of(Headers(), json.dumps(payload).encode()) == topic


def test_a_letter_that_cannot_be_read_is_none() -> None:
    assert only("amazon", {"Records": [{"body": "{not JSON"}]}, Ignore).reason


def test_a_listing_whose_quantity_changed_is_stock() -> None:
    payload = notification(
        "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
        {"FulfillmentChannelCode": "DEFAULT", "Sku": "SKU-1", "Quantity": 99},
    )
    assert only("amazon", payload, StockRecorded) == StockRecorded(
        "sample", "amazon", "DEFAULT", "SKU-1", 99, AT_UTC
    )


def test_a_listing_maps_the_articles_number_to_the_sku() -> None:
    payload = notification("LISTINGS_ITEM_STATUS_CHANGE", {"Asin": "B00551Q3CS", "Sku": "SKU-1"})
    record = only("amazon", payload, ListingRecorded)
    assert (record.listing_id, record.sku, record.as_of) == ("B00551Q3CS", "SKU-1", AT_UTC)


@pytest.mark.parametrize("kind", ["ANY_OFFER_CHANGED", "FEED_PROCESSING_FINISHED", "PRICING_HEALTH"])
def test_other_notifications_are_ignored(kind: str) -> None:
    assert kind in only("amazon", notification(kind, {"Sku": "SKU-1"}), Ignore).reason


def test_a_change_of_an_order_of_ours_that_amazon_ships_is_to_be_read() -> None:
    change = {"FulfillmentOrderStatusNotification": {"SellerFulfillmentOrderId": "F-1"}}
    fetch = only("amazon", notification("FULFILLMENT_ORDER_STATUS", dict(change)), Fetch)
    assert (fetch.resource, fetch.resource_id) == ("fulfillment_order", "F-1")


def test_a_shipment_that_amazon_made_for_us_is_recorded() -> None:
    assert only("amazon", outsourced(SHIPMENT), FulfillmentRecorded) == FulfillmentRecorded(
        channel="sample",
        adapter="amazon",
        channel_order_id="F-1",
        fulfillment_id="S-1",
        channel_version="2026-11-22T09:00:00.000Z",
        status=FulfillmentOutcome.SHIPPED,
        location="MAD4",
        lines=(UnitsOfLine("line-1", 2),),
        parcels=(Parcel("SEUR", "T-1", None),),
        occurred_at=PLACED_UTC,
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("Cancelled", FulfillmentOutcome.CANCELLED), ("Unfulfillable", FulfillmentOutcome.FAILED)],
)
def test_one_that_ended_without_a_shipment_is_told(status: str, outcome: FulfillmentOutcome) -> None:
    record = only("amazon", outsourced(status=status), FulfillmentRecorded)
    assert (record.status, record.lines, record.fulfillment_id) == (outcome, (), "F-1")


def test_one_that_has_not_been_shipped_yet_is_ignored() -> None:
    assert only("amazon", outsourced(status="Processing"), Ignore).reason


def outsourced_v2(*shipments: Fields, **fields: object) -> Fields:
    order = {
        "orderId": "F-2",
        "receiveTime": AT,
        "status": "PROCESSING",
        "statusUpdateTime": AT,
        "lineItems": [{"lineItemId": "line-1", "amount": {"unit": "EACHES", "value": "2"}}],
        "shipments": list(shipments),
    }
    return {"order": order | fields}


def test_a_shipment_of_the_second_version_is_recorded_too() -> None:
    carrier = {"carrierCode": "SEUR", "trackingNumber": "T-2", "trackingUrl": "https://track.example/T-2"}
    shipment: dict[str, object] = {
        "amazonShipmentId": "S-2",
        "amazonFacility": {"facilityId": "MAD4"},
        "status": "SHIPPED",
        "shipTime": "2026-11-22T08:59:00Z",
        "items": [{"lineItemId": "line-1", "amount": {"unit": "EACHES", "value": "2"}}],
        "packages": [{"packageId": "P-1", "tracking": {"carrier": carrier}}],
    }
    record = only("amazon", outsourced_v2(shipment), FulfillmentRecorded)
    assert (record.channel_order_id, record.fulfillment_id, record.location) == ("F-2", "S-2", "MAD4")
    assert (record.status, record.occurred_at) == (FulfillmentOutcome.SHIPPED, PLACED_UTC)
    assert record.lines == (UnitsOfLine("line-1", 2),)
    assert record.parcels == (Parcel("SEUR", "T-2", "https://track.example/T-2"),)


def test_orders_of_the_second_version_that_ended_or_wait_are_told_apart() -> None:
    ended = only("amazon", outsourced_v2(status="CANCELLED"), FulfillmentRecorded)
    assert (ended.status, ended.channel_order_id) == (FulfillmentOutcome.CANCELLED, "F-2")
    assert "F-2" in only("amazon", {"orders": [outsourced_v2()["order"]]}, Ignore).reason


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("IN_TRANSIT", ShipmentState.IN_TRANSIT),
        ("DELIVERED", ShipmentState.DELIVERED),
        ("UNDELIVERABLE", ShipmentState.EXCEPTION),
    ],
)
def test_a_parcel_of_amazon_is_where_its_latest_report_says(status: str, state: ShipmentState) -> None:
    events = [
        {"eventDate": AT, "eventDescription": "Latest"},
        {"eventDate": "2026-11-22T08:59:00Z", "eventDescription": "Earlier"},
    ]
    parcel = {"packageNumber": 7, "trackingNumber": "T-3", "carrierCode": "Amazon", "currentStatus": status}
    record = only("amazon", {"payload": parcel | {"trackingEvents": events}}, TrackingRecorded)
    assert (record.tracking_number, record.status) == ("T-3", state)
    assert (record.message, record.occurred_at) == ("Latest", AT_UTC)


def test_a_parcel_of_which_amazon_knows_nothing_is_ignored() -> None:
    parcel = {"packageNumber": 7, "trackingNumber": "T-3", "currentStatus": "UNKNOWN"}
    assert "UNKNOWN" in only("amazon", {"payload": parcel}, Ignore).reason
