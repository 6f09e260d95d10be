"""Money in a run: some orders are paid after they have come, late or never; shops give some money back."""

from functools import partial

from infra.lab.invariants import Outcome, Wrong
from infra.lab.steps import BURST, PAUSE_S, look, step
from infra.lab.world import PAYMENT_HOURS, Sent, World
from oms.orders.cancelling import CancelReason
from oms.orders.work import WorkStage

_TERM_S = PAYMENT_HOURS * 3600.0
_UNPAID_LIKELIHOOD = 0.4
_LATE_S = 300.0
"""How long after its time is over an order that nobody has paid is gone for sure."""


@step("record_money", always=True)
def shops_take_and_give_money(world: World, orders: int) -> None:
    """What is not paid yet is held, and paid; of what is cancelled the shop may give all back unasked."""
    chance = world.chance
    for number, sent in enumerate(list(world.orders.values())):
        came = number // BURST * PAUSE_S
        name = f"payment {number}"
        if sent.unpaid and chance.happens(_UNPAID_LIKELIHOOD, "pays late", name):
            after = chance.choice((_TERM_S - 900, _TERM_S, _TERM_S + 40, _TERM_S + _LATE_S), "late", name)
            if chance.happens(0.5, "pays at all", name):
                world.act(name, came + after, partial(_pay, world, sent, name))
        elif sent.unpaid:
            at = max(0.5, came + chance.choice((0.05, 0.4, 5, 90), "paid after", name))
            world.act(name, at, partial(_pay, world, sent, name))
            if chance.happens(0.2, "paid twice", name):
                world.act(f"{name} again", at + 3, partial(_pay, world, sent, name, "again"))
        elif sent.doomed and chance.happens(0.4, "given back", name):
            at = max(0.5, came + chance.choice((0.05, 1, 30, 200), "given back after", name))
            world.act(f"{name} back", at, partial(world.give_back, sent, name, sent.total))


@step("expire_unpaid", always=True)
def time_to_pay_ends(world: World, orders: int) -> None:
    """The clock looks at what nobody has paid, while some still pay."""
    last = orders // BURST * PAUSE_S + _TERM_S
    for number, at in enumerate((_TERM_S + 1, _TERM_S + 42, last + 2, last + 100)):
        world.act(f"time to pay {number}", at, partial(look, world, WorkStage.UNPAID))
    world.checks.append(_unpaid_ends)


def _unpaid_ends(outcome: Outcome) -> Wrong:
    """What nobody pays is cancelled, and what somebody pays in time is not for that."""
    for order in outcome.orders.values():
        sent = outcome.world.orders[order.order_id]
        kept = sum(line.ordered - line.cancelled for line in order.lines)
        if sent.unpaid and kept:
            yield f"order {order.order_id} is not paid and keeps {kept} units"
        expired = any(entry.data.get("reason") == CancelReason.EXPIRED for entry in order.journal)
        if expired and sent.paid_at is not None and sent.paid_at < _TERM_S - 600:
            yield f"order {order.order_id} was paid at {sent.paid_at} and has expired"


def _pay(world: World, sent: Sent, name: str, again: str = "") -> None:
    """The customer pays, or the shop says once more that he has."""
    record = {
        "command": "payment_recorded",
        "channel_order_id": sent.channel_order_id,
        "payment_id": name,
        "parent_id": None,
        "kind": world.chance.choice(("sale", "capture"), "kind", name),
        "outcome": "success",
        "amount": sent.total,
        "currency": "EUR",
        "method": "card",
        "test": False,
        "occurred_at": world.time(),
    }
    sent.unpaid, sent.paid_at = False, world.now
    world.webhook(f"{name} {again}".strip(), sent.channel, record, lambda: None)
