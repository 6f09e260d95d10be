"""Metrics that the dashboard and the alarms name, against those that AWS publishes and those that we emit."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from infra.lint.template import Template
from oms.runtime.metrics import CATALOGUE


class Published(NamedTuple):
    """What AWS publishes in a namespace: metrics, each by any of the sets of dimensions."""

    metrics: frozenset[str]
    dimensions: frozenset[frozenset[str]]


def _published(metrics: str, *dimensions: str) -> Published:
    return Published(frozenset(metrics.split()), frozenset(frozenset(names.split()) for names in dimensions))


AWS_METRICS: Mapping[str, Published] = {
    "AWS/ApiGateway": _published(
        "4XXError 5XXError Count IntegrationLatency Latency", "ApiName Stage", "ApiName Stage Resource Method"
    ),
    "AWS/DynamoDB": _published(
        "ConsumedReadCapacityUnits ConsumedWriteCapacityUnits ReadThrottleEvents TransactionConflict"
        " WriteThrottleEvents",
        "TableName",
    ),
    "AWS/Lambda": _published(
        "ConcurrentExecutions Duration Errors Invocations IteratorAge Throttles", "FunctionName"
    ),
    "AWS/SQS": _published(
        "ApproximateAgeOfOldestMessage ApproximateNumberOfMessagesNotVisible"
        " ApproximateNumberOfMessagesVisible NumberOfMessagesSent",
        "QueueName",
    ),
}
"""By namespace, as far as it is useful here. Source: "Metrics and dimensions" in each service's guide."""

_SEARCH = re.compile(r"""SEARCH\('\{"([^"]+)",(\w+(?:,\w+)*)\} MetricName="(\w+)"', '\w+', \d+\)""")


class Named(NamedTuple):
    """A metric as the widget or alarm `where` names it."""

    where: str
    namespace: str
    name: str
    dimensions: frozenset[str]

    def __str__(self) -> str:
        return f"{self.where}: {self.namespace} {self.name} by ({', '.join(sorted(self.dimensions))})"


def named(template: Template) -> Iterator[Named]:
    """Every metric that an alarm or a widget names.

    Raises:
        ValueError: an expression other than a search for one metric by its dimensions.
    """
    for name, alarm in template.of("AWS::CloudWatch::Alarm"):
        dimensions = frozenset(dimension["Name"] for dimension in alarm.get("Dimensions", []))
        yield Named(name, alarm["Namespace"], alarm["MetricName"], dimensions)
    for name, dashboard in template.of("AWS::CloudWatch::Dashboard"):
        for widget in json.loads(dashboard["DashboardBody"])["widgets"]:
            properties = widget["properties"]
            for metric in properties["metrics"]:
                yield _of_widget(f"{name} '{properties['title']}'", metric)


def _of_widget(where: str, metric: list[Any]) -> Named:
    if isinstance(metric[0], dict):
        search = _SEARCH.fullmatch(metric[0]["expression"])
        if search is None:
            raise ValueError(f"{where}: not a search for one metric: {metric[0]['expression']}")
        return Named(where, search[1], search[3], frozenset(search[2].split(",")))
    namespace, name, *rest = [part for part in metric if isinstance(part, str)]
    return Named(where, namespace, name, frozenset(rest[::2]))


def metrics_are_known(template: Template) -> Iterator[str]:
    """Every metric named is one that AWS publishes or that our catalogue has, by those dimensions."""
    emitted = _emitted(template)
    for metric in named(template):
        published = AWS_METRICS.get(metric.namespace)
        known = (
            metric.name in published.metrics and metric.dimensions in published.dimensions
            if published
            else metric[1:] in emitted
        )
        if not known:
            yield f"{metric} is emitted by nothing"


def metrics_are_seen(template: Template) -> Iterator[str]:
    """Every metric of our catalogue is on the dashboard or watched, by each set of its dimensions."""
    for metric in sorted(_emitted(template) - {metric[1:] for metric in named(template)}):
        yield str(Named("Dashboard", *metric)) + " is not on it"


def _emitted(template: Template) -> set[tuple[str, str, frozenset[str]]]:
    namespaces = {
        function["Environment"]["Variables"]["METRICS_NAMESPACE"]
        for _, function in template.of("AWS::Lambda::Function")
    }
    return {
        (namespace, str(metric), frozenset(names))
        for namespace in namespaces
        for metric, definition in CATALOGUE.items()
        for names in definition.dimensions
    }
