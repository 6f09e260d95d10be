"""What channels are told of titles and prices: by the rules of stock, and neither waits for the other."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.publisher.calls import open_api
from oms.channels.exchange import Api, Request, Response
from oms.channels.headers import Headers
from oms.channels.listings import Listing
from oms.channels.publishing import KINDS, Priced, Titled, publishing, require_telling
from oms.events.publish import Queue
from oms.inventory.model import Price, Sku
from oms.inventory.network import Aspect
from oms.problems import Code, Problem
from oms.store.table import Table
from oms.usecases.describe_sku import describe_sku
from oms.usecases.push_listing import PACE, Pushed, Wanted, push_listing
from tests.builders import NOW, network
from tests.conflicts import Crash, Faults
from tests.fakes_channels import API, NO, PRODUCT, SKU, FakeChannel
from tests.fakes_http import Asked, Fault, Says
from tests.listed import World, opened

BOTH = (Aspect.TITLE, Aspect.PRICE)
every_kind = pytest.mark.parametrize("world", KINDS, indirect=True)


def describe(world: World, title: str = "Mug, blue", amount: int | None = 1490, **changes: Any) -> None:
    """The catalogue's owner writes the entry, and the stream tells of it."""
    prices = () if amount is None else (Price(amount, "EUR"),)
    describe_sku(world.table, Sku(SKU, **{"title": title, "prices": prices} | changes))
    world.announce(*BOTH)


