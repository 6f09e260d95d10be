"""`oms stock history`: how the units of a position have come and gone."""

import argparse
import json

from functions.api.movements import movement_document
from infra.cli.target import add_stack_argument, opened
from oms.problems import Code, Problem
from oms.store import queries
from oms.store.queries import Span
from oms.store.stock import read_position

_PAGE = 100


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `stock` group to the `oms` command."""
    group = subparsers.add_parser("stock", help="follow the units of a position")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    history = commands.add_parser(
        "history",
        help="print every movement of a position",
        description="Latest first, one JSON line each. `missing_before` tells of writes whose movements were "
        "lost: how many, and what they added up to.",
    )
    history.set_defaults(run=run_history)
    history.add_argument("sku", metavar="SKU")
    history.add_argument("location", metavar="LOCATION")


def run_history(args: argparse.Namespace) -> None:
    """Print the movements of a position."""
    with opened(args.stack) as stack:
        if not read_position(stack.table, args.sku, args.location).v:
            detail = f"sku {args.sku} has never been at location {args.location}"
            raise Problem(Code.NOT_FOUND, detail, "location")
        span: Span | None = Span(_PAGE)
        while span:
            page = queries.movements(stack.table, args.sku, args.location, span)
            for movement, lost in page.items:
                print(json.dumps(movement_document(movement, lost), ensure_ascii=False))
            span = Span(_PAGE, page.after) if page.after else None
