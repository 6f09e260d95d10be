"""`oms import` on moto: rows become catalogue, stock and supply, once, however often the file is imported."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.cli import imports
from infra.cli.main import main
from oms.inventory.codes import CodeKind, SkuCode
from oms.inventory.model import Capability, Component, Delta, Price, SafetyStock, Sku
from oms.orders.commands import Method
from oms.store import keys
from oms.store.errors import Busy
from oms.store.stock import decode_sku, read_places, read_supplies
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.place_order import place_order
from tests.builders import NOW, command, line, network
from tests.conflicts import Crash, Faults
from tests.shelves import fill, position, shelves

AS_OF = "2026-11-21T12:00:00Z"


class Stack:
    """A stack whose table a test has, and the files that are imported into it."""

    def __init__(self, table: Table, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.table = table
        self.folder = folder
        self._capsys = capsys

    def load(self, kind: str, rows: str, *options: str, form: str = "csv") -> tuple[int, Any, list[Any]]:
        """Import a file: exit status, what was counted, and what was refused."""
        path = self.folder / f"{kind}.{form}"
        path.write_text(rows)
        self._capsys.readouterr()
        status = main(["import", kind, str(path), "--workers", "1", *options])
        output = self._capsys.readouterr()
        refused = [json.loads(text) for text in output.err.splitlines()]
        return status, json.loads(output.out) if output.out else None, refused

    def sku(self, name: str) -> Sku:
        item = self.table.get(keys.sku_meta(name))
        assert item is not None
        return decode_sku(item)


@pytest.fixture
def stack(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Stack:
    made = Stack(table, tmp_path, capsys)

    @contextmanager
    def opened(name: str | None) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(table=made.table)

    monkeypatch.setattr(imports, "opened", opened)
    return made


def tally(written: int = 0, unchanged: int = 0, refused: int = 0) -> dict[str, int]:
    return {"written": written, "unchanged": unchanged, "refused": refused}


def fields(refused: Sequence[Any]) -> list[tuple[int, str, str | None]]:
    return [(one["line"], one["code"], one.get("field")) for one in refused]


# ---- What is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["orders", "file.csv"],
        ["skus"],
        ["skus", "file.csv", "--workers", "0"],
        ["skus", "file.csv", "--as-of", AS_OF],
        ["skus", "file.csv", "--channel", "shop-es"],
        ["positions", "file.csv", "--as-of", "yesterday"],
    ],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["import", *arguments])
    assert left.value.code == 2


def test_a_file_that_is_not_there_is_exit_1(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "skus", "nowhere.csv"]) == 1
    assert "nowhere.csv" in json.loads(capsys.readouterr().err)["detail"]


def test_a_file_with_an_unknown_column_changes_nothing(stack: Stack) -> None:
    status, counted, (refused,) = stack.load("positions", "sku,location,onhand\nA,wh-madrid,1\n")
    assert (status, counted, refused["field"]) == (1, None, "onhand")
    assert shelves(stack.table, "A") == {}


def test_bad_positions_are_told_by_line_and_the_others_are_counted(stack: Stack) -> None:
    rows = [
        "sku,location,on_hand,as_of",
        f"A,wh-madrid,5,{AS_OF}",
        f"A,wh-nowhere,5,{AS_OF}",
        f"A,wh-lyon,-1,{AS_OF}",
        f"A,wh-lyon,many,{AS_OF}",
        "B,wh-madrid,5,",
        "B,wh-madrid,5,2199-01-01",
        f"A,wh-madrid,6,{AS_OF}",
        f"B\x07,wh-madrid,5,{AS_OF}",
        f"C,wh-lyon,7,{AS_OF}",
    ]
    status, counted, refused = stack.load("positions", "\n".join(rows))
    assert (status, counted) == (1, tally(written=2, refused=7))
    assert fields(refused) == [
        (4, "field_invalid", "on_hand"),
        (5, "field_invalid", "on_hand"),
        (6, "field_missing", "as_of"),
        (8, "conflict", "sku"),
        (9, "field_invalid", "sku"),
        (3, "not_found", "location"),
        (7, "field_invalid", "as_of"),
    ]
    assert "line 2" in refused[3]["detail"]
    assert shelves(stack.table, "A") == {"wh-madrid": (5, 0, 5)}
    assert shelves(stack.table, "C") == {"wh-lyon": (7, 0, 7)}


def test_bad_skus_are_told_by_line_and_the_others_are_described(stack: Stack) -> None:
    rows = [
        "sku,title,scale,tracked,codes,kit,safety_stock,prices",
        "A,Mug,0,,,,,",
        "B,Cup,1,,ean=4006381333932,,,",
        "C,Set,1,,,GHOST=1,,",
        "D,Set,1,,,MUG,,",
        "E,Spoon,1,,isbn=1,,,",
        "F,Fork,,FALSE,,,,",
        "G,Jug,,,,,1|@store,",
        "H,Pan,,,,,,14.90@EUR",
        "I,Pot,,,,,,1490",
        "J,Lid,,,,,,1490@eur",
    ]
    status, counted, refused = stack.load("skus", "\n".join(rows))
    assert (status, counted) == (1, tally(written=1, refused=9))
    assert sorted(fields(refused)) == [
        (2, "field_invalid", "scale"),
        (3, "field_invalid", "codes[0].value"),
        (4, "field_invalid", "kit[0].sku"),
        (5, "field_invalid", "kit[0].sku"),
        (6, "field_invalid", "codes[0].kind"),
        (8, "field_missing", "safety_stock[1].units"),
        (9, "field_invalid", "prices[0].amount"),
        (10, "field_missing", "prices[0].currency"),
        (11, "field_invalid", "prices[0].currency"),
    ]
    assert stack.sku("F").tracked is False


def test_a_table_that_stays_busy_refuses_rows_and_says_so(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*arguments: object) -> None:
        raise Busy("5 writes were throttled")

    monkeypatch.setattr(imports, "count_stock", busy)
    rows = f"sku,location,on_hand,as_of\nA,wh-madrid,5,{AS_OF}\n"
    status, counted, (refused,) = stack.load("positions", rows)
    assert (status, counted, refused["code"]) == (1, tally(refused=1), "unavailable")


# ---- What is taken -----------------------------------------------------------------------------------------


PLACES = [(f"S{n % 40}", ("wh-madrid", "wh-lyon")[n // 40]) for n in range(80)]
FILE = "\n".join(["sku,location,on_hand", *(f"{sku},{name},{n}" for n, (sku, name) in enumerate(PLACES))])


def test_positions_imported_again_change_nothing(stack: Stack) -> None:
    assert stack.load("positions", FILE, "--as-of", AS_OF) == (0, tally(written=80), [])
    assert stack.load("positions", FILE, "--as-of", AS_OF) == (0, tally(unchanged=80), [])
    assert shelves(stack.table, "S7") == {"wh-lyon": (47, 0, 47), "wh-madrid": (7, 0, 7)}


def test_an_import_that_is_killed_anywhere_is_completed_by_the_next(stack: Stack) -> None:
    table = stack.table
    for calls in (1, 2, 3, 30, 40):
        stack.table = Table(Faults(crash_after=calls).wrap(table.client), table.name)
        with pytest.raises(Crash):
            stack.load("positions", FILE, "--as-of", AS_OF)
    stack.table = table
    status, counted, refused = stack.load("positions", FILE, "--as-of", AS_OF)
    assert (status, counted["written"] + counted["unchanged"], refused) == (0, 80, [])
    for n, (sku, name) in enumerate(PLACES):
        held = position(table, sku, name)
        assert (held.on_hand, held.v) == (n, 1)


def test_stock_that_is_sold_while_a_file_is_imported_stays_sold(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(stack.table, "S1", wh_madrid=5)

    def sell_meanwhile(table: Table, places: Any) -> Any:
        known = read_places(table, places)
        place_order(table, network(), command(line("S1", 2)), NOW)
        return known

    monkeypatch.setattr(imports, "read_places", sell_meanwhile)
    rows = "sku,location,on_hand\nS1,wh-madrid,9\n"
    assert stack.load("positions", rows, "--as-of", AS_OF)[1] == tally(written=1)
    assert shelves(stack.table, "S1") == {"wh-madrid": (9, 2, 7)}


def test_a_count_that_is_older_than_the_last_changes_nothing(stack: Stack) -> None:
    before = datetime.fromisoformat(AS_OF) - timedelta(hours=1)
    stack.table.commit(move("A", "wh-madrid", Delta(on_hand=3), Why("receipt", "", "tests", before)))
    rows = f"sku,location,on_hand,as_of,reason\nA,wh-madrid,9,{AS_OF},stocktake\n"
    assert stack.load("positions", rows)[1] == tally(written=1)
    older = rows.replace("12:00", "11:59").replace(",9,", ",1,")
    assert stack.load("positions", older)[1] == tally(unchanged=1)
    assert shelves(stack.table, "A") == {"wh-madrid": (9, 0, 9)}


def test_a_file_may_have_the_channels_ids_of_locations(stack: Stack) -> None:
    rows = "sku,location,on_hand\nA,905684977,4\nB,wh-madrid,4\n"
    options = ("--as-of", AS_OF, "--channel", "shop-es")
    status, counted, refused = stack.load("positions", rows, *options)
    assert (status, counted) == (1, tally(written=1, refused=1))
    assert fields(refused) == [(3, "field_invalid", "location")]
    assert shelves(stack.table, "A") == {"st-gracia": (4, 0, 4)}
    assert stack.load("positions", rows, "--channel", "shop-xx")[2][0]["code"] == "channel_unknown"


CSV = "\n".join(
    (
        "sku;title;unit;scale;weight_g;tracked;requires;ships_with;codes;kit;safety_stock;prices",
        'SET;"Set; ""two""";;;;;;;vendor=V 1;MUG=2@950|SPOON=1;;1490@EUR|1590@EUR@shop-fr',
        "MUG;Mug;;;350;TRUE;;;ean=4006381333931|upc=036000291452;;2|1@st-gracia|0@st-gracia@pickup|3@@ship;",
        "SPOON;Spoon;;;;;hazmat|oversize;cutlery;;;;",
        "TEA;Tea;g;1000;;;;;;;;",
    )
)
JSONL = "\n".join(
    json.dumps(row)
    for row in (
        {
            "sku": "SET",
            "title": 'Set; "two"',
            "codes": [{"kind": "vendor", "value": "V 1"}],
            "kit": [{"sku": "MUG", "per_bundle": 2, "weight": 950}, {"sku": "SPOON", "per_bundle": 1}],
            "prices": [
                {"amount": 1490, "currency": "EUR"},
                {"amount": 1590, "currency": "EUR", "channel": "shop-fr"},
            ],
        },
        {
            "sku": "MUG",
            "title": "Mug",
            "weight_g": 350,
            "codes": [{"kind": "ean", "value": "4006381333931"}, {"kind": "upc", "value": "036000291452"}],
            "safety_stock": [
                {"units": 2},
                {"units": 1, "location": "st-gracia"},
                {"units": 0, "location": "st-gracia", "method": "pickup"},
                {"units": 3, "method": "ship"},
            ],
        },
        {"sku": "SPOON", "title": "Spoon", "requires": ["hazmat", "oversize"], "ships_with": "cutlery"},
        {"sku": "TEA", "title": "Tea", "unit": "g", "scale": 1000},
    )
)


