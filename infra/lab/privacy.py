"""Privacy in a run: customers who want to be forgotten, at any moment of the life of their orders."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import BURST, PAUSE_S, look, standing, step
from infra.lab.substitutes import instant
from infra.lab.world import SHOPS, Sent, World
from oms.orders.privacy import still_needed
from oms.orders.work import WorkStage
from oms.store import queries
from oms.usecases.erase_order import LOOK_AGAIN

_KNOWN_S = 5.0
"""How long after it came an order is found by its customer for sure."""


@dataclass(slots=True)
class _Asked:
    """Whose data is to go, by channel and id, and orders of theirs of which the system was told so."""

    customers: set[tuple[str, str]] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)


@step("honour_privacy", "erase_order")
def customers_want_to_be_forgotten(world: World, orders: int) -> None:
    """It is asked by the names of the orders that are there, or by the customer alone; some ask twice."""
    chance, asked = world.chance, _Asked()
    for number in range(2):
        name = f"erasure {number}"
        if chance.happens(0.6, name):
            channel, customer = chance.choice(SHOPS, "shop", name), f"{chance.below(5, 'customer', name)}"
            at = chance.between(1, orders / BURST * PAUSE_S, "at", name)
            at += chance.choice((0, 300, 900, 3600), "later", name)
            world.act(name, at, partial(_ask, world, asked, name, channel, customer))
    world.afterwards.append(partial(_days_pass, world))
    world.checks.append(partial(_who_is_forgotten, asked))


def _ask(world: World, asked: _Asked, name: str, channel: str, customer: str) -> None:
    by_name = world.chance.happens(0.5, "by name", name)
    since = world.now if by_name else world.now - _KNOWN_S
    theirs = [sent for sent in world.orders.values() if (sent.channel, sent.customer) == (channel, customer)]
    known = [sent for sent in theirs if _came(world, sent, since)]
    asked.customers.add((channel, customer))
    asked.orders |= {sent.order_id for sent in known}
    request = {
        "command": "privacy_requested",
        "kind": "erase_customer",
        "customer": None if by_name else {"id": customer},
        "orders": [sent.channel_order_id for sent in known] if by_name else [],
        "requested_at": world.time(),
    }
    world.webhook(name, channel, request, lambda: None)
    if world.chance.happens(0.4, "asks again", name):
        again = world.now + world.chance.choice((0.01, 30, 600), "again", name)
        send = partial(world.webhook, f"{name} again", channel, request, lambda: None)
        world.scheduler.at(again, send)
    stands = [sent for sent in known if not sent.doomed]
    if stands:
        sent = world.chance.choice(stands, "changed", name)
        at = world.now + world.chance.choice((0.01, 60, 600), "changes at", name)
        world.scheduler.at(at, partial(_change, world, sent, f"{name} newer"))


def _change(world: World, sent: Sent, name: str) -> None:
    """The shop has not forgotten anybody yet, and its order changes."""
    first = next(iter(sent.versions.values()))
    world.order(sent, "3", first | {"channel_version": "3", "notes": f"{sent.person}, ring twice"}, name)


def _came(world: World, sent: Sent, since: float) -> bool:
    """Whether an order was there at a time, of which clocks may be a little off."""
    order = queries.order(world.table, sent.order_id)
    return order is not None and (since == world.now or order.journal[0].at <= instant(since))


def _days_pass(world: World) -> None:
    """Until the clock looks again at what was still to be shipped when it was to be erased."""
    if any(standing(world, WorkStage.ERASE)):
        world.scheduler.run(until=world.now + LOOK_AGAIN.total_seconds())
        look(world, WorkStage.ERASE)
        world.scheduler.run()


def _who_is_forgotten(asked: _Asked, outcome: Outcome) -> Wrong:
    """Nothing that is kept tells of whoever has asked, but the order that is still to be shipped.

    Nor has anybody been forgotten who has not asked.
    """
    if not asked.customers:
        return
    kept = "\n".join(map(_text, outcome.items))
    for order in outcome.orders.values():
        sent = outcome.world.orders[order.order_id]
        known, needed = sent.person in kept, still_needed(order)
        if order.order_id in asked.orders and not needed:
            if known or order.customer_key:
                yield f"order {order.order_id} is to be forgotten and is not"
        elif not known and (needed or (sent.channel, sent.customer) not in asked.customers):
            yield f"order {order.order_id} does not tell any more whose it is"


def _text(item: Mapping[str, object]) -> str:
    """An item with its compressed document."""
    packed = item.get("doc")
    return f"{item} {zlib.decompress(packed).decode() if isinstance(packed, bytes) else ''}"
