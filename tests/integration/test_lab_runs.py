"""The lab itself: a run is the same whenever it is made, and a failing one is made small and replays."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from infra.cli.main import main
from infra.lab.faults import MEANINGS, PROFILES
from infra.lab.invariants import Outcome
from infra.lab.scheduler import Scheduler
from infra.lab.shrink import shrink
from infra.lab.simulation import Plan, Run, lab, plan_of, simulate
from infra.lint.template import ROOT
from oms.store import attributes
from oms.store.attributes import decode_value
from tests.planted import BUGS, planted

FORGETFUL = next(bug for bug in BUGS if bug.name == "a failed record is confirmed")


@pytest.fixture
def in_the_lab() -> Iterator[None]:
    with lab():
        yield


@pytest.mark.usefixtures("in_the_lab")
@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_plan_makes_the_same_history(seed: int) -> None:
    first, second = (simulate(Plan(seed, 3), history=True) for _ in range(2))
    assert first.history == second.history
    assert len(first.history) > 100


def test_a_run_is_the_same_in_every_process() -> None:
    program = (
        "from infra.lab.simulation import Plan, lab, simulate\n"
        "with lab(): print('\\n'.join(simulate(Plan(2, 4), history=True).history))"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second


@pytest.mark.usefixtures("in_the_lab")
def test_nobody_changes_what_was_decoded_once_for_all() -> None:
    def see(outcome: Outcome) -> None:
        images = [cast(Any, image) for image in outcome.cloud.table.items.values()]
        for image in images:
            plain = attributes.decode(image)
            assert plain is attributes.decode(image)
            assert plain == {name: decode_value(value) for name, value in image.items()}

    assert not simulate(Plan(3, 3), see=see).wrong


@pytest.mark.usefixtures("in_the_lab")
def test_other_seeds_make_other_histories() -> None:
    one, other = (simulate(Plan(seed, 3), history=True) for seed in (3, 4))
    assert one.history != other.history


@pytest.mark.usefixtures("in_the_lab")
def test_a_plan_without_faults_has_none() -> None:
    assert simulate(Plan(3, 3)).faults
    assert simulate(Plan(3, 3, faults=frozenset())).faults == []


@pytest.mark.usefixtures("in_the_lab")
def test_a_failing_history_is_made_small_and_fails_still() -> None:
    def lost(run: Run) -> bool:
        return any("was taken and is not there" in sentence for sentence in run.wrong)

    with planted(FORGETFUL):
        whole = next(filter(lost, (simulate(Plan(seed, 4)) for seed in range(8, 30))))
        small = shrink(whole.plan, lost)
        assert lost(simulate(small))
    assert small.acts is not None
    assert small.faults is not None
    assert len(small.acts) < len(whole.acts) / 4
    assert len(small.faults) <= 5
    assert plan_of(json.loads(json.dumps(small.document()))) == small


def test_the_command_tells_of_failing_runs_and_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state.jsonl"
    command = ["lab", "faults", "--orders", "2", "--seed", "5", "--runs", "2", "--state", str(state)]
    assert main(command) == 0
    assert main(command) == 0
    summaries = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert [summary["made_now"] for summary in summaries] == [2, 0]
    assert len(state.read_text().splitlines()) == 2
    took = [json.loads(line)["cpu_s"] for line in state.read_text().splitlines()]
    assert all(took)
    assert {summary["cpu_s"] for summary in summaries} == {round(sum(took), 1)}


def test_a_command_that_was_killed_while_it_wrote_makes_that_run_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    command = ["lab", "faults", "--orders", "1", "--seed", "5", "--runs", "2", "--state", str(state)]
    assert main(command) == 0
    first, second = state.read_text().splitlines()
    state.write_text(f"{first}\n{second[:-9]}")
    assert main(command) == 0
    assert [json.loads(line)["seed"] for line in state.read_text().splitlines()] == [5, 6]


@pytest.mark.parametrize(
    "text",
    ["garbage", "[]", "3", "{}", '{"seed": 1}', '{"seed": "x", "orders": 2}', '{"plan": 3}', '{"plan": {}}'],
)
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(text)
    assert main(["lab", "replay", str(plan)]) == 1
    problem = json.loads(capsys.readouterr().err)
    assert (problem["field"], str(plan) in problem["detail"]) == ("plan", True)


@pytest.mark.parametrize("end", ["notes", '{"seed": 5', '{"plan": {"seed": 5}}'])
def test_an_end_that_is_no_part_of_a_run_is_not_cut_off(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "notes"
    state.write_text(end)
    assert main(["lab", "faults", "--state", str(state)]) == 1
    problem = json.loads(capsys.readouterr().err)
    assert (problem["field"], f"the end of {state}" in problem["detail"]) == ("state", True)
    assert state.read_text() == end


@pytest.mark.parametrize("line", ["not json", "[1]", "7", '{"orders": 1}'])
def test_a_file_that_is_not_the_command_s_is_refused_and_left_as_it_is(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "notes"
    text = f'{{"orders": 1, "seed": 5, "wrong": [], "cpu_s": 0.1}}\n{line}\nthe end'
    state.write_text(text)
    assert main(["lab", "faults", "--state", str(state)]) == 1
    problem = json.loads(capsys.readouterr().err)
    assert (problem["field"], f"line 2 of {state}" in problem["detail"]) == ("state", True)
    assert state.read_text() == text


def test_processes_share_the_runs(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    shared = ["--runs", "3", "--processes", "2", "--state", str(state)]
    assert main(["lab", "faults", "--orders", "1", "--seed", "5", *shared]) == 0
    assert sorted(json.loads(line)["seed"] for line in state.read_text().splitlines()) == [5, 6, 7]


def test_a_plan_is_replayed_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"plan": Plan(5, 2).document()}))
    assert main(["lab", "replay", str(file)]) == 0
    assert len(capsys.readouterr().out.splitlines()) > 50


def test_every_profile_names_kinds_of_faults() -> None:
    assert all(rates.keys() <= MEANINGS.keys() for rates in PROFILES.values())


def test_workers_take_turns_by_their_delays_alone() -> None:
    scheduler, seen = Scheduler(), []

    def work(name: str, pause: float) -> None:
        for step in range(3):
            seen.append((name, step, scheduler.now))
            scheduler.wait(pause)

    scheduler.spawn(0, lambda: work("slow", 3), None)
    scheduler.spawn(0, lambda: work("quick", 1), None)
    scheduler.run()
    scheduler.stop()
    expected = [("slow", 0, 0), ("quick", 0, 0), ("quick", 1, 1), ("quick", 2, 2), ("slow", 1, 3)]
    assert seen == [*expected, ("slow", 2, 6)]


def test_a_failure_of_a_worker_ends_the_simulation() -> None:
    scheduler = Scheduler()

    def fail() -> None:
        raise LookupError("nobody expected this")

    scheduler.spawn(0, fail, None)
    with pytest.raises(LookupError):
        scheduler.run()
    scheduler.stop()
