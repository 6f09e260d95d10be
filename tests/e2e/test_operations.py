"""Operators' commands on the deployed local stack: what moto lets pass may fail there, and the reverse."""

import json
import os
import subprocess
import sys
from typing import Any

import boto3
import pytest

from infra.local.stack import Home, Stack


@pytest.fixture
def oms(stack: Stack, local_home: Home) -> Any:
    """`oms` on the stack: a function of its arguments that returns the lines that it prints."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli.main", *arguments],
            env={**os.environ, "OMS_LOCAL": str(local_home.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_a_dead_letter_is_seen_and_goes_back(stack: Stack, oms: Any) -> None:
    sqs = boto3.client("sqs", **stack.client_settings())
    url = stack.outputs["ClockDeadLettersUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody='{"tick": true}')["MessageId"]
    (seen,) = oms("dlq", "list", "--queue", "clock-dead")
    assert seen["id"] == sent
    assert oms("dlq", "redrive", "--queue", "clock-dead") == [{"redriven": sent, "queue": "clock-dead"}]
    assert oms("dlq", "list", "--queue", "clock-dead") == []
