"""PayPal: what moves no money, what cannot be read, then its present events and those of before."""

from datetime import UTC, datetime

import pytest

from oms.orders.commands import Ignore
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded
from tests.unit.channels.deliveries import Fields, fault, only, parse

AT = "2026-11-22T09:00:00Z"
AT_UTC = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOST = "https://api.paypal.com"


def event(kind: str, resource: Fields, **fields: object) -> Fields:
    return {
        "id": "WH-1",
        "event_type": kind,
        "create_time": "2026-11-22T09:00:05Z",
        "resource": resource,
        "links": [{"rel": "self", "href": f"{HOST}/v1/notifications/webhooks-events/WH-1"}],
    } | fields


def payment(payment_id: str = "CAP-1", value: str = "42.97", /, **fields: object) -> Fields:
    return {
        "id": payment_id,
        "status": "COMPLETED",
        "amount": {"currency_code": "EUR", "value": value},
        "custom_id": "1001",
        "create_time": "2026-11-22T08:59:00Z",
        "update_time": AT,
        "links": [{"rel": "self", "href": f"{HOST}/v2/payments/captures/{payment_id}"}],
    } | fields


def order(**payments: list[Fields]) -> Fields:
    unit: Fields = {"reference_id": "1001", "payments": payments}
    return {"id": "ORD-1", "status": "COMPLETED", "intent": "CAPTURE", "purchase_units": [unit]}


def recorded(payload: Fields) -> PaymentRecorded:
    return only("paypal", payload, PaymentRecorded)


@pytest.mark.parametrize(
    "payload",
    [
        event("CHECKOUT.ORDER.APPROVED", {"id": "ORD-1", "purchase_units": [{"reference_id": "1001"}]}),
        event("CHECKOUT.ORDER.SAVED", {"id": "ORD-1"}),
        event("CUSTOMER.DISPUTE.CREATED", {"dispute_id": "PP-1"}),
        event("BILLING.SUBSCRIPTION.CREATED", {"id": "I-1"}),
        event("CHECKOUT.ORDER.COMPLETED", order(captures=[])),
        {"verify_webhook_signature": {"value": {}}},
        {},
    ],
)
def test_what_moves_no_money_is_ignored(payload: Fields) -> None:
    assert only("paypal", payload, Ignore).reason


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (event("PAYMENT.CAPTURE.COMPLETED", payment(amount=None)), "resource.amount"),
        (event("PAYMENT.CAPTURE.COMPLETED", payment("CAP-1", "much")), "resource.amount.value"),
        (
            event("PAYMENT.CAPTURE.COMPLETED", payment(amount={"value": "1.00"})),
            "resource.amount.currency_code",
        ),
        (event("PAYMENT.CAPTURE.COMPLETED", payment("")), "resource.id"),
        (
            event("CHECKOUT.ORDER.COMPLETED", order(captures=[payment(update_time="now")])),
            "resource.purchase_units[0].payments.captures[0].update_time",
        ),
    ],
)
def test_an_event_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("paypal", payload) == field


def test_a_capture_told_by_its_own_event_and_with_its_order_is_one_fact() -> None:
    alone = recorded(event("PAYMENT.CAPTURE.COMPLETED", payment()))
    within = recorded(event("CHECKOUT.ORDER.COMPLETED", order(captures=[payment()])))
    assert alone == within
    assert alone == PaymentRecorded(
        channel="sample",
        adapter="paypal",
        channel_order_id="1001",
        payment_id="CAP-1",
        parent_id=None,
        kind=PaymentKind.CAPTURE,
        outcome=Outcome.SUCCESS,
        amount=4297,
        currency="EUR",
        method="paypal",
        test=False,
        occurred_at=AT_UTC,
    )


UP = [
    {"rel": "self", "href": f"{HOST}/v2/payments/refunds/REF-1"},
    {"rel": "up", "href": f"{HOST}/v2/x/CAP-1"},
]
RELATED = {"related_ids": {"order_id": "ORD-1", "authorization_id": "AUT-1"}}


@pytest.mark.parametrize(
    ("name", "resource", "kind", "outcome", "payment_id", "parent_id"),
    [
        ("PAYMENT.AUTHORIZATION.CREATED", payment("AUT-1"), "authorization", "success", "AUT-1", None),
        ("PAYMENT.AUTHORIZATION.VOIDED", payment("AUT-1"), "void", "success", "AUT-1:void", "AUT-1"),
        (
            "PAYMENT.CAPTURE.COMPLETED",
            payment(supplementary_data=RELATED),
            "capture",
            "success",
            "CAP-1",
            "AUT-1",
        ),
        ("PAYMENT.CAPTURE.PENDING", payment(), "capture", "pending", "CAP-1", None),
        ("PAYMENT.CAPTURE.DENIED", payment(), "capture", "failure", "CAP-1", None),
        ("PAYMENT.CAPTURE.DECLINED", payment(), "capture", "failure", "CAP-1", None),
        ("PAYMENT.CAPTURE.REFUNDED", payment("REF-1", links=UP), "refund", "success", "REF-1", "CAP-1"),
        ("PAYMENT.CAPTURE.REVERSED", payment("REF-1", links=UP), "refund", "success", "REF-1", "CAP-1"),
        ("PAYMENT.REFUND.PENDING", payment("REF-1"), "refund", "pending", "REF-1", None),
        ("PAYMENT.REFUND.FAILED", payment("REF-1"), "refund", "failure", "REF-1", None),
        ("PAYMENT.SALE.REFUNDED", payment("REF-1", sale_id="SAL-1"), "refund", "success", "REF-1", "SAL-1"),
    ],
)
def test_what_happened_and_how_it_ended(
    name: str, resource: Fields, kind: str, outcome: str, payment_id: str, parent_id: str | None
) -> None:
    record = recorded(event(name, resource))
    assert (record.kind, record.outcome) == (PaymentKind(kind), Outcome(outcome))
    assert (record.payment_id, record.parent_id) == (payment_id, parent_id)


