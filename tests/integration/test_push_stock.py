"""What channels are told of stock: always the truth at last, however badly and in whatever order it goes."""

import heapq
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from functions.publisher import handler as publisher
from infra.lab.cloud import SKEW_S, stack
from oms.channels.exchange import Api, Request, Response
from oms.channels.headers import Headers
from oms.channels.listings import Listing, Told
from oms.channels.publishing import KINDS, Level, publishing
from oms.events.publish import Queue
from oms.inventory.model import Component, Delta, Sku
from oms.inventory.network import Aspect
from oms.problems import Code, Problem
from oms.store import keys, process
from oms.store.listings import decode_listing, encode_listing, encode_told, find_told, key_of
from oms.store.stock import encode_sku
from oms.store.table import Table
from oms.store.writes import Why, move, put
from oms.usecases.describe_sku import describe_sku
from oms.usecases.push_listing import CLAIM, GATHERED_S, PACE, to_announce
from oms.usecases.record_listing import record_listing
from tests.builders import NOW
from tests.fakes_channels import API, NO, SKU, FakeChannel
from tests.fakes_http import Asked, Fault, Says
from tests.listed import LISTED, World, opened
from tests.shelves import fill


@pytest.fixture
def world(request: pytest.FixtureRequest, table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with opened(getattr(request, "param", "shopify"), table, monkeypatch) as made:
        yield made


every_kind = pytest.mark.parametrize("world", KINDS, indirect=True)


# ---- What can go wrong -------------------------------------------------------------------------------------


@every_kind
def test_a_channel_of_each_kind_is_told_in_the_end_whatever_goes_wrong_first(world: World) -> None:
    """The faults outlast the tries of one call, so that the message has to come back."""
    faults: list[Fault | Says | None] = [Says(500), Fault.LOST, Says(429), Fault.CUT, Says(503), Fault.LOST]
    world.list_()
    world.server.faults = list(faults)
    world.run()
    assert world.shop.stock == 7
    assert (world.known.value, world.dead) == (7, [])
    world.change(-3)
    world.announce()
    world.announce()
    world.run()
    assert (world.shop.stock, world.known.value) == (4, 4)


@every_kind
def test_a_channel_of_each_kind_that_says_no_is_asked_again_later(world: World) -> None:
    world.list_()
    world.server.faults = [NO[world.shop.kind]] * 3
    world.run(NOW)
    assert (world.shop.levels, world.known.value, world.dead) == ([], None, [])
    assert world.known.retry_at is not None
    world.run()
    assert world.shop.stock == 7


def test_a_channel_that_says_no_for_a_day_leaves_a_dead_letter_and_the_next_change_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oms.usecases.push_listing.CHANNEL_WAITS_S", (5, 900, 900))
    world.list_()
    world.server.faults = [NO["shopify"]] * 100
    world.run()
    assert (len(world.server.asked), len(world.dead), world.known.retry_at) == (4, 1, None)
    world.server.faults = []
    world.announce()
    world.run()
    assert world.shop.stock == 7


@every_kind
def test_a_page_in_place_of_an_answer_does_not_count_as_told_where_the_answer_matters(world: World) -> None:
    world.list_()
    world.server.faults = [Fault.GARBAGE]
    world.run()
    assert world.known.value == 7
    told = world.shop.kind in {"shopify", "magento", "ebay", "amazon"}
    assert world.shop.levels == ([7] if told else [])


def test_a_channel_that_is_down_for_an_hour_is_not_hammered_and_converges(world: World) -> None:
    world.list_()
    world.run()
    asked = len(world.server.asked)
    world.server.faults = [Says(503)] * 10_000
    for minute in range(60):
        world.change(1 if minute % 2 == 0 else -1)
        for _ in range(3):
            world.announce()
        world.run(NOW + timedelta(minutes=minute + 1))
    assert len(world.server.asked) - asked < 60
    world.server.faults = []
    world.run()
    assert (world.shop.stock, world.known.value, world.dead) == (7, 7, [])


def test_a_lost_answer_leaves_it_open_what_the_channel_was_told(world: World) -> None:
    """Told 3 without our hearing of it, then 7 again: were 7 taken for known, 3 would stay."""
    world.list_()
    world.run(NOW + PACE)
    world.change(-4)
    world.server.faults = [Fault.LOST, Says(500), Says(500)]
    world.announce()
    world.run(world.now)
    assert (world.shop.stock, world.known.value) == (3, None)
    world.change(4)
    world.announce()
    world.run()
    assert world.shop.stock == 7


def test_a_change_while_the_channel_is_told_is_told_after_it(world: World) -> None:
    """The server sees the change of another process in the middle of the call: that message has to wait."""
    world.list_()
    answering = world.server.answering

    def meanwhile(asked: Any) -> Says:
        if not world.shop.levels:
            world.table.commit(
                move(SKU, "wh-madrid", Delta(on_hand=-7), Why("sale", "test", "test", world.now))
            )
            document = {"task": "push_stock", "channel": "shop-es", "item_id": world.shop.item_id}
            publisher.handler({"Records": [{"messageId": "2", "body": json.dumps(document)}]}, None)
        return answering(asked)

    world.server.answering = meanwhile
    world.run()
    assert world.shop.levels == [7, 0]


def test_a_process_that_died_while_telling_is_followed_by_another(world: World) -> None:
    world.list_()
    world.receiver.taken.clear()
    stuck = replace(world.known, claimed_until=NOW + CLAIM, v=2)
    key = keys.listing_told("shop-es", world.shop.item_id, Aspect.STOCK)
    world.table.commit(put(key, encode_told(stuck)))
    world.announce()
    world.run()
    assert world.shop.stock == 7
    assert world.now >= NOW + CLAIM


@pytest.mark.parametrize(
    "document",
    [
        {"task": "push_stock", "channel": "shop-es"},
        {"task": "push_stock", "item_id": "1"},
        {"task": "push_stock", "channel": "shop-es", "item_id": "1", "attempt": "x"},
        {"task": "announce"},
    ],
)
def test_a_message_without_what_it_is_about_is_kept(document: dict[str, str], world: World) -> None:
    world.receive(document)
    world.run()
    assert len(world.dead) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"task": "push_stock", "channel": "shop-es", "item_id": "none"},
        {"task": "push_stock", "channel": "other", "item_id": "39072856"},
        {"task": "announce", "sku": "unlisted"},
        {"task": "push_stock", "channel": "shop-es", "item_id": "39072856", "attempt": 3},
    ],
)
def test_what_is_not_listed_or_not_ours_to_try_again_is_dropped(
    document: dict[str, str], world: World
) -> None:
    world.list_()
    world.run()
    asked = len(world.server.asked)
    world.receive(document)
    world.run()
    assert (len(world.server.asked), world.dead) == (asked, [])


