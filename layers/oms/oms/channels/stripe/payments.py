"""Stripe's objects as payments recorded.

A payment is known by its payment intent: the checkout session, the intent and the charge tell of the same
money, each in an event of its own, and must be recorded as one. Capturing and voiding it are further facts.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

from oms.channels.currencies import EXPONENTS, require_currency
from oms.channels.payload import Node
from oms.channels.protocol import Command, Inbound
from oms.channels.reading import Rules
from oms.orders.commands import Fetch, Ignore
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded
from oms.values import frozen, replace

THEIR_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Decimals of the amounts that Stripe counts otherwise than ISO 4217 does."""

ORDER_KEYS = ("order_id", "orderId", "order", "order_number")
"""Metadata in which shops name their order."""

REFUNDS = {
    "succeeded": Outcome.SUCCESS,
    "pending": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "failed": Outcome.FAILURE,
    "canceled": Outcome.FAILURE,
}


@frozen
class Happening:
    """An event: its type ("" for an object on its own), when it happened, and whether with real money."""

    message: Inbound
    type: str
    at: datetime | None
    live: bool

    @classmethod
    def of(cls, message: Inbound, body: Node) -> "Happening":
        """What a payload says around its object."""
        event = body.get("object") == "event"
        live = body.flag("livemode") if body.has("livemode") else True
        return cls(
            message,
            type=body.need(Node.text, "type") if event else "",
            at=body.unix_time("created") if event else None,
            live=live,
        )


LISTS = ("list", "search_result")


def _objects(message: Inbound, body: Node) -> Iterator[Command]:
    """An event, also as an event bus carries it, an object on its own, or a list of either."""
    entries = body.children("data") if body.get("object") in LISTS else (_delivered(body),)
    for entry in entries:
        happening = Happening.of(message, entry)
        node = entry
        if entry.get("object") == "event":
            node = entry.need(Node.child, "data").need(Node.child, "object")
        reading = READINGS.get(node.text("object") or "")
        if reading is None:
            yield Ignore(f"{happening.type or node.text('object')}: moves no money of an order")
        else:
            yield from reading(happening, node)


def _delivered(body: Node) -> Node:
    return (body.child("detail") if body.has("detail-type") else None) or body


def _intent(happening: Happening, node: Node) -> Iterator[Command]:
    manual = node.text("capture_method") == "manual"
    status = node.text("status")
    intent = node.need(Node.text, "id")
    first = PaymentKind.AUTHORIZATION if manual else PaymentKind.SALE
    match status:
        case "succeeded" if manual:
            yield _recorded(happening, node, intent, PaymentKind.CAPTURE, Outcome.SUCCESS, "amount_received")
        case "succeeded":
            yield _recorded(happening, node, intent, first, Outcome.SUCCESS, "amount_received")
        case "requires_capture":
            yield _recorded(
                happening,
                node,
                intent,
                PaymentKind.AUTHORIZATION,
                Outcome.SUCCESS,
                "amount_capturable",
            )
        case "processing":
            yield _recorded(happening, node, intent, first, Outcome.PENDING)
        case "canceled":
            yield _recorded(happening, node, intent, PaymentKind.VOID, Outcome.SUCCESS)
        case _ if happening.type == "payment_intent.payment_failed":
            yield _recorded(happening, node, intent, first, Outcome.FAILURE)
        case _:
            yield Ignore(f"a payment intent that is {status}: no money has moved yet")


def _charge(happening: Happening, node: Node) -> Iterator[Command]:
    intent = _named(node, "payment_intent") or node.need(Node.text, "id")
    status = node.text("status")
    first = PaymentKind.SALE if node.flag("captured") else PaymentKind.AUTHORIZATION
    match happening.type:
        case "charge.captured":
            yield _recorded(happening, node, intent, PaymentKind.CAPTURE, Outcome.SUCCESS, "amount_captured")
        case "charge.expired":
            yield _recorded(happening, node, intent, PaymentKind.VOID, Outcome.SUCCESS)
        case "charge.refunded":
            yield from _refunds_of(happening, node)
        case "charge.succeeded" | "charge.pending" | "charge.failed" | "":
            outcome = {"succeeded": Outcome.SUCCESS, "pending": Outcome.PENDING}.get(
                status or "", Outcome.FAILURE
            )
            amounts = ["amount_captured"] if node.flag("captured") else []
            yield _recorded(happening, node, intent, first, outcome, *amounts)
        case other:
            yield Ignore(f"{other}: moves no money")