@pytest.mark.parametrize(("rows", "form"), [(CSV, "csv"), (JSONL, "jsonl")])
def test_skus_of_either_form_say_the_same_and_kits_may_stand_before_their_components(
    stack: Stack, rows: str, form: str
) -> None:
    assert stack.load("skus", rows, form=form) == (0, tally(written=4), [])
    assert stack.load("skus", rows, form=form) == (0, tally(unchanged=4), [])
    made = stack.sku("SET")
    assert (made.title, made.v) == ('Set; "two"', 1)
    assert made.codes == (SkuCode(CodeKind.VENDOR, "V 1"),)
    assert made.kit == (Component("MUG", 2, 950), Component("SPOON", 1))
    assert made.prices == (Price(1490, "EUR"), Price(1590, "EUR", "shop-fr"))
    assert (stack.sku("MUG").weight_g, len(stack.sku("MUG").codes)) == (350, 2)
    assert stack.sku("MUG").safety_stock == (
        SafetyStock(2),
        SafetyStock(1, "st-gracia"),
        SafetyStock(0, "st-gracia", Method.PICKUP),
        SafetyStock(3, method=Method.SHIP),
    )
    spoon = stack.sku("SPOON")
    assert (spoon.requires, spoon.ships_with) == ((Capability.HAZMAT, Capability.OVERSIZE), "cutlery")
    assert (stack.sku("TEA").unit, stack.sku("TEA").scale) == ("g", 1000)


