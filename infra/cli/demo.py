"""`oms demo`: the story of a believable retailer, played on the local stack."""

import argparse
import json
import sys
import time

from infra.cli.seed import connect_channel, open_api
from infra.cli.target import opened
from infra.demo.report import report
from infra.demo.story import Doors, Progress, play
from oms.store.tokens import Scope


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the `oms` command."""
    parser = subparsers.add_parser(
        "demo", help="play 20 orders, their parcels and two returns on the local stack"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the story; the tables go to stderr, a verdict to stdout. Exit status 1 when anything is wrong."""
    with opened() as stack:
        connect_channel(stack)
        doors = Doors(
            api=open_api(stack, "demo", *Scope),
            warehouse_api=open_api(stack, "demo-store", Scope.FULFILLMENT_READ, Scope.FULFILLMENT_WRITE),
            sqs=stack.sqs,
            requests_url=stack.outputs["RequestsWmsQueueUrl"],
            fulfillment_url=stack.outputs["FulfillmentEventsQueueUrl"],
            returns_url=stack.outputs["ReturnEventsQueueUrl"],
        )
        outcome = play(doors, int(time.time()), Progress())
    print(f"\n{report(outcome)}", file=sys.stderr)
    verdict = {
        "orders": len(outcome.orders),
        "returns": len(outcome.returns),
        "seconds": round(outcome.seconds, 1),
        "problems": outcome.problems,
    }
    print(json.dumps(verdict))
    return 1 if outcome.problems else 0
