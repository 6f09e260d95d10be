"""Time to pay: who has not paid in time is cancelled, who pays at the last moment is not."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.sourcing.handler import handler as sourcing
from oms.events.publish import Queue
from oms.inventory.network import Channel
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Payment, PaymentState
from oms.orders.identity import order_id, shard
from oms.orders.records import Outcome, PaymentKind, PaymentRecorded, RefundRecorded
from oms.orders.status import OrderStatus, order_status
from oms.orders.work import WorkStage, work_stage
from oms.payments.refunds import RefundState
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.configuration import document_of, encode_document
from oms.store.returns import read_refunds
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.cancel_order import cancel_order
from oms.usecases.expire_unpaid import expire_unpaid
from oms.usecases.lift_hold import lift_hold
from oms.usecases.place_order import place_order
from oms.usecases.record_money import record_money
from oms.usecases.release_order import release_order
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
SHOP = Channel("shop-es", "shopify", "iberia", payment_hours=24)
NETWORK = network(channel=SHOP)
DUE = NOW + timedelta(hours=24)
PAID = PaymentRecorded(
    *("shop-es", "shopify", "5001", "p1", None, PaymentKind.SALE, Outcome.SUCCESS, 2000, "EUR", "card"),
    *(False, DUE),
)
BACK = RefundRecorded("shop-es", "shopify", "5001", "r1", "EUR", 2000, (), 0, 0, 0, 0, 0, None, DUE)


def place(table: Table, on_hand: int = 5, **fields: object) -> None:
    fill(table, "A", wh_madrid=on_hand)
    place_order(table, NETWORK, command(line("A", 2), **{"payments": (), **fields}), NOW)


def is_cancelled(table: Table) -> bool:
    return order_status(order_of(table, ID)) is OrderStatus.CANCELLED


def test_an_order_that_is_not_there_is_refused(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        expire_unpaid(table, NETWORK, ID, DUE)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "order_id")


def test_before_its_time_nothing_happens(table: Table) -> None:
    place(table)
    assert work_stage(order_of(table, ID)) == (WorkStage.UNPAID, DUE)
    assert expire_unpaid(table, NETWORK, ID, DUE - timedelta(seconds=1)) is None
    assert not is_cancelled(table)


def test_a_channel_without_a_limit_waits_for_ever(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    place_order(table, network(), command(line("A", 2), payments=()), NOW)
    assert expire_unpaid(table, network(), ID, NOW + timedelta(days=999)) is None
    assert work_stage(order_of(table, ID)) == (WorkStage.HELD, NOW)


def test_in_time_it_is_cancelled_once_and_its_units_are_free(table: Table) -> None:
    place(table)
    assert shelves(table, "A") == {"wh-madrid": (5, 2, 3)}
    done = expire_unpaid(table, NETWORK, ID, DUE)
    assert done is not None and (done.cancelled, done.refund) == (2, None)
    assert is_cancelled(table)
    assert shelves(table, "A") == {"wh-madrid": (5, 0, 5)}
    assert order_of(table, ID).journal[-1].data["reason"] == "expired"
    assert expire_unpaid(table, NETWORK, ID, DUE) is None


def test_what_was_paid_in_part_becomes_due(table: Table) -> None:
    place(table)
    record_money(table, replace(PAID, amount=500), NOW)
    done = expire_unpaid(table, NETWORK, ID, DUE)
    assert done is not None and done.refund is not None and done.refund.amount == 500


@pytest.mark.parametrize("how", ["recorded", "newer version", "authorized"])
def test_who_has_paid_is_not_cancelled(table: Table, how: str) -> None:
    place(table)
    if how == "recorded":
        record_money(table, PAID, NOW)
    else:
        state = PaymentState.CAPTURED if how == "newer version" else PaymentState.AUTHORIZED
        version = "2026-11-22T09:50:00.000Z"
        paid = command(line("A", 2), payments=(Payment("card", 2000, state),), channel_version=version)
        place_order(table, NETWORK, paid, NOW)
    assert work_stage(order_of(table, ID)) == (WorkStage.RELEASE, NOW)
    assert expire_unpaid(table, NETWORK, ID, DUE) is None
    assert not is_cancelled(table)


def test_a_hold_that_a_person_has_lifted_does_not_expire(table: Table) -> None:
    place(table)
    lift_hold(table, ID, "payment", NOW)
    assert expire_unpaid(table, NETWORK, ID, DUE) is None


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: Any) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


def test_a_payment_at_the_same_moment_wins(table: Table) -> None:
    place(table)
    assert expire_unpaid(Racing(table, lambda: record_money(table, PAID, DUE)), NETWORK, ID, DUE) is None
    assert not is_cancelled(table)
    assert len(release_order(table, NETWORK, ID, DUE)) == 1


def test_a_payment_that_loses_the_race_is_due_back(table: Table) -> None:
    place(table)
    record_money(Racing(table, lambda: expire_unpaid(table, NETWORK, ID, DUE)), PAID, DUE)
    (refund,) = read_refunds(table, ID).values()
    assert (refund.id, refund.amount, refund.state) == ("late.p1", 2000, RefundState.DUE)
    assert order_of(table, ID).captured == 2000


def test_late_money_by_a_newer_version_is_due_back(table: Table) -> None:
    place(table)
    expire_unpaid(table, NETWORK, ID, DUE)
    late = command(line("A", 2), channel_version="2026-11-24T00:00:00.000Z")
    place_order(table, NETWORK, late, DUE)
    place_order(table, NETWORK, late, DUE)
    record_money(table, PAID, DUE)
    (refund,) = read_refunds(table, ID).values()
    assert (refund.amount, refund.state) == (2000, RefundState.DUE)


@pytest.mark.parametrize("first", [PAID, BACK])
def test_late_money_that_the_channel_gives_back_itself_is_not_given_twice(
    table: Table, first: PaymentRecorded | RefundRecorded
) -> None:
    place(table)
    expire_unpaid(table, NETWORK, ID, DUE)
    record_money(table, first, DUE)
    record_money(table, BACK if first is PAID else PAID, DUE)
    order = order_of(table, ID)
    assert (order.captured, order.refunded) == (2000, 2000)
    assert all(refund.state is RefundState.SETTLED for refund in read_refunds(table, ID).values())


def test_money_for_units_that_are_kept_is_not_due_back(table: Table) -> None:
    place(table)
    cancel_order(table, NETWORK, ID, CancelRequest(CancelReason.CUSTOMER, {"1": 1}), NOW)
    record_money(table, replace(PAID, amount=1000), NOW)
    assert read_refunds(table, ID) == {}


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_look(table: Table, fault: str) -> None:
    place(table)
    undisturbed = Faults()
    expire_unpaid(Table(undisturbed.wrap(table.client), table.name), NETWORK, ID, DUE)
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        try:
            expire_unpaid(shaky, NETWORK, ID, DUE)
        except (Crash, ReadTimeoutError):
            expire_unpaid(fresh, NETWORK, ID, DUE)
        assert is_cancelled(fresh)
        assert shelves(fresh, "A") == {"wh-madrid": (5, 0, 5)}
        table.client.delete_table(TableName=fresh.name)


def test_the_clock_asks_for_it_and_sourcing_does_it(table: Table) -> None:
    shops = encode_document({SHOP.id: document_of(SHOP)}, 2)
    table.commit(put(keys.snapshot("channel"), shops))
    fill(table, "A", wh_madrid=5)
    due = datetime.now(UTC)  # by the clock that the function goes by
    place_order(table, NETWORK, command(line("A", 2), payments=()), due - timedelta(hours=24))
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://queue.example.test")
    page = Sweep(WorkStage.UNPAID, shard(ID))
    assert sweep_due(table, queue, queue, page, due - timedelta(minutes=1)) == 0
    assert sweep_due(table, queue, queue, page, due) == 1
    (asked,) = (json.loads(entry["MessageBody"]) for entry in receiver.taken)
    assert asked == {"type": "unpaid", "order_id": ID}
    answer = sourcing({"Records": [{"messageId": "m1", "body": json.dumps(asked)}]}, None)
    assert answer == {"batchItemFailures": []}
    assert is_cancelled(table)


def test_what_also_waits_is_looked_at_with_what_waits(table: Table) -> None:
    place(table, on_hand=1)
    stage, _ = work_stage(order_of(table, ID)) or (None, None)
    assert stage is WorkStage.OPEN
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://queue.example.test")
    page = Sweep(WorkStage.OPEN, shard(ID))
    minute = int(shard(ID)) % 15
    sweep_due(table, queue, queue, page, DUE.replace(hour=8, minute=minute))
    sweep_due(table, queue, queue, page, (DUE + timedelta(hours=1)).replace(minute=minute))
    asked = [json.loads(entry["MessageBody"]) for entry in receiver.taken]
    assert asked.count({"type": "unpaid", "order_id": ID}) == 1
