"""Run every benchmark: python -m tests.bench."""

import json
import sys
from collections.abc import Callable, Iterator

from tests.bench import init

BENCHMARKS: dict[str, Callable[[], Iterator[dict[str, str | int | float]]]] = {"init": init.measure}


def main() -> None:
    """Print the figures of every benchmark as they come."""
    for name, measure in BENCHMARKS.items():
        print(f"{name}: {(measure.__doc__ or '').splitlines()[0]}", file=sys.stderr)
        for figures in measure():
            print(json.dumps({"benchmark": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
