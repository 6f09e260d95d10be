"""`oms sourcing`: plan backlogs again, compare profiles on recorded orders, preview; import places."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from infra.cli import places
from infra.cli.arguments import date_of
from infra.cli.instances import add_file_argument, answer_each, duration, read_backlog
from infra.cli.recording import record_orders
from infra.cli.retailer import BUILT_IN, Retailer, read_orders, read_profile
from infra.cli.target import add_stack_argument, opened
from oms.inventory.network import Network
from oms.orders.commands import Address, Delivery, Method
from oms.problems import Code, Problem
from oms.sourcing.backlog import Backlog, plan_in_turn, reoptimise
from oms.sourcing.deliveries import AT_STORE
from oms.sourcing.record import record
from oms.sourcing.simulation import Outcome, difference, simulate
from oms.store.configuration import read_network
from oms.store.loads import loaded
from oms.usecases.preview_sourcing import Basket, BasketLine, preview
from oms.usecases.profiles import find_profile


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `sourcing` group to the `oms` command."""
    group = subparsers.add_parser("sourcing", help="compare profiles, preview baskets; import places")
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
    _register_simulate(commands)
    _register_record(commands)
    _register_preview(commands)
    places.register(commands)


def _register_simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "simulate",
        help="source recorded orders by two profiles and compare",
        description="Sources the orders one after the other from the same stock, by each profile, and prints "
        "what that costs and how the second differs from the first, with intervals by the bootstrap.",
    )
    parser.set_defaults(run=run_simulate)
    parser.add_argument("--retailer", required=True, metavar="FILE", help="network, catalogue and stock")
    for name in ("--profile", "--against"):
        parser.add_argument(
            name,
            default=BUILT_IN,
            metavar="FILE",
            help=f"a profile; {BUILT_IN} (default) is the built-in one",
        )
    parser.add_argument(
        "--budget-ms", type=duration, default=50.0, metavar="N", help="processor time for each (default: 50)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    add_file_argument(parser, "orders")


def _register_record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "record",
        help="write the orders of a stack as files to simulate with",
        description="Writes retailer.json and orders.jsonl of the orders placed on some days (UTC).",
    )
    parser.set_defaults(run=run_record)
    add_stack_argument(parser)
    for name in ("first", "last"):
        parser.add_argument(f"--{name}", type=date_of, required=True, metavar="DATE", help=f"the {name} day")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to; made if it is not there")


def _register_preview(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "preview",
        help="what would be decided for a basket now",
        description="Prints where a basket would come from, what may be promised, and what other plans would "
        "cost. Nothing is reserved.",
    )
    parser.set_defaults(run=run_preview)
    add_stack_argument(parser)
    parser.add_argument("--channel", required=True)
    parser.add_argument("--method", choices=list(Method), default=Method.SHIP)
    parser.add_argument("--country", type=_country, help="ISO 3166-1, two letters")
    for name, what in _DELIVERY.items():
        parser.add_argument(name, help=what)
    parser.add_argument(
        "--profile", type=int, metavar="VERSION", help="of the sourcing profile, if not the active one"
    )
    parser.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="LOCATION",
        help="tell what it would cost from there",
    )
    parser.add_argument("lines", nargs="+", metavar="SKU[:UNITS]", help="the basket: MUG:2 CAP")


def run_record(args: argparse.Namespace) -> None:
    """Write the orders of a stack."""
    if args.last < args.first:
        raise Problem(Code.FIELD_INVALID, f"{args.last} is before {args.first}", "last")
    with opened(args.stack) as stack:
        count = record_orders(stack.table, args.first, args.last, args.folder)
    print(json.dumps({"deliveries": count}))


