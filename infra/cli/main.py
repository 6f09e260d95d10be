"""The `oms` command.

JSON goes to stdout, messages to stderr. Exit status: 0 good, 1 bad input or refused, 2 wrong usage.

A group of sub-commands is a module with `register(subparsers)`: it adds its own parser, named as in `GROUPS`,
and sets `run` on it (`parser.set_defaults(run=function)`): a function of the parsed arguments that returns an
exit status, or None for 0, and raises `Problem` for what is refused.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence

from oms.problems import Code, Problem

GROUPS: dict[str, tuple[str, str]] = {
    "bench": ("infra.cli.bench", "measure what has a budget"),
    "channel": ("infra.cli.channel", "verify and parse what a channel sends"),
    "demo": ("infra.cli.demo", "play 20 orders, their parcels and two returns on the local stack"),
    "dlq": ("infra.cli.dlq", "list, redrive and drop what was given up on"),
    "events": ("infra.cli.events", "derive events again from the journals"),
    "import": ("infra.cli.imports", "import catalogue, stock and supply from files"),
    "lab": ("infra.cli.lab", "find faults by simulation"),
    "ledger": ("infra.cli.ledger", "prove every unit of stock"),
    "listings": ("infra.cli.listings", "compare what channels show with what we have"),
    "privacy": ("infra.cli.privacy", "answer privacy requests"),
    "seed": ("infra.cli.seed", "configure a believable retailer with stock on the local stack"),
    "soak": ("infra.cli.soak", "sell on the local stack while its workers are killed"),
    "source": ("infra.cli.source", "solve sourcing instances"),
    "sourcing": ("infra.cli.sourcing", "compare profiles, preview baskets, plan backlogs of orders again"),
    "stock": ("infra.cli.stock", "follow the units of a position"),
    "tail": ("infra.cli.tail", "follow business events on the local stack"),
    "token": ("infra.cli.token", "create, list and revoke tokens of the API"),
}
"""Module and one line of help of every group. Only the module of the group in use is imported, so that
`oms source` does not wait for boto3."""


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for `argv`: every group is listed, the one that `argv` names is complete."""
    parser = argparse.ArgumentParser(
        prog="oms", description="Operate the order management system. JSON on stdout, messages on stderr."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, summary) in GROUPS.items():
        if argv and argv[0] == name:
            importlib.import_module(module).register(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of the process by default.

    Returns:
        The exit status. Wrong usage leaves by `SystemExit(2)`, as argparse does.
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser(arguments).parse_args(arguments)  # the group is imported here
        status = args.run(args) or 0
        sys.stdout.flush()
    except Problem as problem:
        return _refuse(problem)
    except BrokenPipeError:
        # The reader has left (`oms .. | head`). What is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _refuse(Problem(Code.BAD_REQUEST, str(error)))
    except KeyboardInterrupt:
        return 130
    return int(status)


def _refuse(problem: Problem) -> int:
    print(json.dumps(problem.body(), ensure_ascii=False), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
