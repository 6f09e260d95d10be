"""Moving allocations by the API: refused by what stands against it, done once, both positions or none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oms.inventory.model import Capability, Delta, SafetyStock, Sku
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import Delivery, Method
from oms.orders.identity import order_id
from oms.orders.moving import MoveRequest
from oms.store import process
from oms.store.meter import Meter
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.cancel_order import cancel_order
from oms.usecases.check_ledger import check_ledger
from oms.usecases.describe_sku import describe_sku
from oms.usecases.move_allocation import move_allocation
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from tests.builders import LYON, MADRID, NOW, STORE, command, line, network
from tests.conflicts import Crash, Faults
from tests.rest import Reply, Rest
from tests.shelves import assert_balanced, fill, order_of, shelves

ID = order_id("shop-es", "5001")
PATH = f"/orders/{ID}/lines/1/move"
THERE = MoveRequest("1", "wh-madrid", "wh-lyon", 2)
BEFORE = {"wh-madrid": (9, 5, 4), "wh-lyon": (2, 0, 2)}
AFTER = {"wh-madrid": (9, 3, 6), "wh-lyon": (2, 2, 0)}


def body(to: str = "wh-lyon", units: int | None = 2, origin: str = "wh-madrid") -> dict[str, Any]:
    said = {"from_location": origin, "to_location": to}
    return said if units is None else said | {"units": units}


def ask(key: str = "k-1", **said: Any) -> Reply:
    return Rest().post(PATH, body(**said), key=key)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API's network: what the tests place orders by, and a location that is not active."""
    made = network(MADRID, LYON, STORE, replace(LYON, id="wh-closed", active=False))
    monkeypatch.setattr(process, "network", lambda *_: made)


@pytest.fixture
def placed(table: Table, configured: None) -> Table:
    """Five units of an order at Madrid, and two free ones at Lyon."""
    fill(table, "A", wh_madrid=9)
    place_order(table, network(), command(line("A", 5)), NOW)
    table.commit(move("A", "wh-lyon", Delta(on_hand=2), Why("receipt", "po", "test", NOW)))
    assert shelves(table, "A") == BEFORE
    return table


def release(table: Table) -> None:
    assert release_order(table, network(), ID, NOW)


def cancel(table: Table) -> None:
    cancel_order(table, network(), ID, CancelRequest(CancelReason.STAFF), NOW)


def keep_back(table: Table) -> None:
    describe_sku(table, Sku("A", safety_stock=(SafetyStock(1, "wh-lyon"),)))


def make_hazardous(table: Table) -> None:
    describe_sku(table, Sku("A", requires=(Capability.HAZMAT,)))


def nothing(table: Table) -> None:
    pass


@pytest.mark.parametrize(
    ("first", "said", "problem", "state"),
    [
        (nothing, body(units=0), (422, "field_invalid", "units"), None),
        (nothing, body(to="wh-nowhere"), (422, "field_invalid", "to_location"), None),
        (nothing, body(to="wh-closed"), (422, "field_invalid", "to_location"), None),
        (nothing, body(to="wh-madrid"), (422, "field_invalid", "to_location"), None),
        (make_hazardous, body(), (422, "field_invalid", "to_location"), None),
        (nothing, body(units=6), (409, "state_refused", "units"), "allocated"),
        (nothing, body(units=None), (409, "stock_short", "units"), None),
        (keep_back, body(), (409, "stock_short", "units"), None),
        (nothing, body(origin="st-gracia"), (409, "state_refused", "from_location"), "allocated"),
        (release, body(), (409, "state_refused", "from_location"), "in_fulfillment"),
        (cancel, body(), (409, "state_refused", "from_location"), "cancelled"),
    ],
)
def test_what_stands_against_it_is_named_and_nothing_changes(
    placed: Table,
    first: Callable[[Table], None],
    said: dict[str, Any],
    problem: tuple[int, str, str],
    state: str | None,
) -> None:
    first(placed)
    before, v = shelves(placed, "A"), order_of(placed, ID).v
    refused = Rest().post(PATH, said, key="k-1")
    assert (refused.problem, refused.document.get("state")) == (problem, state)
    assert (shelves(placed, "A"), order_of(placed, ID).v) == (before, v)


