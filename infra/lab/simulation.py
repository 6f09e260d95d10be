"""The simulation: one run of the whole system under seeded faults, from an empty table to rest.

The real handlers and use cases of every function run as the template wires them (`infra.lab.cloud`), on a
table in memory that answers as DynamoDB does (`infra.lab.memory_table`), in virtual time in which workers are
interleaved at every call (`infra.lab.scheduler`). The world around them (`infra.lab.world`) knows the truth;
what happens in it are the steps of `infra.lab.steps`. When all is quiet the invariants must hold
(`infra.lab.invariants`). The same plan makes the same history, exactly.
"""

import gc
import itertools
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from infra.lab import (  # noqa: F401 (their steps)
    agents,
    carriers,
    elsewhere,
    money,
    privacy,
    replacing,
    servers,
    transfers,
)
from infra.lab.chance import Chance
from infra.lab.cloud import Cloud, stack
from infra.lab.expressions import Image
from infra.lab.faults import faults_of
from infra.lab.invariants import INVARIANTS, Outcome, oversold
from infra.lab.memory_table import ItemKey, MemoryTable
from infra.lab.scheduler import Restless, Scheduler
from infra.lab.steps import STEPS, page, standing, tick
from infra.lab.substitutes import enter, substituted
from infra.lab.world import CHANNELS, LOCATIONS, POOLS, SECRET, SHOP_API, SHOPS, SKUS, World
from oms.inventory.model import Sku
from oms.orders.work import WorkStage
from oms.store.table import Table
from oms.usecases.configure import configure
from oms.usecases.describe_sku import describe_sku

HORIZON_S = 4200.0
"""Until when things go wrong; afterwards the system is left to come to rest."""

_ROUND_S = 1000.0
"""More than a retry of anything takes."""

_MOST_ROUNDS = 25

_MOST_STEPS = 6_000
"""How many steps of the scheduler there may be for each order; a run takes up to 1,500 for each."""

_OF_THE_REST = 0.5
"""How likely a step that a run can do without is part of it: what happens in each run hides what happens only
without it ("Swarm Testing", Groce et al., ISSTA 2012), and takes the time of more runs."""

_COLLECTED = 50
"""Runs between two collections of garbage."""

