"""Judgement of an order that arrives again: by the channel's version first, then by its content."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from oms.orders.commands import PlaceOrder
from oms.orders.identity import digest
from oms.orders.model import Order
from oms.orders.placing import paid_amounts


class Verdict(StrEnum):
    """What became of a command to place an order."""

    PLACED = "placed"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    REFRESHED = "refreshed"
    EDIT_RECEIVED = "edit_received"


_VERDICTS: dict[tuple[int, bool], Verdict] = {
    (-1, True): Verdict.STALE,
    (-1, False): Verdict.STALE,
    (0, True): Verdict.DUPLICATE,
    (0, False): Verdict.CONFLICT,
    (1, True): Verdict.REFRESHED,
    (1, False): Verdict.EDIT_RECEIVED,
}
"""By how the version compares with ours (-1 older, 0 equal, 1 newer) and whether the content is equal."""

_EXCEPTIONS = {Verdict.CONFLICT: "channel_conflict", Verdict.EDIT_RECEIVED: "channel_edit"}


def judge(order: Order, command: PlaceOrder, now: datetime) -> tuple[Verdict, Order]:
    """What a repeated command means for the order that is there.

    A stale or repeated command changes nothing. The same version with other content is a conflict: an
    exception is opened once for that content, and the order stays as it is. A newer version is taken on with
    the payments that it reports; content that differs opens an exception.

    Returns:
        The verdict, and the order to write; the same object when there is nothing to write.
    """
    content = digest(command)
    difference = (command.channel_version > order.channel_version) - (
        command.channel_version < order.channel_version
    )
    verdict = _VERDICTS[difference, content == order.digest]
    judged = order
    if verdict in _EXCEPTIONS:
        judged = judged.with_exception(_EXCEPTIONS[verdict], content.hex(), now)
    if difference > 0:
        judged = replace(_paid(judged, command), channel_version=command.channel_version, digest=content)
    return verdict, judged if judged is order else judged.written(now, str(verdict))


def _paid(order: Order, command: PlaceOrder) -> Order:
    """The order with the amounts that a newer version reports; the payment hold ends when they cover it."""
    authorized, captured = paid_amounts(command)
    covered = authorized + captured >= order.total
    holds = tuple(hold for hold in order.holds if not (covered and hold == "payment"))
    return replace(order, authorized=authorized, captured=captured, holds=holds)
