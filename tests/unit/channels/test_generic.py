"""The generic channel: what is no command of ours, and that what we print is read back as it was."""

import json
from datetime import UTC, datetime

import pytest

from oms.channels.canonical import to_document
from oms.channels.generic import ADAPTER
from oms.channels.headers import Headers
from oms.channels.protocol import Command, Inbound
from oms.channels.registry import adapter
from oms.orders.commands import FulfilledBy, Ignore, LineKind, PaymentState, PlaceOrder
from oms.problems import Code, Problem
from tests.unit.channels.test_mangled_payloads import SAMPLES

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

type Fields = dict[str, object]


def line(**fields: object) -> Fields:
    return {
        "channel_line_id": "1",
        "kind": "physical",
        "fulfilled_by": "us",
        "delivery_id": "d1",
        "sku": "MUG",
        "title": "Mug",
        "quantity": 2,
        "unit_price": 1999,
        "amount": 3998,
        "discount": 200,
    } | fields


def order(*lines: Fields, **fields: object) -> Fields:
    """The smallest order: what may be left out is."""
    return {
        "command": "place_order",
        "channel_order_id": "417",
        "channel_version": "2026-11-22T09:29:58Z",
        "order_number": "#417",
        "currency": "EUR",
        "presentment_currency": "EUR",
        "placed_at": "2026-11-22T10:29:58+01:00",
        "customer": {},
        "deliveries": [{"id": "d1", "method": "ship", "shipping": 499}],
        "lines": list(lines) or [line()],
        "discount": 200,
        "shipping": 499,
        "duties": 0,
        "tip": 0,
        "tax": 0,
        "total": 4297,
    } | fields


def without(fields: Fields, *names: str) -> Fields:
    return {name: value for name, value in fields.items() if name not in names}


def parse(payload: object) -> tuple[Command, ...]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return ADAPTER.parse(Inbound("shop-es", "generic", "commands", Headers(), body, NOW))


def placed(payload: object) -> PlaceOrder:
    (command,) = parse(payload)
    assert isinstance(command, PlaceOrder)
    return command


BAD: dict[str, tuple[object, str]] = {
    "no command": (without(order(), "command"), "command"),
    "an unknown command": (order(command="make_coffee"), "command"),
    "a command that is a number": (order(command=7), "command"),
    "a text": ("place_order", "body"),
    "no order id": (without(order(), "channel_order_id"), "channel_order_id"),
    "a blank order id": (order(channel_order_id=" "), "channel_order_id"),
    "no total": (without(order(), "total"), "total"),
    "a total with cents": (order(total=42.97), "total"),
    "a total that is a word": (order(total="free"), "total"),
    "a currency that is none": (order(currency="euro"), "currency"),
    "a time that is none": (order(placed_at="soon"), "placed_at"),
    "no customer": (without(order(), "customer"), "customer"),
    "lines that are no list": (order(lines={"1": line()}), "lines"),
    "a line that is no object": (order(lines=[line(), "x"]), "lines[1]"),
    "a line of an unknown kind": (order(line(), line(kind="fluid")), "lines[1].kind"),
    "a line without quantity": (order(without(line(), "quantity")), "lines[0].quantity"),
    "a negative quantity": (order(line(quantity=-1)), "lines[0].quantity"),
    "half a unit cancelled": (order(line(cancelled=0.5)), "lines[0].cancelled"),
    "a negative count": (order(line(shipped=-1)), "lines[0].shipped"),
    "a flag that is a number": (order(test=7), "test"),
    "a delivery that is not there": (order(line(delivery_id="d2")), "lines[0].delivery_id"),
    "a parent that is not there": (order(line(parent_line_id="7")), "lines[0].parent_line_id"),
    "a delivery by an unknown method": (
        order(deliveries=[{"id": "d1", "method": "owl"}]),
        "deliveries[0].method",
    ),
    "a payment without an amount": (
        order(payments=[{"method": "card", "state": "captured"}]),
        "payments[0].amount",
    ),
    "a parcel of no number and no order": (
        {"command": "tracking_recorded", "status": "delivered", "occurred_at": "2026-11-22T09:30:00Z"},
        "tracking_number",
    ),
    "a listing without an id": (
        {"command": "listing_recorded", "sku": "MUG", "as_of": "2026-11-22T09:30:00Z"},
        "item_id",
    ),
    "a list with something else": ([order(), 7], "[1]"),
}


@pytest.mark.parametrize(("payload", "field"), BAD.values(), ids=BAD.keys())
def test_what_is_no_command_of_ours_is_a_problem_that_names_the_field(payload: object, field: str) -> None:
    with pytest.raises(Problem) as problem:
        parse(payload)
    assert problem.value.code in (Code.FIELD_INVALID, Code.FIELD_MISSING)
    assert problem.value.field == field


@pytest.mark.parametrize(
    "body", [b"", b"{", b"not JSON\nat all", b'{"command":"ignore","reason":"a"}\n{"comm']
)
def test_what_is_no_json_is_a_problem(body: bytes) -> None:
    with pytest.raises(Problem) as problem:
        parse(body)
    assert problem.value.code is Code.BAD_REQUEST


@pytest.mark.parametrize("body", [[], {}, [{}]])
def test_a_body_that_holds_nothing_is_ignored_for_a_reason(body: object) -> None:
    assert parse(body) == (Ignore("the body holds no command"),)


