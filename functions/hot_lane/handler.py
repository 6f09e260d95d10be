"""Hot lane: places orders of hot skus, many in a transaction. Trigger: SQS FIFO `hot-lane`, group = sku."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from oms.channels.envelope import unseal
from oms.channels.payload import loads
from oms.channels.registry import adapter
from oms.events.messages import Message
from oms.events.publish import Queue
from oms.orders.commands import PlaceOrder
from oms.problems import Code, Problem
from oms.runtime import batch, clients, logger, metrics, settings
from oms.runtime.metrics import Metric
from oms.store import process
from oms.usecases.figures import count_order
from oms.usecases.place_orders import Refused, place_orders


@logger.invocation("hot_lane")
def handler(event: dict[str, Any], context: object) -> batch.Failures:
    """Place all orders of a sku together; when that fails, all its messages come again."""
    groups: dict[str, list[batch.Record]] = {}
    for record in event["Records"]:
        groups.setdefault(record["attributes"]["MessageGroupId"], []).append(record)

    def handle(record: batch.Record) -> None:
        group = record["attributes"]["MessageGroupId"]
        if group in groups:  # the first of a group brings the others along
            _place(group, groups.pop(group))

    return batch.fifo(event, handle)


def _place(group: str, records: Sequence[batch.Record]) -> None:
    deliveries: list[str] = []
    commands: list[PlaceOrder] = []
    for sealed in (sealed for record in records for sealed in _deliveries(record)):
        try:
            commands.append(_order(sealed))
        except Exception as error:  # whatever is wrong with it, the others are placed
            _give_up(group, sealed, error)
        else:
            deliveries.append(sealed)
    network = process.network(*(command.channel for command in commands))
    outcomes = place_orders(process.table(), network, commands, datetime.now(UTC))
    for number, outcome in outcomes:
        if isinstance(outcome, Refused):
            _give_up(group, deliveries[number], outcome.error)
        else:
            count_order(outcome)
    logger.note(orders=len(commands))


def _deliveries(record: batch.Record) -> list[str]:
    """The deliveries in a message; what is no list of them is taken for one, which nobody can open."""
    try:
        listed = loads(record["body"].encode())
    except Problem:
        return [record["body"]]
    sealed = listed.get("deliveries") if isinstance(listed, dict) else None
    return [str(each) for each in sealed] if isinstance(sealed, list) else [record["body"]]


def _order(sealed: str) -> PlaceOrder:
    delivery = unseal(sealed)
    command, *others = adapter(delivery.adapter).parse(delivery)
    if others or not isinstance(command, PlaceOrder):
        raise Problem(Code.UNSUPPORTED, "the hot lane takes single orders alone", "command")
    return command


def _give_up(group: str, sealed: str, error: Exception) -> None:
    """Put one delivery aside at once: to fail its message would make all orders after it wait.

    Raises:
        NotTakenError: the dead-letter queue did not take it.
    """
    logger.log.error("order refused", extra={"error": logger.describe(error)})
    metrics.add(Metric.ORDERS_REFUSED)
    name = hashlib.sha256(sealed.encode()).hexdigest()
    dead_letters = Queue(clients.sqs(), settings.read(settings.HotLane).hot_lane_dead_letters_url)
    dead_letters.send([Message({"deliveries": [sealed]}, logger.correlation_id(), group=group, id=name)])
