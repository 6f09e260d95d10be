"""Units that wait too long: cancelled when their strategy says so, with the money that is owed back."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from functions.sourcing import handler as sourcing
from functions.sourcing import seldom
from oms.events.publish import Queue
from oms.inventory.model import Component, Delta, Sku
from oms.inventory.network import Network
from oms.orders.identity import SHARDS, order_id
from oms.orders.status import OrderStatus, order_status
from oms.orders.work import WorkStage
from oms.problems import Problem
from oms.sourcing.profile import USUAL, Asked, Condition, Profile, Strategy
from oms.store import keys
from oms.store.returns import read_refunds
from oms.store.stock import encode_sku, read_stock
from oms.store.table import Table
from oms.store.writes import Why, move, put
from oms.usecases.check_ledger import check_ledger
from oms.usecases.give_up_waiting import give_up_waiting
from oms.usecases.limit_backorders import limit_backorders
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.sweep_due import Sweep, sweep_due
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.rest import Rest
from tests.shelves import fill, order_of, shelves
from tests.tables import create_table

ID = order_id("shop-es", "5001")
WEEK = NOW + timedelta(days=7)


def patient(days: int | None = 7, **fields: Any) -> Network:
    """The usual network, where units wait some days."""
    strategy = replace(USUAL.strategies[0], cancel_after_days=days, **fields)
    return replace(network(), profile=replace(USUAL, strategies=(strategy,)))


def place(table: Table, *lines: Any, shop: Network | None = None) -> None:
    """An order of 3 units, of which 1 is there."""
    fill(table, "A", wh_madrid=1)
    limit_backorders(table, patient(), "A", "iberia", None)
    place_order(table, shop or patient(), command(*lines or (line("A", 3),)), NOW)


def counters(table: Table) -> list[tuple[int, int, int, int]]:
    """Open, backordered, allocated and cancelled units by line."""
    lines = order_of(table, ID).lines
    return [(each.open, each.backordered, each.allocated, each.cancelled) for each in lines]


def give_up(table: Table, at: datetime = WEEK, shop: Network | None = None) -> int:
    """Units cancelled."""
    done = give_up_waiting(table, shop or patient(), ID, at)
    return done.cancelled if done else 0


def test_an_order_that_is_not_there_is_refused(table: Table) -> None:
    with pytest.raises(Problem, match="is not there"):
        give_up(table)


@pytest.mark.parametrize("days", [0, -1, 1.5])
def test_days_that_cannot_be_are_refused_with_the_path_to_the_fault(days: float) -> None:
    document = USUAL.document()
    document["strategies"] = [{"name": "all", "cancel_after_days": days}]
    refused = Rest().put("/sourcing/profiles/1", document)
    assert refused.problem == (422, "field_invalid", "strategies[0].cancel_after_days")


def test_days_below_one_are_no_strategy() -> None:
    with pytest.raises(Problem) as refused:
        Profile((Strategy("all", cancel_after_days=0),), USUAL.services, USUAL.costs)
    assert refused.value.field == "strategies[0].cancel_after_days"


def test_what_waits_too_long_is_cancelled_and_its_money_owed_back(table: Table) -> None:
    place(table)
    assert counters(table) == [(0, 2, 1, 0)]
    assert give_up(table) == 2
    assert counters(table) == [(0, 0, 1, 2)]
    (refund,) = read_refunds(table, ID, consistent=True).values()
    assert refund.amount == 2000
    assert read_stock(table, ["A"], consistent=True)["A"].demand("iberia").waiting == 0
    assert order_of(table, ID).journal[-1].data["reason"] == "inventory"
    assert not check_ledger(table, segments=1).findings


def test_to_ask_again_changes_nothing(table: Table) -> None:
    place(table)
    give_up(table)
    before = order_of(table, ID)
    assert give_up(table, WEEK + timedelta(days=1)) == 0
    assert order_of(table, ID) == before


@pytest.mark.parametrize(
    ("shop", "at"),
    [
        (patient(), WEEK - timedelta(milliseconds=1)),
        (patient(8), WEEK),
        (patient(None), NOW + timedelta(days=3650)),
    ],
)
def test_what_may_wait_on_waits_on(shop: Network, at: datetime, table: Table) -> None:
    place(table, shop=shop)
    before = order_of(table, ID)
    assert give_up(table, at, shop) == 0
    assert order_of(table, ID) == before


def test_an_order_of_which_all_waits_is_cancelled_in_whole(table: Table) -> None:
    shop = patient(fallbacks=())
    place(table, shop=shop)
    assert counters(table) == [(0, 3, 0, 0)]
    assert give_up(table, shop=shop) == 3
    assert order_status(order_of(table, ID)) is OrderStatus.CANCELLED
    assert shelves(table, "A") == {"wh-madrid": (1, 0, 1)}


def test_the_strategy_is_that_of_the_delivery_as_it_was_ordered(table: Table) -> None:
    """What has shipped counts for its value still."""
    dear = Strategy("dear", (Condition(Asked.VALUE, at_least=3000),), cancel_after_days=30)
    cheap = replace(USUAL.strategies[0], cancel_after_days=1)
    shop = replace(network(), profile=replace(USUAL, strategies=(dear, cheap)))
    place(table, shop=shop)
    release_order(table, shop, ID, NOW)
    assert give_up(table, shop=shop) == 0
    assert give_up(table, NOW + timedelta(days=30), shop) == 2


def test_units_sold_ahead_wait_from_their_first_release_on(table: Table) -> None:
    first = NOW + timedelta(days=5)
    table.commit(put(keys.sku_meta("A"), encode_sku(Sku("A", first_release_at=first))))
    limit_backorders(table, patient(), "A", "iberia", None, preorders=None)
    place_order(table, patient(), command(line("A", 3)), NOW)
    assert give_up(table, WEEK) == 0
    assert give_up(table, first + timedelta(days=7)) == 3


def test_a_kit_whose_parts_wait_is_cancelled_with_them(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    limit_backorders(table, patient(), "A", "iberia", None)
    table.commit(put(keys.sku_meta("SET"), encode_sku(Sku("SET", kit=(Component("A", 2, 1),)))))
    place_order(table, patient(), command(line("SET", 2)), NOW)
    assert give_up(table) == 2
    lines = {each.sku: each for each in order_of(table, ID).lines}
    assert (lines["SET"].cancelled, lines["A"].cancelled, lines["A"].allocated) == (1, 2, 2)


def test_units_that_come_at_the_same_moment_are_kept(table: Table) -> None:
    place(table)

    class Racing(Table):
        races = 1

        def commit(self, *writes: Any) -> None:
            if self.races:
                self.races -= 1
                table.commit(move("A", "wh-madrid", Delta(on_hand=1), Why("receipt", "po", "wms", NOW)))
                serve_waiting(table, patient(), "A", WEEK)
            super().commit(*writes)

    assert give_up(Racing(table.client, table.name, pause=lambda seconds: None)) == 1
    assert counters(table) == [(0, 0, 2, 1)]


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "lose_response"])
def test_a_fault_at_any_call_is_made_good_by_the_next_delivery(table: Table, fault: str) -> None:
    place(table)
    undisturbed = Faults()
    give_up(Table(undisturbed.wrap(table.client), table.name))
    for number in range(1, len(undisturbed.calls) + 1):
        fresh = Table(table.client, create_table(table.client, f"orders-{number}", stream=False))
        place(fresh)
        shaky = Table(Faults(**{fault: number}).wrap(table.client), fresh.name)  # type: ignore[arg-type]
        try:
            give_up(shaky)
        except (Crash, ReadTimeoutError):
            give_up(fresh)
        assert counters(fresh) == [(0, 0, 1, 2)]
        assert [refund.amount for refund in read_refunds(fresh, ID, consistent=True).values()] == [2000]
        table.client.delete_table(TableName=fresh.name)


def test_the_worker_does_what_the_message_asks(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    place(table)
    monkeypatch.setattr(seldom, "process", SimpleNamespace(table=lambda: table, network=patient))
    records = [
        {"messageId": name, "body": json.dumps({"type": "give_up", **what})}
        for name, what in (("m1", {}), ("m2", {"order_id": "NOPE"}), ("m3", {"order_id": ID}))
    ]

    def run(at: datetime) -> list[str]:
        moment = type("Clock", (datetime,), {"now": classmethod(lambda cls, tz: at)})
        monkeypatch.setattr(seldom, "datetime", moment)
        answer = sourcing.handler({"Records": records}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert run(NOW) == ["m1", "m2"]
    assert counters(table) == [(0, 2, 1, 0)]
    assert run(WEEK) == ["m1", "m2"]
    assert counters(table) == [(0, 0, 1, 2)]


def asked(table: Table, at: datetime) -> list[str]:
    """What the clock asks of `sourcing` for what waits, when it looks everywhere at `at`."""
    receiver = Receiver()
    queue = Queue(receiver.queue, "https://sqs/sourcing")
    for number in range(SHARDS):
        sweep_due(table, queue, queue, Sweep(WorkStage.OPEN, f"{number:02d}"), at)
    return [entry["MessageBody"] for entry in receiver.taken if "give_up" in entry["MessageBody"]]


def test_the_clock_asks_once_a_day_for_what_still_waits(table: Table) -> None:
    place(table)
    release_order(table, patient(), ID, NOW)
    looks = [NOW + timedelta(minutes=minute) for minute in range(0, 60 * 24 * 2 + 61)]
    asking = [at - NOW for at in looks if asked(table, at)]
    assert len(asking) in (2, 3)
    assert {wait.days for wait in asking} == {1, 2}
    give_up(table)
    assert not any(asked(table, WEEK + timedelta(minutes=minute)) for minute in range(16))
