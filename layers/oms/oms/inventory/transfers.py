"""Transfers: stock moved between locations in two steps, with what may differ on the way.

A transfer that is ready claims its units at the source, so that they are not sold meanwhile: they count as
allocated there. Dispatched, they are nowhere but in the incoming supply of the target. Units that belong to
an order stay in one of its entries all the way, so they are free at no moment.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from oms.inventory.model import Block, Delta, Deltas, DemandChange, Position, Supply, SupplyKind, add
from oms.inventory.movements import Redated
from oms.orders.claims import reclaimed
from oms.orders.journal import Journaled
from oms.orders.model import Order
from oms.orders.transferring import arrive, depart, lose, put_back, set_aside
from oms.problems import Code, Problem
from oms.values import frozen, replace


class TransferState(StrEnum):
    """Where a transfer stands."""

    DRAFT = "draft"
    READY = "ready"
    IN_TRANSIT = "in_transit"
    PARTIALLY_RECEIVED = "partially_received"
    RECEIVED = "received"
    CLOSED_SHORT = "closed_short"
    CANCELLED = "cancelled"


class TransferCommand(StrEnum):
    """What may be done to a transfer."""

    CHANGE = "change"
    READY = "ready"
    DISPATCH = "dispatch"
    RECEIVE = "receive"
    CLOSE = "close"
    CANCEL = "cancel"


_ON_THE_WAY = (TransferState.IN_TRANSIT, TransferState.PARTIALLY_RECEIVED)

ALLOWED: Mapping[TransferCommand, tuple[TransferState, ...]] = {
    TransferCommand.CHANGE: (TransferState.DRAFT,),
    TransferCommand.READY: (TransferState.DRAFT,),
    TransferCommand.DISPATCH: (TransferState.READY,),
    TransferCommand.RECEIVE: tuple(state for state in TransferState if state is not TransferState.DRAFT),
    TransferCommand.CLOSE: _ON_THE_WAY,
    TransferCommand.CANCEL: (TransferState.DRAFT, TransferState.READY, TransferState.IN_TRANSIT),
}
"""The states in which each command is carried out; in the others it is refused.

Units that come in are a fact: in whatever state they find a transfer that has claimed them.
"""

ENDED = frozenset({TransferState.RECEIVED, TransferState.CLOSED_SHORT, TransferState.CANCELLED})
"""States in which nothing more is expected of a transfer."""


class Fate(StrEnum):
    """What becomes of the units of a transfer that is cancelled: back to their shelf, or gone."""

    PUT_BACK = "put_back"
    WRITE_OFF = "write_off"


@frozen
class OrderLineName:
    """The line of an order that units belong to."""

    order_id: str
    line_id: str


@frozen
class TransferLine:
    """Units of a sku in a transfer, of one order line when they belong to an order.

    Of the `units` planned `sent` have left; of these `received` have come in (`damaged` of them), more than
    were sent when nobody can tell why, and `given_up` are not expected any more.
    """

    line_id: str
    sku: str
    units: int
    order: OrderLineName | None = None
    sent: int = 0
    received: int = 0
    damaged: int = 0
    given_up: int = 0

    @property
    def outstanding(self) -> int:
        """Units on the way."""
        return max(0, self.sent - self.received - self.given_up)


@frozen
class Transfer(Journaled):
    """Stock on its way from one location to another, `due` there at a time (UTC)."""

    id: str
    source: str
    target: str
    due: datetime
    lines: tuple[TransferLine, ...]
    state: TransferState = TransferState.DRAFT

    @property
    def plan(self) -> tuple[object, ...]:
        """What was planned, whatever has come of it since."""
        lines = [(line.line_id, line.sku, line.units, line.order) for line in self.lines]
        return self.source, self.target, self.due, lines

    @property
    def supply_id(self) -> str:
        """Id of the incoming supply that it makes at its target; no purchase order's can be like it."""
        return f"transfer:{self.id}"

    @property
    def skus(self) -> set[str]:
        """Everything in it."""
        return {line.sku for line in self.lines}

    @property
    def left_by(self) -> datetime | None:
        """When units of it came in that nobody has said have left (UTC); None when somebody has said so."""
        for entry in reversed(self.journal):
            if "dispatched" in entry.kinds and entry.data.get("inferred"):
                return datetime.fromisoformat(str(entry.data["occurred_at"]))
            if "dispatched" in entry.kinds or "dated" in entry.kinds:
                return None
        return None

    @property
    def order_ids(self) -> set[str]:
        """The orders that units in it belong to."""
        return {line.order.order_id for line in self.lines if line.order}


