"""`oms privacy`: what customers and shops have asked for by privacy law, and answering it."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from infra.cli.target import add_stack_argument, opened
from oms.orders.privacy import held
from oms.problems import Code, Problem
from oms.store import queries
from oms.store.keys import iso
from oms.store.privacy import PrivacyRequest, read_requests
from oms.usecases.honour_privacy import erase_channel


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `privacy` group to the `oms` command."""
    group = subparsers.add_parser("privacy", help="answer privacy requests")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="print the requests of a channel, one JSON line each")
    listing.set_defaults(run=run_list)

    export = commands.add_parser(
        "export",
        help="print what is held of the customer of a request",
        description="One JSON line for each order: the customer, addresses and notes that it keeps, and the "
        "names of all of it. It is personal: hand it to the customer alone.",
    )
    export.set_defaults(run=run_export)

    erase = commands.add_parser(
        "erase-shop",
        help="erase the customers of every order of a channel",
        description="Money, units and events stay. What has yet to be shipped is done when it has left. "
        "Reads the whole table; to repeat it is harmless.",
    )
    erase.set_defaults(run=run_erase_shop)

    for command in (listing, export, erase):
        command.add_argument("channel", metavar="CHANNEL")
    export.add_argument("request", metavar="REQUEST", help="its id, as `list` prints it")


def run_list(args: argparse.Namespace) -> None:
    """Print the requests of a channel."""
    with opened(args.stack) as stack:
        for request in read_requests(stack.table, args.channel):
            print(json.dumps(_shown(request)))


def run_export(args: argparse.Namespace) -> None:
    """Print what is held of a customer, order by order."""
    with opened(args.stack) as stack:
        known = {request.id: request for request in read_requests(stack.table, args.channel)}
        if args.request not in known:
            detail = f"channel {args.channel} has no privacy request {args.request}"
            raise Problem(Code.NOT_FOUND, detail, "request")
        for name in known[args.request].orders:
            found = queries.order_with_body(stack.table, name)
            if found is None:
                continue
            order, body = found
            document = {
                "order_id": name,
                "order_number": order.order_number,
                "placed_at": iso(order.placed_at),
                "held": list(held(order, body)),
                "customer": asdict(body.customer),
                "billing": asdict(body.billing) if body.billing else None,
                "ship_to": {delivery: asdict(place) for delivery, place in body.ship_to.items()},
                "notes": body.notes,
                "lines": [{"title": line.title, "properties": dict(line.properties)} for line in body.lines],
            }
            print(json.dumps(document, ensure_ascii=False))


def run_erase_shop(args: argparse.Namespace) -> None:
    """Erase every order of a channel, and print what became of them."""
    with opened(args.stack) as stack:
        show = _progress if sys.stderr.isatty() else lambda items: None
        counts = erase_channel(stack.table, args.channel, datetime.now(UTC), show)
    print(json.dumps({str(outcome): orders for outcome, orders in counts.items()}))


def _shown(request: PrivacyRequest) -> dict[str, object]:
    return asdict(request) | {"requested_at": iso(request.requested_at)}


def _progress(items: int) -> None:
    print(".", end="", file=sys.stderr, flush=True)
