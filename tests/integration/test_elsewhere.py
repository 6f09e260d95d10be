"""What left elsewhere, by the channel's word: a fact, counted once, and never with our own parcels."""

import contextlib
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
from oms.events.derive import events_of_journal
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.inventory.model import Component, Sku
from oms.inventory.network import Channel
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import FulfilledBy, Line, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.records import FulfillmentOutcome, FulfillmentRecorded, Parcel, UnitsOfLine
from oms.orders.work import work_stage
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.orders import encode_order
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.push_parcel import find_parcel
from oms.usecases.record_elsewhere import Recorded, record_elsewhere
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of, shelves, shipments_of
from tests.tables import create_table

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(hours=1)
NUMBER = "PQ 4F6X-0712"
EVENTS = Path(__file__).parents[2] / "events"
SHOP = Channel("shop-es", "shopify", "iberia", locations={"77": "st-gracia"})
NETWORK = network(channel=SHOP)


def told(
    units: int = 1,
    name: str = "f1",
    *,
    version: str = "2026-11-22T10:00:00.000Z",
    status: FulfillmentOutcome = FulfillmentOutcome.SHIPPED,
    number: str | None = None,
    location: str | None = None,
    line_id: str = "701",
) -> FulfillmentRecorded:
    """A fulfillment as the channel tells of it."""
    parcels = (Parcel("correos", number, None),) if number else ()
    lines = (UnitsOfLine(line_id, units),) if units else ()
    return FulfillmentRecorded(
        *("shop-es", "shopify", "5001", name, version, status, location, lines, parcels, LATER)
    )


def record(table: Table, said: FulfillmentRecorded) -> Recorded | None:
    return record_elsewhere(table, NETWORK, said, LATER)


def place(table: Table, *lines: Line, on_hand: int = 5, **fields: object) -> None:
    fill(table, "A", wh_madrid=on_hand)
    place_order(table, NETWORK, command(*(lines or (line("A", 2),)), **fields), NOW)


def ship(table: Table, units: int, name: str = "p1", number: str | None = NUMBER, work: str = "2-1") -> None:
    """Our own location ships, of a released order."""
    package = Package(name, "correos", number, lines=(PackedUnits("1", units),))
    record_fulfillment(table, FulfillmentFact(f"m-{name}", FactKind.SHIPPED, NOW, ID, work, (package,)), NOW)


def counters(table: Table) -> tuple[int, int, int, int]:
    """Of the first line: waiting, allocated, with a location, shipped."""
    (first, *_) = order_of(table, ID).lines
    return first.open + first.backordered, first.allocated, first.in_fulfillment, first.shipped


def codes(table: Table) -> list[str]:
    return [known.code for known in order_of(table, ID).exceptions]


