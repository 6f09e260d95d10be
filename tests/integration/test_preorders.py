"""Pre-orders: units sold before the first release of a sku wait, up to a cap of their own, and come first."""

import json
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from functions.api import handler as api_function
from oms.events.publish import Queue
from oms.inventory.availability import availability, seen_at
from oms.inventory.model import Delta, Sku
from oms.orders.model import Order
from oms.store import keys
from oms.store.stock import encode_sku, read_stock
from oms.store.table import Table
from oms.store.writes import Why, limit, move, put
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import Refused, place_orders
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.sweep_due import parse_tick, sweep_due
from tests.builders import NOW, command, line, network
from tests.outlets import Receiver
from tests.rest import Rest
from tests.shelves import fill, order_of, shelves

RELEASE = NOW + timedelta(days=30)
RELEASED = "2026-12-22T09:30:00.000Z"
WHY = Why("receipt", "r1", "test", NOW)


def announce(table: Table, cap: int | None, backorders: int | None = 0, **units: int) -> None:
    """A sku that is released in a month, with units on shelves already."""
    fill(table, "A", **units)
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", first_release_at=RELEASE))))
    table.commit(limit("A", "iberia", backorders, cap))


def order(table: Table, name: str, units: int, now: datetime = NOW) -> Order:
    sent = command(line("A", units), channel_order_id=name, placed_at=now)
    return place_order(table, network(), sent, now).order


def counters(one: Order) -> tuple[int, int, int]:
    (kept,) = one.lines
    return kept.open, kept.backordered, kept.allocated


def ats(table: Table, now: datetime) -> int | None:
    stock = read_stock(table, ["A"], consistent=True)["A"]
    sellable = network().sellable("iberia")
    return availability(seen_at(stock, now), "iberia", sellable, dict.fromkeys(sellable, 0)).ats


def agreed(table: Table) -> bool:
    return check_ledger(table, segments=1).findings == ()


@pytest.mark.parametrize(
    ("cap", "expected"), [(5, (0, 5, 0)), (3, (2, 3, 0)), (0, (5, 0, 0)), (None, (0, 5, 0))]
)
def test_before_the_release_units_wait_up_to_the_cap_whatever_is_there(
    table: Table, cap: int | None, expected: tuple[int, int, int]
) -> None:
    announce(table, cap, wh_madrid=9)
    assert counters(order(table, "1", 5)) == expected
    assert shelves(table, "A") == {"wh-madrid": (9, 0, 9)}
    assert agreed(table)


def test_the_limit_of_backorders_counts_from_the_release_on(table: Table) -> None:
    announce(table, cap=2, backorders=9)
    assert counters(order(table, "1", 3)) == (1, 2, 0)
    assert counters(order(table, "2", 3, RELEASE)) == (0, 3, 0)


def test_what_may_be_sold_ahead_is_the_cap_less_what_waits(table: Table) -> None:
    announce(table, cap=5, wh_madrid=9)
    assert ats(table, NOW) == 5
    order(table, "1", 3)
    assert ats(table, NOW) == 2
    assert ats(table, RELEASE) == 6


def test_orders_of_a_batch_share_the_cap(table: Table) -> None:
    announce(table, cap=3)
    sent = [command(line("A", 2), channel_order_id=name) for name in "ab"]
    found = dict(place_orders(table, network(), sent, NOW))
    results = [found[number] for number in range(2)]
    assert [counters(r.order) for r in results if not isinstance(r, Refused)] == [(0, 2, 0), (1, 1, 0)]
    assert agreed(table)


def test_a_race_for_the_cap_is_judged_again(table: Table) -> None:
    announce(table, cap=3)
    stale = read_stock(table, ["A"])
    order(table, "rival", 2)
    assert stale["A"].demand("iberia").waiting == 0
    assert counters(order(table, "1", 2)) == (1, 1, 0)


