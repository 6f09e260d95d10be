"""The story of the demo: orders come in, parcels go out, two come back; then everything is checked."""

import json
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from infra.demo.baskets import BEYOND_STOCK, Basket, baskets, payload
from infra.demo.client import Api, Refused, post_webhook, shopify_headers
from infra.demo.neighbours import Neighbours
from infra.demo.retailer import CHANNEL, CHANNEL_SECRET, PLACES, POOL, SCARCE
from infra.demo.seeding import in_parallel, positions, seed
from infra.demo.shops import Told, sell_the_last, shops_open
from infra.demo.warehouse import Warehouse
from oms.orders.identity import order_id

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_PATIENCE_S = 150
"""How long nothing may happen before the story gives up: longer than a queue hides a message that failed."""

_PAUSE_S = 0.5
_SENDERS = 8
"""Connections that the channel delivers its webhooks over."""

type Positions = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Doors:
    """The public doors of a deployed stack, and where the servers of others stand."""

    api: Api
    warehouse_api: Api
    sqs: "SQSClient"
    requests_url: str
    fulfillment_url: str
    returns_url: str
    neighbours_url: str


@dataclass(slots=True)
class Outcome:
    """What the story ended with; `problems` is empty when everything is where it must be."""

    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    sources: dict[int, list[str]] = field(default_factory=dict)
    returns: dict[int, dict[str, Any]] = field(default_factory=dict)
    before: Positions = field(default_factory=dict)
    after: Positions = field(default_factory=dict)
    told: Told | None = None
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Progress:
    """Says what is going on and since when; one line is rewritten while something is awaited."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._open = False

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        """A line of its own."""
        print("\n" * self._open + f"[{self.seconds:5.1f} s] {text}", file=sys.stderr, flush=True)
        self._open = False

    def update(self, text: str) -> None:
        """The line that is rewritten; left out where nobody watches a terminal."""
        if sys.stderr.isatty():
            print(f"\r[{self.seconds:5.1f} s] {text}   ", end="", file=sys.stderr, flush=True)
            self._open = True


@dataclass(frozen=True, slots=True)
class ComingBack:
    """A parcel that comes back: which order, where it arrives, and what becomes of the units."""

    number: int
    location: str
    outcome: str


COMING_BACK = (
    ComingBack(1, "wh-getafe", "quarantine"),
    ComingBack(2, "st-chiado", "restock"),
)
"""One parcel by mail to a warehouse, one carried to a store that did not ship it."""


def play(doors: Doors, world: Neighbours, run: int, progress: Progress) -> Outcome:
    """Play the story once, on whatever is there already.

    Args:
        doors: of the stack.
        world: the servers of others.
        run: a number that no other run has had.
        progress: where to say what happens.
    """
    outcome = Outcome()
    made = baskets(run)
    progress.say("configuring locations, catalogue and stock")
    seeded = seed(doors.api)
    _prepare_scarcity(doors.api)
    progress.say(
        f"{seeded['locations']} locations, {seeded['skus']} skus, {seeded['positions_filled']} filled up"
    )
    with (
        shops_open(doors.api),
        Warehouse(doors.sqs, doors.requests_url, doors.fulfillment_url, doors.warehouse_api) as warehouse,
    ):
        _settle(doors.warehouse_api)
        outcome.before = positions(doors.api)
        outcome.problems += _send_orders(doors.api, made, progress)
        genuine = [basket for basket in made if basket.special != "tampered"]
        outcome.orders = _follow(doors.api, genuine, progress)
        outcome.told = sell_the_last(doors.api, world, doors.neighbours_url, run, _wait_for, progress.say)
        outcome.problems += outcome.told.problems
        outcome.problems += [f"the warehouse failed: {failure!r}" for failure in warehouse.failures]
    outcome.returns = _send_back(doors, outcome.orders, progress)
    outcome.orders |= _read(doors.api, genuine)
    outcome.sources = _sources(doors.api, outcome.orders)
    outcome.after = positions(doors.api)
    tampered = [basket for basket in made if basket.special == "tampered"]
    outcome.problems += _absent(doors.api, tampered)
    outcome.problems += check(genuine, outcome)
    outcome.seconds = progress.seconds
    return outcome


def check(made: list[Basket], outcome: Outcome) -> list[str]:
    """What is not as it must be: states of the orders, refunds of the returns, and the sum of all stock."""
    problems = []
    for basket in made:
        order = outcome.orders.get(basket.number)
        if order is None:
            problems.append(f"order {basket.number} never arrived")
            continue
        problems += _check_order(basket, order)
    for back in COMING_BACK:
        returned = outcome.returns.get(back.number)
        problems += _check_return(back, returned, outcome.orders.get(back.number))
    return problems + _check_stock(made, outcome)


def _prepare_scarcity(api: Api) -> None:
    """Leave exactly the scarce units that their order is to find, whatever waits from earlier runs."""

    def waiting(stock: dict[str, Any]) -> int:
        return sum(demand["waiting"] for demand in stock["demand"])

    stock = api.get(f"/stock/{SCARCE}")
    at_getafe = [held for held in stock["positions"] if held["location"] == "wh-getafe"]
    committed = sum(held["on_hand"] - held["uncommitted"] for held in at_getafe)
    on_hand = committed + waiting(stock) + BEYOND_STOCK["free"]
    now = datetime.now(UTC).isoformat()
    api.put(f"/stock/{SCARCE}/wh-getafe/count", {"on_hand": on_hand, "as_of": now})
    _wait_for(lambda: -waiting(api.get(f"/stock/{SCARCE}")), 0)  # what comes is given to them first
    api.put(f"/stock/{SCARCE}/demand/{POOL}", {"backorder_limit": BEYOND_STOCK["backorder"]})


def _settle(api: Api) -> None:
    """Wait until nothing is on its way at any location: an earlier run may have been interrupted."""

    def on_their_way() -> int:
        lists = [(place.id, state) for place in PLACES for state in ("released", "accepted")]
        found = in_parallel(
            lambda one: api.get("/fulfillment-orders", location=one[0], state=one[1])["items"], lists
        )
        return sum(map(len, found))

    _wait_for(lambda: -on_their_way(), 0)


def _send_orders(api: Api, made: list[Basket], progress: Progress) -> list[str]:
    """Deliver all webhooks at once; one of them twice, one with a byte changed after it was signed."""
    deliveries: list[tuple[Basket, bytes, dict[str, str], int]] = []
    for basket in made:
        body = payload(basket)
        headers = shopify_headers("orders/create", body, CHANNEL_SECRET)
        if basket.special == "tampered":
            deliveries.append(
                (basket, body.replace(b'"quantity": 1', b'"quantity": 9', 1) + b" ", headers, 401)
            )
            continue
        deliveries.append((basket, body, headers, 200))
        if basket.special == "duplicate":
            deliveries.append((basket, body, headers, 200))
    answers = in_parallel(lambda one: post_webhook(api.url, CHANNEL, one[1], one[2]), deliveries, _SENDERS)
    accepted = answers.count(200)
    progress.say(f"{len(deliveries)} webhooks delivered: {accepted} accepted, {answers.count(401)} refused")
    return [
        f"webhook of order {basket.number} was answered {answer}, not {expected}"
        for (basket, _, _, expected), answer in zip(deliveries, answers, strict=True)
        if answer != expected
    ]


def _follow(api: Api, made: list[Basket], progress: Progress) -> dict[int, dict[str, Any]]:
    """Watch the orders until every unit that had a source is delivered, or patience ends."""
    orders: dict[int, dict[str, Any]] = {}

    def steps() -> int:
        orders.update(_read(api, [basket for basket in made if not _is_done(orders.get(basket.number))]))
        parcels = sum(_is_done(order) for order in orders.values())
        progress.update(f"{len(orders)} of {len(made)} orders placed, {parcels} delivered")
        return len(orders) + parcels

    _wait_for(steps, 2 * len(made))
    delivered = sum(_is_done(order) for order in orders.values())
    progress.say(f"{len(orders)} orders placed, all sourced units of {delivered} delivered")
    return orders


def _send_back(
    doors: Doors, orders: dict[int, dict[str, Any]], progress: Progress
) -> dict[int, dict[str, Any]]:
    """Two parcels come back; each message is sent twice, as queues do."""
    returns: dict[int, dict[str, Any]] = {}
    for back in COMING_BACK:
        order = orders.get(back.number)
        if order is not None:
            line_id = order["lines"][0]["line_id"]
            for message in return_messages(order["order_id"], line_id, back.location, back.outcome):
                for _ in range(2):
                    doors.sqs.send_message(QueueUrl=doors.returns_url, MessageBody=json.dumps(message))

    def steps() -> int:
        for back in COMING_BACK:
            order = orders.get(back.number)
            found = doors.api.get(f"/orders/{order['order_id']}/returns")["items"] if order else []
            if found:
                returns[back.number] = found[0]
        progress.update(f"{len(returns)} of {len(COMING_BACK)} returns on their way")
        return len(returns) + sum(map(_disposed, returns.values()))

    _wait_for(steps, 2 * len(COMING_BACK))
    progress.say(f"{sum(_disposed(one) for one in returns.values())} parcels came back")
    return returns


def return_messages(order_id: str, line_id: str, location: str, outcome: str) -> list[dict[str, Any]]:
    """What is told of one unit that comes back to a location: asked for, received, disposed of."""
    lines = [{"line_id": line_id, "units": 1}]
    reference = f"demo-{uuid.uuid4().hex[:8]}"

    def message(kind: str, **more: Any) -> dict[str, Any]:
        return {
            "message_id": f"{reference}-{kind}",
            "type": kind,
            "occurred_at": datetime.now(UTC).isoformat(),
            "order_id": order_id,
            "reference": reference,
        } | more

    disposed = [line | {"outcome": outcome} for line in lines]
    return [
        message("requested", lines=[line | {"reason": "changed_mind"} for line in lines]),
        message("received", location=location, lines=lines),
        message("disposed", location=location, lines=disposed),
    ]


def _wait_for(steps: Callable[[], int], wanted: int) -> None:
    """Wait until as many steps are done as are wanted, or none has been for as long as patience lasts."""
    done, since = steps(), time.monotonic()
    while done != wanted and time.monotonic() - since < _PATIENCE_S:
        time.sleep(_PAUSE_S)
        before, done = done, steps()
        since = time.monotonic() if done != before else since


def _read(api: Api, made: list[Basket]) -> dict[int, dict[str, Any]]:
    """The orders of baskets that are there, by number."""

    def read(basket: Basket) -> dict[str, Any] | None:
        try:
            order: dict[str, Any] = api.get(f"/orders/{order_id(CHANNEL, basket.channel_order_id)}")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return order

    found = in_parallel(read, made)
    return {basket.number: order for basket, order in zip(made, found, strict=True) if order is not None}


def _sources(api: Api, orders: dict[int, dict[str, Any]]) -> dict[int, list[str]]:
    """The locations that have shipped something of each order."""
    shipments = in_parallel(lambda order: api.get(f"/orders/{order['order_id']}/shipments"), orders.values())
    return {
        number: sorted({shipment["location"] for shipment in answer["items"]})
        for number, answer in zip(orders, shipments, strict=True)
    }


def _absent(api: Api, made: list[Basket]) -> list[str]:
    return [f"order {number} was stored although its body had been changed" for number in _read(api, made)]


def _is_done(order: dict[str, Any] | None) -> bool:
    """Whether nothing of an order is on its way: every unit is delivered, waiting, or cancelled."""
    if order is None:
        return False
    return all(
        line["delivered"] + line["backordered"] + line["open"] + line["cancelled"] == line["ordered"]
        for line in order["lines"]
    )


def _disposed(returned: dict[str, Any] | None) -> bool:
    return returned is not None and returned["state"] == "disposed"


def _check_order(basket: Basket, order: dict[str, Any]) -> list[str]:
    units: dict[str, int] = {}
    for line in order["lines"]:
        units[line["sku"]] = units.get(line["sku"], 0) + line["ordered"]
    waits = BEYOND_STOCK if basket.special == "beyond_stock" else {"backorder": 0, "open": 0}
    expected = {
        "units": basket.units,
        "backordered": waits["backorder"],
        "open": waits["open"],
        "status": "placed" if basket.special == "beyond_stock" else "closed",
    }
    actual = {
        "units": units,
        "backordered": sum(line["backordered"] for line in order["lines"]),
        "open": sum(line["open"] for line in order["lines"]),
        "status": order["statuses"]["order"],
    }
    return [
        f"order {basket.number}: {name} is {actual[name]}, not {expected[name]}"
        for name in expected
        if actual[name] != expected[name]
    ]


def _check_return(
    back: ComingBack, returned: dict[str, Any] | None, order: dict[str, Any] | None
) -> list[str]:
    if returned is None or order is None or not _disposed(returned):
        return [f"the return of order {back.number} is not disposed of"]
    line = order["lines"][0]
    # The refund of one of n units is what the line's total falls by: T - floor(T * (n - 1) / n).
    paid = line["amount"] - line["discount"]
    due = paid - paid * (line["ordered"] - 1) // line["ordered"]
    refunds = [refund["amount"] for refund in returned["refunds"]]
    return [] if refunds == [due] else [f"the refunds of order {back.number} are {refunds}, not [{due}]"]


def _check_stock(made: list[Basket], outcome: Outcome) -> list[str]:
    """On hand before, less what was shipped, plus what came back, is that after; nothing is promised."""
    problems = []
    change: dict[str, int] = {}
    for order in outcome.orders.values():
        for line in order["lines"]:
            change[line["sku"]] = change.get(line["sku"], 0) - line["shipped"] + line["returned"]
    for sku in {sku for sku, _ in outcome.before | outcome.after}:
        before, after = (_sum(state, sku, "on_hand") for state in (outcome.before, outcome.after))
        if after - before != change.get(sku, 0):
            problems.append(f"{sku}: on hand went from {before} to {after}, not by {change.get(sku, 0)}")
        promised = _sum(outcome.after, sku, "allocated") - _sum(outcome.before, sku, "allocated")
        if promised:
            problems.append(f"{sku}: {promised} units are still allocated")
    for (sku, location), held in outcome.after.items():
        blocked = sum(held["blocked"].values())
        if held["uncommitted"] != held["on_hand"] - blocked - held["allocated"] - held["reserved"]:
            problems.append(f"{sku} at {location} does not add up: {held}")
        if held["uncommitted"] < 0:
            problems.append(f"{sku} at {location} was sold {-held['uncommitted']} times too often")
    return problems


def _sum(state: Positions, sku: str, counter: str) -> int:
    return sum(held[counter] for (name, _), held in state.items() if name == sku)
