"""Placing many orders in few transactions: the same result as one by one, whatever comes in between."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.inventory.model import Delta, Stock
from oms.orders.commands import FulfilledBy, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.judgement import Verdict
from oms.problems import Code, Problem
from oms.store import keys
from oms.store.errors import Busy
from oms.store.meter import Meter
from oms.store.stock import read_stock
from oms.store.table import Table
from oms.store.writes import Why, limit, move
from oms.usecases import place_order as usecase
from oms.usecases.place_order import Result, place_order
from oms.usecases.place_orders import Refused, place_orders
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import assert_balanced, fill, order_of, shelves
from tests.tables import create_table

SKUS = ("A", "B", "C", "D")


class Before:
    """A client that does something, which may raise, before each transaction."""

    def __init__(self, client: Any, act: Callable[[int, list[Any]], object]) -> None:
        self._client = client
        self._act = act
        self.transactions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        self.transactions += 1
        self._act(self.transactions, request["TransactItems"])
        return self._client.transact_write_items(**request)


def before(table: Table, act: Callable[[int, list[Any]], object]) -> Table:
    return Table(Before(table.client, act), table.name, pause=lambda seconds: None)  # type: ignore[arg-type]


def once(act: Callable[[], object]) -> Callable[[int, list[Any]], object]:
    return lambda number, actions: act() if number == 1 else None


def name_of(sent: PlaceOrder) -> str:
    return order_id(sent.channel, sent.channel_order_id)


def orders(many: int, sku: str = "A") -> list[PlaceOrder]:
    return [command(line(sku), channel_order_id=str(number)) for number in range(many)]


def outcomes(table: Table, commands: Sequence[PlaceOrder]) -> list[str]:
    """What became of each command, in their order: the verdict, or the type or code of what refused it."""
    found = dict(place_orders(table, network(), commands, NOW))
    assert sorted(found) == list(range(len(commands)))
    return [_told(found[number]) for number in range(len(commands))]


def _told(outcome: Result | Refused) -> str:
    if isinstance(outcome, Result):
        return str(outcome.verdict)
    error = outcome.error
    return str(error.code) if isinstance(error, Problem) else type(error).__name__


def stocked(table: Table) -> None:
    """A is plenty, of B there is little in several places, C may be backordered, D is unknown."""
    fill(table, "A", wh_madrid=500, st_gracia=3)
    fill(table, "B", wh_madrid=4, wh_lyon=3, st_gracia=2)
    fill(table, "C", wh_lyon=2)
    table.commit(limit("C", "iberia", 5))


def baskets(seed: int, many: int) -> list[PlaceOrder]:
    """Orders of one to three lines, some of them void or sold at a till, some of several units."""
    draw = random.Random(seed)
    made = []
    for number in range(many):
        lines = [line(draw.choice(SKUS), draw.randint(1, 3), number=n) for n in range(1, draw.randint(2, 4))]
        if draw.random() < 0.1:
            lines[0] = replace(lines[0], fulfilled_by=FulfilledBy.TAKEN)
        made.append(
            command(
                *lines,
                channel_order_id=str(number),
                test=draw.random() < 0.05,
                source_location="905684977",
            )
        )
    return made


@pytest.mark.parametrize("seed", range(2))
def test_what_is_stored_equals_what_placing_one_by_one_stores(table: Table, seed: int) -> None:
    other = Table(table.client, create_table(table.client, "one-by-one", stream=False))
    sent = baskets(seed, 16)
    for each in (table, other):
        stocked(each)
    one_by_one = [place_order(other, network(), order, NOW) for order in sent]
    together = dict(place_orders(table, network(), sent, NOW))
    assert [together[number] for number in range(len(sent))] == one_by_one
    for order in sent:
        stored = table.query(keys.order(name_of(order)))
        assert stored == other.query(keys.order(name_of(order)))
        assert len(stored) >= 2
    assert _units(table) == _units(other)
    assert any(one.backordered for result in one_by_one for one in result.order.lines)
    assert any(one.open for result in one_by_one for one in result.order.lines)


def _units(table: Table) -> list[Stock]:
    """All stock, without the versions of positions: they count writes."""
    stocks = read_stock(table, SKUS, consistent=True).values()
    return [
        replace(stock, positions=tuple(replace(position, v=0) for position in stock.positions))
        for stock in stocks
    ]


def test_an_order_repeated_within_the_batch_is_placed_once_and_judged_each_time(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    order = command(line("A", 2))
    other = command(line("A", 3))
    newer = replace(other, channel_version="2026-11-22T09:29:30.000Z")
    assert outcomes(table, [order, order, other, newer, order]) == [
        Verdict.PLACED,
        Verdict.DUPLICATE,
        Verdict.CONFLICT,
        Verdict.EDITED,
        Verdict.STALE,
    ]
    assert shelves(table, "A") == {"wh-madrid": (9, 3, 6)}
    assert [kind for entry in order_of(table, name_of(order)).journal for kind in entry.kinds] == [
        "placed",
        "conflict",
        "edited",
        "sourced",
    ]


def test_known_orders_leave_the_group_judged_and_take_nothing_again(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    sent = orders(6)
    for known in (sent[1], sent[4]):
        place_order(table, network(), known, NOW)
    changed = [*sent[:4], replace(sent[4], notes="ring twice"), sent[5]]
    assert outcomes(table, changed) == ["placed", "duplicate", "placed", "placed", "conflict", "placed"]
    assert shelves(table, "A") == {"wh-madrid": (9, 6, 3)}
    assert_balanced(table, map(name_of, sent), "A")


def test_a_batch_delivered_again_changes_nothing(table: Table) -> None:
    fill(table, "A", wh_madrid=9)
    assert outcomes(table, orders(4)) == ["placed"] * 4
    assert outcomes(table, orders(4)) == ["duplicate"] * 4
    assert shelves(table, "A") == {"wh-madrid": (9, 4, 5)}


def test_stock_that_somebody_takes_meanwhile_is_missed_by_the_last_in_the_queue(table: Table) -> None:
    fill(table, "A", wh_madrid=4)
    why = Why("test", "rival", "test", NOW)
    rival = once(lambda: table.commit(move("A", "wh-madrid", Delta(allocated=2), why)))
    found = dict(place_orders(before(table, rival), network(), orders(4), NOW))
    results = [found[number] for number in range(4)]
    assert [r.order.lines[0].allocated for r in results if isinstance(r, Result)] == [1, 1, 0, 0]
    assert [r.refused for r in results if isinstance(r, Result)] == [1, 0, 0, 0]
    assert shelves(table, "A") == {"wh-madrid": (4, 4, 0)}
    demand = table.get(keys.demand("A", "iberia"))
    assert demand is not None
    assert demand["waiting"] == 2


def test_an_order_placed_by_another_while_stock_goes_too_is_still_a_duplicate(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    sent = orders(3)
    rival = once(lambda: place_order(table, network(), sent[1], NOW))
    assert outcomes(before(table, rival), sent) == ["placed", "duplicate", "placed"]
    assert [order_of(table, name_of(one)).lines[0].allocated for one in sent] == [1, 1, 0]
    assert_balanced(table, map(name_of, sent), "A")


def test_stock_that_moves_at_every_try_hands_the_orders_back(table: Table) -> None:
    fill(table, "A", wh_madrid=100)
    why = Why("test", "rival", "test", NOW)

    def steal(number: int, actions: list[Any]) -> None:
        table.commit(move("A", "wh-madrid", Delta(allocated=7), why))

    sent = [command(line("A", 50), channel_order_id=name) for name in "ab"]
    with pytest.raises(Busy):
        list(place_orders(before(table, steal), network(), sent, NOW))
    assert table.get(keys.header(name_of(sent[0]))) is None


def invalid(bad: PlaceOrder) -> Callable[[int, list[Any]], object]:
    """The table does not take a transaction with this order."""

    def refuse(number: int, actions: list[Any]) -> None:
        keys_put = [action["Put"]["Item"]["PK"]["S"] for action in actions if "Put" in action]
        if keys.order(name_of(bad)) in keys_put:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "no"}}, "TransactWriteItems"
            )

    return refuse


@pytest.mark.parametrize("place", [0, 3, 8])
def test_the_one_order_that_the_table_does_not_take_is_refused_alone(table: Table, place: int) -> None:
    fill(table, "A", wh_madrid=50)
    sent = orders(9)
    expected = ["placed"] * 9
    expected[place] = "ClientError"
    assert outcomes(before(table, invalid(sent[place])), sent) == expected
    assert shelves(table, "A") == {"wh-madrid": (50, 8, 42)}
    assert_balanced(table, map(name_of, sent), "A")


def test_an_order_that_cannot_be_decided_on_is_refused_alone(table: Table) -> None:
    fill(table, "A", wh_madrid=50)
    sent = orders(3)
    sent[1] = command(line("A", "a few"), channel_order_id="odd")
    assert outcomes(table, sent) == ["placed", "InvalidOperation", "placed"]


def test_an_order_of_an_unknown_channel_is_refused_alone(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    first, last = orders(2)
    sent = [first, command(line("A"), channel="ghost"), last]
    assert outcomes(table, sent) == ["placed", Code.CHANNEL_UNKNOWN, "placed"]


def test_an_order_larger_than_an_item_is_refused_alone(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "MOST_BYTES", 900)
    fill(table, "A", wh_madrid=5)
    first, last = orders(2)
    large = command(*(line("A", number=n) for n in range(30)), channel_order_id="large")
    assert outcomes(table, [first, large, last]) == ["placed", Code.UNSUPPORTED, "placed"]


def test_an_order_beyond_a_transaction_is_sourced_in_several_between_the_others(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    taken = (line(f"SKU-{n}", number=n, fulfilled_by=FulfilledBy.TAKEN) for n in range(99))
    large = command(line("A"), *taken, channel_order_id="large", source_location="905684977")
    first, last = orders(2)
    assert outcomes(table, [first, large, last]) == ["placed"] * 3
    stored = order_of(table, name_of(large))
    assert not any(one.pending for one in stored.lines)
    assert stored.holds == ()
    assert shelves(table, "SKU-98") == {"st-gracia": (-1, 0, -1)}
    assert [order_of(table, name_of(one)).lines[0].allocated for one in (first, large, last)] == [1, 1, 0]
    assert_balanced(table, map(name_of, (first, large, last)), "A")


def test_stock_that_comes_while_orders_begin_to_wait_goes_to_the_oldest(table: Table) -> None:
    fill(table, "A", wh_madrid=0)
    why = Why("test", "rival", "test", NOW)
    rival = once(lambda: table.commit(move("A", "wh-madrid", Delta(on_hand=2), why)))
    sent = [replace(one, placed_at=NOW + timedelta(hours=-n)) for n, one in enumerate(orders(4))]
    found = dict(place_orders(before(table, rival), network(), sent, NOW))
    results = [found[number] for number in range(4)]
    assert [r.order.lines[0].allocated for r in results if isinstance(r, Result)] == [0, 0, 1, 1]
    assert [r.order for r in results if isinstance(r, Result)] == [
        order_of(table, name_of(one)) for one in sent
    ]
    assert shelves(table, "A") == {"wh-madrid": (2, 2, 0)}


def test_another_version_of_a_refused_order_is_placed(table: Table) -> None:
    fill(table, "A", wh_madrid=5)
    assert outcomes(table, [command(line("A", "a few")), command(line("A", 2))]) == [
        "InvalidOperation",
        "placed",
    ]
    assert shelves(table, "A") == {"wh-madrid": (5, 2, 3)}


def test_an_outage_is_nobodys_refusal(table: Table) -> None:
    fill(table, "A", wh_madrid=5)

    def down(number: int, actions: list[Any]) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "TransactWriteItems")

    with pytest.raises(ClientError):
        list(place_orders(before(table, down), network(), orders(2), NOW))


def test_once_all_is_sold_orders_are_stored_without_touching_the_position(table: Table) -> None:
    fill(table, "A", wh_madrid=1)
    seen: list[str] = []

    def look(number: int, actions: list[Any]) -> None:
        seen.extend(action["Update"]["Key"]["SK"]["S"] for action in actions if "Update" in action)

    watched = before(table, look)
    assert outcomes(watched, orders(3)) == ["placed"] * 3
    assert outcomes(watched, [replace(one, channel_order_id="later") for one in orders(1)]) == ["placed"]
    assert seen == ["P#wh-madrid", "D#iberia", "D#iberia"]


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_crash_at_any_call_is_mended_by_the_next_delivery(table: Table, when: str) -> None:
    fill(table, "A", wh_madrid=30)
    fill(table, "B", wh_lyon=5)
    faults = Faults()
    list(place_orders(Table(faults.wrap(table.client), table.name), network(), _mixed("none"), NOW))
    assert faults.calls == ["query", "query", "transact_write_items"]
    sent = _mixed("none")
    for number in range(1, len(faults.calls) + 1):
        crashing = Faults(**{when: number})  # type: ignore[arg-type]
        batch = _mixed(f"{number}")
        with pytest.raises(Crash):
            list(place_orders(Table(crashing.wrap(table.client), table.name), network(), batch, NOW))
        sent += batch
        assert_balanced(table, map(name_of, sent), "AB")
        assert set(outcomes(table, batch)) in ({"placed"}, {"duplicate"})
        assert_balanced(table, map(name_of, sent), "AB")


def _mixed(name: str) -> list[PlaceOrder]:
    """Three orders of one and two skus."""
    baskets = ([line("A")], [line("A", 2), line("B", 1, number=2)], [line("B", 2)])
    return [command(*lines, channel_order_id=f"{name}-{n}") for n, lines in enumerate(baskets)]


def test_an_order_costs_no_more_than_its_budget_in_a_full_transaction(table: Table) -> None:
    fill(table, "A", wh_madrid=100)
    meter = Meter(table.client)
    assert outcomes(Table(meter.client("place"), table.name), orders(49)) == ["placed"] * 49
    spent = meter.bill.only(part="table")
    of_stock = spent.only(type="order").writes + spent.only(type="position").writes
    assert of_stock <= 2.3 * 49
    assert spent.only(type="body").writes <= 2 * 49
    assert {line.type for line in spent.lines} == {"order", "position", "body"}
