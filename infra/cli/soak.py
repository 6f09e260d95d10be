"""`oms soak`: thousands of orders through the local stack while its workers are killed, then the proof."""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from statistics import median

from infra.cli.arguments import positive
from infra.cli.target import opened
from infra.demo.story import Progress
from infra.local.ministack import MiniStack
from infra.local.stack import default_home
from infra.soak.course import Course, Load, Soak
from infra.soak.proof import figures, left_before_cancelled
from infra.soak.workers import Reaper, Scales
from oms.usecases.check_ledger import check_ledger

_FLAT = 1.25
"""Memory of a function's workers may grow to so many times what it was in the first third of the time."""

type Row = dict[str, object]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `soak` to the `oms` command."""
    parser = subparsers.add_parser(
        "soak",
        help="sell on the local stack while its workers are killed",
        description="Orders of several channels with repeated deliveries, cancellations, a hot sku and "
        "returns; workers are killed in the middle. When all is quiet it prints one JSON line for each "
        "figure, and exits with 1 when one that must be 0 is not.",
    )
    parser.add_argument("--orders", type=positive, default=5000, help="how many (default: 5000)")
    parser.add_argument(
        "--clients", type=positive, default=8, help="connections that deliver webhooks (default: 8)"
    )
    parser.add_argument(
        "--kill-every",
        type=positive,
        default=25,
        metavar="N",
        help="orders between two kills (default: 25)",
    )
    parser.add_argument(
        "--hidden",
        type=positive,
        default=20,
        metavar="S",
        help="show a message again after S seconds when its worker was killed (default: 20)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Soak, and print what came of it."""
    load = Load(args.orders, args.clients, args.kill_every, args.hidden)
    run = int(time.time())
    with opened() as stack:
        ministack = MiniStack(default_home()).process.pid()
        assert ministack is not None, "a stack that was opened runs"
        reaper, scales = Reaper(ministack, random.Random(run)), Scales(ministack)  # noqa: S311 (not a secret)
        course = Soak(stack, load, run, reaper, scales, Progress()).play()
        checked = check_ledger(stack.table)
    wrong = 0
    for row in _told(course, reaper):
        print(json.dumps(row), flush=True)
    proof = figures(course.before, course.after, course.made, course.returned) | {
        "stuck": len(course.stuck),
        "webhooks_refused": course.webhooks.total() - course.webhooks[200],
        "ledger_wrong": len(checked.findings),
        "ledger_unsettled": len(checked.unsettled),
    }
    for name, value in proof.items():
        wrong += value != 0
        print(json.dumps({"figure": name, "value": value, "must_be": 0}), flush=True)
    for row in _weighed(scales):
        wrong += not row["flat"]
        print(json.dumps(row), flush=True)
    for failure in course.failures:
        print(f"a location met: {failure}", file=sys.stderr)
    return int(wrong > 0)


def _told(course: Course, reaper: Reaper) -> Iterator[Row]:
    yield {"figure": "orders", "value": len(course.made)}
    yield {"figure": "webhooks_accepted", "value": course.webhooks[200]}
    yield {"figure": "seconds_until_delivered", "value": round(course.settling_s, 1)}
    yield {"figure": "orders_per_s", "value": round(len(course.made) / course.settling_s, 2)}
    for status, number in sorted(course.cancellations.items()):
        yield {"figure": "cancelled_by_agents", "status": status, "value": number}
    late = sum(map(left_before_cancelled, course.after.orders.values()))
    yield {"figure": "left_before_cancelled", "value": late}
    yield {"figure": "returned", "value": len(course.returned)}
    for function, number in sorted(reaper.killed.items()):
        yield {"figure": "killed", "function": function, "value": number}
    for queue, number in sorted(course.redriven.items()):
        yield {"figure": "redriven", "queue": queue, "value": number}


def _weighed(scales: Scales) -> Iterator[Row]:
    for function, first, last in scales.thirds():
        if first and last:
            begin, end = median(first), median(last)
            yield {
                "figure": "memory_mb",
                "function": function,
                "first_third": round(begin, 1),
                "last_third": round(end, 1),
                "flat": end <= begin * _FLAT,
            }
