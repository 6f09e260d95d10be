"""Stubs: what channels have said of an order that is not there yet, kept until it comes."""

from dataclasses import dataclass, replace

from oms.orders.commands import CancelOrder, PlaceOrder
from oms.orders.placing import Placement

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


def as_stubbed(command: PlaceOrder, stub: Stub) -> PlaceOrder:
    """The order as it is to be placed: cancelled when its channel has cancelled it since that version."""
    cancelled = any(
        isinstance(early, CancelOrder) and early.channel_version >= command.channel_version
        for early in stub.commands
    )
    return replace(command, cancelled=True) if cancelled else command


def absorbing(placement: Placement, stub: Stub) -> Placement:
    """The placement of an order over its stub; the journal keeps what the channel had said before."""
    versions = [early.channel_version for early in stub.commands if isinstance(early, CancelOrder)]
    order = placement.order
    if versions and max(versions) >= order.channel_version:
        *earlier, last = order.journal
        last = replace(last, data={**last.data, "channel": max(versions), "wish": "all"})
        order = replace(order, journal=(*earlier, last))
    return replace(placement, order=order, absorbed=len(stub.commands))
