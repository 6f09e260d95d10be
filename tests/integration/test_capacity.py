"""What a location can do in a day: counted once, seen when sourcing, and kept to at release."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.availability import handler as availability
from oms.inventory.network import Network
from oms.orders.commands import Address, Delivery, Method
from oms.orders.identity import order_id
from oms.orders.model import Stage
from oms.runtime import clients
from oms.sourcing.calendar import Calendar
from oms.sourcing.load import Capacity, Load
from oms.store import keys, process
from oms.store.configuration import document_of, encode_document
from oms.store.loads import KEPT, loaded, read_loads
from oms.store.table import Table
from oms.store.writes import put
from oms.usecases.count_load import count_load
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from tests.builders import LYON, MADRID, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.recorder import RecordingTable
from tests.rest import Rest
from tests.shelves import fill, order_of
from tests.stream import Record

TODAY = "2026-11-22"
IN_MADRID = Address(country="ES", latitude="40.4168", longitude="-3.7038")
"""Where the warehouse of Madrid is the cheapest source."""


def limited(**fields: Any) -> Network:
    """The usual network, with a day of one order in Madrid."""
    return network(replace(MADRID, **{"capacity": Capacity(orders=1)} | fields), LYON)


def place(table: Table, number: int, *lines: Any, shop: Network | None = None) -> str:
    """Place an order that is cheapest from Madrid."""
    name = str(6000 + number)
    delivery = Delivery("d1", Method.SHIP, "standard", IN_MADRID)
    made = command(*lines or (line("A", 2),), channel_order_id=name, deliveries=(delivery,))
    place_order(table, shop or limited(), made, NOW)
    return order_id("shop-es", name)


def release(table: Table, name: str, at: datetime = NOW, shop: Network | None = None) -> list[str]:
    """The locations that got work of an order, with what follows from the stream."""
    shop = shop or limited()
    kept = RecordingTable(table, "O#")
    made = release_order(kept, shop, name, at)
    count_load(table, shop, kept.records)
    return [work.location for work in made]


def load(table: Table, location: str = "wh-madrid", day: str = TODAY) -> Load:
    return read_loads(table, [(location, day)], consistent=True)[location, day]


def work_of(table: Table, shop: Network, *names: str) -> list[Record]:
    """The stream's records of the release of orders."""
    kept = RecordingTable(table, "O#")
    for name in names:
        release_order(kept, shop, name, NOW)
    return kept.records


@pytest.fixture
def stocked(table: Table) -> Table:
    fill(table, "A", wh_madrid=99, wh_lyon=99)
    return table


# ---- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capacity", "field"),
    [
        ({"orders": 0}, "capacity.orders"),
        ({"units": -1}, "capacity.units"),
        ({"units": 1.5}, "capacity.units"),
        ({"parcels": 9}, "capacity.parcels"),
    ],
)
def test_a_capacity_that_cannot_be_is_refused_by_its_field(
    capacity: dict[str, Any], field: str, table: Table
) -> None:
    settings = document_of(MADRID) | {"capacity": capacity}
    refused = Rest().put("/configuration/location/wh-madrid", settings)
    assert refused.problem == (422, "field_invalid", field)


# ---- Counting ----------------------------------------------------------------------------------------------


def test_work_is_counted_once_however_often_the_stream_tells_of_it(stocked: Table) -> None:
    wide = limited(capacity=Capacity(orders=9))
    records = work_of(stocked, wide, place(stocked, 1), place(stocked, 2, line("A", 5)))
    assert count_load(stocked, wide, records) == (2, None)
    assert count_load(stocked, wide, records) == (0, None)
    assert load(stocked) == Load(orders=2, units=7)


def test_only_new_work_of_locations_with_a_capacity_is_counted(stocked: Table) -> None:
    records = work_of(stocked, limited(), place(stocked, 1))
    assert count_load(stocked, network(), records) == (0, None)
    changed = [entry | {"dynamodb": entry["dynamodb"] | {"OldImage": {}}} for entry in records]
    assert count_load(stocked, limited(), changed) == (0, None)
    assert load(stocked) == Load()


