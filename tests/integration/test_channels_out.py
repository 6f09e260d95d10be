"""From a sale to every channel's server: through stream, queues and publisher, on a clock of ours."""

import heapq
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from functions.availability import handler as availability
from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.publishing import KINDS
from oms.events.publish import Queue
from oms.inventory.model import Delta, Price, Sku
from oms.inventory.network import Aspect, Channel, Location, Network, Pool
from oms.runtime import clients
from oms.store import process
from oms.store.configuration import CACHE_S, read_network
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.configure import configure
from oms.usecases.describe_sku import describe_sku
from oms.usecases.place_order import place_order
from oms.usecases.record_listing import record_listing
from tests.builders import LYON, MADRID, NOW, command, line
from tests.fakes_channels import API, SKU, FakeChannel
from tests.fakes_http import Asked, FakeServer, Says, serving
from tests.listed import LISTED
from tests.outlets import Receiver
from tests.recorder import RecordingTable
from tests.shelves import fill, position

STREAM_S = 1.0
"""How late the stream is; the real one takes a fraction of it."""

GATHERING_S = 6.0
DEDUPLICATION_S = 300.0
"""What the queue that gathers does: it delays, and takes one message of an id in five minutes."""


@dataclass
class Shop:
    """A channel's server, and when it was told what (seconds after the beginning)."""

    server: FakeServer
    fake: FakeChannel
    told: list[tuple[float, int]] = field(default_factory=list)


@dataclass
class Retailer:
    """One shelf and a channel of every kind, with the parts of the system between them."""

    table: RecordingTable
    receiver: Receiver
    network: Network
    shops: dict[str, Shop] = field(default_factory=dict)
    now: datetime = NOW
    waiting: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    taken: dict[str, datetime] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)

    def at(self, seconds: float, then: Callable[[], None]) -> None:
        """Something happens some seconds after the beginning."""
        heapq.heappush(self.waiting, (NOW + timedelta(seconds=seconds), next(self.numbers), then))

    def seconds(self) -> float:
        """Time since the beginning."""
        return (self.now - NOW).total_seconds()

    def run(self, until_s: float = float("inf")) -> None:
        """Let time pass until nothing waits any more, or until some moment."""
        self._follow()
        while self.waiting and (self.waiting[0][0] - NOW).total_seconds() <= until_s:
            at, _, then = heapq.heappop(self.waiting)
            self.now = max(self.now, at)
            then()
            self._follow()

    def move(self, units: int) -> None:
        """Units come to the shelf or leave it."""
        self.table.commit(move(SKU, "wh-madrid", Delta(on_hand=units), Why("sale", "t", "t", self.now)))

    def sell(self, channel: str, units: int, number: str = "5001") -> None:
        """An order of a channel is placed."""
        sold = command(line(SKU, units), channel=channel, channel_order_id=number)
        place_order(self.table, self.network, sold, self.now)

    def configure(self, thing: Channel | Pool | Location) -> None:
        """The configuration changes; processes that have read it go on with what they have read."""
        configure(self.table, thing, {"wms"})
        self.at(self.seconds() + CACHE_S, self._read)

    def _read(self) -> None:
        self.network = read_network(self.table)

    def last(self) -> dict[str, int | None]:
        """What each channel sells from."""
        return {name: shop.fake.stock for name, shop in self.shops.items()}

    def _follow(self) -> None:
        """The stream and the queues take what has been written and sent."""
        made, self.table.records = self.table.records, []
        for record in made:
            if not record["dynamodb"]["Keys"]["PK"]["S"].startswith(("SKU#", "CFG#")):
                continue
            self.at(self.seconds() + STREAM_S, lambda record=record: self._stream(record))  # type: ignore[misc]
        sent, self.receiver.taken = self.receiver.taken, []
        for entry in sent:
            if entry["QueueUrl"].endswith("/sourcing"):
                continue
            delay = float(entry.get("DelaySeconds", 0))
            if entry["QueueUrl"].endswith(".fifo"):
                first = self.taken.get(entry["MessageDeduplicationId"])
                if first is not None and (self.now - first).total_seconds() < DEDUPLICATION_S:
                    continue
                self.taken[entry["MessageDeduplicationId"]] = self.now
                delay = GATHERING_S
            self.at(self.seconds() + delay, lambda body=entry["MessageBody"]: self._publish(body))  # type: ignore[misc]

    def _stream(self, record: Mapping[str, Any]) -> None:
        assert availability.handler({"Records": [record]}, None)["batchItemFailures"] == []

    def _publish(self, body: str) -> None:
        answer = publisher.handler({"Records": [{"messageId": "1", "body": body}]}, None)
        if answer["batchItemFailures"]:
            self.dead.append(body)


