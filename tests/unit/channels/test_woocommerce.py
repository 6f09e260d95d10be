"""WooCommerce: proof of origin and the ping, then orders: what is odd first, then money and units."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.woocommerce import ADAPTER
from oms.fulfillment.model import ShipmentState
from oms.orders.commands import (
    CancelOrder,
    Fetch,
    FulfilledBy,
    Ignore,
    Line,
    LineKind,
    Method,
    PaymentState,
    PlaceOrder,
)
from oms.orders.records import ListingRecorded, RefundRecorded, StockRecorded, TrackingRecorded
from oms.problems import Code, Problem

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECRET = "sample-secret"
BODY = '{"id":48213,"name":"Señal"}'.encode()

type Fields = dict[str, object]


def line(number: int = 1, **fields: object) -> Fields:
    """One line of one article at 10.00, untaxed."""
    amounts = {"subtotal": "10.00", "subtotal_tax": "0.00", "total": "10.00", "total_tax": "0.00"}
    return {
        "id": number,
        "name": f"Article {number}",
        "sku": f"SKU-{number}",
        "quantity": 1,
        **amounts,
    } | fields


def order(*lines: Fields, **fields: object) -> Fields:
    """A paid order of `lines` (one article when none are given) without shipping; its total is 10.00."""
    return {
        "id": 15,
        "number": "15",
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2026-11-22T09:00:00",
        "date_modified_gmt": "2026-11-22T09:00:01",
        "date_paid_gmt": "2026-11-22T09:00:01",
        "shipping_total": "0.00",
        "shipping_tax": "0.00",
        "total": "10.00",
        "total_tax": "0.00",
        "customer_id": 7,
        "payment_method": "stripe",
        "line_items": list(lines) or [line()],
    } | fields


def meta(**pairs: object) -> Fields:
    return {"meta_data": [{"id": 1, "key": key, "value": value} for key, value in pairs.items()]}


def parse(payload: object, topic: str = "order.updated") -> tuple[Command, ...]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ADAPTER.parse(Inbound("shop-es", "woocommerce", topic, Headers(), body, NOW))


def placed(payload: object, topic: str = "order.updated") -> PlaceOrder:
    command = parse(payload, topic)[0]
    assert isinstance(command, PlaceOrder)
    return command


def only_line(payload: object) -> Line:
    (found,) = placed(payload).lines
    return found


def signed(secret: str = SECRET, body: bytes = BODY) -> Headers:
    signature = base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()
    return Headers([("X-WC-Webhook-Signature", signature)])


def verify(headers: Headers, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,)) -> None:
    ADAPTER.verify(headers, body, secrets, url="https://example.com/webhooks/shop-es", now=NOW)


@pytest.mark.parametrize(
    ("headers", "body", "secrets"),
    [
        (Headers(), BODY, (SECRET,)),
        (Headers([("X-WC-Webhook-Signature", "")]), BODY, (SECRET,)),
        (signed("another"), BODY, (SECRET,)),
        (signed(), BODY[:-1] + b"]", (SECRET,)),
        (signed(), json.dumps(json.loads(BODY)).encode(), (SECRET,)),
        (signed(""), BODY, ("",)),
        (signed(), BODY, ()),
        (Headers(), b"webhook_id=7", (SECRET,)),
    ],
)
def test_a_delivery_that_proves_nothing_is_refused(
    headers: Headers, body: bytes, secrets: tuple[str, ...]
) -> None:
    with pytest.raises(Problem) as refused:
        verify(headers, body, secrets)
    assert refused.value.code is Code.SIGNATURE_INVALID


def test_any_of_the_secrets_verifies_while_one_is_rotated() -> None:
    verify(signed(), secrets=("old", SECRET))


@pytest.mark.parametrize(
    ("stored", "signing"),
    [
        ("a&amp;b", "a&b"),
        ("&lt;k&gt; &quot;x&quot; &#039;y&#039;", "<k> \"x\" 'y'"),
        ("&#39;&#x27;&#038;&#X26;", "''&&"),
        ("&amp;lt;", "&lt;"),
        ("&eacute;&", "&eacute;&"),
    ],
)
def test_a_secret_signs_without_its_html_entities(stored: str, signing: str) -> None:
    verify(signed(signing), secrets=(stored,))


def handshake(body: bytes, headers: Headers | None = None, method: str = "POST") -> object:
    return ADAPTER.handshake(method, {}, headers or Headers(), body, [SECRET], url="")


@pytest.mark.parametrize(
    ("body", "headers", "method"),
    [
        (BODY, None, "POST"),
        (b"", None, "POST"),
        (b"webhook_id=", None, "POST"),
        (b"webhook_id=7&order=1", None, "POST"),
        (b"webhook_id=7", Headers([("X-WC-Webhook-Topic", "order.created")]), "POST"),
        (b"webhook_id=7", None, "GET"),
    ],
)
def test_only_the_bare_ping_is_a_handshake(body: bytes, headers: Headers | None, method: str) -> None:
    assert handshake(body, headers, method) is None


def test_a_ping_is_answered_and_means_nothing() -> None:
    assert handshake(b"webhook_id=7") is not None
    assert ADAPTER.topic_of(Headers(), b"webhook_id=7") == "ping"
    (command,) = parse(b"webhook_id=7", "ping")
    assert isinstance(command, Ignore)


def test_a_delivery_without_topic_is_a_problem() -> None:
    with pytest.raises(Problem) as unknown:
        ADAPTER.topic_of(Headers(), b"{}")
    assert unknown.value.code is Code.TOPIC_UNKNOWN


BAD: dict[str, tuple[Fields, str]] = {
    "no id": (order(id=None), "id"),
    "a currency that is none": (order(currency="euro"), "currency"),
    "a total that is a word": (order(total="free"), "total"),
    "lines that are no list": (order(line_items="none"), "line_items"),
    "a line without id": (order(line(id=None)), "line_items[0].id"),
    "a line without quantity": (order(line(), line(2, quantity="")), "line_items[1].quantity"),
    "a negative quantity": (order(line(quantity=-1)), "line_items[0].quantity"),
    "a subtotal that is a list": (order(line(subtotal=[])), "line_items[0].subtotal"),
}


@pytest.mark.parametrize(("payload", "field"), BAD.values(), ids=BAD.keys())
def test_an_order_that_cannot_be_understood_is_a_problem_that_names_the_field(
    payload: Fields, field: str
) -> None:
    with pytest.raises(Problem) as problem:
        parse(payload)
    assert problem.value.field == field


@pytest.mark.parametrize(
    "payload",
    [
        {"code": "woocommerce_rest_cannot_view", "message": "Sorry.", "data": {"status": 401}},
        order(status="checkout-draft"),
        order(status="auto-draft"),
    ],
)
@pytest.mark.parametrize("topic", ["order.created", "order.updated"])
def test_errors_and_drafts_are_ignored_for_a_reason(payload: Fields, topic: str) -> None:
    (command,) = parse(payload, topic)
    assert isinstance(command, Ignore)
    assert command.reason


@pytest.mark.parametrize(
    "topic", ["coupon.created", "customer.updated", "product.deleted", "action.woocommerce_add_to_cart", "x"]
)
def test_other_topics_are_ignored_without_being_read(topic: str) -> None:
    (command,) = parse(b"not JSON", topic)
    assert isinstance(command, Ignore)


@pytest.mark.parametrize("missing", ["line_items", "currency"])
def test_an_order_that_lacks_its_lines_or_its_currency_is_fetched(missing: str) -> None:
    assert parse(order(**{missing: None})) == (Fetch("shop-es", "woocommerce", "order", "15"),)


def test_a_deleted_order_is_cancelled_as_of_now() -> None:
    (command,) = parse({"id": 15}, "order.deleted")
    assert command == CancelOrder("shop-es", "woocommerce", "15", "2026-11-22T09:30:00.000Z", "deleted", NOW)


@pytest.mark.parametrize("topic", ["order.created", "order.restored", "rest_order", "webhook_order_created"])
def test_the_same_state_is_the_same_command_whatever_the_topic(topic: str) -> None:
    assert placed(order(), topic) == placed(order())


@pytest.mark.parametrize("wrapped", [{"data": order()}, {"data": [order()]}, [order()], {"order": order()}])
def test_orders_come_bare_in_lists_and_in_wrappers(wrapped: object) -> None:
    assert placed(wrapped, "rest_order") == placed(order())


def test_two_orders_of_one_second_are_two_orders() -> None:
    first, second = placed(order()), placed(order(id=16, number="16"))
    assert first.channel_order_id != second.channel_order_id
    assert first.channel_version == second.channel_version


def test_states_of_one_second_sort_by_how_far_they_have_come() -> None:
    states = ["pending", "on-hold", "processing", "completed", "refunded"]
    versions = [placed(order(status=status)).channel_version for status in states]
    later = placed(order(status="pending", date_modified_gmt="2026-11-22T09:00:02")).channel_version
    assert [*versions, later] == sorted({*versions, later})
    assert len({len(version) for version in (*versions, later)}) == 1


def test_times_that_a_plugin_has_broken_give_way_to_the_next_and_to_now() -> None:
    command = placed(order(date_modified_gmt="{{now}}", date_modified="2026-11-22T10:00:05"))
    assert command.channel_version.startswith("2026-11-22T10:00:05")
    broken = placed(order(date_modified_gmt="x", date_created_gmt="x"))
    assert broken.channel_version.startswith("2026-11-22T09:30:00")


def test_identity_keeps_what_the_shop_says() -> None:
    command = placed(order(line(sku=12345), line(2, sku=""), line(3, sku=None), number="WC-1018-ZZ"))
    assert (command.channel_order_id, command.order_number) == ("15", "WC-1018-ZZ")
    assert [found.sku for found in command.lines] == ["12345", None, None]
    assert command.customer.id == "7"
    assert placed(order(customer_id=0)).customer.id is None


PAYMENTS: list[tuple[str, object, PaymentState]] = [
    ("pending", None, PaymentState.PENDING),
    ("on-hold", "2026-11-22T09:00:01", PaymentState.PENDING),
    ("awaiting-stock", "2026-11-22T09:00:01", PaymentState.PENDING),
    ("", None, PaymentState.PENDING),
    ("failed", None, PaymentState.VOIDED),
    ("processing", None, PaymentState.AUTHORIZED),
    ("processing", "", PaymentState.AUTHORIZED),
    ("processing", "2026-11-22T09:00:01", PaymentState.CAPTURED),
    ("wc-processing", "2026-11-22T09:00:01", PaymentState.CAPTURED),
    ("completed", "2026-11-22T09:00:01", PaymentState.CAPTURED),
    ("refunded", "2026-11-22T09:00:01", PaymentState.REFUNDED),
    ("cancelled", None, PaymentState.VOIDED),
    ("cancelled", "2026-11-22T09:00:01", PaymentState.CAPTURED),
]


@pytest.mark.parametrize(("status", "paid", "state"), PAYMENTS)
def test_only_payable_orders_are_paid_or_authorized(status: str, paid: object, state: PaymentState) -> None:
    (payment,) = placed(order(status=status, date_paid_gmt=paid)).payments
    assert (payment.method, payment.amount, payment.state) == ("stripe", 1000, state)


@pytest.mark.parametrize(
    ("status", "units"),
    [
        ("processing", (0, 0, None)),
        ("completed", (0, 0, 2)),
        ("cancelled", (2, 0, None)),
        ("trash", (2, 0, None)),
        ("refunded", (2, 2, None)),
    ],
)
def test_units_follow_the_status(status: str, units: tuple[int, int, int | None]) -> None:
    found = only_line(order(line(quantity="1.5"), status=status))
    assert (found.quantity, (found.cancelled, found.refunded, found.shipped)) == ("1.5", units)
    assert placed(order(status=status)).cancelled is (status in ("cancelled", "trash"))


def test_a_refunded_order_that_was_completed_keeps_its_units_shipped() -> None:
    found = only_line(order(status="refunded", date_completed_gmt="2026-11-22T09:00:01"))
    assert (found.cancelled, found.refunded, found.shipped) == (0, 1, 1)


def test_prices_are_before_discounts_and_exact() -> None:
    found = only_line(
        order(line(quantity=3, subtotal="100.00", total="32.40", price=10.799999999999999), total="32.40")
    )
    assert (found.amount, found.discount, found.unit_price) == (10000, 6760, "3333.333333")
    raised = only_line(order(line(subtotal="10.00", total="12.50"), total="12.50"))
    assert (raised.amount, raised.discount) == (1250, 0)


@pytest.mark.parametrize(("currency", "total", "units"), [("JPY", "1000", 1000), ("KWD", "10.000", 10000)])
def test_currencies_have_their_own_decimals(currency: str, total: str, units: int) -> None:
    command = placed(order(line(subtotal=total, total=total), currency=currency, total=total))
    assert (command.total, command.lines[0].amount, command.balanced) == (units, units, True)


def test_taxes_of_parts_of_a_cent_come_to_the_orders_tax() -> None:
    parts = {"taxes": [{"id": 1, "total": "0.335"}], "total_tax": "0.34"}
    command = placed(
        order(line(1) | parts, line(2) | parts, line(3) | parts, total="31.01", total_tax="1.01")
    )
    assert sorted(found.tax for found in command.lines) == [33, 34, 34]
    assert command.balanced


def test_amounts_are_without_tax_even_where_prices_include_it() -> None:
    command = placed(order(line(total_tax="2.10"), prices_include_tax=True, total="12.10", total_tax="2.10"))
    assert (command.tax_included, command.lines[0].amount, command.lines[0].tax) == (False, 1000, 210)
    assert command.balanced


def test_shipping_and_fees_have_taxes_of_their_own() -> None:
    command = placed(
        order(
            line(total_tax="2.10"),
            shipping_total="5.00",
            shipping_tax="1.05",
            shipping_lines=[{"method_id": "flat_rate", "method_title": "DHL &amp; Co", "total": "5.00"}],
            fee_lines=[
                {"name": "Wrapping", "total": "2.00", "total_tax": "0.42"},
                {"name": "", "total": "-1.00"},
            ],
            total="19.57",
            total_tax="3.57",
        )
    )
    assert [(fee.title, fee.amount, fee.tax) for fee in command.fees] == [
        ("Wrapping", 200, 42),
        ("fee", -100, 0),
    ]
    (delivery,) = command.deliveries
    assert (delivery.service, delivery.shipping, delivery.shipping_tax) == ("DHL & Co", 500, 105)
    assert (command.lines[0].tax, command.tax, command.balanced) == (210, 357, True)


def test_numbers_that_do_not_add_up_are_kept_and_flagged() -> None:
    command = placed(order(total="11.00"))
    assert (command.total, command.balanced) == (1100, False)


def test_gift_cards_are_payments_and_their_codes_are_not_kept() -> None:
    command = placed(
        order(
            line(subtotal="18.00", total="18.00"),
            shipping_total="10.00",
            total="4.00",
            gift_cards=[{"id": 2, "code": "SECRET-CODE", "amount": 24}],
        )
    )
    assert (command.total, command.balanced) == (2800, True)
    assert [(paid.method, paid.amount) for paid in command.payments] == [("gift_card", 2400), ("stripe", 400)]
    assert "SECRET-CODE" not in repr(command)


def bundle(*ships: str) -> Fields:
    parts = [
        line(2 + number, bundled_by=1) | meta(_bundled_item_needs_shipping=needs)
        for number, needs in enumerate(ships)
    ]
    return order(line(bundled_items=[2, 3]), *parts)


@pytest.mark.parametrize(
    ("ships", "kinds"),
    [
        (("yes", "yes"), [LineKind.CONTAINER, LineKind.PHYSICAL, LineKind.PHYSICAL]),
        (("yes", "no"), [LineKind.CONTAINER, LineKind.PHYSICAL, LineKind.SERVICE]),
        (("no", "no"), [LineKind.PHYSICAL, LineKind.SERVICE, LineKind.SERVICE]),
        ((), [LineKind.PHYSICAL]),
    ],
)
def test_of_a_bundle_ships_what_says_so(ships: tuple[str, ...], kinds: list[LineKind]) -> None:
    lines = placed(bundle(*ships)).lines
    assert [found.kind for found in lines] == kinds
    assert [found.parent_line_id for found in lines] == [None, *["1"] * len(ships)]
    assert [found.requires_shipping for found in lines] == [kind is LineKind.PHYSICAL for kind in kinds]


def test_a_part_of_a_composite_belongs_to_it_and_one_of_nothing_to_nobody() -> None:
    lines = placed(
        order(line(), line(2, composite_parent=1), line(3, composite_parent="", bundled_by=99))
    ).lines
    assert [(found.kind, found.parent_line_id) for found in lines] == [
        (LineKind.CONTAINER, None),
        (LineKind.PHYSICAL, "1"),
        (LineKind.PHYSICAL, None),
    ]


def test_what_needs_no_processing_is_digital_and_a_gift_card_is_one() -> None:
    digital = placed(order(needs_processing=False))
    assert [delivery.method for delivery in digital.deliveries] == [Method.DIGITAL]
    card = placed(order(line() | meta(wc_gc_giftcard_to_multiple="a@example.com")))
    assert [found.kind for found in card.lines] == [LineKind.GIFT_CARD]


def test_choices_are_kept_and_hidden_or_broken_meta_data_are_not_in_the_way() -> None:
    odd: Fields = {
        "meta_data": {"0": {"key": "size", "value": "M"}, "2": {"key": "_hidden", "value": {"a": [1]}}}
    }
    assert only_line(order(line() | odd)).properties == {"size": "M"}
    assert only_line(order(line(meta_data=[None, "x", {"key": "n", "value": 7}]))).properties == {"n": "7"}


ADDRESS = {
    "first_name": "A",
    "last_name": "B",
    "address_1": "1 O&#8217;Conner St",
    "city": "Cork",
    "country": "IE",
}


def test_an_empty_shipping_block_ships_to_billing() -> None:
    blank = dict.fromkeys(ADDRESS, "")
    options: list[object] = [blank, blank | {"country": "IE"}, [], None]
    for shipping in options:
        (delivery,) = placed(order(billing=ADDRESS, shipping=shipping)).deliveries
        assert delivery.ship_to is not None
        assert (delivery.ship_to.name, delivery.ship_to.line1) == ("A B", "1 O’Conner St")


def test_picking_up_needs_every_method_to_be_a_pickup() -> None:
    pickup = {"method_id": "local_pickup", "instance_id": "3", "method_title": "Store"}
    (delivery,) = placed(order(shipping_lines=[pickup])).deliveries
    assert (delivery.method, delivery.location) == (Method.PICKUP, "local_pickup:3")
    (mixed,) = placed(order(shipping_lines=[pickup, {"method_id": "flat_rate"}])).deliveries
    assert (mixed.method, mixed.location) == (Method.SHIP, None)


def test_what_was_sold_at_a_till_has_been_taken() -> None:
    command = placed(order(created_via="pos-rest-api", status="completed"))
    assert [found.fulfilled_by for found in command.lines] == [FulfilledBy.TAKEN]
    assert command.deliveries[0].method is Method.CARRY_OUT


REFUND: Fields = {
    "id": 562,
    "date_created_gmt": "2026-11-22T09:10:00",
    "amount": "8.10",
    "reason": "Damaged &amp; late",
    "line_items": [line(70, quantity=-1, total="-5.00", total_tax="-1.05") | meta(_refunded_item_id="1")],
    "shipping_lines": [{"total": "-1.00", "total_tax": "-0.21"}],
    "fee_lines": [{"total": "-0.50", "total_tax": "0.00"}],
}


def test_refunds_that_are_only_named_are_fetched_with_their_order() -> None:
    commands = parse(order(refunds=[{"id": 562, "reason": "", "total": "-5.00"}]))
    assert [command.command for command in commands] == ["place_order", "fetch"]
    assert commands[1] == Fetch("shop-es", "woocommerce", "order", "15")


def test_refunds_in_full_are_recorded_and_their_units_leave_the_order() -> None:
    first, refund = parse(order(line(quantity=2), refunds=[REFUND]))
    assert isinstance(first, PlaceOrder)
    assert isinstance(refund, RefundRecorded)
    assert (first.lines[0].cancelled, first.lines[0].refunded) == (1, 1)
    assert (refund.channel_order_id, refund.refund_id, refund.amount) == ("15", "562", 810)
    assert [(part.channel_line_id, part.quantity, part.amount, part.tax) for part in refund.lines] == [
        ("1", 1, 500, 105)
    ]
    assert (refund.shipping, refund.shipping_tax, refund.fees, refund.adjustment) == (100, 21, 50, 34)
    assert refund.notes == "Damaged & late"


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ({"parent_id": 15}, Fetch("shop-es", "woocommerce", "order", "15")),
        (
            {"_links": {"up": [{"href": "https://shop.example.com/wp-json/wc/v3/orders/15"}]}},
            Fetch("shop-es", "woocommerce", "order", "15"),
        ),
        ({}, Ignore("a refund that names no order: it is read with its order")),
    ],
)
def test_a_refund_on_its_own_names_its_order_at_most(extra: Fields, command: Command) -> None:
    assert parse({"data": REFUND | extra}, "rest_order_refund") == (command,)


@pytest.mark.parametrize("topic", ["rest_order", "rest_orders", "rest_orders_batch"])
def test_a_batch_holds_orders_that_were_made_and_changed(topic: str) -> None:
    failed = {"id": 17, "error": {"code": "invalid_id", "message": "There is no such order."}}
    batch = {"create": [order()], "update": [order(id=16), failed], "delete": [{"id": 18}]}
    commands = parse(batch, topic)
    assert [command.channel_order_id for command in commands if isinstance(command, PlaceOrder)] == [
        "15",
        "16",
    ]
    assert len(commands) == 2


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("ping", b"webhook_id=7"),
        ("order.created", b"webhook_id=7\n"),
        ("product.updated", b"webhook_id=7"),
        ("order.created", {"webhook_id": 7}),
    ],
)
def test_a_ping_is_ignored_whatever_it_is_taken_for(topic: str, body: object) -> None:
    (command,) = parse(body, topic)
    assert isinstance(command, Ignore)


def test_a_parcel_is_of_the_order_that_it_links_to() -> None:
    links = {"up": [{"href": "https://shop.example.com/wp-json/wc/v2/orders/15"}]}
    (parcel,) = parse({"data": [{"tracking_number": "T1", "_links": links}]}, "shipment_tracking")
    assert isinstance(parcel, TrackingRecorded)
    assert (parcel.channel_order_id, parcel.tracking_number) == ("15", "T1")


def test_carriers_that_the_shop_knows_are_no_parcels() -> None:
    carriers = {"data": {"Austria": {"post.at": "https://carrier.example/track"}}}
    (command,) = parse(carriers, "shipment_tracking_providers")
    assert isinstance(command, Ignore)


def test_parcels_products_and_stock() -> None:
    (parcel,) = parse(
        [{"tracking_id": "a", "tracking_number": "T1", "date_shipped": None}], "shipment_tracking"
    )
    assert isinstance(parcel, TrackingRecorded)
    assert (parcel.status, parcel.occurred_at) == (ShipmentState.LABELLED, NOW)
    product = {
        "id": 18,
        "name": "Tea",
        "sku": "T",
        "manage_stock": True,
        "stock_quantity": 4,
        "virtual": False,
    }
    listing, stock = parse(product, "product.updated")
    assert isinstance(listing, ListingRecorded)
    assert (listing.listing_id, listing.tracked, listing.requires_shipping) == ("18", True, True)
    assert isinstance(stock, StockRecorded)
    assert (stock.item_id, stock.available) == ("18", 4)
    assert len(parse(product | {"manage_stock": False}, "product.updated")) == 1
