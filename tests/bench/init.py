"""What a cold start spends on imports, from the artefacts of `sam build`."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.deployment import build
from infra.local.stack import ROOT, Home

RUNS = 7

PROGRAM = """
import json, sys, time
sys.path[:0] = {paths!r}
begin = time.perf_counter()
import functions.{function}.handler
print(json.dumps([time.perf_counter() - begin, len(sys.modules)]))
"""


def measure() -> Iterator[dict[str, str | int | float]]:
    """Import time of every handler in a bare process (median, ms), with the modules that it loads."""
    home = Home(ROOT / ".local" / "bench")
    home.folder.mkdir(parents=True, exist_ok=True)
    build(home)
    for handler in sorted(home.build.glob("*/functions/*/handler.py")):
        function = handler.parent.name
        runs = [_import(home.build, handler.parents[2], function) for _ in range(RUNS)]
        yield {
            "function": function,
            "import_ms": round(statistics.median(seconds for seconds, _ in runs) * 1000),
            "modules": int(runs[0][1]),
        }


def _import(artifacts: Path, root: Path, function: str) -> tuple[float, int]:
    layers = [artifacts / layer / "python" for layer in ("DependenciesLayer", "OmsLayer", "PublicKeysLayer")]
    program = PROGRAM.format(paths=[str(path) for path in (root, *layers)], function=function)
    output = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={"AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        check=True,
    ).stdout
    seconds, modules = json.loads(output)
    return seconds, modules
