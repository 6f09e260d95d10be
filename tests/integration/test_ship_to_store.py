"""What a customer comes for and his store lacks: brought there by a transfer that belongs to his order."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ReadTimeoutError

from oms.fulfillment.events import FactKind, FulfillmentFact, Package
from oms.inventory.model import Capability, Sku
from oms.inventory.network import Network
from oms.inventory.transfers import Arrived, Change, Fate, Known, Transfer, TransferState, dispatch, receive
from oms.inventory.transfers import cancel as cancel_transfer
from oms.inventory.transfers import close as close_transfer
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Delivery, Method
from oms.orders.identity import order_id
from oms.orders.model import Stage
from oms.problems import Problem
from oms.store import keys, queries
from oms.store.orders import encode_order
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.transfers import list_transfers
from oms.store.writes import put
from oms.store.writes import replace as write
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.place_order import place_order
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from oms.usecases.transfer_stock import change_transfer
from tests.builders import LYON, MADRID, NOW, STORE, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
FED = replace(STORE, capabilities=(Capability.SHIP, Capability.PICKUP, Capability.SHIP_TO_STORE))
SHOP = network(MADRID, LYON, FED)
LATER = NOW + timedelta(days=2)


def place(
    table: Table, *lines: object, shop: Network = SHOP, method: Method = Method.PICKUP, **there: int
) -> None:
    """An order of 2 units that the customer comes for to the store in Barcelona."""
    fill(table, "A", **there or {"wh_madrid": 9, "wh_lyon": 9, "st_gracia": 0})
    deliveries = (Delivery("d1", method, location="st-gracia"),)
    place_order(table, shop, command(*lines or (line("A", 2),), deliveries=deliveries), NOW)  # type: ignore[arg-type]


def entries(table: Table) -> list[tuple[str, int, Stage]]:
    lines = order_of(table, ID).lines
    return [(entry.location, entry.units, entry.stage) for each in lines for entry in each.entries]


def release(table: Table, at: datetime = NOW, shop: Network = SHOP) -> list[tuple[str, Method]]:
    """The locations that got work."""
    return [(work.location, work.method) for work in release_order(table, shop, ID, at)]


def transfers(table: Table, *places: str, state: TransferState = TransferState.READY) -> list[Transfer]:
    span = queries.Span(99)
    names = places or ("wh-madrid", "wh-lyon", "st-gracia")
    return [one for name in names for one in list_transfers(table, name, state, span).items]


def do(table: Table, decide: Callable[[Known], Change], name: str | None = None) -> Transfer:
    """Carry out a command on the order's first transfer; the ledger balances after it."""
    made = change_transfer(table, name or f"{ID}-2", decide, "store", LATER)
    assert not check_ledger(table, segments=1).findings
    return made


def send(table: Table) -> None:
    do(table, lambda known: dispatch(known, None, NOW, LATER))


def come(table: Table, units: int, damaged: int = 0) -> None:
    do(table, lambda known: receive(known, [Arrived("1", units, damaged)], LATER, LATER))


# ---- Sourcing ----------------------------------------------------------------------------------------------


def test_what_the_store_has_is_picked_up_there_without_a_transfer(table: Table) -> None:
    place(table, wh_lyon=9, st_gracia=2)
    assert entries(table) == [("st-gracia", 2, Stage.ALLOCATED)]
    assert release(table) == [("st-gracia", Method.PICKUP)]
    assert transfers(table) == []


def test_what_the_store_lacks_comes_from_the_best_feeder_and_the_record_says_so(table: Table) -> None:
    place(table)
    assert entries(table) == [("wh-madrid", 2, Stage.ALLOCATED)]
    (decision,) = queries.order_with_body(table, ID)[1].sourcing  # type: ignore[index]
    assert decision["fallbacks"] == ["relax"]
    named = {one["location"]: one for one in decision["locations"]}
    assert {"reason": "other_store", "measured": "wh-madrid", "limit": "st-gracia", "soft": True} in named[
        "wh-madrid"
    ]["out"]


