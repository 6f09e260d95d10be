"""Push events: what an event of an order means for its channel. What is told is found when it is told."""

from collections.abc import Mapping

from oms.events.messages import Message

_TASKS = {
    "shipment.shipped": ("push_parcel", "shipment"),
    "order.cancelled": ("push_cancel", None),
    "refund.due": ("push_refund", "refund"),
}
"""The task that follows from an event, and what its message calls the part of the order that it is of."""


def to_channel(event: Mapping[str, object]) -> list[Message]:
    """What follows for the channel from an event (a CloudEvents document): at most one message."""
    task, part = _TASKS.get(str(event["type"]), (None, None))
    if task is None:
        return []
    order_id = str(event["correlationid"])
    document: dict[str, object] = {"task": task, "order_id": order_id}
    if part is not None:
        document[part] = str(event["subject"]).removeprefix(f"{order_id}-")
    return [Message(document, order_id)]
