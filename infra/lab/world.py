"""The world around the system: a retailer's shelves as they really are, and everybody who calls in.

The system keeps counters; the world keeps the truth that they have to come to: units on shelves, parcels that
left, units that came back. Nobody in it crashes, but everybody may be late, repeat himself and hear nothing.
"""

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any

from infra.lab.chance import Chance
from infra.lab.cloud import SPARED_AFTER, Cloud, Event
from infra.lab.scheduler import Scheduler
from infra.lab.substitutes import instant
from oms.inventory.model import CountBasis
from oms.inventory.network import Channel, Location, LocationKind, Pool
from oms.orders.identity import order_id
from oms.store import keys
from oms.store.keys import iso
from oms.store.table import Table
from oms.store.tokens import Scope

type Place = tuple[str, str]
"""A sku and a location."""

SECRET = base64.b64encode(b"the lab's shops sign with this").decode()
SHOPS = ("shop-a", "shop-b")
SHOP_API = "https://shop-a.invalid"
SUBSCRIBER = "https://erp.invalid/events"
SKUS = tuple(f"SKU-{number}" for number in range(1, 7))


def _location(name: str, kind: LocationKind, latitude: float, **more: Any) -> Location:
    return Location(name, name, kind, "retail", "ES", latitude, -3.7, **more)


LOCATIONS = (
    _location("wh-north", LocationKind.WAREHOUSE, 43.3, connector="wms"),
    _location("wh-south", LocationKind.WAREHOUSE, 37.4, connector="wms", safety_stock=1),
    _location("st-centre", LocationKind.STORE, 40.4, priority=200),
    _location("3pl-net", LocationKind.THIRD_PARTY, 41.6, connector="wms", count_basis=CountBasis.NET),
)
POOLS = (
    Pool("everywhere", tuple(location.id for location in LOCATIONS)),
    Pool("south", ("wh-south", "st-centre")),
)
PAYMENT_HOURS = 1
CHANNELS = (
    Channel("shop-a", "woocommerce", "everywhere", gives_refunds=True, payment_hours=PAYMENT_HOURS),
    Channel("shop-b", "generic", "south", grace_minutes=2, payment_hours=PAYMENT_HOURS),
)
"""Two shops whose pools share positions; the second waits before it releases, so that only the clock does."""

_SCOPES = " ".join(Scope)
_HEAR_S = 20.0


@dataclass(slots=True)
class Sent:
    """An order of a customer that a shop has sent: its versions, and which of them the system has taken.

    `doomed` are those that the shop is going to cancel, `cancelled` those of which the system knows. The
    customer pays `total`, and has still to while it is `unpaid`; `paid_at` is when he did. The parts of one
    that is `unbalanced` do not come to its sums. Of the first line `elsewhere` units are the shop's to ship.
    Of one that is `unheard` no delivery comes through; the shop lists it as `changed_at` a time.
    """

    channel: str
    channel_order_id: str
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    customer: str = ""
    total: int = 0
    unbalanced: bool = False
    unpaid: bool = False
    paid_at: float | None = None
    elsewhere: int = 0
    unheard: bool = False
    changed_at: float = 0.0
    doomed: bool = False
    cancelled: bool = False

    @property
    def order_id(self) -> str:
        """The id that it has in the system."""
        return _order_id(self.channel, self.channel_order_id)

    @property
    def person(self) -> str:
        """What it says of whoever has ordered, and nothing else does."""
        return f"Ab of {self.order_id}"


_order_id = cache(order_id)


@dataclass(slots=True)
class Work:
    """A fulfillment order as its location knows it."""

    public_id: str
    location: str
    message_id: str
    lines: dict[str, tuple[str, int]]

    @property
    def order_id(self) -> str:
        """Of which order it is."""
        return self.public_id.partition("-")[0]


type Hook = Callable[[Work, Mapping[str, int], str], None]
"""Told of a fulfillment order, units by line in one of its parcels, and the parcel's name."""


