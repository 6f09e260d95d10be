"""Interception: what is on its way to a customer who does not want it any more is to come back."""

from datetime import datetime

from oms.orders.commands import FulfilledBy, LineKind
from oms.returns.events import RequestedUnits, ReturnRequest
from oms.returns.progress import Change, Known, request


def intercept(known: Known, reference: str, now: datetime) -> Change | None:
    """Announce the return of goods of ours that have left and not arrived; None when there are none.

    Args:
        known: the order with its returns and refunds.
        reference: names the interception; the same one again changes nothing.
        now: time of the write, UTC.
    """
    lines = []
    for line in known.order.lines:
        claims = (
            claim.claimed
            for back in known.returns.values()
            for claim in back.lines
            if claim.line_id == line.line_id and back.reference != reference
        )
        units = line.shipped - line.delivered - sum(claims)
        ours = line.kind is LineKind.PHYSICAL and line.fulfilled_by is not FulfilledBy.CHANNEL
        if ours and units > 0:
            lines.append(RequestedUnits(line.line_id, units, "intercepted"))
    if not lines or any(back.reference == reference for back in known.returns.values()):
        return None
    message = ReturnRequest(reference, now, known.order.order_id, reference, tuple(lines))
    return request(known, message, now)
