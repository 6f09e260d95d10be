"""`oms source`: solve sourcing instances."""

import argparse
import time

from infra.cli.instances import add_file_argument, answer_each, duration, read_instance
from oms.sourcing.instance import Instance
from oms.sourcing.solver import solve


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `source` command to `oms`."""
    source = subparsers.add_parser(
        "source",
        help="solve sourcing instances",
        description="Print a cheapest plan for each instance, one JSON line each.",
    )
    source.set_defaults(run=run)
    source.add_argument(
        "--budget-ms",
        type=duration,
        metavar="N",
        help="end each after N ms of processor time with the best plan so far (default: when it is proven)",
    )
    add_file_argument(source, "instances")


def run(args: argparse.Namespace) -> int:
    """Solve every instance of the file."""
    seconds = None if args.budget_ms is None else args.budget_ms / 1000

    def answer(instance: Instance) -> dict[str, object]:
        begin = time.thread_time()
        solution = solve(instance, seconds, time.thread_time)
        return {
            "id": instance.id,
            "cost": solution.cost,
            "bound": solution.bound,
            "proven": solution.proven,
            "ms": round((time.thread_time() - begin) * 1000, 3),
            "plan": solution.plan,
        }

    return answer_each(args.instances, read_instance, answer)
