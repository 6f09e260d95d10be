"""What `sam build` puts into the layers and functions: sources, and bytecode that Lambda accepts.

Lambda unpacks zips with other timestamps, which makes Python ignore ordinary bytecode and compile at every
cold start. `unchecked-hash` bytecode is accepted as it is, so it must be made anew with every build. Its file
names are those of the runtime, not of the machine that built it.

`infra/artifact.mk` calls this for every function and layer: `python -m infra.artifacts SOURCE ARTIFACTS`.
"""

import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_VERSION = "3.13"
PRODUCTION_PLATFORM = "aarch64-manylinux_2_28"
"""Platform of the wheels when OMS_PLATFORM does not name another, as uv spells it: Lambda on arm64."""

AWS_SERVICES = frozenset({"dynamodb", "events", "secretsmanager", "sqs"})
"""Services whose botocore models are shipped: all of them would be 26 MB, and cold starts pay for size."""

UNUSED = (
    "bin",
    ".lock",
    "boto3/data",
    "boto3/examples",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_j]*",
    "cffi",  # cryptography imports the extension module beside it alone
    "pycparser",
)
"""What the packages bring and no function imports."""

LAYER_ROOT = "/opt"
FUNCTION_ROOT = "/var/task"
"""Where Lambda unpacks layers and functions."""


def build_function(source: Path, artifacts: Path) -> None:
    """Put a function into `artifacts`, importable as in the tests: `functions.<name>.handler`.

    Args:
        source: its folder, `functions/<name>`.
        artifacts: an empty folder, which becomes the root of the function's zip.
    """
    _copy_sources(source, artifacts / "functions" / source.name)
    _precompile(artifacts, f"functions.{source.name}")
    _compile(artifacts, FUNCTION_ROOT)


def build_oms_layer(source: Path, artifacts: Path) -> None:
    """Put the package `oms` of `source` into `artifacts`, the root of a layer's zip."""
    _copy_sources(source / "oms", artifacts / "python" / "oms")
    _precompile(artifacts / "python", "oms")
    _compile(artifacts, LAYER_ROOT)


def build_packages_layer(source: Path, artifacts: Path) -> None:
    """Install the lock of `source` into `artifacts`, the root of a layer's zip, but for what is unused."""
    packages = artifacts / "python"
    platform = os.environ.get("OMS_PLATFORM", PRODUCTION_PLATFORM)
    subprocess.run(
        [
            *(ROOT / ".tools/venv/bin/uv", "pip", "install", "--quiet", "--require-hashes"),
            *("--only-binary", ":all:", "--link-mode", "copy", "--python", sys.executable),
            *("--python-version", PYTHON_VERSION, "--python-platform", platform),
            *("--target", packages, "--requirements", source / "requirements.txt"),
        ],
        check=True,
    )
    _trim(packages)
    _compile(artifacts, LAYER_ROOT)


def _trim(packages: Path) -> None:
    """Remove what no function reads from an installed tree; metadata and licences stay."""
    metadata = {"METADATA", "entry_points.txt", "licenses", "LICENSE", "LICENSE.txt", "NOTICE"}
    unused = [
        *(path for pattern in UNUSED for path in packages.glob(pattern)),
        *(path for path in packages.glob("*.dist-info/*") if path.name not in metadata),
    ]
    for path in unused:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    models = packages / "botocore" / "data"
    if models.exists():
        _trim_models(models)


def _trim_models(models: Path) -> None:
    """Keep the services in use, of the endpoints too: every cold start parses them, 1.2 MB in all."""
    for path in models.iterdir():
        if path.is_dir() and path.name not in AWS_SERVICES:
            shutil.rmtree(path)
    for path in models.glob("*/*/examples-1.json*"):
        path.unlink()
    file = models / "endpoints.json"
    endpoints = json.loads(file.read_bytes())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in sorted(AWS_SERVICES & services.keys())}
    file.write_text(json.dumps(endpoints, separators=(",", ":")))


def _copy_sources(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "Makefile"))


def _precompile(folder: Path, package: str) -> None:
    """Put the code of a package's dataclasses beside the package."""
    command = [sys.executable, "-B", "-m", "infra.precompile", str(folder), package]
    path = os.pathsep.join(map(str, (folder, ROOT / "layers" / "oms")))
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": path})


def _compile(artifacts: Path, runtime_root: str) -> None:
    compiled = compileall.compile_dir(
        artifacts,
        quiet=1,
        force=True,  # bytecode that an installer left has timestamps
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        stripdir=artifacts,
        prependdir=runtime_root,
    )
    if not compiled:
        raise SystemExit(f"{artifacts}: some sources do not compile")


def main() -> None:
    """Build the function or layer in the folder of the first argument into that of the second."""
    source, artifacts = (Path(argument).resolve() for argument in sys.argv[1:])
    match source.relative_to(ROOT).parts:
        case ("layers", "oms"):
            build_oms_layer(source, artifacts)
        case ("layers", _):
            build_packages_layer(source, artifacts)
        case ("functions", _):
            build_function(source, artifacts)
        case _:
            raise SystemExit(f"{source} is neither a layer nor a function")


if __name__ == "__main__":
    main()
