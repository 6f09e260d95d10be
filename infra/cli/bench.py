"""`oms bench`: measure what has a budget, in a checkout of the project."""

import argparse
import importlib
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import version
from itertools import groupby

from oms.problems import Code, Problem

_BENCHMARKS = "tests.bench"
"""Package of the benchmarks: a module of it is one when it has `measure()`, which yields rows of figures."""

_SHOWN_VERSIONS = ("boto3", "botocore", "moto")

type Row = dict[str, str | int | float]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench` to the `oms` command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure what has a budget",
        description="Runs benchmarks one after the other and prints one JSON line for each figure, "
        "the machine's first. Nothing fails by a time.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all of them by default")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables instead")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print the figures of benchmarks."""
    known = benchmarks()
    for name in args.names:
        if name not in known:
            detail = f"there is no benchmark {name}; there are {', '.join(known)}"
            raise Problem(Code.NOT_FOUND, detail, "name")
    rows = _measured(args.names or known)
    if args.markdown:
        for _, same in groupby(rows, key=lambda row: (row["benchmark"], *row)):
            print("\n".join(markdown(list(same))), end="\n\n", flush=True)
    else:
        for row in rows:
            print(json.dumps(row), flush=True)


def benchmarks() -> list[str]:
    """Names of all benchmarks.

    Raises:
        Problem: this is not a checkout.
    """
    try:
        package = importlib.import_module(_BENCHMARKS)
    except ModuleNotFoundError as error:
        raise Problem(Code.UNAVAILABLE, "benchmarks are run in a checkout of the project") from error
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def markdown(rows: list[Row]) -> list[str]:
    """Lines of a table of rows that have the same figures."""
    names = list(rows[0])
    body = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in body]


def _measured(names: Iterable[str]) -> Iterable[Row]:
    yield {"benchmark": "machine", **_machine()}
    for name in names:
        measure = importlib.import_module(f"{_BENCHMARKS}.{name}").measure
        print(f"{name}: {(measure.__doc__ or '').partition('\n')[0]}", file=sys.stderr)
        for figures in measure():
            yield {"benchmark": name, **figures}


def _machine() -> Row:
    """What figures depend on; `load` is how many processes wanted a core over the last minute."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in _SHOWN_VERSIONS},
    }