def _refunds_of(happening: Happening, node: Node) -> Iterator[Command]:
    """The refunds of a charge; the first versions of the API list them bare, later ones do not list them."""
    listed = node if isinstance(node.get("refunds"), list) else node.child("refunds") or Node({})
    refunds = listed.children("refunds" if listed is node else "data")
    told = bool(refunds) and all(refund.has("id") for refund in refunds)
    for refund in refunds if told else ():
        yield from _refund(happening, refund, node)
    if not told:
        message = happening.message
        yield Fetch(message.channel, message.adapter, "refunds", node.need(Node.text, "id"))


def _refund(happening: Happening, node: Node, charge: Node | None = None) -> Iterator[Command]:
    outcome = REFUNDS.get(node.text("status") or "succeeded", Outcome.PENDING)
    parent = _named(node, "payment_intent") or _named(node, "charge")
    refund = node.need(Node.text, "id")
    given = _recorded(happening, node, refund, PaymentKind.REFUND, outcome, parent=parent)
    # Shops name their order on the charge, seldom on its refunds.
    named = given.channel_order_id or (_order_id(charge) if charge else None)
    yield replace(given, channel_order_id=named)


def _session(happening: Happening, node: Node) -> Iterator[Command]:
    intent = _named(node, "payment_intent")
    failed = happening.type == "checkout.session.async_payment_failed"
    if intent is None or not (failed or node.text("payment_status") == "paid"):
        yield Ignore("a checkout session that has moved no money")
        return
    outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
    yield _recorded(happening, node, intent, PaymentKind.SALE, outcome, "amount_total")


def _recorded(
    happening: Happening,
    node: Node,
    payment: str,
    kind: PaymentKind,
    outcome: Outcome,
    *amounts: str,
    parent: str | None = None,
) -> PaymentRecorded:
    """A fact about a payment.

    Args:
        happening: the event.
        node: the object.
        payment: id of the payment, or of the refund.
        kind: what was done.
        outcome: how it ended.
        amounts: fields that may hold the amount; `amount` is the last of them.
        parent: what a refund gives back.
    """
    currency = require_currency(node.need(Node.text, "currency").upper(), node.at("currency"))
    later = kind in (PaymentKind.CAPTURE, PaymentKind.VOID)
    created = node.unix_time("created")
    return PaymentRecorded(
        channel=happening.message.channel,
        adapter=happening.message.adapter,
        channel_order_id=_order_id(node),
        payment_id=f"{payment}:{kind}" if later else payment,
        parent_id=payment if later else parent,
        kind=kind,
        outcome=outcome,
        amount=_minor(node, currency, *amounts, "amount"),
        currency=currency,
        method=_method(node),
        test=not (node.flag("livemode") if node.has("livemode") else happening.live),
        occurred_at=happening.at or created or happening.message.received_at,
    )


def _order_id(node: Node) -> str | None:
    """The shop's id of the order, where it has written it."""
    metadata = node.child("metadata") or Node({})
    named = (metadata.plain(key) for key in ORDER_KEYS)
    return node.text("client_reference_id") or next(filter(None, named), None)


def _named(node: Node, key: str) -> str | None:
    """The id of another object, which may stand there whole."""
    whole = node.child(key) if isinstance(node.get(key), dict) else None
    return whole.text("id") if whole else node.text(key)


def _minor(node: Node, currency: str, *keys: str) -> int:
    """An amount in our minor units, from Stripe's."""
    amount = node.need(Node.integer, *keys)
    ours = EXPONENTS.get(currency, 2)
    return int(Decimal(amount).scaleb(ours - THEIR_EXPONENTS.get(currency, ours)))


def _method(node: Node) -> str | None:
    details = node.child("payment_method_details")
    types = node.get("payment_method_types")
    named = types[0] if isinstance(types, list) and types else None
    return (details.text("type") if details else None) or (named if isinstance(named, str) else None)


READINGS: dict[str, Callable[[Happening, Node], Iterator[Command]]] = {
    "payment_intent": _intent,
    "charge": _charge,
    "refund": _refund,
    "checkout.session": _session,
}
"""By the object's own name. Invoices and subscriptions are paid by payment intents of their own."""

RULES: Rules = (("*", _objects),)
"""The object inside says what it is; its event only says what has just happened to it."""