def run_simulate(args: argparse.Namespace) -> None:
    """Print how two profiles compare."""
    retailer = Retailer(args.retailer)
    profiles = {name: read_profile(getattr(args, name), retailer.network) for name in ("against", "profile")}
    orders = list(read_orders(args.orders))
    if not orders:
        raise Problem(Code.BAD_REQUEST, f"{args.orders} has no orders", "orders")
    rates = profiles["against"]
    made: dict[str, list[Outcome]] = {}
    for name, profile in profiles.items():
        made[name] = []
        shelf = retailer.shelf()
        run = simulate(
            orders,
            retailer.network,
            retailer.skus,
            shelf,
            profile,
            rates=rates,
            seconds=args.budget_ms / 1000,
        )
        for outcome in run:
            made[name].append(outcome)
            _show(f"\r{getattr(args, name)}: {len(made[name])} of {len(orders)}")
        _show("\n")
    random = Random(args.seed)
    differences = {}
    for figure, of in FIGURES.items():
        before, after = ([of(one) for one in made[name]] for name in profiles)
        differences[figure] = asdict(difference(before, after, random))
    print(
        json.dumps(
            {
                "orders": len(orders),
                **{name: {"profile": getattr(args, name)} | _summary(ones) for name, ones in made.items()},
                "difference": differences,
            }
        )
    )


FIGURES: dict[str, Callable[[Outcome], int]] = {
    "cost": lambda outcome: outcome.cost,
    "splits": lambda outcome: outcome.splits,
    "backorders": lambda outcome: outcome.backorders,
    "promises_met": lambda outcome: outcome.kept is True,
}
"""What is compared, a delivery."""


def _summary(outcomes: list[Outcome]) -> dict[str, object]:
    loads = Counter[str]()
    for outcome in outcomes:
        loads.update(outcome.loads)
    return {
        **{figure: sum(of(outcome) for outcome in outcomes) for figure, of in FIGURES.items()},
        "promises": sum(outcome.kept is not None for outcome in outcomes),
        "unproven": sum(not outcome.proven for outcome in outcomes),
        "loads": dict(sorted(loads.items())),
    }


_DELIVERY = {
    "--service": "how it is shipped",
    "--location": "where it is picked up",
    "--postal-code": "of the address",
    "--city": "of the address",
}


def run_preview(args: argparse.Namespace) -> None:
    """Print what would be decided for a basket."""
    lines = tuple(_basket_line(number, text) for number, text in enumerate(args.lines, 1))
    address = Address(country=args.country, postal_code=args.postal_code, city=args.city)
    delivery = Delivery("", Method(args.method), args.service, address, args.location)
    now = datetime.now(UTC)
    with opened(args.stack) as stack:
        network = loaded(stack.table, read_network(stack.table), now)
        _check_places(args, network)
        profile = None if args.profile is None else find_profile(stack.table, args.profile, "profile")
        basket = Basket(args.channel, lines, delivery)
        made = preview(stack.table, network, basket, now, profile, args.compare)
    print(
        json.dumps(
            {
                "decision": record({None: made.decision})[0],
                "ms": made.decision.ms,
                "promise": asdict(made.promise),
                "alternatives": [asdict(other) for other in made.alternatives],
            },
            default=str,
        )
    )


def _check_places(args: argparse.Namespace, network: Network) -> None:
    """Refuse to compare with, or to hand over at, a location that is not there."""
    channel = network.channels.get(args.channel)
    at = args.location or ""
    if args.method in AT_STORE and channel and channel.locations.get(at, at) not in network.locations:
        detail = f"location {at} is not configured" if at else f"{args.method} needs the location"
        raise Problem(Code.FIELD_INVALID, detail, "location")
    for name in args.compare:
        if name not in network.locations:
            raise Problem(Code.FIELD_INVALID, f"there is no location {name}", "compare")


def _country(text: str) -> str:
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise argparse.ArgumentTypeError(f"{text} is no country like ES")
    return text


def _basket_line(number: int, text: str) -> BasketLine:
    sku, colon, units = text.rpartition(":")
    if not colon:
        sku, units = text, "1"
    if not sku or not units.isdecimal() or not int(units):
        raise Problem(Code.FIELD_INVALID, f"{text} is not SKU or SKU:UNITS", f"lines[{number - 1}]")
    return BasketLine(str(number), sku, int(units), 0, {})


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
