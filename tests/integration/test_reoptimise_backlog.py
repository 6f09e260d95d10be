"""Planning the backlog again: less cost, nothing lost, whatever happens meanwhile."""

import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from functions.sourcing import handler as sourcing
from oms.inventory.model import Capability, Delta, Sku
from oms.inventory.network import Location, Network
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Address, Delivery, Line, Method, PaymentState, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.runtime import clients
from oms.sourcing.cards import RateCard, Sheet, Zone
from oms.sourcing.profile import USUAL
from oms.store import process
from oms.store.meter import Meter
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases import reoptimise_backlog as use_case
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.describe_sku import describe_sku
from oms.usecases.limit_backorders import limit_backorders
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from oms.usecases.reoptimise_backlog import Run, reoptimise_backlog
from tests.builders import CHANNEL, LYON, MADRID, NOW, STORE, command, line, network
from tests.conflicts import Crash, Faults
from tests.outlets import Receiver
from tests.shelves import assert_balanced, fill, order_of, shelves

GRACE = replace(CHANNEL, grace_minutes=30)
TO_LYON = Address(country="FR", latitude="45.76", longitude="4.83")
TO_MADRID = Address(country="ES", latitude="40.41", longitude="-3.70")
HALFWAY = Address(country="FR", latitude="43.1", longitude="0.4")


def configured(*locations: Location, **profile: Any) -> Network:
    made = network(*locations, channel=GRACE)
    return replace(made, profile=replace(USUAL, **({"reoptimise": True} | profile)))


NETWORK = configured(MADRID, LYON, STORE)


def sent(number: int, to: Address, *lines: Line, **fields: Any) -> PlaceOrder:
    deliveries = (Delivery("d1", Method.SHIP, "standard", to),)
    named = {"channel_order_id": f"{number}", "order_number": f"#{number}", "deliveries": deliveries}
    return command(*(lines or (line("A", 1),)), **(named | fields))


def name(number: int) -> str:
    return order_id("shop-es", f"{number}")


def run(table: Table, now: datetime = NOW, since: datetime | None = None, seconds: int = 200) -> Run:
    """Every look at the clock takes a second."""
    clock = itertools.count().__next__
    return reoptimise_backlog(table, NETWORK, now, since=since, seconds=seconds, clock=clock)


def sources(order: Order) -> list[tuple[str, int]]:
    return sorted((entry.location, entry.units) for one in order.lines for entry in one.entries)


@pytest.fixture
def crossed(table: Table) -> Table:
    """Two orders of the only two units: the one that came first has what is near to the other one."""
    fill(table, "A", wh_madrid=1, wh_lyon=1)
    place_order(table, NETWORK, sent(1, HALFWAY), NOW)
    place_order(table, NETWORK, sent(2, TO_MADRID), NOW)
    first, second = sources(order_of(table, name(1))), sources(order_of(table, name(2)))
    assert (first, second) == ([("wh-madrid", 1)], [("wh-lyon", 1)])
    return table


@pytest.fixture
def risen(table: Table) -> Table:
    """An order from Lyon to Madrid, where its goods have come in since."""
    fill(table, "A", wh_lyon=2)
    place_order(table, NETWORK, sent(1, TO_MADRID, line("A", 2)), NOW)
    table.commit(move("A", "wh-madrid", Delta(on_hand=5), Why("receipt", "po", "test", NOW)))
    return table


def assert_sound(table: Table, *numbers: int, skus: str = "A") -> None:
    assert_balanced(table, map(name, numbers), skus)
    assert check_ledger(table, segments=1).findings == ()


# ---- What is left as it is ---------------------------------------------------------------------------------


def somebody_waits(table: Table) -> None:
    limit_backorders(table, NETWORK, "A", "iberia", 90)
    short = sent(2, TO_MADRID, line("A", 40))
    place_order(table, NETWORK, short, NOW)


def make_hazardous(table: Table) -> None:
    describe_sku(table, Sku("A", requires=(Capability.HAZMAT,)))


def keep_together(table: Table) -> None:
    describe_sku(table, Sku("A", ships_with="set"))


@pytest.mark.parametrize(
    "first",
    [
        lambda table: release_order(table, NETWORK, name(1), NOW),
        lambda table: cancel_order(table, NETWORK, name(1), CancelRequest(CancelReason.STAFF), NOW),
        somebody_waits,
        make_hazardous,
        keep_together,
    ],
    ids=["released", "cancelled", "somebody waits for it", "nobody can do it", "kept together"],
)
def test_units_stay_where_nothing_better_may_be_taken(risen: Table, first: Callable[[Table], None]) -> None:
    first(risen)
    before, held = order_of(risen, name(1)), shelves(risen, "A")
    assert (run(risen).moves, order_of(risen, name(1)), shelves(risen, "A")) == (0, before, held)


