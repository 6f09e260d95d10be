"""Parcels on their way: what carriers say of them, by way of the shops, in any order and again and again."""

from collections.abc import Mapping
from functools import partial

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import step
from infra.lab.world import Work, World
from oms.fulfillment.elsewhere import BY_CHANNEL
from oms.fulfillment.model import ShipmentState

_ON_THE_WAY = (ShipmentState.IN_TRANSIT, ShipmentState.OUT_FOR_DELIVERY, ShipmentState.ATTEMPT_FAILED)


@step("record_tracking")
def carriers_tell(world: World, orders: int) -> None:
    """Of a third of all parcels their carrier tells; then of some of these their location does not."""
    chance = world.chance

    def left(work: Work, lines: Mapping[str, int], name: str) -> None:
        if chance.happens(0.35, "tracked", name):
            world.tracked.add(name)
            if chance.happens(0.5, "tracked alone", name):
                world.silent.add(name)
            for number, state in enumerate(_ON_THE_WAY[: chance.below(4, "words", name)]):
                at = world.now + chance.delay(60, "on its way", name, number)
                world.scheduler.at(at, partial(_tell, world, work, name, state))

    def arrived(work: Work, lines: Mapping[str, int], name: str) -> None:
        if name in world.tracked:
            _tell(world, work, name, ShipmentState.DELIVERED)

    world.on_leaving.append(left)
    world.on_parcel.append(arrived)
    world.checks.append(_what_arrived_is_delivered)


def _tell(world: World, work: Work, name: str, state: ShipmentState) -> None:
    """What happens now is told, sometimes late, sometimes twice, and sometimes before the parcel is known."""
    told = f"{name} is {state}"
    sent = world.orders[work.order_id]
    word = {
        "command": "tracking_recorded",
        "channel_order_id": sent.channel_order_id,
        "fulfillment_id": None,
        "carrier": "lab",
        "tracking_number": world.parcels[name.replace(" ", ".")],
        "status": str(state),
        "message": None,
        "expected_at": None,
        "occurred_at": world.time(),
    }
    for copy in range(2 if world.chance.happens(0.15, "twice", told) else 1):
        at = world.now + world.chance.choice((0.01, 1, 20, 100), "told after", told, copy)
        say = partial(world.webhook, f"{told} {copy}", sent.channel, word, lambda: None)
        world.scheduler.at(at, say)


def _what_arrived_is_delivered(outcome: Outcome) -> Wrong:
    """However a parcel's arrival was told, and whatever was told afterwards of its way."""
    for shipment in outcome.by_type.get("shipment", ()):
        state, ours = str(shipment["st"]), BY_CHANNEL not in str(shipment["SK"])
        if ours and state != ShipmentState.DELIVERED:
            yield f"parcel {shipment['PK']!s} {shipment['SK']!s} has arrived and is {state}"
