"""Code of dataclasses, compiled when the function or layer was built instead of at every cold start.

For each class `dataclasses` writes the source of its methods and compiles it, which took a quarter of a cold
start. That text is always the same; so the build (`infra/precompile.py`) keeps what it compiles to beside the
sources, and the `exec` that `dataclasses` calls looks there first. Any other text is compiled as ever: in
development, where there is no such file, and by a Python that writes other text.
"""

import dataclasses
import marshal
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Any

FILE = "dataclasses.bin"
"""In the root of a function or layer: the bytecode's magic number, and marshalled code by source text."""


def install() -> None:
    """Let `dataclasses` use what the folders of `sys.path` have compiled for this Python."""
    known: dict[str, bytes] = {}
    for folder in sys.path:
        try:
            with Path(folder, FILE).open("rb") as file:
                magic, codes = marshal.load(file)
        except OSError:
            continue
        if magic == MAGIC_NUMBER:
            known |= codes
    if known:
        dataclasses.exec = _executor(known)  # type: ignore[attr-defined]  # hides the builtin from it alone


def _executor(known: dict[str, bytes]) -> Any:
    def execute(text: str, names: dict[str, Any], results: dict[str, Any]) -> None:
        code = known.get(text)
        exec(text if code is None else marshal.loads(code), names, results)

    return execute
