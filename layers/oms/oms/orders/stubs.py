"""Stubs: what channels have said of an order that is not there yet, kept until it comes."""

from dataclasses import dataclass, replace

from oms.orders.cancelling import CancelRequest, by_channel
from oms.orders.commands import CancelOrder, PlaceOrder

type Early = CancelOrder
"""What may come before its order."""


@dataclass(frozen=True, slots=True)
class Stub:
    """What was said of an order before it came, in that order, each once."""

    order_id: str
    commands: tuple[Early, ...] = ()

    def with_command(self, command: Early) -> "Stub":
        """This stub with one more command; the same one again changes nothing."""
        return self if command in self.commands else replace(self, commands=(*self.commands, command))


def recalled(command: PlaceOrder, stub: Stub) -> CancelRequest | None:
    """What the channel has cancelled of an order since that version, before it came; the latest says it."""
    cancelled = [
        early
        for early in stub.commands
        if isinstance(early, CancelOrder) and early.channel_version >= command.channel_version
    ]
    return by_channel(max(cancelled, key=lambda early: early.channel_version)) if cancelled else None