@frozen
class Arrived:
    """Units of a line that have come in, `damaged` of them."""

    line_id: str
    units: int
    damaged: int = 0


@frozen
class Known:
    """A transfer with all that it touches, as seen now.

    `orders` are by id, `supplies` by sku, `positions` by sku and location, at both ends.
    """

    transfer: Transfer
    orders: Mapping[str, Order] = field(default_factory=dict)
    supplies: Mapping[str, Supply] = field(default_factory=dict)
    positions: Mapping[tuple[str, str], Position] = field(default_factory=dict)


@frozen
class Change:
    """What a command writes in one transaction; `orders` and `supplies` are those that change.

    `redated` is what of earlier movements happened when the command says, by sku and location.
    """

    transfer: Transfer
    orders: Mapping[str, Order] = field(default_factory=dict)
    supplies: Mapping[str, Supply] = field(default_factory=dict)
    deltas: Deltas = field(default_factory=dict)
    demands: tuple[DemandChange, ...] = ()
    redated: Mapping[tuple[str, str], Redated] = field(default_factory=dict)


def claimed(transfer: Transfer) -> Counter[tuple[str, str]]:
    """Units that the position at the source counts as allocated for a transfer, by sku and location.

    Those that belong to an order are claimed by the order.
    """
    claims: Counter[tuple[str, str]] = Counter()
    if transfer.state is TransferState.READY:
        for line in transfer.lines:
            if line.order is None:
                claims[line.sku, transfer.source] += line.units
    return claims


def make_ready(known: Known, now: datetime) -> Change:
    """Claim the units of a transfer at its source.

    Raises:
        Problem: `state_refused`, in another state than draft, or when fewer units are uncommitted there, or
            allocated there to the order line that they belong to; `not_found`, for an order.
    """
    transfer = _allowed(known.transfer, TransferCommand.READY)
    for sku in sorted(transfer.skus):
        wanted = sum(line.units for line in transfer.lines if line.sku == sku and line.order is None)
        left = max(0, known.positions[sku, transfer.source].uncommitted)
        if wanted > left:
            detail = f"of {sku} {left} units are uncommitted at {transfer.source}, not {wanted}"
            raise Problem(Code.STATE_REFUSED, detail, "lines", str(transfer.state))
    orders = dict(known.orders)
    for line in transfer.lines:
        if line.order:
            name = line.order.order_id
            if name not in orders:
                raise Problem(Code.NOT_FOUND, f"order {name} is not there", "lines")
            orders[name] = set_aside(orders[name], line.order.line_id, line.sku, transfer.source, line.units)
    return _change(known, replace(transfer, state=TransferState.READY).written(now, "ready"), now, orders)


def dispatch(known: Known, units: Mapping[str, int] | None, at: datetime, now: datetime) -> Change:
    """Send a transfer off: on hand falls at the source, and supply is due at the target.

    Of one whose units have come in already, so that all of them seemed to have left by then, it says what
    really left, and when: what was counted at the source in between is set right.

    Args:
        known: the transfer, ready, or received before anybody said that it was sent.
        units: that leave, by line; the rest of the plan stays on its shelf. None: everything leaves.
        at: when they left, UTC; a count of the source since has missed them already.
        now: time of the write, UTC.

    Raises:
        Problem: `state_refused`, in another state than ready; `field_invalid`, for a line that it does not
            have, more units than planned, or none at all.
    """
    left_by = known.transfer.left_by
    if left_by is not None:
        return _date(known, units, at, left_by, now)
    transfer = _allowed(known.transfer, TransferCommand.DISPATCH)
    return _send(known, _units_sent(transfer, units), at, now)


def _send(
    known: Known, sent: Mapping[str, int], at: datetime, now: datetime, *, inferred: bool = False
) -> Change:
    transfer = known.transfer
    moved: Deltas = {}
    orders = dict(known.orders)
    for line in transfer.lines:
        leaving = sent[line.line_id]
        add(moved, line.sku, transfer.source, Delta(on_hand=-leaving))
        if line.order:
            order, name = orders[line.order.order_id], line.order.line_id
            gone = depart(order, name, transfer.source, transfer.target, transfer.supply_id, leaving)
            staying = line.units - leaving
            orders[order.order_id] = put_back(gone, name, transfer.source, "", staying)
    lines = tuple(replace(line, sent=sent[line.line_id]) for line in transfer.lines)
    sent_off = replace(transfer, state=TransferState.IN_TRANSIT, lines=lines)
    supplies = {sku: _supply(sent_off, sku) for sku in transfer.skus}
    data = {"sent": sent, "occurred_at": at.isoformat()} | ({"inferred": True} if inferred else {})
    change = _change(
        known,
        sent_off.written(now, "dispatched", data=data),
        now,
        orders,
        {sku: supply for sku, supply in supplies.items() if supply.expected},
        moved,
    )
    return _unseen(known, change, at)


