"""Every error code is raised somewhere, and some test meets it where a client would."""

import re
from pathlib import Path

import pytest

from oms.problems import Code

ROOT = Path(__file__).parents[2]
RAISING = ("layers/oms", "functions", "infra")
CATALOGUE = ROOT / "layers" / "oms" / "oms" / "problems.py"


def written(*folders: str) -> str:
    """All Python below some folders, but for the catalogue and this test."""
    files = (file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))
    return "\n".join(file.read_text() for file in files if file not in (CATALOGUE, Path(__file__)))


@pytest.fixture(scope="module")
def sources() -> str:
    return written(*RAISING) + (ROOT / "template.yaml").read_text()


@pytest.fixture(scope="module")
def tests() -> str:
    return written("tests")


def named(code: Code, text: str) -> bool:
    return re.search(rf"Code\.{code.name}\b|[\"']{code}[\"'\\]", text) is not None


@pytest.mark.parametrize("code", Code)
def test_every_code_is_raised_and_met_by_a_test(code: Code, sources: str, tests: str) -> None:
    assert named(code, sources), "nothing raises it: remove it from the catalogue"
    assert named(code, tests), "no test meets it: cause it by its real path"