def test_what_may_be_left_out_is_nothing() -> None:
    command = placed(order())
    assert (command.channel, command.adapter) == ("shop-es", "generic")
    assert (command.test, command.cancelled, command.tax_included, command.billing) == (
        False,
        False,
        False,
        None,
    )
    assert (command.payments, command.fees, command.replaces) == ((), (), None)
    (only,) = command.lines
    assert (only.kind, only.fulfilled_by, only.shipped, only.properties) == (
        LineKind.PHYSICAL,
        FulfilledBy.US,
        None,
        {},
    )
    assert command.balanced


@pytest.mark.parametrize("title", [{}, {"title": None}, {"title": ""}], ids=["left out", "null", "empty"])
def test_a_title_that_is_left_out_is_empty(title: Fields) -> None:
    fees = [{"amount": 0} | title]
    command = placed(order(without(line(), "title") | title, fees=fees))
    assert (command.lines[0].title, command.fees[0].title) == ("", "")


def test_who_sends_is_known_by_the_signature_and_not_by_the_body() -> None:
    command = placed(order(channel="shop-of-another", adapter="shopify"))
    assert (command.channel, command.adapter) == ("shop-es", "generic")


@pytest.mark.parametrize(
    "fields", [{"total": 4298}, {"tax": 1}, {"discount": 0}, {"shipping": 0}, {"tip": 1}], ids=repr
)
def test_whether_an_order_adds_up_is_judged_here(fields: Fields) -> None:
    command = placed(order(balanced=True, **fields))
    assert not command.balanced
    assert placed(order(balanced=False)).balanced


def test_quantities_and_prices_may_be_parts() -> None:
    (only,) = placed(order(line(quantity="1.50", unit_price=2665.3333, amount="3998"))).lines
    assert (only.quantity, only.unit_price, only.amount) == ("1.5", "2665.3333", 3998)
    (whole,) = placed(order(line(quantity=2.0))).lines
    assert whole.quantity == 2


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("9", "10"),
        ("2026-11-22T09:00:00Z", "2026-11-22T09:00:00.500Z"),
        ("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:01Z"),
        ("rev-a", "rev-b"),
    ],
)
def test_versions_sort_as_texts_do(older: str, newer: str) -> None:
    first, second = (placed(order(channel_version=version)).channel_version for version in (older, newer))
    assert first < second
    assert len(first) == len(second)
    assert placed(order(channel_version=first)).channel_version == first


def test_several_commands_come_in_a_list_or_one_a_line_and_one_as_the_data_of_a_message() -> None:
    first, second = order(), order(channel_order_id="418")
    both = (placed(first), placed(second))
    assert parse([first, second]) == both
    assert parse(json.dumps(first).encode() + b"\n\n" + json.dumps(second).encode() + b"\n") == both
    assert parse(json.dumps(first, indent=2).encode()) == both[:1]
    message = {"type": "order.placed", "timestamp": "2026-11-22T09:30:00Z", "data": first}
    assert parse(message) == both[:1]


OTHERS: list[Fields] = [
    {"command": "cancel_order", "channel_order_id": "417", "channel_version": "7", "reason": None,
     "cancelled_at": "2026-11-22T09:30:00.000Z"},
    {"command": "fetch", "resource": "order", "resource_id": "417"},
    {"command": "ignore", "reason": "a test"},
    {"command": "payment_recorded", "channel_order_id": "417", "payment_id": "p", "parent_id": None,
     "kind": "capture", "outcome": "success", "amount": 4297, "currency": "EUR", "method": "card",
     "test": False, "occurred_at": "2026-11-22T09:30:00.000Z"},
    {"command": "return_recorded", "channel_order_id": "417", "return_id": "r", "status": "open",
     "lines": [{"return_line_id": "a", "channel_line_id": "1", "quantity": 1, "reason": None, "notes": None}],
     "reason": None, "occurred_at": "2026-11-22T09:30:00.000Z"},
    {"command": "privacy_requested", "kind": "erase_customer", "customer": {"id": "7", "name": None,
     "email": None, "phone": None, "locale": None}, "orders": ["417", "418"],
     "requested_at": "2026-11-22T09:30:00.000Z"},
]  # fmt: skip


@pytest.mark.parametrize("document", OTHERS, ids=lambda document: str(document["command"]))
def test_every_command_is_read_as_it_is_printed(document: Fields) -> None:
    (command,) = parse(document)
    printed = to_document(command)
    again = {key: printed[key] for key in document if key != "channel_version"}
    assert again == without(document, "channel_version")
    assert parse(printed) == (command,)


@pytest.mark.parametrize(("kind", "topic", "payload"), SAMPLES, ids=lambda value: str(value)[:20])
def test_what_other_channels_become_is_read_back_as_it_was_printed(
    kind: str, topic: str, payload: object
) -> None:
    body = json.dumps(payload).encode()
    commands = adapter(kind).parse(Inbound("shop-es", kind, topic, Headers(), body, NOW))
    printed = [to_document(command) for command in commands]
    again = [to_document(command) for command in parse(printed)]
    assert again == [
        document | {"adapter": "generic"} if "adapter" in document else document for document in printed
    ]


def test_payments_keep_their_state() -> None:
    payment = {"method": "card", "amount": 4297, "state": "authorized"}
    assert [paid.state for paid in placed(order(payments=[payment])).payments] == [PaymentState.AUTHORIZED]
