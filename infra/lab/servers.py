"""Servers of others: a shop's API and a subscriber's endpoint, which answer, and keep what they are told.

They are there in some of the runs. The shop is of WooCommerce's kind. It gives back the money that it is
asked for, lists what its deliveries have not told, and reports an order as cancelled when it is told to
cancel it. Whether a call is refused or its answer lost is up to `infra.lab.cloud`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from urllib.parse import parse_qsl, urlsplit

from infra.lab.invariants import Outcome, Wrong, public_events
from infra.lab.steps import cancel, step
from infra.lab.substitutes import instant
from infra.lab.world import SHOPS, SKUS, SUBSCRIBER, World
from oms.channels.exchange import Request, Response
from oms.channels.headers import Headers
from oms.events.subscribers import Subscriber
from oms.orders.identity import order_id
from oms.orders.model import Order
from oms.payments.refunds import RefundState
from oms.runtime.secrets import Keys
from oms.store import process
from oms.usecases.push_listing import units_for_sale
from oms.usecases.subscribe import subscribe

LIKELIHOOD = 0.15
"""Share of the runs that have servers: these take twice as long."""

_LAST_POLL_S = 4800.0
"""When nothing goes wrong any more, and what has changed is old enough to be listed."""


class Servers:
    """What the shop and the subscriber have taken.

    Attributes:
        levels: units of each item that may be sold, as the shop was told last.
        parcels: tracking numbers by order of the shop.
        refunds: amounts in minor units by order of the shop and key of the refund.
        cancelled: orders of the shop that it was told to cancel.
        events: the contents that the subscriber has had of each event, by its id.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.levels: dict[str, int] = {}
        self.parcels: defaultdict[str, set[str]] = defaultdict(set)
        self.refunds: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.cancelled: set[str] = set()
        self.events: defaultdict[str, set[bytes]] = defaultdict(set)

    def answer(self, request: Request) -> Response:
        """Do what is asked."""
        if request.url == SUBSCRIBER:
            self.events[json.loads(request.body)["id"]].add(request.body)
            return _said({})
        document = json.loads(request.body) if request.body else {}
        match request.method, *urlsplit(request.url).path.split("/")[4:]:
            case "GET", "orders":
                return _said(self._listed(dict(parse_qsl(urlsplit(request.url).query))))
            case "PUT", "products", item:
                self.levels[item] = document["stock_quantity"]
            case "GET", "orders", order, "shipment-trackings":
                return _said([{"tracking_number": number} for number in sorted(self.parcels[order])])
            case "POST", "orders", order, "shipment-trackings":
                self.parcels[order].add(document["tracking_number"])
            case "GET", "orders", order, "refunds":
                return _said([{"meta_data": [_field(key)]} for key in self.refunds[order]])
            case "POST", "orders", order, "refunds":
                (field,) = document["meta_data"]
                self._give_back(order, field["value"], int(Decimal(document["amount"]) * 100))
            case "PUT", "orders", order:
                if document["status"] == "cancelled":
                    self._cancel(order)
            case asked:
                self._world.wrong.append(f"the shop was asked {asked}")
        return _said({})

    def _listed(self, query: Mapping[str, str]) -> list[Mapping[str, object]]:
        """The latest versions of the shop's orders that have changed within some time."""
        ends = ("modified_after", "modified_before")
        after, before = (datetime.fromisoformat(f"{query[end]}Z") for end in ends)
        return [
            sent.versions[max(sent.versions)]
            for sent in self._world.orders.values()
            if sent.channel == SHOPS[0] and sent.versions and after < instant(sent.changed_at) <= before
        ]

    def _cancel(self, order: str) -> None:
        if order in self.cancelled:
            return
        self.cancelled.add(order)
        sent = self._world.orders[order_id(SHOPS[0], order)]
        at = self._world.now + self._world.chance.delay(5, "says cancelled", order)
        name = f"cancelled as told {order}"
        self._world.scheduler.at(at, partial(cancel, self._world, sent, name, at, "8"))

    def _give_back(self, order: str, key: str, amount: int) -> None:
        if key in self.refunds[order]:
            return  # told of at once by two, each of whom has asked before
        self.refunds[order][key] = amount
        sent = self._world.orders[order_id(SHOPS[0], order)]
        at = self._world.now + self._world.chance.delay(5, "given back", key)
        self._world.scheduler.at(at, partial(self._world.give_back, sent, key, amount))


