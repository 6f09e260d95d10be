"""Stripe: what moves no money, what cannot be read, then each fact once however many events tell it."""

from datetime import UTC, datetime

import pytest

from oms.orders.commands import Fetch, Ignore
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded
from tests.unit.channels.deliveries import Fields, fault, only, parse

AT = 1795255200
AT_UTC = datetime.fromtimestamp(AT, UTC)


def event(kind: str, payload: Fields, **fields: object) -> Fields:
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": AT,
        "livemode": True,
        "data": {"object": payload},
    } | fields


def intent(status: str = "succeeded", **fields: object) -> Fields:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 4297,
        "amount_received": 4297 if status == "succeeded" else 0,
        "amount_capturable": 4297 if status == "requires_capture" else 0,
        "capture_method": "automatic",
        "created": AT - 60,
        "currency": "eur",
        "livemode": True,
        "metadata": {"order_id": "1001"},
        "payment_method_types": ["card", "link"],
        "status": status,
    } | fields


def charge(**fields: object) -> Fields:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 4297,
        "amount_captured": 4297,
        "captured": True,
        "created": AT - 60,
        "currency": "eur",
        "livemode": True,
        "metadata": {"order_id": "1001"},
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card"},
        "status": "succeeded",
    } | fields


def refund(**fields: object) -> Fields:
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 1000,
        "charge": "ch_1",
        "created": AT,
        "currency": "eur",
        "metadata": {},
        "payment_intent": "pi_1",
        "status": "succeeded",
    } | fields


def session(**fields: object) -> Fields:
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "amount_total": 4297,
        "client_reference_id": "1001",
        "currency": "eur",
        "livemode": True,
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_method_types": ["card"],
        "payment_status": "paid",
    } | fields


def recorded(payload: Fields) -> PaymentRecorded:
    return only("stripe", payload, PaymentRecorded)


@pytest.mark.parametrize(
    "payload",
    [
        event("invoice.paid", {"object": "invoice", "amount_paid": 4297}),
        event("customer.created", {"object": "customer"}),
        event("charge.dispute.created", {"object": "dispute"}),
        event("charge.updated", charge()),
        event("payment_intent.created", intent("requires_payment_method")),
        event("payment_intent.requires_action", intent("requires_action")),
        event("checkout.session.completed", session(payment_status="unpaid")),
        event(
            "checkout.session.completed", session(payment_intent=None, mode="subscription", amount_total=0)
        ),
        event("checkout.session.expired", session(payment_status="unpaid", payment_intent=None)),
        {"object": "list", "data": [{"object": "product"}]},
        {},
    ],
)
def test_what_moves_no_money_is_ignored(payload: Fields) -> None:
    assert only("stripe", payload, Ignore).reason


def test_an_empty_list_is_ignored() -> None:
    assert only("stripe", {"object": "list", "data": []}, Ignore).reason


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"object": "event", "type": "charge.succeeded"}, "data"),
        (event("charge.succeeded", charge(currency=None)), "data.object.currency"),
        (event("charge.succeeded", charge(currency="euros")), "data.object.currency"),
        (event("charge.succeeded", charge(amount_captured=42.97)), "data.object.amount_captured"),
        (event("charge.succeeded", charge(id=None, payment_intent=None)), "data.object.id"),
        (event("refund.created", refund(amount=None)), "data.object.amount"),
        (event("charge.succeeded", charge(), created="now"), "created"),
    ],
)
def test_an_event_that_cannot_be_read_names_the_field(payload: Fields, field: str) -> None:
    assert fault("stripe", payload) == field


def test_one_payment_told_by_three_events_is_one_fact() -> None:
    records = [
        recorded(event("checkout.session.completed", session())),
        recorded(event("payment_intent.succeeded", intent())),
        recorded(event("charge.succeeded", charge())),
    ]
    assert records[0] == records[1] == records[2]
    assert records[0] == PaymentRecorded(
        channel="sample",
        adapter="stripe",
        channel_order_id="1001",
        payment_id="pi_1",
        parent_id=None,
        kind=PaymentKind.SALE,
        outcome=Outcome.SUCCESS,
        amount=4297,
        currency="EUR",
        method="card",
        test=False,
        occurred_at=AT_UTC,
    )


