import argparse
import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.cli import main as cli
from oms.problems import Code, Problem


def command(monkeypatch: pytest.MonkeyPatch, run: object) -> None:
    """Make `oms probe` run a function."""

    def register(subparsers: object) -> None:
        subparsers.add_parser("probe").set_defaults(run=run)  # type: ignore[attr-defined] # argparse hides it

    monkeypatch.setattr(cli, "GROUPS", {"probe": ("probe_module", "a probe")})
    monkeypatch.setitem(sys.modules, "probe_module", SimpleNamespace(register=register))


def test_a_problem_goes_to_stderr_as_json_and_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(args: Namespace) -> None:
        raise Problem(Code.FIELD_MISSING, "The order has no number", "order_number")

    command(monkeypatch, refuse)
    assert cli.main(["probe"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    problem = json.loads(output.err)
    assert (problem["code"], problem["field"]) == ("field_missing", "order_number")


def test_a_file_that_is_not_there_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(args: Namespace) -> None:
        raise FileNotFoundError(2, "No such file or directory", "order.json")

    command(monkeypatch, read)
    assert cli.main(["probe"]) == 1
    assert "order.json" in json.loads(capsys.readouterr().err)["detail"]


def test_a_command_that_is_interrupted_exits_130_also_while_it_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    command(monkeypatch, interrupted)
    assert cli.main(["probe"]) == 130
    monkeypatch.setitem(sys.modules, "probe_module", SimpleNamespace(register=interrupted))
    assert cli.main(["probe"]) == 130


@pytest.mark.parametrize("argv", [[], ["unknown"], ["probe", "--unknown"]])
def test_wrong_usage_exits_2(monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    command(monkeypatch, lambda args: None)
    with pytest.raises(SystemExit) as leaving:
        cli.main(argv)
    assert leaving.value.code == 2


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_the_status_of_a_command_is_that_of_the_program(
    monkeypatch: pytest.MonkeyPatch, returned: int | None, status: int
) -> None:
    command(monkeypatch, lambda args: returned)
    assert cli.main(["probe"]) == status


def test_every_group_registers_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.GROUPS:
        with pytest.raises(SystemExit) as leaving:
            cli.main([name, "--help"])
        assert leaving.value.code == 0
        assert f"oms {name}" in capsys.readouterr().out


@pytest.mark.parametrize("group", ["channel", "source"])
def test_commands_without_aws_do_not_import_boto3(group: str) -> None:
    program = (
        "import sys; from infra.cli.main import build_parser;"
        f"build_parser(['{group}']); sys.exit('boto3' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def typed(parser: ArgumentParser) -> Iterator[Callable[[str], object]]:
    """The types of all arguments of a command and its sub-commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from typed(sub)
        elif callable(action.type) and action.type not in {int, Path}:
            yield action.type


@pytest.mark.parametrize("group", cli.GROUPS)
def test_what_is_wrong_with_an_argument_is_said_in_words(group: str) -> None:
    for read in typed(cli.build_parser([group])):
        with pytest.raises(argparse.ArgumentTypeError):
            read("?")