def test_a_held_order_keeps_its_units(table: Table) -> None:
    fill(table, "A", wh_lyon=2)
    unpaid = sent(1, TO_MADRID, line("A", 2))
    payment = replace(unpaid.payments[0], state=PaymentState.PENDING)
    place_order(table, NETWORK, replace(unpaid, payments=(payment,)), NOW)
    table.commit(move("A", "wh-madrid", Delta(on_hand=5), Why("receipt", "po", "test", NOW)))
    assert order_of(table, name(1)).holds
    assert run(table) == Run()
    assert sources(order_of(table, name(1))) == [("wh-lyon", 2)]


def test_what_is_picked_up_stays_at_its_store(table: Table) -> None:
    fill(table, "A", st_gracia=2, wh_madrid=9)
    there = (Delivery("d1", Method.PICKUP, location="st-gracia"),)
    place_order(table, NETWORK, sent(1, TO_MADRID, deliveries=there), NOW)
    assert run(table) == Run()


def test_an_order_about_to_be_released_is_left_alone(risen: Table) -> None:
    assert run(risen, NOW + timedelta(minutes=29, seconds=1)) == Run()
    assert run(risen, NOW + timedelta(minutes=28, seconds=59)).moves == 1


def test_nothing_is_done_where_the_profile_does_not_ask_for_it(crossed: Table) -> None:
    off = configured(MADRID, LYON, STORE, reoptimise=False)
    before = [order_of(crossed, name(number)) for number in (1, 2)]
    assert reoptimise_backlog(crossed, off, NOW) == Run()
    assert [order_of(crossed, name(number)) for number in (1, 2)] == before


# ---- What is found -----------------------------------------------------------------------------------------


def test_two_orders_change_places_without_a_write_to_any_position(crossed: Table) -> None:
    before = shelves(crossed, "A")
    meter = Meter(crossed.client)
    done = run(Table(meter.client(), crossed.name))
    assert (done.deliveries, done.moves, done.lost, done.since) == (2, 1, 0, None)
    assert done.cost_before > done.cost_after
    assert sources(order_of(crossed, name(1))) == [("wh-lyon", 1)]
    assert sources(order_of(crossed, name(2))) == [("wh-madrid", 1)]
    assert shelves(crossed, "A") == before
    assert meter.bill.writes == 2 * 2
    assert_sound(crossed, 1, 2)
    assert run(crossed).moves == 0


def test_what_has_come_in_nearer_is_taken_and_the_order_says_why(risen: Table) -> None:
    meter = Meter(risen.client)
    done = run(Table(meter.client(), risen.name))
    assert (done.moves, meter.bill.writes) == (1, 2 + 2 * 2)
    assert shelves(risen, "A") == {"wh-lyon": (2, 0, 2), "wh-madrid": (5, 2, 3)}
    entry = order_of(risen, name(1)).journal[-1]
    saved = done.cost_before - done.cost_after
    assert (entry.kinds, entry.data) == (
        ("replanned",),
        {
            "moved": [["1", "wh-madrid", 2]],
            "from": [["1", "wh-lyon", 2]],
            "cost": [done.cost_before, done.cost_after],
            "saved": saved,
        },
    )
    assert saved > 0
    assert_sound(risen, 1)
    assert {work.location for work in release_order(risen, NETWORK, name(1), NOW)} == {"wh-madrid"}


def carded(*places: Location) -> tuple[Location, ...]:
    """Locations whose parcels cost more from another country, and jump at two kilograms."""
    zones = (Zone("home", (400, 600)), Zone("all", (900, 2500)))
    made = []
    for place in places:
        home = replace(zones[0], countries=(place.country,))
        sheet = Sheet((2000, 30000), (home, zones[1]), fuel_bp=1000, parcel_fee=15)
        made.append(replace(place, rate_card="post", rates=RateCard("post", {"*": sheet}).compiled()))
    return tuple(made)