def test_authorizing_and_capturing_are_facts_of_their_own_each_told_twice() -> None:
    manual = {"capture_method": "manual"}
    authorized = [
        recorded(event("payment_intent.amount_capturable_updated", intent("requires_capture", **manual))),
        recorded(event("charge.succeeded", charge(captured=False, amount_captured=0))),
    ]
    captured = [
        recorded(event("payment_intent.succeeded", intent(**manual, amount_received=4000))),
        recorded(event("charge.captured", charge(amount_captured=4000))),
    ]
    assert authorized[0] == authorized[1]
    assert captured[0] == captured[1]
    assert (authorized[0].payment_id, authorized[0].kind) == ("pi_1", PaymentKind.AUTHORIZATION)
    assert (captured[0].payment_id, captured[0].kind, captured[0].parent_id, captured[0].amount) == (
        "pi_1:capture",
        PaymentKind.CAPTURE,
        "pi_1",
        4000,
    )


@pytest.mark.parametrize(
    ("payload", "kind", "outcome"),
    [
        (event("payment_intent.processing", intent("processing")), PaymentKind.SALE, Outcome.PENDING),
        (
            event("payment_intent.payment_failed", intent("requires_payment_method")),
            PaymentKind.SALE,
            Outcome.FAILURE,
        ),
        (
            event(
                "payment_intent.payment_failed", intent("requires_payment_method", capture_method="manual")
            ),
            PaymentKind.AUTHORIZATION,
            Outcome.FAILURE,
        ),
        (event("payment_intent.canceled", intent("canceled")), PaymentKind.VOID, Outcome.SUCCESS),
        (event("charge.expired", charge(captured=False)), PaymentKind.VOID, Outcome.SUCCESS),
        (event("charge.pending", charge(status="pending")), PaymentKind.SALE, Outcome.PENDING),
        (
            event("charge.failed", charge(status="failed", captured=False)),
            PaymentKind.AUTHORIZATION,
            Outcome.FAILURE,
        ),
        (
            event("checkout.session.async_payment_failed", session(payment_status="unpaid")),
            PaymentKind.SALE,
            Outcome.FAILURE,
        ),
        (
            event("checkout.session.async_payment_succeeded", session()),
            PaymentKind.SALE,
            Outcome.SUCCESS,
        ),
        (charge(), PaymentKind.SALE, Outcome.SUCCESS),
        (intent(), PaymentKind.SALE, Outcome.SUCCESS),
    ],
)
def test_what_happened_and_how_it_ended(payload: Fields, kind: PaymentKind, outcome: Outcome) -> None:
    record = recorded(payload)
    assert (record.kind, record.outcome) == (kind, outcome)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", Outcome.SUCCESS),
        ("pending", Outcome.PENDING),
        ("requires_action", Outcome.PENDING),
        ("failed", Outcome.FAILURE),
        ("canceled", Outcome.FAILURE),
    ],
)
def test_a_refund_names_the_payment_that_it_gives_back(status: str, outcome: Outcome) -> None:
    record = recorded(event("refund.updated", refund(status=status)))
    assert (record.kind, record.payment_id, record.parent_id) == (PaymentKind.REFUND, "re_1", "pi_1")
    assert (record.amount, record.outcome) == (1000, outcome)


def test_the_refunds_listed_in_a_charge_are_recorded_each() -> None:
    both = {"data": [refund(), refund(id="re_2", amount=5)]}
    records = parse("stripe", event("charge.refunded", charge(refunds=both)))
    assert [
        (record.payment_id, record.amount) for record in records if isinstance(record, PaymentRecorded)
    ] == [
        ("re_1", 1000),
        ("re_2", 5),
    ]