def test_a_listing_under_another_sku_is_told_of_that_one(world: World) -> None:
    world.list_()
    world.run()
    fill(world.table, "C", wh_madrid=2)
    world.list_(sku="C", as_of=NOW + timedelta(minutes=1))
    world.run()
    assert world.shop.stock == 2
    world.change(9)
    world.announce()
    world.run()
    assert world.shop.stock == 2


# ---- Debounce ----------------------------------------------------------------------------------------------


def test_a_thousand_changes_of_a_sku_in_a_minute_are_at_most_thirteen_statements_and_the_last_is_true(
    world: World,
) -> None:
    """A FIFO queue takes one message of an id in five minutes and hands it over six seconds later.

    Every tenth change is really written; the others are announced alike.
    """
    world.list_()
    world.run()
    told = len(world.shop.levels)
    seen: set[str | None] = set()
    for number in range(1000):
        at = NOW + timedelta(milliseconds=60 * number)
        world.run(at)
        if number % 10 == 0:
            world.change(1 if number % 3 else -1)
        message = to_announce(SKU, at)
        if message.id not in seen:
            seen.add(message.id)
            body = json.dumps(message.document)
            heapq.heappush(world.waiting, (at + timedelta(seconds=6), next(world.numbers), body))
    world.run()
    assert len(world.shop.levels) - told <= 13
    assert world.shop.stock == 7 + sum(1 if number % 3 else -1 for number in range(0, 1000, 10))


def test_the_queue_holds_a_change_until_all_that_it_stands_for_are_written_whatever_the_clocks_say() -> None:
    _, held_s, *_ = stack().queues["AtsQueue"]
    assert held_s >= GATHERED_S + 2 * SKEW_S
    early, late = (NOW + timedelta(seconds=seconds) for seconds in (0, GATHERED_S))
    assert to_announce(SKU, early).id != to_announce(SKU, late).id


