"""Transfers in a run: staff move units from one location to another, not always all of them, and tell so."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.lab.steps import step
from infra.lab.world import SKUS, World
from oms.inventory.transfers import Fate


@dataclass(frozen=True, slots=True)
class _Van:
    """Units of a sku that are to be moved."""

    name: str
    sku: str
    source: str
    target: str
    units: int

    @property
    def path(self) -> str:
        """Of the transfer in the API."""
        return f"/transfers/{self.name}"


@step("transfer_stock")
def staff_move_stock(world: World, orders: int) -> None:
    """Units are claimed, leave, and come in: fewer of them, some damaged, or more than were counted in."""
    chance = world.chance
    for number in range(4):
        name = f"transfer-{number}"
        source, target = chance.choice(
            (("wh-north", "wh-south"), ("wh-south", "st-centre"), ("st-centre", "wh-north")), "way", name
        )
        van = _Van(name, chance.choice(SKUS, "sku", name), source, target, 1 + chance.below(3, "units", name))
        plan = {
            "source": source,
            "target": target,
            "due": world.time(3600),
            "lines": [{"sku": van.sku, "units": van.units}],
        }
        planned = partial(_planned, world, van)
        at = chance.between(30, 500, name)
        world.act(name, at, partial(world.api, name, "PUT", van.path, plan, then=planned))


def _planned(world: World, van: _Van, status: int, document: Any) -> None:
    world.expect(van.name, status, document)
    _say(world, van, "ready", then=partial(_ready, world, van))


def _ready(world: World, van: _Van, status: int, document: Any) -> None:
    """Units that are claimed are taken off their shelf; where too few are free, the plan comes to nothing."""
    if status == 409:
        return
    world.expect(f"{van.name} ready", status, document)
    chance = world.chance
    if chance.happens(0.2, "called off", van.name):
        _say(world, van, "cancel", {"units": Fate.PUT_BACK})
        return
    leaves = world.now + chance.delay(30, "leaves", van.name)
    world.scheduler.at(leaves, partial(_leave, world, van))


def _leave(world: World, van: _Van) -> None:
    sent = max(1, van.units - world.chance.below(2, "left behind", van.name))
    sent = min(sent, world.shelves[van.sku, van.source])
    if not sent:  # a count has found the shelf empty: nothing can be sent of what is not there
        _say(world, van, "cancel", {"units": Fate.PUT_BACK})
        return
    world.shelves[van.sku, van.source] -= sent
    body = {"occurred_at": world.time(), "lines": [{"line_id": "1", "units": sent}]}
    if world.chance.happens(0.2, "told when it is there", van.name):
        _on_the_way(world, van, sent, body)
        return
    _say(world, van, "dispatch", body, then=partial(_sent_off, world, van, sent))


def _sent_off(world: World, van: _Van, sent: int, status: int, document: Any) -> None:
    world.expect(f"{van.name} dispatch", status, document)
    _on_the_way(world, van, sent)


def _on_the_way(world: World, van: _Van, sent: int, untold: Any = None) -> None:
    comes_in = world.now + world.chance.delay(60, "comes in", van.name)
    world.scheduler.at(comes_in, partial(_come_in, world, van, sent, untold))


def _come_in(world: World, van: _Van, sent: int, untold: Any) -> None:
    """A part, all, or one more than anybody has counted in; and nobody may have said that it was sent."""
    chance = world.chance
    found = max(1, sent + chance.choice((-1, 0, 0, 0, 1), "found", van.name))
    damaged = 1 if chance.happens(0.2, "damaged", van.name) else 0
    world.shelves[van.sku, van.target] += found
    line = {"line_id": "1", "units": found, "damaged": damaged}
    told = world.now + chance.choice((0, 3, 60), "told after", van.name)
    body = {"occurred_at": world.time(), "lines": [line]}
    then = partial(_received, world, van, sent - found, untold)
    world.scheduler.at(told, partial(_say, world, van, "receipts", body, then))


def _received(world: World, van: _Van, missing: int, untold: Any, status: int, document: Any) -> None:
    world.expect(f"{van.name} receive", status, document)
    if untold:
        _say(world, van, "dispatch", untold, partial(_received, world, van, missing, None))
    elif missing > 0:
        _say(world, van, "close")


def _say(world: World, van: _Van, verb: str, body: object = None, then: Any = None) -> None:
    name = f"{van.name} {verb}"
    world.api(name, "POST", f"{van.path}/{verb}", body, then=then or partial(world.expect, name))