def test_refunds_that_are_not_listed_are_to_be_read() -> None:
    fetch = only("stripe", event("charge.refunded", charge(refunds=None)), Fetch)
    assert (fetch.resource, fetch.resource_id) == ("refunds", "ch_1")


@pytest.mark.parametrize(
    ("currency", "theirs", "ours"),
    [
        ("eur", 4297, 4297),
        ("jpy", 4297, 4297),
        ("kwd", 42970, 42970),
        ("isk", 429700, 4297),
        ("ugx", 429700, 4297),
        ("mga", 4297, 429700),
    ],
)
def test_amounts_are_ours_where_stripe_counts_other_decimals(currency: str, theirs: int, ours: int) -> None:
    payload = charge(amount=theirs, amount_captured=theirs, currency=currency)
    record = recorded(payload)
    assert (record.amount, record.currency) == (ours, currency.upper())


@pytest.mark.parametrize(
    ("payload", "test"),
    [
        (event("charge.succeeded", charge(livemode=False), livemode=False), True),
        (event("refund.created", refund(), livemode=False), True),
        (event("refund.created", refund()), False),
        (charge(livemode=False), True),
    ],
)
def test_test_mode_is_told(payload: Fields, test: bool) -> None:
    assert recorded(payload).test is test


@pytest.mark.parametrize(
    ("metadata", "order"),
    [({"orderId": 7}, "7"), ({"order": "#1"}, "#1"), ({"cart": "9"}, None), (None, None)],
)
def test_the_order_is_named_where_shops_put_it(metadata: object, order: str | None) -> None:
    assert recorded(charge(metadata=metadata)).channel_order_id == order


def test_what_stands_there_whole_is_named_by_its_id() -> None:
    whole = {"id": "pi_1", "object": "payment_intent"}
    assert recorded(charge(payment_intent=whole)).payment_id == "pi_1"
    assert recorded(session(payment_intent=whole)).payment_id == "pi_1"
    assert recorded(refund(payment_intent=None, charge={"id": "ch_1"})).parent_id == "ch_1"


def test_a_charge_without_an_intent_is_known_by_itself() -> None:
    assert recorded(charge(payment_intent=None)).payment_id == "ch_1"


def test_a_refund_is_of_the_order_that_its_charge_names() -> None:
    (given,) = parse("stripe", event("charge.refunded", charge(refunds={"data": [refund()]})))
    assert isinstance(given, PaymentRecorded)
    assert (given.channel_order_id, given.parent_id, given.payment_id) == ("1001", "pi_1", "re_1")
    assert recorded(event("refund.updated", refund())).channel_order_id is None


@pytest.mark.parametrize(
    "payload",
    [
        {"object": "list", "data": [event("payment_intent.succeeded", intent())]},
        {"detail-type": "payment_intent.succeeded", "detail": event("payment_intent.succeeded", intent())},
    ],
    ids=["a list of events", "an event bus"],
)
def test_an_event_is_the_same_fact_whatever_carries_it(payload: Fields) -> None:
    assert recorded(payload) == recorded(event("payment_intent.succeeded", intent()))


def test_what_a_search_finds_is_read_as_a_list_is() -> None:
    found = {"object": "search_result", "data": [intent()], "has_more": False}
    assert recorded(found) == recorded({"object": "list", "data": [intent()]})


def test_the_refunds_of_a_charge_may_be_listed_bare() -> None:
    bare = recorded(event("charge.refunded", charge(refunds=[refund()])))
    assert bare == recorded(event("charge.refunded", charge(refunds={"object": "list", "data": [refund()]})))


@pytest.mark.parametrize("refunds", [[], None, [{"object": "refund", "amount": 1000}]])
def test_the_refunds_of_a_charge_that_are_not_told_are_to_be_read(refunds: object) -> None:
    fetch = only("stripe", event("charge.refunded", charge(refunds=refunds)), Fetch)
    assert (fetch.resource, fetch.resource_id) == ("refunds", "ch_1")
