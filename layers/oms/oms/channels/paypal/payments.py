"""PayPal's events as payments recorded: those of its present API (v2) and of the one before (v1)."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from oms.channels.amounts import whole
from oms.channels.currencies import require_currency
from oms.channels.payload import Node, loads
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Ignore
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded
from oms.problems import Problem

type Fact = tuple[PaymentKind, Outcome]

EVENTS: tuple[tuple[str, Fact], ...] = (
    ("PAYMENT.AUTHORIZATION.CREATED", (PaymentKind.AUTHORIZATION, Outcome.SUCCESS)),
    ("PAYMENT.AUTHORIZATION.VOIDED", (PaymentKind.VOID, Outcome.SUCCESS)),
    ("PAYMENT.CAPTURE.COMPLETED", (PaymentKind.CAPTURE, Outcome.SUCCESS)),
    ("PAYMENT.CAPTURE.PENDING", (PaymentKind.CAPTURE, Outcome.PENDING)),
    ("PAYMENT.CAPTURE.DE*", (PaymentKind.CAPTURE, Outcome.FAILURE)),
    ("PAYMENT.CAPTURE.RE*", (PaymentKind.REFUND, Outcome.SUCCESS)),
    ("PAYMENT.SALE.COMPLETED", (PaymentKind.SALE, Outcome.SUCCESS)),
    ("PAYMENT.SALE.PENDING", (PaymentKind.SALE, Outcome.PENDING)),
    ("PAYMENT.SALE.DENIED", (PaymentKind.SALE, Outcome.FAILURE)),
    ("PAYMENT.SALE.RE*", (PaymentKind.REFUND, Outcome.SUCCESS)),
    ("PAYMENT.REFUND.COMPLETED", (PaymentKind.REFUND, Outcome.SUCCESS)),
    ("PAYMENT.REFUND.PENDING", (PaymentKind.REFUND, Outcome.PENDING)),
    ("PAYMENT.REFUND.*", (PaymentKind.REFUND, Outcome.FAILURE)),
)
"""What happened to the resource of an event. DE.. is denied or declined, RE.. refunded or reversed."""

PARTS: dict[str, PaymentKind] = {
    "authorizations": PaymentKind.AUTHORIZATION,
    "captures": PaymentKind.CAPTURE,
    "refunds": PaymentKind.REFUND,
}
"""Payments inside of an order, by the list that holds them."""

MARKS: dict[tuple[str, ...], PaymentKind] = {
    ("seller_payable_breakdown",): PaymentKind.REFUND,
    ("final_capture", "seller_receivable_breakdown"): PaymentKind.CAPTURE,
    ("expiration_time",): PaymentKind.AUTHORIZATION,
}
"""What a payment on its own is, by fields of its own kind."""

SESSION = "pcp_customer_"
"""How WooCommerce's extension names a customer in place of an order that is not there yet."""

OUTCOMES = {
    "PENDING": Outcome.PENDING,
    "DENIED": Outcome.FAILURE,
    "DECLINED": Outcome.FAILURE,
    "FAILED": Outcome.FAILURE,
    "CANCELLED": Outcome.FAILURE,
}
"""Outcomes by a payment's status; every other status follows success."""


def _events(message: Inbound, body: Node) -> Iterator[Command]:
    for event in (node for node in body.objects() if node.has("event_type") and node.has("resource")):
        name = event.need(Node.text, "event_type")
        resource = event.need(Node.child, "resource")
        facts = [fact for pattern, fact in EVENTS if fnmatchcase(name, pattern)]
        if facts:
            kind, outcome = facts[0]
            yield _recorded(message, event, resource, resource, kind, outcome)
            continue
        paid = [command for unit in _units(resource) for command in _parts(message, event, unit)]
        yield from paid or [Ignore(f"{name}: no money has moved by it")]


def _orders(message: Inbound, body: Node) -> Iterator[Command]:
    """Orders as the API returns them."""
    for order in (node for node in body.objects() if node.has("purchase_units")):
        for unit in _units(order):
            yield from _parts(message, body, unit)


