"""Workers of the local stack, seen from outside: whose child they are, what they run, what they are at."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.soak.workers import Reaper, Scales, Worker, workers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")

BUSY = "import os, socket; s = socket.socket(); print('ready', flush=True)\nwhile os.getppid() > 1: pass"
IDLE = "import socket; s = socket.socket(); print('ready', flush=True); input()"
STARTING = "import os; print('ready', flush=True)\nwhile os.getppid() > 1: pass"


@contextmanager
def child(program: str, function: str | None) -> Iterator[subprocess.Popen[str]]:
    environment = {"AWS_LAMBDA_FUNCTION_NAME": function} if function else {}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


def reaper() -> Reaper:
    return Reaper(os.getpid(), random.Random(1))  # noqa: S311 (not a secret)


def test_only_children_that_run_a_function_are_workers() -> None:
    with child(IDLE, "oms-intake") as ours, child(IDLE, None):
        assert list(workers(os.getpid())) == [Worker(ours.pid, "oms-intake")]
        assert not list(workers(ours.pid))


@pytest.mark.parametrize("program", [IDLE, STARTING])
def test_who_waits_or_is_starting_is_not_killed(program: str) -> None:
    with child(program, "oms-intake") as process:
        killer = reaper()
        killer.kill_one()
        assert process.poll() is None
        assert not killer.killed


def test_who_is_at_work_is_killed_and_told_of() -> None:
    with child(BUSY, "oms-intake") as process, child(IDLE, "oms-outbox") as idle:
        killer = reaper()
        while not killer.killed:  # on a busy machine it may not get a turn between two looks
            killer.kill_one()
        assert process.wait() == -9
        assert idle.poll() is None
        assert killer.killed == {"oms-intake": 1}


def test_memory_is_compared_between_the_first_and_the_last_third() -> None:
    scales = Scales(os.getpid())
    with child(IDLE, "oms-intake"):
        scales.weigh()
    with child(f"held = bytearray(40_000_000); {IDLE}", "oms-intake"):
        scales.weigh()
    ((function, first, last),) = scales.thirds()
    assert function == "oms-intake"
    assert len(first) == len(last) == 1
    assert 35 < last[0] - first[0] < 60
