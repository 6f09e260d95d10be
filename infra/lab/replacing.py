"""Orders that a shop makes in place of others, as when it edits them: one of both is shipped, never two."""

from functools import partial
from typing import Any

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import BURST, PAUSE_S, order_document, step
from infra.lab.world import Sent, World
from oms.orders.replacing import REPLACED_SHIPPED, REPLACES


@step("settle_replacement")
def shops_replace(world: World, orders: int) -> None:
    """Another order takes the place of one: before that has come, at once, or when it is on its way."""
    chance = world.chance
    pairs: list[tuple[Sent, Sent]] = []
    for number, old in enumerate(list(world.orders.values())):
        other = old.doomed or old.unpaid or old.unheard or old.elsewhere
        if other or not chance.happens(0.15, "replaced", number):
            continue
        old.doomed = True
        name = f"replacement {number}"
        pause = chance.choice((-0.4, 0.03, 1, 20, 60, 150), "replaced after", name)
        at = max(0.5, number // BURST * PAUSE_S + pause)
        new = Sent(old.channel, f"{old.channel_order_id}-1")
        document = order_document(world, new, name, at) | {"replaces": old.channel_order_id}
        new.customer, new.total = document["customer"]["id"], document["total"]
        pairs.append((old, new))
        world.act(name, at, partial(_replace, world, old, new, document, name))
        if chance.below(2, "replaced again", name):
            again = f"{name} again"
            later = at + chance.delay(30, "replaced again after", name)
            world.act(again, later, partial(_replace, world, old, new, document, again))
    world.checks.append(partial(_one_is_shipped, pairs))


def _replace(world: World, old: Sent, new: Sent, document: dict[str, Any], name: str) -> None:
    """A shop sends an order that replaces another, which it has cancelled by that."""

    def taken() -> None:
        new.taken.add("1")
        old.cancelled = True

    new.versions["1"] = document
    world.orders[new.order_id] = new
    world.webhook(name, new.channel, document, taken)


def _one_is_shipped(pairs: list[tuple[Sent, Sent]], outcome: Outcome) -> Wrong:
    """What is replaced keeps nothing but what has left; if something has, a person decides on the other."""
    for old, new in pairs:
        if not new.taken or old.order_id not in outcome.orders:
            continue
        left, instead = outcome.orders[old.order_id], outcome.orders[new.order_id]
        shipped = sum(line.shipped for line in left.lines)
        if kept := sum(line.ordered - line.shipped - line.cancelled for line in left.lines):
            yield f"order {old.order_id} was replaced and keeps {kept} units"
        if shipped and any(line.shipped for line in instead.lines):
            yield f"orders {old.order_id} and {new.order_id}, which replaces it, were both shipped"
        if not shipped and REPLACES in instead.holds:
            yield f"order {new.order_id} is held for {old.order_id}, of which nothing has left"
        noticed = any(known.code == REPLACED_SHIPPED for known in instead.exceptions)
        if shipped and REPLACES in instead.holds and not noticed:
            yield f"order {new.order_id} is held for {old.order_id}, which was shipped, and nobody is told"
