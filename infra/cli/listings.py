"""`oms listings check`: compare what a channel shows with what we have, and mend what differs."""

import argparse
import json
import sys
from collections import Counter
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from infra.cli.target import Target, add_stack_argument, opened
from oms.channels.catalogues import catalogue
from oms.channels.exchange import Unavailable
from oms.events.publish import Queue
from oms.problems import Code, Problem
from oms.runtime.channel_api import ChannelApis
from oms.runtime.http import Client
from oms.runtime.secrets import ChannelSecrets
from oms.runtime.settings import Reach
from oms.store.configuration import read_network
from oms.usecases.check_listings import Difference, check_listings, mend


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `listings` group to the `oms` command."""
    group = subparsers.add_parser("listings", help="compare what channels show with what we have")
    add_stack_argument(group)
    commands = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="compare the listings of a channel with ours",
        description="Reads everything that the channel lists, and prints what differs from what we have, one "
        "JSON line each. Exits with 1 when something stays different.",
    )
    check.add_argument("channel", help="which channel")
    check.add_argument(
        "--repair",
        action="store_true",
        help="record what the channel lists, and tell it again what it is told of: stock, titles, prices",
    )
    check.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """Print what differs, mended if that is wanted."""
    kinds: Counter[str] = Counter()
    left = 0
    with opened(args.stack) as stack:
        network, now = read_network(stack.table), datetime.now(UTC)
        publish = Queue(stack.sqs, stack.outputs["PublishQueueUrl"])
        try:
            shown = catalogue(_apis(stack).open(args.channel))
            for found in check_listings(stack.table, network, args.channel, shown, now):
                channel = network.channels[args.channel]
                repaired = bool(args.repair) and mend(stack.table, network, publish, channel, found, now)
                kinds[found.kind] += 1
                left += not repaired
                print(json.dumps(_line(found) | {"repaired": repaired}), flush=True)
        except Unavailable as error:
            raise Problem(Code.UNAVAILABLE, str(error)) from error
    print(json.dumps({"differences": dict(kinds), "left": left}), file=sys.stderr)
    return int(left > 0)


def _line(found: Difference) -> dict[str, object]:
    return {
        "kind": str(found.kind),
        "item_id": found.item_id,
        "sku": found.sku,
        "ours": found.ours,
        "theirs": found.theirs,
    }


def _apis(stack: Target) -> ChannelApis:
    """The APIs of the stack's channels; beside a local stack they may stand at a private address."""

    def fetch(name: str) -> str | None:
        try:
            return stack.secrets.get_secret_value(SecretId=name)["SecretString"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise

    reach = Reach.ANY if stack.endpoint_url else Reach.PUBLIC
    return ChannelApis(ChannelSecrets(f"{stack.name}/channels/", fetch), Client(reach))