def test_an_order_lists_authorizations_captures_and_refunds() -> None:
    paid = order(
        authorizations=[payment("AUT-1", status="CAPTURED")],
        captures=[payment(status="PARTIALLY_REFUNDED"), payment("CAP-2", status="DECLINED")],
        refunds=[payment("REF-1", "1.00", status="PENDING")],
    )
    for payload in (event("CHECKOUT.ORDER.COMPLETED", paid), paid):
        records = [record for record in parse("paypal", payload) if isinstance(record, PaymentRecorded)]
        assert [(record.payment_id, record.kind, record.outcome) for record in records] == [
            ("AUT-1", PaymentKind.AUTHORIZATION, Outcome.SUCCESS),
            ("CAP-1", PaymentKind.CAPTURE, Outcome.SUCCESS),
            ("CAP-2", PaymentKind.CAPTURE, Outcome.FAILURE),
            ("REF-1", PaymentKind.REFUND, Outcome.PENDING),
        ]


def test_events_of_the_former_api_are_read_also_inside_of_another_payload() -> None:
    sale: Fields = {
        "id": "SAL-1",
        "state": "completed",
        "amount": {"total": "42.97", "currency": "EUR"},
        "parent_payment": "PAY-1",
        "invoice_number": "1001",
        "update_time": AT,
    }
    stored: Fields = {"webhook_id": "7", "webhook_event": event("PAYMENT.SALE.COMPLETED", sale)}
    record = recorded(stored)
    assert (record.kind, record.amount, record.currency) == (PaymentKind.SALE, 4297, "EUR")
    assert (record.parent_id, record.channel_order_id) == ("PAY-1", "1001")


@pytest.mark.parametrize(
    ("fields", "order_id"),
    [
        ({"custom_id": None, "invoice_id": "INV-7"}, "INV-7"),
        ({"custom_id": None}, "1001"),
        ({"custom_id": "C", "invoice_id": "I"}, "C"),
        ({"custom_id": "pcp_customer_t_5f", "invoice_id": "WC-417"}, "WC-417"),
        ({"custom_id": '{"order_id":417,"order_key":"k"}', "invoice_id": "WC-9"}, "417"),
        ({"custom_id": '{"order":417}', "invoice_id": "WC-417"}, "WC-417"),
        ({"custom_id": "{417}"}, "{417}"),
    ],
)
def test_the_order_is_named_by_the_payment_or_by_its_unit(fields: Fields, order_id: str) -> None:
    paid = event("CHECKOUT.ORDER.COMPLETED", order(captures=[payment(**fields)]))
    assert recorded(paid).channel_order_id == order_id


def test_a_unit_that_was_given_no_reference_names_no_order() -> None:
    paid = order(captures=[payment(custom_id=None)])
    units = paid["purchase_units"]
    assert isinstance(units, list)
    units[0]["reference_id"] = "default"
    assert recorded(event("CHECKOUT.ORDER.COMPLETED", paid)).channel_order_id is None


def test_the_sandbox_is_a_test() -> None:
    links = [{"rel": "self", "href": "https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-1"}]
    assert recorded(event("PAYMENT.CAPTURE.COMPLETED", payment(), links=links)).test is True


def test_a_refund_of_the_former_api_is_a_negative_amount() -> None:
    back = payment("REF-1", amount={"total": "-1.50", "currency": "EUR"}, sale_id="SAL-1")
    assert recorded(event("PAYMENT.SALE.REFUNDED", back)).amount == 150


def test_a_currency_without_fractions_keeps_its_amount() -> None:
    money = {"currency_code": "JPY", "value": "4297"}
    assert recorded(event("PAYMENT.CAPTURE.COMPLETED", payment(amount=money))).amount == 4297


@pytest.mark.parametrize(
    ("marks", "kind"),
    [
        ({"final_capture": True}, PaymentKind.CAPTURE),
        ({"seller_payable_breakdown": {"net_amount": {"value": "1.00"}}, "links": UP}, PaymentKind.REFUND),
        ({"expiration_time": "2026-12-21T09:00:00Z", "status": "CREATED"}, PaymentKind.AUTHORIZATION),
    ],
)
def test_a_payment_on_its_own_is_what_its_fields_show(marks: Fields, kind: PaymentKind) -> None:
    record = recorded(payment(**marks))
    assert (record.kind, record.amount, record.channel_order_id) == (kind, 4297, "1001")
    assert record.parent_id == ("CAP-1" if kind is PaymentKind.REFUND else None)


def test_a_payment_on_its_own_that_does_not_show_what_it_is_is_ignored() -> None:
    assert only("paypal", payment(), Ignore).reason
