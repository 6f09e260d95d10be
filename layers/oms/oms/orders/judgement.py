"""Judgement of an order that arrives again: by the channel's version first, then by its content."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from oms.inventory.model import Stock
from oms.orders.cancelling import CancelReason, CancelRequest
from oms.orders.commands import PlaceOrder
from oms.orders.editing import edit, fewer_units, is_unlike
from oms.orders.elsewhere import Left, leave, said_shipped
from oms.orders.holds import weighed
from oms.orders.identity import digest
from oms.orders.model import Order, OrderBody
from oms.orders.placing import paid_amounts
from oms.orders.privacy import is_erased, nobodys
from oms.values import frozen, replace


class Verdict(StrEnum):
    """What became of a command to place an order."""

    PLACED = "placed"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    REFRESHED = "refreshed"
    EDITED = "edited"
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


@frozen
class Judgement:
    """What a repeated command means: the order to write, the known one when there is nothing to write.

    `wish` is what it takes back besides, to be cancelled in the same write; `body` is to be written too when
    it is there. `left` says that units have left elsewhere, so that it claims less stock.
    """

    verdict: Verdict
    order: Order
    wish: CancelRequest | None = None
    body: OrderBody | None = None
    left: bool = False


def judged(order: Order, command: PlaceOrder) -> Verdict:
    """What a repeated command is to the order that is there."""
    difference = (command.channel_version > order.channel_version) - (
        command.channel_version < order.channel_version
    )
    if difference > 0 and command.channel_version < last_cancelled(order) and not command.cancelled:
        difference = -1  # it was made before the channel cancelled
    return _VERDICTS[difference, digest(command) == order.digest]


def judge(
    order: Order, body: OrderBody | None, command: PlaceOrder, stocks: Mapping[str, Stock], now: datetime
) -> Judgement:
    """What a repeated command means for the order that is there.

    A stale or repeated command changes nothing. The same version with other content is a conflict: an
    exception is opened once for that content, and the order stays as it is. A newer version is taken on with
    the payments that it reports and the units that it cancels, and other content is applied
    (`oms.orders.editing`); what cannot be applied opens an exception and holds the order. So does money given
    back for units that are kept. What was erased of a person stays so.

    Args:
        order: the header.
        body: its body; only a newer version needs it.
        command: the order as it has arrived again.
        stocks: of every sku of the command, as stored; only a newer version with other content needs them.
        now: time of the write, UTC.
    """
    content = digest(command)
    verdict = judged(order, command)
    if verdict is Verdict.CONFLICT:
        opened = order.with_exception("channel_conflict", content.hex(), now)
        return Judgement(verdict, order if opened is order else opened.written(now, str(verdict)))
    if verdict not in (Verdict.REFRESHED, Verdict.EDIT_RECEIVED):
        return Judgement(verdict, order)
    taken = replace(_paid(order, command), channel_version=command.channel_version, digest=content)
    if command.test:
        return Judgement(Verdict.REFRESHED, taken.written(now, str(Verdict.REFRESHED)))
    if is_erased(order):
        command = nobodys(command)
    assert body is not None, "a newer version is judged with the body"
    wish = _wish(order, command, fewer_units(order, body, command))
    if command.cancelled or (verdict is Verdict.REFRESHED and not is_unlike(order, body, command)):
        refreshed = weighed(order, taken, now)
        left = leave(refreshed, said_shipped(refreshed, body, command), now)
        written = _written(left, now, [str(Verdict.REFRESHED)], {})
        return Judgement(Verdict.REFRESHED, written, wish, left=bool(left.units))
    edited = edit(taken, body, command, stocks, now)
    wish = _wish(order, command, edited.fewer)
    verdict, kinds = Verdict.EDIT_RECEIVED, ["edited"]
    result = weighed(order, edited.order, now)
    if edited.left:
        kinds.append("edit_received")
        result = result.with_exception("channel_edit", content.hex(), now)
    else:
        verdict = Verdict.EDITED
        opened_before = tuple(known for known in result.exceptions if known.code != "channel_edit")
        result = replace(result, exceptions=opened_before)
    data: dict[str, object] = {"added": list(edited.added), "changed": list(edited.changed)}
    data |= {"total": result.total, "left": list(edited.left)}
    data |= {"lines_before": len(order.lines), "total_before": order.total}
    left = leave(result, said_shipped(result, edited.body, command), now)
    return Judgement(verdict, _written(left, now, kinds, data), wish, edited.body, bool(left.units))


def _written(left: Left, now: datetime, kinds: list[str], data: dict[str, object]) -> Order:
    """The order written; units that have left elsewhere are in no parcel that we know of."""
    if not left.units:
        return left.order.written(now, *kinds, data=data)
    return left.order.written(now, *kinds, "shipped", data=data | {"shipments": []})


def last_cancelled(order: Order) -> str:
    """The version at which the order's channel has cancelled units of it; empty when it has not."""
    return max((str(entry.data.get("channel", "")) for entry in order.journal), default="")


def _paid(order: Order, command: PlaceOrder) -> Order:
    """The order with the amounts that a newer version reports.

    A version may be older than what has been recorded of the payments meanwhile: the larger sum counts.
    """
    authorized, told, refunded = paid_amounts(command)
    captured, refunded = max(order.captured, told), max(order.refunded, refunded)
    authorized = max(0, authorized - (captured - told))
    return replace(order, authorized=authorized, captured=captured, refunded=refunded)


def _wish(order: Order, command: PlaceOrder, units: Mapping[str, int]) -> CancelRequest | None:
    """What a newer version cancels that no version before it has; None when that is nothing."""
    if any(entry.data.get("wish") == "all" for entry in order.journal):
        return None
    wish = CancelRequest(CancelReason.OTHER, channel=command.channel_version)
    if command.cancelled:
        return wish
    return replace(wish, units=units) if units else None