def test_an_order_a_line_or_a_version_that_is_not_there_is_told(placed: Table) -> None:
    unknown = Rest().post("/orders/GHOST/lines/1/move", body(), key="k")
    assert unknown.problem == (404, "not_found", "order_id")
    assert Rest().post(f"/orders/{ID}/lines/7/move", body(), key="k").problem == (404, "not_found", "line_id")
    assert Rest().post(PATH, body()).problem == (422, "field_missing", "Idempotency-Key")
    with pytest.raises(Exception, match="version_mismatch"):
        move_allocation(placed, network(), ID, THERE, NOW, expected=7)


def test_what_the_customer_picks_up_stays_where_he_does(table: Table, configured: None) -> None:
    fill(table, "A", st_gracia=5, wh_madrid=5)
    there = (Delivery("d1", Method.PICKUP, location="st-gracia"),)
    place_order(table, network(), command(line("A", 1), deliveries=there), NOW)
    refused = ask(to="wh-madrid", origin="st-gracia", units=1)
    assert refused.problem == (422, "field_invalid", "to_location")


def test_units_are_moved_once_however_often_the_request_comes(placed: Table) -> None:
    replies = [ask() for _ in range(2)]
    assert [(reply.status, reply.document["v"]) for reply in replies] == [(200, 2)] * 2
    assert shelves(placed, "A") == AFTER
    entries = order_of(placed, ID).lines[0].entries
    assert [(entry.location, entry.units) for entry in entries] == [("wh-madrid", 3), ("wh-lyon", 2)]
    assert len({entry.alloc_id for entry in entries}) == 2
    assert order_of(placed, ID).journal[-1].data == {"moved": [["1", "wh-lyon", 2]], "from": "wh-madrid"}
    assert ask(units=1).problem == (409, "conflict", "Idempotency-Key")
    assert_balanced(placed, [ID], "A")
    assert check_ledger(placed, segments=1).findings == ()
    assert {work.location for work in release_order(placed, network(), ID, NOW)} == {"wh-madrid", "wh-lyon"}


def test_a_rival_that_takes_the_last_units_before_it_leaves_them_where_they_were(placed: Table) -> None:
    class Rival:
        def __init__(self, client: Any) -> None:
            self._client, self._done = client, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def transact_write_items(self, **request: Any) -> Any:
            if not self._done:
                self._done = True
                placed.commit(move("A", "wh-lyon", Delta(allocated=1), Why("rival", "r", "test", NOW)))
            return self._client.transact_write_items(**request)

    client: Any = Rival(placed.client)
    rival = Table(client, placed.name)
    with pytest.raises(Exception, match="stock_short"):
        move_allocation(rival, network(), ID, THERE, NOW)
    assert shelves(placed, "A") == BEFORE | {"wh-lyon": (2, 1, 1)}


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_crash_at_any_call_is_mended_by_the_next_request(
    placed: Table, monkeypatch: pytest.MonkeyPatch, number: int, when: str
) -> None:
    """The calls: the reply, the header, the stock, the transaction."""
    faults = Faults(**{when: number})  # type: ignore[arg-type]  # the number of a call
    crashing = Table(faults.wrap(placed.client), placed.name)
    with monkeypatch.context() as patched:
        patched.setattr(process, "table", lambda: crashing)
        crashed = False
        try:
            ask()
        except Crash:
            crashed = True
        assert crashed == (number <= 4)
    assert ask().document["v"] == 2
    assert shelves(placed, "A") == AFTER
    assert_balanced(placed, [ID], "A")


def test_moving_writes_the_header_and_two_positions(placed: Table) -> None:
    meter = Meter(placed.client)
    move_allocation(Table(meter.client(), placed.name), network(), ID, THERE, NOW)
    assert meter.bill.writes == 2 + 2 * 2