def test_nothing_is_served_before_the_release_and_the_oldest_first_after(table: Table) -> None:
    announce(table, cap=9)
    first, second = order(table, "1", 2), order(table, "2", 2, NOW + timedelta(hours=1))
    table.commit(move("A", "wh-madrid", Delta(on_hand=3), WHY))
    before = RELEASE - timedelta(seconds=1)
    assert serve_waiting(table, network(), "A", before).units == 0
    assert serve_waiting(table, network(), "A", RELEASE).units == 3
    assert [counters(order_of(table, one.order_id)) for one in (first, second)] == [(0, 0, 2), (0, 1, 1)]
    assert agreed(table)


def test_a_sku_that_is_not_counted_waits_for_its_release_too(table: Table) -> None:
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", tracked=False, first_release_at=RELEASE))))
    table.commit(limit("A", "iberia", 0, 9))
    one = order(table, "1", 2)
    assert counters(one) == (0, 2, 0)
    serve_waiting(table, network(), "A", RELEASE)
    assert counters(order_of(table, one.order_id)) == (0, 0, 2)
    assert agreed(table)


def test_new_orders_at_the_release_leave_stock_to_those_who_ordered_ahead(table: Table) -> None:
    announce(table, cap=9, wh_madrid=3)
    ahead = order(table, "1", 2)
    assert counters(order(table, "2", 2, RELEASE)) == (1, 0, 1)
    serve_waiting(table, network(), "A", RELEASE)
    assert counters(order_of(table, ahead.order_id)) == (0, 0, 2)


def test_the_clock_has_a_sku_served_when_it_is_released(table: Table) -> None:
    announce(table, cap=9)
    found: dict[datetime, int] = {}
    for now in (RELEASE - timedelta(minutes=1), RELEASE, RELEASE + timedelta(hours=1)):
        receiver = Receiver()
        queues = [Queue(receiver.queue, f"https://sqs/{name}") for name in ("sourcing", "clock")]
        for sweep in parse_tick({"tick": True}):
            sweep_due(table, queues[0], queues[1], sweep, now)
        bodies = [json.loads(entry["MessageBody"]) for entry in receiver.taken]
        found[now] = bodies.count({"type": "serve", "sku": "A"})
    assert list(found.values()) == [0, 1, 0]


@pytest.fixture
def rest(table: Table, monkeypatch: pytest.MonkeyPatch) -> Rest:
    monkeypatch.setattr(api_function, "datetime", SimpleNamespace(now=lambda zone: NOW))
    return Rest()


def test_the_api_sets_the_date_and_the_cap(table: Table, rest: Rest) -> None:
    fill(table, "A", wh_madrid=9)
    at = "2026-12-22T10:30:00+01:00"
    shown = rest.put("/skus/A", {"title": "Console", "first_release_at": at}).document
    assert shown["first_release_at"] == RELEASED
    limits = {"backorder_limit": 0, "preorder_limit": 4}
    assert rest.put("/stock/A/demand/iberia", limits).document["preorder_limit"] == 4
    assert counters(order(table, "1", 3)) == (0, 3, 0)
    (told,) = rest.get("/availability", channel="shop-es", sku="A").document["items"]
    assert (told["ats"], told["net"], told["waiting"]) == (1, -3, 3)
    assert (told["expected_at"], told["atp"]) == (RELEASED, [{"by": RELEASED, "units": 6}])
    assert rest.put("/skus/A", {"title": "Console"}).document["first_release_at"] is None
    assert serve_waiting(table, network(), "A", NOW).units == 3


@pytest.mark.parametrize("at", ["soon", "1999-01-01T00:00:00Z", 7, True])
def test_a_date_that_is_none_is_refused_by_name(table: Table, rest: Rest, at: object) -> None:
    refused = rest.put("/skus/A", {"title": "Console", "first_release_at": at})
    assert refused.problem == (422, "field_invalid", "first_release_at")


@pytest.mark.parametrize("cap", [-1, "lots", 1.5, None])
def test_a_cap_that_is_no_number_is_refused_by_name(table: Table, rest: Rest, cap: object) -> None:
    refused = rest.put("/stock/A/demand/iberia", {"backorder_limit": 0, "preorder_limit": cap})
    assert refused.problem == (422, "field_invalid", "preorder_limit")