@pytest.fixture
def retailer(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Retailer]:
    receiver = Receiver()
    for name, value in {
        "CHANNEL_SECRET_PREFIX": "oms/channels/",
        "INBOUND_QUEUE_URL": "https://sqs/inbound",
        "SOURCING_QUEUE_URL": "https://sqs/sourcing",
        "STREAM_FAILURES": "report",
        "REACH": "any",
    }.items():
        monkeypatch.setenv(name, value)
    network = read_network(table)
    places: list[Location | Pool] = [*network.locations.values(), *network.pools.values()]
    for thing in (*places, *(Channel(kind, kind, "iberia") for kind in KINDS)):
        configure(table, thing, {"wms"})
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    for cached in (calls.configured, calls.client, calls.apis):
        cached.cache_clear()
    fill(table, SKU, wh_madrid=7)
    world = Retailer(RecordingTable(table, ""), receiver, read_network(table))
    monkeypatch.setattr(process, "network", lambda *_: world.network)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(world.now.timestamp(), tz or UTC)

    monkeypatch.setattr(publisher, "datetime", Clock)
    monkeypatch.setattr(availability, "datetime", Clock)
    monkeypatch.setattr(calls.client(), "_clock", world.seconds)
    monkeypatch.setattr(calls.client(), "_pause", lambda seconds: None)
    with ExitStack() as open_:
        for kind in KINDS:
            server = open_.enter_context(serving())
            shop = world.shops[kind] = Shop(server, FakeChannel(kind))
            server.answering = _remembering(world, shop)
            secret = {"kind": kind, "secrets": ["s"], "api": {"url": server.url, **API}}
            clients.secrets().create_secret(Name=f"oms/channels/{kind}", SecretString=json.dumps(secret))
            queue = Queue(receiver.queue, "https://sqs/publish")
            record_listing(table, world.network, queue, replace(LISTED, channel=kind))
        world.run()
        world.now = NOW + timedelta(seconds=60)
        yield world


def _remembering(world: Retailer, shop: Shop) -> Callable[[Asked], Says]:
    def answer(asked: Asked) -> Says:
        before = len(shop.fake.levels)
        says = shop.fake.answer(asked)
        shop.told += [(world.seconds(), level) for level in shop.fake.levels[before:]]
        return says

    return answer


# ---- What can go wrong -------------------------------------------------------------------------------------


def test_a_channel_that_is_down_for_an_hour_is_not_hammered_keeps_no_other_waiting_and_converges(
    retailer: Retailer,
) -> None:
    down = retailer.shops["woocommerce"]
    down.server.faults = [Says(503)] * 100_000
    asked = len(down.server.asked)
    for minute in range(60):
        begin = 60.0 * (minute + 1)
        retailer.at(begin, lambda units=1 if minute % 2 else -1: retailer.move(units))  # type: ignore[misc]
        retailer.run(begin + 30)
        true = position(retailer.table, SKU, "wh-madrid").uncommitted
        others = {name: level for name, level in retailer.last().items() if name != "woocommerce"}
        assert set(others.values()) == {true}
    assert len(down.server.asked) - asked < 60
    down.server.faults = []
    retailer.at(retailer.seconds() + 1, lambda: retailer.move(-2))
    retailer.run()
    assert set(retailer.last().values()) == {5}
    assert retailer.dead == []


# ---- What goes right ---------------------------------------------------------------------------------------


def test_a_sale_that_takes_the_last_units_reaches_every_channel_as_none_within_ten_seconds(
    retailer: Retailer,
) -> None:
    """Also when the channels were told of another sale the moment before."""
    begin = retailer.seconds()
    retailer.at(begin, lambda: retailer.sell("shopify", 1))
    retailer.at(begin + 7, lambda: retailer.sell("ebay", 6, "5002"))
    retailer.run()
    for shop in retailer.shops.values():
        (moment, level) = shop.told[-1]
        assert (level, moment - (begin + 7) <= 10) == (0, True), shop.told


