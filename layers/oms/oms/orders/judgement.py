"""Judgement of an order that arrives again: by the channel's version first, then by its content."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
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
    the payments that it reports; content that differs opens an exception, and so does one that cancels,
    reduces or refunds the order, which holds it too.

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
        judged = _taken_back(_paid(judged, command), command, content.hex(), now)
        judged = replace(judged, channel_version=command.channel_version, digest=content)
    return verdict, judged if judged is order else judged.written(now, str(verdict))


def _paid(order: Order, command: PlaceOrder) -> Order:
    """The order with the amounts that a newer version reports; the payment hold ends when they cover it."""
    authorized, captured, refunded = paid_amounts(command)
    covered = authorized + captured - refunded >= order.total
    holds = tuple(hold for hold in order.holds if not (covered and hold == "payment"))
    return replace(order, authorized=authorized, captured=captured, refunded=refunded, holds=holds)


def _taken_back(order: Order, command: PlaceOrder, ref: str, now: datetime) -> Order:
    """The order held, under an exception, when a newer version takes back what was ordered or paid.

    Nothing that is not with a location yet may go there; what to do about the rest a person decides.
    """
    refunded = any(line.refunded for line in command.lines) or order.refunded > 0
    fewer = any(
        line.cancelled * kept.ordered > kept.cancelled * Decimal(line.quantity)
        for line, kept in zip(command.lines, order.lines, strict=False)
    )
    if not (command.cancelled or refunded or fewer) or command.test:
        return order
    code = "channel_cancelled" if command.cancelled else "channel_reduced"
    holds = order.holds if "manual" in order.holds else (*order.holds, "manual")
    return replace(order, holds=holds).with_exception(code, ref, now)