_runs = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What decides a run.

    Attributes:
        seed: of everything drawn.
        orders: how many.
        acts: names of what may happen; None for all of it.
        faults: names of what may go wrong; None for all of it.
    """

    seed: int
    orders: int
    acts: frozenset[str] | None = None
    faults: frozenset[str] | None = None

    def document(self) -> dict[str, object]:
        """As JSON, for a file to replay."""
        named = {"acts": self.acts, "faults": self.faults}
        return {"seed": self.seed, "orders": self.orders} | {
            name: sorted(chosen) for name, chosen in named.items() if chosen is not None
        }


def plan_of(document: dict[str, Any]) -> Plan:
    """A plan from its JSON."""
    acts, faults = (frozenset(document[name]) if name in document else None for name in ("acts", "faults"))
    return Plan(int(document["seed"]), int(document["orders"]), acts, faults)


@dataclass(slots=True)
class Run:
    """What became of a run.

    Attributes:
        plan: what decided it.
        wrong: what does not hold, a sentence each; empty when all is well.
        acts: names of what happened.
        faults: names of what went wrong.
        calls: how many calls to services there were.
        seconds: of virtual time.
        history: what happened, line by line, when it was asked for.
        orders: how many orders there are in the end.
    """

    plan: Plan
    wrong: list[str] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    history: list[str] = field(default_factory=list)
    orders: int = 0


@contextmanager
def lab() -> Iterator[None]:
    """Everything that runs have in common; they happen in its block.

    Garbage is collected by `simulate` alone: to look for it all the time costs more than runs leave behind.
    """
    with substituted():
        stack()
        gc.collect()
        gc.freeze()  # what all runs share is not looked through
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            gc.unfreeze()


def simulate(
    plan: Plan, *, history: bool = False, see: Callable[[Outcome], object] = lambda outcome: None
) -> Run:
    """Make a run.

    Args:
        plan: what decides it.
        history: whether to write down what happens.
        see: shown what it has come to.
    """
    if next(_runs) % _COLLECTED == 0:
        gc.collect()
    return _simulated(plan, history, see)


def _simulated(plan: Plan, history: bool, see: Callable[[Outcome], object]) -> Run:
    run = Run(plan)
    scheduler = Scheduler(_MOST_STEPS * (plan.orders + 1))
    chance = Chance(plan.seed)
    faults = faults_of(chance, plan.faults)
    served = chance.happens(servers.LIKELIHOOD, "servers")
    secrets = {f"oms/channels/{shop}": _secret(served and shop == SHOPS[0]) for shop in SHOPS}
    secrets["KeysSecret.Id"] = "the lab's keys"
    cloud = Cloud(scheduler, chance, faults, secrets, _teller(run, scheduler) if history else None)
    enter({"cloud": cloud, "scheduler": scheduler, "random": random.Random(plan.seed)})
    world = World(scheduler, cloud, chance, plan.acts)
    world.served = served
    try:
        cloud.table.load(_catalogue())
        _open_the_shops(world)
        cloud.watch = lambda change: run.wrong.extend(filter(None, [oversold(change)]))
        for name, step in STEPS.items():
            if step.always or chance.happens(_OF_THE_REST, "step", name):
                step.play(world, plan.orders)
        scheduler.run(until=HORIZON_S)
        faults.on = False
        _come_to_rest(world, cloud, run)
        for happens in world.afterwards:
            happens()
        outcome = Outcome(world, cloud)
        run.wrong += world.wrong
        run.wrong += [sentence for invariant in INVARIANTS for sentence in invariant(outcome)]
        run.orders = len(outcome.orders)
        see(outcome)
    except Restless:
        run.wrong.append(f"no rest after {_MOST_STEPS} steps for each order")
    except Exception as failure:  # whatever breaks the simulation itself is a finding too
        run.wrong.append(f"the run broke: {failure!r}")
        if history:
            raise
    finally:
        scheduler.stop()
    run.acts, run.faults, run.seconds, run.calls = world.acted, faults.struck, scheduler.now, cloud.calls
    for part in (cloud.table, cloud, world, scheduler):
        vars(part).clear()  # they know each other: so nearly all that a run has made goes at once with it
    return run


def _teller(run: Run, scheduler: Scheduler) -> Any:
    return lambda text: run.history.append(f"{scheduler.now:9.3f} {text}")


def _secret(has_api: bool) -> str:
    api = {"api": {"url": SHOP_API}} if has_api else {}
    return json.dumps({"kind": "generic", "secrets": [f"whsec_{SECRET}"], **api})


@cache
def _catalogue() -> dict[ItemKey, Image]:
    """Network and catalogue, which all runs share: made once, by the real use cases."""
    memory: Any = MemoryTable("Table")
    table = Table(memory, "Table")
    connectors = stack().environment["CONNECTORS"].split(",")
    for thing in (*LOCATIONS, *POOLS, *CHANNELS):
        configure(table, thing, connectors)
    for sku in SKUS:
        describe_sku(table, Sku(sku, title=sku, weight_g=300))
    return dict(memory.items)


def _open_the_shops(world: World) -> None:
    """The first counts: of the favourite less than will be wanted, of some skus nothing at some places."""
    for sku in SKUS:
        most = 5 if sku == SKUS[0] else 12
        for location in LOCATIONS:
            if world.chance.happens(0.7, "stocked", sku, location.id):
                world.shelves[sku, location.id] = 1 + world.chance.below(most, "opening", sku, location.id)
                world.count(f"opening {sku} {location.id}", sku, location.id)
    world.scheduler.run(until=0.5)


def _look_at_what_waits(world: World) -> None:
    """Sweep each shard in which an order waits in the minute in which the clock looks at it."""
    minute = int(world.now // 60) + 1
    for shard in standing(world, WorkStage.OPEN):
        due = (minute + (int(shard) - minute) % 15) * 60.0 + 1
        world.scheduler.at(due, partial(world.cloud.send, "ClockQueue", page(WorkStage.OPEN, shard)))


def _come_to_rest(world: World, cloud: Cloud, run: Run) -> None:
    """Let everything happen that is due, and the clock tick, until nothing changes any more."""
    for number in range(_MOST_ROUNDS):
        before = len(cloud.changes), len(world.works)
        tick(world)
        _look_at_what_waits(world)
        world.look_for_work(f"last pick list {number}")
        world.scheduler.run()
        world.scheduler.run(until=world.now + _ROUND_S)
        if (len(cloud.changes), len(world.works)) == before:
            return
    run.wrong.append(f"no rest after {_MOST_ROUNDS} rounds")