@pytest.mark.parametrize("around", [500, 0])
def test_a_thousand_changes_in_a_minute_are_at_most_thirteen_statements_to_each_and_the_last_is_true(
    around: int, retailer: Retailer
) -> None:
    """Far above nothing, and on a shelf that is emptied and filled again all the time."""
    if around:
        retailer.move(around)
        retailer.run()
    else:
        retailer.move(-7)
        retailer.run()
    begin = retailer.seconds() + 60
    told = {name: len(shop.told) for name, shop in retailer.shops.items()}
    up = 2 if around else 1  # a level that a channel knows already is not told
    for number in range(1000):
        units = up if number % 2 == 0 else -1
        retailer.at(begin + 0.06 * number, lambda units=units: retailer.move(units))  # type: ignore[misc]
    retailer.at(begin + 60, lambda: retailer.move(1))
    retailer.run()
    true = position(retailer.table, SKU, "wh-madrid").uncommitted
    assert true == (around + 7 + 500 if around else 0) + 1
    assert set(retailer.last().values()) == {true}
    for name, shop in retailer.shops.items():
        assert 9 <= len(shop.told) - told[name] <= 13, shop.told[told[name] :]


# ---- The configuration changes -----------------------------------------------------------------------------


def shopify(**changes: Any) -> Channel:
    return replace(Channel("shopify", "shopify", "iberia"), **changes)


@pytest.mark.parametrize(
    ("things", "told"),
    [
        ([shopify(buffer=3)], {"shopify": 4}),
        ([replace(MADRID, safety_stock=2)], dict.fromkeys(KINDS, 5)),
        ([replace(MADRID, active=False)], dict.fromkeys(KINDS, 0)),
        ([replace(MADRID, active=False), MADRID], {}),
        ([Pool("iberia", ("wh-lyon", "st-gracia"))], dict.fromkeys(KINDS, 0)),
        ([Pool("north", ("wh-lyon",)), shopify(pool="north")], {"shopify": 0}),
    ],
)
def test_a_change_of_the_configuration_is_told_to_the_channels_that_it_concerns(
    things: list[Channel | Pool | Location], told: dict[str, int], retailer: Retailer
) -> None:
    for thing in things:
        retailer.configure(thing)
    retailer.run()
    assert retailer.last() == dict.fromkeys(KINDS, 7) | told
    assert retailer.seconds() <= 120


def test_channels_are_told_when_a_location_closes_for_some_hours_and_when_it_opens(
    retailer: Retailer,
) -> None:
    opens = retailer.now + timedelta(hours=24)
    retailer.configure(replace(MADRID, closed_until=opens.isoformat()))
    retailer.run(retailer.seconds() + 3600)
    assert retailer.last() == dict.fromkeys(KINDS, 0)
    retailer.run()
    assert retailer.last() == dict.fromkeys(KINDS, 7)
    assert opens <= retailer.now <= opens + timedelta(minutes=2)


def test_a_price_and_a_title_reach_every_channel_that_is_told_of_them_and_no_other(
    retailer: Retailer,
) -> None:
    """From the catalogue by the stream; then one channel more asks for them, and one is paused meanwhile."""
    told_of = {"woocommerce": (Aspect.PRICE,), "magento": (Aspect.STOCK, Aspect.TITLE, Aspect.PRICE)}
    for kind, publishes in told_of.items():
        retailer.configure(Channel(kind, kind, "iberia", publishes=publishes, currency="EUR"))
    retailer.run()
    describe_sku(retailer.table, Sku(SKU, title="Mug", prices=(Price(1490, "EUR"),)))
    retailer.run()
    shown = {name: (shop.fake.titles, shop.fake.prices) for name, shop in retailer.shops.items()}
    expected: dict[str, tuple[list[str], list[str]]] = {kind: ([], []) for kind in KINDS}
    assert shown == expected | {"woocommerce": ([], ["14.90"]), "magento": (["Mug"], ["14.90"])}

    retailer.configure(replace(retailer.network.channels["magento"], paused=True))
    retailer.configure(Channel("square", "square", "iberia", publishes=(Aspect.PRICE,), currency="EUR"))
    retailer.run()
    describe_sku(retailer.table, Sku(SKU, title="Cup", prices=(Price(1590, "EUR"),)))
    retailer.move(-3)
    retailer.run()
    assert (retailer.shops["magento"].fake.prices, retailer.last()["magento"]) == (["14.90"], 7)
    assert retailer.shops["square"].fake.prices == ["14.90 EUR", "15.90 EUR"]
    retailer.configure(replace(retailer.network.channels["magento"], paused=False))
    retailer.run()
    magento = retailer.shops["magento"].fake
    assert (magento.titles, magento.prices, magento.stock) == (["Mug", "Cup"], ["14.90", "15.90"], 4)
    assert retailer.dead == []


