"""`oms sourcing`: plan a backlog of orders again, together; import the places of postal codes and cities."""

import argparse
import sys
import time

from infra.cli import places
from infra.cli.instances import add_file_argument, answer_each, duration, read_backlog
from oms.sourcing.backlog import Backlog, plan_in_turn, reoptimise


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `sourcing` group to the `oms` command."""
    group = subparsers.add_parser("sourcing", help="plan backlogs of orders again; import places")
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    backlog = commands.add_parser(
        "backlog",
        help="plan a backlog of orders again, together",
        description="Plan the orders of each backlog in turn, then better the plans together. "
        "Prints one JSON line for each backlog.",
    )
    backlog.set_defaults(run=run_backlog)
    backlog.add_argument(
        "--seconds", type=duration, default=30.0, help="processor time for each backlog (default: 30)"
    )
    add_file_argument(backlog, "backlogs")
    places.register(commands)


def run_backlog(args: argparse.Namespace) -> int:
    """Plan every backlog of the file again."""

    def answer(backlog: Backlog) -> dict[str, object]:
        planning = plan_in_turn(backlog)
        before = planning.cost
        for _ in reoptimise(backlog, planning, args.seconds, time.thread_time):
            _show(f"\r{backlog.id}: {before - planning.cost} of {before} saved")
        _show("\n")
        return {
            "id": backlog.id,
            "cost": planning.cost,
            "splits": planning.splits,
            "sequential_cost": before,
            "plans": planning.plans,
        }

    return answer_each(args.backlogs, read_backlog, answer)


def _show(progress: str) -> None:
    if sys.stderr.isatty():
        print(progress, end="", file=sys.stderr, flush=True)
