"""What channels are told of parcels: each once, with its number, whatever goes wrong on the way."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.publishing import KINDS
from oms.events.derive import events_of_journal
from oms.fulfillment.events import FactKind, FulfillmentFact, Package, PackedUnits
from oms.inventory.network import Channel, Network
from oms.orders.identity import order_id
from oms.runtime import clients
from oms.store import keys, process
from oms.store.table import Table
from oms.usecases.place_order import place_order
from oms.usecases.push_parcel import find_parcel
from oms.usecases.record_fulfillment import record_fulfillment
from oms.usecases.release_order import release_order
from tests.builders import NOW, command, line, network
from tests.fakes_channels import API, ORDER, FakeOrder
from tests.fakes_http import FakeServer, Fault, Says, serving
from tests.outlets import Receiver
from tests.pushing import pushing_to
from tests.shelves import fill

NUMBER = "PQ4F6X0712345670108230Q"


@dataclass
class Warehouse:
    """An order that is shipped parcel by parcel, and the shop that is told."""

    server: FakeServer
    order: FakeOrder
    table: Table
    receiver: Receiver
    network: Network

    @property
    def order_id(self) -> str:
        channel_order_id = f"{ORDER}@1" if self.order.kind == "magento" else ORDER
        return order_id("shop-es", channel_order_id)

    def ship(self, name: str, number: str | None, **units: int) -> dict[str, Any]:
        """A parcel leaves; the event of it."""
        packed = tuple(PackedUnits(line.removeprefix("l"), each) for line, each in units.items())
        package = Package(name, "correos", number, lines=packed)
        fact = FulfillmentFact(f"m-{name}", FactKind.SHIPPED, NOW, self.order_id, "2-1", (package,))
        record_fulfillment(self.table, fact, NOW)
        item = self.table.get(keys.shipment(self.order_id, f"2-1.{name}"))
        assert item is not None
        (event,) = (each for each in events_of_journal(item) if each.type == "shipment.shipped")
        return {"detail-type": event.type, "source": "oms", "detail": event.document()}

    def publish(self, *documents: Any) -> list[str]:
        """Ids of the messages that `publisher` failed to handle."""
        if not documents:
            return []
        records = [{"messageId": str(n), "body": json.dumps(each)} for n, each in enumerate(documents)]
        answer = publisher.handler({"Records": records}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def queued(self) -> list[dict[str, Any]]:
        """What the queue of `publisher` has taken since it was last asked; nothing of it waits."""
        entries, self.receiver.taken = self.receiver.taken, []
        return [json.loads(entry["MessageBody"]) | {"due_at": None} for entry in entries]

    def tell(self, event: dict[str, Any]) -> list[str]:
        """The event goes its whole way; ids of messages that failed."""
        assert self.publish(event) == []
        return self.publish(*self.queued())


@pytest.fixture
def warehouse(
    request: pytest.FixtureRequest, table: Table, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouse]:
    kind: str = getattr(request, "param", "shopify")
    receiver = pushing_to(monkeypatch)
    made = network(channel=Channel("shop-es", kind, "iberia"))
    monkeypatch.setattr(process, "network", lambda *_: made)
    monkeypatch.setattr("oms.runtime.http.FIRST_PAUSE_S", 0.0)
    with serving() as server:
        shop = FakeOrder(kind)
        server.answering = shop.answer
        secret = {"kind": kind, "secrets": ["s"], "api": {"url": server.url, **API}}
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString=json.dumps(secret))
        house = Warehouse(server, shop, table, receiver, made)
        for sku in "AB":
            fill(table, sku, wh_madrid=9)
        channel_order_id = f"{ORDER}@1" if kind == "magento" else ORDER
        lines = (line("A", 2, number=1), line("B", 1, number=2))
        place_order(table, made, command(*lines, channel_order_id=channel_order_id, adapter=kind), NOW)
        release_order(table, made, house.order_id, NOW)
        yield house


every_kind = pytest.mark.parametrize("warehouse", KINDS, indirect=True)


def test_a_parcel_waits_for_a_channel_that_is_paused(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = network(channel=Channel("shop-es", "shopify", "iberia", paused=True))
    monkeypatch.setattr(process, "network", lambda *_: paused)
    assert warehouse.tell(warehouse.ship("p1", NUMBER, l1=2, l2=1)) == []
    waiting = warehouse.queued()
    assert (len(waiting), waiting[0]["attempt"], warehouse.server.asked) == (1, 1, [])
    monkeypatch.setattr(process, "network", lambda *_: warehouse.network)
    assert warehouse.publish(*waiting) == []
    assert warehouse.order.numbers == [NUMBER]


def test_a_parcel_of_a_channel_that_was_just_configured_is_told(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = replace(warehouse.network, channels={})
    monkeypatch.setattr(process, "network", lambda *channels: warehouse.network if channels else old)
    assert warehouse.tell(warehouse.ship("p1", NUMBER, l1=2, l2=1)) == []
    assert warehouse.order.numbers == [NUMBER]


@every_kind
def test_a_parcel_whose_telling_was_lost_or_repeated_is_known_to_its_channel_once(
    warehouse: Warehouse,
) -> None:
    event = warehouse.ship("p1", NUMBER, l1=2, l2=1)
    for position in range(4):
        warehouse.server.faults = [*[None] * position, Fault.LOST]
        warehouse.tell(event)
        warehouse.server.faults = []
        assert warehouse.publish(*warehouse.queued()) == []
    assert warehouse.tell(event) == []
    assert warehouse.order.numbers == [NUMBER]


@every_kind
def test_a_channel_that_is_down_is_told_later(warehouse: Warehouse) -> None:
    event = warehouse.ship("p1", NUMBER, l1=2, l2=1)
    warehouse.server.faults = [Says(500), Fault.LOST, Says(503)]
    assert warehouse.tell(event) == []
    (again,) = warehouse.queued()
    assert again["attempt"] == 1
    calls.client.cache_clear()
    calls.apis.cache_clear()
    warehouse.server.faults = []
    assert warehouse.publish(again) == []
    assert warehouse.order.numbers == [NUMBER]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
def test_a_channel_that_says_no_leaves_the_message_to_its_queue(status: int, warehouse: Warehouse) -> None:
    event = warehouse.ship("p1", NUMBER, l1=2, l2=1)
    warehouse.server.faults = [Says(status)] * 5
    assert warehouse.tell(event) == ["0"]
    assert warehouse.order.parcels == []


@pytest.mark.parametrize("warehouse", ["shopify", "magento", "bigcommerce", "ebay", "amazon"], indirect=True)
def test_each_parcel_is_told_with_what_is_in_it(warehouse: Warehouse) -> None:
    first = warehouse.ship("p1", "N1", l1=1)
    warehouse.tell(first)
    warehouse.tell(warehouse.ship("p2", "N2", l1=1, l2=1))
    warehouse.tell(first)
    assert warehouse.order.parcels == [("N1", {"701": 1}), ("N2", {"701": 1, "702": 1})]
    assert set(warehouse.order.left.values()) == {0}


@pytest.mark.parametrize("warehouse", ["woocommerce", "square"], indirect=True)
def test_the_last_parcel_completes_an_order_of_a_shop_that_knows_no_parcels(warehouse: Warehouse) -> None:
    warehouse.tell(warehouse.ship("p1", "N1", l1=1))
    assert not warehouse.order.completed
    warehouse.tell(warehouse.ship("p2", "N2", l1=1, l2=1))
    assert warehouse.order.completed
    assert warehouse.order.numbers[-1] == "N2"


def test_a_parcel_without_a_number_is_told_once_too(warehouse: Warehouse) -> None:
    event = warehouse.ship("p1", None, l1=2, l2=1)
    warehouse.tell(event)
    warehouse.tell(event)
    assert warehouse.order.parcels == [(None, {"701": 2, "702": 1})]


def test_an_order_that_the_channel_does_not_know_is_kept(warehouse: Warehouse) -> None:
    event = warehouse.ship("p1", NUMBER, l1=2)
    warehouse.server.faults = [Says(200, {"data": {"order": None}})]
    assert warehouse.tell(event) == ["0"]


def knowing(known: Network) -> Callable[[str], Network]:
    """What answers with a network whatever channel is asked for."""
    return lambda channel: known


def test_what_is_no_parcel_of_a_channel_that_is_told_is_left_alone(warehouse: Warehouse) -> None:
    event = warehouse.ship("p1", NUMBER, l1=2)
    told = warehouse.network
    mail_order = replace(told, channels={"shop-es": Channel("shop-es", "generic", "iberia")})
    for known, order, shipment in (
        (mail_order, warehouse.order_id, "2-1.p1"),
        (replace(told, channels={}), warehouse.order_id, "2-1.p1"),
        (told, warehouse.order_id, "2-1.p9"),
        (told, order_id("shop-es", "other"), "2-1.p1"),
    ):
        assert find_parcel(warehouse.table, knowing(known), order, shipment) is None
    assert warehouse.publish({"task": "push_parcel", "order_id": "NONE", "shipment": "2-1.p1"}) == []
    assert warehouse.publish({"task": "push_parcel", "order_id": "NONE"}) == ["0"]
    other = event["detail"] | {"type": "order.shipped"}
    warehouse.publish({"detail-type": "order.shipped", "detail": other})
    assert warehouse.queued() == []