@pytest.mark.parametrize(("kind", "rows"), [("skus", 5), ("positions", 4), ("supplies", 2)])
def test_the_samples_of_the_document_are_taken_in_full(stack: Stack, kind: str, rows: int) -> None:
    (sample,) = (Path(__file__).parents[2] / "infra/docs/samples").glob(f"{kind}.*")
    text = sample.read_text().replace("wh-getafe", "wh-madrid")
    assert stack.load(kind, text, form=sample.suffix[1:]) == (0, tally(written=rows), [])


def test_supplies_are_announced_once(stack: Stack) -> None:
    rows = "sku,supply,location,due,expected\nA,PO-7,wh-madrid,2026-12-01,40\nB,PO-7,nowhere,2026-12-01,40"
    for _ in range(2):
        status, counted, refused = stack.load("supplies", rows)
        assert (status, counted) == (1, tally(written=1, refused=1))
        assert fields(refused) == [(3, "not_found", "location")]
    (supply,) = read_supplies(stack.table, ["A"], "PO-7").values()
    assert (supply.expected, supply.location, supply.v) == (40, "wh-madrid", 1)


def test_a_terminal_sees_how_far_it_is(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "_BATCH", 20)
    shown: list[str] = []
    terminal = SimpleNamespace(isatty=lambda: True, write=shown.append, flush=lambda: None)
    path = stack.folder / "positions.csv"
    path.write_text(FILE)
    monkeypatch.setattr(imports, "sys", SimpleNamespace(stderr=terminal))
    assert main(["import", "positions", str(path), "--as-of", AS_OF, "--workers", "1"]) == 0
    drawn = [text for text in shown if text.startswith("\r")]
    assert len(drawn) == 4
    assert f"[{'#' * 30}] 80 rows" in drawn[-1]
