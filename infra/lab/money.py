"""Money in a run: some orders are paid after they have come, and shops give some money back by themselves."""

from functools import partial

from infra.lab.steps import BURST, PAUSE_S, step
from infra.lab.world import Sent, World


@step("record_money")
def shops_take_and_give_money(world: World, orders: int) -> None:
    """What is not paid yet is held, and paid; of what is cancelled the shop may give all back unasked."""
    chance = world.chance
    for number, sent in enumerate(list(world.orders.values())):
        came = number // BURST * PAUSE_S
        name = f"payment {number}"
        if sent.unpaid:
            at = max(0.5, came + chance.choice((0.05, 0.4, 5, 90), "paid after", name))
            world.act(name, at, partial(_pay, world, sent, name))
            if chance.happens(0.2, "paid twice", name):
                world.act(f"{name} again", at + 3, partial(_pay, world, sent, name, "again"))
        elif sent.doomed and chance.happens(0.4, "given back", name):
            at = max(0.5, came + chance.choice((0.05, 1, 30, 200), "given back after", name))
            world.act(f"{name} back", at, partial(world.give_back, sent, name, sent.total))


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
    sent.unpaid = False
    world.webhook(f"{name} {again}".strip(), sent.channel, record, lambda: None)
