"""A notification that only names an order brings the order in, once, whatever its channel's API does."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from functions.intake import handler as intake
from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.envelope import seal
from oms.channels.headers import Headers
from oms.channels.registry import adapter
from oms.orders.identity import order_id
from oms.runtime import clients
from oms.runtime.http import FAILURES, TRIES
from oms.store import queries
from oms.store.table import Table
from oms.usecases.postponing import CHANNEL_WAITS_S
from tests.builders import NOW
from tests.fakes_http import Asked, FakeServer, Fault, Says, serving
from tests.outlets import Receiver
from tests.shelves import fill
from tests.unit.channels.square_samples import item, order

CHANGED = {
    "type": "order.updated",
    "event_id": "e-1",
    "data": {"type": "order_updated", "object": {"order_updated": {"order_id": "CAISEM", "version": 2}}},
}


@dataclass
class Shop:
    """A shop's API, our queues, and functions that are called as Lambda calls them."""

    server: FakeServer
    receiver: Receiver
    table: Table
    orders: dict[str, Any] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Says:
        name = asked.path.rpartition("/")[2]
        return Says(200, {"order": self.orders[name]}) if name in self.orders else Says(404)

    def take(self, queue: str) -> list[Mapping[str, Any]]:
        """What a queue has taken since it was last asked."""
        found = [entry for entry in self.receiver.taken if entry["QueueUrl"].endswith(f"/{queue}")]
        self.receiver.taken = [entry for entry in self.receiver.taken if entry not in found]
        return found

    def run(self, function: Any, entries: list[Mapping[str, Any]]) -> list[str]:
        """Call a function with messages; ids of those that failed."""
        records = [{"messageId": str(n), "body": each["MessageBody"]} for n, each in enumerate(entries)]
        answer = function.handler({"Records": records}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def notify(self) -> list[Mapping[str, Any]]:
        """The channel says that an order has changed; what is to be fetched then."""
        body = json.dumps(CHANGED).encode()
        sealed = seal("shop-es", adapter("square"), Headers(), body, datetime.now(UTC))
        assert self.run(intake, [{"MessageBody": sealed}]) == []
        return self.take("publish")

    @property
    def lines(self) -> list[int] | None:
        """Units ordered by line, None while the order is not there."""
        found = queries.order(self.table, order_id("shop-es", "CAISEM"))
        return [line.ordered for line in found.lines] if found else None


@pytest.fixture
def shop(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    receiver = Receiver()
    environment = {
        "CHANNEL_SECRET_PREFIX": "oms/channels/",
        "INBOUND_QUEUE_URL": "https://sqs/inbound",
        "HOT_LANE_QUEUE_URL": "https://sqs/hot-lane",
        "REACH": "any",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    monkeypatch.setattr("oms.runtime.http.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("oms.runtime.http.READ_S", 0.2)
    for cached in (calls.configured, calls.client, calls.apis):
        cached.cache_clear()
    with serving() as server:
        api = {"url": server.url, "token": "t"}
        secret = json.dumps({"kind": "square", "secrets": ["s"], "api": api})
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString=secret)
        made = Shop(server, receiver, table)
        made.orders["CAISEM"] = order(item("line-1", "2"), id="CAISEM")
        server.answering = made.answer
        fill(table, "SKU-1", wh_madrid=9)
        yield made


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT, Says(500), Says(503), Says(429)])
def test_a_fault_that_passes_is_not_even_noticed(fault: Fault | Says, shop: Shop) -> None:
    wanted = shop.notify()
    shop.server.faults = [fault]
    assert shop.run(publisher, wanted) == []
    assert shop.run(intake, shop.take("inbound")) == []
    assert shop.lines == [2]


@pytest.mark.parametrize(
    "faults", [[Fault.LOST] * TRIES, [Says(500)] * TRIES, [Says(429, headers={"Retry-After": "60"})]]
)
def test_a_channel_that_is_down_is_asked_again_later(faults: list[Fault | Says], shop: Shop) -> None:
    wanted = shop.notify()
    shop.server.faults = [*faults]
    assert shop.run(publisher, wanted) == []
    (again,) = shop.take("publish")
    assert again["DelaySeconds"] >= 5 and shop.take("inbound") == []
    document = json.loads(again["MessageBody"])
    assert document["attempt"] == 1
    calls.client.cache_clear()
    calls.apis.cache_clear()
    shop.run(publisher, [{"MessageBody": json.dumps(document | {"due_at": None})}])
    shop.run(intake, shop.take("inbound"))
    assert shop.lines == [2]


def test_a_channel_that_stays_down_is_not_hammered(shop: Shop) -> None:
    wanted = shop.notify()
    shop.server.faults = [Says(500)] * 100
    for _ in range(20):
        shop.run(publisher, wanted)
    assert len(shop.server.asked) == FAILURES


def test_a_channel_that_stays_down_for_longer_than_a_day_leaves_a_dead_letter(shop: Shop) -> None:
    (wanted,) = shop.notify()
    document = json.loads(wanted["MessageBody"]) | {"attempt": len(CHANNEL_WAITS_S)}
    shop.server.faults = [Says(500)] * TRIES
    assert shop.run(publisher, [{"MessageBody": json.dumps(document)}]) == ["0"]
    assert shop.receiver.taken == []


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Says(401), Says(403), Says(404), Says(302)])
def test_an_answer_that_is_not_the_order_is_a_failure_that_the_queue_repeats(
    fault: Fault | Says, shop: Shop
) -> None:
    wanted = shop.notify()
    shop.server.faults = [fault]
    assert shop.run(publisher, wanted) == ["0"]
    assert shop.receiver.taken == []
    assert shop.run(publisher, wanted) == []
    shop.run(intake, shop.take("inbound"))
    assert shop.lines == [2]


def test_an_answer_that_only_names_the_order_again_does_not_go_round_in_circles(shop: Shop) -> None:
    wanted = shop.notify()
    shop.orders["CAISEM"] = {"id": "CAISEM", "version": 2}
    assert shop.run(publisher, wanted) == ["0"]
    assert shop.receiver.taken == []


def test_an_order_that_is_named_many_times_is_there_once(shop: Shop) -> None:
    for _ in range(3):
        assert shop.run(publisher, shop.notify()) == []
    fetched = shop.take("inbound")
    assert shop.run(intake, fetched + fetched) == []
    assert shop.lines == [2]
    assert len(queries.orders_of_day(shop.table, NOW.date(), queries.Span(10)).items) == 1


def test_the_credentials_go_along_and_nothing_else_is_asked(shop: Shop) -> None:
    shop.run(publisher, shop.notify())
    (asked,) = shop.server.asked
    assert (asked.method, asked.path) == ("GET", "/v2/orders/CAISEM")
    assert asked.headers["authorization"] == "Bearer t"
