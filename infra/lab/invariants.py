"""What must hold when all is quiet: the system has come to what is true in the world, and forgot nothing.

Each invariant is a function that yields sentences, one for each thing that is wrong.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from infra.lab.cloud import Cloud
from infra.lab.memory_table import Change
from infra.lab.world import LOCATIONS, POOLS, World
from oms.events import derive
from oms.events.derive import Event
from oms.inventory.model import Position
from oms.orders.model import Order
from oms.orders.status import OrderStatus, kept_total, line_total, order_status
from oms.payments.money import share
from oms.payments.refunds import Refund, RefundState
from oms.store import attributes, keys, orders, returns, stock
from oms.store.attributes import Item
from oms.usecases.check_ledger import check_ledger

type Wrong = Iterator[str]


class Outcome:
    """Everything that is stored at the end, decoded once."""

    def __init__(self, world: World, cloud: Cloud) -> None:
        self.world = world
        self.cloud = cloud
        self.items: list[Item] = [attributes.decode(cast(Any, image)) for image in cloud.table.items.values()]
        by_type: dict[str, list[Item]] = {}
        for item in self.items:
            by_type.setdefault(str(item.get("t")), []).append(item)
        self.by_type = by_type
        self.orders: dict[str, Order] = {
            order.order_id: order for order in map(orders.decode_order, by_type.get("order", ()))
        }
        self.positions: list[Position] = list(map(stock.decode_position, by_type.get("position", ())))
        self.refunds: list[Refund] = list(map(returns.decode_refund, by_type.get("refund", ())))


def every_delivery_is_one_order(outcome: Outcome) -> Wrong:
    """Each order that the system has taken is there once, whole; and nobody else's."""
    world = outcome.world
    expected = {sent.order_id: sent for sent in world.orders.values() if sent.taken}
    for order_id in expected.keys() - outcome.orders.keys():
        yield f"order {order_id} was taken and is not there"
    for order_id in outcome.orders.keys() - expected.keys():
        yield f"order {order_id} is there and nobody has sent it"
    for order_id in expected.keys() & outcome.orders.keys():
        order, sent = outcome.orders[order_id], expected[order_id]
        first = next(iter(sent.versions.values()))  # every version has the same lines
        wanted = [line["quantity"] for line in first["lines"]]
        kept = [line.ordered for line in order.lines]
        if wanted != kept:
            yield f"order {order_id} has {kept} units a line, not {wanted}"
        latest = max(version.zfill(20) for version in sent.taken)
        if order.channel_version != latest and not sent.cancelled:
            yield f"order {order_id} stands at version {order.channel_version}, not {latest}"


def what_does_not_add_up_is_shown(outcome: Outcome) -> Wrong:
    """An order whose parts do not come to its sums waits for a person, and no other does for that."""
    for order in outcome.orders.values():
        shown = any(known.code == "totals_unbalanced" for known in order.exceptions)
        wanted = outcome.world.orders[order.order_id].unbalanced
        if shown != wanted and order_status(order) is not OrderStatus.CANCELLED:
            yield f"order {order.order_id} is shown as unbalanced: {shown}, and is so: {wanted}"


def units_are_where_they_are(outcome: Outcome) -> Wrong:
    """On hand is what is on the shelf; shipped, delivered and returned are what really was."""
    shelves = outcome.world.shelves
    kept = {(held.sku, held.location): held for held in outcome.positions}
    for place in sorted(shelves.keys() | kept.keys()):
        on_hand = kept[place].on_hand if place in kept else 0
        if on_hand != shelves[place]:
            yield f"{' at '.join(place)}: {on_hand} on hand, {shelves[place]} on the shelf"
    for order in outcome.orders.values():
        for line in order.lines:
            name = (order.order_id, line.line_id)
            for what, there in (
                ("shipped", outcome.world.shipped),
                ("delivered", outcome.world.delivered),
                ("returned", outcome.world.returned),
            ):
                counted = getattr(line, what)
                if counted != there[name]:
                    yield f"line {name}: {counted} {what}, really {there[name]}"
    shipments = Counter(f"{str(i['PK'])[2:]}-{str(i['SK'])[2:]}" for i in outcome.by_type.get("shipment", ()))
    if shipments != Counter(outcome.world.parcels.keys()):
        yield f"parcels {sorted(outcome.world.parcels)} are kept as {sorted(shipments.elements())}"


def counters_are_sums(outcome: Outcome) -> Wrong:
    """Allocated and waiting units are the sums of what orders claim, as `oms ledger check` proves."""
    checked = check_ledger(outcome.world.table, segments=1)
    for finding in checked.findings:
        yield f"ledger: {finding}"
    for account in checked.unsettled:
        yield f"ledger: {account} does not settle"