@pytest.mark.parametrize("store", [STORE, replace(FED, active=False)])
def test_a_store_that_cannot_be_fed_waits_for_its_own_stock(store: object, table: Table) -> None:
    place(table, shop=network(MADRID, LYON, store))  # type: ignore[arg-type]
    assert entries(table) == []


def test_what_a_customer_carries_out_is_brought_by_nobody(table: Table) -> None:
    place(table, method=Method.CARRY_OUT)
    assert entries(table) == []


# ---- Release -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Method.PICKUP, Method.SHIP_TO_STORE])
def test_units_travel_in_their_order_and_are_picked_up_at_the_store(method: Method, table: Table) -> None:
    place(table, method=method)
    assert release(table) == []
    (ready,) = transfers(table, "wh-madrid")
    assert (ready.source, ready.target, ready.state) == ("wh-madrid", "st-gracia", TransferState.READY)
    assert [(each.sku, each.units, each.order and each.order.order_id) for each in ready.lines] == [
        ("A", 2, ID)
    ]
    assert ready.due == datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)
    assert entries(table) == [("wh-madrid", 2, Stage.IN_TRANSFER)]
    assert shelves(table, "A")["wh-madrid"] == (9, 2, 7)
    assert not check_ledger(table, segments=1).findings
    assert release(table) == []
    assert len(transfers(table)) == 1
    send(table)
    assert shelves(table, "A")["wh-madrid"] == (7, 0, 7)
    come(table, 2)
    assert shelves(table, "A")["st-gracia"] == (2, 2, 0)
    assert release(table, LATER) == [("st-gracia", method)]
    (work,) = queries.fulfillment_orders(table, ID)
    for kind in (FactKind.READY_FOR_PICKUP, FactKind.SHIPPED, FactKind.DELIVERED):
        parcels = () if kind is FactKind.READY_FOR_PICKUP else (Package("p1"),)
        record_fulfillment(table, FulfillmentFact(str(kind), kind, LATER, ID, work.id, parcels), LATER)
    (only,) = order_of(table, ID).lines
    assert (only.shipped, only.delivered, only.entries) == (2, 2, ())
    assert shelves(table, "A")["st-gracia"] == (0, 0, 0)
    assert not check_ledger(table, segments=1).findings


def test_each_feeder_sends_what_it_has_and_the_store_begins_with_its_own(table: Table) -> None:
    place(table, line("A", 6), wh_madrid=3, wh_lyon=2, st_gracia=1)
    assert release(table) == [("st-gracia", Method.PICKUP)]
    assert {(one.source, one.lines[0].units) for one in transfers(table)} == {
        ("wh-madrid", 3),
        ("wh-lyon", 2),
    }
    assert not check_ledger(table, segments=1).findings


def test_more_lines_than_a_transaction_takes_go_in_several_transfers(table: Table) -> None:
    for number in range(1, 19):
        fill(table, f"S{number}", wh_madrid=1)
    place(table, *(line(f"S{number}", number=number) for number in range(1, 19)))
    assert release(table) == []
    assert sorted(len(one.lines) for one in transfers(table)) == [2, 16]
    for one in transfers(table):
        do(table, lambda known: dispatch(known, None, NOW, LATER), one.id)


def test_a_held_order_is_not_brought_anywhere(table: Table) -> None:
    place(table)
    order = order_of(table, ID)
    held = replace(order, holds=("manual",)).written(NOW)
    table.commit(write(keys.header(ID), encode_order(held), order.v))
    assert release(table) == []
    assert transfers(table) == []


def test_goods_that_are_not_counted_are_sent_by_parcel(table: Table) -> None:
    table.commit(put(keys.sku_meta("CARD"), encode_sku(Sku("CARD", tracked=False))))
    closed = replace(FED, capabilities=(*FED.can,), closed_until="2026-12-24T00:00:00Z")
    place(table, line("CARD"), shop=network(MADRID, closed))
    assert release(table, shop=network(MADRID, closed)) == [("wh-madrid", Method.PICKUP)]
    assert transfers(table) == []


