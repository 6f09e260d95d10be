"""Judgement of an order that arrives again: by the channel's version first, then by its content."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import cast

from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import PlaceOrder
from oms.orders.identity import digest
from oms.orders.kits import parts_of
from oms.orders.model import Order
from oms.orders.placing import paid_amounts
from oms.orders.status import kept_total
from oms.payments.refunds import worth


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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a repeated command means: the order to write, the known one when there is nothing to write.

    `wish` is what it takes back besides; to cancel that belongs into the same write.
    """

    verdict: Verdict
    order: Order
    wish: CancelRequest | None = None


def judge(order: Order, command: PlaceOrder, now: datetime) -> Judgement:
    """What a repeated command means for the order that is there.

    A stale or repeated command changes nothing. The same version with other content is a conflict: an
    exception is opened once for that content, and the order stays as it is. A newer version is taken on with
    the payments that it reports and the units that it cancels; content that differs opens an exception. So
    does money given back for units that are kept: the order is held, and a person decides.
    """
    content = digest(command)
    difference = (command.channel_version > order.channel_version) - (
        command.channel_version < order.channel_version
    )
    if difference > 0 and command.channel_version < last_cancelled(order) and not command.cancelled:
        difference = -1  # it was made before the channel cancelled
    verdict = _VERDICTS[difference, content == order.digest]
    judged = order
    if verdict in _EXCEPTIONS:
        judged = judged.with_exception(_EXCEPTIONS[verdict], content.hex(), now)
    wish = None
    if difference > 0:
        judged = _paid(judged, command)
        wish = None if command.test else _taken_back(order, command)
        if not command.test and _refunded_more(order, judged, wish):
            holds = judged.holds if "manual" in judged.holds else (*judged.holds, "manual")
            judged = replace(judged, holds=holds).with_exception("channel_reduced", content.hex(), now)
        judged = replace(judged, channel_version=command.channel_version, digest=content)
    if judged is order:
        return Judgement(verdict, order)
    return Judgement(verdict, judged.written(now, str(verdict)), wish)


def last_cancelled(order: Order) -> str:
    """The version at which the order's channel has cancelled units of it; empty when it has not."""
    return max((str(entry.data.get("channel", "")) for entry in order.journal), default="")


def _paid(order: Order, command: PlaceOrder) -> Order:
    """The order with the amounts that a newer version reports; the payment hold ends when they cover it."""
    authorized, captured, refunded = paid_amounts(command)
    covered = authorized + captured - refunded >= order.total
    holds = tuple(hold for hold in order.holds if not (covered and hold == "payment"))
    return replace(order, authorized=authorized, captured=captured, refunded=refunded, holds=holds)


def _taken_back(order: Order, command: PlaceOrder) -> CancelRequest | None:
    """What a newer version cancels that no version before it has; None when that is nothing."""
    before = [entry.data["wish"] for entry in order.journal if "channel" in entry.data]
    wish = CancelRequest(CancelReason.OTHER, channel=command.channel_version)
    if command.cancelled or "all" in before:
        return None if "all" in before else wish
    wished: Counter[str] = Counter()
    for units in before:
        wished.update(cast(Mapping[str, int], units))
    more: dict[str, int] = {}
    for line, kept in zip(command.lines, order.lines, strict=False):
        # The share of the line that the channel has cancelled, in our smallest units.
        cancelled = int(Decimal(line.cancelled) * kept.ordered / (Decimal(line.quantity) or 1))
        for part, units in parts_of(order, kept, cancelled):
            known = max(part.cancelled, wished[part.line_id])
            if units > known:
                more[part.line_id] = units - known
    return replace(wish, units=more) if more else None


def _refunded_more(before: Order, after: Order, wish: CancelRequest | None) -> bool:
    """Whether money was given back for units that are neither cancelled nor sent back, and may yet go out."""
    waiting = any(line.open or line.backordered or line.entries for line in before.lines)
    if not waiting or (wish is not None and wish.units is None) or after.refunded <= before.refunded:
        return False
    cancelled = wish.units if wish is not None and wish.units else {}
    kept = kept_total(after) - sum(line.amount for line in worth(before, cancelled))
    return after.captured - after.refunded < min(kept, before.captured - before.refunded)
