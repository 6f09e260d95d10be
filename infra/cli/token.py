"""`oms token create`, `list` and `revoke`: who may call the API, and for what."""

import argparse
import json
from datetime import UTC, datetime, timedelta

from infra.cli.arguments import whole
from infra.cli.target import add_stack_argument, opened
from oms.problems import Code, Problem
from oms.store.keys import iso
from oms.store.tokens import Scope, Token, issue, issued, revoke

_SHOWN = 12
"""Letters of a digest that name a token: 48 bits, enough among any number of tokens that a person lists."""
_DAYS = whole(1, 3650, "a token is valid for 1 to 3650 days")


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `token` group to the `oms` command."""
    group = subparsers.add_parser("token", help="create, list and revoke tokens of the API")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    create = commands.add_parser("create", help="make a token and print it, once: it is kept nowhere")
    create.set_defaults(run=run_create)
    create.add_argument(
        "--scopes",
        required=True,
        type=_scopes,
        help=f"what it may do, separated by commas: all, or {', '.join(Scope)}",
    )
    create.add_argument("--name", default="cli", help="who uses it; stands in logs and movements")
    create.add_argument(
        "--days",
        type=_DAYS,
        default=365,
        help="how long it is valid (default: 365)",
    )

    commands.add_parser("list", help="print every token").set_defaults(run=run_list)

    end = commands.add_parser("revoke", help="end a token now; calls may pass for a minute more")
    end.set_defaults(run=run_revoke)
    end.add_argument("id", type=_id, help="as `list` prints it")


def run_create(args: argparse.Namespace) -> None:
    """Print the new token's text, with all that is known of it."""
    valid = timedelta(days=args.days)
    with opened(args.stack) as stack:
        text, token = issue(stack.table, args.name, args.scopes, valid, datetime.now(UTC))
    print(json.dumps({"token": text} | _shown(token)))


def run_list(args: argparse.Namespace) -> None:
    """Print all tokens, one JSON line each."""
    with opened(args.stack) as stack:
        for token in issued(stack.table):
            print(json.dumps(_shown(token)))


def run_revoke(args: argparse.Namespace) -> None:
    """End a token and print it."""
    with opened(args.stack) as stack:
        named = [token for token in issued(stack.table) if token.digest.startswith(args.id)]
        if len(named) != 1:
            raise Problem(Code.NOT_FOUND, f"{len(named)} tokens have an id that begins with {args.id}", "id")
        print(json.dumps(_shown(revoke(stack.table, named[0], datetime.now(UTC)))))


def _shown(token: Token) -> dict[str, object]:
    return {
        "id": token.digest[:_SHOWN],
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": iso(token.created_at),
        "expires_at": iso(token.expires_at),
    }


def _scopes(text: str) -> tuple[Scope, ...]:
    names = list(Scope) if text == "all" else [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in tuple(Scope)]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such scope: {', '.join(unknown)}; there are {', '.join(Scope)}")
    return tuple(Scope(name) for name in dict.fromkeys(names))


def _id(text: str) -> str:
    if len(text) < _SHOWN:
        raise argparse.ArgumentTypeError(f"an id has {_SHOWN} letters, as `oms token list` prints it")
    return text
