"""What use cases have done, as metrics: the same figures whichever function they run in."""

from oms.orders.judgement import Verdict
from oms.payments.refunds import Refund
from oms.returns.progress import Change
from oms.runtime import metrics
from oms.runtime.metrics import Metric
from oms.usecases.cancel_order import Cancelled
from oms.usecases.place_order import Result
from oms.usecases.record_fulfillment import Recorded

_BY_VERDICT = {
    Verdict.PLACED: Metric.ORDERS_PLACED,
    Verdict.DUPLICATE: Metric.ORDERS_DUPLICATE,
    Verdict.STALE: Metric.ORDERS_DUPLICATE,
    Verdict.CONFLICT: Metric.ORDERS_CONFLICT,
}


def count_order(result: Result) -> None:
    """Add what a command to place an order has done."""
    if result.verdict in _BY_VERDICT:
        metrics.add(_BY_VERDICT[result.verdict], channel=result.order.channel)
    if result.verdict is Verdict.PLACED:
        lines = result.order.lines
        metrics.add(Metric.UNITS_ALLOCATED, sum(line.allocated for line in lines))
        metrics.add(Metric.UNITS_BACKORDERED, sum(line.backordered for line in lines))
        metrics.add(Metric.UNITS_OPEN, sum(line.open for line in lines))
        metrics.add(Metric.STOCK_SHORT, result.refused)
    count_exceptions(result.opened)


def count_fulfillment(recorded: Recorded) -> None:
    """Add what a fulfillment fact has changed."""
    metrics.add(Metric.FULFILLMENT_ORDERS_ACCEPTED, int(recorded.accepted))
    metrics.add(Metric.SHIPMENTS_SHIPPED, recorded.shipped)
    metrics.add(Metric.SHIPMENTS_DELIVERED, recorded.delivered)
    metrics.add(Metric.UNITS_CANCELLED, recorded.cancelled)
    _count_refund(recorded.refund)
    count_exceptions(recorded.exceptions)


def count_cancellation(cancelled: Cancelled) -> None:
    """Add what a request to cancel has changed."""
    metrics.add(Metric.UNITS_CANCELLED, cancelled.cancelled)
    metrics.add(Metric.UNITS_RECALLED, cancelled.asked)
    _count_refund(cancelled.refund)
    count_exceptions(cancelled.exceptions)


def count_return(change: Change) -> None:
    """Add what a message about a return has changed."""
    metrics.add(Metric.RETURNS_RECEIVED, change.received)
    for outcome, units in change.disposed.items():
        metrics.add(Metric.RETURNS_DISPOSED, units, outcome=outcome)
    _count_refund(change.refund)
    count_exceptions(change.exceptions)


def _count_refund(refund: Refund | None) -> None:
    if refund:
        metrics.add(Metric.REFUNDS_DUE)
        metrics.add(Metric.REFUND_AMOUNT_DUE, refund.amount, currency=refund.currency)


def count_exceptions(codes: tuple[str, ...]) -> None:
    """Add exceptions that were opened."""
    for code in codes:
        metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
