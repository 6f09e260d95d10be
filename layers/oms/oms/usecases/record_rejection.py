"""Record a rejection: take units back from a location that says no, and find them another source at once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from oms.fulfillment.events import FactKind, FulfillmentFact, PackedUnits
from oms.fulfillment.model import FulfillmentOrder
from oms.fulfillment.recall import answer
from oms.fulfillment.rejection import act_on, reject
from oms.inventory.model import Position
from oms.inventory.network import Location, Network
from oms.orders.claims import Reclaimed
from oms.orders.model import Order
from oms.payments.refunds import Refund
from oms.problems import Code, Problem
from oms.sourcing.profile import Act
from oms.store import keys, queries
from oms.store.configuration import decode_document, parse
from oms.store.errors import Busy
from oms.store.fulfillment import encode_fulfillment_order
from oms.store.orders import encode_order
from oms.store.placements import waiting_writes
from oms.store.returns import encode_refund, read_refunds
from oms.store.stock import read_position
from oms.store.table import Table
from oms.store.writes import Why, Write, create, move, wait
from oms.store.writes import replace as replace_item
from oms.usecases.configure import configure, version
from oms.usecases.races import settle
from oms.usecases.record_fulfillment import Recorded, record_fulfillment
from oms.usecases.serve_waiting import serve_waiting
from oms.values import frozen, replace


def record_fact(
    table: Table, network: Callable[[], Network], fact: FulfillmentFact, now: datetime
) -> Recorded:
    """Record what a location reports: a rejection, for which it reads the network, or anything else.

    Raises:
        Problem: as `record_fulfillment` and `record_rejection`.
        Busy: somebody else kept writing; hand the message back to its queue.
    """
    if fact.kind is FactKind.REJECTED:
        return record_rejection(table, network(), fact, now)
    return record_fulfillment(table, fact, now)


def record_rejection(table: Table, network: Network, fact: FulfillmentFact, now: datetime) -> Recorded:
    """Record that a location does not ship units, once, and source them again.

    The first rule of the sourcing profile that fits the reason says what becomes of the stock. Units that the
    location was asked to give up are given up when it rejects them; those that were to be cancelled and that
    it would not give up are cancelled; the stock of either is what the rule says. A location that closes is
    written down as closed before anything else, so that nothing is sourced from it meanwhile.

    Args:
        table: the store.
        network: channels, pools, locations and the sourcing profile.
        fact: the message.
        now: UTC.

    Returns:
        What has changed.

    Raises:
        Problem: there is no such fulfillment order, or it has no such line.
        Busy: somebody else kept writing; hand the message back to its queue.
    """
    what = f"message {fact.message_id}"
    rule = network.profile.rejection(fact.reason)
    work, given, rest = settle(lambda: _given_first(table, fact, rule.act, now), what)
    if rule.act is Act.CLOSE and work.location in network.locations:
        until = fact.occurred_at + timedelta(hours=rule.hours)
        network = _closed(table, network, work.location, until)
    recorded = settle(lambda: _reject(table, network, rest, rule.act, now), what) if rest else Recorded()
    order = queries.known_order(table, fact.order_id)
    open_skus = {line.sku for line in order.lines if line.open and line.sku}
    for sku in sorted(open_skus & {line.sku for line in work.lines}):
        serve_waiting(table, network, sku, now, also=[order.order_id])
    return replace(
        recorded,
        cancelled=given.cancelled + recorded.cancelled,
        reopened=given.reopened,
        refund=recorded.refund or given.refund,
    )


def _known(table: Table, fact: FulfillmentFact) -> FulfillmentOrder:
    work = queries.fulfillment_order(table, fact.order_id, fact.fulfillment_order)
    if work is None:
        name = f"{fact.order_id}-{fact.fulfillment_order}"
        raise Problem(Code.NOT_FOUND, f"fulfillment order {name} is not there", "fulfillment_order")
    lines = {line.line_id for line in work.lines}
    for index, packed in enumerate(fact.lines):
        if packed.line_id not in lines:
            detail = f"fulfillment order {work.public_id} has no line {packed.line_id}"
            raise Problem(Code.FIELD_INVALID, detail, f"lines[{index}].line_id")
    return work


def _given_first(
    table: Table, fact: FulfillmentFact, act: Act, now: datetime
) -> tuple[FulfillmentOrder, Recorded, FulfillmentFact | None]:
    """Record that the location gives up the units that it was asked for, as far as it has seen that.

    This answer has an id of its own, made of the message's: repeated after a crash it is found there.

    Returns:
        The work as it was; what has changed; what is left of the rejection, None when that is nothing.
    """
    work = _known(table, fact)
    if any(entry.data.get("message") == fact.message_id for entry in work.journal):
        return work, Recorded(), fact  # what has been asked for since is not what it was about
    message_id = f"{fact.message_id}.cancelled"
    named = {packed.line_id: packed.units for packed in fact.lines}
    wanted = named or {line.line_id: line.remaining for line in work.lines}
    before = [entry.data for entry in work.journal if entry.data.get("message") == message_id]
    units = (
        cast(Mapping[str, int], before[0]["cancelled"])
        if before
        else {
            line_id: asked
            for line_id, count in wanted.items()
            if (asked := min(count, work.recalled(line_id, fact.v)))
        }
    )
    if not units:
        return work, Recorded(), fact
    lines = tuple(PackedUnits(line_id, count) for line_id, count in units.items())
    said = replace(fact, message_id=message_id, kind=FactKind.CANCELLED, lines=lines)
    given = _give_up(table, work, said, act, now)
    rest = tuple(
        PackedUnits(line_id, count - units.get(line_id, 0))
        for line_id, count in named.items()
        if count > units.get(line_id, 0)
    )
    return work, given, replace(fact, lines=rest) if rest or not named else None


@frozen
class _Seen:
    """What a location's answer is decided on."""

    order: Order
    work: FulfillmentOrder
    refunds: Mapping[str, Refund]
    positions: Mapping[str, Position]


