"""Cancelling on the table: crashes, repetitions, races with release and shipment, cost, both doors."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from oms.channels.canonical import to_document
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.events.derive import events
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import FulfillmentState
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import (
    CancelOrder,
    Delivery,
    FulfilledBy,
    LineKind,
    Method,
    Payment,
    PaymentState,
    PlaceOrder,
)
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.status import OrderStatus, order_status
from oms.problems import Code, Problem
from oms.returns.model import ReturnState
from oms.store import keys, queries
from oms.store.errors import Busy
from oms.store.meter import Meter
from oms.store.returns import read_refunds, read_returns
from oms.store.table import Table
from oms.store.writes import Write, limit, put, remove
from oms.usecases.cancel_order import Cancelled, cancel_by_channel, cancel_order
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import place_orders
from oms.usecases.races import TRIES
from oms.usecases.record_fulfillment import Recorded, record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.rest import Rest
from tests.shelves import assert_balanced, fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(hours=1)
EVENTS = Path(__file__).parents[2] / "events"
ALL = CancelRequest(CancelReason.CUSTOMER)
ONE = replace(ALL, units={"1": 1})


def place(table: Table, units: int = 2, **fields: object) -> None:
    """An order of so many A (Madrid has two), of which one may be backordered, and one B at the store."""
    fill(table, "A", wh_madrid=2)
    fill(table, "B", st_gracia=1)
    table.commit(limit("A", "iberia", 1))
    sent = command(line("A", units), line("B", 1, number=2), **fields)
    place_order(table, network(), sent, NOW)


def cancel(table: Table, wish: CancelRequest = ALL) -> Cancelled:
    return cancel_order(table, network(), ID, wish, LATER)


def said(version: str = "2026-11-22T09:40:00.000Z") -> CancelOrder:
    return CancelOrder("shop-es", "generic", "5001", version, "customer", LATER)


def by_channel(table: Table, version: str = "2026-11-22T09:40:00.000Z") -> Cancelled:
    done = cancel_by_channel(table, network(), said(version), LATER)
    assert done is not None
    return done


def report(table: Table, kind: FactKind, *packages: Package, work: str = "2-1", **fields: object) -> Recorded:
    fact = FulfillmentFact(f"m-{kind}-{work}", kind, LATER, ID, work, packages)
    return record_fulfillment(table, replace(fact, **fields), LATER)  # type: ignore[arg-type]


def release(table: Table) -> None:
    release_order(table, network(), ID, NOW)


def waiting(table: Table) -> tuple[int, bool]:
    """Units of A that wait in the pool, and whether the order is listed as waiting for it."""
    demand = table.get(keys.demand("A", "iberia"))
    assert demand is not None
    return int(str(demand["waiting"])), table.get(keys.backorder(ID, "A")) is not None


# ---- What is refused ---------------------------------------------------------------------------------------


def test_an_order_that_is_not_there_cannot_be_cancelled(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        cancel(table)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "order_id")


def test_an_order_that_changes_at_every_try_hands_the_request_back(table: Table) -> None:
    place(table)
    newer = (command(line("A", 2), line("B", 1, number=2), channel_version=f"3{n}") for n in range(99))
    with pytest.raises(Busy):
        cancel(Racing(table, *[lambda: place_order(table, network(), next(newer), NOW)] * TRIES))
    assert order_of(table, ID).lines[0].cancelled == 0


def test_a_removal_alone_removes_what_is_there_or_nothing(table: Table) -> None:
    key = keys.backorder(ID, "A")
    table.commit(put(key, {"t": "backorder"}))
    for _ in range(2):
        table.commit(remove(key))
        assert table.get(key) is None


# ---- Before release ----------------------------------------------------------------------------------------


def test_before_release_everything_is_given_back_at_once(table: Table) -> None:
    place(table, 4)
    assert waiting(table) == (2, True)
    done = cancel(table)
    assert (done.cancelled, done.asked) == (5, 0)
    assert waiting(table) == (0, False)
    assert shelves(table, "A") == {"wh-madrid": (2, 0, 2)}
    assert shelves(table, "B") == {"st-gracia": (1, 0, 1)}
    order = order_of(table, ID)
    assert (order, order_status(order)) == (done.order, OrderStatus.CANCELLED)
    (refund,) = read_refunds(table, ID).values()
    assert (refund.amount, refund) == (5000, done.refund)


def test_some_units_less_wait_and_the_row_says_so(table: Table) -> None:
    place(table, 4)
    cancel(table, ONE)
    assert waiting(table) == (1, True)
    row = table.get(keys.backorder(ID, "A"))
    assert row is not None
    assert row["units"] == 1
    cancel(table, ONE)
    assert waiting(table) == (0, False)
    assert shelves(table, "A") == {"wh-madrid": (2, 2, 0)}


def test_a_cancelled_order_is_not_released(table: Table) -> None:
    place(table)
    cancel(table)
    assert release_order(table, network(), ID, LATER) == ()


# ---- After release -----------------------------------------------------------------------------------------


def test_after_release_only_the_locations_give_stock_back(table: Table) -> None:
    place(table)
    release(table)
    done = cancel(table)
    assert (done.cancelled, done.asked, done.refund) == (0, 3, None)
    assert shelves(table, "A") == {"wh-madrid": (2, 2, 0)}
    assert cancel(table).asked == 0
    works = {work.location: work for work in queries.fulfillment_orders(table, ID)}
    assert {work.state for work in works.values()} == {FulfillmentState.CANCEL_REQUESTED}
    madrid, store = works["wh-madrid"].id, works["st-gracia"].id
    assert report(table, FactKind.CANCELLED, work=madrid).cancelled == 2
    assert report(table, FactKind.CANCEL_REFUSED, work=store).exceptions == ("cancel_refused",)
    assert shelves(table, "A") == {"wh-madrid": (2, 0, 2)}
    assert shelves(table, "B") == {"st-gracia": (1, 1, 0)}
    works = {work.location: work for work in queries.fulfillment_orders(table, ID)}
    assert [works[name].state for name in ("wh-madrid", "st-gracia")] == ["cancelled", "released"]
    (refund,) = read_refunds(table, ID).values()
    assert refund.amount == 2000
    assert report(table, FactKind.SHIPPED, Package("p1"), work=store).shipped == 1
    assert_balanced(table, [ID], "AB")


def test_an_answer_that_nobody_asked_for_is_refused_and_changes_nothing(table: Table) -> None:
    place(table)
    release(table)
    with pytest.raises(Problem) as refused:
        report(table, FactKind.CANCELLED)
    assert (refused.value.code, refused.value.state) == (Code.STATE_REFUSED, "released")
    assert_balanced(table, [ID], "AB")


# ---- Races -------------------------------------------------------------------------------------------------


class Racing(Table):
    """A table on which somebody else does something just before each of our first writes."""

    def __init__(self, table: Table, *races: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = list(races)

    def commit(self, *writes: Write) -> None:
        if self._races:
            self._races.pop(0)()
        super().commit(*writes)


def test_a_release_that_comes_first_turns_the_cancellation_into_a_request(table: Table) -> None:
    place(table)
    done = cancel(Racing(table, lambda: release(table)))
    assert (done.cancelled, done.asked) == (0, 3)
    assert_balanced(table, [ID], "AB")


def test_a_cancellation_that_comes_first_leaves_nothing_to_release(table: Table) -> None:
    place(table)
    assert release_order(Racing(table, lambda: cancel(table)), network(), ID, LATER) == ()
    assert queries.fulfillment_orders(table, ID) == ()
    assert_balanced(table, [ID], "AB")


def test_a_parcel_that_leaves_first_stays_shipped(table: Table) -> None:
    place(table)
    release(table)
    parcel = Package("p1", lines=(PackedUnits("1", 1),))
    done = cancel(Racing(table, lambda: report(table, FactKind.SHIPPED, parcel)))
    assert done.asked == 2
    report(table, FactKind.CANCELLED)
    kept = order_of(table, ID).lines[0]
    assert (kept.shipped, kept.cancelled, kept.in_fulfillment) == (1, 1, 0)
    assert shelves(table, "A") == {"wh-madrid": (1, 0, 1)}


def test_a_parcel_that_leaves_while_its_location_is_asked_is_recorded(table: Table) -> None:
    place(table)
    release(table)
    shipped = record_fulfillment(
        Racing(table, lambda: cancel(table)),
        FulfillmentFact("m", FactKind.SHIPPED, LATER, ID, "2-1", (Package("p1"),)),
        LATER,
    )
    assert (shipped.shipped, shipped.exceptions) == (1, ("cancel_refused",))
    assert report(table, FactKind.CANCELLED).cancelled == 0
    assert shelves(table, "A") == {"wh-madrid": (0, 0, 0)}


def test_two_cancellations_at_once_cancel_each_unit_once(table: Table) -> None:
    place(table, 4)
    done = cancel(Racing(table, lambda: cancel(table, ONE), lambda: cancel(table, ONE)))
    assert done.cancelled == 3
    assert waiting(table) == (0, False)
    assert sum(refund.amount for refund in read_refunds(table, ID).values()) == 5000
    assert_balanced(table, [ID], "AB")


# ---- Crashes -----------------------------------------------------------------------------------------------


def told(table: Table, shaky: Table) -> None:
    """A cancellation in parts, before and after release; what fails is told again in peace."""
    steps: list[Callable[[Table], object]] = [
        lambda on: cancel(on, replace(ALL, units={"2": 1}, channel="v1")),
        lambda on: by_channel(on, "2026-11-22T09:41:00.000Z"),
        lambda on: report(on, FactKind.CANCELLED, work="3-1"),
    ]
    for number, step in enumerate(steps):
        try:
            step(shaky)
        except (Crash, ReadTimeoutError):
            step(table)
        step(table)
        if number == 0:
            release(table)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_gives_everything_back_exactly_once(table: Table, fault: str) -> None:
    """Each time in a table of its own: moto copies all of it for every transaction."""
    place(table, 3)
    undisturbed = Faults()
    told(table, Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh, 3)
        told(fresh, Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        order = order_of(fresh, ID)
        assert [kept.cancelled for kept in order.lines] == [3, 1]
        assert order_status(order) is OrderStatus.CANCELLED
        assert shelves(fresh, "A") == {"wh-madrid": (2, 0, 2)}
        assert waiting(fresh) == (0, False)
        assert sum(refund.amount for refund in read_refunds(fresh, ID).values()) == 4000
        table.client.delete_table(TableName=fresh.name)


def test_each_step_costs_few_write_units(table: Table) -> None:
    """In a transaction 2 an item: header, positions, refund, fulfillment order; an index row 1."""
    place(table)
    meter = Meter(table.client)

    def metered(name: str) -> Table:
        return Table(meter.client(name), table.name)

    cancel(metered("some"), ONE)
    release(table)
    cancel(metered("ask"))
    report(metered("answer"), FactKind.CANCELLED, work="3-1")
    report(metered("again"), FactKind.CANCELLED, work="3-1")
    spent = {name: meter.bill.only(operation=name).writes for name in ("some", "ask", "answer")}
    # Work moves from one list of GSI1 to another when it is asked for, and out of it when it is given up.
    assert spent == {"some": 2 + 2 + 2, "ask": 2 + 2 * (2 + 2), "answer": 2 + 2 + 1 + 2 + 2}
    assert meter.bill.only(operation="again").writes == 0


# ---- By the channel ----------------------------------------------------------------------------------------


def test_what_has_left_comes_back_as_an_intercepted_return(table: Table) -> None:
    place(table)
    release(table)
    report(table, FactKind.SHIPPED, Package("p1"))
    for _ in range(2):
        done = by_channel(table)
    order = order_of(table, ID)
    assert [known.code for known in order.exceptions] == ["channel_cancelled"]
    assert order.lines[0].shipped == 2
    (back,) = read_returns(table, ID).values()
    assert (back.state, [(one.line_id, one.approved) for one in back.lines]) == (
        ReturnState.REQUESTED,
        [("1", 2)],
    )
    assert done.intercepted is None
    assert shelves(table, "A") == {"wh-madrid": (0, 0, 0)}


def test_a_cancellation_from_before_the_version_that_we_have_is_stale(table: Table) -> None:
    place(table)
    assert by_channel(table, "2026-11-22T09:00:00.000Z").cancelled == 0
    assert order_of(table, ID).v == 1


def test_a_newer_version_that_is_cancelled_is_taken_on_and_cancelled_in_one_write(table: Table) -> None:
    place(table)
    sent = command(line("A", 2), line("B", 1, number=2), channel_version="2026-11-22T09:45:00.000Z")
    for _ in range(2):
        place_order(table, network(), replace(sent, cancelled=True), LATER)
    order = order_of(table, ID)
    assert (order_status(order), order.channel_version) == (OrderStatus.CANCELLED, sent.channel_version)
    assert [kinds for entry in order.journal for kinds in entry.kinds] == ["placed", "refreshed", "cancelled"]
    assert_balanced(table, [ID], "AB")


def delivery(*commands: PlaceOrder | CancelOrder) -> dict[str, Any]:
    """A trigger event of intake with deliveries of the generic channel, each with one command."""
    event: dict[str, Any] = json.loads((EVENTS / "intake.json").read_text())
    (record,) = event["Records"]
    event["Records"] = []
    for number, said in enumerate(commands):
        body = json.dumps(to_document(said)).encode()
        sealed = seal("shop-es", adapter("generic"), Headers(()), body, datetime.now(UTC))
        event["Records"].append(copy.deepcopy(record) | {"body": sealed, "messageId": f"m{number}"})
    return event


def test_a_channel_s_order_to_cancel_is_carried_out_by_intake(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    place(table)
    fraud = replace(said(), reason="Fraud")
    assert intake(delivery(fraud, fraud), None) == {"batchItemFailures": []}
    order = order_of(table, ID)
    assert order_status(order) is OrderStatus.CANCELLED
    assert order.journal[-1].data["reason"] == "fraud"
    written = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert sum(entry.get("UnitsCancelled", 0) for entry in written) == 3


# ---- Before the order --------------------------------------------------------------------------------------

FIRST = command(line("A", 2), line("B", 1, number=2))
NEWER = replace(FIRST, channel_version="2026-11-22T09:50:00.000Z")


def one_by_one(table: Table, sent: PlaceOrder) -> Result:
    return place_order(table, network(), sent, LATER)


def together(table: Table, sent: PlaceOrder) -> Result:
    ((_, outcome),) = place_orders(table, network(), [sent], LATER)
    assert isinstance(outcome, Result)
    return outcome


@pytest.fixture(params=[one_by_one, together], ids=["alone", "in the hot lane"])
def placing(request: pytest.FixtureRequest, table: Table) -> Callable[[Table, PlaceOrder], Result]:
    """Both ways of placing an order, of two A and one B, which are there."""
    fill(table, "A", wh_madrid=2)
    fill(table, "B", st_gracia=1)
    way: Callable[[Table, PlaceOrder], Result] = request.param
    return way


def test_a_cancellation_that_comes_first_waits_for_its_order(
    table: Table, placing: Callable[[Table, PlaceOrder], Result]
) -> None:
    for version in ("2026-11-22T09:40:00.000Z", "2026-11-22T09:41:00.000Z", "2026-11-22T09:40:00.000Z"):
        assert cancel_by_channel(table, network(), said(version), LATER) is None
    assert queries.order(table, ID) is None
    assert queries.order_with_body(table, ID) is None
    assert placing(table, FIRST).verdict is Verdict.PLACED
    order = order_of(table, ID)
    assert (order_status(order), order.v) == (OrderStatus.CANCELLED, 2)
    assert placing(table, FIRST).verdict is Verdict.DUPLICATE
    assert by_channel(table).order == order
    assert_balanced(table, [ID], "AB")
    header = table.get(keys.header(ID))
    assert header is not None
    assert [event.type for event in events(None, header)] == ["order.placed", "order.cancelled"]


PAID = (Payment("card", 4000, PaymentState.CAPTURED),)
ENDINGS: dict[str, dict[str, Any]] = {
    "nothing was paid": {},
    "all was captured": {"payments": PAID},
    "some was given back before": {"payments": (*PAID, Payment("card", 999, PaymentState.REFUNDED))},
    "it was only authorized": {"payments": (Payment("card", 4000, PaymentState.AUTHORIZED),)},
    "goods that need no shipping are kept": {
        "lines": (line("A", 2), line("G", 1, number=2, kind=LineKind.GIFT_CARD)),
        "payments": PAID,
    },
    "some has left": {"lines": (line("A", 2, shipped=1), line("B", 1, number=2)), "payments": PAID},
    "the channel ships some": {
        "lines": (line("A", 2), line("B", 1, number=2, fulfilled_by=FulfilledBy.CHANNEL)),
        "payments": PAID,
    },
    "nobody knows its sku": {"lines": (line("X", 1),), "payments": PAID},
    "it is a test": {"test": True, "payments": PAID},
    "its totals do not balance, and it has no address": {
        "balanced": False,
        "deliveries": (Delivery("d1", Method.SHIP),),
        "payments": PAID,
    },
}


def what_is_left(table: Table) -> tuple[object, ...]:
    """What an order has come to, whenever it was written: status, counters, holds, exceptions, money owed."""
    order = order_of(table, ID)
    lines = [replace(one, pending=False) for one in order.lines]
    refunds = [replace(refund, journal=()) for refund in read_refunds(table, ID).values()]
    codes = {(known.code, known.ref) for known in order.exceptions}
    return order_status(order), lines, order.holds, codes, refunds, order.refunded, order.closed_at is None


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_order_ends_the_same_whichever_comes_first_it_or_its_cancellation(
    ending: str, placing: Callable[[Table, PlaceOrder], Result], table: Table
) -> None:
    sent = replace(FIRST, **ENDINGS[ending])
    cancel_by_channel(table, network(), said(), LATER)
    placing(table, sent)
    by_channel(table)
    early = what_is_left(table)
    assert_balanced(table, [ID], "AB")
    late: tuple[Callable[[Table], object], ...] = (lambda on: placing(on, sent), by_channel)
    # What has left is an exception under the version that cancels: here under its own.
    at_once: tuple[Callable[[Table], object], ...] = (lambda on: placing(on, replace(sent, cancelled=True)),)
    for name, steps in {"late": late, "at-once": at_once}.items():
        other = Table(table.client, create_table(table.client, name, stream=False))
        fill(other, "A", wh_madrid=2)
        fill(other, "B", st_gracia=1)
        for step in steps:
            step(other)
        left = what_is_left(other)
        if name == "late":
            assert left == early
        assert left[:3] + left[4:] == early[:3] + early[4:]


def test_what_was_captured_of_an_order_that_comes_after_its_cancellation_is_owed(
    table: Table, placing: Callable[[Table, PlaceOrder], Result]
) -> None:
    cancel_by_channel(table, network(), said(), LATER)
    for _ in range(2):
        placing(table, replace(FIRST, payments=PAID))
    assert [refund.amount for refund in read_refunds(table, ID).values()] == [4000]


def test_a_cancellation_from_before_the_version_that_comes_is_forgotten(
    table: Table, placing: Callable[[Table, PlaceOrder], Result]
) -> None:
    assert cancel_by_channel(table, network(), said(), LATER) is None
    placing(table, NEWER)
    assert order_status(order_of(table, ID)) is OrderStatus.PLACED
    assert_balanced(table, [ID], "AB")


def test_a_version_from_before_an_early_cancellation_does_not_bring_the_order_back(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    assert cancel_by_channel(table, network(), said("2026-11-22T09:59:00.000Z"), LATER) is None
    one_by_one(table, FIRST)
    assert one_by_one(table, replace(NEWER, total=1)).verdict is Verdict.STALE


def test_a_cancellation_and_its_order_at_once_end_the_same(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    fill(table, "B", st_gracia=1)
    done = cancel_by_channel(Racing(table, lambda: one_by_one(table, FIRST)), network(), said(), LATER)
    assert done is not None
    assert order_status(order_of(table, ID)) is OrderStatus.CANCELLED


def test_an_order_and_its_cancellation_at_once_end_the_same(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    one_by_one(Racing(table, lambda: cancel_by_channel(table, network(), said(), LATER)), FIRST)
    assert order_status(order_of(table, ID)) is OrderStatus.CANCELLED


def test_a_crash_at_any_call_of_an_early_cancellation_is_made_good_by_the_next_delivery(table: Table) -> None:
    steps: list[Callable[[Table], object]] = [
        lambda on: cancel_by_channel(on, network(), said(), LATER),
        lambda on: one_by_one(on, FIRST),
    ]
    for number in range(1, 8):
        for when in ("crash_before", "crash_after"):
            fresh = Table(table.client, create_table(table.client, f"{when}-{number}", stream=False))
            fill(fresh, "A", wh_madrid=2)
            shaky = Table(Faults(**{when: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
            for step in steps:
                try:
                    step(shaky)
                except Crash:
                    step(fresh)
            assert order_status(order_of(fresh, ID)) is OrderStatus.CANCELLED
            assert shelves(fresh, "A") == {"wh-madrid": (2, 0, 2)}
            table.client.delete_table(TableName=fresh.name)


# ---- By the API --------------------------------------------------------------------------------------------


@pytest.fixture
def rest(table: Table) -> Rest:
    place(table)
    return Rest()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, (422, "field_missing", "reason")),
        ({"reason": "boredom"}, (422, "field_invalid", "reason")),
        ({"reason": "customer", "lines": [{"line_id": "1"}]}, (422, "field_missing", "lines[0].units")),
        (
            {"reason": "customer", "lines": [{"line_id": "1", "units": 0}]},
            (422, "field_invalid", "lines[0].units"),
        ),
        ({"reason": "customer", "lines": [{"line_id": "9", "units": 1}]}, (422, "field_invalid", "lines")),
        ({"reason": "customer", "lines": [{"line_id": "1", "units": 3}]}, (409, "state_refused", "lines")),
        ({"reason": "customer", "line": []}, (422, "field_invalid", "line")),
    ],
)
def test_a_bad_request_is_refused_with_its_field(
    rest: Rest, body: object, problem: tuple[int, str, str]
) -> None:
    assert rest.post(f"/orders/{ID}/cancel", body, key="k1").problem == problem


def test_a_request_needs_a_key_and_an_order(rest: Rest) -> None:
    body = {"reason": "customer"}
    assert rest.post(f"/orders/{ID}/cancel", body).problem == (422, "field_missing", "Idempotency-Key")
    assert rest.post("/orders/GHOST/cancel", body, key="k1").problem == (404, "not_found", "order_id")


def test_a_request_comes_once_however_often_it_is_sent(rest: Rest, table: Table) -> None:
    body = {"reason": "customer", "lines": [{"line_id": "1", "units": 1}]}
    replies = [rest.post(f"/orders/{ID}/cancel", body, key="k1") for _ in range(2)]
    assert [reply.document for reply in replies] == [replies[0].document] * 2
    assert (replies[0].document["cancelled"], replies[0].document["refund_due"]) == (1, 1000)
    other = rest.post(f"/orders/{ID}/cancel", {"reason": "customer"}, key="k1")
    assert other.problem == (409, "conflict", "Idempotency-Key")
    assert order_of(table, ID).lines[0].cancelled == 1


def test_the_whole_order_is_cancelled_and_again_is_no_error(rest: Rest, table: Table) -> None:
    for key in ("k1", "k2"):
        reply = rest.post(f"/orders/{ID}/cancel", {"reason": "fraud"}, key=key)
        assert (reply.status, reply.document["statuses"]["order"]) == (200, "cancelled")
    assert_balanced(table, [ID], "AB")


def test_a_request_from_another_version_is_refused(rest: Rest) -> None:
    body = json.dumps({"reason": "staff"}).encode()
    headers = {"If-Match": '"7"', "Idempotency-Key": "k1"}
    reply = rest.call("POST", f"/orders/{ID}/cancel", body=body, headers=headers)
    assert reply.problem == (412, "version_mismatch", "If-Match")


def test_what_has_left_is_refused_with_the_state(rest: Rest, table: Table) -> None:
    release(table)
    for work in ("2-1", "2-2"):
        report(table, FactKind.SHIPPED, Package("p1"), work=work)
    reply = rest.post(f"/orders/{ID}/cancel", {"reason": "customer"}, key="k1")
    assert (reply.status, reply.document["code"], reply.document["state"]) == (
        409,
        "state_refused",
        "fulfilled",
    )


def test_a_location_without_a_queue_sees_what_to_give_up_and_answers(rest: Rest, table: Table) -> None:
    release(table)
    rest.post(f"/orders/{ID}/cancel", {"reason": "customer"}, key="k1")
    shown = rest.get("/fulfillment-orders", location="st-gracia", state="cancel_requested").document["items"]
    assert [(one["line_id"], one["recalled"]) for one in shown[0]["lines"]] == [("2", 1)]
    said = {
        "message_id": "m1",
        "type": "cancelled",
        "occurred_at": keys.iso(LATER),
        "fulfillment_order": shown[0]["fulfillment_order"],
        "v": shown[0]["v"],
    }
    assert [rest.post("/fulfillment-events", said).document["cancelled"] for _ in range(2)] == [1, 0]
    assert_balanced(table, [ID], "AB")
