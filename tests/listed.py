"""One shop that is told of its one listing, by the real publisher, on a clock that waiting moves."""

import heapq
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.listings import Listing, Told
from oms.events.publish import Queue
from oms.inventory.model import Delta
from oms.inventory.network import Aspect, Channel
from oms.orders.records import ListingRecorded
from oms.runtime import clients
from oms.store import process
from oms.store.listings import find_listing, find_told
from oms.store.table import Table
from oms.store.writes import Why, move
from oms.usecases.record_listing import record_listing
from tests.builders import NOW, network
from tests.fakes_channels import API, SKU, FakeChannel
from tests.fakes_http import FakeServer, serving
from tests.outlets import Receiver
from tests.pushing import pushing_to
from tests.shelves import fill

LISTED = ListingRecorded(
    channel="shop-es",
    adapter="shopify",
    listing_id="808950810",
    product_id=None,
    item_id="39072856",
    sku=SKU,
    title="Mug",
    barcode=None,
    tracked=True,
    requires_shipping=True,
    as_of=NOW,
)


@dataclass
class World:
    """A shop's server, our table, and time that passes by waiting for messages."""

    server: FakeServer
    shop: FakeChannel
    table: Table
    receiver: Receiver
    channel: Channel
    now: datetime = NOW
    waiting: list[tuple[datetime, int, str]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)
    dead: list[str] = field(default_factory=list)

    def seconds(self) -> float:
        """Time for the client's memory of hosts."""
        return (self.now - NOW).total_seconds()

    def list_(self, **changes: Any) -> None:
        """The channel tells of its listing."""
        queue = Queue(self.receiver.queue, "https://sqs/publish")
        record_listing(self.table, process.network(), queue, replace(LISTED, **changes))

    def change(self, units: int) -> None:
        """Stock of the sku changes, and somebody notices."""
        why = Why("adjustment", "test", "test", self.now)
        self.table.commit(move(SKU, "wh-madrid", Delta(on_hand=units), why))

    def announce(self, *aspects: Aspect) -> None:
        """What follows from a change, as the queue that gathers hands it over."""
        self.receive({"task": "announce", "sku": SKU} | ({"aspects": aspects} if aspects else {}))

    def receive(self, document: Mapping[str, Any]) -> None:
        heapq.heappush(self.waiting, (self.now, next(self.numbers), json.dumps(document)))

    def run(self, until: datetime | None = None) -> None:
        """Let time pass until nothing waits any more, or until some moment."""
        self._take()
        while self.waiting and (until is None or self.waiting[0][0] <= until):
            at, _, body = heapq.heappop(self.waiting)
            self.now = max(self.now, at)
            answer = publisher.handler({"Records": [{"messageId": "1", "body": body}]}, None)
            if answer["batchItemFailures"]:
                self.dead.append(body)
            self._take()
        if until is not None:
            self.now = until

    def _take(self) -> None:
        for entry in self.receiver.taken:
            at = self.now + timedelta(seconds=entry.get("DelaySeconds", 0))
            heapq.heappush(self.waiting, (at, next(self.numbers), entry["MessageBody"]))
        self.receiver.taken.clear()

    @property
    def listing(self) -> Listing:
        found = find_listing(self.table, "shop-es", self.shop.item_id)
        assert found is not None
        return found

    @property
    def known(self) -> Told:
        """What the channel was told of its stock."""
        return self.told(Aspect.STOCK)

    def told(self, aspect: Aspect) -> Told:
        """What the channel was told of an aspect."""
        told = find_told(self.table, self.listing, aspect)
        return told or Told("shop-es", self.shop.item_id, aspect, SKU)


@contextmanager
def opened(kind: str, table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The world of a shop of a kind, with seven units of its sku."""
    receiver = pushing_to(monkeypatch)
    with serving() as server:
        shop = FakeChannel(kind)
        server.answering = shop.answer
        secret = {"kind": kind, "secrets": ["s"], "api": {"url": server.url, **API}}
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString=json.dumps(secret))
        fill(table, SKU, wh_madrid=7)
        made = World(server, shop, table, receiver, Channel("shop-es", kind, "iberia"))
        monkeypatch.setattr(process, "network", lambda *_: network(channel=made.channel))

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> "Clock":
                return cls.fromtimestamp(made.now.timestamp(), tz or UTC)

        monkeypatch.setattr(publisher, "datetime", Clock)
        client = calls.client()
        monkeypatch.setattr(client, "_clock", made.seconds)
        monkeypatch.setattr(client, "_pause", lambda seconds: None)
        yield made