@pytest.mark.parametrize(
    ("calendar", "day"),
    [
        (Calendar(), "2026-11-22"),
        (Calendar("Asia/Tokyo", cutoffs={"*": "17:00"}), "2026-11-23"),
        (Calendar("Pacific/Auckland"), "2026-11-22"),
        (Calendar("Pacific/Kiritimati"), "2026-11-22"),
        (Calendar(days=(1, 2, 3, 4, 5)), "2026-11-23"),
        (Calendar("America/Los_Angeles"), "2026-11-22"),
        (Calendar("Pacific/Auckland", cutoffs={"standard": "22:00"}, holidays=("2026-11-23",)), "2026-11-24"),
    ],
)
def test_a_day_is_the_working_day_of_the_location_in_its_time_zone(
    calendar: Calendar, day: str, stocked: Table
) -> None:
    shop = limited(calendar=calendar)
    count_load(stocked, shop, work_of(stocked, shop, place(stocked, 1, shop=shop)))
    assert load(stocked, day=day).orders == 1


def test_what_was_counted_is_forgotten_in_the_end(stocked: Table) -> None:
    records = work_of(stocked, limited(), place(stocked, 1))
    count_load(stocked, limited(), records)
    items = stocked.query(keys.load("wh-madrid", TODAY).pk)
    assert len(items) == 2
    assert {item["ttl"] for item in items} == {int((NOW + KEPT).timestamp())}


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_while_counting_is_made_good_by_the_next_delivery(fault: str, stocked: Table) -> None:
    records = work_of(stocked, limited(), place(stocked, 1))
    shaky = Table(Faults(**{fault: 1}).wrap(stocked.client), stocked.name)  # type: ignore[arg-type]
    try:
        _, failure = count_load(shaky, limited(), records)
        assert failure is not None and isinstance(failure.error, ReadTimeoutError)
    except Crash:
        pass
    count_load(stocked, limited(), records)
    assert load(stocked) == Load(1, 2)


