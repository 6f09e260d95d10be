"""What several kinds of tests share: the artefacts of `sam build`, made for this machine."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]  # it ships no types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # as above

from infra.local.deployment import build
from infra.local.stack import ROOT, Home
from tests.local_stack import forget

# How long an example takes says more of the machine than of the code. The usual examples are the same in each
# run, so that one that fails has failed by a change; `--hypothesis-profile long` looks for others.
hypothesis.settings.register_profile("usual", deadline=None, derandomize=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("usual")


GROUPS = (
    ("tests/contract/test_layer_artifact.py", "tests/e2e/"),
    ("tests/integration/test_access_patterns.py",),
)
"""Tests that share what is made once a process: those of the built stack, those of one measurement."""


class Grouped(LoadScopeScheduling):  # type: ignore[misc]  # as above
    """Hands each group of tests to one process, and all others one by one.

    The groups of pytest-xdist itself are lost on pytest 9.2, which keeps node ids elsewhere.
    """

    def _split_scope(self, nodeid: str) -> str:
        for group in GROUPS:
            if nodeid.startswith(group):
                return group[0]
        return nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Grouped:
    """The scheduler of tests in several processes."""
    return Grouped(config, log)


@pytest.fixture(scope="session")
def local_home() -> Iterator[Home]:
    """The folder of a local stack of the tests' own, as built; nothing of an earlier run but its build.

    Its tests run in one process: see `GROUPS`.
    """
    home = Home(ROOT / ".local" / "tests")
    home.folder.mkdir(parents=True, exist_ok=True)
    with (home.folder / "session").open("w") as session:
        fcntl.flock(session, fcntl.LOCK_EX)  # another run of the tests in this checkout
        forget(home)
        build(home)
        yield home


@pytest.fixture(scope="session")
def artifacts(local_home: Home) -> Path:
    """The folder of the built template, with one folder for each function and layer."""
    return local_home.build
