"""Carriers' word of parcels on the table: unknown, repeated, in any order, racing, with crashes between."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.intake.handler import handler as intake
from oms.channels.canonical import to_document
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.fulfillment.model import Shipment, ShipmentState
from oms.fulfillment.tracking import REUSED_AFTER, track
from oms.orders.commands import Payment, PaymentState
from oms.orders.identity import order_id
from oms.orders.records import TrackingRecorded
from oms.orders.status import OrderStatus, order_status
from oms.problems import Code, Problem
from oms.store import queries
from oms.store.meter import Meter
from oms.store.table import Table
from oms.store.writes import Write
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.record_tracking import record_tracking
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of
from tests.tables import create_table

S = ShipmentState
ID = order_id("shop-es", "5001")
LEFT = NOW + timedelta(hours=1)
EVENTS = Path(__file__).parents[2] / "events"


def said(status: ShipmentState, hours: float = 2, number: str | None = "PQ-1") -> TrackingRecorded:
    at = NOW + timedelta(hours=hours)
    return TrackingRecorded(
        "track", "easypost", None, None, "correos", number, status, None, None, occurred_at=at
    )


def send(table: Table, *parcels: Package) -> None:
    """Two units of A, paid, released, and shipped in these parcels."""
    fill(table, "A", wh_madrid=2)
    paid = Payment("card", 2000, PaymentState.CAPTURED)
    sent = command(line("A", 2), payments=(paid,))
    place_order(table, network(), replace(sent, payments=(replace(paid, amount=sent.total),)), NOW)
    release_order(table, network(), ID, LEFT)
    shipped = FulfillmentFact("m1", FactKind.SHIPPED, LEFT, ID, "2-1", parcels)
    record_fulfillment(table, shipped, LEFT)


def one(name: str, number: str | None = None, units: int = 1) -> Package:
    return Package(name, "correos", number, lines=(PackedUnits("1", units),))


WHOLE = one("p1", "PQ-1", 2)


def states(table: Table) -> list[ShipmentState]:
    return [shipment.state for shipment in queries.shipments(table, ID)]


def test_word_of_a_parcel_that_nobody_knows_is_refused_for_another_try(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        record_tracking(table, said(S.IN_TRANSIT), LEFT)
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "tracking_number")
    send(table, WHOLE)
    assert record_tracking(table, said(S.IN_TRANSIT), LEFT) == (f"{ID}-2-1.p1",)
    assert states(table) == [S.IN_TRANSIT]


def test_a_label_that_nobody_has_used_yet_says_nothing(table: Table) -> None:
    assert record_tracking(table, said(S.LABELLED), LEFT) == ()
    send(table, WHOLE)
    record_tracking(table, said(S.LABELLED), LEFT)
    assert states(table) == [S.HANDED_OVER]


def test_without_a_number_only_the_one_parcel_of_an_order_can_be_meant(table: Table) -> None:
    word = replace(said(S.IN_TRANSIT, number=None), channel="shop-es")
    with pytest.raises(Problem, match="neither"):
        record_tracking(table, word, LEFT)
    word = replace(word, channel_order_id="5001")
    with pytest.raises(Problem, match="no shipment"):
        record_tracking(table, word, LEFT)
    send(table, WHOLE)
    assert record_tracking(table, word, LEFT)
    with pytest.raises(Problem, match="no shipment"):
        record_tracking(table, replace(word, channel="shop-fr"), LEFT)


def test_without_a_number_one_of_two_parcels_is_not_guessed(table: Table) -> None:
    send(table, one("p1", "PQ-1"), one("p2", "PQ-2"))
    word = replace(said(S.IN_TRANSIT, number=None), channel="shop-es", channel_order_id="5001")
    with pytest.raises(Problem, match="several parcels"):
        record_tracking(table, word, LEFT)
    assert states(table) == [S.HANDED_OVER, S.HANDED_OVER]


def test_a_number_that_comes_back_after_months_is_of_another_parcel(table: Table) -> None:
    send(table, WHOLE)
    with pytest.raises(Problem, match="no shipment"):
        record_tracking(table, said(S.RETURNING, REUSED_AFTER / timedelta(hours=1) + 24), LEFT)
    assert states(table) == [S.HANDED_OVER]


def test_delivered_is_counted_and_closes_the_order(table: Table) -> None:
    send(table, one("p1", "PQ-1"), one("p2", "PQ-2"))
    record_tracking(table, said(S.DELIVERED), LEFT)
    assert (order_of(table, ID).lines[0].delivered, order_of(table, ID).closed_at) == (1, None)
    for _ in range(2):
        record_tracking(table, said(S.DELIVERED, 3, "PQ-2"), LEFT)
    order = order_of(table, ID)
    assert (order.lines[0].delivered, order_status(order)) == (2, OrderStatus.CLOSED)
    assert [kinds for entry in order.journal for kinds in entry.kinds][-3:] == [
        "delivered",
        "delivered",
        "closed",
    ]


def test_what_is_told_again_is_written_once(table: Table) -> None:
    send(table, WHOLE)
    meter = Meter(table.client)
    for name in ("first", "again"):
        record_tracking(Table(meter.client(name), table.name), said(S.DELIVERED), LEFT)
    assert {name: meter.bill.only(operation=name).writes for name in ("first", "again")} == {
        "first": 2,
        "again": 0,
    }


WORDS = (
    (S.IN_TRANSIT, 2),
    (S.DELIVERED, 3),
    (S.RETURNING, 4),
    (S.IN_TRANSIT, 5),
    (S.ATTEMPT_FAILED, 3),
)


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (((S.IN_TRANSIT, 2), (S.OUT_FOR_DELIVERY, 3)), S.OUT_FOR_DELIVERY),
        (((S.IN_TRANSIT, 5), (S.DELIVERED, 3)), S.DELIVERED),
        (((S.DELIVERED, 3), (S.RETURNING, 4)), S.RETURNING),
        (((S.DELIVERED, 5), (S.RETURNING, 4)), S.DELIVERED),
        (((S.DELIVERED, 3), (S.LOST, 4)), S.DELIVERED),
        (((S.OUT_FOR_DELIVERY, 3), (S.ATTEMPT_FAILED, 3)), S.ATTEMPT_FAILED),
        (((S.IN_TRANSIT, 2), (S.LABELLED, 9)), S.IN_TRANSIT),
        (WORDS, S.RETURNING),
    ],
)
def test_the_order_in_which_words_arrive_does_not_matter(
    words: Sequence[tuple[ShipmentState, int]], last: ShipmentState
) -> None:
    left = Shipment("O", "1.p1", "1", "wh", (), S.HANDED_OVER, LEFT).written(LEFT, "shipped")
    for turn in itertools.permutations(words):
        parcel = left
        for state, hours in turn:
            parcel = track(parcel, state, NOW + timedelta(hours=hours), LEFT)
            assert track(parcel, state, NOW + timedelta(hours=hours), LEFT) is parcel
        assert parcel.state is last


def lived(table: Table, shaky: Table) -> None:
    """Delivered, then sent back: whatever fails is told again in peace, the later word even before."""
    for word in (said(S.IN_TRANSIT), said(S.DELIVERED, 3), said(S.RETURNING, 4)):
        try:
            record_tracking(shaky, word, LEFT)
        except (Crash, ReadTimeoutError):
            record_tracking(table, said(S.RETURNING, 4), LEFT)
            record_tracking(table, word, LEFT)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    send(table, WHOLE)
    undisturbed = Faults()
    lived(table, Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        send(fresh, WHOLE)
        lived(fresh, Table(Faults(**{fault: number}).wrap(table.client), fresh.name))  # type: ignore[arg-type]
        assert states(fresh) == [S.RETURNING]
        told = [
            kind for parcel in queries.shipments(fresh, ID) for one in parcel.journal for kind in one.kinds
        ]
        assert told.count("delivered") == 1
        assert order_of(fresh, ID).lines[0].delivered == 2
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


@pytest.mark.parametrize("other", [said(S.DELIVERED, 3, "PQ-2"), said(S.DELIVERED), said(S.RETURNING, 4)])
def test_words_at_the_same_time_are_all_counted(table: Table, other: TrackingRecorded) -> None:
    send(table, one("p1", "PQ-1"), one("p2", "PQ-2"))
    racing = Racing(table, lambda: record_tracking(table, other, LEFT))
    record_tracking(racing, said(S.DELIVERED), LEFT)
    record_tracking(table, said(S.DELIVERED, 3, "PQ-2"), LEFT)
    assert order_of(table, ID).lines[0].delivered == 2


def test_intake_records_what_a_tracker_says_and_hands_back_what_nobody_knows(table: Table) -> None:
    event = json.loads((EVENTS / "intake.json").read_text())
    body = json.dumps(to_document(said(S.DELIVERED))).encode()
    sealed = seal("shop-es", adapter("generic"), Headers(()), body, datetime.now(UTC))
    event["Records"][0]["body"] = sealed
    assert intake(event, None)["batchItemFailures"] != []
    send(table, WHOLE)
    assert intake(event, None) == {"batchItemFailures": []}
    assert states(table) == [S.DELIVERED]
