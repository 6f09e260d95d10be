"""`oms events replay`: events derived from the journals once more, and sent again under the same ids."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import batched

from infra.cli.arguments import date_of, moment
from infra.cli.target import Target, add_stack_argument, opened
from oms.events.derive import Event, events_of_journal
from oms.events.messages import REQUESTS, Message, request_of
from oms.events.publish import Bus, Queue
from oms.fulfillment.model import FulfillmentState
from oms.problems import Code, Problem
from oms.store import queries
from oms.store.fulfillment import decode_fulfillment_order
from oms.store.queries import Span
from oms.store.table import Table
from oms.usecases.relay_changes import Outlets

_PAGE = 100

_ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: those written from `since` to `until`, UTC, both included."""

    since: datetime
    until: datetime

    def __contains__(self, event: Event) -> bool:
        return self.since <= event.time <= self.until


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `events` group to the `oms` command."""
    group = subparsers.add_parser("events", help="derive events again from the journals")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    replay = commands.add_parser(
        "replay",
        help="send the events of orders again, under the same ids",
        description="Public events go to the bus. Requests for work that its location has not accepted go to "
        "the location's queue. Nothing else is sent: the clock finds what is due.",
    )
    replay.set_defaults(run=run_replay)
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("--order", action="append", metavar="ID", help="of this order; repeat for more")
    which.add_argument(
        "--day",
        type=_days,
        metavar="DAY[..DAY]",
        help="of all orders placed on a day, or from one to another (YYYY-MM-DD, UTC)",
    )
    replay.add_argument(
        "--since", type=moment, default=_ALWAYS[0], metavar="TIME", help="written from then on"
    )
    replay.add_argument("--until", type=moment, default=_ALWAYS[1], metavar="TIME", help="written until then")
    replay.add_argument("--dry-run", action="store_true", help="print the events instead, one JSON line each")


def run_replay(args: argparse.Namespace) -> None:
    """Send events again, and print how many."""
    wanted = Wanted(args.since, args.until)
    with opened(args.stack) as stack:
        ids = args.order or _placed_on(stack.table, args.day)
        ways = outlets(stack)
        sent = {"orders": 0, "events": 0, "requests": 0}
        for page in batched(ids, _PAGE, strict=False):
            events: list[Event] = []
            requests: list[tuple[str, Message]] = []
            for order_id in page:
                of_order, work = _derived(stack.table, order_id, wanted)
                events += of_order
                requests += work
            if args.dry_run:
                for event in events:
                    print(json.dumps(event.document(), ensure_ascii=False))
                continue
            for connector, message in requests:
                ways.requests[connector].send([message])
            ways.bus.publish(events)
            sent["orders"] += len(page)
            sent["events"] += len(events)
            sent["requests"] += len(requests)
            if len(page) == _PAGE:
                print(f"{sent['orders']} orders so far", file=sys.stderr)
    if not args.dry_run:
        print(json.dumps(sent))


def outlets(stack: Target) -> Outlets:
    """Where the events and messages of a stack go."""
    queues = {
        stack.queue_name(url): Queue(stack.sqs, url)
        for output, url in stack.outputs.items()
        if output.endswith("QueueUrl")
    }
    return Outlets(
        bus=Bus(stack.events, stack.outputs["BusName"]),
        sourcing=queues["sourcing"],
        requests={
            name.removeprefix("requests-").removesuffix(".fifo"): queue
            for name, queue in queues.items()
            if name.startswith("requests-")
        },
    )


def _placed_on(table: Table, days: Sequence[date]) -> Iterator[str]:
    """Ids of the orders placed on some days."""
    for day in days:
        span: Span | None = Span(_PAGE)
        while span:
            page = queries.orders_of_day(table, day, span)
            yield from (order.order_id for order in page.items)
            span = Span(_PAGE, page.after) if page.after else None


def _derived(table: Table, order_id: str, wanted: Wanted) -> tuple[list[Event], list[tuple[str, Message]]]:
    """The public events of an order and what belongs to it, and the requests that no location has taken on.

    Returns:
        The events, the earliest first, and the requests with their connectors.

    Raises:
        Problem: `not_found`.
    """
    items = queries.everything(table, order_id)
    if not items:
        raise Problem(Code.NOT_FOUND, f"order {order_id} is not there", "order")
    events: list[Event] = []
    requests: list[tuple[str, Message]] = []
    for item in items:
        derived = [event for event in events_of_journal(item) if event in wanted]
        events += (event for event in derived if event.public)
        for event in derived:
            if event.type in REQUESTS:
                work = decode_fulfillment_order(item)
                if work.connector and work.state is FulfillmentState.RELEASED:
                    requests.append((work.connector, request_of(work, event)))
    events.sort(key=lambda event: (event.time, event.subject, event.v))
    return events, requests


def _days(text: str) -> tuple[date, ...]:
    first, _, last = text.partition("..")
    begin = date_of(first)
    end = date_of(last) if last else begin
    if end < begin:
        raise argparse.ArgumentTypeError(f"{last} is before {first}")
    return tuple(begin + timedelta(days=number) for number in range((end - begin).days + 1))
