"""Money on the table: recorded once whatever fails, settled by whoever gives it back, through intake."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from oms.channels.canonical import to_document
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.inventory.network import Channel
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import CancelOrder, Payment, PaymentState
from oms.orders.identity import order_id
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.payments.refunds import RefundState
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.configuration import document_of, encode_document
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.store.writes import Write, put
from oms.usecases.cancel_order import cancel_by_channel, cancel_order
from oms.usecases.place_order import place_order
from oms.usecases.record_money import linked, record_money
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(hours=1)
EVENTS = Path(__file__).parents[2] / "events"
PAID = PaymentRecorded(
    *("shop-es", "generic", "5001", "p1", None, PaymentKind.SALE, Outcome.SUCCESS),
    *(2000, "EUR", "card", False, LATER),
)
BACK = RefundRecorded("shop-es", "generic", "5001", "r1", "EUR", 1000, (), 0, 0, 0, 0, 0, None, LATER)
UNPAID = command(line("A", 2), payments=())


def place(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    place_order(table, network(), UNPAID, NOW)


def lived(table: Table, shaky: Table) -> None:
    """Paid, a unit cancelled, given back by the channel; whatever fails is told again in peace."""
    wish = CancelRequest(CancelReason.CUSTOMER, {"1": 1}, "v1")
    steps: list[Callable[[Table], object]] = [
        lambda on: record_money(on, PAID, LATER),
        lambda on: cancel_order(on, network(), ID, wish, LATER),
        lambda on: record_money(on, BACK, LATER),
    ]
    for step in steps:
        try:
            step(shaky)
        except (Crash, ReadTimeoutError):
            step(table)
        step(table)


def test_money_that_names_no_order_is_refused(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        record_money(table, replace(PAID, channel_order_id=None), LATER)
    assert (refused.value.code, refused.value.field) == (Code.UNSUPPORTED, "channel_order_id")


def amounts(table: Table) -> tuple[int, int, tuple[str, ...]]:
    """Captured and refunded amounts, and the holds."""
    order = order_of(table, ID)
    return order.captured, order.refunded, order.holds


ALL = {"order": None, "paid": PAID, "back": BACK, "paid again": PAID}


@pytest.mark.parametrize("told", list(permutations(ALL)), ids=", ".join)
def test_money_and_its_order_may_come_in_any_order(table: Table, told: tuple[str, ...]) -> None:
    for name in told:
        record = ALL[name]
        if record is None:
            place(table)
        else:
            record_money(table, record, LATER)
    assert amounts(table)[:2] == (2000, 1000)
    assert [known.code for known in order_of(table, ID).exceptions] == ["channel_reduced"]
    assert len(table.query(keys.order(ID), keys.PAYMENT)) == 1
    states = {refund.id: refund.state for refund in read_refunds(table, ID).values()}
    assert states == {"channel.r1": RefundState.SETTLED}


def test_what_is_paid_before_it_comes_is_not_held(table: Table) -> None:
    assert record_money(table, PAID, NOW) is None
    place(table)
    assert amounts(table) == (2000, 0, ())
    kinds = [kind for entry in order_of(table, ID).journal for kind in entry.kinds]
    assert kinds == ["placed", "payment_recorded"]


def test_a_payment_that_was_only_pending_keeps_the_hold(table: Table) -> None:
    record_money(table, replace(PAID, outcome=Outcome.PENDING), NOW)
    place(table)
    assert amounts(table) == (0, 0, ("payment",))
    record_money(table, PAID, LATER)
    assert amounts(table) == (2000, 0, ())


@pytest.mark.parametrize("paid_first", [True, False])
def test_what_was_paid_and_cancelled_before_it_comes_is_due_back(table: Table, paid_first: bool) -> None:
    version = "2026-11-22T09:40:00.000Z"
    cancel = CancelOrder("shop-es", "generic", "5001", version, "customer", LATER)
    said: list[Callable[[], object]] = [
        lambda: record_money(table, PAID, NOW),
        lambda: cancel_by_channel(table, network(), cancel, NOW),
    ]
    for say in said if paid_first else reversed(said):
        say()
    place(table)
    (refund,) = read_refunds(table, ID).values()
    assert (refund.amount, refund.state, amounts(table)[0]) == (2000, RefundState.DUE, 2000)
    assert shelves(table, "A") == {"wh-madrid": (5, 0, 5)}


def test_an_order_that_comes_at_the_same_moment_is_paid(table: Table) -> None:
    assert record_money(Racing(table, lambda: place(table)), PAID, LATER) is not None
    assert amounts(table) == (2000, 0, ())


def test_money_that_comes_while_its_order_is_placed_is_not_lost(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    place_order(Racing(table, lambda: record_money(table, PAID, LATER)), network(), UNPAID, NOW)
    assert amounts(table) == (2000, 0, ())


def test_a_provider_names_the_channel_whose_orders_it_is_paid_for() -> None:
    linked_to = replace(network(), channels={"pay": Channel("pay", "stripe", "iberia", orders_of="shop-es")})
    assert linked(replace(PAID, channel="pay"), linked_to) == PAID
    assert linked(PAID, network()) == PAID
    assert linked(replace(PAID, channel="other"), linked_to).channel == "other"


@pytest.mark.parametrize(
    ("prefix", "said", "expected"),
    [
        (None, "WC-5001", "WC-5001"),
        ("WC-", "WC-5001", "5001"),
        ("WC-", "5001", "5001"),
        ("WC-", "OTHER-WC-5001", "OTHER-WC-5001"),
        ("WC-", "WC-", None),
        ("WC-", None, None),
    ],
)
def test_a_provider_may_have_a_prefix_before_the_id_of_an_order(
    prefix: str | None, said: str | None, expected: str | None
) -> None:
    provider = Channel("pay", "paypal", "iberia", orders_of="shop-es", order_prefix=prefix)
    found = linked(
        replace(PAID, channel="pay", channel_order_id=said), replace(network(), channels={"pay": provider})
    )
    assert (found.channel, found.channel_order_id) == ("shop-es", expected)


def test_an_event_of_paypal_finds_the_order_that_its_invoice_names(table: Table) -> None:
    provider = Channel("pay", "paypal", "iberia", orders_of="shop-es", order_prefix="WC-")
    channels = {name: document_of(one) for name, one in {**network().channels, "pay": provider}.items()}
    table.commit(put(keys.snapshot("channel"), encode_document(channels, 2)))
    place(table)
    event = json.loads((EVENTS / "paypal_payment_capture_completed.json").read_text())
    paid = json.loads(event["body"])
    paid["resource"] |= {"custom_id": None, "invoice_id": "WC-5001"}
    paid["resource"]["amount"] = {"currency_code": "EUR", "value": "20.00"}
    (sample,) = json.loads((EVENTS / "intake.json").read_text())["Records"]
    body = seal("pay", adapter("paypal"), Headers(()), json.dumps(paid).encode(), LATER)
    assert intake({"Records": [sample | {"body": body}]}, None) == {"batchItemFailures": []}
    assert amounts(table)[:2] == (2000, 0)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    place(table)
    undisturbed = Faults()
    lived(table, Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        lived(fresh, Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        order = order_of(fresh, ID)
        assert (order.captured, order.refunded, order.holds) == (2000, 1000, ())
        refunds = read_refunds(fresh, ID)
        assert {refund.id: refund.state for refund in refunds.values()} == {
            "cancel.3": RefundState.SETTLED,
            "channel.r1": RefundState.SETTLED,
        }
        table.client.delete_table(TableName=fresh.name)


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: Write) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


def test_the_same_payment_at_once_counts_once(table: Table) -> None:
    place(table)
    assert record_money(Racing(table, lambda: record_money(table, PAID, LATER)), PAID, LATER) is None
    assert order_of(table, ID).captured == 2000
    assert len(table.query(keys.order(ID), keys.PAYMENT)) == 1


def test_two_payments_at_once_both_count(table: Table) -> None:
    place(table)
    half = replace(PAID, amount=1000)
    other = replace(half, payment_id="p2")
    record_money(Racing(table, lambda: record_money(table, other, LATER)), half, LATER)
    assert (order_of(table, ID).captured, order_of(table, ID).holds) == (2000, ())


def test_what_a_newer_version_gives_back_settles_what_is_due(table: Table) -> None:
    place(table)
    record_money(table, PAID, LATER)
    cancel_order(table, network(), ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), LATER)
    payments = (Payment("card", 1000, PaymentState.CAPTURED), Payment("card", 1000, PaymentState.REFUNDED))
    newer = replace(UNPAID, payments=payments, channel_version="2026-11-22T09:50:00.000Z")
    place_order(table, network(), newer, LATER)
    (refund,) = read_refunds(table, ID).values()
    assert (refund.state, order_of(table, ID).refunded) == (RefundState.SETTLED, 1000)


def test_intake_records_money_once_also_what_comes_before_its_order(table: Table) -> None:
    event: dict[str, Any] = json.loads((EVENTS / "intake.json").read_text())
    (record,) = event["Records"]
    bodies = [json.dumps(to_document(said)).encode() for said in (PAID, BACK, PAID)]
    event["Records"] = [
        record
        | {
            "messageId": f"m{number}",
            "body": seal("shop-es", adapter("generic"), Headers(()), body, datetime.now(UTC)),
        }
        for number, body in enumerate(bodies)
    ]
    assert intake(event, None) == {"batchItemFailures": []}
    place(table)
    assert intake(event, None) == {"batchItemFailures": []}
    order = order_of(table, ID)
    assert (order.captured, order.refunded) == (2000, 1000)
