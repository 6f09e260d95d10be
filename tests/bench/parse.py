"""From a channel's payload to canonical commands: CPU by kind of channel.

On the recorded payloads where they are, else on the sample deliveries in `events/`.
"""

import json
import statistics
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from infra.cli.channel import inbound
from infra.local.stack import ROOT
from oms.channels.protocol import Inbound
from oms.channels.registry import KINDS, adapter

PAYLOADS = ROOT.parent / "shared" / "channels" / "payloads"
ROUNDS = 7
TIMES = 5

type Row = dict[str, str | int | float]


def measure() -> Iterator[Row]:
    """Microseconds of CPU for a payload, the least of several rounds: the mean, the slowest, and by KB."""
    for kind, group in groupby(_deliveries(), key=lambda delivery: delivery.adapter):
        deliveries = list(group)
        microseconds = [_microseconds(delivery) for delivery in deliveries]
        size = sum(len(delivery.body) for delivery in deliveries)
        yield {
            "channel": kind,
            "payloads": len(deliveries),
            "kb": round(size / len(deliveries) / 1000, 1),
            "cpu_us": round(statistics.fmean(microseconds)),
            "slowest_us": round(max(microseconds)),
            "cpu_us_per_kb": round(sum(microseconds) / (size / 1000)),
        }


def _microseconds(delivery: Inbound) -> float:
    parse = adapter(delivery.adapter).parse
    parse(delivery)
    least = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(TIMES):
            parse(delivery)
        least = min(least, (time.process_time() - begin) / TIMES)
    return least * 1e6


def _deliveries() -> Iterator[Inbound]:
    for kind in sorted(KINDS):
        if PAYLOADS.exists():
            for path in sorted((PAYLOADS / kind).glob("*")):
                yield inbound(adapter(kind), _shape(path), None, path.read_bytes())
        else:
            for path in sorted((ROOT / "events").glob(f"{kind}_*.json")):
                event = json.loads(path.read_bytes())
                if event["httpMethod"] == "POST" and not event.get("isBase64Encoded"):
                    yield inbound(adapter(kind), None, None, path.read_bytes())


def _shape(path: Path) -> str:
    """The name of a stored payload's shape, which adapters take for a topic."""
    return path.name.partition("__")[0]