def _resources(message: Inbound, body: Node) -> Iterator[Command]:
    """Payments as the API returns them on their own: fields of their own show what they are."""
    for node in body.items():
        kinds = (kind for marks, kind in MARKS.items() if any(map(node.has, marks)))
        kind = next(kinds, None)
        if kind is not None and node.has("id") and node.has("status"):
            outcome = OUTCOMES.get(node.text("status") or "", Outcome.SUCCESS)
            yield _recorded(message, node, node, node, kind, outcome)


def _units(resource: Node) -> tuple[Node, ...]:
    return resource.children("purchase_units") if resource.has("purchase_units") else ()


def _parts(message: Inbound, event: Node, unit: Node) -> Iterator[Command]:
    payments = unit.child("payments") or Node({})
    for key, kind in PARTS.items():
        for payment in payments.children(key):
            outcome = OUTCOMES.get(payment.text("status") or "", Outcome.SUCCESS)
            yield _recorded(message, event, payment, unit, kind, outcome)


def _recorded(
    message: Inbound, event: Node, payment: Node, sale: Node, kind: PaymentKind, outcome: Outcome
) -> PaymentRecorded:
    """A fact about a payment; `sale` is what names the shop's order when the payment does not."""
    money = payment.need(Node.child, "amount")
    code = money.need(Node.text, "currency_code", "currency")
    currency = require_currency(code, money.at("currency_code"))
    payment_id = payment.need(Node.text, "id")
    voided = kind is PaymentKind.VOID
    return PaymentRecorded(
        channel=message.channel,
        adapter=message.adapter,
        channel_order_id=_order_id(payment) or _order_id(sale),
        payment_id=f"{payment_id}:{kind}" if voided else payment_id,
        parent_id=payment_id if voided else _parent(payment, kind),
        kind=kind,
        outcome=outcome,
        # The former API gives refunds as negative amounts.
        amount=abs(whole(money, currency, "value", "total")),
        currency=currency,
        method="paypal",
        test=_sandbox(event),
        occurred_at=payment.time("update_time")
        or payment.time("create_time")
        or event.time("create_time")
        or message.received_at,
    )


def _order_id(node: Node) -> str | None:
    """The shop's own id, from the field that it used for that; v1 names the fields otherwise."""
    reference = node.text("reference_id")
    named = (_named(node.text(key)) for key in ("custom_id", "invoice_id", "custom", "invoice_number"))
    return next(filter(None, named), None) or (None if reference == "default" else reference)


def _named(text: str | None) -> str | None:
    """An id as a shop has written it: plain, or as `order_id` of an object; None when it names a session."""
    if text is None or text.startswith(SESSION):
        return None
    if not text.startswith("{"):
        return text
    try:
        return Node(loads(text.encode())).identifier("order_id")
    except Problem:
        return text


def _parent(payment: Node, kind: PaymentKind) -> str | None:
    """What a capture captured or a refund gave back."""
    related = (payment.child("supplementary_data") or Node({})).child("related_ids") or Node({})
    if kind is PaymentKind.CAPTURE:
        return related.text("authorization_id")
    if kind is not PaymentKind.REFUND:
        return payment.text("parent_payment")
    above = [link.text("href") for link in payment.children("links") if link.text("rel") == "up"]
    named = payment.text("capture_id") or payment.text("sale_id") or related.text("capture_id")
    return named or next((href.rpartition("/")[2] for href in above if href), None)


def _sandbox(event: Node) -> bool:
    return any(
        "sandbox.paypal.com" in (link.text("href") or "")
        for node in event.objects()
        for link in (node.children("links") if node.has("links") else ())
    )


def _anything(message: Inbound, body: Node) -> Iterator[Command]:
    readings = (_events, _orders, _resources)
    yield from next(filter(None, (list(reading(message, body)) for reading in readings)), [])


RULES: Rules = (("*", _anything),)
"""What is in the payload decides: an event, wherever it stands, or an order."""
