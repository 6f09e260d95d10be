"""The artefacts of `sam build` hold bytecode that Lambda uses as it is, and all that the functions import."""

import importlib.util
import json
import marshal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType

import pytest

from infra.artifacts import AWS_SERVICES, FUNCTION_ROOT, LAYER_ROOT
from infra.local.stack import ROOT

UNCHECKED_HASH = 0b01
"""Flags of a .pyc file (PEP 552): by hash, not checked against the source."""

HEADER_BYTES = 16

LAYERS = ("DependenciesLayer", "OmsLayer", "PublicKeysLayer")

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))


def roots(artifacts: Path) -> Iterator[tuple[Path, str]]:
    """Every built function and layer, with the folder that Lambda unpacks it into."""
    template = json.loads((artifacts / "template.json").read_bytes())
    for resource in template["Resources"].values():
        match resource["Type"]:
            case "AWS::Serverless::Function":
                yield artifacts / resource["Properties"]["CodeUri"], FUNCTION_ROOT
            case "AWS::Serverless::LayerVersion":
                yield artifacts / resource["Properties"]["ContentUri"], LAYER_ROOT


def code_objects(code: CodeType) -> Iterator[CodeType]:
    """A code object and all that it contains."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from code_objects(constant)


def test_every_function_and_every_layer_is_built(artifacts: Path) -> None:
    built = {path.name for path, _ in roots(artifacts)}
    assert set(LAYERS) < built
    handlers = {
        handler.parent.name for path, _ in roots(artifacts) for handler in path.glob("functions/*/handler.py")
    }
    assert handlers == set(FUNCTIONS)


def test_every_source_has_bytecode_and_every_bytecode_its_source(artifacts: Path) -> None:
    for root, _ in roots(artifacts):
        sources = set(root.rglob("*.py"))
        assert sources
        bytecode = {Path(importlib.util.source_from_cache(str(file))) for file in root.rglob("*.pyc")}
        assert bytecode == sources


def test_bytecode_is_of_the_runtime_and_never_checked_against_the_source(artifacts: Path) -> None:
    for root, _ in roots(artifacts):
        for file in root.rglob("*.pyc"):
            content = file.read_bytes()
            assert content[:4] == importlib.util.MAGIC_NUMBER, file
            assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH, file
    assert sys.version_info[:2] == (3, 13)  # the magic number above is that of the runtime


def test_bytecode_names_files_where_lambda_has_them(artifacts: Path) -> None:
    for root, unpacked in roots(artifacts):
        for file in root.rglob("*.pyc"):
            source = Path(importlib.util.source_from_cache(str(file.relative_to(root))))
            for code in code_objects(marshal.loads(file.read_bytes()[HEADER_BYTES:])):
                assert code.co_filename == str(Path(unpacked) / source)


def test_nothing_names_a_folder_of_the_machine_that_built_it(artifacts: Path) -> None:
    for root, _ in roots(artifacts):
        for file in root.rglob("*"):
            assert not (file.is_file() and bytes(ROOT) in file.read_bytes()), file


def test_only_what_functions_read_is_shipped(artifacts: Path) -> None:
    packages = artifacts / "DependenciesLayer" / "python"
    assert not (packages / ".lock").exists()
    assert not (packages / "bin").exists()
    models = {path.name for path in (packages / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == AWS_SERVICES


def imported(
    artifacts: Path, *functions: Path, program: str, layers: Sequence[str] = LAYERS
) -> dict[str, str]:
    """Files of the modules that a program imports in a process with these layers and functions alone."""
    paths = [*functions, *(artifacts / layer / "python" for layer in layers)]
    report = """
print(json.dumps({name: module.__file__ for name, module in sys.modules.items()
                  if getattr(module, "__file__", None)}))
"""
    result = subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-c"),
            f"import json, sys; sys.path[:0] = {[str(path) for path in paths]!r}\n{program}{report}",
        ],
        env={"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    files: dict[str, str] = json.loads(result.stdout)
    return files


def test_the_layers_alone_give_what_functions_import(artifacts: Path) -> None:
    files = imported(
        artifacts,
        program=f"""
import importlib.metadata, pkgutil, zoneinfo
import boto3, cryptography.x509, pydantic, aws_lambda_powertools.logging, oms
session = boto3.Session()
for service in {sorted(AWS_SERVICES)!r}:
    session.client(service)
for module in pkgutil.walk_packages(oms.__path__, "oms."):
    importlib.import_module(module.name)
zoneinfo.reset_tzpath([])
zoneinfo.ZoneInfo("Europe/Madrid")
importlib.metadata.version("pydantic")
""",
    )
    assert files["boto3"].startswith(str(artifacts / "DependenciesLayer"))
    assert files["oms.problems"].startswith(str(artifacts / "OmsLayer"))
    assert not [file for file in files.values() if "site-packages" in file]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_dataclasses_are_not_compiled_at_a_cold_start(artifacts: Path, function: str) -> None:
    (root,) = (path for path, _ in roots(artifacts) if (path / "functions" / function).exists())
    imported(
        artifacts,
        root,
        program=f"""
import dataclasses, marshal, oms
known = {{}}
for folder in {[str(root), str(artifacts / "OmsLayer" / "python")]!r}:
    with open(folder + "/dataclasses.bin", "rb") as file:
        known |= marshal.load(file)[1]
run, compiled, used = dataclasses.exec, [], []
def watched(text, names, results):
    module = names["__name__"]
    if module.startswith(("oms.", "functions.")):
        (used if text in known else compiled).append(module)
    run(text, names, results)
dataclasses.exec = watched
import functions.{function}.handler
assert used and not compiled, compiled
""",
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_imports_what_is_shipped_and_pydantic_only_in_the_api(
    artifacts: Path, function: str
) -> None:
    (root,) = (path for path, _ in roots(artifacts) if (path / "functions" / function).exists())
    layers = LAYERS if function == "webhooks" else LAYERS[:2]  # as the template gives them out
    files = imported(artifacts, root, program=f"import functions.{function}.handler", layers=layers)
    assert files[f"functions.{function}.handler"] == str(root / "functions" / function / "handler.py")
    assert not [file for file in files.values() if "site-packages" in file]
    assert function == "api" or "pydantic" not in files
