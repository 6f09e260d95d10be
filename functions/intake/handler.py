"""Intake: turns what channels have sent into orders. Trigger: SQS `inbound`."""

from datetime import UTC, datetime
from typing import Any

from oms.channels.envelope import unseal
from oms.channels.protocol import Command
from oms.channels.registry import adapter
from oms.orders.commands import Ignore, PlaceOrder
from oms.orders.judgement import Verdict
from oms.problems import Code, Problem
from oms.runtime import batch, logger, metrics
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.place_order import Result, place_order

_BY_VERDICT = {
    Verdict.PLACED: Metric.ORDERS_PLACED,
    Verdict.DUPLICATE: Metric.ORDERS_DUPLICATE,
    Verdict.STALE: Metric.ORDERS_DUPLICATE,
    Verdict.CONFLICT: Metric.ORDERS_CONFLICT,
}


@logger.invocation("intake")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Execute the commands that the deliveries mean."""
    return batch.queue(event, _handle)


def _handle(record: batch.Record) -> None:
    delivery = unseal(record["body"])
    for command in adapter(delivery.adapter).parse(delivery):
        _execute(command)


def _execute(command: Command) -> None:
    """Execute one command; one that nothing here acts on goes to the dead-letter queue, so that it is kept.

    Raises:
        Problem: `unsupported`, or what the use case refuses.
    """
    match command:
        case PlaceOrder():
            _count(place_order(process.table(), process.network(), command, datetime.now(UTC)))
        case Ignore():
            logger.note(ignored=command.reason)
        case _:
            raise Problem(Code.UNSUPPORTED, f"nothing acts on {command.command} yet", "command")


def _count(result: Result) -> None:
    order = result.order
    if result.verdict in _BY_VERDICT:
        metrics.add(_BY_VERDICT[result.verdict], channel=order.channel)
    if result.verdict is Verdict.PLACED:
        units = {
            Metric.UNITS_ALLOCATED: sum(line.allocated for line in order.lines),
            Metric.UNITS_BACKORDERED: sum(line.backordered for line in order.lines),
            Metric.UNITS_OPEN: sum(line.open for line in order.lines),
            Metric.STOCK_SHORT: result.refused,
        }
        for metric, value in units.items():
            if value:
                metrics.add(metric, value)
    for code in result.opened:
        metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
    logger.note(order_id=order.order_id, verdict=str(result.verdict))