def money_due_is_what_came_back(outcome: Outcome) -> Wrong:
    """The refunds of an order are worth the announced units that came back and those that were cancelled.

    What its channel gives back by itself is taken off what is due, as far as it settles whole refunds.
    """
    due: Counter[str] = Counter()
    owed: Counter[str] = Counter()
    for refund in outcome.refunds:
        ours = not refund.id.startswith("channel.")
        due[refund.order_id] += refund.amount * ours
        owed[refund.order_id] += refund.amount * (refund.state is not RefundState.SETTLED)
    for order in outcome.orders.values():
        worth = order.total - kept_total(order)
        for line in order.lines:
            back = outcome.world.returned[order.order_id, line.line_id]
            total, kept = line_total(order, line), line.ordered - line.cancelled
            worth += share(total, kept, line.ordered) - share(total, kept - back, line.ordered)
        name, worth = order.order_id, min(worth, order.captured)
        given = outcome.world.given_back[name]
        paid = 0 if outcome.world.orders[name].unpaid else order.total
        if order.captured != paid:
            yield f"order {name}: {order.captured} captured, {paid} was paid"
        if order.refunded != min(given, order.captured):
            yield f"order {name}: {order.refunded} refunded, {given} was given back"
        if due[name] != worth and not given or owed[name] != max(0, worth - order.refunded):
            yield f"order {name}: {due[name]} due back and {owed[name]} still owed, {worth} worth came back"


def every_event_is_told(outcome: Outcome) -> Wrong:
    """The bus has had every public event of every journal, always with the same content, and no other."""
    told: dict[str, Mapping[str, Any]] = {}
    for document in outcome.cloud.bus:
        if told.setdefault(document["id"], document) != document:
            yield f"event {document['id']} was told in two ways"
    derived = public_events(outcome)
    for name in sorted(derived - told.keys()):
        yield f"event {name} was never told"
    for name in sorted(told.keys() - derived):
        yield f"event {name} was told and never happened"


def public_events(outcome: Outcome) -> set[str]:
    """Ids of all that the outside has to be told."""
    return {event.id for event in _events(outcome) if event.public}


def what_else(outcome: Outcome) -> Wrong:
    """What the steps of this run want to hold."""
    for check in outcome.world.checks:
        yield from check(outcome)


def _events(outcome: Outcome) -> Iterator[Event]:
    """The events of every write, those of items that are gone included."""
    for change in outcome.cloud.changes:
        if change.new is not None and change.key.pk.startswith((keys.ORDER, keys.RESERVATION, keys.TRANSFER)):
            old, new = (cast(Any, image) for image in (change.old, change.new))
            yield from derive.events(attributes.decode(old) if old else None, attributes.decode(new))


def nothing_is_stuck(outcome: Outcome) -> Wrong:
    """Queues and stream are read, dead letters are poison alone, and what was allocated has been shipped."""
    world, cloud = outcome.world, outcome.cloud
    for name in cloud.unread:
        yield f"{name} was never handled"
    for queue, messages in cloud.dead_letters().items():
        for message in messages:
            if message.body not in world.poison:
                yield f"{queue} has {message.id}: {message.body[:200]}"
    for function, record in cloud.failed:
        if record["dynamodb"]["Keys"]["SK"]["S"] != "poison":
            yield f"{function} gave up on {record['dynamodb']['Keys']}"
    for order in outcome.orders.values():
        for line in order.lines:
            if (
                outcome.world.orders[order.order_id].cancelled
                and line.ordered > line.shipped + line.cancelled
            ):
                yield f"order {order.order_id} was cancelled and line {line.line_id} has units left: {line}"
            if line.entries and not order.holds:
                yield f"order {order.order_id} line {line.line_id} keeps {line.entries}"
        if "GSI1PK" in cloud.table.items[_header(order.order_id)] and _done(order):
            yield f"order {order.order_id} has nothing to do and stands in the work queue"


def nobody_waits_beside_stock(outcome: Outcome) -> Wrong:
    """No unit waits while a location of its pool, which has not said no to it, has one that is free."""
    safety = {location.id: location.safety_stock for location in LOCATIONS}
    members = {pool.id: pool.locations for pool in POOLS}
    for order in outcome.orders.values():
        for line in order.lines:
            name = (order.order_id, line.line_id)
            if not line.open + line.backordered or outcome.world.rejected[name]:
                continue
            for held in outcome.positions:
                there = held.sku == line.sku and held.location in members[order.pool or ""]
                if there and held.uncommitted > safety[held.location]:
                    yield f"line {name} waits and {held.location} has {held.uncommitted} of {held.sku}"


def _header(order_id: str) -> Any:
    return keys.header(order_id)


def _done(order: Order) -> bool:
    return not any(line.entries or line.open or line.backordered for line in order.lines)


INVARIANTS: tuple[Callable[[Outcome], Wrong], ...] = (
    every_delivery_is_one_order,
    what_does_not_add_up_is_shown,
    units_are_where_they_are,
    counters_are_sums,
    money_due_is_what_came_back,
    every_event_is_told,
    nothing_is_stuck,
    nobody_waits_beside_stock,
    what_else,
)
"""All of them."""


def oversold(change: Change) -> str | None:
    """Why a write has sold what was not there: it takes units of a position and leaves it below zero."""
    if change.new is None or change.new.get("t") != {"S": "position"}:
        return None
    taken = sum(_number(change.new, name) - _number(change.old, name) for name in ("allocated", "reserved"))
    left = _number(change.new, "uncommitted")
    if taken > 0 and left < 0:
        return f"{change.key.pk} {change.key.sk}: {taken} units taken, {left} left"
    return None


def _number(image: Any, name: str) -> int:
    return int(image[name]["N"]) if image and name in image else 0