class World:
    """Everybody outside, and what is true there.

    Attributes:
        shelves: units that are really there, by sku and location.
        counted: when a position was counted last.
        orders: what shops have sent, by order id.
        shipped, delivered: units in parcels that left and arrived, by order id and line.
        returned: announced units that came back, by order id and line.
        cancelled, rejected: units that locations gave up, and that they said no to, by order id and line.
        works: fulfillment orders that locations know of, by public id.
        parcels: tracking numbers of all parcels that left, by id.
        on_leaving, on_parcel: told when a parcel leaves, and when it arrives.
        wrong: what the world itself has seen go wrong.
        tracked, silent: parcels that their carrier tells of, and those of which their location says nothing.
        aside: where units were put aside that may be promised.
        given_back: what shops say that they have given back, by order id.
        cancelled_at_once: units that agents have cancelled which no location had, by order id.
        asked_back: the most of which an agent was told that locations are asked for them, by order id.
        wished: units that an agent has named, by order id and line; some of them once more.
        called_off: orders of which agents have cancelled everything.
        served: whether servers of others are there.
        afterwards: what happens when all is quiet, days later.
        checks: what else must hold in the end.
        poison: ids and bodies of messages that nobody can understand.
    """

    def __init__(
        self, scheduler: Scheduler, cloud: Cloud, chance: Chance, acts: "frozenset[str] | None"
    ) -> None:
        self.scheduler = scheduler
        self.cloud = cloud
        self.chance = chance
        self.table = Table(_direct(cloud), cloud.table.name, pause=lambda seconds: None)
        self.shelves: Counter[Place] = Counter()
        self.counted: dict[Place, float] = {}
        self.orders: dict[str, Sent] = {}
        self.shipped: Counter[tuple[str, str]] = Counter()
        self.delivered: Counter[tuple[str, str]] = Counter()
        self.returned: Counter[tuple[str, str]] = Counter()
        self.cancelled: Counter[tuple[str, str]] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.works: dict[str, Work] = {}
        self.parcels: dict[str, str] = {}
        self.given_back: Counter[str] = Counter()
        self.tracked: set[str] = set()
        self.silent: set[str] = set()
        self.aside: set[Place] = set()
        self.cancelled_at_once: Counter[str] = Counter()
        self.asked_back: Counter[str] = Counter()
        self.wished: Counter[tuple[str, str]] = Counter()
        self.called_off: set[str] = set()
        self.served = False
        self.afterwards: list[Callable[[], None]] = []
        self.checks: list[Callable[[Any], Iterator[str]]] = []
        self.poison: set[str] = set()
        self.wrong: list[str] = []
        self.acted: list[str] = []
        self._left: dict[str, Counter[str]] = {}  # units that locations still mean to ship, by work and line
        self._left_at: dict[Place, str] = {}
        self._answered: set[tuple[str, int]] = set()
        self._denied: set[str] = set()  # works of which a location has rejected units: it does so once
        self.on_leaving: list[Hook] = []
        self.on_parcel: list[Hook] = []
        self._acts = acts
        cloud.consume("RequestsWmsQueue", self._take_requests)

    # ---- acts

    def act(self, name: str, at: float, action: Callable[[], None]) -> None:
        """Let something happen at a time, under a name; left out when the run is made smaller."""
        if self._acts is None or name in self._acts:
            self.acted.append(name)
            self.scheduler.at(at, action)

    @property
    def now(self) -> float:
        """Seconds since the run began."""
        return self.scheduler.now

    @property
    def instant(self) -> datetime:
        """The same as a date."""
        return instant(self.now)

    def time(self, at: float | None = None) -> str:
        """A time of the run as the wire has it; now by default."""
        return iso(instant(self.now if at is None else at))

    # ---- callers

    def api(
        self,
        name: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        then: Callable[[int, Any], None] = lambda status, document: None,
    ) -> None:
        """Call the API until it has answered with something else than a failure of its own.

        Args:
            name: tells the call apart; it is its idempotency key too.
            method: of the request.
            path: with its parameters.
            body: as JSON; None for none.
            query: parameters.
            headers: more of them, `If-Match` say.
            then: told status and document.
        """
        event: Event = {
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": method,
            "headers": {"Content-Type": "application/json", "Idempotency-Key": name, **(headers or {})},
            "multiValueQueryStringParameters": {key: [value] for key, value in (query or {}).items()} or None,
            "queryStringParameters": dict(query or {}) or None,
            "pathParameters": {"proxy": path.removeprefix("/")},
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {"requestId": name, "authorizer": {"name": "lab", "scopes": _SCOPES}},
        }
        self._until_answered("ApiFunction", f"api {name}", lambda: event, then)

    def webhook(self, name: str, channel: str, document: Mapping[str, Any], then: Callable[[], None]) -> None:
        """Send a delivery of a shop until it is taken."""
        body = json.dumps(document)
        message_id = f"msg_{name}"

        def event() -> Event:
            sent = str(int(instant(self.now).timestamp()))
            signed = f"{message_id}.{sent}.{body}".encode()
            digest = hmac.digest(base64.b64decode(SECRET), signed, hashlib.sha256)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": message_id,
                "webhook-timestamp": sent,
                "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
            }
            return {
                "resource": "/webhooks/{channel}",
                "path": f"/webhooks/{channel}",
                "httpMethod": "POST",
                "headers": headers,
                "queryStringParameters": None,
                "pathParameters": {"channel": channel},
                "body": body,
                "isBase64Encoded": False,
                "requestContext": {"requestId": name, "domainName": "oms.invalid", "path": "/"},
            }

        def taken(status: int, answer: Any) -> None:
            if status == 200:
                then()
            else:
                self.wrong.append(f"delivery {name} was refused with {status}: {answer}")

        self._until_answered("WebhooksFunction", f"webhook {name}", event, taken)

    def _until_answered(
        self,
        function: str,
        name: str,
        event: Callable[[], Event],
        then: Callable[[int, Any], None],
        attempt: int = 1,
    ) -> None:
        def done(answer: Any) -> None:
            status = 502 if answer is None else answer["statusCode"]
            if status >= 500 and status != 501:
                if attempt > 12:
                    self.wrong.append(f"{name} was never answered")
                    return
                again = self.now + self.chance.delay(_HEAR_S, "again", name, attempt)
                self.scheduler.at(
                    again, lambda: self._until_answered(function, name, event, then, attempt + 1)
                )
                return
            text = answer["body"]
            then(status, json.loads(text) if text[:1] in {"{", "["} else text)

        self.cloud.invoke(function, f"{name} #{attempt}", event(), done, spared=attempt > SPARED_AFTER)

    def report(self, name: str, queue: str, document: Mapping[str, Any], *, late: float = 2.0) -> None:
        """Send what somebody outside has to tell, some seconds later, perhaps twice."""
        body = json.dumps(document)
        for copy in range(2 if self.chance.happens(0.1, "twice", name) else 1):
            pause = self.chance.delay(late, "late", name, copy)
            if self.chance.happens(0.1, "later", name, copy):
                pause += self.chance.between(20, 200, "how late", name, copy)
            self.scheduler.at(self.now + pause, lambda: self.cloud.send(queue, body))

    # ---- shops

    def order(self, sent: Sent, version: str, document: dict[str, Any], name: str) -> None:
        """A shop sends a version of an order, or means to: then it has to be found in its list."""
        sent.versions[version] = document
        sent.changed_at = self.now
        self.orders[sent.order_id] = sent
        if sent.unheard:
            sent.taken.add(version)
            return
        self.webhook(name, sent.channel, document, lambda: sent.taken.add(version))

    def give_back(self, sent: Sent, name: str, amount: int) -> None:
        """A shop gives money back, and says so."""
        self.given_back[sent.order_id] += amount
        record = {
            "command": "refund_recorded",
            "channel_order_id": sent.channel_order_id,
            "refund_id": name,
            "currency": "EUR",
            "amount": amount,
            "lines": [],
            **dict.fromkeys(("shipping", "shipping_tax", "duties", "fees", "adjustment"), 0),
            "occurred_at": self.time(),
        }
        self.webhook(f"given back {name}", sent.channel, record, lambda: None)

    # ---- locations

    def _take_requests(self, records: Sequence[Event]) -> None:
        for record in records:
            request = json.loads(record["body"])
            if request["type"] == "fulfillment_cancel_requested":
                asked = {line["line_id"]: line["units"] for line in request["lines"]}
                self.give_up(request["fulfillment_order"], request["v"], asked, "queue")
                continue
            lines = {line["line_id"]: (line["sku"], line["units"]) for line in request["lines"]}
            self.take(
                Work(request["fulfillment_order"], request["location"], request["message_id"], lines), "queue"
            )

    def take(self, work: Work, way: str) -> None:
        """A location learns of a fulfillment order, once however often it is told, and starts to work."""
        known = self.works.get(work.public_id)
        if known is not None:
            if known != work:
                self.wrong.append(f"{work.public_id} was requested as {known} and as {work}")
            return
        self.works[work.public_id] = work
        self._left[work.public_id] = Counter({line: units for line, (_, units) in work.lines.items()})
        chance, name = self.chance, work.public_id
        pace = self._pace(work)
        accepted = self.now + chance.delay(20 * pace, "accepts", name)
        picking = accepted + chance.delay(30 * pace, "picks", name)
        if chance.happens(0.8, "says accepted", name):
            self.scheduler.at(accepted, lambda: self._tell(work, way, "accepted"))
        if chance.happens(0.3, "says picking", name):
            self.scheduler.at(picking, lambda: self._tell(work, way, "picking"))
        if chance.happens(0.06, "says no", name):
            self.scheduler.at(picking, partial(self._say_no, work, way))
        units = [(line, sku) for line, (sku, count) in work.lines.items() for _ in range(count)]
        cut = 1 + chance.below(len(units) - 1, "cut", name) if len(units) > 1 else 1
        parts = [units[:cut], units[cut:]] if chance.happens(0.3, "splits", name) else [units]
        for number, part in enumerate(filter(None, parts), 1):
            left = picking + chance.delay(40 * pace, "leaves", name, number)
            self.scheduler.at(left, partial(self._ship, work, way, number, Counter(part)))

    def _pace(self, work: Work) -> float:
        """Of some orders everything happens at once, in every location."""
        return 0.002 if self.chance.happens(0.4, "hurries", work.order_id) else 1.0

    def _say_no(self, work: Work, way: str) -> None:
        """A location does not ship some units: it has no time, they are damaged, or they are not there."""
        name = f"{work.public_id} says no"
        if work.public_id in self._denied:
            return
        self._denied.add(work.public_id)
        line = self.chance.choice(sorted(work.lines), "line", name)
        units = min(1, self._left[work.public_id][line])
        if not units:
            return
        place = work.lines[line][0], work.location
        # Where units were put aside, one that is short is one of these, and nothing is gone; so it is where a
        # count has left out parcels of which nobody has told.
        explained = place in self.aside or self.counted.get(place, 0) > 0
        reasons = ("capacity", "damaged", "short_pick")[: 2 if explained else 3]
        reason = self.chance.choice(reasons, "reason", name)
        self._left[work.public_id][line] -= units
        self.rejected[work.order_id, line] += units
        if reason == "short_pick":
            self.shelves[place] -= units
        known = {"v": 1} if self.chance.happens(0.5, "names a version", name) else {}  # before all requests
        lines = [{"line_id": line, "units": units}]
        self._tell(work, way, "rejected", lines=lines, reason=reason, **known)

    def give_up(self, public_id: str, v: int, asked: Mapping[str, int], way: str) -> None:
        """A location answers, once, whether it gives units up: those that have not left, if it likes."""
        if (public_id, v) in self._answered:
            return
        self._answered.add((public_id, v))
        work, left = self.works.get(public_id), self._left.get(public_id, Counter())
        if work is None:
            self.wrong.append(f"{public_id} is to be given up and was never requested")
            return
        if self.chance.happens(0.6, "says no before it looks", public_id):
            self._say_no(work, way)
        willing = self.chance.happens(0.8, "gives up", public_id, v)
        given = {line: min(units, left[line]) for line, units in asked.items() if willing and left[line]}
        for line, units in given.items():
            left[line] -= units
            self.cancelled[work.order_id, line] += units
        if given:
            lines = [{"line_id": line, "units": units} for line, units in given.items()]
            self._tell(work, way, "cancelled", lines=lines, v=v)
        else:
            self._tell(work, way, "cancel_refused", v=v)

    def _ship(self, work: Work, way: str, number: int, parcel: Counter[Place]) -> None:
        """A parcel leaves: whatever anybody is told, the shelf is lower now."""
        left_to_ship = self._left[work.public_id]
        parcel = Counter({key: min(units, left_to_ship[key[0]]) for key, units in parcel.items()})
        parcel = +parcel
        if not parcel:
            return
        for (line, sku), units in parcel.items():
            left_to_ship[line] -= units
            self.shelves[sku, work.location] -= units
            self._left_at[sku, work.location] = self.time()
            self.shipped[work.order_id, line] += units
            if self.shelves[sku, work.location] < 0:
                self.wrong.append(f"{work.location} has sold {sku} that it never had")
        name = f"{work.public_id} p{number}"
        tracking_number = f"T{work.public_id}-{number}"
        self.parcels[f"{work.public_id}.p{number}"] = tracking_number
        package = {
            "package_id": f"p{number}",
            "carrier": "lab",
            "tracking_number": tracking_number,
            "lines": [{"line_id": line, "units": units} for (line, _), units in parcel.items()],
        }
        self._tell(work, way, "shipped", package)
        left = self.now
        for hook in self.on_leaving:
            hook(work, {line: units for (line, _), units in parcel.items()}, name)
        arrives = self.now + self.chance.delay(120 * self._pace(work), "arrives", name)
        self.scheduler.at(arrives, lambda: self._arrive(work, way, package, left))

    def _arrive(self, work: Work, way: str, package: Mapping[str, Any], left: float) -> None:
        lines = {line["line_id"]: line["units"] for line in package["lines"]}
        for line, units in lines.items():
            self.delivered[work.order_id, line] += units
        at = self.now
        places = [(work.lines[line][0], work.location) for line in lines]
        order_id, _, name = work.public_id.partition("-")
        parcel = f"{work.public_id} {package['package_id']}"
        if parcel not in self.silent:
            self.after_count(
                places,
                left,
                lambda: (
                    self.table.get(keys.shipment(order_id, f"{name}.{package['package_id']}")) is not None
                ),
                lambda: self._tell(work, way, "delivered", package, at=at),
            )
        for hook in self.on_parcel:
            hook(work, lines, parcel)

    def after_count(
        self, places: Iterable[Place], since: float, known: Callable[[], bool], tell: Callable[[], None]
    ) -> None:
        """Tell what implies an earlier event; once that is known, if a count came between the two.

        What implies an event that nobody has reported (a delivery its shipment, a disposition its receipt) is
        booked with its own date. So a count between both dates is booked wrongly when the news overtake each
        other: a limit of the system that the lab knows of.
        """
        if any(self.counted.get(place, -1.0) >= since for place in places) and not known():
            self.scheduler.at(self.now + 30, lambda: self.after_count(places, since, known, tell))
        else:
            tell()

    def _tell(
        self,
        work: Work,
        way: str,
        kind: str,
        *packages: Mapping[str, Any],
        at: float | None = None,
        **more: object,
    ) -> None:
        """A location reports, by the queue or, where it has none, by the API."""
        parts = (work.public_id, kind, *(package["package_id"] for package in packages), more.get("v", ""))
        name = " ".join(map(str, parts)).strip()
        fact = {
            "message_id": hashlib.sha256(name.encode()).hexdigest()[:24],
            "type": kind,
            "occurred_at": self.time(at),
            "fulfillment_order": work.public_id,
        } | ({"packages": list(packages)} if packages else more)
        if way == "queue":
            self.report(name, "FulfillmentEventsQueue", fact, late=2 * self._pace(work))
            return
        pause = self.chance.delay(2 * self._pace(work), "late", name)
        self.scheduler.at(self.now + pause, lambda: self._post(name, fact))

    def _post(self, name: str, fact: Mapping[str, Any], attempt: int = 1) -> None:
        def answered(status: int, document: Any) -> None:
            if status == 200:
                return
            if attempt > 8:
                self.wrong.append(f"{name} was refused with {status}: {document}")
                return
            self.scheduler.at(self.now + 60, lambda: self._post(name, fact, attempt + 1))

        self.api(f"{name} {attempt}", "POST", "/fulfillment-events", fact, then=answered)

    def look_for_work(self, name: str) -> None:
        """The store's staff look at their pick list."""

        def seen(status: int, document: Any) -> None:
            for work in document["items"] if status == 200 else ():
                lines = {line["line_id"]: (line["sku"], line["requested"]) for line in work["lines"]}
                asked = {line["line_id"]: line["recalled"] for line in work["lines"] if line["recalled"]}
                self.take(Work(work["fulfillment_order"], "st-centre", "", lines), "api")
                if asked:
                    self.give_up(work["fulfillment_order"], work["v"], asked, "api")

        query = {"location": "st-centre", "limit": "100"}
        self.api(name, "GET", "/fulfillment-orders", query=query | {"state": "released"}, then=seen)
        query |= {"state": "cancel_requested"}
        self.api(f"{name} asked", "GET", "/fulfillment-orders", query=query, then=seen)

    # ---- stock

    def count(self, name: str, sku: str, location: str) -> None:
        """Staff count a position and send what they have found, some of them a while later.

        Times are told in milliseconds: in that in which a parcel has left nobody counts, as it could not be
        told which came first.
        """
        if self.time() == self._left_at.get((sku, location)):
            self.scheduler.at(self.now + 0.001, lambda: self.count(name, sku, location))
            return
        self.counted[sku, location] = self.now
        found = {"on_hand": self.shelves[sku, location], "as_of": self.time()}
        path = f"/stock/{sku}/{location}/count"
        send = partial(self.api, name, "PUT", path, found, then=partial(self.expect, name))
        late = self.chance.choice((0, 2, 30, 150), "told after", name)
        self.scheduler.at(self.now + late, send)

    def expect(self, name: str, status: int, document: Any) -> None:
        """Note a call that ought to have succeeded and did not."""
        if status != 200:
            self.wrong.append(f"{name} was refused with {status}: {document}")


def _direct(cloud: Cloud) -> Any:
    """The store without faults, as an operator reads it when all is quiet."""
    return cloud.table