@pytest.mark.parametrize(("grams", "abroad", "home"), [(500, 1005, 455), (1900, 2765, 675)])
def test_an_order_freighted_by_rate_cards_is_planned_again_by_what_they_ask(
    grams: int, abroad: int, home: int, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = configured(*carded(MADRID, LYON), STORE)
    monkeypatch.setattr(sys.modules[__name__], "NETWORK", shop)
    fill(table, "A", wh_lyon=2)
    describe_sku(table, Sku("A", weight_g=grams))
    place_order(table, shop, sent(1, TO_MADRID, line("A", 2)), NOW)
    table.commit(move("A", "wh-madrid", Delta(on_hand=5), Why("receipt", "po", "test", NOW)))
    done = run(table)
    assert (done.moves, done.cost_before - done.cost_after) == (1, abroad - home)
    assert sources(order_of(table, name(1))) == [("wh-madrid", 2)]
    assert order_of(table, name(1)).journal[-1].data["cost"] == [done.cost_before, done.cost_after]
    assert_sound(table, 1)
    assert run(table).moves == 0


def test_units_that_stay_keep_their_entry(table: Table) -> None:
    fill(table, "A", wh_madrid=2)
    fill(table, "B", wh_lyon=1)
    place_order(table, NETWORK, sent(1, TO_MADRID, line("A", 2), line("B", 1, number=2)), NOW)
    before = order_of(table, name(1))
    table.commit(move("B", "wh-madrid", Delta(on_hand=1), Why("receipt", "po", "test", NOW)))
    assert run(table).moves == 1
    after = order_of(table, name(1))
    assert after.lines[0] == before.lines[0]
    assert [(one.location, one.units) for one in after.lines[1].entries] == [("wh-madrid", 1)]
    ids = [entry.alloc_id for each in after.lines for entry in each.entries]
    assert len(set(ids)) == len(ids)
    assert_sound(table, 1, skus="AB")


def test_safety_stock_is_left_where_it_is(risen: Table) -> None:
    kept = configured(replace(MADRID, safety_stock=4), LYON, STORE)
    assert reoptimise_backlog(risen, kept, NOW).moves == 0


def test_pages_are_planned_one_after_the_other_by_when_they_are_due(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_case, "PAGE", 1)
    fill(table, "A", wh_lyon=40)
    numbers = range(1, 41)
    for number in numbers:
        place_order(table, NETWORK, sent(number, TO_MADRID), NOW + timedelta(milliseconds=number))
    table.commit(move("A", "wh-madrid", Delta(on_hand=40), Why("receipt", "po", "test", NOW)))
    since: datetime | None = None
    runs: list[Run] = []
    while not runs or since:
        runs.append(run(table, since=since))
        since = runs[-1].since
    assert len(runs) > 2
    assert sum(done.deliveries for done in runs) == len(numbers)
    assert {tuple(sources(order_of(table, name(number)))) for number in numbers} == {(("wh-madrid", 1),)}
    assert_sound(table, *numbers)


# ---- What happens meanwhile --------------------------------------------------------------------------------


class Rival:
    """A client that lets somebody else act right before the first transaction."""

    def __init__(self, client: Any, act: Callable[[], object]) -> None:
        self._client, self._act, self._done = client, act, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        if not self._done:
            self._done = True
            self._act()
        return self._client.transact_write_items(**request)


def rival(table: Table, act: Callable[[], object]) -> Table:
    client: Any = Rival(table.client, act)
    return Table(client, table.name)


@pytest.mark.parametrize(
    "act",
    [
        lambda table: cancel_order(table, NETWORK, name(2), CancelRequest(CancelReason.CUSTOMER), NOW),
        lambda table: release_order(table, NETWORK, name(2), NOW),
    ],
    ids=["cancelled", "released"],
)
def test_a_move_is_lost_with_one_of_its_orders_and_nothing_else(
    crossed: Table, act: Callable[[Table], object]
) -> None:
    done = run(rival(crossed, lambda: act(crossed)))
    assert (done.moves, done.lost) == (0, 1)
    assert done.cost_after == done.cost_before
    assert sources(order_of(crossed, name(1))) == [("wh-madrid", 1)]
    assert_sound(crossed, 1, 2)


def test_a_move_is_lost_when_its_units_are_taken_and_the_next_run_sees_what_is_left(risen: Table) -> None:
    def buy() -> None:
        place_order(risen, NETWORK, sent(2, TO_MADRID, line("A", 4)), NOW)

    assert run(rival(risen, buy)).lost == 1
    assert sources(order_of(risen, name(1))) == [("wh-lyon", 2)]
    assert run(risen).lost == 0
    assert_sound(risen, 1, 2)


def test_two_runs_at_once_move_every_unit_once(crossed: Table) -> None:
    runs: list[Run] = []
    runs.append(run(rival(crossed, lambda: runs.append(run(crossed)))))
    assert [(done.moves, done.lost) for done in runs] == [(1, 0), (0, 1)]
    assert_sound(crossed, 1, 2)


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_run_that_crashes_anywhere_leaves_whole_orders_and_the_next_one_goes_on(
    table: Table, when: str
) -> None:
    fill(table, "A", wh_madrid=3, wh_lyon=3)
    for number in range(1, 7):
        place_order(table, NETWORK, sent(number, HALFWAY if number < 4 else TO_MADRID), NOW)
    crashes = 0
    for number in range(1, 60):
        faults = Faults(**{when: number})  # type: ignore[arg-type]  # the number of a call
        try:
            run(Table(faults.wrap(table.client), table.name))
        except Crash:
            crashes += 1
            assert_sound(table, *range(1, 7))
        else:
            break
    assert crashes > 18
    assert run(table).moves == 0
    assert [sources(order_of(table, name(number))) for number in range(4, 7)] == [[("wh-madrid", 1)]] * 3


@pytest.mark.parametrize("cards", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_any_backlog_costs_less_or_the_same_and_stays_sound_beside_others(
    table: Table, seed: int, cards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    if cards:
        monkeypatch.setattr(sys.modules[__name__], "NETWORK", configured(*carded(MADRID, LYON), STORE))
    for sku in "ABC":
        fill(table, sku, **{place: random.randint(0, 4) for place in ("wh_madrid", "wh_lyon", "st_gracia")})
    numbers = range(1, 9)
    for number in numbers:
        skus = random.sample("ABC", random.randint(1, 3))
        lines = (line(sku, random.randint(1, 2), number=n) for n, sku in enumerate(skus, 1))
        to = random.choice((TO_LYON, TO_MADRID, HALFWAY))
        place_order(table, NETWORK, sent(number, to, *lines), NOW)
    for sku in "ABC":
        table.commit(move(sku, "wh-madrid", Delta(on_hand=2), Why("receipt", "po", "test", NOW)))
    units = {number: sum(count for _, count in sources(order_of(table, name(number)))) for number in numbers}
    victim = random.choice(numbers)
    wish = CancelRequest(CancelReason.CUSTOMER)
    done = run(rival(table, lambda: cancel_order(table, NETWORK, name(victim), wish, NOW)), seconds=60)
    assert done.cost_after <= done.cost_before
    assert run(table).lost == 0
    for number in numbers:
        if order_of(table, name(number)).lines[0].cancelled == 0:
            assert sum(count for _, count in sources(order_of(table, name(number)))) == units[number]
    assert_sound(table, *numbers, skus="ABC")


# ---- The message -------------------------------------------------------------------------------------------


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    receiver = Receiver()
    monkeypatch.setenv("SOURCING_QUEUE_URL", "https://sqs/sourcing")
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    monkeypatch.setattr(process, "network", lambda *_: NETWORK)
    return receiver


def handle(**message: object) -> list[str]:
    records = [{"messageId": "m", "body": json.dumps({"type": "reoptimise"} | message)}]
    return [
        one["itemIdentifier"] for one in sourcing.handler({"Records": records}, None)["batchItemFailures"]
    ]


def test_a_message_that_names_no_time_fails_and_says_which_field(
    table: Table, queue: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handle(since="soon") == ["m"]
    assert '"since"' in capsys.readouterr().out


def test_a_message_plans_again_reports_the_cost_and_asks_for_the_rest(
    table: Table, queue: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(use_case, "PAGE", 1)
    monkeypatch.setattr(use_case, "AHEAD", timedelta(days=-9999))  # the function's clock is not ours
    fill(table, "A", wh_lyon=20)
    for number in range(1, 21):
        place_order(table, NETWORK, sent(number, TO_MADRID), NOW + timedelta(milliseconds=number))
    table.commit(move("A", "wh-madrid", Delta(on_hand=20), Why("receipt", "po", "test", NOW)))
    assert handle(since="2026-01-01T00:00:00Z") == []
    (rest,) = [json.loads(entry["MessageBody"]) for entry in queue.taken]
    assert rest["type"] == "reoptimise"
    assert rest["since"] > "2026-11-22T10:00:00"
    told = capsys.readouterr().out
    assert "BacklogCostBefore" in told
    assert "BacklogCostAfter" in told
    while queue.taken:
        message = json.loads(queue.taken[0]["MessageBody"])
        queue.taken.clear()
        for _ in range(2):  # a queue delivers at least once
            assert handle(**message) == []
    assert {tuple(sources(order_of(table, name(number)))) for number in range(1, 21)} == {(("wh-madrid", 1),)}
    assert_sound(table, *range(1, 21))
