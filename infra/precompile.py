"""Keep the code that `dataclasses` compiles for the classes of a package; see `oms.precompiled`.

Importing everything is the only way to see all classes, so this runs in a process of its own:
`python -m infra.precompile FOLDER PACKAGE`, with the packages that it needs on the path.
"""

import dataclasses
import importlib
import marshal
import pkgutil
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import CodeType
from typing import Any

FILENAME = "<dataclass>"
"""Stands in tracebacks; a path would be one of the machine that built it."""


def codes_of(folder: Path, package: str) -> dict[str, bytes]:
    """Marshalled code by source text, of the dataclasses in all modules of a package in a folder."""
    codes: dict[str, bytes] = {}

    def record(text: str, names: dict[str, Any], results: dict[str, Any]) -> None:
        code: CodeType = compile(text, FILENAME, "exec")
        if str(names.get("__name__")).startswith(f"{package}."):
            codes[text] = marshal.dumps(code)
        exec(code, names, results)

    dataclasses.exec = record  # type: ignore[attr-defined]  # hides the builtin from it alone
    try:
        for module in pkgutil.walk_packages([str(folder.joinpath(*package.split(".")))], f"{package}."):
            importlib.import_module(module.name)
    finally:
        del dataclasses.exec  # type: ignore[attr-defined]  # as above
    return codes


def main() -> None:
    """Write the file of a package into a folder of artefacts."""
    folder, package = Path(sys.argv[1]), sys.argv[2]
    from oms.precompiled import FILE  # noqa: PLC0415 - only now, as its package is what may be recorded

    (folder / FILE).write_bytes(marshal.dumps((MAGIC_NUMBER, codes_of(folder, package))))


if __name__ == "__main__":
    main()
