import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local.__main__ import logs
from infra.local.alarms import alarm_state
from infra.local.forwarder import embedded_metrics
from infra.local.logs import LogLine, LogTail
from infra.local.ministack import MiniStack, choose_port, running_stack
from infra.local.process import Background
from infra.local.stack import Home, Stack, load_stack
from oms.problems import Code, Problem

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef


STACK = Stack("http://127.0.0.1:1", "us-east-1", "http://127.0.0.1:1/api", {"A": "1"}, {"B": "2"})
LEFT_RUNNING = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def sleeper(folder: Path, program: str = "import time; time.sleep(60)") -> Background:
    process = Background("a sleeper", folder / "sleeper.pid")
    process.start([sys.executable, "-c", program], env={}, log=folder / "sleeper.log")
    return process


def test_a_pid_file_of_a_process_that_has_ended_means_nothing(tmp_path: Path) -> None:
    process = Background("a sleeper", tmp_path / "sleeper.pid")
    process.pid_file.write_text(str(os.getpid()))  # a number that is in use again
    assert process.pid() is None
    assert process.stop(seconds=1) is False


@LEFT_RUNNING
def test_a_program_runs_at_most_once_and_stops_when_asked(tmp_path: Path) -> None:
    process = sleeper(tmp_path)
    try:
        with pytest.raises(BlockingIOError):
            sleeper(tmp_path)
    finally:
        assert process.stop(seconds=10)
    assert process.pid() is None


@LEFT_RUNNING
def test_a_program_that_does_not_stop_is_named_and_not_killed(tmp_path: Path) -> None:
    log = tmp_path / "sleeper.log"
    process = sleeper(
        tmp_path,
        "import signal, sys; signal.signal(15, signal.SIG_IGN); print('ready', flush=True);"
        "signal.sigtimedwait([signal.SIGUSR1], 60)",
    )
    while "ready" not in log.read_text():
        assert process.pid() is not None
    pid = process.pid()
    assert pid is not None
    with pytest.raises(Problem, match=str(pid)):
        process.stop(seconds=0.1)
    assert process.pid() == pid
    os.kill(pid, 9)


def test_a_stack_that_was_never_deployed_is_a_problem_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="make up") as problem:
        load_stack(Home(tmp_path))
    assert problem.value.code is Code.UNAVAILABLE


def test_a_stack_is_read_as_it_was_saved(tmp_path: Path) -> None:
    Home(tmp_path).save(STACK)
    assert load_stack(Home(tmp_path)) == STACK


def test_a_stack_that_has_been_stopped_is_a_problem_that_says_what_to_do(tmp_path: Path) -> None:
    Home(tmp_path).save(STACK)
    with pytest.raises(Problem, match="does not run: run `make up`"):
        running_stack(Home(tmp_path))


@LEFT_RUNNING
def test_a_stack_that_stops_ends_its_logs_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(tail: LogTail) -> list[LogLine]:
        raise EndpointConnectionError(endpoint_url=STACK.endpoint_url)

    home = Home(tmp_path)
    home.save(STACK)
    ministack = Background("MiniStack", MiniStack(home).process.pid_file)
    ministack.start([sys.executable, "-c", "import time; time.sleep(60)"], env={}, log=home.log("ministack"))
    try:
        assert running_stack(home) == STACK
        monkeypatch.setattr(LogTail, "poll", stopped)
        with pytest.raises(Problem, match="has stopped"):
            logs(home)
    finally:
        ministack.stop(seconds=10)


def test_a_stack_keeps_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMS_LOCAL_PORT", "4701")
    assert choose_port(Home(tmp_path)) == 4701
    monkeypatch.setenv("OMS_LOCAL_PORT", "4702")
    assert choose_port(Home(tmp_path)) == 4701


def test_streams_are_read_from_the_start_after_a_restart(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.state.mkdir()
    saved = {"payload": {"dynamodb_stream_positions": {"data": {"a": 17, "b": 3}}, "esms": {"a": 1}}}
    (home.state / "lambda.json").write_text(json.dumps(saved))
    MiniStack(home).rewind_streams()
    rewound = json.loads((home.state / "lambda.json").read_text())["payload"]
    assert rewound == {"dynamodb_stream_positions": {"data": {"a": 0, "b": 0}}, "esms": {"a": 1}}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "START RequestId: 1",
        '{"level":"INFO"}',
        '"CloudWatchMetrics"',
        '{"said":"\\"CloudWatchMetrics\\""}',
        '{"CloudWatchMetrics":[]}',
        '{"CloudWatchMetrics":',
        '{"_aws":{"CloudWatchMetrics":[]}}',
    ],
)
def test_a_line_that_is_not_in_metric_format_has_no_metrics(line: str) -> None:
    assert list(embedded_metrics(line)) == []


def test_a_metric_is_forwarded_once_for_each_set_of_dimensions() -> None:
    line = {
        "_aws": {
            "Timestamp": 1_700_000_000_500,
            "CloudWatchMetrics": [
                {
                    "Namespace": "oms/x",
                    "Dimensions": [[], ["channel"]],
                    "Metrics": [{"Name": "OrdersPlaced", "Unit": "Count"}, {"Name": "Spread"}],
                }
            ],
        },
        "channel": "shop-es",
        "OrdersPlaced": 3,
        "Spread": [1, 2],
    }
    forwarded = [
        (namespace, datum["MetricName"], datum["Dimensions"], datum["Values"], datum["Unit"])
        for namespace, datum in embedded_metrics(json.dumps(line))
    ]
    channel = [{"Name": "channel", "Value": "shop-es"}]
    assert forwarded == [
        ("oms/x", "OrdersPlaced", [], [3], "Count"),
        ("oms/x", "Spread", [], [1, 2], "None"),
        ("oms/x", "OrdersPlaced", channel, [3], "Count"),
        ("oms/x", "Spread", channel, [1, 2], "None"),
    ]
    assert {datum["Timestamp"] for _, datum in embedded_metrics(json.dumps(line))} == {1_700_000_000.5}


@pytest.mark.parametrize(
    ("points", "missing", "state"),
    [
        ([], "missing", "INSUFFICIENT_DATA"),
        ([], "ignore", "ALARM"),
        ([], "notBreaching", "OK"),
        ([], "breaching", "ALARM"),
        ([5], "notBreaching", "OK"),
        ([6], "notBreaching", "OK"),
        ([6], "breaching", "ALARM"),
        ([6, 6], "notBreaching", "ALARM"),
        ([6, 0, 6], "missing", "ALARM"),
        ([0, 0, 6], "missing", "OK"),
    ],
)
def test_an_alarm_counts_breaching_periods(points: list[float], missing: str, state: str) -> None:
    alarm: MetricAlarmTypeDef = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 5,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "TreatMissingData": missing,
        "StateValue": "ALARM",
    }
    assert alarm_state(alarm, points) == state


def test_importing_the_stack_does_not_import_boto3() -> None:
    program = "import infra.local, sys; sys.exit('boto3' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