@pytest.mark.parametrize(
    "thing",
    [
        shopify(grace_minutes=5),
        replace(MADRID, priority=7, name="Madrid, South"),
        replace(LYON, active=False),
        Pool("iberia", ("st-gracia", "wh-lyon", "wh-madrid")),
    ],
)
def test_what_does_not_change_what_may_be_sold_is_told_to_nobody(
    thing: Channel | Pool | Location, retailer: Retailer
) -> None:
    asked = sum(len(shop.server.asked) for shop in retailer.shops.values())
    retailer.configure(thing)
    retailer.run()
    assert sum(len(shop.server.asked) for shop in retailer.shops.values()) == asked


@pytest.mark.parametrize("crash", [False, True])
def test_a_large_location_is_recomputed_in_pages_each_sku_once_whatever_is_repeated(
    crash: bool, retailer: Retailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the skus lie at two locations that it concerns. With a crash each page is done twice."""
    monkeypatch.setattr("oms.usecases.recompute_stock.PAGE", 7)
    monkeypatch.setattr("oms.usecases.recompute_stock.PAGES", 2)
    for number in range(40):
        fill(retailer.table, f"S{number}", wh_madrid=5, **({"wh_lyon": 5} if number % 2 else {}))
    retailer.run()
    documents: list[dict[str, Any]] = []
    publish = retailer._publish

    def watched(body: str) -> None:
        documents.append(json.loads(body))
        for _ in range(2 if crash and documents[-1]["task"] == "recompute" else 1):
            publish(body)

    monkeypatch.setattr(retailer, "_publish", watched)
    retailer.configure(shopify(buffer=1))
    retailer.run()
    announced = [document["sku"] for document in documents if document["task"] == "announce"]
    assert sorted(announced) == sorted({SKU, *(f"S{number}" for number in range(40))})
    assert sum(document["task"] == "recompute" for document in documents) >= 5
    assert (retailer.last()["shopify"], retailer.dead) == (6, [])


def test_above_the_threshold_only_crossing_it_is_told(retailer: Retailer) -> None:
    retailer.configure(shopify(stock_threshold=10))
    retailer.run()
    told = retailer.shops["shopify"].told
    del told[:]
    for units in (+20, -9, +40, -47, +1, -4, -7, -1, +3, +9):
        retailer.at(retailer.seconds() + 30, lambda units=units: retailer.move(units))  # type: ignore[misc]
        retailer.run()
    # 27, 18 and 58 are as good as 27; then 11 still is; 12, 8, 1, 0 and 3 are told, and 12 again.
    assert [level for _, level in told] == [27, 8, 1, 0, 3, 12]


@pytest.mark.parametrize(
    "document",
    [
        {"task": "recompute"},
        {"task": "recompute", "cause": "c", "pools": "iberia"},
        {"task": "recompute", "cause": "c", "locations": [1]},
        {"task": "recompute", "cause": "c", "locations": ["wh-madrid"], "after": {"PK": 1}},
        {"task": "recompute", "cause": "c", "locations": ["wh-madrid"], "aspects": ["colour"]},
    ],
)
def test_a_message_that_does_not_say_what_to_recompute_is_kept(
    document: dict[str, Any], retailer: Retailer
) -> None:
    retailer.at(retailer.seconds(), lambda: retailer._publish(json.dumps(document)))
    retailer.run()
    assert len(retailer.dead) == 1
