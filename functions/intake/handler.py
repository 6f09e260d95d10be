"""Intake: turns what channels have sent into orders. Trigger: SQS `inbound`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from oms.channels.envelope import unseal
from oms.channels.protocol import Command
from oms.channels.registry import adapter
from oms.events.messages import LANE_BYTES, HotOrder, to_hot_lane
from oms.events.publish import NotTakenError, Queue
from oms.orders.commands import CancelOrder, Fetch, Ignore, PlaceOrder
from oms.orders.records import (
    FulfillmentOrderRecorded,
    FulfillmentRecorded,
    ListingRecorded,
    PaymentRecorded,
    PrivacyRequested,
    RefundRecorded,
    ReturnRecorded,
    StockRecorded,
    TrackingRecorded,
)
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.store.table import Table
from oms.usecases.announce_return import announce_return
from oms.usecases.cancel_order import cancel_by_channel
from oms.usecases.fetch_resource import to_fetch
from oms.usecases.figures import count_cancellation, count_order
from oms.usecases.heat import Heat, Hot
from oms.usecases.honour_privacy import honour_privacy
from oms.usecases.place_order import place_order
from oms.usecases.record_elsewhere import record_elsewhere
from oms.usecases.record_listing import record_listing, source_listed
from oms.usecases.record_money import linked, record_money
from oms.usecases.record_tracking import record_tracking

_IGNORED: Mapping[type, str] = {
    StockRecorded: "our own counts say what is there; channels are told",
    FulfillmentOrderRecorded: "a channel's plan is read when it is told of a parcel",
}
"""What channels tell of and nothing acts on, and why."""


@logger.invocation("intake")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Execute the commands that the deliveries mean; orders of hot skus go on to the hot lane, together."""
    heat = Heat()
    table = Table(process.table().client, process.table().name, on_conflict=heat.met)
    hot: list[tuple[batch.Record, HotOrder]] = []

    def handle(record: batch.Record) -> None:
        delivery = unseal(record["body"])
        commands = adapter(delivery.adapter).parse(delivery)
        for command in commands:
            if isinstance(command, PlaceOrder):
                # The lane takes deliveries, so only one that is an order and nothing else can go there.
                alone = len(commands) == 1 and len(record["body"]) <= LANE_BYTES and not command.replaces
                try:
                    _place(table, command, heat if alone else None)
                except Hot as found:
                    hot.append((record, HotOrder(found.sku, command, record["body"])))
            else:
                _execute(table, command)

    failures = batch.queue(event, handle)
    heat.mark(process.table(), datetime.now(UTC))
    if hot:
        failures["batchItemFailures"] += _hand_on(hot)["batchItemFailures"]
    return failures


def _place(table: Table, command: PlaceOrder, heat: Heat | None) -> None:
    result = place_order(table, process.network(command.channel), command, datetime.now(UTC), heat)
    count_order(result)
    logger.note(order_id=result.order.order_id, verdict=str(result.verdict))


def _execute(table: Table, command: Command) -> None:
    """Execute any other command; what its use case refuses goes to the dead-letter queue, so that it is kept.

    Raises:
        Problem: it is refused.
    """
    match command:
        case Ignore():
            logger.note(ignored=command.reason)
        case Fetch():
            # Nobody knows how long a channel takes to answer: that is for who calls servers.
            _publish().send([to_fetch(command)])
            logger.note(fetch=command.resource)
        case ListingRecorded():
            listing = record_listing(table, process.network(), _publish(), command)
            logger.note(listing=listing.item_id if listing else None)
            if command.listing_id:
                named, now = command.listing_id, datetime.now(UTC)
                logger.note(waited=source_listed(table, process.network(), command.channel, named, now))
        case CancelOrder():
            cancelled = cancel_by_channel(table, process.network(), command, datetime.now(UTC))
            logger.note(cancelled=cancelled.cancelled if cancelled else "when it comes")
            if cancelled:
                count_cancellation(cancelled)
        case PaymentRecorded() | RefundRecorded():
            paid = record_money(table, linked(command, process.network()), datetime.now(UTC))
            logger.note(order_id=paid.order_id if paid else None)
        case ReturnRecorded():
            returned = announce_return(table, process.network(), command, datetime.now(UTC))
            logger.note(announced=returned.public_id if returned else None)
        case FulfillmentRecorded():
            left = record_elsewhere(table, process.network(), command, datetime.now(UTC))
            logger.note(order_id=left.order.order_id if left else None, shipped=left.shipped if left else 0)
            for code in left.exceptions if left else ():
                metrics.add(Metric.EXCEPTIONS_OPENED, code=code)
        case PrivacyRequested():
            asked = honour_privacy(table, command, datetime.now(UTC))
            logger.note(privacy=asked.id, asked=str(asked.kind), orders=len(asked.orders))
        case StockRecorded() | FulfillmentOrderRecorded():
            logger.note(ignored=_IGNORED[type(command)])
        case TrackingRecorded():
            parcels = record_tracking(table, command, datetime.now(UTC))
            logger.note(shipments=" ".join(parcels))
        case PlaceOrder():
            raise AssertionError("orders are placed, not executed")


def _publish() -> Queue:
    return Queue(clients.sqs(), settings.read(settings.Intake).publish_queue_url)


def _hand_on(hot: Sequence[tuple[batch.Record, HotOrder]]) -> batch.Failures:
    """Hand orders to the hot lane; all fail when one is not taken, as to hand one on twice is harmless."""
    failure: NotTakenError | None = None
    try:
        queue = Queue(clients.sqs(), settings.read(settings.Intake).hot_lane_queue_url)
        queue.send(list(to_hot_lane([order for _, order in hot])))
        metrics.add(Metric.ORDERS_HOT, len(hot))
        logger.note(hot=len(hot))
    except NotTakenError as error:
        failure = error

    def confirm(record: batch.Record) -> None:
        if failure:
            raise failure

    return batch.queue({"Records": [record for record, _ in hot]}, confirm)