def _date(
    known: Known, units: Mapping[str, int] | None, at: datetime, left_by: datetime, now: datetime
) -> Change:
    """Correct a dispatch that was inferred: everything, as it came in (`left_by`).

    What has not left is on its shelf all the time. Units of an order among it are there for the order again,
    unless they have come in, or were given up, all the same.
    """
    transfer = known.transfer
    sent = _units_sent(transfer, units)
    at = min(at, left_by)  # the clocks of two locations are not the same
    moved: Deltas = {}
    seemed: Deltas = {}
    orders = dict(known.orders)
    fewer: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    lines: list[TransferLine] = []
    for line in transfer.lines:
        add(seemed, line.sku, transfer.source, Delta(on_hand=-line.units, allocated=-line.units))
        staying = line.units - sent[line.line_id]
        add(moved, line.sku, transfer.source, Delta(on_hand=staying))
        fewer[line.sku] += staying
        if line.order:
            order, back = orders[line.order.order_id], min(staying, line.outstanding)
            orders[order.order_id] = put_back(
                order, line.order.line_id, transfer.source, transfer.supply_id, back
            )
            kept[line.sku] += back
        left = replace(line, sent=sent[line.line_id])
        lines.append(replace(left, given_up=min(left.given_up, max(0, left.sent - left.received))))
    after = _come_in(replace(transfer, lines=tuple(lines)))
    supplies = {
        sku: replace(
            supply,
            expected=supply.expected - fewer[sku],
            promised=supply.promised - kept[sku],
            closed=after.state in ENDED,
            v=supply.v + 1,
        )
        for sku, supply in known.supplies.items()
    }
    data = {"sent": sent, "occurred_at": at.isoformat()}
    change = _change(known, after.written(now, "dated", data=data), now, orders, supplies, moved)
    return _unseen(known, change, at, seemed, left_by)


def receive(known: Known, arrived: Sequence[Arrived], at: datetime, now: datetime) -> Change:
    """Record what has come in at the target: on hand rises there, damaged units are blocked.

    Units of an order become allocated there in the same write; damaged ones are lost to it, and sourced
    again. More units than were sent, or after the rest was given up, are there all the same. Units of a
    transfer that nobody has sent off had left in full before.

    Args:
        known: the transfer.
        arrived: what has come in.
        at: when, UTC; a count of the target since has found the units already.
        now: time of the write, UTC.

    Raises:
        Problem: `state_refused`, a draft; `field_invalid`, for a line that it does not have.
    """
    transfer = _allowed(known.transfer, TransferCommand.RECEIVE)
    if transfer.state is TransferState.READY:
        gone = _send(known, _units_sent(transfer, None), at, now, inferred=True)
        return _both(gone, receive(_after(known, gone), arrived, at, now))
    lines = {line.line_id: line for line in transfer.lines}
    moved: Deltas = {}
    orders = dict(known.orders)
    came: Counter[str] = Counter()
    settled: Counter[str] = Counter()
    for index, units in enumerate(arrived):
        line = _known_line(lines, units.line_id, f"lines[{index}].line_id")
        blocked = {Block.DAMAGED: units.damaged} if units.damaged else {}
        add(moved, line.sku, transfer.target, Delta(on_hand=units.units, blocked=blocked))
        came[line.sku] += units.units
        if line.order:
            order, name = orders[line.order.order_id], line.order.line_id
            expected = min(units.units, line.outstanding)
            sound = min(units.units - units.damaged, expected)
            order = arrive(order, name, transfer.supply_id, sound, now)
            orders[order.order_id] = lose(
                order, name, transfer.source, transfer.supply_id, expected - sound, now
            )
            settled[line.sku] += expected
        lines[line.line_id] = replace(
            line, received=line.received + units.units, damaged=line.damaged + units.damaged
        )
    after = _come_in(replace(transfer, lines=tuple(lines.values())))
    supplies = {
        sku: replace(
            supply,
            received=supply.received + came[sku],
            promised=supply.promised - settled[sku],
            closed=after.state in ENDED,
            v=supply.v + 1,
        )
        for sku, supply in known.supplies.items()
    }
    told = [[units.line_id, units.units, units.damaged] for units in arrived]
    written = after.written(now, "received", data={"received": told, "occurred_at": at.isoformat()})
    return _unseen(known, _change(known, written, now, orders, supplies, moved), at)


