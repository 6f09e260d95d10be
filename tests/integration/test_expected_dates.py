"""When waiting units are expected: told from announced supply, to each order behind those before it."""

from datetime import timedelta

import pytest

from oms.inventory.model import Delta, Sku, Supply, SupplyKind
from oms.orders.commands import Delivery, Line, Method
from oms.orders.model import Order
from oms.orders.resourcing import reopen
from oms.runtime import clients
from oms.store import keys
from oms.store.meter import Meter
from oms.store.stock import encode_sku, encode_supply
from oms.store.table import Table
from oms.store.writes import Why, create, limit, move, put
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.place_orders import Refused, place_orders
from oms.usecases.serve_waiting import serve_waiting
from tests.builders import NOW, command, line, network
from tests.rest import Rest
from tests.shelves import fill, order_of

DAY = timedelta(days=1)
WHY = Why("receipt", "r1", "test", NOW)


def announce(table: Table, day: int, units: int, location: str = "wh-madrid", sku: str = "A") -> None:
    name = f"po-{day}-{location}"
    coming = Supply(sku, name, SupplyKind.PURCHASE_ORDER, location, NOW + day * DAY, expected=units, v=1)
    table.commit(create(keys.supply(sku, name), encode_supply(coming)))


def place(table: Table, name: str, *lines: Line, **fields: object) -> Order:
    sent = command(*lines, channel_order_id=name, **fields)
    order = place_order(table, network(), sent, NOW).order
    assert order_of(table, order.order_id) == order
    return order


def days(order: Order) -> list[int | None]:
    """In how many days the waiting units of each line are expected."""
    return [(line.expected_at - NOW).days if line.expected_at else None for line in order.lines]


def test_without_supply_nobody_knows_when_units_come(table: Table) -> None:
    fill(table, "A")
    assert days(place(table, "1", line("A", 2))) == [None]


def test_an_order_that_has_its_units_expects_none(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    announce(table, 3, 9)
    assert days(place(table, "1", line("A", 2))) == [None]


def test_each_order_expects_what_those_before_it_leave_of_the_supply(table: Table) -> None:
    fill(table, "A")
    announce(table, 3, 3)
    announce(table, 9, 2)
    table.commit(limit("A", "iberia", 1))
    found = [days(place(table, name, line("A", 2))) for name in "abc"]
    assert found == [[3], [9], [None]]
    assert check_ledger(table, segments=1).findings == ()


def test_orders_of_one_group_expect_what_those_before_them_leave(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 3)
    announce(table, 9, 2)
    sent = [command(line("A", 2), channel_order_id=name) for name in "abc"]
    found = dict(place_orders(table, network(), sent, NOW))
    orders = [one.order for one in (found[number] for number in range(3)) if not isinstance(one, Refused)]
    assert [days(order) for order in orders] == [[3], [3], [9]]
    assert [order_of(table, order.order_id) for order in orders] == orders


def test_what_the_order_takes_itself_covers_nothing_of_what_it_waits_for(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    announce(table, 3, 2)
    announce(table, 9, 1)
    both = place(table, "1", line("A", 3), line("A", 2, number=2))
    assert sum(one.allocated for one in both.lines) == 2
    assert days(both) == [3, 9]


def test_what_is_picked_up_comes_to_the_store(table: Table) -> None:
    fill(table, "A")
    announce(table, 3, 9)
    announce(table, 9, 9, "st-gracia")
    pickup = Delivery("d1", Method.PICKUP, location="st-gracia")
    assert days(place(table, "1", line("A"), deliveries=(pickup,))) == [9]
    assert days(place(table, "2", line("A"))) == [3]


def test_what_is_sold_ahead_is_expected_at_its_first_release(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", first_release_at=NOW + 30 * DAY))))
    table.commit(limit("A", "iberia", 0, 9))
    announce(table, 3, 1)
    announce(table, 40, 1)
    assert [days(place(table, name, line("A", 2))) for name in "abc"] == [[30], [40], [None]]


def test_a_repeated_message_keeps_what_was_told(table: Table) -> None:
    fill(table, "A")
    announce(table, 9, 9)
    place(table, "1", line("A"))
    announce(table, 3, 9)
    assert days(place(table, "1", line("A"))) == [9]


def test_a_sku_that_becomes_known_is_expected_from_then_on(table: Table) -> None:
    order = place(table, "1", line("G", 2))
    assert days(order) == [None]
    fill(table, "G")
    announce(table, 3, 2, sku="G")
    serve_waiting(table, network(), "G", NOW, described=True)
    assert days(order_of(table, order.order_id)) == [3]


def test_units_that_lose_their_source_are_expected_at_no_time_that_was_told_before(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 9)
    order = place(table, "1", line("A", 2))
    assert days(order) == [3]
    entry = order.lines[0].entries[0]
    assert days(reopen(order, {entry.alloc_id: 1}, NOW, "counted").order) == [None]


def test_the_api_tells_the_date_for_as_long_as_units_wait(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "dynamodb", lambda: table.client)
    fill(table, "A", wh_madrid=1)
    announce(table, 3, 9)
    order = place(table, "1", line("A", 2))

    def told() -> tuple[int, str | None]:
        shown = Rest().get(f"/orders/{order.order_id}").document["lines"][0]
        return shown["open"] + shown["backordered"], shown["expected_at"]

    assert told() == (1, "2026-11-25T09:30:00.000Z")
    table.commit(move("A", "wh-madrid", Delta(on_hand=1), WHY))
    serve_waiting(table, network(), "A", NOW)
    assert told() == (0, None)


@pytest.mark.parametrize("supplies", [0, 1])
def test_the_date_costs_no_write_and_no_read(table: Table, supplies: int) -> None:
    fill(table, "A")
    for day in range(supplies):
        announce(table, day + 3, 9)
    meter = Meter(table.client)
    order = place_order(Table(meter.client("place"), table.name), network(), command(line("A")), NOW).order
    assert days(order) == [3 if supplies else None]
    spent = meter.bill.only(part="table")
    by_type = {kind: spent.only(type=kind).writes for kind in ("order", "body", "demand", "backorder")}
    assert by_type == {"order": 2, "body": 2, "demand": 2, "backorder": 2}
    assert spent.only(type="supply").writes == 0
