"""A small soak of the deployed local stack: what `make soak` does with thousands of orders."""

import json
import os
import subprocess
import sys

import pytest

from infra.local.stack import Home, Stack

ORDERS = 60


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
def test_nothing_is_lost_doubled_or_oversold_while_workers_are_killed(stack: Stack, local_home: Home) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "infra.cli.main", "soak"),
            *("--orders", str(ORDERS), "--clients", "4", "--kill-every", "25", "--hidden", "5"),
        ],
        env={**os.environ, "OMS_LOCAL": str(local_home.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert {row["value"] for row in rows if "must_be" in row} == {0}
    assert [row["value"] for row in rows if row["figure"] == "orders"] == [ORDERS]
    assert sum(row["value"] for row in rows if row["figure"] == "killed") > 0
    redriven = {row["queue"]: row["value"] for row in rows if row["figure"] == "redriven"}
    # The one put aside; more where a slow start outlasts the few seconds that queues hide a message.
    assert redriven["inbound-dead"] >= 1
