"""`oms sourcing preview` on a stack: as the API decides, and nothing is written."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from infra.cli import sourcing as commands
from infra.cli.main import main
from oms.store.meter import Meter
from oms.store.table import Table
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
        (("MUG", "--profile", "7"), "version"),
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
