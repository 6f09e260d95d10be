"""Every command in the README works: `oms` is run on the local stack, `make` at least knows its targets."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from infra.local.stack import ROOT, Home, Stack

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!http)([^)#]+)\)")
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in _BLOCK.findall(README) for line in block.splitlines() if line]
OMS = [command for command in COMMANDS if command.startswith(".venv/bin/oms")]
MAKE = [command for command in COMMANDS if command.startswith("make")]


def test_every_command_is_one_that_is_tested_here() -> None:
    assert sorted(OMS + MAKE) == sorted(COMMANDS)


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_the_target(command: str) -> None:
    subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_the_commands_work_on_the_local_stack(stack: Stack, local_home: Home) -> None:
    for command in OMS:
        done = subprocess.run(
            shlex.split(command),
            cwd=ROOT,
            env={**os.environ, "OMS_LOCAL": str(local_home.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize(
    "document",
    ["README.md", *(f"infra/docs/{path.name}" for path in sorted((ROOT / "infra/docs").glob("*.md")))],
)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in _LINK.findall(path.read_text()):
        assert (path.parent / Path(target)).exists(), target