def test_what_the_channel_knows_already_is_not_told_again(world: World) -> None:
    world.list_()
    for _ in range(5):
        world.announce()
    world.run()
    assert world.shop.levels == [7]


def test_a_message_of_the_queue_that_gathers_keeps_its_order(world: World) -> None:
    records = [
        {
            "messageId": str(number),
            "body": body,
            "eventSourceARN": "arn:aws:sqs:eu-south-2:1:oms-ats.fifo",
            "attributes": {"MessageGroupId": "g"},
        }
        for number, body in enumerate(['{"task": "announce"}', '{"task": "announce", "sku": "A/B"}'])
    ]
    answer = publisher.handler({"Records": records}, None)
    assert [failure["itemIdentifier"] for failure in answer["batchItemFailures"]] == ["0", "1"]


# ---- How many ----------------------------------------------------------------------------------------------


def test_what_is_told_is_in_the_unit_that_the_channel_sells(world: World) -> None:
    world.table.commit(put(keys.sku_meta(SKU), encode_sku(Sku(SKU, scale=3))))
    world.list_()
    world.run()
    assert world.shop.stock == 2


def test_a_sku_that_is_not_counted_is_plenty(world: World) -> None:
    world.table.commit(put(keys.sku_meta(SKU), encode_sku(Sku(SKU, tracked=False, scale=10))))
    world.list_()
    world.run()
    assert world.shop.stock == 9999


def test_of_a_kit_there_are_as_many_as_its_scarcest_part_makes(world: World) -> None:
    fill(world.table, "cup", wh_madrid=7)
    fill(world.table, "plate", wh_madrid=5)
    describe_sku(world.table, Sku(SKU, kit=(Component("cup", 1), Component("plate", 2))))
    world.list_()
    world.run()
    assert world.shop.stock == 2
    why = Why("sale", "test", "test", NOW)
    world.table.commit(move("plate", "wh-madrid", Delta(on_hand=-3), why))
    world.receive({"task": "announce", "sku": "plate"})
    world.run()
    assert world.shop.stock == 1


# ---- Shapes ------------------------------------------------------------------------------------------------


def level(**changes: Any) -> Level:
    listing = Listing("shop-es", "39072856", SKU, "1", None, "Mug", NOW)
    return Level(replace(listing, **changes), "39072856-2", NOW, 5)


def told(kind: str, shop: FakeChannel, level: Level, **values: str) -> list[Request]:
    """The requests that tell a channel of a level."""
    asked: list[Request] = []

    def send(request: Request) -> Response:
        asked.append(request)
        path = request.url.removeprefix("https://api.example")
        headers = {name.lower(): value for name, value in request.headers.items()}
        says = shop.answer(
            Asked(request.method, path, headers | {"x-shopify-access-token": "t"}, request.body)
        )
        return Response(says.status, Headers(), says.body)

    publishing(kind).push_stock(Api(kind, "https://api.example", {**API, **values}, send), level)
    return asked


@pytest.mark.parametrize(("kind", "twice"), list(product(KINDS, [1, 2])))
def test_to_tell_a_channel_twice_is_to_tell_it_once(kind: str, twice: int) -> None:
    shop = FakeChannel(kind)
    for _ in range(twice):
        told(kind, shop, level())
    assert shop.stock == 5


def test_a_variation_of_woocommerce_stands_under_its_product() -> None:
    shop = FakeChannel("woocommerce", "17", "9")
    told("woocommerce", shop, level(item_id="17", product_id="9"))
    assert shop.stock == 5


def test_a_variant_of_bigcommerce_is_told_by_its_own_number() -> None:
    shop = FakeChannel("bigcommerce", "9/17")
    told("bigcommerce", shop, level(item_id="9/17"))
    assert shop.stock == 5


def test_magento_with_several_sources_is_told_of_ours() -> None:
    def send(request: Request) -> Response:
        assert (request.method, request.url) == ("POST", "https://api.example/rest/V1/inventory/source-items")
        item = {"sku": SKU, "source_code": "madrid", "quantity": 5, "status": 1}
        assert json.loads(request.body) == {"sourceItems": [item]}
        return Response(200, Headers(), b"[]")

    api = Api("magento", "https://api.example", {"source_code": "madrid"}, send)
    publishing("magento").push_stock(api, level())