def close(known: Known, now: datetime) -> Change:
    """Give up what has not come in: it is lost, and units of orders among it are sourced again.

    Raises:
        Problem: `state_refused`, unless it is on the way.
    """
    transfer = _allowed(known.transfer, TransferCommand.CLOSE)
    closed = replace(_without_rest(transfer), state=TransferState.CLOSED_SHORT)
    lost = {line.line_id: line.outstanding for line in transfer.lines if line.outstanding}
    written = closed.written(now, "closed_short", data={"lost": lost})
    return _change(known, written, now, _settled(known, Fate.WRITE_OFF, now), _closed(known))


def cancel(known: Known, fate: Fate, now: datetime) -> Change:
    """Stop a transfer. Its units go back to their shelf at the source, or are written off.

    Raises:
        Problem: `state_refused`, when units have come in already: the rest is closed short.
    """
    transfer = _allowed(known.transfer, TransferCommand.CANCEL)
    moved: Deltas = {}
    for line in transfer.lines:
        units = _FATES[transfer.state, fate] * _left(transfer, line)
        add(moved, line.sku, transfer.source, Delta(on_hand=units))
    cancelled = replace(_without_rest(transfer), state=TransferState.CANCELLED)
    written = cancelled.written(now, "cancelled", data={"fate": str(fate)})
    orders = {} if transfer.state is TransferState.DRAFT else _settled(known, fate, now)
    return _change(known, written, now, orders, _closed(known), moved)


_FATES: Mapping[tuple[TransferState, Fate], int] = {
    (TransferState.DRAFT, Fate.PUT_BACK): 0,
    (TransferState.DRAFT, Fate.WRITE_OFF): 0,
    (TransferState.READY, Fate.PUT_BACK): 0,
    (TransferState.READY, Fate.WRITE_OFF): -1,
    (TransferState.IN_TRANSIT, Fate.PUT_BACK): 1,
    (TransferState.IN_TRANSIT, Fate.WRITE_OFF): 0,
}
"""What each unit of a transfer that is cancelled does to on_hand at the source, by its state."""


def _allowed(transfer: Transfer, command: TransferCommand) -> Transfer:
    if transfer.state not in ALLOWED[command]:
        detail = f"transfer {transfer.id} is {transfer.state}: {command} is not possible"
        raise Problem(Code.STATE_REFUSED, detail, state=str(transfer.state))
    return transfer


def _units_sent(transfer: Transfer, units: Mapping[str, int] | None) -> dict[str, int]:
    """Units that leave, by every line."""
    lines = {line.line_id: line for line in transfer.lines}
    if units is None:
        return {name: line.units for name, line in lines.items()}
    for index, (name, leaving) in enumerate(units.items()):
        planned = _known_line(lines, name, f"lines[{index}].line_id").units
        if leaving > planned:
            detail = f"of line {name} {planned} units are planned, not {leaving}"
            raise Problem(Code.FIELD_INVALID, detail, f"lines[{index}].units")
    if not any(units.values()):
        raise Problem(Code.FIELD_INVALID, "at least one unit has to leave; or cancel the transfer", "lines")
    return {name: units.get(name, 0) for name in lines}


def _known_line(lines: Mapping[str, TransferLine], line_id: str, field: str) -> TransferLine:
    if line_id not in lines:
        raise Problem(Code.FIELD_INVALID, f"the transfer has no line {line_id}", field)
    return lines[line_id]


def _come_in(transfer: Transfer) -> Transfer:
    """A transfer of which units have come in, in the state that follows from what is still on the way."""
    if transfer.state not in _ON_THE_WAY:
        return transfer
    done = not any(line.outstanding for line in transfer.lines)
    return replace(transfer, state=TransferState.RECEIVED if done else TransferState.PARTIALLY_RECEIVED)


