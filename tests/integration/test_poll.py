"""The poll that finds what webhooks have missed: every order in, once, and no page forgotten."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.intake import handler as intake
from functions.publisher import calls
from functions.publisher import handler as publisher
from oms.channels.envelope import seal
from oms.channels.exchange import Api, Request, Response, Unavailable
from oms.channels.headers import Headers
from oms.channels.polling import PAGE, POLLINGS, Window, changed_orders
from oms.channels.registry import adapter
from oms.inventory.network import Channel
from oms.orders.identity import order_id
from oms.problems import Code, Problem
from oms.runtime import clients
from oms.store import keys, process, queries
from oms.store.table import Table
from oms.usecases.poll_channel import FIRST, OVERLAP, SETTLED, polls
from tests.builders import NOW, network
from tests.fakes_channels import API
from tests.fakes_http import Asked, FakeServer, Fault, Says, serving
from tests.outlets import Receiver
from tests.shelves import fill

SINCE, UNTIL = NOW - timedelta(hours=1), NOW
_START = NOW - timedelta(minutes=50)


def placed(number: int) -> dict[str, Any]:
    """An order of WooCommerce, a second after the one before."""
    at = f"{_START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}"
    item = {"id": 1, "name": "Mug", "sku": "A", "quantity": 1, "subtotal": "10.00", "total": "10.00"}
    return {
        "id": number,
        "number": str(number),
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": at,
        "date_modified_gmt": at,
        "total": "10.00",
        "line_items": [item],
    }


@dataclass
class Shop:
    """A WooCommerce shop with its list of orders, and our side of it."""

    server: FakeServer
    receiver: Receiver
    table: Table
    orders: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Says:
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.path).query).items()}
        assert (query["orderby"], query["order"], query["dates_are_gmt"]) == ("modified", "asc", "true")
        matching = [
            order
            for order in sorted(self.orders, key=lambda order: str(order["date_modified_gmt"]))
            if query["modified_after"] < order["date_modified_gmt"] < query["modified_before"]
        ]
        return Says(200, matching[: int(query["per_page"])])

    def webhook(self, order: Mapping[str, Any]) -> str:
        """The delivery of an order, as `webhooks` hands it on."""
        headers = Headers([("X-WC-Webhook-Topic", "order.created")])
        return seal("shop-es", adapter("woocommerce"), headers, json.dumps(order).encode(), NOW)

    def poll(self) -> list[str]:
        """One poll with everything that follows from it; ids of messages that failed."""
        failed = self.publish({"task": "poll_channels"})
        while waiting := self.take("publish"):
            for body in waiting:
                failed += self.publish(json.loads(body))
        return failed

    def publish(self, document: Mapping[str, Any]) -> list[str]:
        record = {"messageId": "1", "body": json.dumps(document)}
        answer = publisher.handler({"Records": [record]}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def take(self, queue: str) -> list[str]:
        found = [each for each in self.receiver.taken if each["QueueUrl"].endswith(f"/{queue}")]
        self.receiver.taken = [each for each in self.receiver.taken if each not in found]
        return [str(each["MessageBody"]) for each in found]

    def deliver(self, bodies: list[str]) -> None:
        for start in range(0, len(bodies), 10):
            batch = enumerate(bodies[start : start + 10])
            answer = intake.handler({"Records": [{"messageId": str(n), "body": b} for n, b in batch]}, None)
            assert answer["batchItemFailures"] == []

    @property
    def ended(self) -> datetime | None:
        item = self.table.get(keys.poll("shop-es"))
        return None if item is None else datetime.fromtimestamp(int(str(item["until"])) / 1000, UTC)


@pytest.fixture
def shop(table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    receiver = Receiver()
    for name, value in {
        "CHANNEL_SECRET_PREFIX": "oms/channels/",
        "INBOUND_QUEUE_URL": "https://sqs/inbound",
        "HOT_LANE_QUEUE_URL": "https://sqs/hot-lane",
        "REACH": "any",
    }.items():
        monkeypatch.setenv(name, value)
    made = network(channel=Channel("shop-es", "woocommerce", "iberia"))
    monkeypatch.setattr(clients, "sqs", lambda: receiver.queue)
    monkeypatch.setattr(process, "network", lambda *_: made)
    monkeypatch.setattr("oms.runtime.http.FIRST_PAUSE_S", 0.0)
    for cached in (calls.configured, calls.client, calls.apis):
        cached.cache_clear()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(NOW.timestamp(), tz or UTC)

    monkeypatch.setattr(publisher, "datetime", Clock)
    with serving() as server:
        found = Shop(server, receiver, table)
        server.answering = found.answer
        secret = {"kind": "woocommerce", "secrets": ["s"], "api": {"url": server.url, **API}}
        clients.secrets().create_secret(Name="oms/channels/shop-es", SecretString=json.dumps(secret))
        fill(table, "A", wh_madrid=999)
        yield found


# ---- What can go wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOST, Says(500), Says(429)])
def test_a_poll_that_gets_no_answer_ends_nowhere_and_the_next_begins_where_it_began(
    fault: Fault | Says, shop: Shop
) -> None:
    shop.orders = [placed(1)]
    shop.server.faults = [fault] * 3
    assert shop.poll() == []
    assert (shop.ended, shop.take("inbound")) == (None, [])
    calls.client.cache_clear()
    calls.apis.cache_clear()
    assert shop.poll() == []
    assert (shop.ended, len(shop.take("inbound"))) == (NOW - SETTLED, 1)


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Says(401), Says(404), Says(200, {"code": "error"})])
def test_an_answer_that_is_no_list_fails_and_ends_nowhere(fault: Fault | Says, shop: Shop) -> None:
    shop.orders = [placed(1)]
    shop.server.faults = [fault]
    assert (shop.poll(), shop.ended, shop.take("inbound")) == (["1"], None, [])


def test_a_poll_in_the_middle_of_which_the_shop_goes_down_is_begun_again(shop: Shop) -> None:
    shop.orders = [placed(number) for number in range(PAGE + 5)]
    shop.server.faults = [None, Says(500), Says(500), Says(500)]
    shop.poll()
    assert shop.ended is None
    calls.client.cache_clear()
    calls.apis.cache_clear()
    shop.take("inbound")
    shop.poll()
    assert len(set(shop.take("inbound"))) >= PAGE + 5


def test_a_later_end_is_not_taken_back_by_a_poll_that_took_longer(shop: Shop) -> None:
    shop.poll()
    early = {"since": keys.iso(SINCE), "until": keys.iso(NOW - timedelta(hours=1))}
    shop.publish({"task": "poll", "channel": "shop-es", **early})
    assert shop.ended == NOW - SETTLED


def test_a_channel_without_an_api_is_left_alone(shop: Shop) -> None:
    secret = json.dumps({"kind": "woocommerce", "secrets": ["s"]})
    clients.secrets().put_secret_value(SecretId="oms/channels/shop-es", SecretString=secret)
    assert shop.poll() == []
    assert shop.server.asked == []


def test_a_channel_that_is_paused_is_not_polled() -> None:
    places = network()
    paused = {name: replace(channel, paused=True) for name, channel in places.channels.items()}
    assert polls(places) != []
    assert polls(replace(places, channels=paused)) == []


@pytest.mark.parametrize("document", [{"task": "poll"}, {"task": "poll", "channel": "shop-es", "since": "x"}])
def test_a_message_that_names_no_channel_or_no_time_is_kept(document: dict[str, str], shop: Shop) -> None:
    assert shop.publish(document) == ["1"]


# ---- What goes right ---------------------------------------------------------------------------------------


def test_when_webhooks_are_dropped_the_poll_brings_every_order_in_once(shop: Shop) -> None:
    """One in a hundred is lost, and one in ten comes twice."""
    chance = random.Random(7)
    shop.orders = [placed(number) for number in range(1, 201)]
    deliveries = [shop.webhook(order) for order in shop.orders if chance.random() >= 0.01]
    assert 190 <= len(deliveries) < 200
    deliveries += chance.sample(deliveries, 20)
    chance.shuffle(deliveries)
    shop.deliver(deliveries)
    assert shop.poll() == []
    shop.deliver(shop.take("inbound"))
    held = shop.table.get(keys.position("A", "wh-madrid"))
    assert held is not None and held["allocated"] == 200
    assert all(
        queries.order(shop.table, order_id("shop-es", str(order["id"]))) is not None for order in shop.orders
    )


def test_each_poll_begins_some_time_before_the_last_one_ended(shop: Shop) -> None:
    shop.poll()
    shop.poll()
    asked = [parse_qs(urlsplit(each.path).query)["modified_after"][0] for each in shop.server.asked]
    begins = (NOW - FIRST, NOW - SETTLED - OVERLAP)
    assert asked == [f"{begin - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}" for begin in begins]


def test_many_pages_are_read_by_several_messages(shop: Shop) -> None:
    shop.orders = [placed(number) for number in range(4 * PAGE + 7)]
    shop.publish({"task": "poll", "channel": "shop-es"})
    assert len(shop.server.asked) == 3 and shop.ended is None
    (rest,) = shop.take("publish")
    shop.publish(json.loads(rest))
    assert shop.ended == NOW - SETTLED
    numbers = {json.loads(body)["body"] for body in shop.take("inbound")}
    assert len(numbers) == 4 * PAGE + 7


# ---- Shapes ------------------------------------------------------------------------------------------------


def listed(kind: str, pages: Mapping[str, Any], links: Mapping[str, str] | None = None) -> list[list[Any]]:
    """Bodies of the orders of each page; `pages` has a document by a part of what is asked for."""
    found: list[list[Any]] = []
    asked: list[str] = []

    def send(request: Request) -> Response:
        text = request.url.removeprefix("https://api.example") + "{" + request.body.decode()
        asked.append(text)
        (part,) = [part for part in pages if part in text]
        link = (links or {}).get(part)
        headers = Headers([("Link", link)] if link else [])
        return Response(200, headers, json.dumps(pages[part]).encode() if pages[part] is not None else b"")

    api = Api(kind, "https://api.example", API, send)
    window = Window(SINCE, UNTIL)
    while True:
        page = changed_orders(api, window)
        found.append([json.loads(order.body) for order in page.orders])
        assert all(order.topic == "rest_order" for order in page.orders)
        if page.after is None:
            return found
        window = Window(SINCE, UNTIL, page.after)


def test_shopify_is_followed_by_its_links() -> None:
    following = '<https://s.example/admin/api/2025-07/orders.json?limit=50&page_info=eyJ9>; rel="next"'
    pages = {"updated_at_min=": {"orders": [{"id": 1}]}, "page_info=eyJ9": {"orders": [{"id": 2}]}}
    back = following.replace("next", "previous")
    found = listed("shopify", pages, {"updated_at_min=": following, "page_info=eyJ9": back})
    assert found == [[{"order": {"id": 1}}], [{"order": {"id": 2}}]]


def test_square_is_followed_by_its_cursor() -> None:
    pages = {
        '"sort_order":"ASC"}}}': {"orders": [{"id": "1"}], "cursor": "c2"},
        '"cursor":"c2"': {"orders": [{"id": "2"}]},
    }
    assert listed("square", pages) == [[{"order": {"id": "1"}}], [{"order": {"id": "2"}}]]


def test_amazon_is_followed_by_its_token() -> None:
    pages = {
        "maxResultsPerPage=50&paginationToken=t2": {"orders": [{"orderId": "2"}]},
        "maxResultsPerPage=50{": {"orders": [{"orderId": "1"}], "pagination": {"nextToken": "t2"}},
    }
    assert listed("amazon", pages) == [[{"orderId": "1"}], [{"orderId": "2"}]]


def test_pages_of_ebay_overlap() -> None:
    full = {"orders": [{"orderId": str(number)} for number in range(PAGE)]}
    found = listed("ebay", {"offset=0": full, "offset=40": {"orders": [{"orderId": "40"}]}})
    assert [len(page) for page in found] == [PAGE, 1]


@pytest.mark.parametrize(
    ("kind", "name", "form", "wrapped"),
    [
        ("woocommerce", "date_modified_gmt", "%Y-%m-%dT%H:%M:%S", None),
        ("magento", "updated_at", "%Y-%m-%d %H:%M:%S", "items"),
        ("bigcommerce", "date_modified", "%a, %d %b %Y %H:%M:%S +0000", None),
    ],
)
def test_a_list_in_the_order_of_changes_goes_on_from_the_last_one(
    kind: str, name: str, form: str, wrapped: str | None
) -> None:
    times = [SINCE + timedelta(seconds=number) for number in range(PAGE + 3)]
    orders: list[dict[str, Any]] = [{"id": number, name: f"{at:{form}}"} for number, at in enumerate(times)]

    def send(request: Request) -> Response:
        later = [order for order in orders if order["id"] >= (PAGE - 1 if sent else 0)]
        sent.append(request.url)
        page = later[:PAGE]
        return Response(200, Headers(), json.dumps({wrapped: page} if wrapped else page).encode())

    sent: list[str] = []
    api = Api(kind, "https://api.example", {}, send)
    first = changed_orders(api, Window(SINCE, UNTIL))
    second = changed_orders(api, Window(SINCE, UNTIL, first.after))
    assert (len(first.orders), len(second.orders), second.after) == (PAGE, 4, None)
    assert first.after == keys.iso(times[PAGE - 1])


def test_more_changes_in_a_second_than_a_page_holds_are_not_passed_over() -> None:
    at = f"{SINCE:%Y-%m-%dT%H:%M:%S}"
    page = json.dumps([{"id": number, "date_modified_gmt": at} for number in range(PAGE)]).encode()
    api = Api("woocommerce", "https://api.example", {}, lambda request: Response(200, Headers(), page))
    with pytest.raises(Problem) as caught:
        changed_orders(api, Window(SINCE, UNTIL))
    assert caught.value.code == Code.UNSUPPORTED


@pytest.mark.parametrize("kind", ["generic", "stripe"])
def test_a_kind_without_such_a_list_is_unsupported(kind: str) -> None:
    def send(request: Request) -> Response:
        raise Unavailable("nobody is asked")

    assert kind not in POLLINGS
    with pytest.raises(Problem) as caught:
        changed_orders(Api(kind, "https://api.example", {}, send), Window(SINCE, UNTIL))
    assert caught.value.code == Code.UNSUPPORTED
