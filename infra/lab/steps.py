"""What happens in a run: the steps, each with the use cases that it drives.

To bring a new use case into the lab, write a function that lets the world call it the way its users do (the
API, a webhook, a queue) at times drawn by name, and decorate it with `step`, naming the use case's module:

    @step("limit_backorders")
    def limit_backorders(world: World) -> None:
        for sku in SKUS:
            name = f"limit {sku}"
            world.act(name, world.chance.between(0, 60, name), lambda: world.api(name, "PUT", ...))

What the step makes true in the world (units on shelves, say) it also does there, in the same act; the
invariants (`infra.lab.invariants`) then compare. `tests/integration/test_lab_coverage.py` fails for a module
of `oms.usecases` that no run enters and that is not in `EXEMPT`.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from infra.lab.cloud import SKEW_S
from infra.lab.substitutes import instant
from infra.lab.world import SHOPS, SKUS, Sent, Work, World
from oms.orders.identity import SHARDS
from oms.orders.work import WorkStage
from oms.returns.model import Outcome, return_id
from oms.store import keys
from oms.store.returns import read_returns
from oms.store.writes import heat
from oms.usecases.heat import HOT_FOR

BURST = 5
"""Orders that come at nearly the same time."""

PAUSE_S = 40.0
_RUSH = 0.15
_SHIPPING = 499
_PRICES = dict(zip(SKUS, (999, 1250, 333, 10001, 500, 7), strict=True))


@dataclass(frozen=True, slots=True)
class Step:
    """A step, the modules of `oms.usecases` that it is there for, and whether every run has it."""

    play: Callable[[World, int], None]
    drives: tuple[str, ...]
    always: bool


STEPS: dict[str, Step] = {}
"""All steps, by name."""

EXEMPT: Mapping[str, str] = {
    "check_ledger": "an operator's proof; every run ends with it, when all is quiet",
    "configure": "stands before a run begins: `infra.lab.simulation` configures by it",
    "recompute_stock": "follows changes of the configuration, which stands before a run begins",
    "describe_sku": "stands before a run begins: `infra.lab.simulation` enters the catalogue by it",
    "figures": "no use case: what others have done, as metrics",
    "messages": "no use case: reads messages",
    "preconditions": "no use case: what must hold before one",
    "races": "no use case: how one tries again",
    "preview_sourcing": "reads alone",
    "profiles": "configuration: it stands before a run begins",
    "check_listings": "an operator's command, which reads the servers of others",
    "fetch_resource": "speaks to servers of others, which the lab does not have",
    "reoptimise_backlog": "off in the lab; its test of integration has its crashes and races",
    "replay_events": "an operator's command; what it sends again is what `relay_changes` sent",
    "give_up_waiting": "in days, which no run lasts; its own integration test has its crashes and races",
}
"""Modules that no step has to drive, and why."""


def step(
    *drives: str, always: bool = False
) -> Callable[[Callable[[World, int], None]], Callable[[World, int], None]]:
    """Enter a step into `STEPS`.

    Args:
        drives: modules of `oms.usecases` that it is there for.
        always: whether every run has it, as none comes to rest without it; half of them have any other.
    """

    def enter(play: Callable[[World, int], None]) -> Callable[[World, int], None]:
        STEPS[play.__name__] = Step(play, drives, always)
        return play

    return enter


@step(
    *("place_order", "place_orders", "heat", "relay_changes", "release_order", "refuse_short"),
    *("announce_stock", "push_listing"),
    always=True,
)
def shops_send_orders(world: World, orders: int) -> None:
    """Orders in bursts, over few skus; some twice, some in an old and a new version, in any order.

    In some runs there was a rush before them, so that the favourite sku is hot. Half of the runs have carts,
    half have orders that are not paid yet, and so on.
    """
    if world.chance.happens(_RUSH, "rush before"):
        world.table.commit(heat(SKUS[0], world.instant + HOT_FOR))
    chance = world.chance
    usual = {"unpaid": 0.2, "from a cart": 0.3, "repeats": 0.2, "newer": 0.25}
    likely = {what: chance.happens(0.5, "runs with", what) * usual[what] for what in usual}
    for number in range(orders):
        name = f"order {number}"
        channel = chance.choice(SHOPS, "shop", name)
        # Both shops number their orders from the same start, and so do their ids.
        sent = Sent(channel, f"{1000 + number // 2 if channel == 'shop-b' else 1000 + number}")
        if sent.order_id in world.orders:
            sent = Sent(channel, f"{5000 + number}")
        world.orders[sent.order_id] = sent
        at = number // BURST * PAUSE_S + chance.between(0, 0.05, "at", name)
        sent.unbalanced = chance.happens(0.05, "unbalanced", name)
        sent.unpaid = chance.happens(likely["unpaid"], "unpaid", name)
        own = channel == "shop-b" and not sent.unpaid and chance.happens(0.15, "elsewhere", name)
        listed = world.served and channel == SHOPS[0] and not sent.unpaid
        sent.unheard = listed and chance.happens(0.3, "unheard", name)
        placed = order_document(world, sent, name, at)
        if own:
            placed["lines"][0]["fulfilled_by"] = "channel"
            sent.elsewhere = placed["lines"][0]["quantity"]
        sent.customer = placed["customer"]["id"]
        sent.total = placed["total"]
        if sent.unpaid:
            placed["payments"] = []
        if chance.happens(likely["from a cart"], "from a cart", name):
            placed["reservation"] = _hold_cart(world, sent.channel, placed["lines"], name, at)
        _send(world, sent, "1", placed, name, at)
        if chance.happens(likely["repeats"], "repeats", name):
            _send(world, sent, "1", placed, f"{name} again", at + chance.delay(30, "repeats at", name))
        if chance.happens(likely["newer"], "newer", name):
            newer = placed | {"channel_version": "2"}
            _send(
                world,
                sent,
                "2",
                newer,
                f"{name} newer",
                at + chance.choice((-0.5, 0.02, 0.3, 5, 60), "newer at", name),
            )


def _hold_cart(world: World, channel: str, lines: list[dict[str, Any]], name: str, at: float) -> str:
    """The buyer's cart held the units before, or holds them too late, or did so for too short a time."""
    cart = f"cart-of-{name.replace(' ', '-')}"
    held = at - world.chance.choice((-0.02, 0.02, 3, 30), "held before", name)
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line["sku"]] += line["quantity"]
    body = {
        "channel": channel,
        "lines": [{"sku": sku, "units": units} for sku, units in sorted(wanted.items())],
        "expires_at": world.time(at + world.chance.choice((-1, 5, 300), "held for", name)),
        "partial": True,
    }
    world.act(cart, max(0.5, held), partial(world.api, cart, "PUT", f"/reservations/{cart}", body))
    return cart


