"""Crashes: everything that is done with the table dies at each of its calls, for small and larger orders."""

import time
from collections.abc import Iterator

from tests.access_patterns import LINES
from tests.crashes import WAYS, tried


def measure() -> Iterator[dict[str, str | int | float]]:
    """Crashes and lost answers at every call of every use case, and in how many something was wrong: none."""
    all_cases = all_wrong = 0
    for lines in LINES:
        for way in WAYS:
            began = time.process_time()
            seen = list(tried(lines, (way,)))
            cases, wrong = sum(one.cases for one in seen), sum(bool(one.wrong) for one in seen)
            all_cases, all_wrong = all_cases + cases, all_wrong + wrong
            yield {
                "lines": lines,
                "way": way,
                "use_cases": len(seen),
                "that_write": sum(one.writes for one in seen),
                "calls": sum(one.calls for one in seen),
                "cases": cases,
                "wrong": wrong,
                "cpu_s": round(time.process_time() - began, 1),
            }
    yield {"lines": "all", "way": "all", "cases": all_cases, "wrong": all_wrong}