def _left(transfer: Transfer, line: TransferLine) -> int:
    """Units of a line that have not come in: on the way, or still to be sent."""
    return line.outstanding if transfer.state in _ON_THE_WAY else line.units


def _without_rest(transfer: Transfer) -> Transfer:
    lines = tuple(replace(line, given_up=line.given_up + line.outstanding) for line in transfer.lines)
    return replace(transfer, lines=lines)


def _settled(known: Known, fate: Fate, now: datetime) -> dict[str, Order]:
    """The orders without what is still in a transfer of theirs: on its shelf again, or lost."""
    transfer, orders = known.transfer, dict(known.orders)
    supply = transfer.supply_id if transfer.state in _ON_THE_WAY else ""
    for line in transfer.lines:
        if line.order:
            order, name = orders[line.order.order_id], line.order.line_id
            place = (transfer.source, supply, _left(transfer, line))
            orders[order.order_id] = (
                lose(order, name, *place, now) if fate is Fate.WRITE_OFF else put_back(order, name, *place)
            )
    return orders


def _supply(transfer: Transfer, sku: str) -> Supply:
    """What a transfer that has left brings of a sku; units of orders are promised."""
    lines = [line for line in transfer.lines if line.sku == sku]
    return Supply(
        sku,
        transfer.supply_id,
        SupplyKind.TRANSFER,
        transfer.target,
        transfer.due,
        expected=sum(line.sent for line in lines),
        promised=sum(line.sent for line in lines if line.order),
        v=1,
    )


def _closed(known: Known) -> dict[str, Supply]:
    """The supply of a transfer of which no more comes; its orders wait for it no longer."""
    waited: Counter[str] = Counter()
    for line in known.transfer.lines:
        waited[line.sku] += line.outstanding if line.order else 0
    return {
        sku: replace(supply, promised=supply.promised - waited[sku], closed=True, v=supply.v + 1)
        for sku, supply in known.supplies.items()
    }


def _unseen(
    known: Known, change: Change, at: datetime, seemed: Deltas | None = None, was: datetime | None = None
) -> Change:
    """A change as far as counts after `at` have not found it already.

    What `seemed` to have happened when it `was` recorded, later, has happened then, too, and a write says so.
    """
    before, deltas = seemed or {}, dict[tuple[str, str], Delta]()
    redated = {
        place: Redated(was, {"on_hand": delta.on_hand, "allocated": delta.allocated})
        for place, delta in before.items()
        if was is not None and at < was
    }
    for place in {**change.deltas, **redated}:
        seen, delta = known.positions[place], change.deltas.get(place, Delta())
        then = before.get(place, Delta())
        on_hand = seen.unseen(then + delta, at).on_hand - seen.unseen(then, was or at).on_hand
        left = replace(delta, on_hand=on_hand)
        if left.moves or place in redated:
            deltas[place] = left
    return replace(change, deltas=deltas, redated=redated)


def _change(
    known: Known,
    transfer: Transfer,
    now: datetime,
    orders: Mapping[str, Order] | None = None,
    supplies: Mapping[str, Supply] | None = None,
    moved: Deltas | None = None,
) -> Change:
    """What is written when a transfer and its orders become what they are given as: claims follow them."""
    deltas = dict(moved or {})
    claims = claimed(transfer)
    claims.subtract(claimed(known.transfer))
    for (sku, location), units in claims.items():
        add(deltas, sku, location, Delta(allocated=units))
    changed = [
        reclaimed(known.orders[name], order.written(now, "transferred", data={"transfer": transfer.id}))
        for name, order in (orders or {}).items()
        if order != known.orders[name]
    ]
    for one in changed:
        for (sku, location), delta in one.deltas.items():
            add(deltas, sku, location, delta)
    return Change(
        transfer,
        {one.order.order_id: one.order for one in changed},
        dict(supplies or {}),
        {place: delta for place, delta in deltas.items() if delta.moves},
        tuple(demand for one in changed for demand in one.demands),
    )


def _after(known: Known, change: Change) -> Known:
    return replace(
        known,
        transfer=change.transfer,
        orders={**known.orders, **change.orders},
        supplies={**known.supplies, **change.supplies},
    )


def _both(first: Change, second: Change) -> Change:
    deltas = dict(first.deltas)
    for (sku, location), delta in second.deltas.items():
        add(deltas, sku, location, delta)
    return Change(
        second.transfer,
        {**first.orders, **second.orders},
        {**first.supplies, **second.supplies},
        deltas,
        (*first.demands, *second.demands),
    )
