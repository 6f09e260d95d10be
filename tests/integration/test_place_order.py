"""Placing an order on the table: duplicates, lost races, crashes, contention."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from oms.inventory.model import Delta, SafetyStock, Sku
from oms.inventory.reservations import Cart, CartLine
from oms.orders import placing
from oms.orders.commands import FulfilledBy, Method, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.orders.placing import IN_TURN
from oms.orders.work import WorkStage, work_stage
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Busy
from oms.store.table import Table
from oms.store.writes import Why, limit, move
from oms.usecases import place_order as usecase
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from oms.usecases.reserve_cart import Wish, reserve_cart
from tests.builders import CHANNEL, NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import assert_balanced, fill, order_of, position, shelves

WHY = Why("test", "rival", "test", NOW)


class Rival:
    """A client that lets a rival write just before some of the transactions."""

    def __init__(self, client: Any, moves: dict[int, Callable[[], object]]) -> None:
        self._client = client
        self._moves = moves
        self.transactions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.transactions += 1
        if self.transactions in self._moves:
            self._moves[self.transactions]()
        return self._client.transact_write_items(**request)


def against(table: Table, **moves: Callable[[], object]) -> Table:
    """The table with a rival who makes `before_1=..` just before the first transaction, and so on."""
    by_number = {int(name.removeprefix("before_")): act for name, act in moves.items()}
    return Table(Rival(table.client, by_number), table.name, pause=lambda seconds: None)  # type: ignore[arg-type]


def steal(table: Table, sku: str, location: str, units: int) -> Callable[[], object]:
    return lambda: table.commit(move(sku, location, Delta(allocated=units), WHY))


def test_a_delivery_of_the_same_order_is_a_duplicate_and_takes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    order = command(line("A", 2))
    assert place_order(table, network(), order, NOW).verdict is Verdict.PLACED
    assert place_order(table, network(), order, NOW).verdict is Verdict.DUPLICATE
    assert shelves(table, "A") == {"wh-madrid": (5, 2, 3)}


def test_a_duplicate_that_would_find_its_line_short_is_still_a_duplicate(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    order = command(line("A", 2))
    place_order(table, network(), order, NOW)
    assert place_order(table, network(), order, NOW).verdict is Verdict.DUPLICATE
    assert order_of(table, order_id("shop-es", "5001")).v == 1
    assert table.get(keys.demand("A", "iberia")) is None


def test_the_same_version_with_other_content_is_a_conflict_and_never_a_second_order(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    place_order(table, network(), command(line("A", 2)), NOW)
    result = place_order(table, network(), command(line("A", 3)), NOW)
    assert (result.verdict, result.opened) == (Verdict.CONFLICT, ("channel_conflict",))
    again = place_order(table, network(), command(line("A", 3)), NOW)
    assert (again.verdict, again.opened) == (Verdict.CONFLICT, ())
    stored = order_of(table, result.order.order_id)
    assert (stored.lines[0].ordered, stored.v, stored.journal[-1].kinds) == (2, 2, ("conflict",))
    assert shelves(table, "A") == {"wh-madrid": (9, 2, 7)}


def test_a_lost_race_takes_the_next_location_by_what_the_refusal_shows(table: Table) -> None:
    fill(table, "A", st_gracia=1, wh_madrid=1)
    rival = against(table, before_1=steal(table, "A", "wh-madrid", 1))
    result = place_order(rival, network(), command(line("A")), NOW)
    assert [entry.location for entry in result.order.lines[0].entries] == ["st-gracia"]
    assert result.refused == 1
    assert shelves(table, "A") == {"st-gracia": (1, 1, 0), "wh-madrid": (1, 1, 0)}


def test_a_lost_race_for_the_last_unit_leaves_a_durable_open_order_and_no_trace_of_the_loss(
    table: Table,
) -> None:
    fill(table, "A", wh_madrid=1)
    fill(table, "B", wh_madrid=5)
    rival = against(table, before_1=steal(table, "A", "wh-madrid", 1))
    result = place_order(rival, network(), command(line("A"), line("B", 2, number=2)), NOW)
    assert (result.order.lines[0].open, result.order.lines[1].allocated) == (1, 2)
    assert shelves(table, "A") == {"wh-madrid": (1, 1, 0)}
    assert shelves(table, "B") == {"wh-madrid": (5, 2, 3)}
    demand = table.get(keys.demand("A", "iberia"))
    assert demand is not None
    assert demand["waiting"] == 1


def test_the_order_that_is_there_outranks_the_stock_that_is_not(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    order = command(line("A", 2))
    rival = against(table, before_1=lambda: place_order(table, network(), order, NOW))
    assert place_order(rival, network(), order, NOW).verdict is Verdict.DUPLICATE
    assert shelves(table, "A") == {"wh-madrid": (2, 2, 0)}


def test_a_race_for_the_backorder_limit_is_judged_again(table: Table) -> None:
    fill(table, "A")
    table.commit(limit("A", "iberia", 3))
    other = command(line("A", 2), channel_order_id="rival")
    rival = against(table, before_1=lambda: place_order(table, network(), other, NOW))
    (one,) = place_order(rival, network(), command(line("A", 2)), NOW).order.lines
    assert (one.backordered, one.open) == (1, 1)
    demand = table.get(keys.demand("A", "iberia"))
    assert demand is not None
    assert demand["waiting"] == 4
    backorder = table.get(keys.backorder(order_id("shop-es", "5001"), "A"))
    assert backorder is not None
    assert (backorder["units"], backorder["GSI1PK"]) == (2, "B#A")


def test_stock_that_moves_at_every_try_hands_the_command_back(table: Table) -> None:
    fill(table, "A", wh_madrid=100)
    moves = {f"before_{number}": steal(table, "A", "wh-madrid", 12) for number in range(1, 9)}
    with pytest.raises(Busy):
        place_order(against(table, **moves), network(), command(line("A", 100)), NOW)
    assert table.get(keys.header(order_id("shop-es", "5001"))) is None


def test_a_lost_answer_is_made_good_by_the_next_delivery(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    faulty = Table(Faults(lose_response=2).wrap(table.client), table.name)
    with pytest.raises(ReadTimeoutError):
        place_order(faulty, network(), command(line("A", 2)), NOW)
    assert place_order(table, network(), command(line("A", 2)), NOW).verdict is Verdict.DUPLICATE
    assert shelves(table, "A") == {"wh-madrid": (5, 2, 3)}


def conflicts(code: str = "TransactionConflict") -> Callable[[], object]:
    def refuse() -> None:
        reasons = [{"Code": code}, {"Code": "None"}, {"Code": "None"}]
        answer: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise ClientError(answer, "TransactWriteItems")

    return refuse


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_conflicts_and_throttling_are_waited_out_in_place(table: Table, code: str) -> None:
    fill(table, "A", wh_madrid=5)
    rival = against(table, **{f"before_{number}": conflicts(code) for number in range(1, 8)})
    assert place_order(rival, network(), command(line("A")), NOW).verdict is Verdict.PLACED


def test_conflicts_that_do_not_end_hand_the_command_back(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    rival = against(table, **{f"before_{number}": conflicts() for number in range(1, 9)})
    with pytest.raises(Busy):
        place_order(rival, network(), command(line("A")), NOW)


def test_a_bug_in_a_request_is_not_retried(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    rival = against(table, before_1=conflicts("ValidationError"))
    with pytest.raises(ClientError):
        place_order(rival, network(), command(line("A")), NOW)


def test_a_channel_that_is_not_configured_is_refused_by_name(table: Table) -> None:
    with pytest.raises(Problem) as refused:
        place_order(table, network(), command(line("A"), channel="ghost"), NOW)
    assert (refused.value.code, refused.value.field) == (Code.CHANNEL_UNKNOWN, "channel")


def test_units_sold_at_a_till_leave_a_shelf_that_was_never_counted(table: Table) -> None:
    fill(table, "A")
    till = replace(line("A", 2), fulfilled_by=FulfilledBy.TAKEN)
    place_order(table, network(), command(till, source_location="905684977"), NOW)
    assert shelves(table, "A") == {"st-gracia": (-2, 0, -2)}


def test_safety_stock_is_not_taken_even_under_a_race(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    configured = network()
    safe = replace(configured.locations["wh-madrid"], safety_stock=3)
    careful = replace(configured, locations={**configured.locations, "wh-madrid": safe})
    rival = against(table, before_1=steal(table, "A", "wh-madrid", 1))
    (one,) = place_order(rival, careful, command(line("A", 2)), NOW).order.lines
    assert (one.allocated, one.open) == (1, 1)
    assert position(table, "A", "wh-madrid").uncommitted == 3


def test_what_a_sku_says_of_its_safety_stock_holds_for_carts_and_under_a_race(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    describe_sku(table, Sku("A", safety_stock=(SafetyStock(3, "wh-madrid", Method.SHIP), SafetyStock(1))))
    rival = against(table, before_1=steal(table, "A", "wh-madrid", 1))
    (one,) = place_order(rival, network(), command(line("A", 2)), NOW).order.lines
    assert (one.allocated, one.open) == (1, 1)
    wish = Wish(Cart(CHANNEL.id, (CartLine("A", 1),)), NOW + timedelta(minutes=15))
    with pytest.raises(Problem) as refused:
        reserve_cart(table, network(), "cart", wish, NOW)
    assert refused.value.code is Code.STOCK_SHORT
    assert position(table, "A", "wh-madrid").uncommitted == 3


def test_what_is_stored_is_what_was_decided(table: Table) -> None:
    fill(table, "A", wh_madrid=1, wh_lyon=1)
    fill(table, "B", wh_lyon=1)
    order = command(line("A", 3), line("B", 1, number=2), line(None, 1, number=3))
    result = place_order(table, network(), order, NOW)
    assert order_of(table, result.order.order_id) == result.order
    assert_balanced(table, [result.order.order_id], "AB")


def large(many: int) -> PlaceOrder:
    return command(*(line(f"SKU-{number:03}", 1, number=number) for number in range(many)))


def stocked(table: Table, many: int) -> list[str]:
    """Skus of which every third is nowhere."""
    skus = [f"SKU-{number:03}" for number in range(many)]
    for number, sku in enumerate(skus):
        fill(table, sku, wh_madrid=1 if number % 3 else 0)
    return skus


def test_an_order_too_large_for_one_transaction_is_sourced_in_several(table: Table) -> None:
    skus = stocked(table, 150)
    placed = place_order(table, network(), large(150), NOW).order
    assert order_of(table, placed.order_id) == placed
    assert [kind for entry in placed.journal for kind in entry.kinds] == ["placed", "sourced", "sourced"]
    assert [one.allocated for one in placed.lines] == [1 if number % 3 else 0 for number in range(150)]
    assert not any(one.pending for one in placed.lines)
    assert placed.holds == ()
    assert_balanced(table, [placed.order_id], skus)
    waiting = {item["SK"] for item in table.query(keys.order(placed.order_id), keys.BACKORDER)}
    assert waiting == {f"W#SKU-{number:03}" for number in range(0, 150, 3)}


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_while_a_large_order_is_sourced_is_mended_by_the_next_delivery(
    table: Table, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "ROOM", 4)
    skus = stocked(table, 8)
    faults = Faults()
    order = replace(large(8), channel_order_id="none")
    place_order(Table(faults.wrap(table.client), table.name), network(), order, NOW)
    calls = [number for number, call in enumerate(faults.calls, 1) if call != "query"]
    assert len(calls) == 5
    sent = [order]
    for number in calls:
        sent.append(replace(order, channel_order_id=f"{number}"))
        crashing = Table(Faults(**{when: number}).wrap(table.client), table.name)  # type: ignore[arg-type]
        with pytest.raises(Crash):
            place_order(crashing, network(), sent[-1], NOW)
        again = place_order(table, network(), sent[-1], NOW).order
        assert not any(one.pending for one in again.lines)
        assert again.holds == ()
        assert_balanced(table, [order_id(one.channel, one.channel_order_id) for one in sent], skus)


def test_an_order_that_is_not_sourced_to_its_end_is_not_released(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "ROOM", 4)
    stocked(table, 6)
    with pytest.raises(Crash):
        place_order(Table(Faults(crash_after=13).wrap(table.client), table.name), network(), large(6), NOW)
    stored = order_of(table, order_id("shop-es", "5001"))
    assert (stored.v, stored.holds) == (1, (IN_TURN,))
    assert release_order(table, network(), stored.order_id, NOW) == ()
    assert work_stage(stored) == (WorkStage.OPEN, NOW)


def test_an_order_larger_than_an_item_is_refused_whole(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "MOST_BYTES", 500)
    fill(table, "SKU-000", wh_madrid=1)
    with pytest.raises(Problem) as refused:
        place_order(table, network(), large(9), NOW)
    assert (refused.value.code, refused.value.field) == (Code.UNSUPPORTED, "lines")
    assert shelves(table, "SKU-000") == {"wh-madrid": (1, 0, 1)}


def test_stock_that_comes_while_an_order_begins_to_wait_is_not_missed(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    table.commit(limit("A", "iberia", 9))
    comes = lambda: table.commit(move("A", "wh-madrid", Delta(on_hand=2), WHY))  # noqa: E731
    result = place_order(against(table, before_1=comes), network(), command(line("A", 3)), NOW)
    assert order_of(table, result.order.order_id) == result.order
    (one,) = result.order.lines
    assert (one.allocated, one.backordered) == (3, 0)
    assert shelves(table, "A") == {"wh-madrid": (3, 3, 0)}
    assert table.get(keys.backorder(result.order.order_id, "A")) is None