def test_a_fulfillment_of_no_order_is_refused_for_another_try(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        record(table, told())
    assert (refused.value.code, refused.value.field) == (Code.NOT_FOUND, "order_id")


@pytest.mark.parametrize("status", [FulfillmentOutcome.PENDING, FulfillmentOutcome.FAILED])
def test_what_has_not_left_changes_nothing(table: Table, status: FulfillmentOutcome) -> None:
    place(table)
    before = order_of(table, ID)
    assert record(table, told(status=status)) is None
    assert order_of(table, ID) == before


def test_what_was_only_promised_is_given_back_and_counts_as_shipped(table: Table) -> None:
    place(table)
    done = record(table, told(number=NUMBER))
    assert done is not None and (done.shipped, done.known, done.exceptions) == (1, None, ())
    assert counters(table) == (0, 1, 0, 1)
    assert shelves(table, "A") == {"wh-madrid": (5, 1, 4)}
    assert shipments_of(table, ID) == ["channel.f1"]
    assert not check_ledger(table, segments=1).findings


def test_what_left_one_of_our_shelves_is_on_it_no_more(table: Table) -> None:
    place(table)
    fill(table, "A", wh_madrid=5, st_gracia=3)
    record(table, told(location="77"))
    assert shelves(table, "A") == {"wh-madrid": (5, 1, 4), "st-gracia": (2, 0, 2)}


def test_units_that_wait_are_shipped_before_those_with_a_source(table: Table) -> None:
    place(table, line("A", 3), on_hand=1)
    assert counters(table) == (2, 1, 0, 0)
    record(table, told(2))
    assert counters(table) == (0, 1, 0, 2)
    assert codes(table) == []
    assert table.query(keys.order(ID), keys.BACKORDER) == []
    assert not check_ledger(table, segments=1).findings


def test_all_that_left_elsewhere_leaves_no_work(table: Table) -> None:
    place(table)
    record(table, told(2))
    assert work_stage(order_of(table, ID)) is None
    assert release_order(table, NETWORK, ID, LATER) == ()


def test_a_repetition_and_an_older_version_change_nothing(table: Table) -> None:
    place(table)
    record(table, told())
    before = order_of(table, ID)
    assert record(table, told()) is None
    assert record(table, told(version="2026-11-22T09:00:00.000Z")) is None
    assert record(table, told(2, version="2026-11-22T11:00:00.000Z")) is None
    assert order_of(table, ID) == before


def test_what_a_location_is_at_work_on_is_left_to_it_and_to_a_person(table: Table) -> None:
    place(table)
    release_order(table, NETWORK, ID, NOW)
    done = record(table, told(2))
    assert done is not None and (done.shipped, done.exceptions) == (0, ("left_elsewhere",))
    assert counters(table) == (0, 0, 2, 0)
    assert shipments_of(table, ID) == []
    ship(table, 2)
    assert counters(table) == (0, 0, 0, 2)
    assert shelves(table, "A") == {"wh-madrid": (3, 0, 3)}


def at_work(table: Table, units: int = 2) -> None:
    """An order that its location is at work on, of which the channel says that units have left."""
    place(table, line("A", units))
    release_order(table, NETWORK, ID, NOW)


EXPLAINED: dict[str, tuple[str | None, tuple[tuple[int, str | None], ...]]] = {
    "by its number": (NUMBER, ((2, "pq4f6x0712"),)),
    "by its units, when we name no number": ("THEIRS", ((2, None),)),
    "by its units, when the channel names none": (None, ((2, NUMBER),)),
    "in two parcels of ours": (None, ((1, NUMBER), (1, "OTHER"))),
    "in a parcel with more than that": (NUMBER, ((3, NUMBER),)),
}


@pytest.mark.parametrize(("theirs", "ours"), EXPLAINED.values(), ids=EXPLAINED)
def test_the_exception_ends_when_our_own_parcel_comes_to_be_known(
    table: Table, theirs: str | None, ours: tuple[tuple[int, str | None], ...]
) -> None:
    at_work(table, 3)
    record(table, told(2, number=theirs))
    assert codes(table) == ["left_elsewhere"]
    for name, (units, number) in enumerate(ours):
        assert codes(table) == ["left_elsewhere"]
        ship(table, units, f"p{name}", number)
        ship(table, units, f"p{name}", number)
    assert codes(table) == []
    before = order_of(table, ID)
    assert record(table, told(2, number="CORRECTED", version="2026-11-22T12:00:00.000Z")) is None
    assert order_of(table, ID) == before
    item = encode_order(before) | {"PK": keys.order(ID), "SK": keys.HEADER_SK}
    types = [event.type for event in events_of_journal(item)]
    assert types.count("order.fulfillment_conflict") == 2
    assert not check_ledger(table, segments=1).findings


UNEXPLAINED: dict[str, tuple[str | None, int, str | None]] = {
    "a parcel with another number": ("THEIRS", 2, NUMBER),
    "fewer units than that": (None, 1, None),
    "fewer units under its number": (NUMBER, 1, NUMBER),
}


@pytest.mark.parametrize(("theirs", "units", "ours"), UNEXPLAINED.values(), ids=UNEXPLAINED)
def test_the_exception_stays_while_our_parcels_do_not_explain_it(
    table: Table, theirs: str | None, units: int, ours: str | None
) -> None:
    at_work(table)
    record(table, told(2, number=theirs))
    ship(table, units, number=ours)
    assert codes(table) == ["left_elsewhere"]


def test_one_parcel_of_ours_explains_one_fulfillment_the_one_of_its_number_first(table: Table) -> None:
    at_work(table)
    record(table, told(1, "f1"))
    record(table, told(1, "f2", number=NUMBER))
    ship(table, 1, "p1")
    assert codes(table) == ["left_elsewhere"]
    ship(table, 1, "p2", "OTHER")
    assert codes(table) == []


def test_the_exception_ends_when_the_channel_names_the_number_of_our_parcel_later(table: Table) -> None:
    at_work(table)
    record(table, told(2, number="THEIRS"))
    ship(table, 2)
    assert codes(table) == ["left_elsewhere"]
    done = record(table, told(2, number=NUMBER, version="2026-11-22T12:00:00.000Z"))
    assert done is not None and done.known == "2-1.p1"
    assert (codes(table), counters(table)) == ([], (0, 0, 0, 2))


def test_the_exception_ends_when_the_channel_takes_its_fulfillment_back(table: Table) -> None:
    at_work(table)
    record(table, told(1, "f1"))
    record(table, told(1, "f2"))
    for name, expected in (("f1", ["left_elsewhere"]), ("f2", [])):
        gone = told(1, name, status=FulfillmentOutcome.CANCELLED, version="2026-11-22T12:00:00.000Z")
        record(table, gone)
        assert codes(table) == expected


def test_what_only_a_version_has_shipped_is_explained_when_our_location_has_shipped_all(table: Table) -> None:
    at_work(table)
    place_order(table, NETWORK, said_by_order(1), LATER)
    assert codes(table) == ["left_elsewhere"]
    ship(table, 2)
    assert codes(table) == []


def test_a_fulfillment_told_while_our_location_ships_is_not_lost_sight_of(table: Table) -> None:
    at_work(table)
    record(table, told(1, "f1"))
    ship(Racing(table, lambda: record(table, told(1, "f2", number="THEIRS"))), 1)
    assert codes(table) == ["left_elsewhere"]


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_while_it_is_explained_is_made_good_by_the_next_report(table: Table, fault: str) -> None:
    at_work(table)
    record(table, told(2))
    undisturbed = Faults()
    ship(Table(undisturbed.wrap(table.client), table.name), 2)
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"explained-{number}", stream=False))
        at_work(fresh)
        record(fresh, told(2))
        with contextlib.suppress(Crash, ReadTimeoutError):
            ship(Table(Faults(**{fault: number}).wrap(table.client), fresh.name), 2)  # type: ignore[arg-type]
        ship(fresh, 2)
        assert (codes(fresh), counters(fresh)) == ([], (0, 0, 0, 2))
        table.client.delete_table(TableName=fresh.name)