def _field(key: str) -> dict[str, str]:
    return {"key": "_oms_refund", "value": key}


def _said(document: object) -> Response:
    return Response(200, Headers(), json.dumps(document).encode())


@step(
    *("subscribe", "notify_subscribers", "postponing", "record_listing"),
    *("push_events", "push_parcel", "push_refund", "push_cancel", "leave_to_person", "poll_channel"),
    always=True,
)
def others_listen(world: World, orders: int) -> None:
    """Somebody wants events, and the first shop is told of stock, parcels and refunds."""
    if not world.served:
        return
    servers = Servers(world)
    world.cloud.servers = servers.answer
    wanted = Subscriber("erp", SUBSCRIBER, ("order.*", "refund.*"))
    subscribe(world.table, Keys("KeysSecret.Id", lambda name: "the lab's keys"), wanted, lambda url: None)
    for sku in SKUS[:3]:
        name = f"listing of {sku}"
        listing = {"command": "listing_recorded", "item_id": f"{sku}-w", "sku": sku, "as_of": world.time(0)}
        at = world.chance.between(0, 60, name)
        world.act(name, at, partial(world.webhook, name, SHOPS[0], listing, lambda: None))
    for number, at in enumerate((300, 700, 1500, _LAST_POLL_S)):
        name = f"poll {number}"
        world.act(name, at, partial(world.cloud.send, "PublishQueue", '{"task": "poll_channels"}'))
    world.checks.append(partial(_subscriber_has_heard, servers))
    world.checks.append(partial(_shop_has_heard, servers))


def _subscriber_has_heard(servers: Servers, outcome: Outcome) -> Wrong:
    """Every public event that it wants, each time in the same words."""
    wanted = {
        name for name in public_events(outcome) if name.rpartition("#")[2].startswith(("order.", "refund."))
    }
    for name in sorted(wanted - servers.events.keys()):
        yield f"the subscriber was never told of event {name}"
    for name, contents in servers.events.items():
        if len(contents) > 1:
            yield f"the subscriber was told of event {name} in {len(contents)} ways"


def _shop_has_heard(servers: Servers, outcome: Outcome) -> Wrong:
    """Of each listing the latest truth, of each parcel, and it was asked for each refund that was due."""
    world = outcome.world
    network = process.network()
    for sku in SKUS[:3]:
        told = servers.levels.get(f"{sku}-w")
        units = units_for_sale(world.table, network, network.channels[SHOPS[0]], sku, world.instant)
        if f"listing of {sku}" in world.acted and told != units:
            yield f"the shop was told of {told} units of {sku}, and {units} are for sale"
    for order in outcome.orders.values():
        if order.channel == SHOPS[0]:
            yield from _order_was_told(servers, outcome, order)


def _order_was_told(servers: Servers, outcome: Outcome, order: Order) -> Iterator[str]:
    shop = outcome.world.orders[order.order_id].channel_order_id
    told = servers.parcels[shop]
    left = {number for name, number in outcome.world.parcels.items() if name.startswith(order.order_id)}
    if told != left:
        yield f"the shop was told of parcels {sorted(told)} of {shop}, and {sorted(left)} have left"
    whole = all(line.cancelled == line.ordered for line in order.lines)
    if shop in servers.cancelled and not whole:
        yield f"the shop was told to cancel {shop}, of which something is left"
    ours = not outcome.world.orders[order.order_id].cancelled
    if whole and ours and shop not in servers.cancelled:
        yield f"the shop was never told to cancel {shop}"
    by_person = any(known.code == "cancel_untold" for known in order.exceptions)
    if outcome.world.cancelled_at_once[order.order_id] and not whole and ours and not by_person:
        yield f"nobody is to tell the shop that units of {shop} are cancelled"
    for refund in outcome.refunds:
        asked = servers.refunds[shop].get(refund.public_id)
        if refund.order_id == order.order_id and asked not in (None, refund.amount):
            yield f"the shop was asked to give back {asked} for {refund}"
        if asked is not None and refund.state is not RefundState.SETTLED:
            yield f"the shop has given back {refund} and it is not settled"
