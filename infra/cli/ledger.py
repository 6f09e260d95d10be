"""`oms ledger check`: prove every unit, and mend what is proved wrong."""

import argparse
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from infra.cli.arguments import whole
from infra.cli.target import add_stack_argument, opened
from oms.inventory.ledger import Finding
from oms.usecases.check_ledger import check_ledger, repair

_SEGMENTS = 4


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `ledger` group to the `oms` command."""
    group = subparsers.add_parser("ledger", help="prove every unit of stock")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="prove the counters of positions and demands from the orders",
        description="Reads the whole table, while others go on writing, and prints what is proved wrong with "
        "the counters as they have to be, one JSON line each. Exits with 1 when something stays wrong.",
    )
    check.add_argument(
        "--repair", action="store_true", help="set right what has not changed since it was found"
    )
    check.add_argument(
        "--segments",
        type=whole(1, 64, "between 1 and 64 segments are read at a time"),
        default=_SEGMENTS,
        help=f"parts of the table that are read at a time (default: {_SEGMENTS})",
    )
    check.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Print what is wrong, repaired if that is wanted."""
    with opened(args.stack) as stack:
        checked = check_ledger(stack.table, segments=args.segments, progress=_progress())
        wrong = 0
        for finding in checked.findings:
            repaired = args.repair and repair(stack.table, finding, "oms ledger", datetime.now(UTC))
            wrong += not repaired
            print(json.dumps(_shown(finding) | {"repaired": repaired}), flush=True)
    summary = {
        "orders": checked.orders,
        "counted": checked.accounts,
        "wrong": len(checked.findings),
        "repaired": len(checked.findings) - wrong,
        "unsettled": [f"{account.sku} {account.book} {account.place}" for account in checked.unsettled],
    }
    print(json.dumps(summary), file=sys.stderr)
    return int(wrong > 0)


def _shown(finding: Finding) -> dict[str, object]:
    account = finding.account
    return {
        "sku": account.sku,
        str(account.book): account.place,
        "seen": finding.seen,
        "found": dict(finding.found),
        "right": dict(finding.right),
    }


def _progress() -> Callable[[int], None]:
    """Shows on a terminal how many items have been looked at."""
    lock, looked_at = Lock(), 0

    def show(items: int) -> None:
        nonlocal looked_at
        with lock:
            looked_at += items
            print(f"\r{looked_at} items", end="", file=sys.stderr, flush=True)

    return show if sys.stderr.isatty() else lambda items: None