def test_a_fulfillment_that_is_explained_does_not_end_the_exception_of_another(table: Table) -> None:
    place(table, line("A", 3, shipped=1))
    release_order(table, NETWORK, ID, NOW)
    record(table, told(2, "f1"))
    assert codes(table) == ["left_elsewhere"]
    record(table, told(1, "f2"))
    assert codes(table) == ["left_elsewhere"]


OURS: dict[str, tuple[str | None, str | None]] = {
    "by its number, however it is written": (NUMBER, "pq4f6x0712"),
    "by its units, when we named no number": (None, "UPS-1"),
    "by its units, when the channel names none": (NUMBER, None),
}


@pytest.mark.parametrize(("ours", "theirs"), OURS.values(), ids=OURS)
def test_our_own_parcel_is_known_when_it_comes_back(
    table: Table, ours: str | None, theirs: str | None
) -> None:
    place(table, line("A", 3))
    release_order(table, NETWORK, ID, NOW)
    ship(table, 1, number=ours)
    before = order_of(table, ID)
    done = record(table, told(1, number=theirs))
    assert done is not None and (done.known, done.shipped) == ("2-1.p1", 0)
    assert order_of(table, ID) == before
    # Even when somebody corrects its number at the channel.
    record(table, told(1, number="CORRECTED", version="2026-11-22T12:00:00.000Z"))
    assert order_of(table, ID) == before


def test_each_of_our_parcels_comes_back_once(table: Table) -> None:
    place(table, line("A", 3))
    release_order(table, NETWORK, ID, NOW)
    ship(table, 1, "p1", None)
    ship(table, 1, "p2", None)
    names = [done.known for name in ("f1", "f2") if (done := record(table, told(1, name)))]
    assert names == ["2-1.p1", "2-1.p2"]
    done = record(table, told(1, "f3"))
    assert done is not None and (done.known, done.exceptions) == (None, ("left_elsewhere",))