def _see(table: Table, work: FulfillmentOrder) -> _Seen:
    order = queries.known_order(table, work.order_id)
    refunds = read_refunds(table, order.order_id, consistent=True) if order.captured else {}
    positions = {line.sku: read_position(table, line.sku, work.location) for line in work.lines}
    return _Seen(order, work, refunds, positions)


def _give_up(
    table: Table, work: FulfillmentOrder, said: FulfillmentFact, act: Act, now: datetime
) -> Recorded:
    seen = _see(table, work)
    answered = answer(seen.order, seen.work, seen.refunds.values(), said, now, presumed=True)
    if answered is None:
        return Recorded()
    units = {packed.line_id: packed.units for packed in said.lines}
    act_on(answered.change, seen.work, units, seen.positions, act, said.occurred_at)
    table.commit(*_writes(seen, answered.change, answered.fulfillment_order, answered.refund, said, act, now))
    return Recorded(cancelled=answered.cancelled, reopened=answered.reopened, refund=answered.refund)


def _reject(table: Table, network: Network, fact: FulfillmentFact, act: Act, now: datetime) -> Recorded:
    seen = _see(table, _known(table, fact))
    attempts = network.profile.attempts
    rejected = reject(seen.order, seen.work, seen.positions, seen.refunds.values(), fact, act, attempts, now)
    if rejected is None:
        return Recorded()
    change, refund = rejected.change, rejected.refund
    table.commit(*_writes(seen, change, rejected.fulfillment_order, refund, fact, act, now))
    opened = tuple(known.code for known in change.order.exceptions if known not in seen.order.exceptions)
    return Recorded(rejected=rejected.units, cancelled=rejected.cancelled, refund=refund, exceptions=opened)


def _writes(
    seen: _Seen,
    change: Reclaimed,
    after: FulfillmentOrder,
    refund: Refund | None,
    fact: FulfillmentFact,
    act: Act,
    now: datetime,
) -> list[Write]:
    order, work = seen.order, seen.work
    why = Why("rejected", work.public_id, "fulfillment", now, fact.occurred_at)
    return [
        replace_item(keys.header(order.order_id), encode_order(change.order), order.v),
        *waiting_writes(order, change.order),
        *(
            move(sku, location, delta, why, seen=seen.positions[sku], exact=act is Act.WRITE_OFF)
            for (sku, location), delta in sorted(change.deltas.items())
        ),
        *(wait(demand) for demand in change.demands),
        replace_item(
            keys.fulfillment_order(order.order_id, work.id), encode_fulfillment_order(after), work.v
        ),
        *([create(keys.refund(order.order_id, refund.id), encode_refund(refund))] if refund else []),
    ]


def _closed(table: Table, network: Network, name: str, until: datetime) -> Network:
    """The network with a location closed until a time; one that is closed for longer stays so.

    Raises:
        Busy: somebody configures the location; try again.
    """
    item = table.get(keys.configuration("location", name))
    known = parse("location", name, decode_document(item)) if item else network.locations[name]
    assert isinstance(known, Location), "it was parsed as one"
    if known.closed_until is None or datetime.fromisoformat(known.closed_until) < until:
        known = replace(known, closed_until=until.isoformat())
        try:
            configure(table, known, [known.connector or ""], version(item))
        except Problem as problem:
            if problem.code is not Code.VERSION_MISMATCH:
                raise
            raise Busy(f"location {name} is being configured") from problem
    return replace(network, locations={**network.locations, name: known})
