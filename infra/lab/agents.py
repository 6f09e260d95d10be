"""Agents cancel for customers: a whole order, or some units of a line, wherever these are by then."""

from collections import Counter
from functools import partial
from typing import Any

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import BURST, PAUSE_S, step
from infra.lab.world import Sent, World
from oms.orders.status import OrderStatus, order_status
from oms.store.fulfillment import decode_fulfillment_order


@step("cancel_order", always=True)
def agents_cancel(world: World, orders: int) -> None:
    """Of some orders an agent cancels units, or all of it; of a few somebody does so once more.

    Half of the runs have it, and all that have servers: whole cancellations are what shops are told of.
    """
    chance = world.chance
    if not world.served and chance.happens(0.5, "no agent cancels"):
        return
    for number, sent in enumerate(list(world.orders.values())):
        for again in range(2):
            name = f"agent cancels {number}.{again}"
            if not sent.elsewhere and chance.happens((0.3, 0.15)[again], name):
                pause = chance.choice((0.5, 5, 30, 60, 100, 300), "cancels after", name)
                at = number // BURST * PAUSE_S + pause
                world.act(name, at, partial(_cancel, world, sent, name))
    world.checks.append(_what_was_wished_is_done_or_told)


def _cancel(world: World, sent: Sent, name: str) -> None:
    """Refused where the order has not come, or where too little of it is left to cancel."""
    if not sent.versions:
        return  # it was left out, as the run is being made smaller
    chance = world.chance
    line = chance.choice(next(iter(sent.versions.values()))["lines"], "cancelled line", name)
    line_id, units = line["channel_line_id"], 1 + chance.below(line["quantity"], "cancelled units", name)
    whole = chance.happens(0.3, "whole", name)
    some = {} if whole else {"lines": [{"line_id": line_id, "units": units}]}

    def answered(status: int, document: Any) -> None:
        if status != 200:
            return
        world.cancelled_at_once[sent.order_id] += document["cancelled"]
        world.asked_back[sent.order_id] = max(world.asked_back[sent.order_id], document["asked"])
        if whole:
            world.called_off.add(sent.order_id)
        else:
            world.wished[sent.order_id, line_id] += units

    path = f"/orders/{sent.order_id}/cancel"
    world.api(name, "POST", path, {"reason": "customer"} | some, then=answered)


def _what_was_wished_is_done_or_told(outcome: Outcome) -> Wrong:
    """Units that agents were to cancel are, but for those that have left all the same; and no others are."""
    world, kept = outcome.world, _kept(outcome)
    for name, order in outcome.orders.items():
        # A location may be asked once more for what it has refused before.
        promised = world.cancelled_at_once[name] + world.asked_back[name]
        cancelled = sum(line.cancelled for line in order.lines)
        ended = world.orders[name].cancelled or order_status(order) is OrderStatus.CANCELLED
        told = any(known.code == "cancel_refused" for known in order.exceptions)
        if promised > cancelled + kept[name]:
            yield f"of {name} {promised} units were to be cancelled: {cancelled} are, and {kept[name]} left"
        if promised > cancelled and not told:
            yield f"{name} does not say that units have left which were to be cancelled"
        if told and not kept[name]:
            yield f"{name} says that units have left which were to be cancelled, and none has"
        for line in order.lines:
            wished = world.wished[name, line.line_id]
            if line.cancelled > wished and name not in world.called_off and not ended:
                yield f"of {name} no more than {wished} were to be cancelled: {line}"
            if name in world.called_off and line.ordered > line.shipped + line.cancelled:
                yield f"{name} was called off and has units left: {line}"


def _kept(outcome: Outcome) -> Counter[str]:
    """Units by order that a location was asked to give up and has shipped: it has refused, or was faster."""
    kept: Counter[str] = Counter()
    for work in map(decode_fulfillment_order, outcome.by_type.get("fulfillment_order", ())):
        answers: list[Any] = [entry.data.get("refused", {}) for entry in work.journal]
        refused = sum(map(Counter, answers), Counter[str]())
        kept[work.order_id] += sum(min(line.shipped, refused[line.line_id]) for line in work.lines)
    return kept