# ---- On the way --------------------------------------------------------------------------------------------


def test_what_comes_short_is_sourced_again(table: Table) -> None:
    place(table)
    release(table)
    send(table)
    come(table, 1)
    assert sorted(entries(table)) == [("st-gracia", 1, Stage.ALLOCATED), ("st-gracia", 1, Stage.IN_TRANSFER)]
    do(table, lambda known: close_transfer(known, LATER))
    (only,) = order_of(table, ID).lines
    assert (only.open, only.allocated) == (1, 1)
    assert release(table, LATER) == [("st-gracia", Method.PICKUP)]


def test_what_comes_damaged_is_sourced_again(table: Table) -> None:
    place(table)
    release(table)
    send(table)
    come(table, 2, damaged=1)
    (only,) = order_of(table, ID).lines
    assert (only.open, only.allocated) == (1, 1)


def test_what_comes_twice_is_on_the_shelf_and_belongs_to_nobody(table: Table) -> None:
    place(table)
    release(table)
    send(table)
    come(table, 2)
    come(table, 2)
    assert shelves(table, "A")["st-gracia"] == (4, 2, 2)
    assert entries(table) == [("st-gracia", 2, Stage.ALLOCATED)]


def test_what_arrives_before_anybody_has_sent_it_off_had_left(table: Table) -> None:
    place(table)
    release(table)
    come(table, 2)
    assert (shelves(table, "A")["wh-madrid"], shelves(table, "A")["st-gracia"]) == ((7, 0, 7), (2, 2, 0))
    assert release(table, LATER) == [("st-gracia", Method.PICKUP)]


def test_a_customer_cannot_cancel_what_is_on_its_way_but_what_has_come(table: Table) -> None:
    place(table)
    release(table)
    send(table)
    wish = CancelRequest(CancelReason.CUSTOMER, units={"1": 2})
    with pytest.raises(Problem) as refused:
        cancel_order(table, SHOP, ID, wish, NOW)
    assert refused.value.code == "state_refused"
    come(table, 2)
    assert cancel_order(table, SHOP, ID, wish, LATER).cancelled == 2
    assert shelves(table, "A")["st-gracia"] == (2, 0, 2)
    assert release(table, LATER) == []
    assert not check_ledger(table, segments=1).findings


def test_a_transfer_that_is_stopped_before_it_left_is_planned_anew(table: Table) -> None:
    place(table)
    release(table)
    do(table, lambda known: cancel_transfer(known, Fate.PUT_BACK, LATER))
    assert entries(table) == [("wh-madrid", 2, Stage.ALLOCATED)]
    release(table, LATER)
    (again,) = transfers(table, "wh-madrid")
    assert again.id != f"{ID}-2"


def test_a_transfer_that_is_written_off_leaves_its_units_to_be_sourced_again(table: Table) -> None:
    place(table)
    release(table)
    do(table, lambda known: cancel_transfer(known, Fate.WRITE_OFF, LATER))
    (only,) = order_of(table, ID).lines
    assert (only.open, only.entries) == (2, ())
    assert shelves(table, "A")["wh-madrid"] == (7, 0, 7)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_release(table: Table, fault: str) -> None:
    def setting(where: Table) -> None:
        place(where, line("A", 4), wh_madrid=2, wh_lyon=1, st_gracia=1)

    setting(table)
    undisturbed = Faults()
    release(Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        setting(fresh)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        try:
            release(shaky)
        except (Crash, ReadTimeoutError):
            release(fresh)
        release(fresh)
        assert sorted(one.lines[0].units for one in transfers(fresh)) == [1, 2]
        assert len(queries.fulfillment_orders(fresh, ID)) == 1
        assert not check_ledger(fresh, segments=1).findings
        table.client.delete_table(TableName=fresh.name)
