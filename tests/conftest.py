"""What several kinds of tests share: the artefacts of `sam build`, made for this machine."""

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from infra.local.deployment import build
from infra.local.stack import ROOT, Home

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of the built stack in one process, where tests run in several."""
    for item in items:
        if "local_home" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("local stack"))


@pytest.fixture(scope="session")
def local_home() -> Iterator[Home]:
    """The folder of a local stack of the tests' own, as built; nothing of an earlier run but its build."""
    home = Home(ROOT / ".local" / "tests")
    home.folder.mkdir(parents=True, exist_ok=True)
    with (home.folder / "session").open("w") as session:
        fcntl.flock(session, fcntl.LOCK_EX)  # another run of the tests in this checkout
        for path in (home.state, home.temporary):
            shutil.rmtree(path, ignore_errors=True)
        for path in (home.stack_file, home.folder / "port"):
            path.unlink(missing_ok=True)
        build(home)
        yield home


@pytest.fixture(scope="session")
def artifacts(local_home: Home) -> Path:
    """The folder of the built template, with one folder for each function and layer."""
    return local_home.build