@pytest.fixture
def world(request: pytest.FixtureRequest, table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The channel is told of everything that its API takes, and has told of its listing."""
    with opened(getattr(request, "param", "shopify"), table, monkeypatch) as made:
        _list(made)
        yield made


def _list(world: World) -> None:
    publishes = (Aspect.STOCK, *(aspect for aspect in BOTH if aspect in told_of(world.shop.kind)))
    world.channel = replace(world.channel, publishes=publishes, currency="EUR")
    world.list_(product_id=product_of(world.shop.kind))
    world.run()
    world.now += timedelta(minutes=1)


def product_of(kind: str) -> str | None:
    """What the listing is the one variant of; in WooCommerce it is the product."""
    return None if kind == "woocommerce" else PRODUCT


def told_of(kind: str) -> tuple[Aspect, ...]:
    return (Aspect.PRICE,) if kind == "ebay" else BOTH


def shown(world: World) -> tuple[str | None, str | None]:
    """Title and price that the shop shows last, the price without its currency."""
    shop = world.shop
    title = shop.titles[-1] if shop.titles else None
    return title, shop.prices[-1].partition(" ")[0] if shop.prices else None


# ---- What can go wrong -------------------------------------------------------------------------------------


@every_kind
def test_a_channel_of_each_kind_is_told_in_the_end_whatever_goes_wrong_first(world: World) -> None:
    """The faults outlast the tries of one call; more changes come while it is down, the last one counts."""
    faults: list[Fault | Says | None] = [Says(500), Fault.LOST, Says(429), Fault.CUT, Says(503), Fault.LOST]
    world.server.faults = [*faults, *faults]
    describe(world)
    world.run(world.now)
    describe(world, "Mug, red", 1590)
    describe(world, "Mug, green", 1690)
    world.run()
    title = None if world.shop.kind == "ebay" else "Mug, green"
    assert (shown(world), world.dead) == ((title, "16.90"), [])
    assert world.told(Aspect.PRICE).value == "16.90 EUR"
    asked = len(world.server.asked)
    world.announce(*BOTH)
    world.announce(*BOTH)
    world.run()
    assert len(world.server.asked) == asked


@every_kind
def test_a_channel_of_each_kind_that_says_no_is_asked_again_later(world: World) -> None:
    refusal = NO[world.shop.kind]
    if world.shop.kind == "magento":
        refusal = Says(200, [{"message": "Invalid attribute sku", "parameters": []}])
    elif world.shop.kind == "shopify":
        refusal = Says(
            200, {"data": {"productVariantsBulkUpdate": {"userErrors": [{"code": "INVALID_INPUT"}]}}}
        )
    describe(world, "")
    world.server.faults = [refusal]
    world.run(world.now)
    assert (world.shop.prices, world.told(Aspect.PRICE).value, world.dead) == ([], None, [])
    assert world.told(Aspect.PRICE).retry_at is not None
    world.run()
    assert shown(world) == (None, "14.90")


@pytest.mark.parametrize("aspect", BOTH)
def test_a_lost_answer_leaves_it_open_what_the_channel_was_told(aspect: Aspect, world: World) -> None:
    """Told a second value without our hearing of it, then the first again: the second may not stay."""
    describe(world)
    world.run()
    world.now += PACE
    describe(world, *(("Cup", 1490) if aspect is Aspect.TITLE else ("Mug, blue", 9900)))
    world.server.faults = [None, Fault.LOST] if aspect is Aspect.TITLE else [Fault.LOST]
    world.server.faults += [Says(500)] * 2
    world.run(world.now)
    assert shown(world) == (("Cup", "14.90") if aspect is Aspect.TITLE else ("Mug, blue", "99.00"))
    assert world.told(aspect).value is None
    describe(world)
    world.run()
    assert shown(world) == ("Mug, blue", "14.90")


def test_a_title_that_is_refused_for_good_keeps_no_stock_and_no_price_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oms.usecases.push_listing.CHANNEL_WAITS_S", (5, 900, 900))
    answering = world.server.answering

    def refusing(asked: Asked) -> Says:
        if b"productUpdate(" in asked.body:
            return Says(200, {"data": {"productUpdate": {"userErrors": [{"field": ["title"]}]}}})
        return answering(asked)

    world.server.answering = refusing
    describe(world)
    world.run(world.now + timedelta(seconds=1))
    world.change(-3)
    world.announce()
    world.run(world.now + timedelta(seconds=1))
    assert (world.shop.stock, shown(world)) == (4, (None, "14.90"))
    world.run()
    assert [json.loads(body)["task"] for body in world.dead] == ["push_title"]
    world.server.answering = answering
    describe(world, "Mug, red")
    world.run()
    assert shown(world)[0] == "Mug, red"


def test_a_change_while_the_channel_is_told_is_told_after_it(world: World) -> None:
    """The server sees the change of another process in the middle of the call: that message has to wait."""
    answering = world.server.answering

    def meanwhile(asked: Asked) -> Says:
        if b"productVariantsBulkUpdate(" in asked.body and not world.shop.prices:
            describe_sku(world.table, Sku(SKU, title="Mug, blue", prices=(Price(990, "EUR"),)))
            wanted = Wanted(Aspect.PRICE, "shop-es", world.shop.item_id)
            document = {"task": "push_price", "channel": "shop-es", "item_id": world.shop.item_id}
            queue, places = Queue(world.receiver.queue, "https://sqs/publish"), network(channel=world.channel)
            outcome = push_listing(world.table, places, never_opened, queue, document, wanted, world.now)
            assert outcome is Pushed.BUSY
        return answering(asked)

    world.server.answering = meanwhile
    describe(world)
    world.run()
    assert world.shop.prices == ["14.90", "9.90"]


def never_opened(channel: str) -> Api:
    raise AssertionError("somebody else is telling")


def test_a_message_comes_back_seldom_while_a_process_that_is_gone_claims_a_listing(world: World) -> None:
    """Each time it may be doubled: what comes back all the time becomes ever more."""
    document = {"task": "push_price", "channel": "shop-es", "item_id": world.shop.item_id}
    wanted, places = Wanted(Aspect.PRICE, "shop-es", world.shop.item_id), network(channel=world.channel)
    queue = Queue(world.receiver.queue, "https://sqs/publish")
    describe_sku(world.table, Sku(SKU, prices=(Price(1000, "EUR"),)))

    def dies(channel: str) -> Api:
        raise Crash

    with pytest.raises(Crash):
        push_listing(world.table, places, dies, queue, document, wanted, world.now)
    until, waits = world.told(Aspect.PRICE).claimed_until, []
    assert until is not None
    while world.now < until:
        outcome = push_listing(world.table, places, never_opened, queue, document, wanted, world.now)
        assert outcome is Pushed.BUSY
        waits.append(world.receiver.taken[-1]["DelaySeconds"])
        world.now += timedelta(seconds=waits[-1])
    assert waits[0] == 3
    assert len(waits) <= 8


@pytest.mark.parametrize("when", ["crash_before", "crash_after"])
def test_a_process_that_dies_anywhere_leaves_the_truth_to_the_next_that_gets_the_message(
    when: str, world: World
) -> None:
    document = {"task": "push_price", "channel": "shop-es", "item_id": world.shop.item_id}
    wanted, places = Wanted(Aspect.PRICE, "shop-es", world.shop.item_id), network(channel=world.channel)
    queue = Queue(world.receiver.queue, "https://sqs/publish")

    for calls in range(1, 20):
        world.now += timedelta(minutes=5)
        describe_sku(world.table, Sku(SKU, prices=(Price(1000 + calls, "EUR"),)))
        faults = Faults(**{when: calls})  # type: ignore[arg-type]  # one of its numbers of calls
        table = Table(faults.wrap(world.table.client), world.table.name)
        try:
            push_listing(table, places, open_api, queue, document, wanted, world.now)
        except Crash:
            world.receive(document)
            world.run()
        else:
            break
        assert (shown(world)[1], world.told(Aspect.PRICE).value) == (f"10.{calls:02}", f"10.{calls:02} EUR")
    assert calls > 5


@pytest.mark.parametrize("world", ["shopify", "bigcommerce", "square"], indirect=True)
def test_the_title_of_several_variants_is_left_to_the_shop_and_not_tried_again(world: World) -> None:
    world.shop.variants = 2
    describe(world)
    world.run()
    assert (shown(world), world.dead) == ((None, "14.90"), [])
    assert world.told(Aspect.TITLE).retry_at is None


def test_a_message_that_names_no_aspect_is_kept(world: World) -> None:
    for document in ({"task": "announce", "sku": SKU, "aspects": ["colour"]}, {"task": "push_colour"}):
        world.receive(document)
    world.run()
    assert len(world.dead) == 2


# ---- What is told, and to whom -----------------------------------------------------------------------------


@pytest.mark.parametrize("publishes", [(), (Aspect.STOCK,), (Aspect.TITLE,)])
def test_a_channel_is_told_what_its_configuration_asks_for_and_no_more(
    publishes: tuple[Aspect, ...], world: World
) -> None:
    world.channel = replace(world.channel, publishes=publishes)
    told = len(world.shop.levels)
    describe(world)
    world.change(-1)
    world.announce()
    for aspect in Aspect:
        world.receive({"task": f"push_{aspect}", "channel": "shop-es", "item_id": world.shop.item_id})
    world.run()
    assert shown(world) == ("Mug, blue" if Aspect.TITLE in publishes else None, None)
    assert len(world.shop.levels) - told == (Aspect.STOCK in publishes)


def test_a_channel_that_is_paused_is_told_of_nothing_until_it_is_so_no_more(world: World) -> None:
    asked = len(world.server.asked)
    world.channel = replace(world.channel, paused=True)
    describe(world)
    world.change(-1)
    world.announce()
    world.receive({"task": "push_price", "channel": "shop-es", "item_id": world.shop.item_id})
    world.run()
    assert (len(world.server.asked), world.dead) == (asked, [])
    world.channel = replace(world.channel, paused=False)
    world.announce(*Aspect)
    world.run()
    assert (world.shop.stock, shown(world)) == (6, ("Mug, blue", "14.90"))


def test_a_channels_own_price_in_its_currency_counts_and_none_is_no_price(world: World) -> None:
    own = (Price(1490, "EUR"), Price(1250, "EUR", "shop-es"), Price(9, "EUR", "shop-fr"), Price(1, "USD"))
    describe(world, prices=own)
    world.run()
    describe(world, prices=(Price(9, "EUR", "shop-fr"), Price(1, "USD")))
    world.run()
    assert world.shop.prices == ["12.50"]


def test_many_changes_in_a_row_are_few_statements_and_the_last_is_true(world: World) -> None:
    for number in range(60):
        world.now += timedelta(seconds=1)
        describe(world, f"Mug {number}", 1000 + number)
        world.run(world.now)
    world.run()
    assert shown(world) == ("Mug 59", "10.59")
    assert max(len(world.shop.titles), len(world.shop.prices)) <= 60 / PACE.total_seconds() + 2


def test_a_listing_of_another_sku_is_told_that_ones_title_and_price(world: World) -> None:
    describe(world)
    world.run()
    describe_sku(world.table, Sku("C", title="Cup", prices=(Price(500, "EUR"),)))
    world.list_(sku="C", product_id=PRODUCT, as_of=NOW + timedelta(minutes=5))
    world.run()
    assert shown(world) == ("Cup", "5.00")


def test_a_new_listing_is_told_everything_that_its_channel_is_told(world: World) -> None:
    world.shop.item_id = "77"
    describe_sku(world.table, Sku(SKU, title="Mug", prices=(Price(1490, "EUR"),)))
    world.list_(item_id="77", product_id=PRODUCT)
    world.list_(item_id="77", product_id=PRODUCT)
    world.run()
    assert (world.shop.titles, world.shop.prices, world.shop.levels[1:]) == (["Mug"], ["14.90"], [7])


# ---- Shapes ------------------------------------------------------------------------------------------------


def told(
    kind: str, shop: FakeChannel, aspect: Aspect, price: Price | None = None, **changes: Any
) -> list[Request]:
    """The requests that tell a channel of a title or a price."""
    listing = Listing("shop-es", "39072856", SKU, "808950810", product_of(kind), "Mug", NOW)
    listing = replace(listing, **{name: value for name, value in changes.items() if name in LISTING})
    values = {**API, **{name: value for name, value in changes.items() if name not in LISTING}}
    asked: list[Request] = []

    def send(request: Request) -> Response:
        asked.append(request)
        path = request.url.removeprefix("https://api.example")
        headers = {"x-shopify-access-token": "t"}
        says = shop.answer(Asked(request.method, path, headers, request.body))
        return Response(says.status, Headers(), says.body)

    api = Api(kind, "https://api.example", values, send)
    if aspect is Aspect.TITLE:
        publishing(kind).push_title(api, Titled(listing, "k", NOW, "Mug, blue"))
    else:
        publishing(kind).push_price(api, Priced(listing, "k", NOW, price or Price(1490, "EUR")))
    return asked


LISTING = ("item_id", "product_id", "listing_id", "sku")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("aspect", BOTH)
def test_to_tell_a_channel_twice_is_to_tell_it_once(kind: str, aspect: Aspect) -> None:
    if aspect not in told_of(kind):
        with pytest.raises(Problem) as caught:
            require_telling(kind, aspect)
        assert (caught.value.code, caught.value.field) == (Code.UNSUPPORTED, "kind")
        return
    shop = FakeChannel(kind)
    for _ in range(2):
        told(kind, shop, aspect)
    kept = shop.titles if aspect is Aspect.TITLE else [price.partition(" ")[0] for price in shop.prices]
    assert set(kept) == {"Mug, blue" if aspect is Aspect.TITLE else "14.90"}


@pytest.mark.parametrize(
    ("kind", "aspect", "changes", "code", "field"),
    [
        ("shopify", Aspect.TITLE, {"product_id": None}, Code.FIELD_MISSING, "product_id"),
        ("shopify", Aspect.PRICE, {"product_id": None}, Code.FIELD_MISSING, "product_id"),
        ("shopify", Aspect.PRICE, {"listing_id": None}, Code.FIELD_MISSING, "listing_id"),
        ("woocommerce", Aspect.TITLE, {"product_id": "9"}, Code.UNSUPPORTED, "title"),
        ("magento", Aspect.TITLE, {"sku": None}, Code.FIELD_MISSING, "sku"),
        ("magento", Aspect.PRICE, {"sku": None}, Code.FIELD_MISSING, "sku"),
        ("bigcommerce", Aspect.TITLE, {"item_id": "mug"}, Code.FIELD_INVALID, "item_id"),
        ("bigcommerce", Aspect.PRICE, {"item_id": "9/"}, Code.FIELD_INVALID, "item_id"),
        ("square", Aspect.TITLE, {"product_id": None}, Code.FIELD_MISSING, "product_id"),
        ("square", Aspect.TITLE, {"product_id": "unknown"}, Code.CHANNEL_REFUSED, None),
        ("ebay", Aspect.PRICE, {"sku": None}, Code.FIELD_MISSING, "sku"),
        ("amazon", Aspect.TITLE, {"marketplace_id": ""}, Code.FIELD_MISSING, "api.marketplace_id"),
        ("amazon", Aspect.PRICE, {"seller_id": ""}, Code.FIELD_MISSING, "api.seller_id"),
    ],
)
def test_what_the_channel_cannot_be_told_without_is_named(
    kind: str, aspect: Aspect, changes: Mapping[str, Any], code: Code, field: str | None
) -> None:
    with pytest.raises(Problem) as caught:
        told(kind, FakeChannel(kind), aspect, **changes)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_variation_of_woocommerce_has_a_price_of_its_own() -> None:
    shop = FakeChannel("woocommerce", "17", "9")
    told("woocommerce", shop, Aspect.PRICE, item_id="17", product_id="9")
    assert shop.prices == ["14.90"]


def test_a_variant_of_bigcommerce_has_a_price_of_its_own() -> None:
    shop = FakeChannel("bigcommerce", "9/17")
    asked = told("bigcommerce", shop, Aspect.PRICE, item_id="9/17")
    assert (shop.prices, asked[0].url.rpartition("/")[2]) == (["14.90"], "17")


def test_an_offer_of_ebay_in_another_currency_keeps_its_price() -> None:
    with pytest.raises(Problem) as caught:
        told("ebay", FakeChannel("ebay"), Aspect.PRICE, Price(1490, "USD"))
    assert caught.value.code == Code.CHANNEL_REFUSED


def test_an_object_of_square_that_has_moved_on_meanwhile_is_refused() -> None:
    shop = FakeChannel("square")
    answer = shop.answer

    def overtaken(asked: Asked) -> Says:
        says = answer(asked)
        shop.version += asked.method == "GET"
        return says

    shop.answer = overtaken  # type: ignore[method-assign]  # somebody edits the item in between
    with pytest.raises(Problem) as caught:
        told("square", shop, Aspect.PRICE)
    assert (caught.value.code, shop.prices) == (Code.CHANNEL_REFUSED, [])


def test_an_object_of_square_that_is_no_item_is_refused() -> None:
    shop = FakeChannel("square")
    with pytest.raises(Problem) as caught:
        told("square", shop, Aspect.TITLE, product_id=shop.item_id)
    assert (caught.value.code, shop.titles) == (Code.CHANNEL_REFUSED, [])


@pytest.mark.parametrize(
    ("price", "shows"), [(Price(5, "EUR"), "0.05"), (Price(1490, "JPY"), "1490"), (Price(1, "KWD"), "0.001")]
)
def test_a_price_has_the_decimals_of_its_currency(price: Price, shows: str) -> None:
    shop = FakeChannel("woocommerce")
    told("woocommerce", shop, Aspect.PRICE, price)
    assert shop.prices == [shows]
