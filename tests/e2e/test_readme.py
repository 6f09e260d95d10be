"""Every command in the README works: `oms` is run on the local stack, `make` at least knows its targets.

What any document names within its text is at least there.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from infra.cli.main import build_parser
from infra.local.stack import ROOT, Home, Stack

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!http)([^)#]+)\)")
DOCUMENTS = ["README.md", *(f"infra/docs/{path.name}" for path in sorted((ROOT / "infra/docs").glob("*.md")))]
NAMED = sorted(
    {
        (program, command.strip())
        for document in DOCUMENTS
        for program, command in re.findall(
            r"(?:`|^ {4})(?:\.venv/bin/)?(oms|make) +((?:[a-z][a-z-]+ ?)+)",
            (ROOT / document).read_text(),
            re.M,
        )
    }
)
"""Programs that documents name, each with its sub-command or target, without the arguments."""

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


@pytest.mark.parametrize(("program", "command"), NAMED)
def test_what_documents_name_is_there(program: str, command: str) -> None:
    if program == "make":
        subprocess.run(["make", "--dry-run", *command.split()], cwd=ROOT, check=True, capture_output=True)
        return
    arguments = [*command.split(), "--help"]
    complaint = io.StringIO()
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(complaint),
        pytest.raises(SystemExit) as leaving,
    ):
        build_parser(arguments).parse_args(arguments)
    assert leaving.value.code == 0, complaint.getvalue()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in _LINK.findall(path.read_text()):
        assert (path.parent / Path(target)).exists(), target