def test_parcels_of_other_units_are_not_taken_for_ours(table: Table) -> None:
    place(table, line("A", 2), line("A", 2, number=2))
    release_order(table, NETWORK, ID, NOW)
    ship(table, 1, number=None)
    done = record(table, told(1, line_id="702"))
    assert done is not None and done.known is None


def test_our_location_ships_what_is_left(table: Table) -> None:
    place(table)
    record(table, told(1, number="THEIRS"))
    release_order(table, NETWORK, ID, NOW)
    ship(table, 1, work="3-1")
    record(table, told(1, "f2", number=NUMBER))
    assert counters(table) == (0, 0, 0, 2)
    assert shelves(table, "A") == {"wh-madrid": (4, 0, 4)}
    assert codes(table) == []


def test_what_the_channel_ships_itself_goes_from_its_own_entry(table: Table) -> None:
    place(table, line("A", 2, fulfilled_by=FulfilledBy.CHANNEL))
    record(table, told(2))
    (first,) = order_of(table, ID).lines
    assert (first.entries, first.shipped) == ((), 2)
    assert shelves(table, "A") == {"wh-madrid": (5, 0, 5)}


def test_a_cancelled_fulfillment_that_was_never_told_of_changes_nothing_and_is_remembered(
    table: Table,
) -> None:
    place(table)
    withdrawn = told(status=FulfillmentOutcome.CANCELLED, version="2026-11-22T11:00:00.000Z")
    record(table, withdrawn)
    assert record(table, told()) is None
    assert (counters(table), codes(table)) == ((0, 2, 0, 0), [])


def test_a_parcel_that_is_withdrawn_after_it_was_counted_is_for_a_person(table: Table) -> None:
    place(table)
    record(table, told())
    withdrawn = told(status=FulfillmentOutcome.CANCELLED, version="2026-11-22T11:00:00.000Z")
    done = record(table, withdrawn)
    assert done is not None and done.exceptions == ("fulfillment_withdrawn",)
    assert counters(table) == (0, 1, 0, 1)
    assert record(table, withdrawn) is None


def said_by_order(shipped: int, minute: int = 45) -> PlaceOrder:
    """A version of the order in which so many units have left."""
    only = line("A", 2, shipped=shipped)
    return command(only, channel_version=f"2026-11-22T09:{minute}:00.000Z")


def test_a_version_that_has_more_shipped_than_we_know_counts_it(table: Table) -> None:
    place(table)
    place_order(table, NETWORK, said_by_order(1), LATER)
    assert counters(table) == (0, 1, 0, 1)
    assert shelves(table, "A") == {"wh-madrid": (5, 1, 4)}
    place_order(table, NETWORK, said_by_order(1, 50), LATER)
    assert counters(table) == (0, 1, 0, 1)
    assert not check_ledger(table, segments=1).findings


def test_a_version_ends_the_exception_when_our_location_has_shipped(table: Table) -> None:
    place(table)
    release_order(table, NETWORK, ID, NOW)
    place_order(table, NETWORK, said_by_order(1), LATER)
    assert codes(table) == ["left_elsewhere"]
    ship(table, 2)
    place_order(table, NETWORK, said_by_order(2, 50), LATER)
    assert (codes(table), counters(table)) == ([], (0, 0, 0, 2))


def test_a_version_that_completes_an_order_as_a_whole_counts_nothing_that_was_cancelled(table: Table) -> None:
    place(table)
    cancel_order(table, NETWORK, ID, CancelRequest(CancelReason.INVENTORY, {"1": 1}), NOW)
    release_order(table, NETWORK, ID, NOW)
    ship(table, 1, work="3-1")
    place_order(table, NETWORK, said_by_order(2), LATER)
    assert (counters(table), codes(table)) == ((0, 0, 0, 1), [])


TELLS: dict[str, Callable[[Table], object]] = {
    "fulfillment": lambda table: record(table, told(1, number="THEIRS")),
    "again": lambda table: record(table, told(1, number="THEIRS")),
    "order": lambda table: place_order(table, NETWORK, said_by_order(1), LATER),
    "newer order": lambda table: place_order(table, NETWORK, said_by_order(1, 50), LATER),
}


