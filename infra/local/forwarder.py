"""What CloudWatch does on AWS and MiniStack does not: metrics out of log lines, depths of queues, alarms.

It runs beside MiniStack and ends with it: `python -m infra.local.forwarder`.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.alarms import evaluate
from infra.local.logs import LogLine, LogTail
from infra.local.ministack import MiniStack
from infra.local.stack import Home, default_home, load_stack

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import DimensionTypeDef, MetricDatumTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

POLL_SECONDS = 10.0
DATA_PER_CALL = 1000
"""Limit of PutMetricData."""

QUEUE_METRICS: "dict[QueueAttributeNameType, str]" = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed": "ApproximateNumberOfMessagesDelayed",
}
"""Names of CloudWatch's queue metrics by SQS's attribute."""


def embedded_metrics(line: str) -> Iterator[tuple[str, "MetricDatumTypeDef"]]:
    """The metrics in a log line, with their namespaces; none when it is not in embedded metric format.

    Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if not (line.startswith("{") and '"CloudWatchMetrics"' in line):
        return
    try:
        document: dict[str, Any] = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError):
        return
    for directive in directives:
        for names in directive.get("Dimensions", [[]]):
            dimensions: list[DimensionTypeDef] = [
                {"Name": name, "Value": str(document[name])} for name in names
            ]
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                yield (
                    directive["Namespace"],
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Values": value if isinstance(value, list) else [value],
                        "Unit": metric.get("Unit", "None"),
                        "Timestamp": document["_aws"]["Timestamp"] / 1000,
                    },
                )


def queue_depths(sqs: "SQSClient") -> Iterator["MetricDatumTypeDef"]:
    """The depth of every queue now, named as CloudWatch's own metrics of SQS."""
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for attribute, metric in QUEUE_METRICS.items():
            yield {
                "MetricName": metric,
                "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                "Value": float(attributes[attribute]),
                "Unit": "Count",
            }


def forward(cloudwatch: "CloudWatchClient", lines: Iterable[LogLine]) -> None:
    """Put the metrics of log lines, each namespace in as few calls as may be."""
    by_namespace: dict[str, list[MetricDatumTypeDef]] = {}
    for line in lines:
        for namespace, datum in embedded_metrics(line.message):
            by_namespace.setdefault(namespace, []).append(datum)
    for namespace, data in by_namespace.items():
        for chunk in batched(data, DATA_PER_CALL, strict=False):
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=chunk)


def run(home: Home) -> None:
    """Forward until the MiniStack of `home` ends."""
    settings = load_stack(home).client_settings()
    tail = LogTail(boto3.client("logs", **settings), since_ms=int(time.time() * 1000))
    cloudwatch = boto3.client("cloudwatch", **settings)
    sqs = boto3.client("sqs", **settings)
    while MiniStack(home).process.pid() is not None:
        try:
            forward(cloudwatch, tail.poll())
            cloudwatch.put_metric_data(Namespace="AWS/SQS", MetricData=list(queue_depths(sqs)))
            evaluate(cloudwatch, datetime.now(UTC))
        except (BotoCoreError, ClientError) as error:
            # Busy, or about to end; the next poll reads from where this one began.
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    run(default_home())
