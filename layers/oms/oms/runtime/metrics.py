"""The one catalogue of our metrics, and their emission as embedded metric format (EMF) log lines.

A metric is added where the thing happens and written by `flush` at the end of the invocation. Dimensions
never take a value from outside that has not been checked: each new value is a metric to pay for.
Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from enum import StrEnum

from oms.runtime import settings
from oms.values import frozen


class Metric(StrEnum):
    """Names of our metrics, as CloudWatch has them."""

    WEBHOOKS_ACCEPTED = "WebhooksAccepted"
    WEBHOOKS_REJECTED = "WebhooksRejected"
    ORDERS_PLACED = "OrdersPlaced"
    ORDERS_DUPLICATE = "OrdersDuplicate"
    ORDERS_CONFLICT = "OrdersConflict"
    ORDERS_HOT = "OrdersHot"
    ORDERS_REFUSED = "OrdersRefused"
    UNITS_ALLOCATED = "UnitsAllocated"
    UNITS_BACKORDERED = "UnitsBackordered"
    UNITS_OPEN = "UnitsOpen"
    UNITS_CANCELLED = "UnitsCancelled"
    UNITS_RECALLED = "UnitsRecalled"
    STOCK_SHORT = "StockShort"
    RESERVATIONS_EXPIRED = "ReservationsExpired"
    ORDERS_RELEASED = "OrdersReleased"
    UNITS_SERVED = "UnitsServed"
    FULFILLMENT_ORDERS_ACCEPTED = "FulfillmentOrdersAccepted"
    SHIPMENTS_SHIPPED = "ShipmentsShipped"
    SHIPMENTS_DELIVERED = "ShipmentsDelivered"
    RETURNS_RECEIVED = "ReturnsReceived"
    RETURNS_DISPOSED = "ReturnsDisposed"
    REFUNDS_DUE = "RefundsDue"
    REFUND_AMOUNT_DUE = "RefundAmountDue"
    EXCEPTIONS_OPENED = "ExceptionsOpened"
    BACKLOG_DUE = "BacklogDue"
    BACKLOG_COST_BEFORE = "BacklogCostBefore"
    BACKLOG_COST_AFTER = "BacklogCostAfter"
    BACKLOG_MOVES_LOST = "BacklogMovesLost"
    MOVEMENTS_RECORDED = "MovementsRecorded"
    POSITIONS_EMPTIED = "PositionsEmptied"
    POSITIONS_SHORT = "PositionsShort"
    EVENTS_PUBLISHED = "EventsPublished"
    EVENTS_FAILED = "EventsFailed"
    WEBHOOKS_SENT = "WebhooksSent"
    SUBSCRIBERS_DISABLED = "SubscribersDisabled"
    CHANNELS_UNAVAILABLE = "ChannelsUnavailable"
    STOCK_TOLD = "StockTold"
    RECORDS_FAILED = "RecordsFailed"


@frozen
class Definition:
    """What a metric means.

    Attributes:
        meaning: what one unit of it counts.
        dimensions: the sets of dimensions it is kept by; the empty set is its total.
        unit: CloudWatch's unit.
    """

    meaning: str
    dimensions: tuple[tuple[str, ...], ...] = ((),)
    unit: str = "Count"


_BY_CHANNEL = ((), ("channel",))

CATALOGUE: Mapping[Metric, Definition] = {
    Metric.WEBHOOKS_ACCEPTED: Definition("webhooks with a good signature, forwarded", _BY_CHANNEL),
    Metric.WEBHOOKS_REJECTED: Definition("webhooks refused, by problem code", ((), ("reason",))),
    Metric.ORDERS_PLACED: Definition("orders stored for the first time", _BY_CHANNEL),
    Metric.ORDERS_DUPLICATE: Definition("deliveries of an order that was there already", _BY_CHANNEL),
    Metric.ORDERS_CONFLICT: Definition("deliveries of a stored version with other content", _BY_CHANNEL),
    Metric.ORDERS_HOT: Definition("orders handed to the hot lane"),
    Metric.ORDERS_REFUSED: Definition("orders of the hot lane that can never be placed as they are"),
    Metric.UNITS_ALLOCATED: Definition("units promised to an order line at a position"),
    Metric.UNITS_BACKORDERED: Definition("units sold beyond what was available, within the limit"),
    Metric.UNITS_OPEN: Definition("units accepted without a source, beyond the limit"),
    Metric.UNITS_CANCELLED: Definition("units that will not be shipped"),
    Metric.UNITS_RECALLED: Definition("units that locations were asked not to ship"),
    Metric.STOCK_SHORT: Definition("reservations refused because a position had too few units left"),
    Metric.RESERVATIONS_EXPIRED: Definition("reservations cleared away by the clock after their time"),
    Metric.ORDERS_RELEASED: Definition("orders whose fulfillment orders were created"),
    Metric.UNITS_SERVED: Definition("units that waited and got a source"),
    Metric.FULFILLMENT_ORDERS_ACCEPTED: Definition("fulfillment orders that a location took on"),
    Metric.SHIPMENTS_SHIPPED: Definition("parcels handed to a carrier"),
    Metric.SHIPMENTS_DELIVERED: Definition("parcels delivered"),
    Metric.RETURNS_RECEIVED: Definition("returned units received"),
    Metric.RETURNS_DISPOSED: Definition("returned units disposed of, by outcome", ((), ("outcome",))),
    Metric.REFUNDS_DUE: Definition("refunds that have become due"),
    Metric.REFUND_AMOUNT_DUE: Definition("their amount in minor units", (("currency",),), "None"),
    Metric.EXCEPTIONS_OPENED: Definition("records that a person must resolve, by code", ((), ("code",))),
    Metric.BACKLOG_DUE: Definition("items due, one sample per stage, shard and minute", (("stage",),)),
    Metric.BACKLOG_COST_BEFORE: Definition("cost of plans before they were made again together", unit="None"),
    Metric.BACKLOG_COST_AFTER: Definition("cost of the same plans after that, minor units", unit="None"),
    Metric.BACKLOG_MOVES_LOST: Definition("better plans not carried out, as somebody else wrote first"),
    Metric.MOVEMENTS_RECORDED: Definition("writes of positions whose movement is kept"),
    Metric.POSITIONS_EMPTIED: Definition("positions that lost the last unit that nobody has a claim on"),
    Metric.POSITIONS_SHORT: Definition("positions that have promised more than is there"),
    Metric.EVENTS_PUBLISHED: Definition("public events taken by the bus"),
    Metric.EVENTS_FAILED: Definition("public events that the bus refused"),
    Metric.WEBHOOKS_SENT: Definition(
        "tries to deliver an event to a subscriber, by outcome", ((), ("outcome",))
    ),
    Metric.SUBSCRIBERS_DISABLED: Definition("subscribers that are sent nothing more: gone, or down for days"),
    Metric.CHANNELS_UNAVAILABLE: Definition("calls of a channel that were put off", _BY_CHANNEL),
    Metric.STOCK_TOLD: Definition("levels of stock that channels were told", _BY_CHANNEL),
    Metric.RECORDS_FAILED: Definition("queue or stream records that failed", ((), ("service",))),
}

_NAMES = {
    metric: frozenset(name for names in definition.dimensions for name in names)
    for metric, definition in CATALOGUE.items()
}
"""Every dimension that must be given with a value."""

_pending: defaultdict[tuple[tuple[str, str], ...], defaultdict[Metric, int]] = defaultdict(
    lambda: defaultdict(int)
)


def add(metric: Metric, value: int = 1, **dimensions: str) -> None:
    """Add to a metric of this invocation.

    Args:
        metric: which.
        value: how much, in the metric's unit; of 0 nothing is written.
        dimensions: a value for each dimension that the catalogue names for it.

    Raises:
        ValueError: the dimensions are not those of the catalogue.
    """
    if dimensions.keys() != _NAMES[metric]:
        raise ValueError(f"{metric} takes the dimensions {sorted(_NAMES[metric])}")
    if value:
        _pending[tuple(sorted(dimensions.items()))][metric] += value


def flush() -> None:
    """Write what was added since the last flush, one line for each combination of dimensions."""
    if not _pending:
        return
    namespace = settings.read(settings.Process).metrics_namespace
    timestamp = time.time_ns() // 1_000_000
    for dimensions, values in _pending.items():
        directives = [
            {
                "Namespace": namespace,
                "Dimensions": CATALOGUE[metric].dimensions,
                "Metrics": [{"Name": metric, "Unit": CATALOGUE[metric].unit}],
            }
            for metric in values
        ]
        line: dict[str, object] = {"_aws": {"Timestamp": timestamp, "CloudWatchMetrics": directives}}
        print(json.dumps(line | dict(dimensions) | values, separators=(",", ":")))
    _pending.clear()