def test_availability_counts_and_stops_at_the_first_that_it_cannot(
    stocked: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    for name in ("SOURCING_QUEUE_URL", "ATS_QUEUE_URL"):
        monkeypatch.setenv(name, f"https://sqs/{name.lower()}.fifo")
    monkeypatch.setenv("STREAM_FAILURES", "report")
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    locations = {place.id: document_of(place) for place in limited().locations.values()}
    stocked.commit(put(keys.snapshot("location"), encode_document(locations, 1)))
    process.reset()
    records = [
        entry
        for entry in work_of(stocked, limited(), place(stocked, 1), place(stocked, 2))
        if entry["dynamodb"]["Keys"]["SK"]["S"].startswith("F#")
    ]

    def run(batch: Sequence[Record]) -> list[str]:
        answer = availability.handler({"Records": list(batch)}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    broken = records[0] | {
        "dynamodb": records[0]["dynamodb"] | {"NewImage": {"t": {"S": "fulfillment_order"}}}
    }
    assert run([broken, records[1]]) == [broken["dynamodb"]["SequenceNumber"]]
    assert load(stocked) == Load()
    assert run(records) == []
    assert load(stocked) == Load(2, 4)


# ---- Sourcing ----------------------------------------------------------------------------------------------


def test_a_full_location_is_left_out_with_what_was_counted_and_its_limit(
    stocked: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_load(stocked, limited(), work_of(stocked, limited(), place(stocked, 1)))
    shop = loaded(stocked, limited(), NOW)
    second = place(stocked, 2, shop=shop)
    order = order_of(stocked, second)
    assert [entry.location for entry in order.lines[0].entries] == ["wh-lyon"]
    monkeypatch.setattr(process, "network", lambda *_: shop)
    (decision,) = Rest().get(f"/orders/{second}/sourcing").document["items"][-1]["decisions"]
    (madrid,) = (one for one in decision["locations"] if one["location"] == "wh-madrid")
    assert madrid["removals"] == [
        {"reason": "capacity", "measured": 1, "limit": 1, "line_id": None, "soft": True}
    ]


@pytest.mark.parametrize(
    ("capacity", "there"),
    [
        (Capacity(orders=2), "wh-madrid"),
        (Capacity(units=3), "wh-madrid"),
        (Capacity(units=2), "wh-lyon"),
        (Capacity(orders=9, units=2), "wh-lyon"),
        (Capacity(), "wh-madrid"),
    ],
)
def test_a_location_takes_work_until_it_has_as_much_as_it_can_do(
    capacity: Capacity, there: str, stocked: Table
) -> None:
    shop = limited(capacity=capacity)
    count_load(stocked, shop, work_of(stocked, shop, place(stocked, 1)))
    name = place(stocked, 2, shop=loaded(stocked, shop, NOW))
    assert [entry.location for entry in order_of(stocked, name).lines[0].entries] == [there]


def test_what_nobody_else_has_still_comes_from_a_full_location(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    count_load(table, limited(), work_of(table, limited(), place(table, 1)))
    name = place(table, 2, shop=loaded(table, limited(), NOW))
    assert [entry.location for entry in order_of(table, name).lines[0].entries] == ["wh-madrid"]


def test_loads_are_those_of_now_and_cost_nothing_without_a_capacity(stocked: Table) -> None:
    count_load(stocked, limited(), work_of(stocked, limited(), place(stocked, 1)))
    assert loaded(stocked, limited(), NOW).locations["wh-madrid"].loads == {
        TODAY: Load(1, 2),
        "2026-11-23": Load(),
    }
    plain = network()
    nothing = Table(Faults(crash_before=1).wrap(stocked.client), stocked.name)
    assert loaded(nothing, plain, NOW) is plain


# ---- Release -----------------------------------------------------------------------------------------------


def stages(table: Table, name: str) -> list[tuple[str, Stage]]:
    return [(entry.location, entry.stage) for each in order_of(table, name).lines for entry in each.entries]


def test_work_beyond_the_capacity_waits_for_the_next_working_day(stocked: Table) -> None:
    first, second = place(stocked, 1), place(stocked, 2)
    assert release(stocked, first) == ["wh-madrid"]
    assert release(stocked, second) == []
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert order_of(stocked, second).due_at == midnight
    assert release(stocked, second, midnight) == ["wh-madrid"]
    assert load(stocked, day="2026-11-23") == Load(1, 2)


def test_it_waits_for_the_cut_off_when_orders_count_as_of_the_next_day_from_then_on(stocked: Table) -> None:
    shop = limited(calendar=Calendar("Europe/Madrid", (1, 2, 3, 4, 5, 7), cutoffs={"*": "14:00"}))
    release(stocked, place(stocked, 1), shop=shop)
    second = place(stocked, 2)
    assert release(stocked, second, shop=shop) == []
    assert order_of(stocked, second).due_at == datetime(2026, 11, 22, 13, tzinfo=UTC)
    assert release(stocked, second, datetime(2026, 11, 22, 13, tzinfo=UTC), shop) == ["wh-madrid"]


def test_a_repeated_release_of_what_waits_changes_nothing(stocked: Table) -> None:
    release(stocked, place(stocked, 1))
    second = place(stocked, 2)
    release(stocked, second)
    waiting = order_of(stocked, second)
    release(stocked, second, NOW + timedelta(hours=2))
    assert order_of(stocked, second) == waiting


def test_what_other_locations_have_goes_today(stocked: Table) -> None:
    fill(stocked, "B", wh_lyon=9)
    release(stocked, place(stocked, 1))
    split = place(stocked, 2, line("A", 100), line("B", 1, number=2))
    assert release(stocked, split) == ["wh-lyon"]
    assert set(stages(stocked, split)) == {
        ("wh-madrid", Stage.ALLOCATED),
        ("wh-lyon", Stage.IN_FULFILLMENT),
    }
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    assert order_of(stocked, split).due_at == midnight
    assert release(stocked, split, midnight) == ["wh-madrid"]


def test_what_was_counted_is_no_configuration() -> None:
    location = replace(MADRID, loads={TODAY: Load(1, 1)}, capacity=Capacity(orders=3))
    assert "loads" not in document_of(location)
    assert document_of(location)["capacity"] == {"orders": 3, "units": None}