@pytest.mark.parametrize("order", list(permutations(TELLS)), ids=", ".join)
def test_order_and_fulfillment_tell_of_the_same_unit_in_any_order(
    table: Table, order: tuple[str, ...]
) -> None:
    place(table)
    for name in order:
        TELLS[name](table)
    assert counters(table) == (0, 1, 0, 1)
    assert shipments_of(table, ID) == ["channel.f1"]
    assert not check_ledger(table, segments=1).findings


def test_an_order_that_came_partly_shipped_has_its_parcel_when_that_is_told(table: Table) -> None:
    place(table, line("A", 2, shipped=1))
    done = record(table, told(1, number="THEIRS"))
    assert done is not None and done.shipped == 0
    assert (counters(table), shipments_of(table, ID)) == ((0, 1, 0, 1), ["channel.f1"])


def test_a_kit_that_left_elsewhere_took_its_components_along(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    table.commit(put(keys.sku_meta("KIT"), encode_sku(Sku("KIT", kit=(Component("A", 2, 1),)))))
    place_order(table, NETWORK, command(line("KIT", 2)), NOW)
    record(table, told(1))
    (part,) = (each for each in order_of(table, ID).lines if each.per_bundle)
    assert (part.allocated, part.shipped) == (2, 2)
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}


def test_the_channel_is_not_told_of_its_own_parcel(table: Table) -> None:
    place(table)
    record(table, told(number=NUMBER))
    assert find_parcel(table, lambda _: NETWORK, ID, "channel.f1") is None


def test_what_has_left_is_told_of(table: Table) -> None:
    place(table)
    release_order(table, NETWORK, ID, NOW)
    record(table, told(1))
    place_order(table, NETWORK, command(line("A", 2), line("A", 1, number=2), total=2000), NOW)
    item = encode_order(order_of(table, ID)) | {"PK": keys.order(ID), "SK": keys.HEADER_SK}
    types = [event.type for event in events_of_journal(item)]
    assert "order.fulfillment_conflict" in types


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    place(table)
    undisturbed = Faults()
    record(Table(undisturbed.wrap(table.client), table.name), told())
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        try:
            record(shaky, told())
        except (Crash, ReadTimeoutError):
            record(fresh, told())
        record(fresh, told())
        assert counters(fresh) == (0, 1, 0, 1)
        assert shelves(fresh, "A") == {"wh-madrid": (5, 1, 4)}
        table.client.delete_table(TableName=fresh.name)


class Racing(Table):
    """A table on which somebody else does something just before our first write."""

    def __init__(self, table: Table, race: Callable[[], object]) -> None:
        super().__init__(table.client, table.name, pause=lambda seconds: None)
        self._races = [race]

    def commit(self, *writes: Any) -> None:
        while self._races:
            self._races.pop()()
        super().commit(*writes)


def test_a_release_at_the_same_moment_keeps_its_units(table: Table) -> None:
    place(table)
    record(Racing(table, lambda: release_order(table, NETWORK, ID, LATER)), told(1))
    assert (counters(table), codes(table)) == ((0, 0, 2, 0), ["left_elsewhere"])


def test_the_same_fulfillment_at_once_counts_once(table: Table) -> None:
    place(table)
    assert record(Racing(table, lambda: record(table, told())), told()) is None
    assert counters(table) == (0, 1, 0, 1)


def test_intake_records_it_and_keeps_what_comes_too_early(table: Table) -> None:
    event: dict[str, Any] = json.loads((EVENTS / "intake.json").read_text())
    (sample,) = event["Records"]

    def deliver(*said: FulfillmentRecorded) -> list[str]:
        bodies = [json.dumps(to_document(each)).encode() for each in said]
        records = [
            sample
            | {
                "messageId": f"m{number}",
                "body": seal("shop-es", adapter("generic"), Headers(()), body, datetime.now(UTC)),
            }
            for number, body in enumerate(bodies)
        ]
        answer = intake({"Records": records}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert deliver(told()) == ["m0"]
    place(table)
    assert deliver(told(), replace(told(), channel_order_id="9"), told()) == ["m1"]
    assert counters(table) == (0, 1, 0, 1)
