"""Where an order's units came from: each decision is kept once, with its reason, and shown in turn."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.api import cursors
from oms.fulfillment.events import FactKind, FulfillmentFact
from oms.inventory.model import Delta
from oms.orders.identity import order_id
from oms.orders.moving import MoveRequest
from oms.runtime.secrets import Keys
from oms.sourcing.profile import USUAL
from oms.sourcing.record import MOST_LOCATIONS, MOST_REMOVALS
from oms.store import keys, process
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.move_allocation import move_allocation
from oms.usecases.place_order import place_order
from oms.usecases.record_rejection import record_rejection
from oms.usecases.release_order import release_order
from oms.usecases.reoptimise_backlog import reoptimise_backlog
from oms.usecases.serve_waiting import serve_waiting
from oms.usecases.source_order import source_order
from tests.builders import CHANNEL, LYON, MADRID, NOW, STORE, command, line, network
from tests.conflicts import Crash, Faults
from tests.rest import Rest
from tests.shelves import fill, order_of

ID = order_id("shop-es", "5001")
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "network", lambda *_: network())
    monkeypatch.setattr(cursors, "_keys", lambda: Keys("keys", lambda name: "k" * 64))


def receive(table: Table, units: int, location: str = "wh-madrid") -> None:
    """Units of A come in, which a waiting order has not been told of."""
    table.commit(move("A", location, Delta(on_hand=units), Why("receipt", "po-1", "wms", NOW)))


def history(**query: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = Rest().get(f"/orders/{ID}/sourcing", **query).document["items"]
    return steps


def kept(table: Table) -> list[str]:
    """The sort keys of the decisions that are stored beside the order."""
    return [str(item["SK"]) for item in table.query(keys.order(ID), keys.DECISION)]


def shipping(step: dict[str, Any]) -> dict[str, dict[str, int]]:
    (decision,) = step["decisions"]
    return {one["location"]: one["ships"] for one in decision["locations"] if one["ships"]}


@pytest.fixture
def rejected(table: Table) -> Table:
    """An order that waited for one of its three units, and of which a location has rejected one since."""
    fill(table, "A", wh_madrid=2)
    place_order(table, network(), command(line("A", 3)), NOW)
    receive(table, 1, "wh-lyon")
    serve_waiting(table, network(), "A", LATER)
    first = release_order(table, network(), ID, LATER)[0]
    receive(table, 1, "st-gracia")
    said = FulfillmentFact("m-1", FactKind.REJECTED, LATER, ID, first.id, reason="damaged")
    for _ in range(2):
        record_rejection(table, network(), said, LATER)
    return table


def test_every_step_is_shown_with_its_reason_and_its_decision_the_latest_first(rejected: Table) -> None:
    served, reopened, waited, placed = history()
    assert [step["kind"] for step in (served, reopened, waited, placed)] == [
        "sourced",
        "reopened",
        "sourced",
        "placed",
    ]
    assert (shipping(placed), shipping(waited)) == ({"wh-madrid": {"1": 2}}, {"wh-lyon": {"1": 1}})
    assert placed["decisions"][0]["missing"] == {"1": 1}
    assert (reopened["reason"], reopened["decisions"]) == ("damaged", [])
    assert reopened["left"] == [{"line_id": "1", "location": "wh-madrid", "units": 2}]
    out = {one["location"]: one["removals"] for one in served["decisions"][0]["locations"]}
    assert [one["reason"] for one in out["wh-madrid"]][:1] == ["rejected"]
    assert served["found"] == [{"line_id": "1", "location": "st-gracia", "units": 1}]
    versions = [step["v"] for step in history()]
    assert versions == sorted(versions, reverse=True)


def test_a_message_that_comes_again_keeps_no_second_decision(rejected: Table) -> None:
    before = kept(rejected)
    serve_waiting(rejected, network(), "A", LATER)
    source_order(rejected, network(), ID, LATER)
    assert kept(rejected) == before
    assert len(before) == 2


def test_pages_follow_each_other_without_a_gap(rejected: Table) -> None:
    steps: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(4):
        page = Rest().get(f"/orders/{ID}/sourcing", limit="1", **cursor).document
        steps += page["items"]
        cursor = {"cursor": page["next"]}
    assert (steps, cursor) == (history(), {"cursor": None})


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"limit": "0"}, (422, "field_invalid", "limit")),
        ({"limit": "21"}, (422, "field_invalid", "limit")),
        ({"limit": "all"}, (422, "field_invalid", "limit")),
        ({"cursor": "x"}, (400, "cursor_invalid", "cursor")),
        ({"location": "wh-nowhere"}, (422, "field_invalid", "location")),
    ],
)
def test_a_page_that_makes_no_sense_is_refused_by_its_field(
    query: dict[str, str], problem: tuple[int, str, str], rejected: Table
) -> None:
    assert Rest().get(f"/orders/{ID}/sourcing", **query).problem == problem


def test_what_a_later_step_has_taken_away_is_not_given_back_in_a_what_if(table: Table) -> None:
    fill(table, "A", wh_madrid=2, wh_lyon=2)
    place_order(table, network(), command(line("A", 2)), NOW)
    move_allocation(table, network(), ID, MoveRequest("1", "wh-madrid", "wh-lyon"), LATER)
    receive(table, -2)
    moved, placed = history(location="wh-madrid")
    assert (moved["kind"], moved["decisions"]) == ("moved", [])
    assert moved["left"] == [{"line_id": "1", "location": "wh-madrid", "units": 2}]
    madrid = placed["decisions"][0]["alternatives"][-1]
    assert (madrid["instead"], madrid["difference"]) == ("wh-madrid", None)


def test_a_plan_made_again_is_shown_with_what_it_saved(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = network(MADRID, LYON, STORE, channel=replace(CHANNEL, grace_minutes=30))
    shop = replace(shop, profile=replace(USUAL, reoptimise=True))
    monkeypatch.setattr(process, "network", lambda *_: shop)
    fill(table, "A", wh_lyon=2)
    place_order(table, shop, command(line("A", 2)), NOW)
    receive(table, 2)
    assert reoptimise_backlog(table, shop, NOW).moves == 1
    planned, placed = history()
    assert (planned["kind"], placed["kind"]) == ("replanned", "placed")
    assert planned["cost_after"] < planned["cost_before"] == placed["decisions"][0]["cost"]["total"]
    assert planned["found"] == [{"line_id": "1", "location": "wh-madrid", "units": 2}]
    assert planned["left"] == [{"line_id": "1", "location": "wh-lyon", "units": 2}]


def test_an_order_whose_channel_is_gone_still_tells_why(
    rejected: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "network", lambda *_: replace(network(), channels={}))
    assert [len(step["decisions"]) for step in history()] == [1, 0, 1, 1]
    assert history()[-1]["decisions"][0]["alternatives"] == []


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lose_response"])
def test_a_decision_is_there_once_with_what_it_changed_wherever_serving_ends(table: Table, when: str) -> None:
    for number in range(1, 8):
        name = order_id("shop-es", f"c{number}")
        fill(table, f"S{number}")
        place_order(table, network(), command(line(f"S{number}"), channel_order_id=f"c{number}"), NOW)
        come = Why("receipt", "po-1", "wms", NOW)
        table.commit(move(f"S{number}", "wh-madrid", Delta(on_hand=1), come))
        faulty = Table(Faults(**{when: number}).wrap(table.client), table.name, pause=lambda seconds: None)  # type: ignore[arg-type]
        try:
            serve_waiting(faulty, network(), f"S{number}", LATER)
        except (Crash, Exception):
            served = order_of(table, name)
            decisions = table.query(keys.order(name), keys.DECISION)
            assert len(decisions) == served.lines[0].allocated
        serve_waiting(table, network(), f"S{number}", LATER)
        assert order_of(table, name).lines[0].allocated == 1
        assert [str(item["SK"]) for item in table.query(keys.order(name), keys.DECISION)] == ["D#000002"]


def test_a_record_of_a_very_large_order_stays_far_below_what_an_item_may_hold(table: Table) -> None:
    places = [replace(LYON, id=f"wh-{number:02d}") for number in range(60)]
    shop = network(MADRID, *places)
    skus = [f"S{number}" for number in range(90)]
    for sku in skus:
        fill(table, sku)
    place_order(table, shop, command(*(line(sku, number=n) for n, sku in enumerate(skus, 1))), NOW)
    for sku in skus:
        come = Why("receipt", "po-1", "wms", NOW)
        table.commit(move(sku, "wh-madrid", Delta(on_hand=1), come))
    serve_waiting(table, shop, "S0", LATER)
    stored = [len(bytes(item["doc"])) for item in table.query(keys.order(ID), keys.DECISION)]  # type: ignore[arg-type]
    assert 0 < max(stored) < 10_000
    (decision,) = history()[-1]["decisions"]
    assert len(decision["locations"]) == MOST_LOCATIONS
    assert {len(one["removals"]) for one in decision["locations"]} == {MOST_REMOVALS}
    assert {one["more_removals"] for one in decision["locations"]} == {len(skus) - MOST_REMOVALS}
