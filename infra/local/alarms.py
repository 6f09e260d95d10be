"""Alarms of the local stack, evaluated as CloudWatch does.

MiniStack compares every metric of an alarm's name with its threshold, whatever the dimensions: one busy queue
would raise the alarms of all dead-letter queues. Metric math is left out.
"""

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StateValueType
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}


def evaluate(cloudwatch: "CloudWatchClient", now: datetime) -> None:
    """Set the state of every alarm on one metric by its metric's points up to `now` (aware)."""
    for page in cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"]):
        for alarm in page["MetricAlarms"]:
            if "Statistic" not in alarm:
                continue
            state = alarm_state(alarm, _points(cloudwatch, alarm, now))
            if state != alarm["StateValue"]:
                cloudwatch.set_alarm_state(
                    AlarmName=alarm["AlarmName"], StateValue=state, StateReason="Points of its own metric"
                )


def _points(cloudwatch: "CloudWatchClient", alarm: "MetricAlarmTypeDef", now: datetime) -> list[float]:
    """The statistic of each period that the alarm looks at, periods without data left out."""
    period = alarm["Period"]
    begin = datetime.fromtimestamp(now.timestamp() // period * period, UTC)
    statistic = alarm["Statistic"]
    answer = cloudwatch.get_metric_statistics(
        Namespace=alarm["Namespace"],
        MetricName=alarm["MetricName"],
        Dimensions=alarm["Dimensions"],
        Period=period,
        StartTime=begin - timedelta(seconds=period * (alarm["EvaluationPeriods"] - 1)),
        EndTime=now,
        Statistics=[statistic],
    )
    return [point[statistic] for point in answer["Datapoints"]]


def alarm_state(alarm: "MetricAlarmTypeDef", points: list[float]) -> "StateValueType":
    """The state by the values of the periods with data; what missing ones mean is the alarm's to say.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
    """
    periods = alarm["EvaluationPeriods"]
    compare = COMPARISONS[alarm["ComparisonOperator"]]
    missing = alarm.get("TreatMissingData", "missing")
    breaching = sum(compare(point, alarm["Threshold"]) for point in points)
    if missing == "breaching":
        breaching += periods - len(points)
    if breaching >= alarm.get("DatapointsToAlarm", periods):
        return "ALARM"
    if points or missing in {"breaching", "notBreaching"}:
        return "OK"
    return alarm["StateValue"] if missing == "ignore" else "INSUFFICIENT_DATA"