@pytest.mark.parametrize(
    ("kind", "listing", "missing", "field"),
    [
        ("shopify", {}, "location_id", "api.location_id"),
        ("square", {}, "location_id", "api.location_id"),
        ("amazon", {}, "seller_id", "api.seller_id"),
        ("amazon", {}, "marketplace_id", "api.marketplace_id"),
        ("amazon", {"sku": None}, "", "sku"),
        ("ebay", {"sku": None}, "", "sku"),
        ("magento", {"sku": ""}, "", "sku"),
        ("bigcommerce", {"item_id": "mug"}, "", "item_id"),
    ],
)
def test_what_the_channel_cannot_be_told_without_is_named(
    kind: str, listing: dict[str, Any], missing: str, field: str
) -> None:
    with pytest.raises(Problem) as caught:
        told(kind, FakeChannel(kind), level(**listing), **({missing: ""} if missing else {}))
    assert caught.value.field == field


@pytest.mark.parametrize("kind", ["generic", "stripe", "easypost"])
def test_a_kind_that_cannot_be_told_is_unsupported(kind: str) -> None:
    with pytest.raises(Problem) as caught:
        publishing(kind)
    assert caught.value.code == Code.UNSUPPORTED


# ---- Listings ----------------------------------------------------------------------------------------------


def test_every_field_of_a_listing_is_kept() -> None:
    full = Listing("shop-es", "a#1", SKU, "1", "2", "Mug", NOW, 9)
    bare = Listing("shop-es", "2", None, None, None, None, NOW, v=1)
    for listing in (full, bare):
        key = key_of(listing)
        assert decode_listing({"PK": key.pk, "SK": key.sk, **encode_listing(listing)}) == listing


@pytest.mark.parametrize("value", [5, "Mug", "14.90 EUR"])
def test_every_field_of_what_was_told_is_kept(value: int | str, table: Table) -> None:
    listing = Listing("shop-es", "a#1", SKU, "1", "2", "Mug", NOW)
    full = Told("shop-es", "a#1", Aspect.PRICE, SKU, value, NOW, NOW + CLAIM, NOW + 2 * CLAIM, 9)
    for told_ in (full, Told("shop-es", "a#1", Aspect.PRICE, SKU, v=1)):
        table.commit(put(keys.listing_told("shop-es", "a#1", Aspect.PRICE), encode_told(told_)))
        assert find_told(table, listing, Aspect.PRICE) == told_
        assert find_told(table, listing, Aspect.TITLE) is None


def test_what_the_channel_leaves_out_or_said_before_changes_nothing(world: World) -> None:
    world.list_()
    world.run()
    world.list_(sku=None, title=None, listing_id=None, as_of=NOW + timedelta(minutes=1))
    world.list_(sku="old", title="Old", as_of=NOW - timedelta(minutes=1))
    known = world.listing
    assert (known.sku, known.title, known.listing_id, world.known.value) == (SKU, "Mug", "808950810", 7)


def test_a_listing_that_nobody_counts_is_not_kept(world: World) -> None:
    queue = Queue(world.receiver.queue, "https://sqs/publish")
    assert record_listing(world.table, process.network(), queue, replace(LISTED, item_id=None)) is None
    assert world.receiver.taken == []


def test_a_listing_without_a_sku_waits_until_somebody_says(world: World) -> None:
    world.list_(sku=None)
    world.run()
    assert world.shop.levels == []
    world.list_(as_of=NOW + timedelta(minutes=1))
    world.run()
    assert world.shop.levels == [7]


def test_a_sku_that_is_not_in_the_catalogue_is_left_to_the_shop_until_it_is(world: World) -> None:
    world.table.commit(move("C", "wh-madrid", Delta(on_hand=2), Why("count", "test", "test", world.now)))
    world.list_(sku="C")
    world.run()
    assert (world.shop.levels, world.dead) == ([], [])
    describe_sku(world.table, Sku("C", title="Cup"))
    world.receive({"task": "announce", "sku": "C"})
    world.run()
    assert world.shop.levels == [2]
