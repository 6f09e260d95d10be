"""The logs of the functions of the local stack."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

FUNCTIONS_PREFIX = "/aws/lambda/"
OVERLAP_MS = 10_000
"""Invocations that began before a poll are written after it; how long a poll looks back for them."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a function wrote."""

    function: str
    timestamp_ms: int
    message: str


@dataclass(slots=True)
class LogTail:
    """New log lines of all functions, each once.

    MiniStack writes one stream for each invocation, at once when it ends: a stream that was read is done.

    Args:
        client: a CloudWatch Logs client.
        since_ms: Unix time in milliseconds from which on lines are read.
    """

    client: "CloudWatchLogsClient"
    since_ms: int
    _read: set[str] = field(default_factory=set)

    def poll(self) -> list[LogLine]:
        """The lines that have come since the last poll, oldest first."""
        now_ms = int(time.time() * 1000)
        lines: list[LogLine] = []
        streams: set[str] = set()
        groups = self.client.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=FUNCTIONS_PREFIX
        )
        for name in [group["logGroupName"] for page in groups for group in page["logGroups"]]:
            for event in self.client.filter_log_events(logGroupName=name, startTime=self.since_ms)["events"]:
                streams.add(event["logStreamName"])
                if event["logStreamName"] not in self._read:
                    function = name.removeprefix(FUNCTIONS_PREFIX)
                    lines.append(LogLine(function, event["timestamp"], event["message"]))
        self._read, self.since_ms = streams, now_ms - OVERLAP_MS
        return sorted(lines, key=lambda line: line.timestamp_ms)
