import copy
import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.cli.main import main

INSTANCE: dict[str, Any] = {
    "id": "two mugs",
    "split_penalty": 250,
    "max_nodes": None,
    "lines": [{"sku": "mug", "qty": 2, "weight_g": 400, "backorder_cost": 3000}],
    "nodes": [
        {
            "id": "lyon",
            "distance_km": 100,
            "package_cost": 430,
            "km_rate_milli": 900,
            "handling": 60,
            "kg_rate": 150,
            "capacity": 10,
            "stock": {"mug": 5, "cup": 1},
        }
    ],
}
ANSWER = {
    "id": "two mugs",
    "cost": 430 + 90 + 2 * (60 + 60),
    "bound": 760,
    "proven": True,
    "plan": [["lyon", "mug", 2]],
}

BACKLOG: dict[str, Any] = {
    "id": "evening",
    "split_penalty": 250,
    "nodes": [
        {
            "id": name,
            "package_cost": 400,
            "km_rate_milli": 1000,
            "handling": 50,
            "capacity": 9,
            "stock": {"mug": 1},
        }
        for name in ("lyon", "lille")
    ],
    "orders": [
        {
            "id": name,
            "lines": [{"sku": "mug", "qty": 1, "weight_g": 400, "backorder_cost": 3000}],
            "distance_km": distances,
            "kg_rate": [100, 100],
        }
        for name, distances in (("first", [100, 120]), ("second", [110, 900]))
    ],
}
"""The first order takes the mug of Lyon, a little nearer, and the second then gets one from far away."""


def changed(document: dict[str, Any], path: list[str | int], value: object) -> dict[str, Any]:
    """The document with another value at a path; without the field, if the value is Ellipsis."""
    result = copy.deepcopy(document)
    place: Any = result
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[Any], list[Any]]:
    """Exit status, answers and problems of a command."""
    status = main(argv)
    output = capsys.readouterr()
    answers = [json.loads(line) for line in output.out.splitlines()]
    problems = [json.loads(line) for line in output.err.splitlines()]
    return status, answers, problems


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["id"], ..., "id"),
        (["id"], 7, "id"),
        (["split_penalty"], ..., "split_penalty"),
        (["split_penalty"], 2.5, "split_penalty"),
        (["max_nodes"], "3", "max_nodes"),
        (["lines"], [], "lines"),
        (["lines"], {}, "lines"),
        (["lines", 0], "mug", "lines[0]"),
        (["lines", 0, "qty"], 0, "lines[0].qty"),
        (["lines", 0, "qty"], True, "lines[0].qty"),
        (["lines", 0, "weight_g"], -1, "lines[0].weight_g"),
        (["lines", 0, "backorder_cost"], None, "lines[0].backorder_cost"),
        (["nodes"], None, "nodes"),
        (["nodes", 0, "capacity"], "10", "nodes[0].capacity"),
        (["nodes", 0, "distance_km"], 10**13, "nodes[0].distance_km"),
        (["nodes", 0, "kg_rate"], ..., "nodes[0].kg_rate"),
        (["nodes", 0, "stock"], [1], "nodes[0].stock"),
        (["nodes", 0, "stock", "mug"], -1, "nodes[0].stock.mug"),
        (["nodes"], [*INSTANCE["nodes"], *INSTANCE["nodes"]], "nodes[1].id"),
        (["lines"], [*INSTANCE["lines"], *INSTANCE["lines"]], "lines[1].sku"),
    ],
)
def test_a_bad_instance_exits_1_with_a_problem_that_names_the_field(
    path: list[str | int], value: object, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(changed(INSTANCE, path, value), indent=1))
    status, answers, problems = run(capsys, "source", str(file))
    assert (status, answers, [problem["field"] for problem in problems]) == (1, [], [field])


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"{", b"\xff\xfe", b"[" * 100_000, gzip.compress(b"{}")[:-4], b"\x1f\x8bnothing", b"7"],
    ids=["empty", "blank", "cut off", "no text", "deep", "cut off gzip", "no gzip", "no object"],
)
def test_a_file_that_holds_no_instance_exits_1(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "instances.jsonl"
    file.write_bytes(content)
    status, answers, problems = run(capsys, "source", str(file))
    assert (status, answers, len(problems)) == (1, [], 1)


def test_the_good_instances_beside_a_bad_one_are_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "instances.jsonl"
    bad = changed(INSTANCE, ["lines", 0, "qty"], -1)
    file.write_text("\n".join([json.dumps(INSTANCE), json.dumps(bad), "", "{", json.dumps(INSTANCE)]))
    status, answers, problems = run(capsys, "source", str(file))
    assert (status, [answer["id"] for answer in answers]) == (1, ["two mugs", "two mugs"])
    assert [problem["line"] for problem in problems] == [2, 4]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(INSTANCE, indent=2).encode(),
        json.dumps(INSTANCE).encode() + b"\n",
        b"\xef\xbb\xbf" + json.dumps(INSTANCE).encode(),
        gzip.compress(json.dumps(INSTANCE).encode()),
    ],
    ids=["over several lines", "one line", "with a byte order mark", "gzipped"],
)
@pytest.mark.parametrize("standard_input", [False, True])
def test_an_instance_is_answered_from_any_kind_of_file(
    content: bytes,
    standard_input: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "instance"
    file.write_bytes(content)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    status, answers, problems = run(capsys, "source", "-" if standard_input else str(file))
    assert (status, problems) == (0, [])
    assert answers[0].pop("ms") >= 0
    assert answers == [ANSWER]


def test_an_instance_may_do_without_a_limit_on_locations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "instance.json"
    file.write_text(json.dumps(changed(INSTANCE, ["max_nodes"], ...)))
    assert run(capsys, "source", "--budget-ms", "50", str(file))[0] == 0


@pytest.mark.parametrize("budget", ["-1", "soon", "nan", "inf"])
def test_a_budget_that_is_no_time_is_wrong_usage(budget: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["source", "--budget-ms", budget, "-"])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["id"], ..., "id"),
        (["orders"], ..., "orders"),
        (["orders", 1, "id"], "first", "orders[1].id"),
        (["orders", 1, "lines", 0, "qty"], 0, "orders[1].lines[0].qty"),
        (["orders", 0, "distance_km"], [1], "orders[0].distance_km"),
        (["orders", 0, "kg_rate", 1], 1.5, "orders[0].kg_rate[1]"),
        (["nodes", 1, "id"], "lyon", "nodes[1].id"),
    ],
)
def test_a_bad_backlog_exits_1_with_a_problem_that_names_the_field(
    path: list[str | int], value: object, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backlog.json"
    file.write_text(json.dumps(changed(BACKLOG, path, value)))
    status, answers, problems = run(capsys, "sourcing", "backlog", str(file))
    assert (status, answers, [problem["field"] for problem in problems]) == (1, [], [field])


def test_a_backlog_is_planned_again_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "backlog.json"
    file.write_text(json.dumps(BACKLOG))
    status, answers, _ = run(capsys, "sourcing", "backlog", "--seconds", "60", str(file))
    assert (status, answers) == (
        0,
        [
            {
                "id": "evening",
                "cost": 2 * (400 + 50 + 40) + 120 + 110,
                "splits": 0,
                "sequential_cost": 2 * (400 + 50 + 40) + 100 + 900,
                "plans": {"first": [["lille", "mug", 1]], "second": [["lyon", "mug", 1]]},
            }
        ],
    )
