"""What shops tell of parcels: those that they ship themselves, and ours, which come back to us by them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import BURST, PAUSE_S, step
from infra.lab.world import Sent, Work, World
from oms.fulfillment.elsewhere import BY_CHANNEL
from oms.orders.elsewhere import LEFT_ELSEWHERE
from oms.store import keys, queries

_AGAIN_S = 30.0


@step("record_elsewhere", always=True)
def shops_tell_of_parcels(world: World, orders: int) -> None:
    """Of some orders the first line is the shop's to ship, in parcels; of some of ours it tells us."""
    chance = world.chance
    for number, sent in enumerate(list(world.orders.values())):
        split = sent.elsewhere > 1 and chance.happens(0.5, "parcels elsewhere", number)
        parcels = (1, sent.elsewhere - 1) if split else (sent.elsewhere,)
        for parcel, units in enumerate(filter(None, parcels), 1):
            name = f"elsewhere {number}.{parcel}"
            at = number // BURST * PAUSE_S + chance.choice((5, 60, 400), "leaves at", name)
            world.act(name, at, partial(_leave, world, sent, name, units))

    def left(work: Work, lines: Mapping[str, int], name: str) -> None:
        if chance.happens(0.15, "comes back", name):
            at = world.now + chance.choice((1, 30, 300), "comes back after", name)
            world.scheduler.at(at, partial(_tell_of_ours, world, work, lines, name))

    world.on_leaving.append(left)
    world.checks.append(_nothing_is_missing)


def _leave(world: World, sent: Sent, name: str, units: int) -> None:
    """Units that the shop ships leave, once the order is there: what it tells before is tried again."""
    if not sent.versions:  # it was left out, as the run is being made smaller
        return
    if queries.order(world.table, sent.order_id) is None:
        world.scheduler.at(world.now + _AGAIN_S, partial(_leave, world, sent, name, units))
        return
    world.shipped[sent.order_id, "1"] += units
    fulfillment = name.replace(" ", "-")
    number = world.parcels[f"{sent.order_id}-{BY_CHANNEL}.{fulfillment}"] = f"E{name}"
    _tell(world, sent, fulfillment, number, {"1": units}, name)


def _tell_of_ours(world: World, work: Work, lines: Mapping[str, int], name: str) -> None:
    """A shop knows of a parcel of ours when we have told it; then it tells us, as of any other."""
    shipment = name.replace(" ", ".")
    key = keys.shipment(work.order_id, shipment.partition("-")[2])
    if world.table.get(key) is None:
        world.scheduler.at(world.now + _AGAIN_S, partial(_tell_of_ours, world, work, lines, name))
        return
    _tell(world, world.orders[work.order_id], shipment, world.parcels[shipment], lines, f"{name} comes back")


def _tell(
    world: World, sent: Sent, fulfillment: str, number: str, lines: Mapping[str, int], name: str
) -> None:
    """That a parcel is being made ready and that it has left, in any order, and one of it perhaps twice."""
    chance = world.chance
    said = ("pending", "shipped", "shipped")[chance.below(2, "told", name) :]
    for copy, status in enumerate(said):
        record: dict[str, Any] = {
            "command": "fulfillment_recorded",
            "channel_order_id": sent.channel_order_id,
            "fulfillment_id": fulfillment,
            "channel_version": "1" if status == "pending" else "2",
            "status": status,
            "location": None,
            "lines": [{"channel_line_id": line, "quantity": units} for line, units in lines.items()],
            "parcels": [{"carrier": "lab", "tracking_number": number, "tracking_url": None}],
            "occurred_at": world.time(),
        }
        at = world.now + chance.choice((0.01, 1, 20), "told after", name, copy)
        webhook = partial(world.webhook, f"{name} {copy}", sent.channel, record, lambda: None)
        world.scheduler.at(at, webhook)


def _nothing_is_missing(outcome: Outcome) -> Wrong:
    """Every parcel is one that we know of, and nobody has to look for it."""
    for order in outcome.orders.values():
        for known in order.exceptions:
            if known.code == LEFT_ELSEWHERE:
                yield f"order {order.order_id} line {known.ref} is said to have left elsewhere"
