import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from infra.cli import bench
from infra.cli.main import main


def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `oms bench` know one benchmark that takes no time."""

    def measure() -> Iterator[dict[str, int]]:
        """What is measured."""
        yield {"figure": 1}
        yield {"figure": 2}

    monkeypatch.setattr(bench, "benchmarks", lambda: ["probe"])
    monkeypatch.setitem(sys.modules, "tests.bench.probe", SimpleNamespace(measure=measure))


def test_an_unknown_benchmark_is_refused_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(monkeypatch)
    assert main(["bench", "probe", "wrong"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "there are probe" in json.loads(output.err)["detail"]


def test_outside_of_a_checkout_there_are_no_benchmarks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_BENCHMARKS", "not_there.bench")
    assert main(["bench"]) == 1
    assert json.loads(capsys.readouterr().err)["code"] == "unavailable"


def test_figures_are_json_lines_after_the_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(monkeypatch)
    assert main(["bench"]) == 0
    machine, *figures = map(json.loads, capsys.readouterr().out.splitlines())
    assert machine["benchmark"] == "machine"
    assert machine["cores"] > 0
    assert figures == [{"benchmark": "probe", "figure": number} for number in (1, 2)]


def test_figures_are_tables_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(monkeypatch)
    assert main(["bench", "probe", "--markdown"]) == 0
    table = capsys.readouterr().out.split("\n\n")[1]
    assert table.splitlines() == ["| benchmark | figure |", "| --- | --- |", "| probe | 1 |", "| probe | 2 |"]


def test_every_module_beside_the_benchmarks_is_one() -> None:
    assert {"cold_start", "reserve"} <= set(bench.benchmarks())
