"""`oms tail`: what happens to orders on the local stack, as it happens."""

import argparse
import json
import time
from collections.abc import Iterator

from infra.cli.target import Target, opened
from oms.events.derive import Event, events
from oms.store.attributes import decode
from oms.store.keys import iso

_POLL_S = 0.5


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tail` to the `oms` command."""
    parser = subparsers.add_parser(
        "tail",
        help="follow business events on the local stack",
        description="Prints every event as it comes, one JSON line each. Follow a stack in "
        "AWS by a rule on its bus: its stream has no room for one more reader.",
    )
    parser.add_argument("--all", action="store_true", help="begin with what the stream still holds")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print events as they come."""
    with opened() as stack:
        for event in follow(stack, "TRIM_HORIZON" if args.all else "LATEST"):
            print(json.dumps(_line(event), ensure_ascii=False), flush=True)


def follow(stack: Target, start: str) -> Iterator[Event]:
    """Events of the changes in the table's stream, for ever.

    Args:
        stack: whose.
        start: where in the stream to begin, as DynamoDB Streams calls it.
    """
    arn = stack.dynamodb.describe_table(TableName=stack.table.name)["Table"]["LatestStreamArn"]
    shards = stack.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    ends: list[str] = [
        stack.streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=start)[
            "ShardIterator"
        ]
        for shard in shards
    ]
    while True:
        for number, end in enumerate(ends):
            answer = stack.streams.get_records(ShardIterator=end)
            ends[number] = answer["NextShardIterator"]
            for images in (record["dynamodb"] for record in answer["Records"]):
                if "NewImage" in images:
                    old = decode(images["OldImage"]) if "OldImage" in images else None
                    yield from events(old, decode(images["NewImage"]))
        time.sleep(_POLL_S)


def _line(event: Event) -> dict[str, object]:
    """An event without what is the same in all of them."""
    return {"time": iso(event.time), "type": event.type, "subject": event.subject, "v": event.v, **event.data}