def _send(world: World, sent: Sent, version: str, document: dict[str, Any], name: str, at: float) -> None:
    world.act(name, at, lambda: world.order(sent, version, document, name))


def order_document(world: World, sent: Sent, name: str, at: float) -> dict[str, Any]:
    """An order as its shop sends it: up to three lines, the favourite sku in half of all orders."""
    chance = world.chance
    lines: list[dict[str, Any]] = []
    for number in range(1 + chance.below(3, "lines", name)):
        favourite = chance.happens(0.5, "favourite", name, number)
        sku = SKUS[0] if favourite else chance.choice(SKUS, "sku", name, number)
        quantity = 1 + chance.below(3, "quantity", name, number)
        amount = _PRICES[sku] * quantity
        discount = chance.below(1 + amount // 4, "discount", name, number)
        lines.append(
            {
                "channel_line_id": f"{number + 1}",
                "kind": "physical",
                "fulfilled_by": "us",
                "delivery_id": "d1",
                "sku": sku,
                "title": sku,
                "quantity": quantity,
                "unit_price": _PRICES[sku],
                "amount": amount,
                "discount": discount,
                "tax": (amount - discount) * 21 // 121,
            }
        )
    discount = sum(line["discount"] for line in lines)
    total = sum(line["amount"] for line in lines) - discount + _SHIPPING
    address = {"name": sent.person, "line1": sent.person, "phone": sent.person, "city": "Madrid"}
    address |= {"postal_code": "28013", "country": "ES"}
    shipping = {"shipping": _SHIPPING, "shipping_tax": _SHIPPING * 21 // 121}
    delivery = {"id": "d1", "method": "ship", "service": "standard", "ship_to": address, **shipping}
    return {
        "command": "place_order",
        "channel_order_id": sent.channel_order_id,
        "channel_version": "1",
        "order_number": f"#{sent.channel_order_id}",
        "currency": "EUR",
        "presentment_currency": "EUR",
        "test": False,
        "cancelled": False,
        "placed_at": world.time(at),
        "tax_included": True,
        "customer": {"id": f"{chance.below(5, 'customer', name)}", "name": sent.person, "email": sent.person},
        "billing": address,
        "notes": sent.person,
        "deliveries": [delivery],
        "lines": lines,
        "discount": discount,
        "shipping": _SHIPPING,
        "fees": [],
        "duties": 0,
        "tip": 0,
        "tax": sum(line["tax"] for line in lines) + shipping["shipping_tax"] + sent.unbalanced,
        "total": total,
        "payments": [{"method": "card", "amount": total, "state": "captured"}],
    }


@step("sweep_due", always=True)
def the_clock_ticks(world: World, orders: int) -> None:
    """A tick each five minutes, and now and then two at once."""
    for number in range(4):
        for copy in range(2 if world.chance.happens(0.3, "two ticks", number) else 1):
            world.act(f"tick {number}.{copy}", 100.0 + 300 * number, lambda: tick(world))


def tick(world: World) -> None:
    """What the rule sends each minute."""
    world.cloud.send("ClockQueue", '{"tick": true}')


def look(world: World, stage: WorkStage) -> None:
    """Let the clock look at a stage alone, where something stands in it."""
    for shard in standing(world, stage):
        world.cloud.send("ClockQueue", page(stage, shard))


def standing(world: World, stage: WorkStage) -> Iterator[str]:
    """Shards of a stage in which something stands."""
    for shard in (f"{number:02d}" for number in range(SHARDS)):
        if world.table.keys_in_index("GSI1", keys.work(stage, shard), limit=1)[0]:
            yield shard


def page(stage: WorkStage, shard: str) -> str:
    """What lets the clock look at one stage of one shard: it costs less than a tick, which looks at all."""
    begin = {"PK": keys.ORDER, "SK": keys.HEADER_SK, "GSI1PK": keys.work(stage, shard), "GSI1SK": "0"}
    return json.dumps({"stage": stage, "shard": shard, "after": begin})


@step("record_fulfillment", always=True)
def the_store_looks_for_work(world: World, orders: int) -> None:
    """Staff of the location without a queue look at their pick list; the others are told by theirs."""
    for number in range(4):
        name = f"pick list {number}"
        world.act(name, 60.0 + 200 * number, partial(world.look_for_work, name))


@step("limit_backorders")
def limits_change(world: World, orders: int) -> None:
    """How much may be sold beyond what there is changes while orders come in."""
    for sku in SKUS[:3]:
        pool = world.chance.choice(("everywhere", "south"), "limited pool", sku)
        most = world.chance.choice((0, 1, 4, "unlimited"), "limit", sku)
        name = f"limit {sku}"
        path = f"/stock/{sku}/demand/{pool}"
        limit = partial(world.api, name, "PUT", path, {"backorder_limit": most})
        world.act(name, world.chance.between(0, 120, name), limit)


@step("count_stock")
def staff_count(world: World, orders: int) -> None:
    """Positions are counted, some while the news of a parcel that has left is under way, and some told late.

    Such a count leaves out the parcel already. Now and then it finds a forgotten unit.
    """

    def count(name: str, sku: str, location: str) -> None:
        world.shelves[sku, location] += world.chance.below(2, "found", name)
        world.count(name, sku, location)

    def left(work: Work, lines: Mapping[str, int], name: str) -> None:
        line = world.chance.choice(sorted(lines), "counted line", name)
        place = work.lines[line][0], work.location
        if work.location != "3pl-net" and world.chance.happens(0.15, "counts", name):
            at = world.now + world.chance.choice((0.001, 0.5, 3), "counted after", name)
            world.act(f"count after {name}", at, partial(count, f"count after {name}", *place))

    world.on_leaving.append(left)
    for number in range(2):
        name = f"count {number}"
        sku = world.chance.choice(SKUS, "counted", name)
        location = world.chance.choice(("wh-north", "wh-south", "st-centre"), "counted at", name)
        world.act(name, world.chance.between(20, 500, name), partial(count, name, sku, location))


@step("cancel_order", "judge_order", "record_rejection", "source_order")
def shops_cancel(world: World, orders: int) -> None:
    """Shops cancel some orders: before they have come in, at once, or when they are on their way."""
    for number, sent in enumerate(list(world.orders.values())):
        name = f"cancel {number}"
        if not sent.elsewhere and world.chance.happens(0.15, name):
            sent.doomed = True
            pause = world.chance.choice((-0.4, 0.03, 1, 20, 60, 150), "cancelled after", name)
            at = max(0.5, number // BURST * PAUSE_S + pause)
            world.act(name, at, partial(cancel, world, sent, name, at, "9"))


def cancel(world: World, sent: Sent, name: str, at: float, version: str) -> None:
    """A shop cancels an order at a time, which makes a version of it."""

    def taken() -> None:
        sent.cancelled = True

    document = {
        "command": "cancel_order",
        "channel_order_id": sent.channel_order_id,
        "channel_version": version,
        "reason": "customer",
        "cancelled_at": world.time(at),
    }
    world.webhook(name, sent.channel, document, taken)


@step("lift_hold")
def agents_lift_holds(world: World, orders: int) -> None:
    """An agent lifts a hold where there is none: orders here come paid and addressed, so it is refused."""
    for number, sent in enumerate(list(world.orders.values())[:2]):
        name = f"lift {number}"
        path = f"/orders/{sent.order_id}/holds/manual/release"
        world.act(name, world.chance.between(5, 300, name), partial(world.api, name, "POST", path))


@step("move_allocation")
def agents_move_units(world: World, orders: int) -> None:
    """An agent lets units come from elsewhere; refused where none is allocated, or none free."""
    for number, sent in enumerate(list(world.orders.values())):
        name = f"move {number}"
        origin, to = world.chance.choice(
            (("wh-north", "wh-south"), ("wh-south", "wh-north"), ("st-centre", "wh-north")), "way", name
        )
        path = f"/orders/{sent.order_id}/lines/1/move"
        body = {"from_location": origin, "to_location": to}
        if world.chance.happens(0.3, name):
            at = number // BURST * PAUSE_S + world.chance.choice((2, 5, 30), "moved after", name)
            world.act(name, at, partial(world.api, name, "POST", path, body))


@step(
    *("receive_stock", "announce_supply", "serve_waiting", "expect_waiting", "wake_waiting"),
    *("record_movements", "follow_stock", "count_load"),
)
def goods_come_in(world: World, orders: int) -> None:
    """Goods come in, some of them announced; what waits for them is served."""
    for number in range(3):
        name = f"goods {number}"
        sku, location = _place(world, name)
        units = 1 + world.chance.below(6, "units", name)
        at = world.chance.between(60, 700, name)
        supply = name.replace(" ", "-") if world.chance.happens(0.5, "announced", name) else None
        if supply:
            path = f"/stock/{sku}/supply/{supply}"
            plan = {"location": location, "due": world.time(at + 3600), "expected": units}
            says = world.chance.between(0, 700, "announced at", name)
            world.act(f"{name} announced", says, partial(_ask, world, f"{name} announced", "PUT", path, plan))
        world.act(name, at, partial(_come_in, world, name, (sku, location), units, supply))


def _place(world: World, name: str) -> tuple[str, str]:
    return (
        world.chance.choice(SKUS, "sku", name),
        world.chance.choice(("wh-north", "wh-south", "st-centre"), "location", name),
    )


def _ask(world: World, name: str, method: str, path: str, body: object) -> None:
    """Call the API for something that may not be refused."""
    world.api(name, method, path, body, then=partial(world.expect, name))


def _come_in(world: World, name: str, place: tuple[str, str], units: int, supply: str | None) -> None:
    world.shelves[place] += units
    body = {
        "location": place[1],
        "occurred_at": world.time(),
        "reference": name,
        "lines": [{"sku": place[0], "units": units}],
    }
    _ask(world, name, "POST", "/receipts", body | ({"supply": supply} if supply else {}))


@step("correct_stock", "resolve_shortage")
def staff_correct(world: World, orders: int) -> None:
    """Staff find units, and put some aside that look damaged: promised ones too."""
    for number in range(2):
        name = f"found {number}"
        place = _place(world, name)
        world.act(name, world.chance.between(20, 500, name), partial(_find, world, name, place))
    for number in range(6):
        name = f"aside {number}"
        _, location = _place(world, name)
        path = f"/stock/{SKUS[0]}/{location}/block"
        body = {"units": 1 + number % 2, "reason": "quality_control"}
        world.aside.add((SKUS[0], location))
        # Refused where nothing is there.
        world.act(name, world.chance.between(20, 500, name), partial(world.api, name, "POST", path, body))


def _find(world: World, name: str, place: tuple[str, str]) -> None:
    world.shelves[place] += 1
    body = {"units": 1, "reason": "found", "occurred_at": world.time()}
    _ask(world, name, "POST", f"/stock/{place[0]}/{place[1]}/adjustments", body)


@step("reserve_cart", "end_reservations")
def carts_reserve(world: World, orders: int) -> None:
    """Carts hold units for some minutes; some are given up before."""
    for number in range(4):
        name = f"cart-{number}"
        sku, units = world.chance.choice(SKUS[:3], "sku", name), 1 + world.chance.below(2, "units", name)
        at = world.chance.between(0, 200, name)
        path = f"/reservations/{name}"
        body = {
            "channel": world.chance.choice(SHOPS, "shop", name),
            "lines": [{"sku": sku, "units": units}],
            "expires_at": world.time(at + world.chance.choice((70, 200, 900), "held", name)),
            "partial": True,
        }
        world.act(name, at, partial(world.api, name, "PUT", path, body))
        if world.chance.happens(0.4, "given up", name):
            gone = at + world.chance.choice((0.01, 30, 75, 210), "given up after", name)
            world.act(f"{name} gone", gone, partial(world.api, f"{name} gone", "DELETE", path))


@step("record_return", "announce_return")
def customers_send_back(world: World, orders: int) -> None:
    """Of a third of all parcels something comes back, announced or not; the messages overtake each other."""

    def arrived(work: Work, lines: Mapping[str, int], name: str) -> None:
        # What is under way of a cancelled order is called back as a whole: nobody else can announce it.
        doomed = world.orders[work.order_id].doomed
        if not doomed and world.chance.happens(0.35, "returns", name):
            world.act(
                f"return {name}",
                world.now + world.chance.delay(60, "asks", name),
                lambda: send_back(world, work, lines, name),
            )

    world.on_parcel.append(arrived)


def send_back(world: World, work: Work, lines: Mapping[str, int], name: str) -> None:
    """Some units of a parcel are announced, come in somewhere, and something becomes of them."""
    chance = world.chance
    line_id = chance.choice(sorted(lines), "returned line", name)
    units = 1 + chance.below(lines[line_id], "returned units", name)
    sku = work.lines[line_id][0]
    location = chance.choice(("wh-south", "st-centre"), "returned to", name)
    announced = chance.happens(0.85, "announced", name)
    reference = f"ref {name}"
    outcome = chance.choice(tuple(Outcome), "outcome", name)
    base = {"order_id": work.order_id, "reference": reference}

    def say(kind: str, more: Mapping[str, Any], line: Mapping[str, Any], at: float | None = None) -> None:
        message = {
            "message_id": f"{kind} {name}",
            "type": kind,
            "occurred_at": world.time(at),
            **base,
            **more,
        }
        world.report(f"{kind} {name}", "ReturnEventsQueue", message | {"lines": [line]}, late=30)

    def come_in() -> None:
        world.shelves[sku, location] += units
        if announced:
            world.returned[work.order_id, line_id] += units
        say("received", {"location": location}, {"line_id": line_id, "units": units})

    def dispose() -> None:
        # Units that a count has put up for sale before anybody told that they came back may be sold.
        counted = world.counted.get((sku, location), -1.0)
        sold = counted >= comes_in and not received(by=counted - SKEW_S)
        fate = Outcome.RESTOCK if sold and outcome is Outcome.SCRAP else outcome
        if fate is Outcome.SCRAP:
            world.shelves[sku, location] -= units
        line = {"line_id": line_id, "units": units, "outcome": str(fate)}
        told = partial(say, "disposed", {"location": location}, line, world.now)
        world.after_count([(sku, location)], comes_in, received, told)

    def received(by: float | None = None) -> bool:
        known = read_returns(world.table, work.order_id).get(return_id(work.order_id, reference))
        return known is not None and any(
            entry.data.get("message") == f"received {name}" and (by is None or entry.at <= instant(by))
            for entry in known.journal
        )

    if announced and chance.happens(0.3, "announced by the shop", name):
        _announce(world, world.orders[work.order_id], reference, line_id, units)
    elif announced:
        say("requested", {}, {"line_id": line_id, "units": units})
    comes_in = world.now + chance.delay(60, "comes in", name)
    world.scheduler.at(comes_in, come_in)
    disposed = comes_in + 60 + chance.delay(60, "disposed", name)
    world.scheduler.at(disposed, dispose)


def _announce(world: World, sent: Sent, reference: str, line_id: str, units: int) -> None:
    """The shop says what will come back: that it was asked for and approved, in any order, or only one."""
    line = {"return_line_id": "1", "channel_line_id": line_id, "quantity": units}
    said = ("requested", "open", "open")[world.chance.below(3, "told", reference) :]
    for number, status in enumerate(said):
        record = {
            "command": "return_recorded",
            "channel_order_id": sent.channel_order_id,
            "return_id": reference,
            "status": status,
            "lines": [line | {"reason": "too small", "notes": None}],
            "reason": None,
            "occurred_at": world.time(),
        }
        name = f"return {reference} {status} {number}"
        at = world.now + world.chance.delay(20, "told after", name)
        world.act(name, at, partial(world.webhook, name, sent.channel, record, lambda: None))


@step("park_command")
def poison_arrives(world: World, orders: int) -> None:
    """Now and then a message that nobody can understand: it ends as a dead letter, and holds nobody up."""
    for queue in ("InboundQueue", "SourcingQueue", "FulfillmentEventsQueue", "ReturnEventsQueue"):
        name = f"poison {queue}"
        if world.chance.happens(0.15, name):
            body = world.chance.choice(
                ('{"not": "known"}', "[]", "not json", '{"type": "release"}'), "body", name
            )
            world.poison.add(body)
            at = world.chance.between(0, 200, "poison at", name)
            world.act(name, at, partial(world.cloud.send, queue, body))
