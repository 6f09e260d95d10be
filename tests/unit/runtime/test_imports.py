"""What the runtime loads at every cold start. Counts are stable; times are for the benchmark."""

import subprocess
import sys

import pytest

from functions.sourcing import handler, seldom
from oms.usecases.messages import Work

RUNTIME = "import oms.runtime.batch, oms.runtime.clients, oms.runtime.secrets, oms.runtime.settings"
BUDGET = 360
"""Modules; botocore's session alone is 296, Powertools' logger 41."""


def loaded(statement: str) -> set[str]:
    """Names of the modules that a fresh interpreter has after a statement."""
    script = f"import sys; {statement}; print(*sys.modules)"
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


@pytest.fixture(scope="module")
def modules() -> set[str]:
    return loaded(RUNTIME) - loaded("pass")


@pytest.mark.parametrize(
    "unwanted",
    [
        "boto3",
        "pydantic",
        "aws_xray_sdk",
        "aws_lambda_powertools.utilities.batch",
        "aws_lambda_powertools.utilities.parameters",
        "asyncio",
    ],
)
def test_nothing_heavy_is_loaded(unwanted: str, modules: set[str]) -> None:
    assert unwanted not in modules


def test_the_runtime_stays_within_its_budget_of_modules(modules: set[str]) -> None:
    assert len(modules) <= BUDGET


PUBLISHER_BUDGET = 470
"""Modules of `publisher`; urllib3 is among botocore's own."""


def test_what_calls_other_servers_loads_no_other_library_for_it() -> None:
    there = loaded("import functions.publisher.handler")
    assert not there & {"pydantic", "boto3", "requests", "httpx", "aiohttp", "asyncio"}
    assert not there & {"oms.events.catalogue", "oms.channels.registry", "oms.usecases.replay_events"}
    assert len(there - loaded("pass")) <= PUBLISHER_BUDGET


STREAM_READERS = ("outbox", "availability")
READER_BUDGET = 490
"""Modules of a reader of the stream, which every change of the table may start."""


@pytest.mark.parametrize("function", STREAM_READERS)
def test_a_reader_of_the_stream_stays_light(function: str) -> None:
    there = loaded(f"import functions.{function}.handler")
    assert not there & {"pydantic", "boto3", "oms.channels.registry"}
    assert len(there - loaded("pass")) <= READER_BUDGET


SOURCING_BUDGET = 480
"""Modules of `sourcing`, which releases orders and serves what waits."""


def test_sourcing_loads_what_few_messages_ask_for_with_the_first_of_them() -> None:
    there = loaded("import functions.sourcing.handler")
    assert not there & {
        "pydantic",
        "boto3",
        "oms.sourcing.backlog",
        "oms.orders.replanning",
        "oms.usecases.erase_order",
        "oms.events.catalogue",
    }
    assert len(there - loaded("pass")) <= SOURCING_BUDGET


def test_all_work_of_sourcing_is_done_in_one_of_both() -> None:
    assert sorted((*handler.WORK, *seldom.WORK)) == sorted(Work)
