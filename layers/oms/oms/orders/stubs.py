"""Stubs: what has been said of an order that is not there yet, kept until it comes."""

from datetime import datetime

from oms.orders.cancelling import CancelRequest, by_channel
from oms.orders.commands import CancelOrder, PlaceOrder
from oms.orders.identity import order_id
from oms.orders.placing import Placement
from oms.orders.records import PaymentRecorded, RefundRecorded
from oms.orders.replacing import outlives, replaced_by
from oms.payments.recording import with_payment, with_refund
from oms.values import frozen, replace

type Early = CancelOrder | PaymentRecorded | RefundRecorded
"""What may come before its order."""


@frozen
class Stub:
    """What was said of an order before it came, in that order, each once."""

    order_id: str
    commands: tuple[Early, ...] = ()

    def with_command(self, command: Early) -> "Stub":
        """This stub with one more command; the same one again changes nothing."""
        return self if command in self.commands else replace(self, commands=(*self.commands, command))


def recalled(command: PlaceOrder, stub: Stub) -> CancelRequest | None:
    """What the channel has cancelled of an order since that version, before it came; the latest says it."""
    name, replaced = order_id(command.channel, command.channel_order_id), replaced_by(command)
    cancelled = [
        early
        for early in stub.commands
        if isinstance(early, CancelOrder)
        and early.channel_version >= command.channel_version
        and not outlives(name, command.placed_at, replaced, early)
    ]
    return by_channel(max(cancelled, key=lambda early: early.channel_version)) if cancelled else None


def absorbed(placement: Placement, stub: Stub, now: datetime) -> Placement:
    """An order that takes the place of a stub: the money of which was told before has been recorded with it.

    Args:
        placement: the order, cancelled already if that was said.
        stub: what stands in its place.
        now: time of the write, UTC.
    """
    order = placement.order
    refunds = {placement.refund.id: placement.refund} if placement.refund else {}
    payments: dict[str, PaymentRecorded] = {}
    for early in stub.commands:
        if isinstance(early, PaymentRecorded):
            recorded = with_payment(order, payments, refunds.values(), early, now)
            payments |= {early.payment_id: early} if recorded else {}
        elif isinstance(early, RefundRecorded):
            recorded = with_refund(order, refunds, early, now)
        else:
            continue
        if recorded:
            order = recorded.order
            refunds |= {refund.id: refund for refund in recorded.refunds}
    return replace(
        placement,
        order=order,
        absorbed=len(stub.commands),
        refunds=tuple(refunds.values()),
        payments=tuple(payments.values()),
    )
