"""`oms demo`: the story of a believable retailer, played on the local stack."""

import argparse
import json
import sys
import time
from urllib.parse import urlsplit

from infra.cli.seed import connect, connect_channel, open_api
from infra.cli.target import Target, opened
from infra.demo.neighbours import neighbours
from infra.demo.report import report
from infra.demo.shops import SHOPS, connection
from infra.demo.story import Doors, Progress, play
from oms.store.tokens import Scope

_BESIDE, _PORTS = 1000, 65536


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the `oms` command."""
    parser = subparsers.add_parser(
        "demo", help="play 20 orders, their parcels and two returns on the local stack"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the story; the tables go to stderr, a verdict to stdout. Exit status 1 when anything is wrong."""
    with opened() as stack, neighbours(_port(stack)) as world:
        connect_channel(stack)
        url = f"http://127.0.0.1:{_port(stack)}"
        for channel, kind in SHOPS.items():
            connect(stack, channel, connection(kind, url))
        doors = Doors(
            api=open_api(stack, "demo", *Scope),
            warehouse_api=open_api(stack, "demo-store", Scope.FULFILLMENT_READ, Scope.FULFILLMENT_WRITE),
            sqs=stack.sqs,
            requests_url=stack.outputs["RequestsWmsQueueUrl"],
            fulfillment_url=stack.outputs["FulfillmentEventsQueueUrl"],
            returns_url=stack.outputs["ReturnEventsQueueUrl"],
            neighbours_url=url,
        )
        outcome = play(doors, world, int(time.time()), Progress())
    print(f"\n{report(outcome)}", file=sys.stderr)
    told = outcome.told
    verdict = {
        "orders": len(outcome.orders),
        "returns": len(outcome.returns),
        "sold_out_elsewhere_s": told and told.seconds and round(told.seconds, 1),
        "tracking_number": told and told.tracking_number,
        "events_verified": list(told.events) if told else [],
        "seconds": round(outcome.seconds, 1),
        "problems": outcome.problems,
    }
    print(json.dumps(verdict))
    return 1 if outcome.problems else 0


def _port(stack: Target) -> int:
    """Where the servers of others stand beside a local stack: the same place for every run of the demo, as
    functions remember for some minutes where the API of a channel is.
    """
    port = urlsplit(stack.endpoint_url or "").port
    assert port is not None, "a local stack has a port"
    return port + _BESIDE if port + _BESIDE < _PORTS else port - _BESIDE
