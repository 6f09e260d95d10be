"""`oms sourcing preview` and `record` on a stack: as orders are placed, and nothing is written."""

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.cli import sourcing as commands
from infra.cli.main import main
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.identity import order_id
from oms.sourcing.load import Capacity
from oms.store.configuration import read_network
from oms.store.meter import Meter
from oms.store.table import Table
from oms.usecases.cancel_order import cancel_order
from oms.usecases.configure import configure
from oms.usecases.count_load import count_load
from oms.usecases.place_order import place_order
from oms.usecases.release_order import release_order
from tests.builders import MADRID, NOW, command, line
from tests.recorder import RecordingTable
from tests.shelves import fill, shelves

WHERE = ("--channel", "shop-es", "--country", "ES", "--postal-code", "28013")


@pytest.fixture
def stack(table: Table, monkeypatch: pytest.MonkeyPatch) -> Meter:
    """Two mugs in Madrid, one in Lyon; every write is counted."""
    fill(table, "MUG", wh_madrid=2, wh_lyon=1)
    meter = Meter(table.client)
    opened = nullcontext(SimpleNamespace(table=Table(meter.client(), table.name)))
    monkeypatch.setattr(commands, "opened", lambda stack: opened)
    return meter


def run(*arguments: str) -> int:
    return main(["sourcing", "preview", *WHERE, *arguments])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("MUG:0",), "lines[0]"),
        (("MUG", "MUG:some"), "lines[1]"),
        (("GHOST",), "lines[0].sku"),
        (("MUG", "--channel", "nowhere"), "channel"),
        (("MUG", "--profile", "7"), "profile"),
        (("MUG", "--compare", "wh-lyno"), "compare"),
        (("MUG", "--method", "pickup"), "location"),
        (("MUG", "--method", "carry_out", "--location", "st-graz"), "location"),
    ],
)
def test_what_cannot_be_previewed_is_refused_by_the_name_of_the_field(
    stack: Meter, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], field: str
) -> None:
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err.splitlines()[-1])["field"] == field


def test_a_preview_tells_sources_the_promise_and_what_other_plans_cost(
    stack: Meter, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shelves(table, "MUG")
    assert run("MUG:2", "--compare", "wh-lyon") == 0
    printed = json.loads(capsys.readouterr().out)
    shipping = {one["location"]: one["ships"] for one in printed["decision"]["locations"] if "ships" in one}
    assert shipping == {"wh-madrid": {"1": 2}}
    assert printed["decision"]["proven"]
    assert printed["promise"]["lines"].keys() == {"1"}
    (lyon,) = [other for other in printed["alternatives"] if other["instead"] == "wh-lyon"]
    assert lyon["difference"] > 0
    assert (stack.bill.writes, shelves(table, "MUG")) == (0, before)


def test_a_preview_sees_that_a_location_has_enough_work_for_the_day(
    stack: Meter, table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(table, replace(MADRID, capacity=Capacity(orders=1)), {"wms"})
    network, kept = read_network(table), RecordingTable(table, "O#")
    place_order(table, network, command(line("MUG", 1), channel_order_id="1"), NOW)
    release_order(kept, network, order_id("shop-es", "1"), datetime.now(UTC))
    count_load(table, network, kept.records)
    assert run("MUG") == 0
    decided = json.loads(capsys.readouterr().out)["decision"]["locations"]
    assert {one["location"]: one["ships"] for one in decided if "ships" in one} == {"wh-lyon": {"1": 1}}
    assert "capacity" in {out["reason"] for one in decided for out in one.get("out", ())}


def test_recorded_orders_are_placed_again_as_they_were(
    stack: Meter, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = read_network(table)
    fill(table, "CAP", wh_lyon=4)
    for number in range(1, 4):
        sent = command(line("MUG", 1), line("CAP", 1, number=2), channel_order_id=f"{number}")
        place_order(table, network, sent, NOW)
    test_order = command(line("MUG", 1), channel_order_id="9", test=True)
    place_order(table, network, test_order, NOW)
    release_order(table, network, order_id("shop-es", "1"), NOW)
    wish = CancelRequest(CancelReason.STAFF)
    cancel_order(table, network, order_id("shop-es", "3"), wish, NOW)
    day = NOW.date().isoformat()
    written = stack.bill.writes
    assert main(["sourcing", "record", "--first", day, "--last", day, str(tmp_path / "week")]) == 0
    assert json.loads(capsys.readouterr().out) == {"deliveries": 3}
    assert stack.bill.writes == written
    retailer = json.loads((tmp_path / "week/retailer.json").read_text())
    assert retailer["stock"] == {"MUG": {"wh-madrid": 2, "wh-lyon": 1}, "CAP": {"wh-lyon": 4}}
    named = ["--retailer", str(tmp_path / "week/retailer.json"), str(tmp_path / "week/orders.jsonl")]
    assert main(["sourcing", "simulate", *named]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["orders"], again["against"]["promises"], again["against"]["promises_met"]) == (3, 3, 3)
    assert sum(again["against"]["loads"].values()) == 6


def test_a_span_of_days_that_ends_before_it_begins_is_refused(
    stack: Meter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ["--first", "2026-11-02", "--last", "2026-11-01"]
    assert main(["sourcing", "record", *days, str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().err)["field"] == "last"
